"""Runs the checks of a network: what does not depend on each other at the same time, reported in a fixed order."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import VenueError
from dydx_console.ports.node import NodePort
from dydx_console.ports.probe import IndexerProbe
from dydx_console.preflight import checks
from dydx_console.preflight.asking import ask_binding, ask_indexer, ask_nodes, ask_stream, attempt
from dydx_console.preflight.evidence import BoundBlock, EndpointSeen, Heard, IndexerSeen
from dydx_console.preflight.files import file_facts
from dydx_console.preflight.plan import Judgement, PreflightPlan
from dydx_console.safety.networks import Network

__all__ = ["CHECKS", "TIMEOUT_S", "run_preflight", "step_deadline_s"]

CONFIGURED: Final = ("environment", "config", "policy", "urls")
ASKED: Final = ("indexer", "node", "chain id", "binding", "stream", "clock", "account", "compliance")
KEYS: Final = ("key", "key encrypted", "key permissions")
CHECKS: Final = (*CONFIGURED, *ASKED, *KEYS, "files")
"""The names of all checks, in the order of every report."""
TIMEOUT_S: Final = 5.0
STEP_SHARE: Final = 0.4
"""How much of the whole time one question may take: no check waits for more than two, one after the other."""

Told = TypeVar("Told")
Deliver = Callable[[CheckResult], None]


def step_deadline_s(timeout_s: float = TIMEOUT_S) -> float:
    """Return how long a single question may take where the whole report may take `timeout_s` seconds.

    The ports need no longer deadline than this.
    """
    return timeout_s * STEP_SHARE


async def run_preflight(
    plan: PreflightPlan,
    node: NodePort | None,
    indexer: IndexerProbe | None,
    clock: Clock,
    *,
    timeout_s: float = TIMEOUT_S,
    on_result: Deliver | None = None,
) -> Report:
    """Make every check and return the report, within `timeout_s` seconds whatever the venue does.

    `on_result` gets each result as soon as it and all before it are known. Where a check of what is configured fails,
    nobody is asked anything. `node` is None where the network has none, `indexer` where there is no network. The ports
    stay open.
    """
    began = clock.monotonic()
    book = _Book(on_result)
    _configured(plan, book)
    refusing = next((check.name for check in book.results if check.verdict is Verdict.FAIL), None)
    if refusing is not None:
        book.skip(ASKED, f"{refusing} refuses, so nothing was asked")
    elif plan.network is None or indexer is None:
        book.skip(ASKED, "there is no network to ask")
    else:
        await _asked(_Venue(plan, plan.network, node, indexer, clock, step_deadline_s(timeout_s)), book)
    book.skip(KEYS, "no key store yet")
    looked_at = clock.monotonic()
    book.add("files", _Timed(_judge_files(plan), _ms(clock, looked_at)))
    results = tuple(book.results)
    return Report(results, _ms(clock, began), checks.exit_code_of(results))


@dataclass(frozen=True, slots=True)
class _Timed(Generic[Told]):
    """An answer and how long it took."""

    value: Told
    took_ms: float


@dataclass(frozen=True, slots=True)
class _Venue:
    """Whom to ask, for what, and how long each answer may take."""

    plan: PreflightPlan
    network: Network
    node: NodePort | None
    indexer: IndexerProbe
    clock: Clock
    step_s: float


class _Book:
    """Takes results in order, cleaned: what is configured may hold hostile text too."""

    def __init__(self, on_result: Deliver | None) -> None:
        self._on_result = on_result
        self.results: list[CheckResult] = []

    def add(self, name: str, timed: _Timed[Judgement]) -> None:
        judged = timed.value
        remedy = None if judged.remedy is None else clean(judged.remedy)
        code = judged.exit_code if judged.verdict is Verdict.FAIL else 0
        result = CheckResult(name, judged.verdict, clean(judged.text), timed.took_ms, remedy, code)
        self.results.append(result)
        if self._on_result is not None:
            self._on_result(result)

    def skip(self, names: Iterable[str], reason: str) -> None:
        for name in names:
            self.add(name, _Timed(checks.skipped(reason), 0.0))


def _configured(plan: PreflightPlan, book: _Book) -> None:
    for name, judged in zip(CONFIGURED, (plan.environment, plan.config, plan.policy, plan.urls), strict=True):
        book.add(name, _Timed(judged, 0.0))


async def _asked(venue: _Venue, book: _Book) -> None:
    """Ask everything at once and report in order, each as soon as the ones before it are there."""
    async with asyncio.TaskGroup() as tasks:
        rest = tasks.create_task(_timed(venue.clock, _ask_rest(venue)))
        nodes = tasks.create_task(_timed(venue.clock, _ask_nodes(venue)))
        stream = tasks.create_task(_timed(venue.clock, _ask_stream(venue)))
        binding = tasks.create_task(_binding(venue, rest, nodes, stream))
        account = tasks.create_task(
            _of_account(venue, rest, venue.indexer.funded_parents, partial(_judge_account, venue))
        )
        compliance = tasks.create_task(
            _of_account(venue, rest, venue.indexer.compliance, lambda _address, told: checks.judge_compliance(told))
        )
        seen = await rest
        book.add("indexer", _Timed(checks.judge_indexer(venue.network, seen.value), seen.took_ms))
        endpoints = await nodes
        book.add("node", _Timed(_judge_node(venue, endpoints.value), endpoints.took_ms))
        book.add("chain id", _Timed(_judge_chain_id(venue, endpoints.value), 0.0))
        book.add("binding", await binding)
        heard = await stream
        book.add("stream", _Timed(checks.judge_stream(venue.network.indexer_websocket, heard.value), heard.took_ms))
        book.add("clock", _Timed(_judge_clock(seen.value, endpoints.value), 0.0))
        book.add("account", await account)
        book.add("compliance", await compliance)


async def _ask_rest(venue: _Venue) -> IndexerSeen:
    return await ask_indexer(venue.indexer, venue.clock, venue.network.indexer_rest, venue.step_s)


async def _ask_stream(venue: _Venue) -> Heard | VenueError:
    return await ask_stream(venue.indexer, venue.clock, venue.network.indexer_websocket, venue.step_s)


async def _ask_nodes(venue: _Venue) -> tuple[EndpointSeen, ...]:
    return () if venue.node is None else await ask_nodes(venue.node, venue.clock, venue.step_s)


def _judge_node(venue: _Venue, seen: tuple[EndpointSeen, ...]) -> Judgement:
    if seen:
        return checks.judge_node(seen)
    remedy = f"name nodes in [networks.{venue.network.name}].nodes; without one nothing can ever be sent"
    return Judgement(Verdict.WARN, "no node is configured, so nothing proves which chain this is", remedy)


def _judge_chain_id(venue: _Venue, seen: tuple[EndpointSeen, ...]) -> Judgement:
    if not _answering(seen):
        return checks.skipped("no node answered" if seen else "no node is configured")
    return checks.judge_chain_id(venue.network, seen)


def _judge_clock(rest: IndexerSeen, seen: tuple[EndpointSeen, ...]) -> Judgement:
    if isinstance(rest.clock, VenueError):
        return checks.skipped("the Indexer told no time")
    return checks.judge_clock(rest.clock, _node_head(seen))


async def _binding(
    venue: _Venue,
    rest: "asyncio.Task[_Timed[IndexerSeen]]",
    nodes: "asyncio.Task[_Timed[tuple[EndpointSeen, ...]]]",
    stream: "asyncio.Task[_Timed[Heard | VenueError]]",
) -> _Timed[Judgement]:
    seen = (await nodes).value
    chain = _judge_chain_id(venue, seen)
    if venue.node is None or chain.verdict is not Verdict.OK:
        reason = chain.text if chain.verdict is Verdict.SKIP else "a node is not on the configured chain"
        return _Timed(checks.skipped(reason), 0.0)
    told = [head for head in ((await rest).value.head, (await stream).value) if isinstance(head, Heard)]
    if not told:
        return _Timed(checks.skipped("the Indexer told no block"), 0.0)
    asked = ask_binding(venue.node, seen, [heard.head for heard in told], venue.step_s)
    blocks: _Timed[tuple[BoundBlock, ...]] = await _timed(venue.clock, asked)
    newest = max(told, key=lambda heard: heard.head.height)
    return _Timed(checks.judge_binding(venue.network, blocks.value, newest, _node_head(seen)), blocks.took_ms)


async def _of_account(
    venue: _Venue,
    rest: "asyncio.Task[_Timed[IndexerSeen]]",
    ask: Callable[[str], Awaitable[Told]],
    judge: Callable[[str, Told | VenueError], Judgement],
) -> _Timed[Judgement]:
    """Ask something about the account, once the Indexer is known to answer."""
    address = venue.plan.address
    if address is None:
        return _Timed(checks.skipped("no address is configured"), 0.0)
    if isinstance((await rest).value.head, VenueError):
        return _Timed(checks.skipped("the Indexer did not answer"), 0.0)
    asked = attempt(ask(address), venue.network.indexer_rest, venue.step_s)
    answer: _Timed[Told | VenueError] = await _timed(venue.clock, asked)
    return _Timed(judge(address, answer.value), answer.took_ms)


def _judge_account(venue: _Venue, address: str, parents: tuple[int, ...] | VenueError) -> Judgement:
    plan = venue.plan
    return checks.judge_account(venue.network, address, plan.parent, parents, read_only=plan.read_only)


def _answering(seen: tuple[EndpointSeen, ...]) -> tuple[EndpointSeen, ...]:
    return tuple(one for one in seen if not isinstance(one.info, VenueError))


def _node_head(seen: tuple[EndpointSeen, ...]) -> Heard | None:
    return next((one.head for one in _answering(seen) if isinstance(one.head, Heard)), None)


async def _timed(clock: Clock, asked: Awaitable[Told]) -> _Timed[Told]:
    began = clock.monotonic()
    value = await asked
    return _Timed(value, _ms(clock, began))


def _ms(clock: Clock, began: float) -> float:
    return (clock.monotonic() - began) * 1_000


def _judge_files(plan: PreflightPlan) -> Judgement:
    if os.name != "posix":
        return checks.skipped("this system does not tell who may write to a file")
    return checks.judge_files(file_facts(plan.files), os.geteuid())

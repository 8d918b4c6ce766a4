"""Reads an account once, for commands that print and end."""

import asyncio
import logging
import random
from dataclasses import dataclass
from urllib.parse import urlsplit

from dydx_console.domain.events import (
    AccountRead,
    BookRead,
    Event,
    Fact,
    HeightRead,
    MarketsRead,
    MessageRejected,
    ReadFailed,
)
from dydx_console.engine.live import user_agent
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.terms import TermsKeeper
from dydx_console.ports.clock import Clock, SystemClock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.tap import NoTap
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.snapshot import Snapshot, snapshot_of
from dydx_console.venue.indexer.account_reader import WORKING, AccountReader
from dydx_console.venue.indexer.rest import IndexerRest, RestLimits

__all__ = ["ONCE_S", "TERMS_S", "Once", "account_once"]

log = logging.getLogger(__name__)

ONCE_S = 20.0
"""How long a read takes at most."""
TERMS_S = 3.0
"""How long nodes are waited for, who tell chosen leverages and the fee tier; without them the rest is told."""
MOST_ORDERS = 1000
NO_CONNECTION = 0


@dataclass(frozen=True, slots=True)
class Once:
    """An account read once: its picture, and the book of a market where one was asked for."""

    snapshot: Snapshot
    book: BookRead | None


class _Reading:
    """Collects what the Indexer says into a state, and remembers what it did not say."""

    def __init__(self, plan: LivePlan, clock: Clock) -> None:
        watched = None if plan.address is None else Watched(plan.address, plan.parent)
        self.state = ConsoleState(watched)
        self.state.risk_limits, self.state.leverages.configured = plan.risk, plan.leverage
        self.heard: list[Fact] = []
        self.host = urlsplit(plan.network.indexer_rest).netloc
        self._clock = clock

    def take(self, fact: Fact) -> None:
        self.state.apply(fact)
        self.heard.append(fact)

    def check(self, *kinds: type[Fact]) -> None:
        """Raise VenueError where an answer failed or could not be read, or one of these kinds did not come."""
        for fact in self.heard:
            if isinstance(fact, ReadFailed):
                raise VenueError(fact.kind or FaultKind.UNREACHABLE, self.host, fact.text, fact.retry_after_s)
            if isinstance(fact, MessageRejected):
                raise VenueError(FaultKind.BAD_ANSWER, self.host, fact.reason)
        for kind in kinds:
            if not any(isinstance(fact, kind) for fact in self.heard):
                raise VenueError(FaultKind.BAD_ANSWER, self.host, "an answer without what was asked for")

    def picture(self) -> Snapshot:
        return snapshot_of(self.state, self._clock.monotonic(), 1, fills=len(self.state.fills))


async def account_once(
    plan: LivePlan, *, book_of: str | None = None, history: bool = False, clock: Clock | None = None
) -> Once:
    """Return the account of a plan as the Indexer's REST side tells it now.

    Markets, subaccounts and working orders are read, and the book of `book_of` (in any case) where there is that
    market; with `history` all orders, fills, funding payments and transfers besides. Raises VenueError where any of it
    does not come: half an account would be another one. Chosen leverages and the fee tier are added where a node tells
    them in time.
    """
    clock = SystemClock() if clock is None else clock
    reading = _Reading(plan, clock)
    rest = IndexerRest(
        plan.network.indexer_rest,
        clock,
        NoTap(),
        random.Random(),  # noqa: S311 - it spreads retries
        user_agent(),
        allow_proxy=plan.allow_proxy,
        limits=RestLimits(whole_s=ONCE_S),
    )
    try:
        async with asyncio.timeout(ONCE_S):
            await _read(plan, rest, reading, book_of)
            if history and plan.address is not None:
                await AccountReader(rest, plan.address, plan.parent, reading.take).resync(NO_CONNECTION, clock)
            await _read_terms(plan, reading.state, clock)
    except TimeoutError:
        raise VenueError(FaultKind.TIMEOUT, reading.host, f"not everything came within {ONCE_S:g} s") from None
    finally:
        await rest.close()
    reading.check(*(HeightRead, MarketsRead) if plan.address is None else (HeightRead, MarketsRead, AccountRead))
    return Once(reading.picture(), next((fact for fact in reading.heard if isinstance(fact, BookRead)), None))


async def _read(plan: LivePlan, rest: IndexerRest, reading: _Reading, book_of: str | None) -> None:
    """Read side by side; the height first, so that nothing is older than it."""

    async def passed_on(path: str, **query: str | int) -> None:
        for fact in await rest.read(path, NO_CONNECTION, **query):
            reading.take(fact)

    await passed_on("/height")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(passed_on("/perpetualMarkets"))
        if plan.address is not None:
            tasks.create_task(passed_on(f"/addresses/{plan.address}/parentSubaccountNumber/{plan.parent}"))
            orders: dict[str, str | int] = {"address": plan.address, "parentSubaccountNumber": plan.parent}
            orders.update(status=WORKING, limit=MOST_ORDERS)
            tasks.create_task(passed_on("/orders/parentSubaccountNumber", **orders))
    if book_of is not None:
        for ticker in [name for name in reading.state.markets.all if name.upper() == book_of.upper()]:
            await passed_on(f"/orderbooks/perpetualMarket/{ticker}")


async def _read_terms(plan: LivePlan, state: ConsoleState, clock: Clock) -> None:
    """Have nodes tell what the chain has for the owner, for as long as that is worth waiting for."""
    from dydx_console.venue.node.client import NodeClient, NodeOptions

    def sink(event: Event) -> None:
        state.apply(event)

    watched, nodes = state.watched, plan.network.nodes
    if watched is None or not nodes:
        return
    options = NodeOptions(call_timeout_s=TERMS_S / 2, total_timeout_s=TERMS_S, allow_proxy=plan.allow_proxy)
    node = NodeClient(nodes, clock, user_agent(), options)
    try:
        async with asyncio.timeout(TERMS_S):
            await TermsKeeper(watched, node, state, sink, chain_id=plan.network.chain_id, clock=clock).read()
    except TimeoutError:
        log.info("no node told chosen leverages and fees within %g s", TERMS_S)
    finally:
        await node.close()

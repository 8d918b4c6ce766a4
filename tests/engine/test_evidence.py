"""Evidence from real sockets: the chain that a node reports, and the block time that it shares with the Indexer."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Self

import pytest
from venues import decision_for, exchange, network_of

from dydx_console.domain.events import Event, NodeBlockRead, NodeChecked, NodeFailed, NodeHead
from dydx_console.engine.child import SimUrls
from dydx_console.engine.evidence import EvidenceKeeper, EvidencePace
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.notices import Notice
from dydx_console.ports.tap import NoTap
from dydx_console.safety.grants import (
    BindingState,
    CancelGrant,
    CurrentFacts,
    NodeEvidence,
    TradingGrant,
    cancel_grant,
    fingerprint,
    trading_grant,
)
from dydx_console.safety.networks import Network
from dydx_console.safety.policy import Decision, Environment, Purpose
from dydx_console.state.console import ConsoleState
from dydx_console.state.epoch import Head
from dydx_console.state.node import NodeView
from dydx_console.venue.indexer.feed import FeedPlan, IndexerFeed
from dydx_console.venue.indexer.rest import IndexerRest
from dydx_console.venue.node.client import NodeClient

CHAINS = {"mainnet-like": "dydx-mainnet-1", "testnet-like": "dydx-testnet-4"}
QUICK = EvidencePace(head_s=0.1, head_slow_s=0.2, check_s=0.5, retry_s=0.1)
QUICK_BLOCKS = ("--block-ms", "100", "--history-hours", "0")
DEADLINE_S = 15.0


@pytest.fixture(scope="module")
def venues() -> Iterator[dict[str, SimUrls]]:
    with (
        exchange(*QUICK_BLOCKS, "--chain-id", CHAINS["mainnet-like"]) as mainnet,
        exchange(*QUICK_BLOCKS, "--chain-id", CHAINS["testnet-like"]) as testnet,
    ):
        yield {"mainnet-like": mainnet, "testnet-like": testnet}


def network(venues: dict[str, SimUrls], config: str, node: str, indexer: str) -> Network:
    return replace(network_of(venues[indexer]), chain_id=CHAINS[config], nodes=(venues[node].grpc,))


def sending(network: Network) -> Decision:
    environment = Environment.PRODUCTION if network.policy_kind == "mainnet" else Environment.DEVELOPMENT
    decision = decision_for(network, environment, purpose=Purpose.SEND)
    assert decision.may_send
    return decision


class Keeping:
    """A keeper of evidence over a followed Indexer, and everything that it told."""

    def __init__(self, network: Network, node: NodeClient) -> None:
        self.state = ConsoleState(None)
        self.told: list[Event] = []
        self.notices: list[Notice] = []
        self.keeper = EvidenceKeeper(
            network,
            node,
            self.state.freshness,
            self.take,
            self.notices.append,
            clock=SystemClock(),
            pace=QUICK,
            remembered=lambda: self.state.epoch.remembered,
        )
        self._news = asyncio.Event()

    def take(self, event: Event) -> None:
        """Apply an event, and wake whoever waits for one."""
        self.told.append(event)
        self.state.apply(event)
        self._news.set()

    @property
    def view(self) -> NodeView:
        """What is known of the node."""
        return self.state.node.view(SystemClock().monotonic(), self.state.height)

    async def evidence(self) -> NodeEvidence:
        """Ask until blocks can be compared."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = await self.keeper.fresh()
                if found is not None and found.binding.state is not BindingState.UNKNOWN:
                    return found
                await asyncio.sleep(0.05)

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds after an event."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def count(self, kind: type[Event]) -> int:
        """Return how many events of a kind were told."""
        return sum(isinstance(event, kind) for event in self.told)


@asynccontextmanager
async def keeping(network: Network) -> AsyncIterator[Keeping]:
    clock, rng = SystemClock(), random.Random(1)
    node = NodeClient(network.nodes, clock, "test/1")
    keeping_ = Keeping(network, node)
    rest = IndexerRest(network.indexer_rest, clock, NoTap(), rng, "test/1")
    plan = FeedPlan(network.indexer_websocket, None, 0)
    feed = IndexerFeed(plan, rest, keeping_.take, clock=clock, tap=NoTap(), rng=rng, log=lambda _: None)
    following = asyncio.create_task(feed.run())
    try:
        yield keeping_
    finally:
        following.cancel()
        await asyncio.wait({following})
        await node.close()
        await rest.close()


@asynccontextmanager
async def kept_running(keeping_: Keeping) -> AsyncIterator[None]:
    running = asyncio.create_task(keeping_.keeper.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.parametrize(("config", "node", "indexer"), list(product(CHAINS, repeat=3)))
async def test_only_where_configuration_node_and_indexer_agree_is_there_a_grant(
    venues: dict[str, SimUrls], config: str, node: str, indexer: str
) -> None:
    configured = network(venues, config, node, indexer)
    decision = sending(configured)
    async with keeping(configured) as keeping_:
        evidence = await keeping_.evidence()
        now = SystemClock().monotonic()
        trading = trading_grant(decision, evidence, now=now)
        cancelling = cancel_grant(configured, decision.environment, evidence.info, asked_at=evidence.asked_at, now=now)
        contradiction = keeping_.keeper.contradiction(evidence)
        view = keeping_.view
    assert isinstance(trading, TradingGrant) == (config == node == indexer)
    assert isinstance(cancelling, CancelGrant) == (config == node)
    assert (contradiction is None) == (config == node == indexer)
    assert view.contradiction == contradiction
    assert view.chain_id == CHAINS[node]


class Switchboard:
    """A port that leads to a host which can be changed; a change drops what is connected."""

    def __init__(self, to: str) -> None:
        self._to = to
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.lead("http://127.0.0.1:9")
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def lead(self, to: str) -> None:
        """Lead to another host from now on."""
        self._to = to
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        host, _, port = self._to.removeprefix("http://").rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        self._writers.append(far_writer)
        self._pumps |= {
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        }

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


async def test_another_node_behind_the_same_address_is_noticed_before_the_next_grant(
    venues: dict[str, SimUrls],
) -> None:
    ours, other = venues["testnet-like"], venues["mainnet-like"]
    async with Switchboard(ours.grpc) as board, keeping(replace(network_of(ours), nodes=(board.url,))) as keeping_:
        configured = replace(network_of(ours), nodes=(board.url,))
        decision = sending(configured)
        evidence = await keeping_.evidence()
        grant = trading_grant(decision, evidence, now=SystemClock().monotonic())
        assert isinstance(grant, TradingGrant)
        board.lead(other.grpc)
        swapped = await keeping_.evidence()
        assert swapped.info.chain_id == CHAINS["mainnet-like"]
        assert "dydx-mainnet-1" in (keeping_.keeper.contradiction(swapped) or "")
        refused = trading_grant(decision, swapped, now=SystemClock().monotonic())
        assert not isinstance(refused, TradingGrant)
        assert refused.exit_code == 78
        held = CurrentFacts(
            fingerprint(configured, decision.environment),
            swapped.info.endpoint,
            swapped.connection,
            swapped.info.chain_id,
        )
        assert not grant.holds(held)


async def test_heads_and_checks_are_kept_while_it_runs_and_a_lost_node_is_told(venues: dict[str, SimUrls]) -> None:
    ours, other = venues["testnet-like"], venues["mainnet-like"]
    async with Switchboard(ours.grpc) as board, keeping(replace(network_of(ours), nodes=(board.url,))) as keeping_:
        async with kept_running(keeping_):
            await keeping_.until(lambda: keeping_.count(NodeHead) >= 3 and keeping_.view.binding == "BOUND")
            assert (keeping_.view.syncing, keeping_.view.contradiction) == (False, None)
            board.lead("http://127.0.0.1:9")
            await keeping_.until(lambda: keeping_.view.failure is not None)
            board.lead(other.grpc)
            await keeping_.until(lambda: keeping_.view.contradiction is not None)
        assert "dydx-mainnet-1" in (keeping_.view.contradiction or "")
        assert [(notice.stays, notice.text) for notice in keeping_.notices] == [(True, keeping_.view.contradiction)]


async def test_without_any_node_that_answers_nothing_is_known(venues: dict[str, SimUrls]) -> None:
    nowhere = replace(network_of(venues["testnet-like"]), nodes=("http://127.0.0.1:9",))
    async with keeping(nowhere) as keeping_:
        async with kept_running(keeping_):
            await keeping_.until(lambda: keeping_.count(NodeFailed) and keeping_.count(NodeChecked))
        assert "127.0.0.1:9" in (keeping_.view.failure or "")
        assert (keeping_.view.chain_id, keeping_.view.binding) == (None, "UNKNOWN")
        assert await keeping_.keeper.fresh() is None


async def test_a_node_that_does_not_answer_is_passed_over_for_the_next(venues: dict[str, SimUrls]) -> None:
    ours = network_of(venues["testnet-like"])
    async with keeping(replace(ours, nodes=("http://127.0.0.1:9", *ours.nodes))) as keeping_:
        evidence = await keeping_.evidence()
    assert evidence.info.endpoint in ours.nodes[0]
    assert evidence.binding.state is BindingState.BOUND


@pytest.mark.parametrize("apart_ms", [0, 400])
async def test_the_block_that_an_earlier_run_knew_is_held_against_a_nodes_and_another_one_is_a_new_chain(
    venues: dict[str, SimUrls], apart_ms: int
) -> None:
    configured = network(venues, "testnet-like", "testnet-like", "testnet-like")
    async with keeping(configured) as kept:
        await kept.evidence()
        known = min(kept.state.freshness.told().items())
        await kept.until(lambda: (kept.state.height or 0) > known[0] + 20)
        # older than all that comes now, so that only a node can tell
        kept.state.epoch.resume(Head(known[0], known[1] + timedelta(milliseconds=apart_ms)))
        assert kept.state.epoch.is_sure
        async with kept_running(kept):
            await kept.until(lambda: kept.state.epoch.remembered is None or kept.state.epoch.has_begun)
        assert kept.state.epoch.has_begun is bool(apart_ms)
        assert kept.count(NodeBlockRead) == (2 if apart_ms else 1)


async def test_a_node_of_another_chain_has_no_say_in_what_an_earlier_run_knew(venues: dict[str, SimUrls]) -> None:
    configured = network(venues, "testnet-like", "mainnet-like", "testnet-like")
    async with keeping(configured) as kept, kept_running(kept):
        kept.state.epoch.resume(Head(1, datetime(2020, 1, 1, tzinfo=UTC)))
        await kept.until(lambda: kept.count(NodeChecked) >= 3)
        assert kept.count(NodeBlockRead) == 0
        assert not kept.state.epoch.has_begun

"""While the node answers and the Indexer does not, positions and balances come from the node, and only then."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from builders import ADDRESS, balance, child, position
from faults.proxy import TcpProxy, tcp_proxy
from venues import decision_for
from virtual_time import BEGAN, LoopClock, run_virtually

from dydx_console.domain import events as ev
from dydx_console.domain.chain import (
    BlockHead,
    NodeAsset,
    NodeInfo,
    NodePosition,
    NodeSubaccount,
    OraclePrice,
)
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.nodeaccount import Perpetual
from dydx_console.engine.gate import Gate
from dydx_console.engine.live import LiveSource
from dydx_console.engine.nodeaccount import NodeAccountKeeper, NodeAccountPace
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.publish import Publisher
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.notices import Notice
from dydx_console.safety.networks import Network
from dydx_console.sim.core.markets import MARKETS
from dydx_console.sim.shell.server import Served, running
from dydx_console.sim.venue import VenueOptions
from dydx_console.state.ages import DELAYED_S, PictureState
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.snapshot import PositionView, Snapshot, snapshot_of
from dydx_console.venue.node.client import NodeClient

CHAIN = "dydx-testnet-4"
NODE = "node.example:443"
SIM_UNITS = {market.perpetual_id: (market.ticker, market.atomic_resolution) for market in MARKETS}
Sizes = dict[tuple[int, str], Decimal]


# Against an exchange, over loopback.


def sizes_of_chain(served: Served) -> Sizes:
    """Return the positions of parent 0 as the exchange committed them."""
    found: Sizes = {}
    for which, held in served.venue.exchange.committed.subaccounts.items():
        if which.owner == served.venue.options.account and which.number % 128 == 0:
            for perpetual_id, own in held.positions.items():
                ticker, exponent = SIM_UNITS[perpetual_id]
                found[which.number, ticker] = Decimal(f"{own.quantums}e{exponent}")
    return found


def sizes_shown(snapshot: Snapshot) -> Sizes:
    """Return the positions that a snapshot shows."""
    rows = (view.position for view in snapshot.positions)
    return {(row.subaccount, row.market): row.net_size for row in rows}


def place_of(view: PositionView) -> tuple[int, str]:
    return view.position.subaccount, view.position.market


@dataclass
class Followed:
    """A console on an exchange whose Indexer can be cut off, and what the chain committed block by block."""

    served: Served
    cables: tuple[TcpProxy, ...]
    source: LiveSource
    mailbox: Mailbox
    publisher: Publisher
    truths: dict[int, Sizes] = field(default_factory=dict)

    @property
    def snapshot(self) -> Snapshot:
        """The newest picture."""
        found = self.mailbox.latest()
        assert found is not None
        return found

    async def note_blocks(self) -> None:
        """Note what every block committed."""
        while True:
            self.truths[self.served.venue.exchange.height] = sizes_of_chain(self.served)
            await asyncio.sleep(0.01)

    def cut(self, *, is_cut: bool) -> None:
        """Refuse every connection to the Indexer, or let them through again."""
        for cable in self.cables:
            cable.faults = replace(cable.faults, refuse=is_cut)
            if is_cut:
                cable.reset_all()

    async def until(self, holds: Callable[[Snapshot], object], within_s: float) -> float:
        """Wait until something holds of the picture; returns how long that took."""
        began = asyncio.get_running_loop().time()
        while self.mailbox.latest() is None or not holds(self.snapshot):
            waited_s = asyncio.get_running_loop().time() - began
            assert waited_s < within_s, (self.snapshot.stream, self.snapshot.node_account, self.snapshot.node)
            self._check_truth()
            await asyncio.sleep(0.02)
        return asyncio.get_running_loop().time() - began

    def _check_truth(self) -> None:
        """Compare what is shown as a node's with what the chain committed from the block named on."""
        shown = self.mailbox.latest()
        if shown is None or shown.node_account is None:
            return
        height = shown.node_account.height
        possible = [sizes for known, sizes in self.truths.items() if height <= known]
        assert sizes_shown(shown) in possible, (height, sizes_shown(shown))


@asynccontextmanager
async def followed() -> AsyncIterator[Followed]:
    options = VenueOptions(block_ms=300, history_hours=0)
    async with running(options) as served:
        rest, stream = urlsplit(served.rest_url), urlsplit(served.websocket_url)
        host = "127.0.0.1"
        async with tcp_proxy(host, rest.port or 0) as rest_cable, tcp_proxy(host, stream.port or 0) as stream_cable:
            network = Network(
                "test",
                "sim",
                options.chain_id,
                f"http://{host}:{rest_cable.own_port}",
                f"ws://{host}:{stream_cable.own_port}/v4/ws",
                (served.grpc_url or "",),
            )
            clock, mailbox = SystemClock(), Mailbox()
            publisher = Publisher(ConsoleState(Watched(options.account, 0)), mailbox, clock)
            node = NodeClient(network.nodes, clock, "test/1")
            plan = LivePlan(network, options.account, 0)
            gate = Gate(decision_for(network))
            source = LiveSource(plan, gate, node, publisher, clock=clock, rng=random.Random(1))
            made = Followed(served, (rest_cable, stream_cable), source, mailbox, publisher)
            tasks = [asyncio.create_task(run()) for run in (publisher.run, source.run, made.note_blocks)]
            try:
                yield made
            finally:
                for task in tasks:
                    task.cancel()
                done = await asyncio.gather(*tasks, return_exceptions=True)
                await source.close()
                assert [error for error in done if not isinstance(error, asyncio.CancelledError)] == []


def is_live(snapshot: Snapshot) -> bool:
    return snapshot.stream.state is PictureState.LIVE and snapshot.node_account is None


async def test_the_chains_truth_is_shown_while_the_indexer_is_away_and_the_indexers_again_afterwards() -> None:
    async with followed() as console:
        await console.until(lambda s: is_live(s) and s.positions, 20.0)
        before = console.snapshot
        console.cut(is_cut=True)
        # the Indexer's figures may be ten seconds old, and are the node's at most five seconds later
        await console.until(lambda s: s.node_account is not None, DELAYED_S + 5.0 + 3.0)
        indexers = console.publisher.state.holdings.positions
        await console.until(lambda s: sizes_shown(s) != sizes_shown(before), 20.0)
        await console.until(lambda s: sizes_shown(s) == sizes_of_chain(console.served), 5.0)
        first = console.snapshot
        await console.until(lambda s: sizes_shown(s) != sizes_shown(first), 20.0)
        shown = console.snapshot
        assert shown.node_account is not None
        assert shown.node_account.height > (before.height or 0)
        assert shown.margin is not None
        assert shown.margin.equity is not None
        assert all(view.oracle_price is not None for view in shown.positions)
        known = {(row.subaccount, row.market): row.net_size for row in indexers}
        moved = [view for view in shown.positions if known.get(place_of(view)) != view.position.net_size]
        assert {(view.average_cost, view.unrealized_pnl, view.funding) for view in moved} <= {(None, None, None)}
        assert console.publisher.state.holdings.positions == indexers
        console.cut(is_cut=False)
        console.source.reconnect()
        await console.until(is_live, 30.0)
        height = console.snapshot.height or 0
        await console.until(lambda s: (s.height or 0) > height + 1, 10.0)
        await console.until(lambda s: sizes_shown(s) == sizes_of_chain(console.served), 5.0)
        assert all(view.cost_basis == "FILLS" for view in console.snapshot.positions)
    texts = [notice.text for notice in console.mailbox.kept()]
    assert len([text for text in texts if "come from node" in text]) == 1
    assert len([text for text in texts if "come from the Indexer again" in text]) == 1


# The keeper alone, over a node as the test wants it, in virtual time.

PERPETUALS = (Perpetual(0, "BTC-USD", 0, -10, 0), Perpetual(1, "ETH-USD", 1, -9, 0))
PRICES = (OraclePrice(0, 60_000_00000, -5), OraclePrice(1, 3_000_00000, -5))
KEY = ev.ChannelKey("v4_parent_subaccounts", f"{ADDRESS}/0")
PACE = NodeAccountPace()


@dataclass
class FakeNode:
    """A node with one position in every subaccount of `holds`, a block a second; `fault` is what it answers instead."""

    loop: asyncio.AbstractEventLoop
    holds: set[int] = field(default_factory=lambda: {0})
    chain_id: str = CHAIN
    behind_s: float = 0.0
    fault: VenueError | None = None
    size: int = 25
    asked: list[tuple[float, str, int]] = field(default_factory=list)
    perpetual_id: int = 0
    sources: tuple[str, ...] = (NODE,)
    """Who answers for the newest block, by turns."""

    async def latest_block(self) -> BlockHead:
        """Return the newest block."""
        await self._ask("block")
        at = int(self.loop.time() - self.behind_s)
        self.sources = (*self.sources[1:], self.sources[0])
        return BlockHead(1000 + at, BEGAN + timedelta(seconds=at), self.sources[-1], self.chain_id)

    async def subaccount(self, address: str, number: int) -> NodeSubaccount:
        """Return a subaccount."""
        assert address == ADDRESS
        await self._ask("subaccount", number)
        if number not in self.holds:
            return NodeSubaccount(address, number, (), ())
        held = NodePosition(self.perpetual_id, self.size, 0, 0)
        return NodeSubaccount(address, number, (NodeAsset(0, 7_000_000),), (held,))

    async def perpetuals(self) -> tuple[Perpetual, ...]:
        """Return every perpetual."""
        await self._ask("perpetuals")
        return PERPETUALS

    async def oracle_prices(self) -> tuple[OraclePrice, ...]:
        """Return every price."""
        await self._ask("prices")
        return PRICES

    async def _ask(self, what: str, number: int = -1) -> None:
        await asyncio.sleep(0.05)
        self.asked.append((self.loop.time(), what, number))
        if self.fault is not None:
            raise self.fault


class Bench:
    """A keeper over a fake node, and an Indexer that tells a block a second while it is `up`."""

    def __init__(self, *, children: Iterable[int] = ()) -> None:
        loop = asyncio.get_running_loop()
        self.clock = LoopClock(loop)
        self.node = FakeNode(loop)
        self.state = ConsoleState(Watched(ADDRESS, 0))
        self.told: list[ev.Event] = []
        self.notices: list[Notice] = []
        self.is_up = False
        self.lag_s = 0.0
        self._number = 0
        self._children = tuple(children)
        self.keeper = NodeAccountKeeper(
            self.state.watched or Watched(ADDRESS), self.node, self.state, self.take, self.notices.append,
            chain_id=CHAIN, clock=self.clock, pace=PACE,
        )  # type: ignore[arg-type]  # fmt: skip

    def take(self, event: ev.Event) -> None:
        """Apply an event."""
        self.told.append(event)
        self.state.apply(event)

    def connect(self) -> None:
        """Let the Indexer tell the account anew: 2 BTC, and every child with 10 USDC."""
        self._number += 1
        at, version = self.clock.monotonic(), StreamVersion(self._number, 1)
        children = (
            child(position("2", entry_price=Decimal(50_000)), balance("100")),
            *(child(balance("10", subaccount=number), number=number) for number in self._children),
        )
        for event in (
            ev.ConnectionOpened(self._number, at),
            ev.ConnectionReady(self._number, "c", at),
            ev.SubscribeSent(self._number, KEY, False, at),
            ev.Subscribed(version, KEY, at),
            ev.AccountSnapshot(version, ADDRESS, 0, None, True, children, (), 1),
            ev.Resynced(self._number, at),
        ):
            self.state.apply(event)
        self.is_up = True
        self.tick()

    def tick(self) -> None:
        """Tell the Indexer's block of now."""
        at = int(self.clock.monotonic() - self.lag_s)
        time = BEGAN + timedelta(seconds=at)
        self.state.apply(ev.BlockHeight(StreamVersion(self._number, 2), 1000 + at, time, self.clock.monotonic()))

    def cut(self) -> None:
        """Cut the Indexer off."""
        self.is_up = False
        self.state.apply(ev.ConnectionClosed(self._number, 1006, "", self.clock.monotonic()))

    async def pass_s(self, seconds: float) -> None:
        """Let time pass, with the Indexer's blocks while it is up."""
        for _ in range(int(seconds * 10)):
            await asyncio.sleep(0.1)
            if self.is_up and self.clock.monotonic() % 1 < 0.1:
                self.tick()

    @property
    def is_standing_in(self) -> bool:
        """Whether a node's figures are shown."""
        return self.state.node_account.stands_in

    def count(self, kind: type[ev.Fact]) -> int:
        """Return how many events of a kind the keeper told."""
        return sum(isinstance(event, kind) for event in self.told)


@asynccontextmanager
async def bench(*, children: Iterable[int] = (), connected: bool = True) -> AsyncIterator[Bench]:
    made = Bench(children=children)
    if connected:
        made.connect()
    task = asyncio.create_task(made.keeper.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_a_node_is_asked_nothing_while_the_indexer_tells_the_account() -> None:
    async def main() -> None:
        async with bench() as made:
            await made.pass_s(60)
            made.cut()
            await made.pass_s(DELAYED_S - 2)
            assert (made.node.asked, made.notices, made.is_standing_in) == ([], [], False)

    run_virtually(main())


def test_it_stands_in_from_ten_seconds_of_age_on_and_gives_way_at_once() -> None:
    async def main() -> None:
        async with bench() as made:
            made.cut()
            await made.pass_s(DELAYED_S + 2)
            assert made.is_standing_in
            await made.pass_s(120)
            asked = len(made.node.asked)
            made.connect()
            await made.pass_s(PACE.look_s + 0.2)
            assert not made.is_standing_in
            await made.pass_s(60)
            # a reading under way when the Indexer came back may have asked once more
            assert len(made.node.asked) <= asked + 1
            assert [notice.text[:40] for notice in made.notices] == [
                "Positions and balances come from node no",
                "Positions and balances come from the Ind",
            ]

    run_virtually(main())


def test_it_stands_in_for_an_indexer_that_never_told_anything() -> None:
    async def main() -> None:
        async with bench(connected=False) as made:
            await made.pass_s(DELAYED_S + 2)
            snapshot = snapshot_of(made.state, made.clock.monotonic(), 1)
            assert snapshot.node_account is not None
            assert snapshot.node_account.state is PictureState.POLLING
            assert [view.position.net_size for view in snapshot.positions] == [Decimal("0.0000000025")]
            assert snapshot.margin is not None
            # without the Indexer nobody knows which other subaccounts there are
            assert snapshot.margin.equity is None
            made.connect()
            await made.pass_s(1)
            assert not made.is_standing_in

    run_virtually(main())


def test_questions_stay_within_what_a_public_node_takes() -> None:
    async def main(children: int) -> tuple[float, int]:
        async with bench(children=[128 * number for number in range(1, children + 1)]) as made:
            made.cut()
            await made.pass_s(DELAYED_S + 120)
            return len(made.node.asked) / 2, children

    for per_minute, children in (run_virtually(main(1)), run_virtually(main(40))):
        assert 40 < per_minute <= 140, children


def test_every_child_that_holds_something_is_read_each_time_and_the_others_in_turn() -> None:
    async def main() -> None:
        async with bench(children=(128, 256)) as made:
            for number in (384, 512, 640):
                empty = child(number=number)
                made.state.apply(ev.AccountRead(ADDRESS, None, number, True, (empty,), 1, 0.0, 0.0))
            made.node.holds = {0, 128, 512}
            made.cut()
            await made.pass_s(DELAYED_S + 15)
            read = [number for _, what, number in made.node.asked if what == "subaccount"]
            rounds = read.count(0)
            assert rounds > 2
            assert read.count(128) == rounds
            assert {256, 384, 512, 640} <= set(read)
            assert 0 < read.count(640) < rounds
            held = {row.subaccount for row in made.state.figures().positions}
            assert held == {0, 128, 512}

    run_virtually(main())


def test_a_lost_node_is_told_once_and_asked_ever_more_rarely() -> None:
    async def main() -> None:
        async with bench() as made:
            made.node.fault = VenueError(FaultKind.UNREACHABLE, NODE, "no route")
            made.cut()
            await made.pass_s(DELAYED_S + 60)
            assert not made.is_standing_in
            assert [notice.text for notice in made.notices] == [
                f"No node tells positions and balances in place of the Indexer ({NODE}: no route): those shown keep "
                "their age."
            ]
            failed = made.count(ev.NodeAccountFailed)
            assert 5 <= failed <= 10
            assert made.state.node_account.failures == failed
            assert sum(event.is_first for event in made.told if isinstance(event, ev.NodeAccountFailed)) == 1
            made.node.fault = None
            await made.pass_s(PACE.slow_s + 1)
            assert made.is_standing_in

    run_virtually(main())


def test_what_a_node_told_stays_and_grows_old_when_the_node_is_lost_too() -> None:
    async def main() -> None:
        async with bench() as made:
            made.cut()
            await made.pass_s(DELAYED_S + 5)
            made.node.fault = VenueError(FaultKind.TIMEOUT, NODE, "no answer in time")
            await made.pass_s(45)
            view = made.state.node_account.view(made.state.freshness, made.clock.monotonic())
            assert view is not None
            assert view.state is PictureState.OFFLINE
            assert 45 <= view.age_s < 50

    run_virtually(main())


def refuse_other_chain(made: Bench) -> None:
    made.node.chain_id = "dydx-mainnet-1"


def refuse_old_node(made: Bench) -> None:
    made.node.behind_s = 300.0


def refuse_contradiction(made: Bench) -> None:
    told = ev.NodeChecked(NodeInfo(NODE, CHAIN, ""), False, ("MISMATCH", "no"), "not on one chain", 1.0)
    made.state.apply(told)


def refuse_unknown_perpetual(made: Bench) -> None:
    made.node.perpetual_id = 99


def refuse_change_of_node(made: Bench) -> None:
    made.node.sources = ("one.example:443", "two.example:443")


@pytest.mark.parametrize(
    "refused",
    [refuse_other_chain, refuse_old_node, refuse_contradiction, refuse_unknown_perpetual, refuse_change_of_node],
)
def test_figures_of_which_something_is_wrong_are_never_shown(refused: Callable[[Bench], None]) -> None:
    async def main() -> None:
        async with bench() as made:
            refused(made)
            made.cut()
            await made.pass_s(DELAYED_S + 30)
            assert not made.is_standing_in
            assert made.count(ev.NodeAccountFailed) > 1
            assert len(made.notices) == 1

    run_virtually(main())


def test_an_account_that_the_indexer_refuses_is_told_by_a_node_even_if_that_trails_a_little() -> None:
    async def main() -> None:
        async with bench() as made:
            made.state.apply(ev.SubscriptionDenied(1, KEY, "not from here", made.clock.monotonic()))
            made.node.behind_s = 3.0
            await made.pass_s(30)
            assert made.is_standing_in
            assert len(made.notices) == 1

    run_virtually(main())


def test_figures_are_left_when_the_node_turns_out_to_contradict_the_configuration() -> None:
    async def main() -> None:
        async with bench() as made:
            made.cut()
            await made.pass_s(DELAYED_S + 5)
            assert made.is_standing_in
            refuse_contradiction(made)
            await made.pass_s(1)
            assert not made.is_standing_in
            assert "not on one chain" in made.notices[-1].text

    run_virtually(main())


def test_an_indexer_that_trails_is_left_for_the_node_and_taken_back_without_wavering() -> None:
    async def main() -> None:
        async with bench() as made:
            made.lag_s = DELAYED_S + 5
            await made.pass_s(40)
            assert made.is_standing_in
            made.lag_s = DELAYED_S - 2
            await made.pass_s(40)
            assert made.is_standing_in
            made.lag_s = 1.0
            await made.pass_s(3)
            assert not made.is_standing_in
            assert len(made.notices) == 2

    run_virtually(main())


def test_an_indexer_that_is_newer_than_a_lost_node_is_shown_again() -> None:
    async def main() -> None:
        async with bench() as made:
            made.lag_s = DELAYED_S + 5
            await made.pass_s(40)
            assert made.is_standing_in
            made.node.fault = VenueError(FaultKind.UNREACHABLE, NODE, "gone")
            await made.pass_s(30)
            assert not made.is_standing_in
            assert "newer than the node's" in made.notices[-1].text

    run_virtually(main())

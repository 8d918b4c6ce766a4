"""A feed and a state behind proxies that misbehave, on an exchange of its own; and what the exchange knows itself."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from faults.proxy import FrameProxy, TcpProxy, frame_proxy, tcp_proxy

from dydx_console.domain import events as ev
from dydx_console.domain.order import Order, display_status, is_working
from dydx_console.domain.stream import StreamCondition
from dydx_console.engine.watching import ChainWatch, KnownLosses
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.tap import NoTap
from dydx_console.sim.shell.server import Served, running
from dydx_console.sim.venue import VenueOptions
from dydx_console.state.ages import PictureState
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.freshness import Freshness, StreamView
from dydx_console.venue.indexer.channels import MOST_ON_CONNECTION
from dydx_console.venue.indexer.feed import FeedLimits, FeedPlan, IndexerFeed
from dydx_console.venue.indexer.rest import IndexerRest

DEADLINE_S = 15.0
QUICK = FeedLimits(
    open_s=1.0,
    greeting_s=0.8,
    ping_s=0.2,
    pong_s=0.8,
    silence_s=0.8,
    late_s=0.8,
    recheck_s=0.3,
    lived_s=1.0,
    first_delay_s=0.05,
    longest_delay_s=0.3,
    answer_s=0.8,
    spacing_s=1.1,
    retry_s=0.1,
    longest_retry_s=0.5,
    heal_s=3.0,
    second_reread_s=0.5,
    reread_s=30.0,
    audit_s=30.0,
    quiet_s=30.0,
    tick_s=0.05,
    attempts_before_polling=3,
    poll_s=0.3,
)
"""The limits of the feed, at about a tenth."""


@dataclass
class Rig:
    """Everything between an exchange and a state, and what happened there."""

    served: Served
    tcp: TcpProxy
    frames: FrameProxy
    rest: TcpProxy
    feed: IndexerFeed
    state: ConsoleState
    clock: SystemClock
    events: list[ev.Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def take(self, event: ev.Event) -> None:
        """Apply an event."""
        if not isinstance(event, ev.Frame):
            self.events.append(event)
        self.state.apply(event)

    @property
    def view(self) -> StreamView:
        """The stream as it is now."""
        return self.state.freshness.view(self.clock.monotonic())

    @property
    def is_live(self) -> bool:
        """Whether all of the picture is live."""
        return self.view.state is PictureState.LIVE

    def told(self) -> list[StreamCondition]:
        """Return what was told, in order."""
        return [event.what for event in self.events if isinstance(event, ev.StreamChanged)]

    def count(self, kind: type[ev.Fact]) -> int:
        """Return how many events of a kind there were."""
        return sum(isinstance(event, kind) for event in self.events)

    async def until(self, holds: Callable[[], object], within_s: float = DEADLINE_S) -> float:
        """Wait until something holds; returns how long that took."""
        started = self.clock.monotonic()
        while not holds():
            in_time = self.clock.monotonic() < started + within_s
            assert in_time, self.words()
            await asyncio.sleep(0.01)
        return self.clock.monotonic() - started

    def _is_working(self, order: Order) -> bool:
        """Return whether an order works, as the console shows it: one whose good-til has passed does not."""
        return is_working(display_status(order, self.state.height, self.state.block_time))

    def words(self) -> str:
        """Return what is to be known where something did not come about."""
        differences = self.differences()
        orders = [order for order in self.state.orders if order.id in str(differences)]
        return "\n".join(["not in time:", *map(str, (self.view, differences, *orders)), *self.lines[-12:]])

    async def until_told(self, what: StreamCondition, within_s: float = DEADLINE_S) -> float:
        """Wait until something was told."""
        return await self.until(lambda: what in self.told(), within_s)

    async def until_true(self, within_s: float = DEADLINE_S) -> None:
        """Wait until the state is what the exchange knows; it trades on, so the two meet between blocks."""
        await self.until(lambda: self.is_live and self.differences() == {}, within_s)

    def differences(self) -> dict[str, object]:
        """Return in what the state differs from the exchange's own account."""
        served, account = self.served, self.served.venue.options.account
        now_ms = int(self.clock.utc().timestamp() * 1000)
        fetch = served.venue.comlink.fetch
        whose = {"address": account, "parentSubaccountNumber": "0"}
        parent = json.loads(fetch(f"/v4/addresses/{account}/parentSubaccountNumber/0", now_ms).body)["subaccount"]
        fills = json.loads(fetch("/v4/fills/parentSubaccountNumber", now_ms, {**whose, "limit": "1000"}).body)["fills"]
        working = {**whose, "status": "OPEN,UNTRIGGERED,BEST_EFFORT_OPENED", "limit": "1000"}
        orders = json.loads(fetch("/v4/orders/parentSubaccountNumber", now_ms, working).body)
        truth = {
            "positions": sorted(
                (child["subaccountNumber"], market, position["size"])
                for child in parent["childSubaccounts"]
                for market, position in child["openPerpetualPositions"].items()
            ),
            "missing fills": {row["id"] for row in fills} - {fill.id for fill in self.state.fills.newest(100_000)},
            "doubled fills": 0,
            "working": {row["id"] for row in orders},
        }
        ids = [fill.id for fill in self.state.fills.newest(100_000)]
        held = {
            "positions": sorted(
                (position.subaccount, position.market, format(position.net_size, "f"))
                for position in self.state.holdings.positions
            ),
            "missing fills": set(),
            "doubled fills": len(ids) - len(set(ids)),
            "working": {order.id for order in self.state.orders if self._is_working(order)},
        }
        return {name: (held[name], truth[name]) for name in truth if held[name] != truth[name]}


@asynccontextmanager
async def exchange(**options: object) -> AsyncIterator[Served]:
    """Run an exchange with quick blocks in this loop."""
    made = replace(VenueOptions(block_ms=100, history_hours=0), **options)  # type: ignore[arg-type]
    async with running(made, grpc_port=None) as served:
        yield served


@asynccontextmanager
async def followed(
    served: Served,
    limits: FeedLimits = QUICK,
    *,
    account: bool = True,
    most: Mapping[str, int] | None = None,
    hole_patience_s: float = 0.5,
) -> AsyncIterator[Rig]:
    """Follow the exchange's account through proxies until the block is left."""
    clock, rng = SystemClock(), random.Random(1)
    host, stream, rest = "127.0.0.1", urlsplit(served.websocket_url), urlsplit(served.rest_url)
    async with (
        frame_proxy(f"ws://{host}:{stream.port}/v4/ws") as frames,
        tcp_proxy(host, frames.own_port) as tcp,
        tcp_proxy(host, rest.port or 0) as rest_proxy,
    ):
        address = served.venue.options.account if account else None
        watched = None if address is None else Watched(address, 0)
        state = ConsoleState(watched, freshness=Freshness(hole_patience_s))
        client = IndexerRest(f"http://{host}:{rest_proxy.own_port}", clock, NoTap(), rng, "test/1")
        rig_ = Rig(served, tcp, frames, rest_proxy, None, state, clock)  # type: ignore[arg-type]
        rig_.feed = IndexerFeed(
            FeedPlan(
                f"ws://{host}:{tcp.own_port}/v4/ws",
                address,
                0,
                limits=limits,
                most_on_connection=MOST_ON_CONNECTION | (most or {}),
            ),
            client,
            rig_.take,
            clock=clock,
            tap=NoTap(),
            rng=rng,
            log=lambda line: rig_.lines.append(f"{clock.monotonic():.2f} {line}"),
            losses=KnownLosses(state.freshness, clock),
        )
        watch = ChainWatch(state.freshness, rig_.take, clock, 0.05)
        tasks = [asyncio.create_task(rig_.feed.run()), asyncio.create_task(watch.run())]
        try:
            yield rig_
        finally:
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            await client.close()
            assert [error for error in done if not isinstance(error, asyncio.CancelledError)] == []


@asynccontextmanager
async def rig(limits: FeedLimits = QUICK, **options: object) -> AsyncIterator[Rig]:
    """Follow an exchange of its own, and wait until the picture is live."""
    async with exchange(**options) as served, followed(served, limits) as made:
        await made.until(lambda: made.is_live)
        yield made

"""The live stream: what is wanted of it, the lanes that carry it, and the reading by HTTP in its place."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count

from dydx_console.domain.events import ChannelKey, Event, TimeRead
from dydx_console.ports.clock import Clock
from dydx_console.ports.tap import Tap
from dydx_console.venue.indexer import channels
from dydx_console.venue.indexer.allotment import Allotment
from dydx_console.venue.indexer.direct import directly
from dydx_console.venue.indexer.endings import Ending
from dydx_console.venue.indexer.lane import Lane
from dydx_console.venue.indexer.limits import FeedLimits
from dydx_console.venue.indexer.polling import Polling
from dydx_console.venue.indexer.rereading import AccountKeeper, BookKeeper
from dydx_console.venue.indexer.rest import IndexerRest
from dydx_console.venue.indexer.session import Session
from dydx_console.venue.indexer.sockets import Connect
from dydx_console.venue.indexer.telling import StreamTeller
from dydx_console.venue.indexer.wiring import FeedWiring, Losses, NoLosses
from dydx_console.venue.resilience.delays import Delays

__all__ = ["FeedLimits", "FeedPlan", "IndexerFeed"]

PROMPT_S = 0.5
"""An answer to the question for the time tells it to half as much."""


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """What to connect to and follow; `extra` is what is on the screen at first.

    `known_fills` tells how many of the account's fills, counted in the venue's order, are known from an earlier run.

    `most_on_connection` tells for each channel how many subscriptions one connection takes.
    """

    websocket_url: str
    address: str | None
    parent: int
    extra: tuple[ChannelKey, ...] = ()
    allow_proxy: bool = False
    limits: FeedLimits = field(default_factory=FeedLimits)
    most_on_connection: Mapping[str, int] = field(default_factory=lambda: channels.MOST_ON_CONNECTION)
    known_fills: Callable[[], int] = int


class IndexerFeed:
    """Follows an account, the markets and the chain's height, and what else is wanted, until it is cancelled.

    Args:
        plan: where and what.
        rest: for the reads that complete an account's stream, and for those in its place.
        sink: takes every event, in order; it must not block.
        clock: stamps what is received.
        tap: hears the wire.
        rng: spreads the delays.
        log: takes one line per thing worth knowing later.
        losses: knows what a connection has lost; without it lost messages are not made good.
        connect: makes the connections.
    """

    def __init__(
        self,
        plan: FeedPlan,
        rest: IndexerRest,
        sink: Callable[[Event], None],
        *,
        clock: Clock,
        tap: Tap,
        rng: random.Random,
        log: Callable[[str], None],
        losses: Losses | None = None,
        connect: Connect = directly,
    ) -> None:
        self._wiring = FeedWiring(
            plan.websocket_url,
            plan.limits,
            rest,
            sink,
            clock,
            tap,
            rng,
            log,
            NoLosses() if losses is None else losses,
            allow_proxy=plan.allow_proxy,
            connect=connect,
        )
        numbers = count(1)
        self._next_connection: Callable[[], int] = lambda: next(numbers)
        teller = StreamTeller(0, sink, clock, log)
        keeper: AccountKeeper | None = None
        if plan.address is not None:
            keeper = AccountKeeper(self._wiring, plan.address, plan.parent, teller, plan.known_fills)
        self._base = (*(() if keeper is None else (keeper.key,)), ChannelKey(channels.MARKETS))
        self._books = BookKeeper(self._wiring)
        works = (self._measure, self._tend, self._books.keep, *(() if keeper is None else (keeper.keep,)))
        self._lanes = [Lane(0, self._wiring, self._next_connection, teller, works=works, ended=self._ended)]
        self._polling = Polling(self._wiring, keeper, teller)
        self._allotment = Allotment(plan.most_on_connection)
        self._changed = asyncio.Event()
        self.want(plan.extra)

    def want(self, keys: Iterable[ChannelKey]) -> None:
        """Follow these channels besides the account's own, the markets and the height; others are left.

        A connection that was needed once is kept, if with its blocks alone: it may be needed again.
        """
        shares = self._allotment.allot((*self._base, *keys), [lane.connection for lane in self._lanes])
        for number in range(len(self._lanes), len(shares)):
            teller = StreamTeller(number, self._wiring.sink, self._wiring.clock, self._wiring.log)
            self._lanes.append(Lane(number, self._wiring, self._next_connection, teller, works=(self._books.keep,)))
        for lane in self._lanes:
            lane.want(shares[lane.number] if lane.number < len(shares) else shares[0][:1])
        self._changed.set()

    def reconnect(self) -> None:
        """Give up the connections in use, or the wait for the next ones, and connect now."""
        for lane in self._lanes:
            lane.reconnect()

    async def run(self) -> None:
        """Connect, follow, and connect again, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._polling.run(), name="polling")
            started = 0
            while True:
                self._changed.clear()
                for lane in self._lanes[started:]:
                    tasks.create_task(lane.run(), name=f"lane {lane.number}")
                started = len(self._lanes)
                await self._changed.wait()

    async def _measure(self, session: Session) -> None:
        """Measure the venue's clock at the beginning of a connection, again where the answer took long."""
        limits = self._wiring.limits
        delays = Delays(self._wiring.rng, limits.retry_s, limits.longest_delay_s)
        is_prompt = await self._is_measured(session)
        await self._wiring.read_height(session.number)
        while not is_prompt:
            await asyncio.sleep(limits.retry_s + delays.next_s())
            is_prompt = await self._is_measured(session)

    async def _is_measured(self, session: Session) -> bool:
        """Ask for the venue's time; returns whether the answer came so promptly that it tells the time."""
        facts = await self._wiring.rest.read("/time", session.number)
        for fact in facts:
            self._wiring.sink(fact)
        return any(isinstance(fact, TimeRead) and fact.at - fact.asked_at <= PROMPT_S for fact in facts)

    async def _tend(self, session: Session) -> None:
        """End the reading by HTTP once the stream has everything again."""
        while True:
            if session.serves(self._base):
                self._polling.end()
            await asyncio.sleep(self._wiring.limits.tick_s)

    def _ended(self, ending: Ending) -> None:
        if ending.is_final or self._lanes[0].failures >= self._wiring.limits.attempts_before_polling:
            self._polling.begin()

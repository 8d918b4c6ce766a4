"""The picture by HTTP while the stream cannot be had: round after round, each proven by the block known before it."""

import asyncio

from dydx_console.domain.events import ChannelKey, HeightRead, MarketsRead, Polled, PollingChanged
from dydx_console.domain.stream import StreamCondition
from dydx_console.venue.indexer import channels
from dydx_console.venue.indexer.rereading import AccountKeeper
from dydx_console.venue.indexer.telling import StreamTeller
from dydx_console.venue.indexer.wiring import FeedWiring
from dydx_console.venue.resilience.delays import Delays

__all__ = ["Polling"]

MARKETS_EVERY = 2
"""Rounds from one reading of all markets, a long answer, to the next."""


class Polling:
    """Reads height, account and markets in rounds, from when it is needed until it is not.

    Args:
        wiring: what the feed's parts share.
        keeper: reads the account, None where none is followed.
        teller: tells what befalls the stream.
    """

    def __init__(self, wiring: FeedWiring, keeper: AccountKeeper | None, teller: StreamTeller) -> None:
        self._wiring = wiring
        self._keeper = keeper
        self._teller = teller
        self._needed = asyncio.Event()
        self._over = asyncio.Event()

    def begin(self) -> None:
        """Read by HTTP from now on."""
        self._over.clear()
        self._needed.set()

    def end(self) -> None:
        """The stream is there again."""
        self._needed.clear()
        self._over.set()

    async def run(self) -> None:
        """Read whenever it is needed, until cancelled."""
        while True:
            await self._needed.wait()
            self._wiring.sink(PollingChanged(True, self._wiring.clock.monotonic()))
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(), name="polling")
                await self._over.wait()
                reading.cancel()
            self._wiring.sink(PollingChanged(False, self._wiring.clock.monotonic()))

    async def _read(self) -> None:
        limits = self._wiring.limits
        delays = Delays(self._wiring.rng, limits.poll_s, limits.longest_delay_s)
        place = 0
        while True:
            if await self._round(with_markets=place % MARKETS_EVERY == 0):
                self._teller.trouble(
                    StreamCondition.POLLING, "No stream: the picture is read by HTTP every few seconds"
                )
                delays.reset()
                place += 1
                await asyncio.sleep(limits.poll_s)
            else:
                text = "Neither the stream nor HTTP reaches the Indexer: the figures are as old as they say"
                self._teller.trouble(StreamCondition.OFFLINE, text)
                await asyncio.sleep(limits.poll_s + delays.next_s())

    async def _round(self, *, with_markets: bool) -> bool:
        """Read once; returns whether anything of it came. What is denied to us does not count."""
        connection = 0 if self._keeper is None else self._keeper.answered_on
        height = await self._wiring.read_height(connection)
        if height is None:
            return False
        self._tell((ChannelKey(channels.BLOCK_HEIGHT),), height)
        if self._keeper is not None:
            if await self._keeper.read():
                self._teller.granted(channels.named(self._keeper.key))
                self._tell((self._keeper.key,), height)
            elif self._keeper.refusal is not None:
                self._keeper.tell_refusal(self._keeper.refusal)
        if with_markets:
            facts = await self._wiring.rest.read("/perpetualMarkets", connection)
            for fact in facts:
                self._wiring.sink(fact)
            if any(isinstance(fact, MarketsRead) for fact in facts):
                self._tell((ChannelKey(channels.MARKETS),), height)
        return True

    def _tell(self, keys: tuple[ChannelKey, ...], height: HeightRead) -> None:
        self._wiring.sink(Polled(keys, height.time, self._wiring.clock.monotonic()))

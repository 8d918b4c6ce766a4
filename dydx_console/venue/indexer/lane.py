"""One lane of the stream: a connection, made again whenever it ends, at a pace that spares the venue."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from urllib.parse import urlsplit

from websockets.exceptions import InvalidHandshake, WebSocketException

from dydx_console.domain.events import ChannelDropped, ChannelKey, ConnectionClosed, ConnectionOpened
from dydx_console.domain.text import clean
from dydx_console.ports.faults import FaultSource
from dydx_console.venue.indexer.endings import Ending, ending_of_failure, pause_s
from dydx_console.venue.indexer.session import Session, Work
from dydx_console.venue.indexer.telling import StreamTeller
from dydx_console.venue.indexer.wiring import FeedWiring
from dydx_console.venue.resilience.delays import Delays

__all__ = ["Lane"]


class Lane:
    """Connects, follows, and connects again. `failures` counts attempts in a row that did not live.

    Args:
        number: 0 for the lane of the account, from 1 for further ones.
        wiring: what the feed's parts share.
        next_connection: numbers the connections of the run.
        teller: tells what befalls the lane.
        works: what else has to be done on each of its connections.
        ended: is told of each end, and whether only a person can have it tried again.
    """

    def __init__(
        self,
        number: int,
        wiring: FeedWiring,
        next_connection: Callable[[], int],
        teller: StreamTeller,
        *,
        works: tuple[Work, ...] = (),
        ended: Callable[[Ending], None] | None = None,
    ) -> None:
        self.number = number
        self.connection = 0
        """The newest connection of the lane, 0 before the first."""
        self.failures = 0
        self.keys: tuple[ChannelKey, ...] = ()
        """What is wanted on it, in the order in which to ask for it."""
        self._wiring = wiring
        self._next_connection = next_connection
        self._teller = teller
        self._works = works
        self._ended = ended
        self._endpoint = clean(urlsplit(wiring.url).netloc.rpartition("@")[2], 100)
        self._delays = Delays(wiring.rng, wiring.limits.first_delay_s, wiring.limits.longest_delay_s)
        self._healing = Delays(wiring.rng, wiring.limits.retry_s, wiring.limits.longest_retry_s)
        self._again = asyncio.Event()
        self._session: Session | None = None

    def want(self, keys: Iterable[ChannelKey]) -> None:
        """Take what is wanted from now on."""
        before, self.keys = self.keys, tuple(keys)
        if self._session is not None:
            self._session.want(self.keys)
        else:
            self._drop(key for key in before if key not in self.keys)

    def reconnect(self) -> None:
        """Give up the connection in use, or the wait for the next one, and connect now."""
        self._again.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self._again.clear()
            ending = await self._attempt()
            backoff_s = self._delays.next_s()
            wait_s = pause_s(ending, backoff_s, self._wiring.rng)
            if self._ended is not None and not ending.was_asked_for:
                self._ended(ending)
            self._wiring.log("no further attempt" if wait_s is None else f"connecting again in {wait_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._again.wait()

    def _drop(self, keys: Iterable[ChannelKey]) -> None:
        now = self._wiring.clock.monotonic()
        for key in keys:
            self._wiring.sink(ChannelDropped(self.connection, key, now))

    async def _attempt(self) -> Ending:
        number = self.connection = self._next_connection()
        session: Session | None = None
        try:
            async with self._connected(number) as session:
                ending = await session.follow(self._asked_again, *self._works)
        except (OSError, InvalidHandshake, WebSocketException, TimeoutError) as error:
            ending = ending_of_failure(error, self._wiring.clock.utc())
        self._count(ending, session)
        return ending

    def _count(self, ending: Ending, session: Session | None) -> None:
        if session is None:
            now = self._wiring.clock.monotonic()
            self._wiring.sink(ConnectionOpened(self.connection, now, self.number))
            self._wiring.sink(ConnectionClosed(self.connection, None, clean(ending.text, 200), now))
        if session is not None and session.has_lived:
            self.failures = 0
            self._delays.reset()
        elif not ending.was_asked_for:
            self.failures += 1
        if ending.was_asked_for:
            self._delays.reset()
            self._wiring.log(ending.text)
            return
        self._teller.trouble(ending.what, ending.text)
        if ending.kind is not None:
            self._wiring.rest.counters.count(ending.kind, FaultSource.WEBSOCKET, self._endpoint, ending.text)

    @contextlib.asynccontextmanager
    async def _connected(self, number: int) -> AsyncIterator[Session]:
        wiring = self._wiring
        async with wiring.connect(wiring.url, wiring.limits, allow_proxy=wiring.allow_proxy) as socket:
            self._again.clear()  # whoever asked meanwhile has a fresh one now
            session = self._session = Session(socket, number, wiring, self._teller, self._healing)
            session.want(self.keys)
            wiring.tap.opened(number, wiring.url, session.opened_at)
            wiring.sink(ConnectionOpened(number, session.opened_at, self.number))
            try:
                yield session
                # a dead connection would not hear the goodbye, and nobody waits for its answer
                socket.transport.abort()
            finally:
                self._session = None
                await socket.close()
                now = wiring.clock.monotonic()
                code, reason = socket.close_code, clean(socket.close_reason or "", 200)
                wiring.tap.closed(number, code, reason, now)
                wiring.sink(ConnectionClosed(number, code, reason, now))
                self._drop(session.unwanted)

    async def _asked_again(self, session: Session) -> None:
        await self._again.wait()
        session.end_on_request()

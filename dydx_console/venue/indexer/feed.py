"""The live stream: one socket at a time, subscribed, read, watched and made again when it ends.

The reader never waits for anything but the next message. Delays between attempts are capped and jittered, and only a
connection that lived and delivered makes them short again.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import backoff
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from dydx_console.domain.events import (
    BlockHeight,
    ChannelKey,
    ConnectionReady,
    Event,
    Frame,
    Subscribed,
    VenueRefusal,
)
from dydx_console.domain.events import ConnectionClosed as ClosedEvent
from dydx_console.domain.events import ConnectionOpened as OpenedEvent
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.tap import Tap
from dydx_console.venue.indexer import channels
from dydx_console.venue.indexer.direct import DirectConnection
from dydx_console.venue.indexer.protocol import IndexerProtocol
from dydx_console.venue.indexer.rest import AccountReader, IndexerRest

__all__ = ["FeedLimits", "FeedPlan", "IndexerFeed"]

MOST_BYTES = 64 * 1024 * 1024
SETTLED_DELAY_S = 20.0
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """How long the feed waits for what, in seconds.

    Without a new block for `silence_s` a connection is given up, because a half-open socket stays silent for ever.
    A connection that lived `lived_s` with data makes the delays, up to `longest_delay_s`, begin anew.
    """

    open_s: float = 10.0
    greeting_s: float = 10.0
    silence_s: float = 10.0
    lived_s: float = 10.0
    first_delay_s: float = 1.0
    longest_delay_s: float = 30.0
    second_reread_s: float = 5.0


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """What to connect to and follow."""

    websocket_url: str
    address: str | None
    parent: int
    extra: tuple[ChannelKey, ...] = ()
    allow_proxy: bool = False
    limits: FeedLimits = FeedLimits()


@dataclass(slots=True)
class Session:
    """One connection while it lasts."""

    socket: ClientConnection
    protocol: IndexerProtocol
    opened_at: float
    block_at: float
    greeted: asyncio.Event = field(default_factory=asyncio.Event)
    account_answered: asyncio.Event = field(default_factory=asyncio.Event)
    delivered: bool = False


class SessionEndedError(Exception):
    """Why a connection is given up."""


class IndexerFeed:
    """Follows an account, the markets and the chain's height until it is cancelled.

    Args:
        plan: where and what.
        rest: for the reads that complete an account's stream.
        sink: takes every event, in order; it must not block.
        clock: stamps what is received.
        tap: hears the wire.
        rng: spreads the delays.
        log: takes one line per thing worth knowing later.
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
    ) -> None:
        self._plan = plan
        self._rest = rest
        self._sink = sink
        self._clock = clock
        self._tap = tap
        self._rng = rng
        self._log = log
        self._attempts = 0
        self._again = asyncio.Event()
        self._session: Session | None = None
        self._reader = None if plan.address is None else AccountReader(rest, plan.address, plan.parent, sink)

    def reconnect(self) -> None:
        """Give up the connection in use, or the wait for the next one, and connect now."""
        self._again.set()

    async def run(self) -> None:
        """Connect, follow, and connect again, for ever."""
        delays = _longest_delays(self._plan.limits)
        while True:
            self._again.clear()
            lived = await self._attempt()
            if lived:
                delays = _longest_delays(self._plan.limits)
            delay_s = self._rng.uniform(0.0, next(delays))
            self._log(f"connecting again in {delay_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._again.wait()

    async def _attempt(self) -> bool:
        """Follow one connection to its end; returns whether it lived long enough, with data, to trust the host."""
        number = self._attempts = self._attempts + 1
        try:
            async with self._connected(number) as session:
                try:
                    return await self._follow(session)
                finally:
                    self._closed(session)
        except (OSError, InvalidHandshake, WebSocketException, TimeoutError) as error:
            self._log(f"connection {number} failed: {clean(f'{type(error).__name__}: {error}', 200)}")
            if self._session is None:
                now = self._clock.monotonic()
                self._sink(OpenedEvent(number, now))
                self._sink(ClosedEvent(number, None, clean(str(error), 200), now))
            return False
        finally:
            self._session = None

    @contextlib.asynccontextmanager
    async def _connected(self, number: int) -> AsyncIterator[Session]:
        url = self._plan.websocket_url
        async with DirectConnection(
            url,
            open_timeout=self._plan.limits.open_s,
            close_timeout=1.0,
            ping_interval=None,
            max_size=MOST_BYTES,
            compression=None,
            proxy=True if self._plan.allow_proxy else None,
            user_agent_header=None,
        ) as socket:
            now = self._clock.monotonic()
            session = Session(socket, IndexerProtocol(number), now, now)
            self._session = session
            self._tap.opened(number, url, now)
            self._sink(OpenedEvent(number, now))
            try:
                yield session
            finally:
                await socket.close()

    def _closed(self, session: Session) -> None:
        now = self._clock.monotonic()
        code, reason = session.socket.close_code, clean(session.socket.close_reason or "", 200)
        self._tap.closed(session.protocol.connection, code, reason, now)
        self._log(f"connection {session.protocol.connection} ended, code {code} {reason}".rstrip())
        self._sink(ClosedEvent(session.protocol.connection, code, reason, now))

    async def _follow(self, session: Session) -> bool:
        """Read, watch and resync until any of it ends the connection."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(session))
                tasks.create_task(self._greet(session))
                tasks.create_task(self._watch(session))
                tasks.create_task(self._resync(session))
                tasks.create_task(self._asked_again())
        except* SessionEndedError as ended:
            for error in ended.exceptions:
                self._log(f"connection {session.protocol.connection}: {error}")
        return session.delivered and self._clock.monotonic() - session.opened_at >= self._plan.limits.lived_s

    async def _asked_again(self) -> None:
        await self._again.wait()
        raise SessionEndedError("a fresh connection was asked for")

    async def _read(self, session: Session) -> None:
        try:
            async for text in session.socket:
                at = self._clock.monotonic()
                shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
                self._tap.received(session.protocol.connection, shown, at)
                frame = session.protocol.receive(text, at)
                self._note(session, frame)
                self._sink(frame)
        except ConnectionClosed:
            pass
        raise SessionEndedError("the socket closed")

    def _note(self, session: Session, frame: Frame) -> None:
        for fact in frame.facts:
            if isinstance(fact, ConnectionReady):
                session.greeted.set()
            elif isinstance(fact, BlockHeight):
                session.block_at = frame.at
                session.delivered = True
            elif isinstance(fact, Subscribed) and fact.key.is_account:
                session.account_answered.set()
            elif isinstance(fact, VenueRefusal):
                self._log(f"the Indexer refused: {fact.text}")

    async def _greet(self, session: Session) -> None:
        """Wait for the greeting, which a real server can owe for ever, then subscribe in order."""
        try:
            async with asyncio.timeout(self._plan.limits.greeting_s):
                await session.greeted.wait()
        except TimeoutError:
            raise SessionEndedError(f"no greeting within {self._plan.limits.greeting_s:g} s") from None
        try:
            for key in self._keys():
                text, sent = session.protocol.subscribe(key, batched=False, at=self._clock.monotonic())
                self._sink(sent)
                self._tap.sent(session.protocol.connection, text, sent.at)
                await session.socket.send(text)
        except ConnectionClosed:
            raise SessionEndedError("the socket closed while subscribing") from None

    def _keys(self) -> tuple[ChannelKey, ...]:
        account = () if self._plan.address is None else (channels.parent_key(self._plan.address, self._plan.parent),)
        return (ChannelKey(channels.BLOCK_HEIGHT), *account, ChannelKey(channels.MARKETS), *self._plan.extra)

    async def _watch(self, session: Session) -> None:
        """End the connection when no block has come for too long."""
        session.block_at = self._clock.monotonic()
        while True:
            left_s = session.block_at + self._plan.limits.silence_s - self._clock.monotonic()
            if left_s <= 0:
                raise SessionEndedError(f"no block for {self._plan.limits.silence_s:g} s")
            await asyncio.sleep(left_s)

    async def _resync(self, session: Session) -> None:
        """Read the account after its subscription, once more when stragglers have settled, then after each hour."""
        connection = session.protocol.connection
        await self._pass_on_clock(connection)
        if self._reader is None:
            return
        await session.account_answered.wait()
        await self._until_resynced(self._reader, connection)
        await asyncio.sleep(self._plan.limits.second_reread_s)
        await self._until_resynced(self._reader, connection)
        while True:
            now = self._clock.utc().timestamp()
            await asyncio.sleep(HOUR_S - now % HOUR_S + SETTLED_DELAY_S)
            await self._pass_on_clock(connection)
            await self._reader.settled(connection)

    async def _until_resynced(self, reader: AccountReader, connection: int) -> None:
        while True:
            if await reader.resync(connection, self._clock):
                return
            await asyncio.sleep(self._rng.uniform(1.0, 3.0))

    async def _pass_on_clock(self, connection: int) -> None:
        for path in ("/time", "/height"):
            for fact in await self._rest.read(path, connection):
                self._sink(fact)


def _longest_delays(limits: FeedLimits) -> Iterator[float]:
    """Return the upper bound of each next delay in seconds, doubling up to the cap."""
    wait = backoff.expo(base=2, factor=limits.first_delay_s, max_value=limits.longest_delay_s)
    next(wait)
    return wait

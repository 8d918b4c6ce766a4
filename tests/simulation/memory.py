"""The ways between our client and the simulated venue, in memory: a WebSocket and an HTTP transport under virtual time.

What is sent takes a while to arrive and never overtakes what was sent before. Both ends are the real ones: below are
only the waits, and the failures in the words of the libraries that stand there in a run.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.frames import Close as CloseFrame
from websockets.http11 import Response

from dydx_console.sim.faults.kinds import Kind
from dydx_console.sim.faults.outcomes import Reset, Unanswered
from dydx_console.sim.faults.wire import Arrival, Wire
from dydx_console.sim.indexer.comlink import Answer, Request
from dydx_console.sim.indexer.session import Close, Ping, Text
from dydx_console.sim.venue import Venue
from dydx_console.venue.indexer.limits import FeedLimits

Met = TypeVar("Met")
ORDERLY = (1000, 1001)
ABNORMAL = 1006
TOO_MANY = 429
IN_TURN_S = 1e-6
"""Timers of the same moment fire in any order."""


@dataclass(frozen=True)
class Ways:
    """How long the ways are, in seconds; `slow_share` of the HTTP exchanges take up to `slow_s` more on the way."""

    least_s: float = 0.002
    most_s: float = 0.08
    slow_share: float = 0.03
    slow_s: float = 4.0


@dataclass
class Counted:
    """What the client did to the venue, and when (seconds of the loop)."""

    attempts: list[float] = field(default_factory=list)
    requests: list[tuple[float, str]] = field(default_factory=list)
    refused: int = 0
    """Requests that the venue's own limits refused, no fault."""
    worst_pong_s: float = 0.0
    worst_time_error_s: float = 0.0
    """Half of the longest round trip after which the venue's clock could be read."""


class Line:
    """Drives the venue on the loop's timers and carries what its connections send."""

    def __init__(self, venue: Venue, start_ms: int, rng: random.Random, ways: Ways) -> None:
        self._loop = asyncio.get_running_loop()
        self.venue = venue
        self.rng = rng
        self.ways = ways
        self.counted = Counted()
        self.heard: Callable[[str], None] = lambda _text: None
        """Is told every text that reaches the client, as it does."""
        self._start_ms = start_ms
        self._sockets: list[MemorySocket] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    @property
    def now_ms(self) -> int:
        """The venue's time."""
        return self._start_ms + int(self._loop.time() * 1000 + 1e-6)

    def turn(self) -> None:
        """Bring the venue to the present, move what it sent, and come back when it has something to do."""
        if self._is_over:
            return
        now_ms = self.now_ms
        self.venue.advance(now_ms)
        self._sockets = [socket for socket in self._sockets if not socket.is_over]
        for socket in self._sockets:
            socket.pump(now_ms)
        if self._timer is not None:
            self._timer.cancel()
        due_ms = max(self.venue.next_due_ms, now_ms + 1)
        self._timer = self._loop.call_at((due_ms - self._start_ms) / 1000, self.turn)

    def stop(self) -> None:
        """Stand still for ever."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def way_s(self) -> float:
        """Return how long one way takes."""
        return self.rng.uniform(self.ways.least_s, self.ways.most_s)

    def add(self, socket: "MemorySocket") -> None:
        """Carry for a connection from now on."""
        self._sockets.append(socket)

    def connect(
        self, _url: str, limits: FeedLimits, *, allow_proxy: bool
    ) -> AbstractAsyncContextManager["MemorySocket"]:
        """Return a connection to be entered: a `Connect`."""
        assert not allow_proxy
        return MemoryConnection(self, limits.open_s)

    def answer(self, request: Request) -> Answer | Unanswered | Reset:
        """Return what a request meets now."""
        self.turn()
        answer = self.venue.respond(request, self.now_ms)
        if isinstance(answer, Answer) and answer.status == TOO_MANY:
            self.counted.refused += all(fault.kind is not Kind.REST_LIMITED for fault in self.venue.director.active)
        self.turn()
        return answer


async def answered(line: Line, ask: Callable[[], Met | Unanswered]) -> Met:
    """Ask until the venue answers, or until whoever waits gives up."""
    while True:
        met = ask()
        if not isinstance(met, Unanswered):
            return met
        await asyncio.sleep(max(met.until_ms - line.now_ms, 1) / 1000)


class MemoryConnection(AbstractAsyncContextManager["MemorySocket"]):
    """A connection that is opened when it is entered."""

    def __init__(self, line: Line, open_s: float) -> None:
        self._line = line
        self._open_s = open_s
        self._socket: MemorySocket | None = None

    async def __aenter__(self) -> "MemorySocket":
        """Shake hands, as the faults let it."""
        line = self._line
        line.counted.attempts.append(asyncio.get_running_loop().time())
        async with asyncio.timeout(self._open_s):
            await asyncio.sleep(line.way_s())
            met = await answered(line, lambda: line.venue.handshake(line.now_ms))
            if met is None:
                line.turn()
                self._socket = MemorySocket(line, line.venue.open(line.now_ms))
                line.turn()
            try:
                await asyncio.sleep(line.way_s())
            except asyncio.CancelledError:
                if self._socket is not None:
                    self._socket.leave()
                raise
        if met is not None:
            raise InvalidStatus(Response(met.status, "", Headers(met.headers), met.body.encode()))
        assert self._socket is not None
        return self._socket

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        assert self._socket is not None
        await self._socket.close()


class MemorySocket:
    """Our end of a connection. Who does not read does not answer the venue's pings either."""

    def __init__(self, line: Line, wire: Wire) -> None:
        self._line = line
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[Arrival] = deque()
        self._pinged_at: deque[float] = deque()
        self._news = asyncio.Event()
        self._down_at = self._up_at = 0.0
        self._unanswered: list[asyncio.Future[float]] = []
        self._pings: list[asyncio.Future[float]] = []
        self.is_over = False
        self.close_code: int | None = None
        self.close_reason: str | None = None
        line.add(self)

    @property
    def transport(self) -> "MemorySocket":
        """What carries it: itself."""
        return self

    def abort(self) -> None:
        """Cut it."""
        if self.close_code is None:
            self._end(ABNORMAL, "")
        self.leave()

    async def close(self) -> None:
        """End it."""
        if self.close_code is None:
            self._end(ORDERLY[0], "")
        self.leave()

    def leave(self) -> None:
        """Have the venue know that we are gone."""
        if not self.is_over:
            self.is_over = True
            self._wire.leave()

    async def send(self, message: str) -> None:
        """Send a text."""
        self._check()
        self._up(self._say, message)

    async def ping(self) -> Awaitable[float]:
        """Ask for a sign of life."""
        self._check()
        answer: asyncio.Future[float] = self._loop.create_future()
        self._pings.append(answer)
        self._up(self._take_ping, answer)
        return answer

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield what comes."""
        while True:
            while not self._arrived:
                self._news.clear()
                await self._news.wait()
            arrival = self._arrived.popleft()
            match arrival:
                case Text(text):
                    self._line.heard(text)
                    yield text
                case Ping():
                    self._pong()
                case Close(code, reason):
                    self._end(code, reason)
                    if code in ORDERLY:
                        return
                    raise ConnectionClosedError(CloseFrame(code, reason), CloseFrame(code, reason), rcvd_then_sent=True)
                case Reset():
                    self._end(ABNORMAL, "")
                    raise ConnectionClosedError(None, None)

    def pump(self, now_ms: int) -> None:
        """Send on what the wire has let through."""
        for arrival in self._wire.hear(now_ms):
            self._down(self._arrive, arrival)
        if self._unanswered and not self._wire.silent:
            unanswered, self._unanswered = self._unanswered, []
            for ping in unanswered:
                self._down(self._answer, ping)

    def _up(self, arrive: Callable[..., None], *what: object) -> None:
        self._up_at = max(self._up_at + IN_TURN_S, self._loop.time() + self._line.way_s())
        self._loop.call_at(self._up_at, arrive, *what)

    def _down(self, arrive: Callable[..., None], *what: object) -> None:
        self._down_at = max(self._down_at + IN_TURN_S, self._loop.time() + self._line.way_s())
        self._loop.call_at(self._down_at, arrive, *what)

    def _say(self, text: str) -> None:
        if not self.is_over:
            self._line.turn()
            self._wire.say(text, self._line.now_ms)
            self._line.turn()

    def _take_ping(self, answer: "asyncio.Future[float]") -> None:
        if not self.is_over:
            self._unanswered.append(answer)
            self._line.turn()

    def _answer(self, answer: "asyncio.Future[float]") -> None:
        if not answer.done():
            self._pings.remove(answer)
            answer.set_result(0.0)

    def _arrive(self, arrival: Arrival) -> None:
        if self.close_code is None:
            self._arrived.append(arrival)
            if isinstance(arrival, Ping):
                self._pinged_at.append(self._loop.time())
            self._news.set()

    def _pong(self) -> None:
        counted = self._line.counted
        counted.worst_pong_s = max(counted.worst_pong_s, self._loop.time() - self._pinged_at.popleft())
        self._up(self._take_pong)

    def _take_pong(self) -> None:
        if not self.is_over:
            self._wire.pong()

    def _check(self) -> None:
        if self.close_code is not None:
            raise ConnectionClosedError(None, None)

    def _end(self, code: int, reason: str) -> None:
        self.close_code, self.close_reason = code, reason
        pings, self._pings = self._pings, []
        for ping in pings:
            if not ping.done():
                ping.set_exception(ConnectionClosedError(None, None))
                ping.exception()  # it may be that nobody waits for it any more


class MemoryTransport(httpx.AsyncBaseTransport):
    """Carries requests to the venue."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the venue's answer, as late as the ways and the faults make it."""
        line, loop = self._line, asyncio.get_running_loop()
        target = urlsplit(request.url.raw_path.decode("ascii"))
        asked = Request(request.method, target.path, dict(parse_qsl(target.query)), "client")
        began = loop.time()
        line.counted.requests.append((began, target.path))
        ways = [line.way_s(), line.way_s()]
        if line.rng.random() < line.ways.slow_share:
            ways[line.rng.randrange(2)] += line.rng.uniform(0.0, line.ways.slow_s)
        try:
            async with asyncio.timeout(request.extensions["timeout"]["read"]):
                await asyncio.sleep(ways[0])
                met = await answered(line, lambda: line.answer(asked))
                await asyncio.sleep(ways[1])
        except TimeoutError as late:
            raise httpx.ReadTimeout("no answer", request=request) from late
        if isinstance(met, Reset):
            raise httpx.ReadError("reset by the other end", request=request)
        if target.path == "/v4/time" and met.status == 200:
            error_s = (loop.time() - began) / 2
            line.counted.worst_time_error_s = max(line.counted.worst_time_error_s, error_s)
        return httpx.Response(met.status, headers=list(met.headers), content=met.body.encode(), request=request)

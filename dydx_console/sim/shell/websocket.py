"""The Indexer's WebSocket side on a loopback socket: any path, no compression, its own heartbeat, faults on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from dydx_console.sim.faults.outcomes import Refused, Reset
from dydx_console.sim.faults.refusals import phrase
from dydx_console.sim.faults.wire import Arrival, Wire
from dydx_console.sim.indexer.socks import Close, Ping, Text
from dydx_console.sim.shell.mischief import reset, until_answered
from dydx_console.sim.venue import Venue

MAX_INBOUND_BYTES = 100 * 1024 * 1024
CLOSE_WAIT_S = 2.0


@dataclass(slots=True)
class _Open:
    """An open connection. While its wire is silent the socket is not read, so that no control frame is answered."""

    wire: Wire
    transport: asyncio.Transport
    waker: asyncio.Event = field(default_factory=asyncio.Event)
    paused: bool = False

    def follow(self, now_ms: int) -> None:
        """Pause or go on reading, and wake the writer, as the wire says."""
        self.wire.carry(now_ms)
        if self.wire.silent != self.paused:
            self.paused = self.wire.silent
            (self.transport.pause_reading if self.paused else self.transport.resume_reading)()
        if self.wire.ready:
            self.waker.set()


class WebSocketShell:
    """Moves frames between sockets and the venue's wires. `before` and `after` bracket each inbound message: the owner
    brings the venue to the present first, and wakes the connections after."""

    def __init__(self, venue: Venue, now_ms: Callable[[], int], before: Callable[[], None], after: Callable[[], None]):
        self._venue = venue
        self._now_ms = now_ms
        self._before = before
        self._after = after
        self._open: dict[str, _Open] = {}

    def wake(self) -> None:
        """Have every connection with waiting frames send them, those that were just closed included."""
        now_ms = self._now_ms()
        for held in self._open.values():
            held.follow(now_ms)

    async def listen(self, sock: object) -> Server:
        """Serve on a listening socket; the caller closes the returned server."""
        return await serve(
            self._handle,
            sock=sock,
            ping_interval=None,
            compression=None,
            server_header=None,
            max_size=MAX_INBOUND_BYTES,
            close_timeout=CLOSE_WAIT_S,
            process_request=self._answer_handshake,
            select_subprotocol=_first_subprotocol,
        )

    async def _answer_handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        """A request that asks for no upgrade is told that it must; another meets the faults."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return connection.respond(HTTPStatus.UPGRADE_REQUIRED, "Upgrade Required")
        met = await until_answered(lambda: self._venue.handshake(self._now_ms()))
        return None if met is None else _response(met)

    async def _handle(self, connection: ServerConnection) -> None:
        self._before()
        held = _Open(self._venue.open(self._now_ms()), connection.transport)
        self._open[held.wire.id] = held
        self._after()
        held.follow(self._now_ms())
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(connection, held))
                await self._read(connection, held)
                held.wire.leave()
                held.waker.set()
                await writer
        finally:
            held.wire.leave()
            del self._open[held.wire.id]

    async def _read(self, connection: ServerConnection, held: _Open) -> None:
        try:
            async for message in connection:
                self._before()
                text = message if isinstance(message, str) else message.decode(errors="replace")
                held.wire.say(text, self._now_ms())
                self._after()
                held.follow(self._now_ms())
        except ConnectionClosed:
            return

    async def _write(self, connection: ServerConnection, held: _Open) -> None:
        try:
            while True:
                await held.waker.wait()
                held.waker.clear()
                for arrival in held.wire.hear(self._now_ms()):
                    await self._send(connection, held.wire, arrival)
                if held.wire.over:
                    return
        except ConnectionClosed:
            return

    async def _send(self, connection: ServerConnection, wire: Wire, arrival: Arrival) -> None:
        match arrival:
            case Text(text):
                await connection.send(text)
            case Ping():
                answered = await connection.ping(b"")
                if isinstance(answered, asyncio.Future):
                    answered.add_done_callback(lambda done: _ponged(wire, done))
            case Close(code, reason):
                await connection.close(code, reason)
            case Reset():
                reset(connection.transport)


def _ponged(wire: Wire, done: asyncio.Future[float]) -> None:
    if not done.cancelled() and done.exception() is None:
        wire.pong()


def _response(refused: Refused) -> Response:
    body = refused.body.encode()
    headers = Headers([*refused.headers, ("Content-Length", str(len(body))), ("Connection", "close")])
    return Response(refused.status, phrase(refused.status), headers, body)


def _first_subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first one that the client offers, as the `ws` library does."""
    return offered[0] if offered else None

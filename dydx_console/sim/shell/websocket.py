"""The Indexer's WebSocket side on a loopback socket: any path, no compression, its own heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from dydx_console.sim.indexer.socks import Close, Ping, Session, Socks, Text

MAX_INBOUND_BYTES = 100 * 1024 * 1024
CLOSE_WAIT_S = 2.0


class WebSocketShell:
    """Moves frames between sockets and `Socks`. `before` and `after` bracket each inbound message: the owner brings
    the venue to the present first, and wakes the sessions after."""

    def __init__(self, socks: Socks, now_ms: Callable[[], int], before: Callable[[], None], after: Callable[[], None]):
        self._socks = socks
        self._now_ms = now_ms
        self._before = before
        self._after = after
        self._open: dict[str, tuple[Session, asyncio.Event]] = {}

    def wake(self) -> None:
        """Have every session with waiting frames send them, those that were just closed included."""
        for session, waker in self._open.values():
            if session.outbox:
                waker.set()

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
            process_request=_refuse_plain_http,
            select_subprotocol=_first_subprotocol,
        )

    async def _handle(self, connection: ServerConnection) -> None:
        self._before()
        session = self._socks.connect(self._now_ms())
        waker = asyncio.Event()
        self._open[session.connection_id] = (session, waker)
        waker.set()
        self._after()
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(connection, session, waker))
                await self._read(connection, session, waker)
                session.closed = True
                waker.set()
                await writer
        finally:
            self._socks.disconnect(session)
            del self._open[session.connection_id]

    async def _read(self, connection: ServerConnection, session: Session, waker: asyncio.Event) -> None:
        try:
            async for message in connection:
                self._before()
                text = message if isinstance(message, str) else message.decode(errors="replace")
                self._socks.receive(session, text, self._now_ms())
                self._after()
                waker.set()
        except ConnectionClosed:
            return

    async def _write(self, connection: ServerConnection, session: Session, waker: asyncio.Event) -> None:
        try:
            while True:
                await waker.wait()
                waker.clear()
                for frame in session.take():
                    await self._send(connection, session, frame)
                if session.closed:
                    return
        except ConnectionClosed:
            return

    async def _send(self, connection: ServerConnection, session: Session, frame: Text | Ping | Close) -> None:
        match frame:
            case Text(text):
                await connection.send(text)
            case Ping():
                answered = await connection.ping(b"")
                if isinstance(answered, asyncio.Future):
                    answered.add_done_callback(lambda done: self._ponged(session, done))
            case Close(code, reason):
                await connection.close(code, reason)

    def _ponged(self, session: Session, done: asyncio.Future[float]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._socks.pong(session)


async def _refuse_plain_http(connection: ServerConnection, request: Request) -> Response | None:
    """A request that asks for no upgrade is told that it must."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return connection.respond(HTTPStatus.UPGRADE_REQUIRED, "Upgrade Required")
    return None


def _first_subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first one that the client offers, as the `ws` library does."""
    return offered[0] if offered else None

"""Proxies that misbehave on request: one for bytes, one that knows WebSocket messages."""

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

CHUNK = 16 * 1024
STEP_S = 0.005
UNSENDABLE = (None, CloseCode.NO_STATUS_RCVD, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE)
"""Closes that no frame can tell."""


@dataclass
class TcpFaults:
    """What befalls the bytes; a running proxy goes by a new value at once. Counts are per direction of a connection."""

    refuse: bool = False
    stall: bool = False
    """Nothing passes, either way."""
    latency_s: float = 0.0
    drip_bytes: int | None = None
    """At most so many bytes every 5 ms."""
    cut_after: int | None = None
    """FIN after so many bytes down."""
    reset_after: int | None = None
    """RST after so many bytes down."""
    drop: float = 0.0
    """Share of chunks down that vanish."""


@dataclass(eq=False)
class Link:
    """One connection through a proxy; a stalled direction swallows nothing and passes nothing."""

    writers: list[asyncio.StreamWriter]
    stall_up: bool = False
    stall_down: bool = False


@dataclass
class TcpProxy:
    """A port that leads to another. `accepted` counts the connections that were tried."""

    host: str
    port: int
    faults: TcpFaults = field(default_factory=TcpFaults)
    accepted: int = 0
    own_port: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    _links: set[Link] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def stall_open(self, *, up: bool, down: bool) -> None:
        """Let nothing more pass on the connections that are open; later ones are well."""
        for link in self._links:
            link.stall_up, link.stall_down = up, down

    def reset_all(self) -> None:
        """Reset every connection."""
        for link in tuple(self._links):
            for writer in link.writers:
                _reset(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lead one connection through."""
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = Link([writer])
        self._links.add(link)
        try:
            await self._lead(link, reader, writer)
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._links.discard(link)
            self._tasks.discard(task)
            for each in link.writers:
                each.close()

    async def _lead(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.faults.refuse:
            _reset(writer)
            return
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        link.writers.append(far_writer)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump(link, reader, far_writer, down=False))
            tasks.create_task(self._pump(link, far_reader, writer, down=True))

    async def _pump(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool
    ) -> None:
        passed = 0
        while data := await reader.read(self.faults.drip_bytes or CHUNK):
            # the faults are plain values that a test sets, so there is nothing to wait for
            while self.faults.stall or (link.stall_down if down else link.stall_up):  # noqa: ASYNC110
                await asyncio.sleep(STEP_S)
            await asyncio.sleep(self.faults.latency_s + (STEP_S if self.faults.drip_bytes else 0.0))
            passed += len(data)
            if down and self.faults.drop and self.rng.random() < self.faults.drop:
                continue
            if down and self._ends(writer, data, passed):
                break
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    def _ends(self, writer: asyncio.StreamWriter, data: bytes, passed: int) -> bool:
        """End a connection that has had its bytes; returns whether it did."""
        faults = self.faults
        if faults.reset_after is not None and passed > faults.reset_after:
            _reset(writer)
            return True
        if faults.cut_after is not None and passed > faults.cut_after:
            writer.write(data[: max(len(data) - (passed - faults.cut_after), 0)])
            return True
        return False

    async def stop(self) -> None:
        """End every connection."""
        self.faults = TcpFaults()
        self.reset_all()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    """Lead a port of loopback to another until the block is left."""
    proxy = TcpProxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.own_port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.stop()
        await server.wait_closed()


@dataclass
class FrameFaults:
    """What befalls the messages of a WebSocket; a running proxy goes by a new value at once."""

    handshake: tuple[int, dict[str, str], str] | None = None
    """Answered in place of the upgrade: status, headers, body."""
    drop: Callable[[str], bool] | None = None
    """Which messages down vanish."""
    drop_up: Callable[[str], bool] | None = None
    """Which messages up vanish."""
    change: Callable[[str], str | bytes] | None = None
    """What becomes of a message down."""
    twice: bool = False
    """Every message down comes twice."""
    late_s: float = 0.0
    """Every message down comes so much later, in order; pings are answered at once."""
    mute: bool = False
    """Nothing goes down, and pings are answered: the far end has forgotten the connection."""
    deaf_to: str | None = None
    """A channel whose updates never come, without a trace in the numbers of the others."""


@dataclass
class FrameProxy:
    """A WebSocket server that leads every connection to another.

    What ends one end of a connection ends the other in the same way: with its code and reason, or without a word.
    """

    url: str
    faults: FrameFaults = field(default_factory=FrameFaults)
    accepted: int = 0
    own_port: int = 0
    dropped: int = 0
    sent_up: list[str] = field(default_factory=list)
    _open: set[ServerConnection] = field(default_factory=set)
    _left_out: dict[ServerConnection, int] = field(default_factory=dict)

    async def handle(self, near: ServerConnection) -> None:
        """Lead one connection through."""
        self.accepted += 1
        self._open.add(near)
        try:
            async with (
                connect(self.url, compression=None, max_size=None, ping_interval=None, proxy=None) as far,
                asyncio.TaskGroup() as tasks,
            ):
                down = tasks.create_task(self._down(far, near))
                async for text in _until_closed(near):
                    shown = text if isinstance(text, str) else text.decode()
                    if self.faults.drop_up is not None and self.faults.drop_up(shown):
                        continue
                    self.sent_up.append(shown)
                    await far.send(text)
                down.cancel()
                await _close_like(near, far)
        except* (ConnectionClosed, OSError):
            pass
        finally:
            self._open.discard(near)

    async def _down(self, far: ClientConnection, near: ServerConnection) -> None:
        waiting: asyncio.Queue[tuple[float, str | None]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        async def deliver() -> None:
            while True:
                due, text = await waiting.get()
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                if text is None:
                    return
                await self._send(near, text)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(deliver())
            async for text in _until_closed(far):
                waiting.put_nowait((loop.time() + self.faults.late_s, str(text)))
            waiting.put_nowait((0.0, None))
        await _close_like(far, near)

    async def _send(self, near: ServerConnection, text: str) -> None:
        faults = self.faults
        if faults.mute:
            return
        if faults.deaf_to is not None:
            message = json.loads(text)
            if message["type"] == "channel_data" and message["channel"] == faults.deaf_to:
                self._left_out[near] = self._left_out.get(near, 0) + 1
                return
            message["message_id"] -= self._left_out.get(near, 0)
            text = json.dumps(message)
        if faults.drop is not None and faults.drop(text):
            self.dropped += 1
            return
        for _ in range(2 if faults.twice else 1):
            await near.send(text if faults.change is None else faults.change(text))

    async def inject(self, message: str | bytes) -> None:
        """Send a message down every connection."""
        for near in tuple(self._open):
            await near.send(message)

    async def pong_s(self) -> float:
        """Return how long the slowest client took to answer a ping; one that has left is not waited for."""
        started = asyncio.get_running_loop().time()
        for near in tuple(self._open):
            with contextlib.suppress(ConnectionClosed):
                await (await near.ping())
        return asyncio.get_running_loop().time() - started

    async def close_all(self, code: int, reason: str = "") -> None:
        """Close every connection with a code."""
        for near in tuple(self._open):
            await near.close(code, reason)

    async def answer(self, connection: ServerConnection, _request: Request) -> Response | None:
        """Return what is answered in place of an upgrade, None where there is one."""
        if self.faults.handshake is None:
            return None
        self.accepted += 1
        status, headers, body = self.faults.handshake
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Odd"
        return Response(status, phrase, Headers({**headers, "Content-Length": str(len(body))}), body.encode())


async def _until_closed(end: ClientConnection | ServerConnection) -> AsyncIterator[str | bytes]:
    """Yield what comes until the connection ends, in whatever way."""
    with contextlib.suppress(ConnectionClosed):
        async for text in end:
            yield text


async def _close_like(ended: ClientConnection | ServerConnection, other: ClientConnection | ServerConnection) -> None:
    """End a connection as its counterpart has ended."""
    if ended.close_code in UNSENDABLE:
        other.transport.abort()
    else:
        await other.close(ended.close_code, ended.close_reason or "")


@asynccontextmanager
async def frame_proxy(url: str) -> AsyncIterator[FrameProxy]:
    """Lead a WebSocket server of loopback to another until the block is left."""
    proxy = FrameProxy(url)
    async with serve(
        proxy.handle,
        "127.0.0.1",
        0,
        compression=None,
        ping_interval=None,
        max_size=None,
        close_timeout=0.2,
        process_request=proxy.answer,
    ) as server:
        proxy.own_port = server.sockets[0].getsockname()[1]
        yield proxy

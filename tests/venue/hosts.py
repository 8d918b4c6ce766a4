"""Hosts on real loopback sockets that answer as a test says, or do not."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Host:
    """A loopback host: its `host:port`, and what it was asked."""

    at: str
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def raw(reply: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Host]:
    """Serve the same bytes to every request and close; with None accept and say nothing at all."""
    over = asyncio.Event()
    host = Host("")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reply is None:
            await over.wait()
            return
        host.asked.append((await reader.read(65_536)).decode("latin-1"))
        writer.write(reply)
        await writer.drain()

    async with tcp(answer, tls) as host.at:
        try:
            yield host
        finally:
            over.set()


@asynccontextmanager
async def tcp(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve every connection with `answer`; all of them are closed when the block is left."""
    serving: set[asyncio.Task[None] | None] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            await answer(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*(task for task in serving if task is not None))
        await server.wait_closed()


def http(status: int, body: str, *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", "Connection: close", *headers)
    return "\r\n".join((*lines, "", body)).encode()

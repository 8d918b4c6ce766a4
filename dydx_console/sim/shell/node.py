"""The node on a loopback gRPC socket, in plaintext."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from dydx_console.sim.node.queries import SERVICES, WRITES, Query, check_height
from dydx_console.sim.node.refusals import QueryRefusedError
from dydx_console.sim.shell.mischief import ASK_AGAIN_S
from dydx_console.sim.shell.rest import listen
from dydx_console.sim.venue import Venue

STOP_S = 1.0
DOWN = "connections to all backends failing; last error: connection refused"
HEIGHT_HEADER = "x-cosmos-block-height"
OPTIONS = (("grpc.so_reuseport", 0),)
"""Without it two simulators would share a port, and each answer some of the calls."""

Present = Callable[[], Venue]
"""The venue, brought to the present."""


class NodeListener:
    """A bound port; `serve` begins to answer on it."""

    def __init__(self, server: Any, port: int) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{port}"

    async def serve(self, present: Present, changed: Callable[[], None]) -> None:
        """Answer from now on; `changed` is called after a transaction."""
        for service, methods in SERVICES.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(
                    _writer(query, present, changed) if name in WRITES else _reader(query, present),
                    request.FromString,
                    _serialized,
                )
                for name, (request, query) in methods.items()
            }
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        await self._server.start()


@contextlib.asynccontextmanager
async def node_listener(port: int) -> AsyncIterator[NodeListener]:
    """Bind 127.0.0.1 (0 = any free port) until the block is left; OSError when the port is taken."""
    listen(port).close()  # gRPC's own failure comes without a reason, and with lines on stderr
    server = grpc.aio.server(options=OPTIONS)
    try:
        yield NodeListener(server, _bind(server, port))
    finally:
        await server.stop(STOP_S)  # with no grace at all the clients would see an error


def _serialized(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _bind(server: Any, port: int) -> int:
    try:
        return int(server.add_insecure_port(f"127.0.0.1:{port}"))
    except RuntimeError:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None


async def _wait(present: Present, context: Any, since_s: float) -> Venue:
    """The venue when the call may be answered; a node that is down ends it."""
    while (trouble := present().node_trouble) is not None:
        if trouble.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, DOWN)
        if asyncio.get_running_loop().time() - since_s >= trouble.delay_ms / 1_000:
            break
        await asyncio.sleep(ASK_AGAIN_S)
    return present()


def _reader(query: Query, present: Present) -> Callable[[Any, Any], Any]:
    async def answer(request: Any, context: Any) -> Any:
        venue = await _wait(present, context, asyncio.get_running_loop().time())
        message = await _answered(query, venue, request, context)
        await context.send_initial_metadata(((HEIGHT_HEADER, str(venue.exchange.height)),))
        return message

    return answer


def _writer(query: Query, present: Present, changed: Callable[[], None]) -> Callable[[Any, Any], Any]:
    """A slow node takes a transaction at once and is slow to say so: its client may have given up by then."""

    async def answer(request: Any, context: Any) -> Any:
        since_s = asyncio.get_running_loop().time()
        venue = present()
        trouble = venue.node_trouble
        if trouble is not None and trouble.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, DOWN)
        message = await _answered(query, venue, request, context)
        present()
        changed()
        await _wait(present, context, since_s)
        return message

    return answer


async def _answered(query: Query, venue: Venue, request: Any, context: Any) -> Any:
    try:
        for name, value in context.invocation_metadata() or ():
            if name == HEIGHT_HEADER:
                check_height(venue, value)
        return query(venue, request)
    except QueryRefusedError as refused:
        await context.abort(grpc.StatusCode[refused.code], refused.text)

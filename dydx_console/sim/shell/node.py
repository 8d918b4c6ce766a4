"""The node's queries on a loopback gRPC socket, in plaintext."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from dydx_console.sim.node.queries import SERVICES, Query, check_height
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

    async def serve(self, present: Present) -> None:
        """Answer from now on."""
        for service, methods in SERVICES.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(_handler(query, present), request.FromString, _serialized)
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


async def _past_trouble(present: Present, context: Any) -> Venue:
    """The venue when the query may be answered; a node that is down ends the call."""
    asked_s = asyncio.get_running_loop().time()
    while (trouble := present().node_trouble) is not None:
        if trouble.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, DOWN)
        if asyncio.get_running_loop().time() - asked_s >= trouble.delay_ms / 1_000:
            break
        await asyncio.sleep(ASK_AGAIN_S)
    return present()


def _handler(query: Query, present: Present) -> Callable[[Any, Any], Any]:
    async def answer(request: Any, context: Any) -> Any:
        venue = await _past_trouble(present, context)
        try:
            for name, value in context.invocation_metadata() or ():
                if name == HEIGHT_HEADER:
                    check_height(venue, value)
            message = query(venue, request)
        except QueryRefusedError as refused:
            await context.abort(grpc.StatusCode[refused.code], refused.text)
        await context.send_initial_metadata(((HEIGHT_HEADER, str(venue.exchange.height)),))
        return message

    return answer

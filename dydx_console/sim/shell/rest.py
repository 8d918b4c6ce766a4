"""The Indexer's REST side on a loopback socket: starlette in front of `Comlink`, served by uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from dydx_console.sim.faults.outcomes import Reset, Unanswered
from dydx_console.sim.indexer.comlink import Answer, Request
from dydx_console.sim.indexer.validation import Value
from dydx_console.sim.shell.mischief import reset, until_answered

Answerer = Callable[[Request], Answer | Unanswered | Reset]
IMPLICIT_HEADERS = ("content-length", "content-type")
TRANSPORT = "transport"


class _Connection(H11Protocol):
    """An HTTP connection that lets requests know their transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _Endpoint:
    """An ASGI application: one request, one answer."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = read_request(HttpRequest(scope, receive))
        answer: Answer | Reset = await until_answered(lambda: self._answer(asked))
        if isinstance(answer, Reset):
            reset(scope["state"][TRANSPORT])
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        response = Response(content=answer.body, status_code=answer.status)
        for name in IMPLICIT_HEADERS:
            if name in response.headers and (name == "content-type" or answer.status == 304):
                del response.headers[name]
        for name, value in answer.headers:
            response.headers.append(name, value)
        await response(scope, receive, send)


def read_request(request: HttpRequest) -> Request:
    """What `Comlink` needs of a request; the client address is the first of X-Forwarded-For, else the peer's."""
    query: dict[str, Value] = {}
    for given, value in request.query_params.multi_items():
        name = given.removesuffix("[]")
        held = query.get(name)
        query[name] = value if held is None else [*([held] if isinstance(held, str) else held), value]
    forwarded = request.headers.get("x-forwarded-for", "").split(",")[0].strip()
    peer = request.client.host if request.client else "unknown"
    return Request(
        method=request.method,
        path=request.scope["raw_path"].decode("latin-1").split("?")[0],
        query=query,
        client=forwarded or peer,
        if_none_match=request.headers.get("if-none-match"),
    )


def application(answer: Answerer) -> Starlette:
    """A Starlette application that hands every request to `answer`."""
    app = Starlette()
    app.mount("/", _Endpoint(answer))
    return app


class Server(uvicorn.Server):
    """uvicorn that says when it accepts, and leaves signals to the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting, then set `ready`."""
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def server(answer: Answerer) -> Server:
    """A uvicorn server for `serve([listening socket])`."""
    config = uvicorn.Config(
        application(answer),
        http=_Connection,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        ws="none",
        timeout_keep_alive=61,
        timeout_graceful_shutdown=1,
    )
    return Server(config)


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1 (0 = any free port); OSError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener

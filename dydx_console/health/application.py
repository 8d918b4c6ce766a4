"""The routes, and the door before them: who may ask, and what."""

import json
from collections.abc import Mapping
from dataclasses import replace

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dydx_console.health.api import Api, Refused, api_routes
from dydx_console.health.documents import (
    Problem,
    config_body,
    errors_body,
    live_body,
    network_body,
    overview_body,
    ready_body,
    status_code,
)
from dydx_console.health.guard import MAX_HEAD_BYTES, head_too_long
from dydx_console.health.listen import Listen, UnixListen
from dydx_console.health.metrics import CONTENT_TYPE, metrics_text
from dydx_console.health.openapi import openapi_document
from dydx_console.health.probing import BusyError, Prober
from dydx_console.ports.health import HealthFacts, HealthPort, HealthStatus

__all__ = ["application"]

HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
LINKS = {
    "network": "/health/network",
    "fresh": "/health/network?probe=1",
    "config": "/health/config",
    "errors": "/health/errors",
    "ready": "/health/ready",
    "live": "/health/live",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
}
OWN_PAGES = (b"none", b"same-origin")
NO_EVIDENCE = "no fresh evidence came in time"


def application(port: HealthPort, prober: Prober, at: Listen, api: Api | None = None) -> Starlette:
    """Return the ASGI application for a server that listens at `at`; without `api`, nothing is told of the account."""
    routes = _Routes(port, prober)
    app = Starlette(
        routes=[
            Route("/health/", routes.overview),
            Route("/health/network", routes.network),
            Route("/health/config", routes.config),
            Route("/health/errors", routes.errors),
            Route("/health/ready", routes.ready),
            Route("/health/live", routes.live),
            Route("/metrics", routes.metrics),
            Route("/openapi.json", routes.openapi),
            *api_routes(port, api),
        ],
        middleware=[Middleware(_Door, hosts=_hosts(at), hostless=isinstance(at, UnixListen))],
        exception_handlers={Refused: _told_why, HTTPException: _refused, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return app


def _hosts(at: Listen) -> frozenset[bytes]:
    if isinstance(at, UnixListen):
        return frozenset({b"localhost", b""})
    return frozenset(f"{host}:{at.port}".encode() for host in ("127.0.0.1", "localhost", "[::1]"))


class _Routes:
    """One method for each path."""

    def __init__(self, port: HealthPort, prober: Prober) -> None:
        self._port = port
        self._prober = prober
        self._openapi = json.dumps(openapi_document(), indent=1).encode()

    async def overview(self, request: Request) -> Response:
        """How things stand in one line."""
        _no_query(request)
        facts = self._port.health()
        return _json(overview_body(facts, LINKS), status_code(facts))

    async def network(self, request: Request) -> Response:
        """The network, with fresh evidence where the query asks for it."""
        if not _asks_for_probe(request):
            facts = self._port.health()
            return _json(network_body(facts, probed=False), status_code(facts))
        try:
            fresh = await self._prober.fresh()
        except BusyError as error:
            return _json(Problem(error="busy", detail=str(error)), 503)
        facts = fresh if fresh is not None else _without_evidence(self._port.health())
        return _json(network_body(facts, probed=fresh is not None), status_code(facts))

    async def config(self, request: Request) -> Response:
        """The network as configured."""
        _no_query(request)
        facts = self._port.health()
        return _json(config_body(facts), 400 if facts.status is HealthStatus.MISCONFIGURED else 200)

    async def errors(self, request: Request) -> Response:
        """What failed in this run, and how often."""
        _no_query(request)
        return _json(errors_body(self._port.health()), 200)

    async def ready(self, request: Request) -> Response:
        """Whether the picture may be relied on."""
        _no_query(request)
        return _yes_or_no(ready_body(self._port.health()))

    async def live(self, request: Request) -> Response:
        """Whether the engine runs."""
        _no_query(request)
        return _yes_or_no(live_body(self._port.health()))

    async def metrics(self, request: Request) -> Response:
        """The evidence as OpenMetrics."""
        _no_query(request)
        return Response(metrics_text(self._port.health()), headers={**HEADERS, "content-type": CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """The description of all this."""
        _no_query(request)
        return Response(self._openapi, media_type="application/json", headers=HEADERS)


def _without_evidence(facts: HealthFacts) -> HealthFacts:
    """Return the latest evidence as what it is to one who asked for fresh: not enough."""
    status = facts.status if facts.status is HealthStatus.MISCONFIGURED else HealthStatus.UNREACHABLE
    return replace(facts, status=status, errors=(NO_EVIDENCE, *facts.errors))


def _asks_for_probe(request: Request) -> bool:
    query: bytes = request.scope["query_string"]
    if query not in (b"", b"probe=1"):
        raise HTTPException(400, "the query may be probe=1, once, and nothing else")
    return bool(query)


def _no_query(request: Request) -> None:
    if request.scope["query_string"]:
        raise HTTPException(400, "this path takes no query")


def _yes_or_no(body: BaseModel) -> Response:
    return _json(body, 503 if isinstance(body, Problem) else 200)


def _json(body: BaseModel, status: int, headers: Mapping[str, str] = HEADERS) -> Response:
    return Response(body.model_dump_json(), status, headers, media_type="application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 400:
        return _json(Problem(error="bad_query", detail=error.detail), 400)
    paths = ", ".join(["/health/", *(link for link in LINKS.values() if "?" not in link)])
    return _json(Problem(error="not_found", detail=f"there is no such path; there are: {paths}"), 404)


async def _told_why(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        return await _failed(request, error)
    return _json(error.problem, error.status, error.headers)


async def _failed(_request: Request, _error: Exception) -> Response:
    return _json(Problem(error="failed", detail="the answer could not be made; the log tells why"), 500)


class _Door:
    """Lets in what is a plain GET for this very server, from no web page; closes the connection on all else."""

    def __init__(self, app: ASGIApp, hosts: frozenset[bytes], hostless: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._hostless = hostless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        answer = self._app if scope["type"] != "http" else self._refusal(scope) or self._app
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if _head_bytes(scope) > MAX_HEAD_BYTES:
            return _closing(431, head_too_long())
        if not self._is_for_us(headers):
            return _closing(421, Problem(error="misdirected", detail="Host does not name this server"))
        if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") not in OWN_PAGES:
            return _closing(403, Problem(error="forbidden", detail="web pages are not answered"))
        if scope["method"] != "GET":
            return _closing(405, Problem(error="method_not_allowed", detail="only GET is answered"), allow="GET")
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0"):
            return _closing(413, Problem(error="body_refused", detail="a request carries no body here"))
        return None

    def _is_for_us(self, headers: Mapping[bytes, bytes]) -> bool:
        host = headers.get(b"host")
        return self._hostless if host is None else host.lower() in self._hosts


def _head_bytes(scope: Scope) -> int:
    """Return about how long the head was; the parser limits only what comes in pieces."""
    fields = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return fields + len(scope["raw_path"]) + len(scope["query_string"])


def _closing(status: int, error: Problem, **headers: str) -> Response:
    return _json(error, status, {**HEADERS, "connection": "close", **headers})

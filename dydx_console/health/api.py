"""The account's API: read-only, switched on by a token's file, and answering nobody without the token."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dydx_console.health.accounts import (
    account_body,
    later,
    order_body,
    orders_body,
    position_body,
    positions_body,
)
from dydx_console.health.asked import QueryError, cursor_of, orders_query
from dydx_console.health.documents import Problem, shown
from dydx_console.health.token import ApiToken
from dydx_console.ports.health import HealthFacts, HealthPort
from dydx_console.ports.history import HistoryDesk
from dydx_console.ports.journal import HistoryPort, HistoryQuery, JournalError, OrderHop, OrderRecord, PlacedFill
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.snapshot import Snapshot

__all__ = ["ASK_S", "AccountSource", "Api", "Refused", "api_routes"]

T = TypeVar("T")
ASK_S = 2.0
"""Seconds that the journal is given; a connection is cut after five."""
MOST_ASKING = 8
"""Requests that wait for the journal at a time."""
MOST_FILLS = 500
MOST_ID = 200
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
UNAUTHORIZED = "Authorization has to be Bearer, a blank, and the token in the file of [health] api_token_file"
CHALLENGE = {"www-authenticate": 'Bearer realm="dydx-console"'}


class AccountSource(Protocol):
    """The engine as the API sees it. Callable from any thread."""

    @property
    def mailbox(self) -> Mailbox:
        """Where the newest picture is."""
        ...

    @property
    def history(self) -> HistoryDesk:
        """Answers questions to the journal."""
        ...

    def monotonic(self) -> float:
        """Return the engine's clock, the one that pictures are stamped with."""
        ...


@dataclass(frozen=True, slots=True)
class Api:
    """What the API answers from, and the token that it answers to."""

    source: AccountSource
    token: ApiToken


class Refused(Exception):  # noqa: N818 -- an answer, not a failure
    """An answer that is none: a status with its reason."""

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(error)
        self.status = status
        self.problem = Problem(error=error, detail=shown(detail))

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        return {**HEADERS, **(CHALLENGE if self.status == 401 else {})}


Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def api_routes(port: HealthPort, api: Api | None) -> list[Route]:
    """Return the routes of the API, none where it is switched off."""
    if api is None:
        return []
    routes = _ApiRoutes(port, api.source)
    paths: dict[str, Handler] = {
        "/api/account": routes.account,
        "/api/positions/summary": routes.positions,
        "/api/positions/{id}/pnl": routes.position,
        "/api/orders": routes.orders,
        "/api/orders/{id}": routes.order,
    }
    return [Route(path, _guarded(handler, api.token)) for path, handler in paths.items()]


def _guarded(handler: Handler, token: ApiToken) -> Handler:
    async def answer(request: Request) -> Response:
        given = request.headers.getlist("authorization")
        if not token.admits(given[0].encode("latin-1") if len(given) == 1 else None):
            raise Refused(401, "unauthorized", UNAUTHORIZED)
        return await handler(request)

    return answer


class _ApiRoutes:
    """One method for each path."""

    def __init__(self, port: HealthPort, source: AccountSource) -> None:
        self._port = port
        self._source = source
        self._asking = 0

    async def account(self, request: Request) -> Response:
        """The account's margin, balances and PNL."""
        _no_query(request)
        snapshot, facts = self._picture()
        return _json(account_body(snapshot, facts))

    async def positions(self, request: Request) -> Response:
        """The open positions and their sums."""
        _no_query(request)
        snapshot, facts = self._picture()
        return _json(positions_body(snapshot, facts))

    async def position(self, request: Request) -> Response:
        """PNL of one subaccount and market."""
        _no_query(request)
        snapshot, facts = self._picture()
        name: str = request.path_params["id"]
        body = position_body(snapshot, facts, name)
        if body is None:
            raise Refused(404, "not_found", f"nothing is known of a position {name[:80]!r}; an id is like 0-ETH-USD")
        return _json(body)

    async def orders(self, request: Request) -> Response:
        """A page of the order history."""
        raw: bytes = request.scope["query_string"]
        snapshot, facts = self._picture()
        watched, now = snapshot.watched, snapshot.venue_time or snapshot.block_time
        newest = self._source.mailbox.latest()
        markets = () if newest is None else tuple(newest.markets)
        try:
            query = orders_query(raw, None if watched is None else watched.parent, markets, now)
        except QueryError as error:
            raise Refused(400, "bad_query", str(error)) from None
        page = await self._asked(lambda history: history.orders(query))
        progress = self._source.history.progress
        return _json(orders_body(snapshot, facts, progress, page.rows, cursor_of(page.next, raw)))

    async def order(self, request: Request) -> Response:
        """An order with its fills and standings."""
        _no_query(request)
        snapshot, facts = self._picture()
        order_id: str = request.path_params["id"]
        found = None if len(order_id) > MOST_ID else await self._asked(lambda history: _order(history, order_id))
        if found is None:
            raise Refused(404, "not_found", f"no order {order_id[:80]!r} is known")
        noted, hops, fills = found
        return _json(order_body(snapshot, facts, noted, hops, fills))

    def _picture(self) -> tuple[Snapshot, HealthFacts]:
        """Return the newest picture, as old as it is by now."""
        snapshot = self._source.mailbox.latest()
        if snapshot is None:
            raise Refused(503, "no_picture", "nothing has been heard of the account yet")
        return later(snapshot, max(self._source.monotonic() - snapshot.at, 0.0)), self._port.health()

    async def _asked(self, question: Callable[[HistoryPort], Coroutine[Any, Any, T]]) -> T:
        if self._asking >= MOST_ASKING:
            raise Refused(503, "busy", f"{MOST_ASKING} requests wait for the journal already")
        future = asyncio.wrap_future(self._source.history.ask(question))
        self._asking += 1
        try:
            await asyncio.wait({future}, timeout=ASK_S)
        finally:
            self._asking -= 1
            if not future.done():
                future.cancel()
        return _answer(future)


def _answer(future: "asyncio.Future[T]") -> T:
    if future.cancelled() or not future.done():
        raise Refused(503, "no_answer", "the journal gave no answer in time")
    error = future.exception()
    if isinstance(error, JournalError):
        raise Refused(503, "no_journal", str(error))
    if isinstance(error, ValueError):
        raise Refused(400, "bad_query", str(error))
    return future.result()


async def _order(
    history: HistoryPort, order_id: str
) -> tuple[OrderRecord, tuple[OrderHop, ...], tuple[PlacedFill, ...]] | None:
    found = await history.order(order_id)
    if found is None:
        return None
    fills = await history.fills(HistoryQuery(order_id=order_id, oldest_first=True, limit=MOST_FILLS))
    return (*found, fills.rows)


def _no_query(request: Request) -> None:
    if request.scope["query_string"]:
        raise Refused(400, "bad_query", "this path takes no query")


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), 200, HEADERS, media_type="application/json")

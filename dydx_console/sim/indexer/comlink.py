"""The Indexer's HTTP side without a socket: `answer(request, now_ms)` → status, headers, body text.

Routing, rate limits, cache headers and error bodies follow dydxprotocol/v4-chain indexer/services/comlink.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from urllib.parse import unquote

from dydx_console.sim.indexer import account_answers as account
from dydx_console.sim.indexer import limiter as limits
from dydx_console.sim.indexer import market_answers as market
from dydx_console.sim.indexer import pnl_answers
from dydx_console.sim.indexer.limiter import Bucket, Limiter
from dydx_console.sim.indexer.order_answers import order_by_id, orders, snapshot_orders
from dydx_console.sim.indexer.store import Store
from dydx_console.sim.indexer.validation import Params, RefusedError, Value

Headers = tuple[tuple[str, str], ...]
Handler = Callable[[Store, Params, int], object]
SHORT_CACHE = "public, max-age=1"
LONG_CACHE = "public, max-age=10"
NO_CACHE = "no-cache, no-store, no-transform"
UNKNOWN_ROUTE = {"error": "Not Found", "errorCode": 404}
TOO_MANY = {"errors": [{"msg": "Too many requests"}]}
BASE_HEADERS: Headers = (("X-Powered-By", "Express"), ("Access-Control-Allow-Origin", "*"))
JSON_TYPE = ("Content-Type", "application/json; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, `path` still percent-encoded.

    `client` is the address that rate limits count by; None is the Indexer itself.
    """

    method: str
    path: str
    query: Mapping[str, Value] = field(default_factory=dict)
    client: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers in order, and the body's text."""

    status: int
    headers: Headers
    body: str

    def json(self) -> object:
        """The body decoded."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Route:
    """A path pattern (`:name` matches one part), its handler, bucket and cache header."""

    pattern: tuple[str, ...]
    handler: Handler
    bucket: Bucket | None
    cache: str | None = SHORT_CACHE

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Path parameters, or None; fixed parts compare without case, as Express does."""
        if len(parts) != len(self.pattern):
            return None
        found: dict[str, str] = {}
        for wanted, part in zip(self.pattern, parts, strict=True):
            if wanted.startswith(":"):
                found[wanted[1:]] = part
            elif wanted.lower() != part.lower():
                return None
        return found


def dumps(value: object) -> str:
    """JSON as JavaScript writes it: no spaces, no escapes beyond need."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def etag(body: str) -> str:
    """Express's weak entity tag."""
    data = body.encode()
    digest = b64encode(sha1(data, usedforsecurity=False).digest()).decode()[:27]
    return f'W/"{len(data):x}-{digest}"'


def _constant(value: object) -> Handler:
    def answer(_store: Store, _params: Params, _now_ms: int) -> object:
        return value

    return answer


def _affiliate_metadata(_store: Store, params: Params, _now_ms: int) -> object:
    params.address()
    params.check()
    return {"referralCode": "", "isVolumeEligible": False, "isAffiliate": False}


def _snapshot(_store: Store, _params: Params, _now_ms: int) -> object:
    return {"affiliateList": [], "currentOffset": 0, "total": 0}


def _route(path: str, handler: Handler, bucket: Bucket | None = limits.GET, cache: str | None = SHORT_CACHE) -> Route:
    return Route(tuple(part for part in path.split("/") if part), handler, bucket, cache)


ROUTES: tuple[Route, ...] = (
    _route("/v4/height", market.height, cache=None),
    _route("/v4/time", market.time, cache=NO_CACHE),
    _route("/v4/perpetualMarkets", market.perpetual_markets),
    _route("/v4/orderbooks/perpetualMarket/:ticker", market.orderbook),
    _route("/v4/trades/perpetualMarket/:ticker", market.trades),
    _route("/v4/candles/perpetualMarkets/:ticker", market.candles, limits.CANDLES),
    _route("/v4/sparklines", market.sparklines, limits.SPARKLINES),
    _route("/v4/historicalFunding/:ticker", market.historical_funding),
    _route("/v4/addresses/:address", account.addresses),
    _route("/v4/addresses/:address/subaccountNumber/:subaccountNumber", account.subaccount),
    _route("/v4/addresses/:address/parentSubaccountNumber/:parentSubaccountNumber", account.parent_subaccount),
    _route("/v4/assetPositions", account.asset_positions(parent=False)),
    _route("/v4/assetPositions/parentSubaccountNumber", account.asset_positions(parent=True)),
    _route("/v4/perpetualPositions", account.positions(parent=False)),
    _route("/v4/perpetualPositions/parentSubaccountNumber", account.positions(parent=True)),
    _route("/v4/orders", orders(parent=False), limits.ORDERS),
    _route("/v4/orders/parentSubaccountNumber", orders(parent=True), limits.ORDERS),
    _route("/v4/orders/:orderId", order_by_id, None),
    _route("/v4/fills", account.fills(parent=False), limits.FILLS),
    _route("/v4/fills/parentSubaccountNumber", account.fills(parent=True), limits.FILLS),
    _route("/v4/tradeHistory", account.trade_history(parent=False), limits.FILLS),
    _route("/v4/tradeHistory/parentSubaccountNumber", account.trade_history(parent=True), limits.FILLS),
    _route("/v4/transfers", account.transfers(parent=False)),
    _route("/v4/transfers/parentSubaccountNumber", account.transfers(parent=True)),
    _route("/v4/transfers/between", account.transfers_between),
    _route("/v4/historical-pnl", pnl_answers.historical_pnl(parent=False), limits.HISTORICAL_PNL, LONG_CACHE),
    _route(
        "/v4/historical-pnl/parentSubaccountNumber",
        pnl_answers.historical_pnl(parent=True),
        limits.HISTORICAL_PNL,
        LONG_CACHE,
    ),
    _route("/v4/pnl", pnl_answers.pnl(parent=False), limits.PNL, LONG_CACHE),
    _route("/v4/pnl/parentSubaccountNumber", pnl_answers.pnl(parent=True), limits.PNL, LONG_CACHE),
    _route("/v4/fundingPayments", account.funding_payments(parent=False), limits.FUNDING, LONG_CACHE),
    _route(
        "/v4/fundingPayments/parentSubaccount", account.funding_payments(parent=True), limits.FUNDING, LONG_CACHE
    ),
    _route("/v4/historicalBlockTradingRewards/:address", pnl_answers.block_rewards, cache=LONG_CACHE),
    _route("/v4/historicalTradingRewardAggregations/:address", pnl_answers.reward_aggregations, cache=LONG_CACHE),
    _route("/v4/affiliates/metadata", _affiliate_metadata, cache=LONG_CACHE),
    _route("/v4/affiliates/snapshot", _snapshot, cache=LONG_CACHE),
    _route("/v4/affiliates/total_volume", _constant({"totalVolume": 0}), cache=LONG_CACHE),
    _route("/v4/vault/v1/megavault/historicalPnl", _constant({"megavaultPnl": []}), cache=LONG_CACHE),
    _route("/v4/vault/v1/vaults/historicalPnl", _constant({"vaultsPnl": []}), cache=LONG_CACHE),
    _route("/v4/vault/v1/megavault/positions", _constant({"positions": []}), cache=LONG_CACHE),
    _route("/v4/trader/search", account.trader_search),
    _route("/health", _constant({"ok": True}), None, None),
)  # fmt: skip


class Comlink:
    """Answers requests from the store. `limited` False switches the rate limits off."""

    def __init__(self, store: Store, *, limited: bool = True) -> None:
        self.store = store
        self._limited = limited
        self._limiter = Limiter()
        self._screened: set[str] = set()

    def answer(self, request: Request, now_ms: int) -> Answer:
        """The answer to any request at all."""
        if request.method == "OPTIONS":
            return Answer(200, (*BASE_HEADERS, ("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")), "")
        found = self._find(request) if request.method in ("GET", "HEAD") else None
        if found is None:
            return self._finish(request, 404, UNKNOWN_ROUTE, ())
        route, path = found
        return self._run(route, Params(path, request.query), request, now_ms)

    def fetch(self, path: str, now_ms: int, query: Mapping[str, Value] | None = None) -> Answer:
        """A request of the Indexer's own (socks taking a snapshot): never limited."""
        return self.answer(Request("GET", path, query or {}), now_ms)

    def account_snapshot(self, address: str, number: str, now_ms: int, *, parent: bool) -> tuple[int, str]:
        """What a subscription to a subaccount begins with: (status, contents or error body)."""
        kind = "parentSubaccountNumber" if parent else "subaccountNumber"
        answer = self.fetch(f"/v4/addresses/{address}/{kind}/{number}", now_ms)
        if answer.status != 200:
            return answer.status, answer.body
        where = account.scope(self.store, Params({"address": address, kind: number}, {}), parent=parent)
        working = dumps(snapshot_orders(self.store, where))
        return 200, f'{answer.body[:-1]},"orders":{working},"blockHeight":"{self.store.height}"}}'

    def _find(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        parts = [unquote(part) for part in request.path.split("/")[1:]]
        if parts and parts[-1] == "" and len(parts) > 1:
            parts.pop()
        if request.path.startswith(("/v4/screen", "/v4/compliance/screen")):
            return self._screen(parts)
        for route in ROUTES:
            found = route.match(parts)
            if found is not None:
                return route, found
        return None

    def _screen(self, parts: list[str]) -> tuple[Route, dict[str, str]] | None:
        if parts == ["v4", "screen"]:
            return _route("/v4/screen", _constant({"restricted": False}), limits.SCREEN, None), {}
        if len(parts) == 4:
            route = _route("/v4/compliance/screen/:address", _constant({"status": "COMPLIANT"}), limits.SCREEN, None)
            return route, {"address": parts[3]}
        return None

    def _run(self, route: Route, params: Params, request: Request, now_ms: int) -> Answer:
        headers: Headers = ()
        bucket = route.bucket
        if bucket is limits.SCREEN:
            bucket = self._screen_bucket(params)
        if bucket is not None and request.client is not None and self._limited:
            verdict = self._limiter.take(request.client, bucket, now_ms)
            headers = verdict.headers
            if not verdict.allowed:
                return self._finish(request, 429, TOO_MANY, headers)
        if route.cache is not None:
            headers = (*headers, ("Cache-Control", route.cache))
        try:
            body = route.handler(self.store, params, now_ms)
        except RefusedError as refused:
            return self._finish(request, refused.status, refused.body, headers)
        return self._finish(request, 200, body, headers)

    def _screen_bucket(self, params: Params) -> Bucket:
        """Only look-ups that are not cached count against the provider's small budget."""
        address = params.text("address") or ""
        if address in self._screened:
            return limits.GET
        self._screened.add(address)
        return limits.SCREEN

    def _finish(self, request: Request, status: int, body: object, headers: Headers) -> Answer:
        text = dumps(body)
        tag = etag(text)
        if status == 200 and request.if_none_match == tag:
            return Answer(304, (*BASE_HEADERS, *headers, ("ETag", tag)), "")
        return Answer(status, (*BASE_HEADERS, *headers, JSON_TYPE, ("ETag", tag)), text)

"""GET /orders: the merge of Postgres and Redis (dydxprotocol/v4-chain
indexer/services/comlink/src/controllers/api/v4/orders-controller.ts)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dydx_console.sim.core.orders import Order
from dydx_console.sim.indexer import order_shapes
from dydx_console.sim.indexer.account_answers import Scope, scope
from dydx_console.sim.indexer.rows import BEST_EFFORT_OPENED, OrderRow, SubaccountRow
from dydx_console.sim.indexer.shapes import Json
from dydx_console.sim.indexer.store import Store
from dydx_console.sim.indexer.validation import Params, not_found

STATUSES = ("OPEN", "FILLED", "CANCELED", "BEST_EFFORT_CANCELED", "UNTRIGGERED", "ERROR", "BEST_EFFORT_OPENED")
TYPES = (
    "LIMIT",
    "MARKET",
    "STOP_LIMIT",
    "STOP_MARKET",
    "TRAILING_STOP",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TWAP",
    "TWAP_SUBORDER",
)
SIDES = ("BUY", "SELL")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Found:
    """One order of the merge; either half may be missing."""

    owner: SubaccountRow
    row: OrderRow | None
    cached: Order | None

    @property
    def order(self) -> Order:
        """The order whose good-til counts."""
        order = self.cached or (self.row.order if self.row else None)
        if order is None:
            raise ValueError("an order of the merge has at least one half")
        return order

    @property
    def status(self) -> str:
        """Postgres's word when there is a row."""
        return self.row.status if self.row else BEST_EFFORT_OPENED

    @property
    def sort_key(self) -> tuple[int, int]:
        """Orders with a good-til time stand above those with a good-til block."""
        order = self.order
        if order.good_til_block_time_s is not None:
            return (1, order.good_til_block_time_s)
        return (0, order.good_til_block or 0)


@dataclass(frozen=True, slots=True)
class _Filter:
    ticker: str | None
    sides: list[str] | None
    types: list[str] | None
    excluded: list[str] | None
    statuses: list[str] | None
    block_before: int | None
    block_after: int | None
    time_before_ms: int | None
    time_after_ms: int | None

    def takes(self, store: Store, order: Order) -> bool:
        """Everything but status and the type lists."""
        ticker = store.by_pair[order.id.clob_pair_id].market.ticker
        if self.ticker not in (None, ticker) or (self.sides is not None and order.side.name not in self.sides):
            return False
        time_ms = None if order.good_til_block_time_s is None else order.good_til_block_time_s * 1000
        return _within(order.good_til_block, self.block_before, self.block_after) and _within(
            time_ms, self.time_before_ms, self.time_after_ms
        )

    def takes_type(self, order: Order) -> bool:
        """The type lists, which bind the Postgres part only."""
        type_ = order_shapes.order_type(order)
        return (self.types is None or type_ in self.types) and type_ not in (self.excluded or ())

    def takes_status(self, status: str) -> bool:
        return self.statuses is None or status in self.statuses


def _within(value: int | None, before_or_at: int | None, after: int | None) -> bool:
    if before_or_at is None and after is None:
        return True
    return value is not None and (before_or_at is None or value <= before_or_at) and (after is None or value > after)


def orders(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /orders and its parent variant: a bare array.

    Latest good-til first; any `returnLatestOrders`, `true` as well, turns that round (the validated value stays a text
    and only the boolean would mean descending).
    """

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        wanted = _read_filter(store, params)
        limit = params.limit()
        ascending = params.raw("returnLatestOrders") is not None
        from_cache = params.text("type") in (None, "LIMIT")
        params.check()
        found = _postgres(store, where, wanted, limit, ascending=ascending)
        if from_cache:
            found = _merged(store, where, wanted, found)
        found = [item for item in found if wanted.takes_status(item.status)]
        found.sort(key=lambda item: item.sort_key, reverse=not ascending)
        return [order_body(store, item) for item in found[:limit]]

    return answer


def _read_filter(store: Store, params: Params) -> _Filter:
    listed = ",".join(STATUSES)
    types = params.many("type", TYPES, f"type must be one of {','.join(TYPES)}")
    included = params.many("includeTypes", TYPES, f"includeTypes must be one of {','.join(TYPES)}")
    return _Filter(
        ticker=params.ticker("ticker", store.markets),
        sides=params.many("side", SIDES, "side must be one of BUY,SELL"),
        types=types if types is not None else included,
        excluded=params.many("excludeTypes", TYPES, f"excludeTypes must be one of {','.join(TYPES)}"),
        statuses=params.many("status", STATUSES, f"status must be one of {listed}"),
        block_before=params.height("goodTilBlockBeforeOrAt"),
        block_after=params.height("goodTilBlockAfter"),
        time_before_ms=params.moment("goodTilBlockTimeBeforeOrAt"),
        time_after_ms=params.moment("goodTilBlockTimeAfter"),
    )


def _postgres(store: Store, where: Scope, wanted: _Filter, limit: int, *, ascending: bool) -> list[_Found]:
    found = [
        _Found(owner, row, None)
        for owner in where.rows
        for row in owner.orders.values()
        if wanted.takes(store, row.order) and wanted.takes_type(row.order) and wanted.takes_status(row.status)
    ]
    found.sort(key=lambda item: item.sort_key, reverse=not ascending)
    return found[:limit]


def _merged(store: Store, where: Scope, wanted: _Filter, found: list[_Found]) -> list[_Found]:
    by_id = {item.row.id: item for item in found if item.row is not None}
    for owner in where.rows:
        for order_id, order in owner.cached_orders.items():
            if wanted.takes(store, order):
                by_id[order_id] = _Found(owner, store.orders.get(order_id), order)
    return list(by_id.values())


def order_body(store: Store, found: _Found) -> Json:
    """The REST object of a merged order."""
    order = found.order
    market = store.by_pair[order.id.clob_pair_id].market
    if found.row is None:
        return order_shapes.order_cached(store.order_id(order), found.owner, market, order)
    return order_shapes.order_rest(found.owner, market, found.row, found.cached)


def order_by_id(store: Store, params: Params, _now_ms: int) -> object:
    """GET /orders/:orderId."""
    order_id = params.text("orderId") or ""
    if not _UUID.fullmatch(order_id):
        params.fail("orderId", "Invalid value")
    params.check()
    row = store.orders.get(order_id)
    for owner in store.subaccounts.values():
        cached = owner.cached_orders.get(order_id)
        if cached is not None or (row is not None and order_id in owner.orders):
            return order_body(store, _Found(owner, row, cached))
    raise not_found(f"Unable to find order id {order_id}")


def snapshot_orders(store: Store, where: Scope) -> list[Json]:
    """The `orders` of a subscription: two REST calls, one after the other, without dedupe.

    Everything working, then BEST_EFFORT_CANCELED ones whose good-til-block is above the height less 20.
    """
    working = ["OPEN", "UNTRIGGERED", "BEST_EFFORT_OPENED"]
    canceled = ["BEST_EFFORT_CANCELED"]
    plain = _Filter(None, None, None, None, working, None, None, None, None)
    late = _Filter(None, None, None, None, canceled, None, max(0, store.height - 20), None, None)
    bodies: list[Json] = []
    for wanted in (plain, late):
        found = _merged(store, where, wanted, _postgres(store, where, wanted, 1_000, ascending=False))
        found = [item for item in found if wanted.takes_status(item.status)]
        found.sort(key=lambda item: item.sort_key, reverse=True)
        bodies += [order_body(store, item) for item in found]
    return bodies

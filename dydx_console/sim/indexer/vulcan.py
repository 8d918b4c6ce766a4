"""The off-chain half of the Indexer: one node's order memory and book levels, kept in Redis.

Sources: dydxprotocol/v4-chain indexer/services/vulcan/src/handlers/{order-place,order-remove,order-update}-handler.ts.
"""

from __future__ import annotations

from dydx_console.sim.core.events import ConditionalTriggered, LevelChanged, OrderOpened, OrderRemoved, StatefulRemoved
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Order, OrderId, RemovalReason, Side
from dydx_console.sim.indexer import order_shapes, shapes
from dydx_console.sim.indexer.outlet import ORDERBOOK, Outlet
from dydx_console.sim.indexer.rows import (
    BEST_EFFORT_CANCELED,
    BEST_EFFORT_OPENED,
    CANCELED,
    FILLED,
    OPEN,
    Level,
    SubaccountRow,
)
from dydx_console.sim.indexer.store import Store
from dydx_console.sim.indexer.text import number, order_uuid

HEIGHT_REFRESH_MS = 1_000
CANCEL_CACHE_MS = 30_000


class Vulcan:
    """Turns what a node says about its memory into cache rows and messages."""

    def __init__(self, store: Store, outlet: Outlet) -> None:
        self._store = store
        self._outlet = outlet
        self._height = store.height
        self._refresh_ms = 0

    def tick(self, now_ms: int) -> None:
        """Vulcan knows the height from a refresher of its own, so its messages lag behind ender's."""
        if now_ms >= self._refresh_ms:
            self._height = self._store.height
            self._refresh_ms = now_ms + HEIGHT_REFRESH_MS
            self._forget(now_ms)

    def level(self, event: LevelChanged, now_ms: int) -> None:
        """A level's new absolute total: one update each."""
        row = self._store.by_pair[event.clob_pair_id]
        levels = row.levels(event.side)
        if event.quantums:
            levels[event.subticks] = Level(event.quantums, now_ms)
        else:
            levels.pop(event.subticks, None)
        market = row.market
        if self._outlet.wants(ORDERBOOK, market.ticker):
            key = "bids" if event.side is Side.BUY else "asks"
            change = [[number(market.price(event.subticks)), number(market.size(event.quantums))]]
            self._outlet.publish(ORDERBOOK, market.ticker, {key: change})

    def opened(self, event: OrderOpened) -> None:
        """A short-term order is in the node's memory."""
        order = event.order
        owner, order_id, market = self._locate(order.id)
        owner.cached_orders[order_id] = order
        self._store.canceled.pop(order_id, None)
        if self._wants(owner):
            contents = order_shapes.order_opened(order_id, owner, market, order, BEST_EFFORT_OPENED)
            self._publish(owner, {**contents, **order_shapes.order_tail(order, market)})

    def stateful_opened(self, order: Order) -> None:
        """A long-term order was placed on chain, or a conditional one triggered."""
        owner, order_id, market = self._locate(order.id)
        owner.cached_orders[order_id] = order
        self._store.canceled.pop(order_id, None)
        row = self._store.orders.get(order_id)
        if self._wants(owner) and row is not None:
            contents = order_shapes.order_opened(order_id, owner, market, order, OPEN)
            self._publish(
                owner, {**contents, **order_shapes.row_heights(row), **order_shapes.order_tail(order, market)}
            )

    def triggered(self, event: ConditionalTriggered) -> None:
        """A conditional order came alive."""
        self.stateful_opened(event.order)

    def removed(self, event: OrderRemoved, now_ms: int) -> None:
        """A node dropped an order. Its row, if it has one, takes the status at once."""
        owner, order_id, market = self._locate(event.order_id)
        cached = owner.cached_orders.pop(order_id, None)
        row = self._store.orders.get(order_id)
        if row is not None and row.status == FILLED and event.reason is not RemovalReason.REPLACED:
            return
        status = CANCELED if event.final else BEST_EFFORT_CANCELED
        self._store.canceled[order_id] = (status, now_ms)
        if row is not None:
            row.status = status
        if event.reason is RemovalReason.FULLY_FILLED or not self._wants(owner):
            return
        order = cached or event.order
        if cached is None or order is None:
            self._publish(owner, self._unknown(owner, event, order_id, status))
            return
        filled: shapes.Json = {"totalOptimisticFilled": number(market.size(event.filled_quantums))}
        contents = order_shapes.order_removed(
            order_id, owner, market, order, status=status, reason=event.reason.value, filled=filled
        )
        heights = order_shapes.row_heights(row) if row is not None else {}
        self._publish(owner, {**contents, **heights, **order_shapes.order_tail(order, market)})

    def stateful_removed(self, event: StatefulRemoved) -> None:
        """A stateful order left state. The row is already CANCELED; a user's cancel carries the final filled amount."""
        owner, order_id, market = self._locate(event.order.id)
        owner.cached_orders.pop(order_id, None)
        row = self._store.orders.get(order_id)
        if event.reason is RemovalReason.FULLY_FILLED or row is None or not self._wants(owner):
            return
        key = "totalFilled" if event.reason is RemovalReason.USER_CANCELED else "totalOptimisticFilled"
        filled: shapes.Json = {key: number(market.size(event.filled_quantums))}
        contents = order_shapes.order_removed(
            order_id, owner, market, event.order, status=CANCELED, reason=event.reason.value, filled=filled
        )
        self._publish(
            owner, {**contents, **order_shapes.row_heights(row), **order_shapes.order_tail(event.order, market)}
        )

    def _unknown(self, owner: SubaccountRow, event: OrderRemoved, order_id: str, status: str) -> shapes.Json:
        row = self._store.orders.get(order_id)
        contents: shapes.Json = {
            "id": order_id,
            "subaccountId": owner.id,
            "clientId": str(event.order_id.client_id),
            "clobPairId": str(event.order_id.clob_pair_id),
            "status": status,
            "orderFlags": str(event.order_id.flags),
            "ticker": self._store.by_pair[event.order_id.clob_pair_id].market.ticker,
            "removalReason": f"ORDER_REMOVAL_REASON_{event.reason.value}",
        }
        return contents if row is None else {**contents, **order_shapes.row_heights(row)}

    def _locate(self, order_id: OrderId) -> tuple[SubaccountRow, str, Market]:
        owner = self._store.ensure(order_id.subaccount)
        row_id = order_uuid(owner.id, order_id.client_id, order_id.clob_pair_id, order_id.flags)
        return owner, row_id, self._store.by_pair[order_id.clob_pair_id].market

    def _wants(self, owner: SubaccountRow) -> bool:
        return self._outlet.wants_account(owner.address, owner.number)

    def _publish(self, owner: SubaccountRow, order: shapes.Json) -> None:
        contents: shapes.Json = {"orders": [order], "blockHeight": str(self._height)}
        self._outlet.publish_account(owner.address, owner.number, contents)

    def _forget(self, now_ms: int) -> None:
        canceled = self._store.canceled
        for order_id in [i for i, (_, at) in canceled.items() if at < now_ms - CANCEL_CACHE_MS]:
            del canceled[order_id]

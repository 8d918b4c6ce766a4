"""Matches of all kinds into fills, orders, positions and trades.

Sources: dydxprotocol/v4-chain indexer/services/ender/src/handlers/order-fills, and the SQL that those call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from dydx_console.sim.core.events import BlockEvent, Deleveraged, Filled, Liquidated
from dydx_console.sim.core.markets import Market, scaled
from dydx_console.sim.core.orders import LONG_TERM, Order, Side, TimeInForce
from dydx_console.sim.indexer import order_shapes, shapes
from dydx_console.sim.indexer.outlet import Outlet
from dydx_console.sim.indexer.positions import apply_fill
from dydx_console.sim.indexer.rows import (
    BEST_EFFORT_CANCELED,
    CANCELED,
    FILLED,
    OPEN,
    ZERO,
    FillRow,
    FillType,
    OrderRow,
    PositionRow,
    SubaccountRow,
    TradeRow,
)
from dydx_console.sim.indexer.store import MarketRow, Store
from dydx_console.sim.indexer.text import fill_uuid, quotient


@dataclass(slots=True)
class Pending:
    """A subaccount message of the block being handled; one with an `order_id` may be merged into a later one."""

    owner: SubaccountRow
    contents: shapes.Json
    order_id: str | None = None
    fills: list[shapes.Json] | None = None


class _Match(NamedTuple):
    """A match as both of its sides see it."""

    trade: TradeRow
    market: Market
    quote: Decimal
    transaction_hash: str


class _Share(NamedTuple):
    """One side of a match; `order` is None where there is none, `fee` is what the account paid."""

    owner: SubaccountRow
    side: Side
    type: FillType
    liquidity: str
    fee: Decimal
    order: OrderRow | None = None


class Matches:
    """Keeps what follows from matches; messages go to `queue`, trades of the block are in `trades` by ticker."""

    def __init__(self, store: Store, outlet: Outlet, queue: Callable[[Pending], None]) -> None:
        self._store = store
        self._outlet = outlet
        self._queue = queue
        self.trades: dict[str, list[TradeRow]] = {}

    def take(self, match: Filled | Liquidated | Deleveraged, event: BlockEvent) -> None:
        """One match of the block at hand."""
        if isinstance(match, Filled):
            self._filled(match, event)
        elif isinstance(match, Liquidated):
            self._liquidated(match, event)
        else:
            self._deleveraged(match, event)

    def _filled(self, filled: Filled, event: BlockEvent) -> None:
        taker, market = filled.taker, self._store.by_pair[filled.taker.id.clob_pair_id]
        match = self._traded(filled, event, market, FillType.LIMIT, taker.side)
        for order, liquidity, fee, total in (
            (filled.maker, "MAKER", filled.maker_fee, filled.maker_filled_quantums),
            (taker, "TAKER", filled.taker_fee, filled.taker_filled_quantums),
        ):
            self._fill_side(match, self._order_share(order, FillType.LIMIT, liquidity, fee, total))

    def _liquidated(self, filled: Liquidated, event: BlockEvent) -> None:
        """The maker's side is a fill of its order; the liquidated account's has none, its fee is the fund's share."""
        market = self._store.by_pair[filled.clob_pair_id]
        match = self._traded(filled, event, market, FillType.LIQUIDATED, filled.side)
        total = filled.maker_filled_quantums
        self._fill_side(match, self._order_share(filled.maker, FillType.LIQUIDATION, "MAKER", filled.maker_fee, total))
        owner, fee = self._store.ensure(filled.subaccount), scaled(filled.insurance_quantums, -6)
        self._fill_side(match, _Share(owner, filled.side, FillType.LIQUIDATED, "TAKER", fee))

    def _deleveraged(self, closed: Deleveraged, event: BlockEvent) -> None:
        market = self._store.by_perpetual[closed.perpetual_id]
        match = self._traded(closed, event, market, FillType.DELEVERAGED, closed.side)
        for subaccount, side, kind, liquidity in (
            (closed.bankrupt, closed.side, FillType.DELEVERAGED, "TAKER"),
            (closed.offsetting, closed.side.opposite, FillType.OFFSETTING, "MAKER"),
        ):
            self._fill_side(match, _Share(self._store.ensure(subaccount), side, kind, liquidity, ZERO))

    def _traded(
        self,
        match: Filled | Liquidated | Deleveraged,
        event: BlockEvent,
        row: MarketRow,
        kind: FillType,
        side: Side,
    ) -> _Match:
        """Put a match on the public tape; `side` is the taker's."""
        store, market = self._store, row.market
        size, quote = market.size(match.quantums), scaled(match.quote_quantums, -6)
        price = quotient(quote, size) if isinstance(match, Deleveraged) else market.price(match.subticks)
        trade = TradeRow(event.event_id(store.height), kind, side.name, size, price, store.time_ms, store.height)
        row.trades.append(trade)
        if kind is not FillType.LIMIT:
            row.forced.append(trade)
        self.trades.setdefault(market.ticker, []).append(trade)
        return _Match(trade, market, quote, event.transaction_hash)

    def _order_share(self, order: Order, kind: FillType, liquidity: str, fee: int, total: int) -> _Share:
        owner = self._store.ensure(order.id.subaccount)
        size = self._store.by_pair[order.id.clob_pair_id].market.size(total)
        return _Share(owner, order.side, kind, liquidity, scaled(fee, -6), self._upsert(owner, order, size))

    def _fill_side(self, match: _Match, share: _Share) -> None:
        store, owner, trade, market = self._store, share.owner, match.trade, match.market
        position = owner.latest_positions[market.perpetual_id]
        realized = share.fee if share.type is FillType.LIMIT else None
        before, entry_before = apply_fill(position, share.side.name, trade.size, trade.price, realized)
        told = share.type not in (FillType.DELEVERAGED, FillType.OFFSETTING)
        fill = FillRow(
            id=fill_uuid(trade.id, share.liquidity),
            event_id=trade.id,
            subaccount_id=owner.id,
            subaccount_number=owner.number,
            order_id=None if share.order is None else share.order.id,
            type=share.type,
            side=share.side.name,
            liquidity=share.liquidity,
            market=market,
            size=trade.size,
            price=trade.price,
            quote_amount=match.quote,
            fee=share.fee,
            transaction_hash=match.transaction_hash,
            created_ms=store.time_ms,
            height=store.height,
            client_metadata=None if share.order is None else str(share.order.order.client_metadata),
            position_size_before=before if told else None,
            entry_price_before=(entry_before or None) if told else None,
            position_side_before=position.side if told else None,
        )
        owner.fills.append(fill)
        kept = store.kept_rows(owner)
        if len(owner.fills) > kept + kept // 10:
            del owner.fills[:-kept]
        if self._outlet.wants_account(owner.address, owner.number):
            self._tell(share, position, fill)

    def _tell(self, share: _Share, position: PositionRow, fill: FillRow) -> None:
        owner, market = share.owner, position.market
        oracle = self._store.markets[market.ticker].oracle_price
        contents: shapes.Json = {
            "perpetualPositions": [shapes.position_stream(position, oracle)],
            "blockHeight": str(self._store.height),
        }
        if share.order is not None:
            contents["orders"] = [order_shapes.order_row_stream(share.order, owner, market)]
        self._queue(Pending(owner, contents, fill.order_id, [shapes.fill_stream(fill)]))

    def _upsert(self, owner: SubaccountRow, order: Order, total_filled: Decimal) -> OrderRow:
        store = self._store
        order_id = store.order_id(order)
        row = store.orders.get(order_id)
        if row is None:
            row = OrderRow(order_id, order, OPEN, ZERO, store.time_ms, store.height, store.time_ms, store.height)
        row.order = order
        row.total_filled = total_filled
        row.status = self._status(order, order_id, total_filled)
        row.updated_ms, row.updated_height = store.time_ms, store.height
        store.put_order(owner, row)
        if row.status == FILLED:
            owner.cached_orders.pop(order_id, None)
        return row

    def _status(self, order: Order, order_id: str, total_filled: Decimal) -> str:
        """The status after a fill: dydx_get_order_status.sql ('stay OPEN' covers long-term, not conditional)."""
        market = self._store.by_pair[order.id.clob_pair_id].market
        if total_filled >= market.size(order.quantums):
            return FILLED
        if order.id.flags == LONG_TERM:
            return OPEN
        if order.time_in_force is TimeInForce.IOC:
            return CANCELED
        canceled = self._store.canceled.get(order_id)
        if canceled is not None:
            return CANCELED if canceled[0] == CANCELED else BEST_EFFORT_CANCELED
        return OPEN

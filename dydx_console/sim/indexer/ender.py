"""The on-chain half of the Indexer: a block's events into rows, then messages in the order of the events.

For one match the subaccount updates come before the fill; all fills of one order in one block travel in the message of
the last one (dydxprotocol/v4-chain indexer/services/ender/src/lib/kafka-publisher.ts).
"""

from __future__ import annotations

from dydx_console.sim.core.events import (
    Block,
    BlockEvent,
    ConditionalTriggered,
    Deleveraged,
    Filled,
    FundingEstimated,
    FundingUpdated,
    Liquidated,
    OracleUpdated,
    Rewarded,
    StatefulPlaced,
    StatefulRemoved,
    StatusChanged,
    SubaccountUpdated,
    Transferred,
)
from dydx_console.sim.core.markets import scaled
from dydx_console.sim.core.orders import CONDITIONAL, LONG_TERM, TWAP, Order, RemovalReason, SubaccountId
from dydx_console.sim.indexer import order_shapes, shapes
from dydx_console.sim.indexer.matches import Matches, Pending
from dydx_console.sim.indexer.outlet import BLOCK_HEIGHT, CANDLES, MARKETS, TRADES, Outlet
from dydx_console.sim.indexer.positions import Moment, apply_update
from dydx_console.sim.indexer.rows import (
    CANCELED,
    OPEN,
    UNTRIGGERED,
    ZERO,
    FundingPaymentRow,
    FundingRow,
    OrderRow,
    RewardRow,
    SubaccountRow,
    TransferRow,
)
from dydx_console.sim.indexer.store import KEPT_ROWS, Store
from dydx_console.sim.indexer.text import iso, number, times, uuid5
from dydx_console.sim.indexer.vulcan import Vulcan


class Ender:
    """Handles one block at a time."""

    def __init__(self, store: Store, outlet: Outlet, vulcan: Vulcan) -> None:
        self._store = store
        self._outlet = outlet
        self._vulcan = vulcan
        self._pending: list[Pending] = []
        self._matches = Matches(store, outlet, self._pending.append)

    def block(self, block: Block, now_ms: int) -> None:
        """Take a block in and publish what follows from it."""
        store = self._store
        store.height, store.time_ms = block.height, block.time_ms
        self._vulcan.tick(now_ms)
        self._pending.clear()
        self._matches.trades = {}
        for event in block.events:
            self._handle(event)
        if self._outlet.wants(BLOCK_HEIGHT, BLOCK_HEIGHT):
            contents: shapes.Json = {"blockHeight": str(block.height), "time": iso(block.time_ms)}
            self._outlet.publish(BLOCK_HEIGHT, BLOCK_HEIGHT, contents)
        self._publish_accounts()
        for event in block.events:
            self._forward(event)
        self._publish_public()

    def _handle(self, event: BlockEvent) -> None:
        match event.event:
            case SubaccountUpdated() as update:
                self._subaccount(update, event)
            case Filled() | Liquidated() | Deleveraged() as match:
                self._matches.take(match, event)
            case StatefulPlaced(order):
                self._placed(order)
            case ConditionalTriggered(order):
                self._set_status(order, OPEN)
            case StatefulRemoved(order, reason) if reason is not RemovalReason.FULLY_FILLED:
                self._set_status(order, CANCELED)
            case Transferred() as transfer:
                self._transferred(transfer, event)
            case Rewarded(amounts):
                self._rewarded(amounts)
            case _:
                self._handle_market(event)

    def _handle_market(self, event: BlockEvent) -> None:
        match event.event:
            case OracleUpdated(market_id, value):
                row = self._store.by_oracle[market_id]
                row.oracle_price = row.market.oracle_price(value)
            case StatusChanged(clob_pair_id, status):
                self._store.by_pair[clob_pair_id].status = status
            case FundingUpdated() as funding:
                self._funding(funding)
            case FundingEstimated(perpetual_id, rate_e9):
                self._store.by_perpetual[perpetual_id].next_funding_rate = scaled(rate_e9, -9)
            case _:
                pass

    def _forward(self, event: BlockEvent) -> None:
        match event.event:
            case StatefulPlaced(order) if order.id.flags in (LONG_TERM, TWAP):
                self._vulcan.stateful_opened(order)
            case ConditionalTriggered() as triggered:
                self._vulcan.triggered(triggered)
            case StatefulRemoved() as removed:
                self._vulcan.stateful_removed(removed)
            case _:
                pass

    def _subaccount(self, update: SubaccountUpdated, event: BlockEvent) -> None:
        store = self._store
        owner = store.ensure(update.subaccount)
        owner.updated_height, owner.updated_ms = store.height, store.time_ms
        owner.usdc = scaled(update.usdc_quantums, -6)
        touched = []
        moment = Moment(event.event_id(store.height), store.height, store.time_ms)
        for state in update.positions:
            market = store.by_perpetual[state.perpetual_id].market
            touched += apply_update(owner, market, state, moment)
        owner.funding_indices = {perpetual: row.funding_index for perpetual, row in store.by_perpetual.items()}
        if not self._wants(owner):
            return
        contents: shapes.Json = {}
        if touched:
            contents["perpetualPositions"] = [
                shapes.position_stream(row, store.markets[row.market.ticker].oracle_price) for row in touched
            ]
        contents["assetPositions"] = [shapes.asset_stream(owner)]
        self._queue(owner, contents)

    def _placed(self, order: Order) -> None:
        store = self._store
        owner = store.ensure(order.id.subaccount)
        conditional = order.id.flags == CONDITIONAL
        status = UNTRIGGERED if conditional else OPEN
        row = OrderRow(
            store.order_id(order), order, status, ZERO, store.time_ms, store.height, store.time_ms, store.height
        )
        store.put_order(owner, row)
        if conditional and self._wants(owner):
            market = store.by_pair[order.id.clob_pair_id].market
            self._queue(owner, {"orders": [order_shapes.order_row_stream(row, owner, market)]})

    def _set_status(self, order: Order, status: str) -> None:
        row = self._store.orders.get(self._store.order_id(order))
        if row is not None:
            row.status = status
            row.updated_ms, row.updated_height = self._store.time_ms, self._store.height

    def _transferred(self, transfer: Transferred, event: BlockEvent) -> None:
        store = self._store
        ends = (transfer.sender, transfer.recipient)
        rows = [store.ensure(end) if isinstance(end, SubaccountId) else None for end in ends]
        addresses = [end.owner if isinstance(end, SubaccountId) else end for end in ends]
        size = scaled(transfer.quote_quantums, -6)
        row = TransferRow(
            id=uuid5(f"{event.event_id(store.height)}-0-{ends[0]}-{ends[1]}"),
            sender=addresses[0],
            sender_number=rows[0].number if rows[0] else None,
            recipient=addresses[1],
            recipient_number=rows[1].number if rows[1] else None,
            size=size,
            created_ms=store.time_ms,
            height=store.height,
            transaction_hash=event.transaction_hash,
        )
        store.transfers.append(row)
        for owner, sign in zip(rows, (-1, 1), strict=True):
            if owner is None:
                continue
            owner.ever_transferred = True
            owner.net_transfers += sign * size
            if self._wants(owner):
                self._queue(owner, {"transfers": shapes.transfer_stream(row, owner.address, owner.number)})

    def _funding(self, event: FundingUpdated) -> None:
        store = self._store
        row = store.by_perpetual[event.perpetual_id]
        previous = row.funding_index
        row.funding_index = row.market.funding_index(event.index)
        row.next_funding_rate = scaled(event.rate_e9, -9)
        price = row.market.oracle_price(event.oracle_value)
        funding = FundingRow(
            row.market, row.next_funding_rate, price, row.funding_index, store.height, store.time_ms
        )  # fmt: skip
        row.fundings.append(funding)
        del row.fundings[:-KEPT_ROWS], store.funding_payments[:-KEPT_ROWS]
        for owner, position in store.open_rows():
            if position.market is row.market:
                payment = times(-position.size, row.funding_index - previous)
                store.funding_payments.append(
                    FundingPaymentRow(owner.id, owner.number, funding, position.size, payment)
                )  # fmt: skip

    def _rewarded(self, amounts: tuple[tuple[str, int], ...]) -> None:
        store = self._store
        for address, amount in amounts:
            reward = RewardRow(scaled(amount, -18), store.height, store.time_ms)
            rows = store.rewards.setdefault(address, [])
            rows.append(reward)
            if len(rows) > KEPT_ROWS:
                del rows[0]
            owner = store.subaccount(address, 0)
            if owner is not None and self._wants(owner):
                body = {
                    "tradingReward": number(reward.amount),
                    "createdAtHeight": str(store.height),
                    "createdAt": iso(store.time_ms),
                }
                self._queue(owner, {"tradingReward": body})

    def _wants(self, owner: SubaccountRow) -> bool:
        return self._outlet.wants_account(owner.address, owner.number)

    def _queue(self, owner: SubaccountRow, contents: shapes.Json) -> None:
        self._pending.append(Pending(owner, {**contents, "blockHeight": str(self._store.height)}))

    def _publish_accounts(self) -> None:
        last = {p.order_id: p for p in self._pending if p.order_id is not None}
        for pending in self._pending:
            target = pending if pending.order_id is None else last[pending.order_id]
            if target is not pending:
                earlier, own = pending.fills or [], target.fills or []
                split = len(own) - 1
                target.fills = [*own[:split], *earlier, *own[split:]]
                continue
            contents = pending.contents if pending.fills is None else {"fills": pending.fills, **pending.contents}
            self._outlet.publish_account(pending.owner.address, pending.owner.number, contents)

    def _publish_public(self) -> None:
        store = self._store
        for row in store.markets.values():
            ticker = row.market.ticker
            trades = self._matches.trades.get(ticker, [])
            if trades and self._outlet.wants(TRADES, ticker):
                self._outlet.publish(TRADES, ticker, {"trades": [shapes.trade_stream(trade) for trade in trades]})
            pairs = [(trade.price, trade.size) for trade in trades]
            changed = store.candles[ticker].update(store.time_ms, pairs, row.open_interest, row.mid_price())
            for resolution, candle in changed:
                if self._outlet.wants(CANDLES, f"{ticker}/{resolution}"):
                    self._outlet.publish(CANDLES, f"{ticker}/{resolution}", candle.contents(ticker, resolution))

    def publish_markets(self, block: Block) -> None:
        """One update per oracle price or status that the block changed."""
        if not self._outlet.wants(MARKETS, MARKETS):
            return
        for event in block.events:
            if isinstance(event.event, OracleUpdated):
                row = self._store.by_oracle[event.event.market_id]
                price = {
                    "oraclePrice": number(row.oracle_price),
                    "effectiveAt": iso(block.time_ms),
                    "effectiveAtHeight": str(block.height),
                    "marketId": row.market.market_id,
                }
                self._outlet.publish(MARKETS, MARKETS, {"oraclePrices": {row.market.ticker: price}})
            elif isinstance(event.event, StatusChanged):
                row = self._store.by_pair[event.event.clob_pair_id]
                self._outlet.publish(MARKETS, MARKETS, {"trading": {row.market.ticker: {"status": row.status}}})

"""All that the Indexer remembers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Order, Side, SubaccountId
from dydx_console.sim.indexer.candles import CandleSeries
from dydx_console.sim.indexer.rows import (
    ORDER_TYPE,
    ZERO,
    FundingPaymentRow,
    FundingRow,
    Level,
    OrderRow,
    PnlTick,
    PositionRow,
    RewardRow,
    SubaccountRow,
    TradeRow,
    TransferRow,
)
from dydx_console.sim.indexer.text import order_uuid, plus, subaccount_uuid, times

KEPT_TRADES = 5_000
KEPT_ROWS = 10_000
KEPT_ROWS_BRIEF = 500
CHILD_SPACING = 128


@dataclass(slots=True)
class MarketRow:
    """A market with what moves about it. `forced` are the trades that the 24-hour figures leave out."""

    market: Market
    oracle_price: Decimal
    funding_index: Decimal = ZERO
    next_funding_rate: Decimal = ZERO
    open_interest: Decimal = ZERO
    bids: dict[int, Level] = field(default_factory=dict)
    asks: dict[int, Level] = field(default_factory=dict)
    trades: deque[TradeRow] = field(default_factory=lambda: deque(maxlen=KEPT_TRADES))
    fundings: list[FundingRow] = field(default_factory=list)
    forced: deque[TradeRow] = field(default_factory=lambda: deque(maxlen=KEPT_TRADES))
    volume_24h: Decimal = ZERO
    trades_24h: int = 0
    price_change_24h: Decimal = ZERO
    status: str = "ACTIVE"

    def levels(self, side: Side) -> dict[int, Level]:
        """The cached levels of one side by subticks."""
        return self.bids if side is Side.BUY else self.asks

    def mid_price(self) -> Decimal | None:
        """Half-way between the cached best prices."""
        if not self.bids or not self.asks:
            return None
        return (self.market.price(max(self.bids)) + self.market.price(min(self.asks))) / 2


class Store:
    """Rows by id, and the look-ups that REST needs. `brief` names owners whose history hardly matters."""

    def __init__(
        self, markets: Sequence[Market], height: int, time_ms: int, brief: frozenset[str] = frozenset()
    ) -> None:
        self._brief = brief
        self.height = height
        self.time_ms = time_ms
        self.markets: dict[str, MarketRow] = {
            m.ticker: MarketRow(m, m.oracle_price(m.start_oracle_value)) for m in markets
        }
        self.by_pair: Mapping[int, MarketRow] = {row.market.clob_pair_id: row for row in self.markets.values()}
        self.by_perpetual: Mapping[int, MarketRow] = {row.market.perpetual_id: row for row in self.markets.values()}
        self.by_oracle: Mapping[int, MarketRow] = {row.market.market_id: row for row in self.markets.values()}
        self.candles: dict[str, CandleSeries] = {ticker: CandleSeries(ticker) for ticker in self.markets}
        self.subaccounts: dict[tuple[str, int], SubaccountRow] = {}
        self.orders: dict[str, OrderRow] = {}
        self.canceled: dict[str, tuple[str, int]] = {}
        self.transfers: list[TransferRow] = []
        self.funding_payments: list[FundingPaymentRow] = []
        self.pnl: dict[str, list[PnlTick]] = {}
        self.rewards: dict[str, list[RewardRow]] = {}

    def subaccount(self, address: str, number: int) -> SubaccountRow | None:
        """A known subaccount."""
        return self.subaccounts.get((address, number))

    def of_address(self, address: str) -> list[SubaccountRow]:
        """All of an owner's subaccounts, by number."""
        rows = [row for (owner, _), row in self.subaccounts.items() if owner == address]
        return sorted(rows, key=lambda row: row.number)

    def children(self, address: str, parent: int) -> list[SubaccountRow]:
        """The subaccounts under a parent number, by number."""
        return [row for row in self.of_address(address) if row.number % CHILD_SPACING == parent]

    def ensure(self, subaccount: SubaccountId) -> SubaccountRow:
        """The row of a subaccount that the chain or a node mentions."""
        key = (subaccount.owner, subaccount.number)
        row = self.subaccounts.get(key)
        if row is None:
            row = SubaccountRow(subaccount_uuid(*key), *key, self.height, self.time_ms)
            self.subaccounts[key] = row
        return row

    def order_id(self, order: Order) -> str:
        """The Indexer's id of an order."""
        row = self.ensure(order.id.subaccount)
        return order_uuid(row.id, order.id.client_id, order.id.clob_pair_id, order.id.flags)

    def order_type(self, order_id: str | None) -> str | None:
        """The type of an order that is still kept."""
        row = None if order_id is None else self.orders.get(order_id)
        return None if row is None else ORDER_TYPE[row.order.condition]

    def put_order(self, owner: SubaccountRow, row: OrderRow) -> None:
        """Insert or overwrite an order row, dropping the oldest finished ones beyond the limit."""
        self.orders[row.id] = row
        owner.orders[row.id] = row
        if len(owner.orders) > self.kept_rows(owner):
            oldest = next(i for i, r in owner.orders.items() if r.status not in ("OPEN", "UNTRIGGERED"))
            del owner.orders[oldest], self.orders[oldest]

    def kept_rows(self, owner: SubaccountRow) -> int:
        """How many orders, and fills, of a subaccount are kept: few of the actors' own."""
        return KEPT_ROWS_BRIEF if owner.address in self._brief else KEPT_ROWS

    def unsettled_funding(self, row: SubaccountRow, position: PositionRow) -> Decimal:
        """USDC that a position has earned since the chain last settled it (negative: owes)."""
        perpetual = position.market.perpetual_id
        settled = row.funding_indices.get(perpetual, ZERO)
        latest = self.by_perpetual[perpetual].funding_index
        return times(position.size, settled - latest)

    def usdc_with_funding(self, row: SubaccountRow) -> Decimal:
        """Signed USDC as REST shows it: with the unsettled funding of every open position."""
        total = row.usdc
        for position in row.open_positions.values():
            total = plus(total, self.unsettled_funding(row, position))
        return total

    def equity(self, row: SubaccountRow) -> tuple[Decimal, Decimal]:
        """(equity, free collateral) by the Indexer's own rule: oracle prices, base margin fractions, no clamp."""
        equity = self.usdc_with_funding(row)
        margin = ZERO
        for position in row.open_positions.values():
            market = position.market
            notional = times(position.size, self.markets[market.ticker].oracle_price)
            equity = plus(equity, notional)
            margin = plus(margin, times(abs(notional), market.initial_margin_fraction))
        return equity, plus(equity, -margin)

    def open_rows(self) -> Iterator[tuple[SubaccountRow, PositionRow]]:
        """Every open position with its subaccount."""
        for row in self.subaccounts.values():
            for position in row.open_positions.values():
                yield row, position

"""What the Indexer itself says of PNL: its trade history and its two series of PNL over time.

These figures are compared with ours and shown beside them, never used in their place. Sources: dydxprotocol/v4-chain
indexer/services/comlink/src/lib/trade-history.ts, indexer/services/roundtable/src/tasks/create-pnl-ticks.ts and
indexer/services/roundtable/src/scripts/update_pnl.sql.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dydx_console.domain.enums import FillType, OrderType, Side
from dydx_console.domain.fill import Fill
from dydx_console.domain.numbers import divide

__all__ = [
    "HistoricalPnlRead",
    "PnlRead",
    "TradeHistoryRead",
    "VenuePnl",
    "VenueTick",
    "VenueTrade",
    "web_fill_type",
]


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """A row of the Indexer's trade history: the fills of one order that it groups, as one trade.

    `action` is OPEN, EXTEND, PARTIAL_CLOSE, CLOSE, LIQUIDATION_PARTIAL_CLOSE or LIQUIDATION_CLOSE; a flip is two rows.
    `position_side` is None after a close, `added_size` signed by the trade's side; `entry_price` is the average cost
    after the trade, None where the Indexer is older than that field. `net_fee` (without builder fees) and
    `net_realized` (price PNL alone) are sums since the position opened, in USDC.
    """

    id: str
    subaccount: int
    market: str
    action: str
    side: str
    position_side: str | None
    price: Decimal
    entry_price: Decimal | None
    prev_size: Decimal
    added_size: Decimal
    value: Decimal
    net_fee: Decimal
    net_realized: Decimal
    net_realized_fraction: Decimal | None
    at: datetime
    order_id: str | None
    order_type: str | None

    @property
    def label(self) -> str:
        """The action with the side of the position that it is about, as the web words it.

        Source: dydxprotocol/v4-web src/bonsai/calculators/trades.ts. An action that the venue adds later is kept.
        """
        is_buy = self.side == Side.BUY
        if self.action in ("LIQUIDATION_CLOSE", "LIQUIDATION_PARTIAL_CLOSE"):
            return "LIQUIDATION"
        if self.action in ("PARTIAL_CLOSE", "CLOSE"):
            return f"{self.action}_{'SHORT' if is_buy else 'LONG'}"
        if self.action == "EXTEND":
            return f"ADD_TO_{'LONG' if self.position_side == 'LONG' else 'SHORT'}"
        return f"OPEN_{'LONG' if is_buy else 'SHORT'}" if self.action == "OPEN" else self.action

    @property
    def moved_fraction(self) -> Decimal | None:
        """How far the price was from the entry in the position's favour, as a fraction of the entry.

        Leverage and fees are left out. None where there is no entry price.
        """
        if self.entry_price is None:
            return None
        is_long = self.position_side == "LONG" if self.position_side is not None else self.side == Side.SELL
        moved = self.price - self.entry_price if is_long else self.entry_price - self.price
        return divide(moved, self.entry_price)


@dataclass(frozen=True, slots=True)
class VenuePnl:
    """A point of the Indexer's `/pnl`, as of a funding block: `net_transfers` and `total_pnl` since the beginning.

    `total_pnl` is funding + sales − purchases − fees + the change of the positions' value at the funding blocks'
    oracle prices; `equity` is what it adds up to with the transfers. `at` is cut to the hour.
    """

    equity: Decimal
    net_transfers: Decimal
    total_pnl: Decimal
    at: datetime
    height: int


@dataclass(frozen=True, slots=True)
class VenueTick:
    """A point of the Indexer's `/historical-pnl`, as of a block: `net_transfers` since the point before.

    `equity` is USDC with unsettled funding + Σ size × oracle, `total_pnl` = equity − all transfers, both to 10⁻⁶.
    """

    equity: Decimal
    net_transfers: Decimal
    total_pnl: Decimal
    at: datetime
    height: int


@dataclass(frozen=True, slots=True)
class TradeHistoryRead:
    """Trade history as REST gave it, newest first; `total` counts all rows that there are."""

    address: str | None
    rows: tuple[VenueTrade, ...]
    total: int | None
    at: float


@dataclass(frozen=True, slots=True)
class PnlRead:
    """Points of `/pnl` as REST gave them, newest first, of a parent or, where `subaccount` is given, of one."""

    address: str | None
    subaccount: int | None
    points: tuple[VenuePnl, ...]
    at: float


@dataclass(frozen=True, slots=True)
class HistoricalPnlRead:
    """Points of `/historical-pnl` as REST gave them, newest first, of a parent or of one subaccount."""

    address: str | None
    subaccount: int | None
    ticks: tuple[VenueTick, ...]
    at: float


_WEB_TYPES = {
    FillType.LIQUIDATION: "LIMIT",
    FillType.LIQUIDATED: "LIQUIDATED",
    FillType.DELEVERAGED: "LIQUIDATED",
    FillType.OFFSETTING: "DELEVERAGED",
    FillType.TWAP_SUBORDER: "TWAP",
}


def web_fill_type(fill: Fill) -> str:
    """Return the type that the web gives a fill: MARKET for a limit order that it marked as one.

    Source: dydxprotocol/v4-web src/bonsai/calculators/fills.ts.
    """
    if fill.type == OrderType.LIMIT:
        return "MARKET" if fill.client_metadata == "1" else "LIMIT"
    return _WEB_TYPES.get(fill.type, fill.type)  # type: ignore[call-overload, no-any-return]

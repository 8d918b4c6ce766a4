"""The Indexer's rows (Postgres) and its order cache (Redis), as plain values in display units.

Columns follow dydxprotocol/v4-chain indexer/packages/postgres/src/types/db-model-types.ts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import ConditionType, Order, TimeInForce

ZERO = Decimal(0)

OPEN = "OPEN"
FILLED = "FILLED"
CANCELED = "CANCELED"
BEST_EFFORT_CANCELED = "BEST_EFFORT_CANCELED"
BEST_EFFORT_OPENED = "BEST_EFFORT_OPENED"
UNTRIGGERED = "UNTRIGGERED"
CLOSED = "CLOSED"

TIME_IN_FORCE = {
    TimeInForce.UNSPECIFIED: "GTT",
    TimeInForce.POST_ONLY: "GTT",
    TimeInForce.IOC: "IOC",
    TimeInForce.FILL_OR_KILL: "FOK",
}
ORDER_TYPE = {
    ConditionType.UNSPECIFIED: "LIMIT",
    ConditionType.STOP_LOSS: "STOP_LIMIT",
    ConditionType.TAKE_PROFIT: "TAKE_PROFIT",
}


class FillType(StrEnum):
    """What kind of fill a row is; the last four names are the two sides of a liquidation and of a deleveraging."""

    LIMIT = "LIMIT"
    LIQUIDATED = "LIQUIDATED"
    LIQUIDATION = "LIQUIDATION"
    DELEVERAGED = "DELEVERAGED"
    OFFSETTING = "OFFSETTING"


@dataclass(slots=True)
class OrderRow:
    """An order in Postgres: stateful ones from placement, short-term ones from their first fill."""

    id: str
    order: Order
    status: str
    total_filled: Decimal
    created_ms: int
    created_height: int
    updated_ms: int
    updated_height: int


@dataclass(frozen=True, slots=True)
class FillRow:
    """One side of a match. `entry_price_before` is None when it was 0.

    A liquidated account has no order, and neither side of a deleveraging has one, nor a position before.
    """

    id: str
    event_id: str
    subaccount_id: str
    subaccount_number: int
    order_id: str | None
    type: FillType
    side: str
    liquidity: str
    market: Market
    size: Decimal
    price: Decimal
    quote_amount: Decimal
    fee: Decimal
    transaction_hash: str
    created_ms: int
    height: int
    client_metadata: str | None
    position_size_before: Decimal | None
    entry_price_before: Decimal | None
    position_side_before: str | None


@dataclass(slots=True)
class PositionRow:
    """One life of a perpetual position; sizes are signed, sums are not."""

    id: str
    subaccount_id: str
    address: str
    subaccount_number: int
    market: Market
    side: str
    size: Decimal
    max_size: Decimal
    created_ms: int
    created_height: int
    status: str = OPEN
    entry_price: Decimal = ZERO
    exit_price: Decimal | None = None
    sum_open: Decimal = ZERO
    sum_close: Decimal = ZERO
    settled_funding: Decimal = ZERO
    total_realized_pnl: Decimal | None = None
    closed_ms: int | None = None


@dataclass(slots=True)
class SubaccountRow:
    """A subaccount that the chain has mentioned; `usdc` is signed and without unsettled funding."""

    id: str
    address: str
    number: int
    updated_height: int
    updated_ms: int
    usdc: Decimal = ZERO
    open_positions: dict[int, PositionRow] = field(default_factory=dict)
    latest_positions: dict[int, PositionRow] = field(default_factory=dict)
    positions: list[PositionRow] = field(default_factory=list)
    orders: dict[str, OrderRow] = field(default_factory=dict)
    cached_orders: dict[str, Order] = field(default_factory=dict)
    fills: list[FillRow] = field(default_factory=list)
    funding_indices: dict[int, Decimal] = field(default_factory=dict)
    net_transfers: Decimal = ZERO
    pnl_transfers_seen: Decimal = ZERO
    ever_transferred: bool = False


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A taker's match on the public tape; its type is the taker's fill's."""

    id: str
    type: FillType
    side: str
    size: Decimal
    price: Decimal
    created_ms: int
    height: int


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A transfer; an end without a number is a wallet."""

    id: str
    sender: str
    sender_number: int | None
    recipient: str
    recipient_number: int | None
    size: Decimal
    created_ms: int
    height: int
    transaction_hash: str


@dataclass(frozen=True, slots=True)
class FundingRow:
    """An hourly funding update of a perpetual; `rate` is for one hour."""

    market: Market
    rate: Decimal
    price: Decimal
    index: Decimal
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class FundingPaymentRow:
    """What one position received (negative: paid) at one funding update."""

    subaccount_id: str
    subaccount_number: int
    funding: FundingRow
    size: Decimal
    payment: Decimal


@dataclass(frozen=True, slots=True)
class PnlTick:
    """One hourly tick of both PNL systems; `transfers` since the previous tick, `net_transfers` since genesis."""

    equity: Decimal
    total_pnl: Decimal
    transfers: Decimal
    net_transfers: Decimal
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class RewardRow:
    """A block's trading reward of an owner."""

    amount: Decimal
    height: int
    time_ms: int


@dataclass(slots=True)
class Level:
    """A book level as the cache holds it."""

    quantums: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """Something published: `contents` of one update for (channel, id). Child messages carry their number."""

    channel: str
    id: str
    version: str
    contents: dict[str, object]
    address: str = ""
    subaccount_number: int | None = None

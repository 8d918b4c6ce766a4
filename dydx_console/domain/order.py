"""Orders: rows as the venue sent them, the merged order, and the status that the console states."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dydx_console.domain.enums import DisplayStatus, OrderFlags, OrderStatus, OrderType, RemovalReason
from dydx_console.domain.numbers import ZERO

__all__ = [
    "REASON_PREFIX",
    "SNAPSHOT",
    "Order",
    "OrderPatch",
    "display_status",
    "display_type",
    "good_til_passed",
    "is_done",
    "is_working",
    "lifetime",
    "reason_text",
]

REASON_PREFIX = "ORDER_REMOVAL_REASON_"
SNAPSHOT = "SNAPSHOT"


@dataclass(frozen=True, slots=True)
class OrderPatch:
    """One order row as the venue sent it; `None` is a field that this row does not carry.

    Sizes in base units, prices in USD. `good_til_block` belongs to short-term orders, `good_til_time` to the others.
    `removal_reason` is without its prefix.
    """

    id: str
    subaccount: int | None = None
    client_id: str | None = None
    clob_pair_id: str | None = None
    market: str | None = None
    side: str | None = None
    type: str | None = None
    time_in_force: str | None = None
    post_only: bool | None = None
    reduce_only: bool | None = None
    flags: str | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    size: Decimal | None = None
    total_filled: Decimal | None = None
    status: str | None = None
    removal_reason: str | None = None
    good_til_block: int | None = None
    good_til_time: datetime | None = None
    client_metadata: str | None = None
    created_at: datetime | None = None
    created_at_height: int | None = None
    updated_at: datetime | None = None
    updated_at_height: int | None = None

    @property
    def good_til(self) -> int | datetime | None:
        """What ends this life of the order: a height for short-term orders, a time for the others."""
        return self.good_til_block if self.good_til_block is not None else self.good_til_time


@dataclass(frozen=True, slots=True)
class Order(OrderPatch):
    """An order merged from every row seen of it.

    `filled` counts all known fills of the id, in base units. `reason_source` says who told the reason: VENUE, or
    SNAPSHOT for an order that ended unseen between two connections. `average_fill_price` is None without fills.
    """

    filled: Decimal = ZERO
    average_fill_price: Decimal | None = None
    reason_source: str | None = None

    @property
    def remaining(self) -> Decimal | None:
        """Size that is not filled, never below zero; None where the size is unknown."""
        return None if self.size is None else max(self.size - self.filled, ZERO)


def lifetime(flags: str | None) -> str | None:
    """Return the order family by its flags: SHORT_TERM, CONDITIONAL, LONG_TERM or TWAP; unknown flags as they are."""
    names: dict[str | None, str] = {
        OrderFlags.SHORT_TERM: "SHORT_TERM",
        OrderFlags.CONDITIONAL: "CONDITIONAL",
        OrderFlags.LONG_TERM: "LONG_TERM",
        OrderFlags.TWAP: "TWAP",
        OrderFlags.TWAP_SUBORDER: "TWAP",
    }
    return names.get(flags, flags)


def display_type(order: OrderPatch) -> str | None:
    """Return the type that a trader means.

    The Indexer has no market orders; the web front end marks them with client metadata 1
    (dydxprotocol/v4-web src/bonsai/calculators/orders.ts).
    """
    if order.client_metadata != "1":
        return order.type
    market_types: dict[str | None, str] = {
        OrderType.LIMIT: OrderType.MARKET,
        OrderType.STOP_LIMIT: OrderType.STOP_MARKET,
        OrderType.TAKE_PROFIT: OrderType.TAKE_PROFIT_MARKET,
    }
    return market_types.get(order.type, order.type)


def reason_text(reason: str | None) -> str | None:
    """Return a removal reason in a trader's words; an unknown reason as the venue wrote it."""
    words: dict[str | None, str] = {
        RemovalReason.EXPIRED: "expired",
        RemovalReason.INDEXER_EXPIRED: "expired",
        RemovalReason.USER_CANCELED: "cancelled by its owner",
        RemovalReason.REPLACED: "replaced",
        RemovalReason.IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK: "immediate-or-cancel: the rest found no match",
        RemovalReason.POST_ONLY_WOULD_CROSS_MAKER_ORDER: "post-only: it would have crossed the book",
        RemovalReason.UNDERCOLLATERALIZED: "not enough collateral",
        RemovalReason.REDUCE_ONLY_RESIZE: "reduce-only: the position no longer allows it",
        RemovalReason.SELF_TRADE_ERROR: "it would have matched the owner's own order",
        "FOK_ORDER_COULD_NOT_BE_FULLY_FULLED": "fill-or-kill: could not be filled whole",
        "EQUITY_TIER": "too many orders for the account's equity tier",
        "FINAL_SETTLEMENT": "the market is in final settlement",
        "VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS": "isolated market: the subaccount holds another position",
        "INTERNAL_ERROR": "internal error of the venue",
        "UNSPECIFIED": "no reason given",
        "FULLY_FILLED": "filled",
        SNAPSHOT: "gone when the stream came back",
    }
    return words.get(reason, reason)


def _expired_by_reason(order: OrderPatch) -> bool:
    return order.removal_reason in (RemovalReason.EXPIRED, RemovalReason.INDEXER_EXPIRED)


def good_til_passed(order: OrderPatch, height: int | None, block_time: datetime | None) -> bool:
    """Return whether the order's life has ended by committed `height` and its `block_time`; unknown is not passed."""
    if order.good_til_block is not None:
        return height is not None and height > order.good_til_block
    if order.good_til_time is not None:
        return block_time is not None and block_time > order.good_til_time
    return False


def display_status(order: Order, height: int | None, block_time: datetime | None) -> str | None:
    """Return the status to show at committed `height` and its `block_time`; the first rule that applies decides.

    The table is in docs/orders.md. A status word that the console does not know comes back as it is; None where no
    row has told a status yet.
    """
    status = order.status
    is_twap = order.flags == OrderFlags.TWAP
    if order.size is not None and order.size > ZERO and order.filled >= order.size:
        return DisplayStatus.FILLED
    if status == OrderStatus.FILLED and not is_twap:
        return DisplayStatus.FILLED
    passed = good_til_passed(order, height, block_time)
    if status in (OrderStatus.CANCELED, OrderStatus.ERROR):
        return DisplayStatus.EXPIRED if _expired_by_reason(order) else DisplayStatus.CANCELLED
    if status == OrderStatus.BEST_EFFORT_CANCELED:
        if not passed:
            return DisplayStatus.CANCELING
        return DisplayStatus.EXPIRED if _expired_by_reason(order) else DisplayStatus.CANCELLED
    return _working_status(order, passed)


def _working_status(order: Order, passed: bool) -> str | None:
    status = order.status
    known = (OrderStatus.OPEN, OrderStatus.BEST_EFFORT_OPENED, OrderStatus.UNTRIGGERED, OrderStatus.FILLED)
    if status not in known:
        return status
    if passed:
        return DisplayStatus.EXPIRED
    if status == OrderStatus.UNTRIGGERED:
        return DisplayStatus.UNTRIGGERED
    if order.filled > ZERO:
        return DisplayStatus.PARTIALLY_FILLED
    return DisplayStatus.PENDING if status == OrderStatus.BEST_EFFORT_OPENED else DisplayStatus.OPEN


def is_working(status: str | None) -> bool:
    """Return whether a displayed status means that the order can rest on the book or trigger."""
    return status in (
        DisplayStatus.PENDING,
        DisplayStatus.OPEN,
        DisplayStatus.PARTIALLY_FILLED,
        DisplayStatus.UNTRIGGERED,
    )


def is_done(status: str | None) -> bool:
    """Return whether a displayed status is final."""
    return status in (
        DisplayStatus.FILLED,
        DisplayStatus.CANCELLED,
        DisplayStatus.EXPIRED,
        DisplayStatus.REJECTED,
    )

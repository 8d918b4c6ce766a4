"""Words of the venue.

Fields that hold them are plain `str`: a value that the venue adds later is kept and shown as it is, and these members
compare equal to their text. Source: dydxprotocol/v4-chain indexer/packages/postgres/src/types, and
proto/dydxprotocol/indexer/shared/removal_reason.proto.
"""

from enum import StrEnum

__all__ = [
    "DisplayStatus",
    "FillType",
    "OrderFlags",
    "OrderStatus",
    "OrderType",
    "PositionStatus",
    "RemovalReason",
    "Side",
]


class Side(StrEnum):
    """Side of an order, fill or trade."""

    BUY = "BUY"
    SELL = "SELL"


class OrderStatus(StrEnum):
    """Status of an order in the Indexer's own words."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    BEST_EFFORT_CANCELED = "BEST_EFFORT_CANCELED"
    BEST_EFFORT_OPENED = "BEST_EFFORT_OPENED"
    UNTRIGGERED = "UNTRIGGERED"
    ERROR = "ERROR"


class DisplayStatus(StrEnum):
    """Status of an order as the console states it; docs/orders.md has the table that decides."""

    PENDING = "PENDING"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    UNTRIGGERED = "UNTRIGGERED"
    CANCELING = "CANCELING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class OrderType(StrEnum):
    """Type of an order."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP_LIMIT = "STOP_LIMIT"
    STOP_MARKET = "STOP_MARKET"
    TRAILING_STOP = "TRAILING_STOP"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TWAP = "TWAP"
    TWAP_SUBORDER = "TWAP_SUBORDER"


class OrderFlags(StrEnum):
    """Order flags as the Indexer writes them: which family, and so which lifetime, an order has."""

    SHORT_TERM = "0"
    CONDITIONAL = "32"
    LONG_TERM = "64"
    TWAP = "128"
    TWAP_SUBORDER = "256"


class FillType(StrEnum):
    """What caused a fill."""

    LIMIT = "LIMIT"
    LIQUIDATED = "LIQUIDATED"
    LIQUIDATION = "LIQUIDATION"
    DELEVERAGED = "DELEVERAGED"
    OFFSETTING = "OFFSETTING"
    TWAP_SUBORDER = "TWAP_SUBORDER"


class PositionStatus(StrEnum):
    """Status of a position row."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    LIQUIDATED = "LIQUIDATED"


class RemovalReason(StrEnum):
    """Why an order left the book, without the prefix ORDER_REMOVAL_REASON_."""

    EXPIRED = "EXPIRED"
    INDEXER_EXPIRED = "INDEXER_EXPIRED"
    USER_CANCELED = "USER_CANCELED"
    REPLACED = "REPLACED"
    IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK = "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
    POST_ONLY_WOULD_CROSS_MAKER_ORDER = "POST_ONLY_WOULD_CROSS_MAKER_ORDER"
    UNDERCOLLATERALIZED = "UNDERCOLLATERALIZED"
    REDUCE_ONLY_RESIZE = "REDUCE_ONLY_RESIZE"
    SELF_TRADE_ERROR = "SELF_TRADE_ERROR"

"""Fills: executed quantity, the only source of what was traded."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal

from dydx_console.domain.enums import FillType
from dydx_console.domain.numbers import ZERO

__all__ = ["Fill", "is_forced", "merge_fill"]


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of one match.

    `fee` in USDC, negative for a rebate; `builder_fee` is charged on top of it. `event_id` (24 hex digits: height,
    transaction, event) orders fills of one block; REST rows lack it. The `*_before` figures are the Indexer's.
    """

    id: str
    subaccount: int
    market: str
    side: str
    liquidity: str
    type: str
    price: Decimal
    size: Decimal
    fee: Decimal
    height: int
    created_at: datetime
    order_id: str | None = None
    builder_fee: Decimal | None = None
    client_metadata: str | None = None
    event_id: str | None = None
    transaction_hash: str | None = None
    position_size_before: Decimal | None = None
    entry_price_before: Decimal | None = None
    position_side_before: str | None = None

    @property
    def signed_size(self) -> Decimal:
        """Size with the sign of its effect on the position: positive for a buy."""
        return self.size if self.side == "BUY" else -self.size

    @property
    def paid(self) -> Decimal:
        """Everything charged for the fill in USDC: protocol fee (negative for a rebate) and builder fee."""
        return self.fee + (self.builder_fee or ZERO)


_OPTIONAL = tuple(field.name for field in fields(Fill) if field.default is None)


def merge_fill(held: Fill, other: Fill) -> Fill:
    """Return `held` completed by what only `other`, a row of the same fill from another source, tells."""
    given = {
        name: value for name in _OPTIONAL if getattr(held, name) is None and (value := getattr(other, name)) is not None
    }
    return replace(held, **given) if given else held


def is_forced(fill: Fill) -> bool:
    """Return whether the account was liquidated or deleveraged by this fill."""
    return fill.type in (FillType.LIQUIDATED, FillType.DELEVERAGED, FillType.OFFSETTING)

"""Positions and balances of one subaccount, as the venue states them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

__all__ = ["Balance", "ChildState", "Position"]


@dataclass(frozen=True, slots=True)
class Position:
    """An open perpetual position row.

    `net_size` is signed, in base units. `entry_price` is the Indexer's average over all opens of the row's life, and
    None in the moment between a block's position row and its fill. `net_funding` in USDC, positive when received.
    `height` is the block that the row is known to reflect.
    """

    subaccount: int
    market: str
    net_size: Decimal
    status: str
    height: int | None
    position_id: str | None = None
    max_size: Decimal | None = None
    entry_price: Decimal | None = None
    exit_price: Decimal | None = None
    sum_open: Decimal | None = None
    sum_close: Decimal | None = None
    net_funding: Decimal | None = None
    venue_realized_pnl: Decimal | None = None
    opened_at: datetime | None = None
    opened_at_height: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset of a subaccount; `amount` is signed, a debt is negative."""

    subaccount: int
    asset: str
    amount: Decimal
    height: int | None


@dataclass(frozen=True, slots=True)
class ChildState:
    """A whole subaccount as REST or a snapshot gives it: what is not in it does not exist.

    `height` is the block of the subaccount's last change, `read_at_height` the one up to which the answer knows
    funding; None where the venue did not say.
    """

    subaccount: int
    positions: tuple[Position, ...]
    balances: tuple[Balance, ...]
    height: int | None
    read_at_height: int | None = None

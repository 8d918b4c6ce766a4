"""Positions from flat to flat: what each life cost, brought and paid.

A life begins with the fill that opens the position and ends with the one that brings it to zero; a fill through zero
ends one and begins the next. Each is named by its subaccount, its market and the fill that opened it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Protocol

from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import MATH, ZERO

__all__ = ["Life", "Lived", "funded", "funding_of"]


class Lived(Protocol):
    """What tells to which life a payment belongs."""

    @property
    def side(self) -> str:
        """LONG or SHORT."""
        ...

    @property
    def opened_height(self) -> int | None:
        """The block that opened it, None before the known fills."""
        ...

    @property
    def closed_height(self) -> int | None:
        """The block that ended it, None while it runs."""
        ...


@dataclass(frozen=True, slots=True)
class Life:
    """A position from flat to flat.

    `opened_by` and `closed_by` are ids of fills; `opened_by` is None for a life that began before the known fills,
    whose `opened_at` is then the first of these. `side` is LONG or SHORT, `max_size` the largest size in base units,
    `entry_price` and `exit_price` the averages of all that opened and of all that closed it, in USD. `realized` is
    price PNL alone, `fees` positive when paid, `funding` positive when received, in USDC. `closed_as` is the type of
    the fill that ended it (LIMIT, LIQUIDATED, DELEVERAGED …). Where `is_complete` is False the beginning is not known:
    `entry_price` is the venue's or None, and closings whose cost is not known are not in `realized`.
    """

    subaccount: int
    market: str
    opened_by: str | None
    side: str
    opened_at: datetime
    opened_height: int | None
    closed_by: str | None
    closed_at: datetime | None
    closed_height: int | None
    closed_as: str | None
    max_size: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    realized: Decimal
    fees: Decimal
    funding: Decimal | None
    fills: int
    is_complete: bool

    @property
    def key(self) -> PositionKey:
        """Whose position it was."""
        return PositionKey(self.subaccount, self.market)

    @property
    def net(self) -> Decimal | None:
        """Realized − fees + funding, None where the funding is not known."""
        with localcontext(MATH):
            return None if self.funding is None else self.realized - self.fees + self.funding

    def held_for(self, now: datetime) -> timedelta:
        """Return how long the position was held, a running one until `now`."""
        return (self.closed_at or now) - self.opened_at


def funded(lives: Sequence[Life], payments: Iterable[FundingPayment], total: Decimal | None) -> tuple[Life, ...]:
    """Return the lives of one subaccount and market, oldest first, with the funding of each.

    A payment belongs to the life that its block left open. What `total` holds beyond the payments (moved since they
    were read) is the newest life's. None as `total` leaves every funding unknown.
    """
    if total is None or not lives:
        return tuple(lives)
    sums, apart = funding_of(lives, payments)
    with localcontext(MATH):
        sums[-1] += total - sum(sums, start=apart)
    return tuple(replace(life, funding=paid) for life, paid in zip(lives, sums, strict=True))


def funding_of(lives: Sequence[Lived], payments: Iterable[FundingPayment]) -> tuple[list[Decimal], Decimal]:
    """Return what payments brought each of the lives of one subaccount and market, oldest first, and what none of them.

    A payment belongs to the life that its block left open, or else to one that ended in that block.
    """
    sums = [ZERO] * len(lives)
    apart = ZERO
    begins = [-1 if life.opened_height is None else life.opened_height for life in lives]
    with localcontext(MATH):
        for payment in payments:
            place = _paid_in(lives, bisect_right(begins, payment.height), payment)
            if place is None:
                apart += payment.payment
            else:
                sums[place] += payment.payment
    return sums, apart


def _paid_in(lives: Sequence[Lived], begun: int, payment: FundingPayment) -> int | None:
    """Return which of the first `begun` lives a payment belongs to."""
    ended: int | None = None
    for place in range(begun - 1, -1, -1):
        life = lives[place]
        if life.closed_height is None or life.closed_height > payment.height:
            return place
        if life.closed_height < payment.height:
            break
        ended = place if _is_of_side(life, payment) or ended is None else ended
    return ended


def _is_of_side(life: Lived, payment: FundingPayment) -> bool:
    return (life.side == "LONG") == (payment.net_size > ZERO)

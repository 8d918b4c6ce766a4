"""PNL from fills: average cost per subaccount and market, every fill booked once.

A fill in the position's direction moves the average; one against it realizes (price − average) × size; one through
zero closes the position and opens the rest at its own price, its fee shared by size. Fees are kept apart, signed.
docs/pnl.md has the formulas with worked figures.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dydx_console.domain.fill import Fill
from dydx_console.domain.numbers import MATH, ZERO, divide

__all__ = ["Anchor", "Ledger", "ledger_of"]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position as the venue stated it at a block: what fills known before and after must add up to."""

    net_size: Decimal
    entry_price: Decimal | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of one subaccount and market.

    `net_size` signed, `average_cost` in USD and None without a position or where it is not known. `realized` is price
    PNL alone, since the first known fill; `life_*` since the running position opened. `is_complete` is False where the
    known fills do not explain the position; figures then hold from `since` on.
    """

    net_size: Decimal = ZERO
    average_cost: Decimal | None = None
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    life_realized: Decimal = ZERO
    life_fees: Decimal = ZERO
    opened_at: datetime | None = None
    since: datetime | None = None
    is_complete: bool = True


def ledger_of(fills: Iterable[Fill], anchor: Anchor | None) -> Ledger:
    """Return the books after all `fills` of one subaccount and market, given in chain order."""
    listed = list(fills)
    ledger = _opening(listed, anchor)
    for fill in listed:
        ledger = _booked(ledger, fill)
    return ledger


def _opening(fills: list[Fill], anchor: Anchor | None) -> Ledger:
    """Return the books before the first known fill: flat, or what the venue's position implies."""
    since = fills[0].created_at if fills else None
    if anchor is None:
        return Ledger(since=since)
    before = [fill for fill in fills if anchor.height is None or fill.height <= anchor.height]
    size = anchor.net_size - sum((fill.signed_size for fill in before), start=ZERO)
    if not size:
        return Ledger(since=since)
    cost = before[0].entry_price_before if before else anchor.entry_price
    return Ledger(net_size=size, average_cost=cost, since=since, is_complete=False)


def _booked(ledger: Ledger, fill: Fill) -> Ledger:
    size = fill.signed_size
    held = ledger.net_size
    if not held or (held > ZERO) == (size > ZERO):
        return _increased(ledger, size, fill.price, fill.paid, fill.created_at)
    closing = min(abs(size), abs(held))
    share = fill.paid if closing == abs(size) else MATH.divide(fill.paid * closing, abs(size))
    closed = _reduced(ledger, closing, fill.price, share)
    rest = abs(size) - closing
    if not rest:
        return closed
    signed_rest = rest if size > ZERO else -rest
    return _increased(closed, signed_rest, fill.price, fill.paid - share, fill.created_at)


def _increased(ledger: Ledger, size: Decimal, price: Decimal, paid: Decimal, at: datetime) -> Ledger:
    opening = not ledger.net_size
    net_size = ledger.net_size + size
    if opening:
        cost: Decimal | None = price
    elif ledger.average_cost is None:
        cost = None
    else:
        cost = divide(ledger.average_cost * ledger.net_size + price * size, net_size)
    return Ledger(
        net_size=net_size,
        average_cost=cost,
        realized=ledger.realized,
        fees=ledger.fees + paid,
        life_realized=ZERO if opening else ledger.life_realized,
        life_fees=paid if opening else ledger.life_fees + paid,
        opened_at=at if opening else ledger.opened_at,
        since=ledger.since,
        is_complete=True if opening else ledger.is_complete,
    )


def _reduced(ledger: Ledger, closing: Decimal, price: Decimal, paid: Decimal) -> Ledger:
    direction = 1 if ledger.net_size > ZERO else -1
    gained = ZERO if ledger.average_cost is None else (price - ledger.average_cost) * closing * direction
    net_size = ledger.net_size - closing * direction
    return Ledger(
        net_size=net_size,
        average_cost=ledger.average_cost if net_size else None,
        realized=ledger.realized + gained,
        fees=ledger.fees + paid,
        life_realized=ledger.life_realized + gained,
        life_fees=ledger.life_fees + paid,
        opened_at=ledger.opened_at if net_size else None,
        since=ledger.since,
        is_complete=ledger.is_complete,
    )

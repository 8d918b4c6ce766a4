"""PNL from fills: average cost per subaccount and market, every fill booked once.

A fill in the position's direction moves the average; one against it realizes (price − average) × size; one through
zero closes the position and opens the rest at its own price, its fee shared by size. Fees are kept apart, signed.
docs/pnl.md has the formulas with worked figures.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, localcontext
from itertools import islice, takewhile

from dydx_console.domain.enums import PositionStatus
from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.position import ChildState
from dydx_console.state.fills import Fills

__all__ = ["Anchor", "Ledger", "Ledgers", "ledger_of"]


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
    with localcontext(MATH):
        return _after(_opening(listed, anchor), listed)


@dataclass(frozen=True, slots=True)
class Books:
    """A ledger, how many fills it has taken, and whether it began flat."""

    ledger: Ledger
    count: int
    began_flat: bool


class Ledgers:
    """The books of every subaccount and market.

    A fill at the end of its sequence is booked onto the held ledger; whatever else changes begins it anew. The result
    is always that of `ledger_of` over all fills.

    Args:
        fills: the account's fills; `forget` is to be told what else than additions at the end changed in them.
    """

    def __init__(self, fills: Fills) -> None:
        self._fills = fills
        self._anchors: dict[PositionKey, Anchor] = {}
        self._stated: dict[int, int | None] = {}
        self._books: dict[PositionKey, Books] = {}

    def of(self, key: PositionKey) -> Ledger:
        """Return the books of a subaccount and market."""
        held = self._books.get(key)
        count = self._fills.count(key)
        if held is None or held.count != count:
            continued = None if held is None or not held.count else self._continued(key, held, count)
            held = self._books[key] = continued or self._whole(key, count)
        return held.ledger

    def anchor(self, child: ChildState, height: int | None) -> None:
        """Note what the venue stated of a whole subaccount, as of its own height or else of `height`."""
        at = child.height if child.height is not None else height
        self._stated[child.subaccount] = at
        known = {key for key in (*self._anchors, *self._books) if key.subaccount == child.subaccount}
        stated = {
            PositionKey(child.subaccount, position.market): Anchor(position.net_size, position.entry_price, at)
            for position in child.positions
            if position.status == PositionStatus.OPEN
        }
        for key in known - set(stated):
            self._anchors.pop(key, None)
        self._anchors.update(stated)
        for key in known | set(stated):
            if not self._agrees(key):
                self._books.pop(key, None)

    def forget(self, keys: Iterable[PositionKey]) -> None:
        """Begin anew the books whose fills changed elsewhere than at the end."""
        for key in keys:
            self._books.pop(key, None)

    def _anchor(self, key: PositionKey) -> Anchor | None:
        """Return what the venue stated of a position: also that there is none."""
        if key in self._anchors or key.subaccount not in self._stated:
            return self._anchors.get(key)
        return Anchor(ZERO, None, self._stated[key.subaccount])

    def _whole(self, key: PositionKey, count: int) -> Books:
        listed = list(self._fills.of(key))
        with localcontext(MATH):
            opening = _opening(listed, self._anchor(key))
            return Books(_after(opening, listed), count, not opening.net_size)

    def _continued(self, key: PositionKey, held: Books, count: int) -> Books | None:
        """Return the books after the fills that were added, None where the anchor speaks of one of them."""
        added = list(islice(self._fills.last(key), count - held.count))[::-1]
        anchor = self._anchor(key)
        if anchor is not None and (anchor.height is None or added[0].height <= anchor.height):
            return None
        with localcontext(MATH):
            return replace(held, ledger=_after(held.ledger, added), count=count)

    def _agrees(self, key: PositionKey) -> bool:
        """Return whether the held books began flat and give the size that the venue now states."""
        held, anchor = self._books.get(key), self._anchor(key)
        if held is None or anchor is None or anchor.height is None or held.count != self._fills.count(key):
            return False
        height = anchor.height
        later = takewhile(lambda fill: fill.height > height, self._fills.last(key))
        with localcontext(MATH):
            then = held.ledger.net_size - sum((fill.signed_size for fill in later), start=ZERO)
        return held.began_flat and then == anchor.net_size


def _after(ledger: Ledger, fills: Iterable[Fill]) -> Ledger:
    for fill in fills:
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
    opened = _increased(closed, signed_rest, fill.price, fill.paid - share, fill.created_at)
    return replace(opened, fees=ledger.fees + fill.paid)


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

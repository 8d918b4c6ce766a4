"""PNL from fills: average cost per subaccount and market, every fill booked once.

A fill in the position's direction moves the average; one against it realizes (price − average) × size; one through
zero closes the position and opens the rest at its own price, its fee shared by size. Fees are kept apart, signed.
docs/pnl.md has the formulas with worked figures.

What is lost nowhere is money: a position's cost is held as a sum, and what a closing takes of it is rounded once per
run of closings, at 10⁻³⁰ USDC. So realized PNL and remaining cost always add up to what the fills moved, and splitting
a fill changes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, localcontext

from dydx_console.domain.enums import FillType, Side
from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.state.lives import Life

__all__ = [
    "SUMS",
    "Anchor",
    "Book",
    "BookState",
    "Booking",
    "Ledger",
    "booking",
    "bookings",
    "ledger_of",
    "opening_book",
    "stated_closed_pnl",
]

SUMS = Context(prec=250)
"""Products and sums of any figures that can be read are exact in 250 digits."""

_FINEST = Decimal("1e-30")
_MICRO = Decimal("1e-6")
_BY_AMOUNT = frozenset({FillType.DELEVERAGED, FillType.OFFSETTING})
"""Fills whose price is a rounded quotient: the chain moved a whole number of millionths of a USDC
(dydxprotocol/v4-chain protocol/x/clob/keeper/deleveraging.go)."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position as the venue stated it at a block: what fills known before and after must add up to."""

    net_size: Decimal
    entry_price: Decimal | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books of one subaccount and market.

    `net_size` signed, `average_cost` in USD and `cost` in USDC with the sign of the size; these are None without a
    position or where they are not known. `realized` is price PNL alone and `fees` what was paid, from `since` on;
    `life_*` since the running position opened. `is_complete` is False where the known fills do not explain the
    position: it then began at the venue's entry price, and where that is unknown too, figures begin anew once it ends.
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
    cost: Decimal | None = None

    @property
    def is_known(self) -> bool:
        """Whether realized PNL is known: not while a position runs whose cost nobody told."""
        return not self.net_size or self.average_cost is not None


@dataclass(frozen=True, slots=True)
class Booking:
    """What one fill did.

    `closed` and `opened` are its sizes against and in the position's direction, together its size. `closed_pnl` is
    the price PNL of what it closed, None where the cost of that is not known, `closed_fees` that part of its fees;
    both are zero for a fill that only opens. `net_size` and `average_cost` are the position's after it.
    """

    fill: Fill
    closed: Decimal
    opened: Decimal
    closed_pnl: Decimal | None
    closed_fees: Decimal
    net_size: Decimal
    average_cost: Decimal | None


class Book:
    """The running books of one subaccount and market, taking fills in chain order, each at the same cost.

    Args:
        key: the subaccount and market.
        size: signed size of the position before the first fill.
        average: its average cost, None where it is not known.
        since: when the first fill was.
        is_complete: whether a flat beginning is known to be one.
    """

    __slots__ = (
        "_base",
        "_began_at",
        "_began_height",
        "_closed",
        "_cost",
        "_entered",
        "_entered_for",
        "_exited",
        "_exited_for",
        "_fees_before",
        "_fills",
        "_is_complete",
        "_key",
        "_max_size",
        "_opened_by",
        "_realized",
        "_realized_before",
        "_settled",
        "_since",
        "_size",
        "_taken",
        "closed_pnl",
        "fees",
    )

    def __init__(
        self,
        key: PositionKey,
        size: Decimal = ZERO,
        average: Decimal | None = None,
        since: datetime | None = None,
        *,
        is_complete: bool = True,
    ) -> None:
        self._key = key
        self._size = size
        self._since = since
        self.closed_pnl: Decimal | None = ZERO
        """What the last fill realized, None where the cost of what it closed is not known."""
        self.fees = ZERO
        """What was paid since `since`, in USDC."""
        self._realized = self._settled = self._taken = ZERO
        self._base = abs(size)
        self._closed = ZERO
        self._cost: Decimal | None = ZERO
        self._is_complete = is_complete and not size
        self._opened_by: str | None = None
        self._began_at: datetime | None = None
        self._began_height: int | None = None
        self._fees_before = self._realized_before = ZERO
        self._fills = 0
        self._max_size = self._entered = self._base
        self._entered_for: Decimal | None = ZERO
        self._exited = self._exited_for = ZERO
        if size:
            with localcontext(SUMS):
                self._entered_for = self._cost = None if average is None else average * self._base

    def take(self, fill: Fill) -> Life | None:
        """Book a fill; returns the life that it ended. A fill of size zero is nothing but its fee."""
        with localcontext(SUMS):
            return self.take_next(fill)

    def take_all(self, fills: Iterable[Fill]) -> list[Life]:
        """Book fills; returns the lives that they ended."""
        with localcontext(SUMS):
            return [life for fill in fills if (life := self.take_next(fill)) is not None]

    def copy(self) -> "Book":
        """Return the same books, to go on with apart."""
        return Book.of(self._key, self.state)

    @classmethod
    def of(cls, key: PositionKey, state: "BookState") -> "Book":
        """Return the books of a subaccount and market as `state` told them."""
        made = cls(key)
        for name, value in zip(_STATE, state, strict=True):
            setattr(made, name, value)
        return made

    @property
    def state(self) -> "BookState":
        """Everything that the books hold, in an order that never changes: text, numbers, decimals, times and None."""
        return tuple(getattr(self, name) for name in _STATE)

    @property
    def net_size(self) -> Decimal:
        """Signed size of the position."""
        return self._size

    @property
    def realized(self) -> Decimal:
        """Price PNL of all closings whose cost is known, since `since`, in USDC."""
        return self._realized

    @property
    def average_cost(self) -> Decimal | None:
        """Average cost of the position in USD, None without one or where it is not known."""
        return divide(self._cost, self._base) if self._size and self._cost is not None else None

    @property
    def ledger(self) -> Ledger:
        """The books as they stand."""
        with localcontext(SUMS):
            has_life = self._size or self._opened_by is not None
            return Ledger(
                net_size=self._size,
                average_cost=self.average_cost,
                realized=self._realized,
                fees=self.fees,
                life_realized=self._realized - self._realized_before if has_life else ZERO,
                life_fees=self.fees - self._fees_before if has_life else ZERO,
                opened_at=self._began_at if self._opened_by is not None else None,
                since=self._since,
                is_complete=self._is_complete,
                cost=self._left() if self._size else None,
            )

    @property
    def life(self) -> Life | None:
        """The running life, None without a position or before the first fill of one that began earlier."""
        if not self._size or self._began_at is None:
            return None
        with localcontext(SUMS):
            return self._told(self._size > ZERO, None)

    def take_next(self, fill: Fill) -> Life | None:
        """Book a fill, for a caller that reckons with `SUMS` itself; returns the life that it ended."""
        size = fill.size
        paid = fill.paid
        self.closed_pnl = ZERO
        if self._since is None:
            self._since = fill.created_at
        if self._began_at is None and self._size:
            self._began_at = fill.created_at
        if not size:
            self.fees += paid
            self._fills += 1 if self._size else 0
            return None
        held = self._size
        is_buy = fill.side == Side.BUY
        if not held:
            self._open(fill, size, _amount(fill), paid)
        elif (held > ZERO) == is_buy:
            self._increase(fill, size, paid)
        else:
            return self._reduce(fill, size, abs(held), paid)
        return None

    def _open(self, fill: Fill, size: Decimal, amount: Decimal, paid: Decimal) -> None:
        self._size = size if fill.side == Side.BUY else -size
        self._base = self._max_size = self._entered = size
        self._cost = self._entered_for = amount
        self._closed = self._taken = self._exited = self._exited_for = ZERO
        self._settled = self._realized_before = self._realized
        self._fees_before = self.fees
        self.fees += paid
        self._is_complete = True
        self._opened_by, self._began_at, self._began_height = fill.id, fill.created_at, fill.height
        self._fills = 1

    def _increase(self, fill: Fill, size: Decimal, paid: Decimal) -> None:
        held = self._size
        amount = _amount(fill)
        if self._closed:
            self._fold()
        self._base += size
        self._size = held + size if held > ZERO else held - size
        self._max_size = max(self._max_size, self._base)
        self._entered += size
        if self._cost is not None and self._entered_for is not None:
            self._cost += amount
            self._entered_for += amount
        self.fees += paid
        self._fills += 1

    def _reduce(self, fill: Fill, size: Decimal, held: Decimal, paid: Decimal) -> Life | None:
        closing = min(size, held)
        share = paid if closing == size else _part(paid, closing, size)
        is_long = self._size > ZERO
        amount = _amount(fill)
        brought = amount if closing == size else fill.price * closing
        self._closed += closing
        self._taken += brought
        self._exited += closing
        self._exited_for += brought
        self.fees += share
        self._fills += 1
        self._size = ZERO if closing == held else self._size - closing if is_long else self._size + closing
        if self._cost is None:
            self.closed_pnl = None
        else:
            before = self._realized
            gained = self._taken - _part(self._cost, self._closed, self._base)
            self._realized = self._settled + gained if is_long else self._settled - gained
            self.closed_pnl = self._realized - before
        if self._size:
            return None
        life = self._told(is_long, fill)
        self._end(fill)
        if closing != size:
            self._open(fill, size - closing, amount - brought, paid - share)
        return life

    def _end(self, fill: Fill) -> None:
        """Be flat; where the cost of what ended was not known, figures begin here."""
        if self._cost is None:
            self._realized = self.fees = ZERO
            self._since = fill.created_at
        self._is_complete = True
        self._opened_by = self._began_at = self._began_height = None
        self._fills = 0

    def _fold(self) -> None:
        """Begin a new run: what the closings took of the cost is settled."""
        if self._cost is not None:
            self._cost -= _part(self._cost, self._closed, self._base)
        self._settled = self._realized
        self._base -= self._closed
        self._closed = self._taken = ZERO

    def _left(self) -> Decimal | None:
        """Return the remaining cost with the sign of the size."""
        if self._cost is None:
            return None
        left = self._cost - _part(self._cost, self._closed, self._base)
        return left if self._size > ZERO else -left

    def _told(self, is_long: bool, last: Fill | None) -> Life:
        began = self._began_at
        if began is None:
            raise ValueError("a life without a fill")
        entry = None if self._entered_for is None else divide(self._entered_for, self._entered)
        return Life(
            subaccount=self._key.subaccount,
            market=self._key.market,
            opened_by=self._opened_by,
            side="LONG" if is_long else "SHORT",
            opened_at=began,
            opened_height=self._began_height,
            closed_by=None if last is None else last.id,
            closed_at=None if last is None else last.created_at,
            closed_height=None if last is None else last.height,
            closed_as=None if last is None else last.type,
            max_size=self._max_size,
            entry_price=entry,
            exit_price=divide(self._exited_for, self._exited),
            realized=self._realized - self._realized_before,
            fees=self.fees - self._fees_before,
            funding=None,
            fills=self._fills,
            is_complete=self._opened_by is not None,
        )


BookState = tuple[Decimal | datetime | str | int | None, ...]
"""What `Book.state` tells."""

_STATE = (
    "_size", "_since", "closed_pnl", "fees", "_realized", "_settled", "_taken", "_base", "_closed", "_cost",
    "_is_complete", "_opened_by", "_began_at", "_began_height", "_fees_before", "_realized_before", "_fills",
    "_max_size", "_entered", "_entered_for", "_exited", "_exited_for",
)  # fmt: skip


def _amount(fill: Fill) -> Decimal:
    """Return what a fill moved in USDC."""
    amount = fill.price * fill.size
    return amount.quantize(_MICRO, context=SUMS) if fill.type in _BY_AMOUNT else amount


def _part(whole: Decimal, part: Decimal, parts: Decimal) -> Decimal:
    """Return whole × part ÷ parts, exact where it is all of it, else to 10⁻³⁰."""
    if part == parts:
        return whole
    if not part:
        return ZERO
    quotient = MATH.divide(whole * part, parts)
    rounded = quotient.quantize(_FINEST, context=SUMS)
    return quotient if rounded == quotient else rounded


def ledger_of(fills: Iterable[Fill], anchor: Anchor | None) -> Ledger:
    """Return the books after all `fills` of one subaccount and market, given in chain order."""
    listed = list(fills)
    book = opening_book(_key_of(listed), listed, anchor)
    book.take_all(listed)
    return book.ledger


def bookings(fills: Iterable[Fill], anchor: Anchor | None = None) -> Iterator[Booking]:
    """Return what each of the `fills` of one subaccount and market did, given in chain order."""
    listed = list(fills)
    book = opening_book(_key_of(listed), listed, anchor)
    for fill in listed:
        yield booking(book, fill)


def booking(book: Book, fill: Fill) -> Booking:
    """Book a fill and return what it did."""
    held = book.net_size
    is_against = bool(held) and (held > ZERO) != (fill.side == Side.BUY)
    with localcontext(SUMS):
        closed = min(abs(held), fill.size) if is_against else ZERO
        book.take(fill)
        share = ZERO if not closed else fill.paid if closed == fill.size else _part(fill.paid, closed, fill.size)
        return Booking(fill, closed, fill.size - closed, book.closed_pnl, share, book.net_size, book.average_cost)


def stated_closed_pnl(fill: Fill) -> Decimal | None:
    """Return closed PNL less the whole fee by the venue's own figures of before the fill, None where it tells none.

    This is what the web shows (dydxprotocol/v4-web src/bonsai/calculators/fills.ts): a fill through zero counts what it
    closed and all of its fee, and the price is that of the venue's row, which averages every opening.
    """
    size, entry, side = fill.position_size_before, fill.entry_price_before, fill.position_side_before
    if size is None or entry is None or side is None:
        return None
    with localcontext(SUMS):
        is_long = side == "LONG"
        if is_long == (fill.side == Side.BUY):
            return -fill.fee
        moved = fill.price - entry if is_long else entry - fill.price
        return moved * min(fill.size, abs(size)) - fill.fee


def _key_of(fills: list[Fill]) -> PositionKey:
    return PositionKey(fills[0].subaccount, fills[0].market) if fills else PositionKey(0, "")


def opening_book(key: PositionKey, fills: Sequence[Fill], anchor: Anchor | None) -> Book:
    """Return the books before the first known fill: flat, or what the venue's position implies."""
    since = fills[0].created_at if fills else None
    if anchor is None:
        return Book(key, since=since)
    before = [fill for fill in fills if anchor.height is None or fill.height <= anchor.height]
    with localcontext(SUMS):
        size = anchor.net_size - sum((fill.signed_size for fill in before), start=ZERO)
    if not size:
        return Book(key, since=since)
    return Book(key, size, before[0].entry_price_before if before else anchor.entry_price, since)

"""The books of every subaccount and market: opening books of fills that were let go of, and the fills that are held.

Fills are booked where they stand; a fill at the end of its sequence goes onto the held books, whatever else changes
begins these anew from the opening ones. What is let go of is booked into the opening books first, so figures are over
all fills that were ever known, however many of them are held.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from decimal import Decimal, localcontext
from itertools import islice, takewhile

from dydx_console.domain.enums import PositionStatus
from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import ZERO
from dydx_console.domain.position import ChildState
from dydx_console.state.accounting import SUMS, Anchor, Book, Booking, Ledger, booking, opening_book
from dydx_console.state.fills import Fills, Places
from dydx_console.state.lives import Life
from dydx_console.state.pnl_days import DayBook

__all__ = ["MOST_LIVES", "Beginning", "Ledgers", "Opening", "OpeningBooks"]

MOST_LIVES = 5_000
"""Ended lives of a subaccount and market that are kept with its opening books, the newest."""

_Told = Callable[[Fill, Book], None]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The position before the first fill that is known: its signed size, and its average cost where that is known."""

    size: Decimal = ZERO
    average: Decimal | None = None


@dataclass(slots=True)
class Opening:
    """The books of a subaccount and market after fills that are no longer held.

    `began` is the position before the first of these, `days` their sums by day, `lives` the newest that ended in them,
    `count` how many they are.
    """

    book: Book
    began: Beginning
    days: DayBook
    lives: list[Life] = field(default_factory=list)
    count: int = 0

    @classmethod
    def at(cls, key: PositionKey, began: Beginning, zone: tzinfo) -> "Opening":
        """Return the books of a subaccount and market before any fill."""
        return cls(Book(key, began.size, began.average), began, DayBook(zone))

    def take(self, fills: Iterable[Fill], told: _Told | None = None) -> list[Life]:
        """Book fills, given in chain order; returns the lives that they ended. `told` is given every fill after it."""
        ended: list[Life] = []
        book, days = self.book, self.days
        with localcontext(SUMS):
            for fill in fills:
                life = book.take_next(fill)
                days.add(fill, book.closed_pnl)
                self.count += 1
                if life is not None:
                    ended.append(life)
                if told is not None:
                    told(fill, book)
        self.lives += ended
        if len(self.lives) > 2 * MOST_LIVES:
            del self.lives[:-MOST_LIVES]
        return ended

    def copy(self) -> "Opening":
        """Return the same books, to go on with apart."""
        days = DayBook(self.days.zone)
        days.absorb(self.days)
        return Opening(self.book.copy(), self.began, days, list(self.lives), self.count)

    @property
    def moved(self) -> Decimal:
        """What the fills moved the position by."""
        with localcontext(SUMS):
            return self.book.net_size - self.began.size


@dataclass(frozen=True, slots=True)
class OpeningBooks:
    """The opening books of an account: of all fills up to the block `horizon`, whose known places are `places`."""

    horizon: int
    books: Mapping[PositionKey, Opening]
    places: Places = field(default_factory=Places)

    @property
    def count(self) -> int:
        """How many fills are in the books."""
        return sum(opening.count for opening in self.books.values())


@dataclass(slots=True)
class Kept:
    """Books of the fills that are held.

    `first` are those before the first of them, `count` how many have been taken, `has_opening` whether `first` is what
    the opening books say. `closed` tells for each fill what it realized.
    """

    first: Book
    book: Book
    days: DayBook
    has_opening: bool
    ledger: Ledger
    count: int = 0
    ended: list[Life] = field(default_factory=list)
    closed: dict[str, Decimal | None] = field(default_factory=dict)

    def take(self, fills: Iterable[Fill], every: DayBook) -> None:
        """Book fills, and add them up in `every` too."""
        book, days, closed = self.book, self.days, self.closed
        with localcontext(SUMS):
            for fill in fills:
                life = book.take_next(fill)
                gained = closed[fill.id] = book.closed_pnl
                days.add(fill, gained)
                every.add(fill, gained)
                self.count += 1
                if life is not None:
                    self.ended.append(life)
        self.ledger = book.ledger


class Ledgers:
    """The books of every subaccount and market.

    The result is that of booking all fills at once, whichever of them are held. Where the venue's position contradicts
    the opening books, or a fill that they may lack has come to light, books begin at the horizon with what that
    position implies, and say so (`Ledger.is_complete`, `since`), until other opening books are given.

    Args:
        fills: the account's fills; `forget` is to be told what else than additions at the end changed in them.
        days: where everything that is booked is added up by day.
    """

    def __init__(self, fills: Fills, days: DayBook | None = None) -> None:
        self._fills = fills
        self._days = DayBook(UTC) if days is None else days
        self._anchors: dict[PositionKey, Anchor] = {}
        self._stated: dict[int, int | None] = {}
        self._books: dict[PositionKey, Kept] = {}
        self._openings: dict[PositionKey, Opening] = {}
        self._doubted: set[PositionKey] = set()
        self._suspected: set[PositionKey] = set()
        self.revision = 0
        """Grows with whatever is booked."""

    def of(self, key: PositionKey) -> Ledger:
        """Return the books of a subaccount and market."""
        return self._kept(key).ledger

    def traded(self) -> set[PositionKey]:
        """Return every subaccount and market that has traded."""
        return set(self._fills.keys()) | set(self._openings)

    def lives(self, key: PositionKey) -> tuple[Life, ...]:
        """Return the lives of a subaccount and market, oldest first, the running one last; their funding is apart.

        Of those that ended in fills no longer held, the newest are told.
        """
        kept, opening = self._kept(key), self._openings.get(key)
        earlier = () if opening is None or not kept.has_opening else opening.lives
        running = kept.book.life
        return (*earlier, *kept.ended) if running is None else (*earlier, *kept.ended, running)

    def bookings(self, key: PositionKey) -> Iterator[Booking]:
        """Return what each held fill of a subaccount and market did, oldest first."""
        book = self._kept(key).first.copy()
        return (booking(book, fill) for fill in self._fills.of(key))

    def held(self, key: PositionKey) -> tuple[Book, tuple[Fill, ...]]:
        """Return the books before the first held fill, and the held fills: all that `bookings` rests on, apart."""
        return self._kept(key).first.copy(), tuple(self._fills.of(key))

    def closed_pnl(self, fill: Fill) -> Decimal | None:
        """Return what a fill realized, None where that is not known or the fill is not held."""
        return self._kept(PositionKey(fill.subaccount, fill.market)).closed.get(fill.id)

    def is_cut(self, key: PositionKey) -> bool:
        """Return whether fills of a subaccount and market have been let go of."""
        return key in self._openings

    def began(self) -> dict[PositionKey, Beginning]:
        """Return the positions before the first fills that are known, by what the venue stated; flat ones left out."""
        found = {}
        for key in self.traded() | set(self._anchors):
            kept, opening = self._kept(key), self._openings.get(key)
            if opening is None:
                began = Beginning(kept.first.net_size, kept.first.average_cost)
            elif kept.has_opening:
                began = opening.began
            else:
                with localcontext(SUMS):
                    size = kept.first.net_size - opening.moved
                is_same = size == opening.began.size
                began = opening.began if is_same else Beginning(size, self._first_cost(key))
            if began.size:
                found[key] = began
        return found

    @property
    def doubted(self) -> frozenset[PositionKey]:
        """Subaccounts and markets whose opening books may lack a fill, until others are given."""
        return frozenset(self._suspected)

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
                self._drop(key)

    def forget(self, keys: Iterable[PositionKey]) -> None:
        """Begin anew the books whose fills changed elsewhere than at the end."""
        for key in keys:
            self._drop(key)

    def look(self) -> None:
        """Book whatever has not been booked."""
        for key in self.traded():
            self._kept(key)

    def let_go(self, height: int) -> None:
        """Book the fills up to a block into the opening books and let go of them."""
        leaving = self._fills.leaving(height)
        for key in leaving:
            self._kept(key)
        for key, gone in leaving.items():
            self._fold(key, gone)
        self._fills.let_go(height)

    def open(self, opening: Mapping[PositionKey, Opening]) -> None:
        """Go on from other opening books; the fills that are held now must be those after them."""
        for key in list(self._books):
            self._drop(key)
        for held in self._openings.values():
            self._days.release(held.days)
        self._openings = dict(opening)
        self._doubted.clear()
        self._suspected.clear()
        for held in self._openings.values():
            self._days.absorb(held.days)
        self.revision += 1

    def doubt(self, key: PositionKey) -> None:
        """Note that the opening books of a subaccount and market may lack a fill."""
        self._doubted.add(key)
        self._suspected.add(key)
        self._drop(key)

    def _fold(self, key: PositionKey, gone: list[Fill]) -> None:
        kept, opening = self._books[key], self._openings.get(key)
        if opening is None:
            began = Beginning(kept.first.net_size, kept.first.average_cost)
            opening = Opening(kept.first.copy(), began, DayBook(self._days.zone))
        elif not kept.has_opening:
            # what was let go of before is not explained, so the books go on from what the venue's position implies
            self._days.release(opening.days)
            self._doubted.discard(key)
            with localcontext(SUMS):
                began = Beginning(kept.first.net_size - opening.moved, kept.first.average_cost)
            opening = Opening(kept.first.copy(), began, DayBook(self._days.zone), count=opening.count)
        part = Opening(opening.book, opening.began, DayBook(self._days.zone))
        ended = part.take(gone)
        kept.days.release(part.days)
        opening.days.absorb(part.days)
        opening.count += len(gone)
        opening.lives = [*opening.lives, *ended][-MOST_LIVES:]
        kept.first, kept.has_opening = opening.book.copy(), True
        kept.count -= len(gone)
        del kept.ended[: len(ended)]
        for fill in gone:
            del kept.closed[fill.id]
        self._openings[key] = opening

    def _drop(self, key: PositionKey) -> None:
        kept = self._books.pop(key, None)
        if kept is not None:
            self._days.release(kept.days)
            self.revision += 1

    def _kept(self, key: PositionKey) -> Kept:
        held = self._books.get(key)
        count = self._fills.count(key)
        if held is not None and held.count != count and not (held.count and self._continued(key, held, count)):
            self._drop(key)
            held = None
        if held is None:
            held = self._books[key] = self._whole(key)
            self.revision += 1
        return held

    def _anchor(self, key: PositionKey) -> Anchor | None:
        """Return what the venue stated of a position, also that there is none; None where later fills are gone."""
        anchor = self._anchors.get(key)
        if anchor is None and key.subaccount in self._stated:
            anchor = Anchor(ZERO, None, self._stated[key.subaccount])
        horizon = self._fills.horizon if key in self._openings else None
        is_old = anchor is not None and anchor.height is not None and horizon is not None and anchor.height < horizon
        return None if is_old else anchor

    def _whole(self, key: PositionKey) -> Kept:
        listed = list(self._fills.of(key))
        first, has_opening = self._first(key, listed)
        kept = Kept(first, first.copy(), DayBook(self._days.zone), has_opening, first.ledger)
        kept.take(listed, self._days)
        return kept

    def _first(self, key: PositionKey, listed: list[Fill]) -> tuple[Book, bool]:
        """Return the books before the first held fill, and whether they are the opening ones."""
        opening, anchor = self._openings.get(key), self._anchor(key)
        if opening is None:
            return opening_book(key, listed, anchor), False
        if key not in self._doubted and (anchor is None or self._implied(listed, anchor) == opening.book.net_size):
            return opening.book.copy(), True
        since = listed[0].created_at if listed else None
        if anchor is None:
            return Book(key, opening.book.net_size, None, since, is_complete=False), False
        size = self._implied(listed, anchor)
        cost = self._cost(listed, anchor)
        return Book(key, size, cost if size else None, since, is_complete=False), False

    @staticmethod
    def _implied(listed: list[Fill], anchor: Anchor) -> Decimal:
        """Return the position before the first held fill that the venue's position implies."""
        height = anchor.height
        with localcontext(SUMS):
            moved = (fill.signed_size for fill in listed if height is None or fill.height <= height)
            return anchor.net_size - sum(moved, start=ZERO)

    @staticmethod
    def _cost(listed: list[Fill], anchor: Anchor) -> Decimal | None:
        is_before = listed and (anchor.height is None or listed[0].height <= anchor.height)
        return listed[0].entry_price_before if is_before else anchor.entry_price

    def _first_cost(self, key: PositionKey) -> Decimal | None:
        return self._kept(key).first.average_cost

    def _continued(self, key: PositionKey, held: Kept, count: int) -> bool:
        """Book the fills that were added; returns False where the anchor speaks of one of them."""
        if count < held.count:
            return False
        added = list(islice(self._fills.last(key), count - held.count))[::-1]
        anchor = self._anchor(key)
        if anchor is not None and (anchor.height is None or added[0].height <= anchor.height):
            return False
        held.take(added, self._days)
        self.revision += 1
        return True

    def _agrees(self, key: PositionKey) -> bool:
        """Return whether the held books have a known beginning and give the size that the venue now states."""
        held, anchor = self._books.get(key), self._anchor(key)
        if held is None or anchor is None or anchor.height is None or held.count != self._fills.count(key):
            return False
        height = anchor.height
        later = takewhile(lambda fill: fill.height > height, self._fills.last(key))
        with localcontext(SUMS):
            then = held.ledger.net_size - sum((fill.signed_size for fill in later), start=ZERO)
        is_known = held.has_opening or (not held.first.net_size and key not in self._openings)
        return is_known and then == anchor.net_size

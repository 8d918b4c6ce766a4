"""All fills of an account booked as they come by, oldest first, none of them kept but those of the running block."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, tzinfo

from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey, parent_of
from dydx_console.state.accounting import Book
from dydx_console.state.fills import Places, in_chain_order
from dydx_console.state.ledgers import Beginning, Opening
from dydx_console.state.lives import Life

__all__ = ["Fold"]

Told = Callable[[Fill, Book, int | None], None]
"""Is given a fill, the books after it, and its place."""


class Fold:
    """Books fills that come in the order of their times; blocks are put into chain order.

    Args:
        zone: whose days are added up.
        books: where to go on from; they are booked on.
        places: the places of the fills that are in `books`, by parent subaccount.
        began: positions before the first fill, where they were not flat.
        at: the time of the newest block that is in `books`.
    """

    def __init__(
        self,
        zone: tzinfo,
        books: Mapping[PositionKey, Opening] | None = None,
        places: Mapping[int, Places] | None = None,
        began: Mapping[PositionKey, Beginning] | None = None,
        at: datetime | None = None,
    ) -> None:
        self.books: dict[PositionKey, Opening] = dict(books or {})
        self.places: dict[int, Places] = dict(places or {})
        self.at = at
        """The time of the newest block that is booked, None before the first."""
        self.height = 0
        """The newest block that was booked here."""
        self.count = sum(opening.count for opening in self.books.values())
        """How many fills are booked."""
        self._zone = zone
        self._began = dict(began or {})
        self._block: list[tuple[Fill, int | None]] = []

    def take(self, fills: Iterable[tuple[Fill, int | None]], told: Told | None = None) -> list[Life]:
        """Take fills with their places, and book every block that is over; returns the lives that ended."""
        ended: list[Life] = []
        for fill, place in fills:
            if self._block and fill.created_at != self._block[0][0].created_at:
                ended += self.finish(told)
            self._block.append((fill, place))
        return ended

    def finish(self, told: Told | None = None) -> list[Life]:
        """Book the last block; returns the lives that ended. A fill of it that comes later is too late."""
        block, self._block = self._block, []
        if not block:
            return []
        places = {fill.id: place for fill, place in block if place is not None}
        ended: list[Life] = []
        for key, fills in _by_position(block).items():
            opening = self.books.get(key)
            if opening is None:
                opening = self.books[key] = self._opened(key, fills[0])
            ended += opening.take(fills if len(block) == 1 else _ordered(fills, places), _teller(told, places))
        for fill, place in block:
            if place is not None:
                self.places.setdefault(parent_of(fill.subaccount), Places()).add(place)
        self.count += len(block)
        self.at = block[0][0].created_at
        self.height = max(self.height, *(fill.height for fill, _ in block))
        return ended

    def _opened(self, key: PositionKey, first: Fill) -> Opening:
        """Return the books before the first fill; what a position had cost, the venue's row of that fill tells best."""
        began = self._began.get(key, Beginning())
        cost = first.entry_price_before if first.entry_price_before is not None else began.average
        return Opening.at(key, Beginning(began.size, cost if began.size else None), self._zone)


def _by_position(block: list[tuple[Fill, int | None]]) -> dict[PositionKey, list[Fill]]:
    found: dict[PositionKey, list[Fill]] = {}
    for fill, _ in block:
        found.setdefault(PositionKey(fill.subaccount, fill.market), []).append(fill)
    return found


def _ordered(fills: list[Fill], places: Mapping[str, int]) -> list[Fill]:
    """Return a position's fills of one moment in chain order; blocks that share it go by their height."""
    blocks: dict[int, list[Fill]] = {}
    for fill in fills:
        blocks.setdefault(fill.height, []).append(fill)
    return [fill for height in sorted(blocks) for fill in in_chain_order(blocks[height], places)[0]]


def _teller(told: Told | None, places: Mapping[str, int]) -> Callable[[Fill, Book], None] | None:
    if told is None:
        return None

    def tell(fill: Fill, book: Book) -> None:
        told(fill, book, places.get(fill.id))

    return tell

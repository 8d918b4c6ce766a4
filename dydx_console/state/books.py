"""Order books: levels by version, and the uncrossed view.

The stream is a sum over orders that one node knows, so it crosses, and the server repairs its own copy without
saying so (dydxprotocol/v4-chain indexer/services/roundtable/src/tasks/uncross-orderbook.ts). Every level therefore
keeps the number of the message that set it, and where sides cross the older level gives way.

The Indexer reads the first contents before it registers the subscription, and what changes in between comes by no
message (indexer/services/socks/src/lib/subscription.ts). So a book is read by REST once its contents have come: that
tells what became of the levels of which no message has told since.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.numbers import ZERO, divide
from dydx_console.domain.tape import Level

__all__ = ["BookView", "Books", "uncrossed"]

_Side = dict[Decimal, tuple[Decimal, StreamVersion]]
_NEVER = StreamVersion(0, -1)
_HALF = Decimal("0.5")
MOST_LEVELS = 4000
"""At this many levels of a side, removed ones among them, the older removed ones are forgotten."""
MOST_LISTED = 100
"""Levels of a side that REST lists at most (dydxprotocol/v4-chain comlink API_ORDERBOOK_LEVELS_PER_SIDE_LIMIT)."""


@dataclass(frozen=True, slots=True)
class BookView:
    """An uncrossed book, best levels first. `was_crossed` tells that levels were left out to uncross it."""

    market: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    was_crossed: bool

    @property
    def mid_price(self) -> Decimal | None:
        """Middle of the best prices, None where a side is empty."""
        return (self.bids[0][0] + self.asks[0][0]) * _HALF if self.bids and self.asks else None

    @property
    def spread(self) -> Decimal | None:
        """Distance of the best prices in USD, None where a side is empty."""
        return self.asks[0][0] - self.bids[0][0] if self.bids and self.asks else None

    @property
    def spread_fraction(self) -> Decimal | None:
        """Spread as a fraction of the mid price."""
        mid, spread = self.mid_price, self.spread
        return None if mid is None or spread is None else divide(spread, mid)


@dataclass(slots=True)
class Book:
    """One market's levels; a removed level stays with size zero, so that a delayed message cannot bring it back.

    `floor` is the version of the first contents, and of all that no message has told of since. `read_at` is when the
    newest answer by REST was asked for that completed them.
    """

    bids: _Side = field(default_factory=dict)
    asks: _Side = field(default_factory=dict)
    floor: StreamVersion = _NEVER
    read_at: float = -inf


class Books:
    """The books of all subscribed markets."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}

    def __contains__(self, market: str) -> bool:
        return market in self._books

    @property
    def markets(self) -> tuple[str, ...]:
        """Markets whose book is known."""
        return tuple(self._books)

    def take_snapshot(self, market: str, bids: Iterable[Level], asks: Iterable[Level], version: StreamVersion) -> None:
        """Replace a book; levels that later messages set stay."""
        held = self._books.get(market, Book())
        floor: StreamVersion = version
        if floor < held.floor:
            return
        self._books[market] = Book(_based(held.bids, bids, floor), _based(held.asks, asks, floor), floor)

    def take_read(self, market: str, bids: Iterable[Level], asks: Iterable[Level], asked_at: float) -> None:
        """Complete first contents by an answer of REST that was asked for after they came.

        Of a level of which a message has told since, the message stands, for the stream tells of every change from
        then on. Any other level is as the answer says, and gone where it lists none, but for levels worse than the last
        of a list that is full. An answer that was asked for before one that is taken already changes nothing.
        """
        book = self._books.get(market)
        if book is None or asked_at < book.read_at:
            return
        book.read_at = asked_at
        book.bids = _completed(book.bids, dict(bids), book.floor, is_bid=True)
        book.asks = _completed(book.asks, dict(asks), book.floor, is_bid=False)

    def take_levels(self, market: str, bids: Iterable[Level], asks: Iterable[Level], version: StreamVersion) -> None:
        """Set single levels to their absolute size; zero removes."""
        book = self._books.get(market)
        if book is None:
            book = self._books[market] = Book()
        mark: StreamVersion = version
        if mark < book.floor:
            return
        _set_levels(book.bids, bids, mark)
        _set_levels(book.asks, asks, mark)

    def levels(self, market: str) -> tuple[_Side, _Side]:
        """Return both sides by price: size and the version that set it, removed levels with size zero."""
        book = self._books.get(market, Book())
        return book.bids, book.asks

    def view(self, market: str, depth: int | None = None) -> BookView:
        """Return the uncrossed book, at most `depth` levels a side."""
        book = self._books.get(market, Book())
        return uncrossed(market, book.bids, book.asks, depth)


def _based(held: _Side, levels: Iterable[Level], floor: StreamVersion) -> _Side:
    side: _Side = {price: (size, floor) for price, size in levels}
    side.update({price: entry for price, entry in held.items() if entry[1] > floor})
    return side


def _completed(held: _Side, told: dict[Decimal, Decimal], floor: StreamVersion, *, is_bid: bool) -> _Side:
    side: _Side = {price: (size, floor) for price, size in told.items()}
    last = (min if is_bid else max)(told) if len(told) >= MOST_LISTED else None
    for price, entry in held.items():
        is_beyond = last is not None and (price < last if is_bid else price > last)
        if entry[1] > floor or is_beyond:
            side[price] = entry
    return side


def _set_levels(side: _Side, levels: Iterable[Level], mark: StreamVersion) -> None:
    for price, size in levels:
        held = side.get(price)
        if held is None or mark >= held[1]:
            side[price] = (size, mark)
        if held is None and len(side) % MOST_LEVELS == 0:
            _drop_removed(side)


def _drop_removed(side: _Side) -> None:
    """Forget the older half of the removed levels: no message and no answer is delayed by as many."""
    removed = sorted((mark, price) for price, (size, mark) in side.items() if not size)
    for _, price in removed[: len(removed) // 2]:
        del side[price]


def uncrossed(market: str, bids: _Side, asks: _Side, depth: int | None = None) -> BookView:
    """Return the view of a book whose sides no longer cross.

    While best bid ≥ best ask, the older of the two levels is dropped; of the same age the smaller, of the same size
    the bid. Source: dydxprotocol/v4-web src/bonsai/calculators/orderbook.ts.
    """
    highest = sorted((price for price, (size, _) in bids.items() if size > ZERO), reverse=True)
    lowest = sorted(price for price, (size, _) in asks.items() if size > ZERO)
    bid = ask = 0
    while bid < len(highest) and ask < len(lowest) and highest[bid] >= lowest[ask]:
        bid_size, bid_mark = bids[highest[bid]]
        ask_size, ask_mark = asks[lowest[ask]]
        if bid_mark[:2] < ask_mark[:2] or (bid_mark[:2] == ask_mark[:2] and bid_size <= ask_size):
            bid += 1
        else:
            ask += 1
    bid_end = None if depth is None else bid + depth
    ask_end = None if depth is None else ask + depth
    return BookView(
        market,
        tuple((price, bids[price][0]) for price in highest[bid:bid_end]),
        tuple((price, asks[price][0]) for price in lowest[ask:ask_end]),
        bool(bid or ask),
    )

"""What an earlier run has written down, given to the state before the venue is asked.

The first start, one after a crash and one after a reconnection take the same way: what is known comes first, the venue
is read again from the cursors with an overlap, and everything is merged by id.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeVar

from dydx_console.domain.enums import DisplayStatus
from dydx_console.domain.events import Recalled
from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.domain.ids import PositionKey, parent_of
from dydx_console.domain.order import OrderPatch, is_done
from dydx_console.engine.booknotes import BOOKS, noted
from dydx_console.ports.journal import (
    BooksPort,
    Cursor,
    EquityPoint,
    HistoryPort,
    HistoryQuery,
    OrderRecord,
    Page,
    PlacedFill,
    PositionNote,
)
from dydx_console.state.console import MOST_FILLS, ConsoleState, Watched
from dydx_console.state.epoch import Head
from dydx_console.state.fills import Places
from dydx_console.state.folding import Fold
from dydx_console.state.funding import PaidBefore
from dydx_console.state.ledgers import Beginning, OpeningBooks
from dydx_console.state.order_rules import order_values
from dydx_console.state.pnl_days import DayBook, day_of, day_start

__all__ = ["HEIGHT", "NOTHING", "Recollection", "fills_source", "recall", "resume"]

Row = TypeVar("Row")

HEIGHT = "height"
"""The cursor of the newest block known."""
MOST_ROWS = 10_000
PAGE = 5_000
MOST_DAYS = 40
"""Days of which the last standing of the net PNL is given back."""
FEW = 50
TICK = timedelta(microseconds=1)
_UNDECIDED = tuple(str(status) for status in DisplayStatus if not is_done(status))


@dataclass(frozen=True, slots=True)
class Recollection:
    """What a journal knows of one parent subaccount: fills and flows, the newest of them, orders that had not ended,
    positions as last noted, standings of the net PNL, and cursors by their names.

    `books` and `paid` are made of older fills and payments, which are not given back one by one; None where there are
    none.
    """

    fills: tuple[PlacedFill, ...] = ()
    orders: tuple[OrderRecord, ...] = ()
    positions: tuple[PositionNote, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    payments: tuple[FundingPayment, ...] = ()
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    books: OpeningBooks | None = None
    paid: PaidBefore | None = None
    points: tuple[EquityPoint, ...] = ()

    def event(self, address: str, at: float) -> Recalled:
        """Return it as an event for the state."""
        return Recalled(
            address,
            tuple((placed.fill, placed.place) for placed in self.fills),
            tuple(OrderPatch(*order_values(record.order)) for record in self.orders),
            self.transfers,
            self.payments,
            at,
        )


NOTHING = Recollection()
"""What a new journal knows."""


def fills_source(parent: int) -> str:
    """Return the name of the cursor of a parent subaccount's fills."""
    return f"fills/{parent}"


async def recall(
    history: BooksPort, cursors: Mapping[str, Cursor], watched: Watched, zone: tzinfo = UTC, *, most: int = MOST_FILLS
) -> Recollection:
    """Return what a journal knows of the watched account, with its newest `most` fills one by one.

    Costs a pass over the older fills where no books of them were noted. Raises JournalUnavailableError.
    """

    def is_ours(subaccount: int | None) -> bool:
        return subaccount is None or parent_of(subaccount) == watched.parent

    def has_end(transfer: Transfer) -> bool:
        ends = (
            (transfer.sender, transfer.sender_subaccount),
            (transfer.recipient, transfer.recipient_subaccount),
        )
        return any(address == watched.address and number is not None and is_ours(number) for address, number in ends)

    fills = await _newest(history.fills, most, lambda placed: is_ours(placed.fill.subaccount))
    books: OpeningBooks | None = None
    if len(fills) == most:
        # what is given back begins with a whole block
        begin = fills[-1].fill.created_at
        books = await _books_before(history, cursors, begin, zone, watched.parent)
        fills = tuple(placed for placed in fills if placed.fill.created_at > begin)
    orders = await _newest(history.orders, MOST_ROWS, lambda record: is_ours(record.order.subaccount), _UNDECIDED)
    payments = await _newest(history.funding, MOST_ROWS, lambda payment: is_ours(payment.subaccount))
    paid: PaidBefore | None = None
    if len(payments) == MOST_ROWS:
        begin = payments[-1].created_at
        paid = PaidBefore(DayBook(zone))
        async for page in _pages(history.funding, HistoryQuery(until=begin + TICK, oldest_first=True, limit=PAGE)):
            paid.take(payment for payment in page if is_ours(payment.subaccount))
        payments = tuple(payment for payment in payments if payment.created_at > begin)
    return Recollection(
        fills=tuple(sorted(fills, key=lambda placed: (placed.fill.height, placed.fill.id))),
        orders=orders,
        positions=tuple(note for note in await history.positions() if is_ours(note.position.subaccount)),
        transfers=await _newest(history.transfers, MOST_ROWS, has_end),
        payments=payments,
        cursors=dict(cursors),
        books=books,
        paid=paid,
        points=await _marks(history, watched.parent, zone),
    )


async def _books_before(
    history: BooksPort,
    cursors: Mapping[str, Cursor],
    last: datetime,
    zone: tzinfo,
    parent: int,
) -> OpeningBooks:
    """Return the books of a parent subaccount's fills up to a moment, from noted ones where these are old enough."""
    found = noted(cursors.get(BOOKS), await history.books(), zone)
    began: dict[PositionKey, Beginning] = {}
    if found is not None:
        began = {key: opening.began for key, opening in found.books.items() if opening.began.size}
    if found is None or found.at > last:
        fold, since = Fold(zone, began=began), None
    else:
        fold, since = Fold(zone, found.books, found.places, began, found.at), found.at + TICK
        fold.height = found.height
    async for page in _pages(
        history.fills, HistoryQuery(since=since, until=last + TICK, oldest_first=True, limit=PAGE)
    ):
        fold.take((placed.fill, placed.place) for placed in page)
    fold.finish()
    ours = {key: opening for key, opening in fold.books.items() if parent_of(key.subaccount) == parent}
    return OpeningBooks(fold.height, ours, fold.places.get(parent, Places()))


async def _marks(history: HistoryPort, parent: int, zone: tzinfo) -> tuple[EquityPoint, ...]:
    """Return the last standing of the net PNL of each of the last days that have one, oldest first."""
    found: list[EquityPoint] = []
    query = HistoryQuery(subaccounts=(parent,), limit=FEW)
    for _ in range(MOST_DAYS):
        rows = (await history.equity(query)).rows
        point = next((row for row in rows if row.net_pnl is not None), rows[-1] if rows else None)
        if point is None:
            break
        if point.net_pnl is not None:
            found.append(point)
        query = replace(query, until=day_start(day_of(point.at, zone), zone))
    return tuple(reversed(found))


def resume(state: ConsoleState, known: Recollection, watched: Watched) -> None:
    """Have a state go on from where the cursors stood: the chain's newest block, and how far fills have been read."""
    if known.books is not None:
        state.open_books(known.books)
    if known.paid is not None:
        state.funding.begin_after(known.paid)
    for point in known.points:
        if point.net_pnl is not None:
            state.mark(point.net_pnl, point.at, point.since)
    height = known.cursors.get(HEIGHT)
    if height is not None and height.newest_height is not None and height.newest_at is not None:
        state.epoch.resume(Head(height.newest_height, height.newest_at))
    cursor = known.cursors.get(fills_source(watched.parent))
    if cursor is not None and cursor.read is not None:
        oldest = (cursor.oldest_at, cursor.oldest_height)
        state.coverage.resume(cursor.read, cursor.total, oldest, whole=cursor.is_complete)


async def _newest(
    ask: Callable[[HistoryQuery], Awaitable[Page[Row]]],
    most: int,
    is_wanted: Callable[[Row], bool],
    statuses: tuple[str, ...] = (),
) -> tuple[Row, ...]:
    found: list[Row] = []
    async for rows in _pages(ask, HistoryQuery(limit=PAGE, statuses=statuses)):
        found += filter(is_wanted, rows)
        if len(found) >= most:
            break
    return tuple(found[:most])


async def _pages(
    ask: Callable[[HistoryQuery], Awaitable[Page[Row]]], query: HistoryQuery
) -> AsyncIterator[tuple[Row, ...]]:
    """Yield the rows that a query lets through, page by page."""
    while True:
        page = await ask(query)
        yield page.rows
        if page.next is None:
            return
        query = query.beyond(page.next)

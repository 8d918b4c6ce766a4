"""Derives from the journal's fills and payments what is kept beside them: what each fill did, the position lives with
their funding, and books of older fills for a start to go on from.

What is new is booked onto the books of before. Where something older than these comes to light, it is derived anew from
the noted books, or from the first fill where those are too young.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey, parent_of
from dydx_console.engine.booknotes import BOOKS, NotedBooks, noted, notes_of
from dydx_console.ports.clock import Clock
from dydx_console.ports.journal import (
    BooksNote,
    BooksPort,
    Cursor,
    FillBooking,
    FundingBooked,
    HistoryQuery,
    JournalError,
    JournalFact,
    JournalPort,
    LivesForgotten,
    PositionLife,
)
from dydx_console.state.accounting import Book
from dydx_console.state.folding import Fold
from dydx_console.state.ledgers import Beginning
from dydx_console.state.lives import Life, funding_of

__all__ = ["Began", "BookPace", "Bookkeeper"]

REDO = "books/redo"
"""The cursor of what is being derived anew: from `oldest_at` on, until it has none."""
TIMES_SAID = 3
"""How often in a row it must be said that positions began otherwise than was booked."""

Began = Callable[[], Mapping[PositionKey, Beginning] | None]
"""Tells the positions before the first fill, flat ones left out; None while that is not known."""

FUNDING = "history/funding/"
"""How the cursors of the venue's whole funding history begin."""
ALWAYS = datetime.min.replace(tzinfo=UTC)
PAGE = 2_000
MOST_LIVES = 500
NOTE_EVERY = 10_000
"""Fills between two standings of the books, of which one is noted when `NOTE_BEHIND` more have come."""
NOTE_BEHIND = 21_000
"""Fills that noted books stay behind: what a start holds, so that it finds books before the first of them."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BookPace:
    """How often it is looked for what is new, in seconds.

    Fills of the last `settle_s` are left for the next look, because those of one block may come apart. Deriving anew
    waits `apart_s` since the last time, and longer where that takes long.
    """

    look_s: float = 1.0
    settle_s: float = 3.0
    apart_s: float = 10.0
    share: float = 20.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The books at a moment, as notes."""

    at: datetime
    height: int
    count: int
    notes: tuple[BooksNote, ...]


class Bookkeeper:
    """Keeps what is derived from one journal up to date.

    Args:
        journal: where it is written; this process owns it.
        books: the same journal for reading.
        clock: stamps cursors.
        zone: whose days the books add up.
        parent: whose positions `began` tells of.
        began: tells positions from before the first fill; without it, those that were noted last are taken.
        changed: is called after older fills have come to light and everything is derived anew.
        doubted: tells whether someone needs to hear of `changed` without that.
    """

    def __init__(
        self,
        journal: JournalPort,
        books: BooksPort,
        clock: Clock,
        *,
        zone: tzinfo = UTC,
        parent: int = 0,
        began: Began | None = None,
        changed: Callable[[], Awaitable[None]] | None = None,
        doubted: Callable[[], bool] | None = None,
        pace: BookPace = BookPace(),
    ) -> None:
        self._journal = journal
        self._books = books
        self._clock = clock
        self._zone = zone
        self._parent = parent
        self._tell_began = began
        self._changed = changed
        self._is_doubted = doubted
        self._pace = pace
        self._fold: Fold | None = None
        self._began: dict[PositionKey, Beginning] = {}
        self._wanted: dict[PositionKey, Decimal] = {}
        self._said = 0
        self._paid_since: datetime | None = None
        self._standings: deque[Standing] = deque()
        self._noted_count = 0
        self._funding: dict[tuple[PositionKey, str | None], Decimal | None] = {}
        self._quiet_until = 0.0

    async def run(self) -> None:
        """Look for what is new until cancelled. While the journal cannot be read or written, it is tried again."""
        while True:
            await asyncio.sleep(self._pace.look_s)
            try:
                await self._look()
            except JournalError as error:
                log.info("nothing can be derived from the journal now: %s", error)
                self._fold = None

    async def catch_up(self) -> bool:
        """Derive everything that is not derived yet; returns whether older fills made it begin anew.

        Raises JournalError.
        """
        return await self._catch_up(None)

    async def _look(self) -> None:
        if self._clock.monotonic() < self._quiet_until and await self._is_older_due():
            return
        began = self._clock.monotonic()
        is_anew = self._began_otherwise()
        if is_anew:
            await self._forget_books()
        is_anew |= await self._catch_up(self._clock.utc() - timedelta(seconds=self._pace.settle_s))
        if is_anew or (self._is_doubted is not None and self._is_doubted()):
            took = self._clock.monotonic() - began
            self._quiet_until = self._clock.monotonic() + max(self._pace.apart_s, self._pace.share * took)
            if self._changed is not None:
                await self._changed()

    async def _is_older_due(self) -> bool:
        """Return whether there is something to be derived anew."""
        if self._is_doubted is not None and self._is_doubted():
            return True
        since = (await self._books.unbooked()).since
        return since is not None and self._fold is not None and not self._goes_on(since)

    async def _catch_up(self, until: datetime | None) -> bool:
        try:
            return await self._brought_up_to(until)
        except BaseException:
            # what was written is right, but may end before the books in memory do
            self._fold = None
            raise

    async def _brought_up_to(self, until: datetime | None) -> bool:
        self._paid_since = await self._funding_known_since()
        is_anew = await self._begin() if self._fold is None else False
        since = (await self._books.unbooked()).since
        if since is not None and (until is None or since < until):
            if self._goes_on(since):
                await self._book_from(since, until)
            else:
                is_anew = True
                await self._redo(since)
        for subaccount, market, height in (await self._books.unbooked()).payments:
            await self._fund(PositionKey(subaccount, market), height)
        return is_anew

    # Where to go on from

    def _goes_on(self, since: datetime) -> bool:
        fold = self._fold
        return fold is not None and (fold.at is None or since > fold.at)

    def _began_otherwise(self) -> bool:
        """Return whether positions began otherwise than was booked, and this has been said several times in a row."""
        told = None if self._tell_began is None else self._tell_began()
        if told is None or self._fold is None:
            self._said = 0
            return False
        ours = {key: held for key, held in self._fold.books.items() if parent_of(key.subaccount) == self._parent}
        wanted = {key: began.size for key, began in told.items() if key in ours}
        booked = {key: opening.began.size for key, opening in ours.items() if opening.began.size}
        self._said = self._said + 1 if wanted == self._wanted else 1
        self._wanted = wanted
        if wanted == booked or self._said < TIMES_SAID:
            return False
        others = {key: began for key, began in self._began.items() if parent_of(key.subaccount) != self._parent}
        self._began = others | dict(told)
        return True

    async def _forget_books(self) -> None:
        """Have everything booked anew, from the first fill on."""
        first = (await self._books.fills(HistoryQuery(oldest_first=True, limit=1))).rows
        if first:
            await self._redo(first[0].fill.created_at)

    async def _begin(self) -> bool:
        """Go on from the noted books; returns whether an earlier run had begun to derive anew, which is done first."""
        found = await self._noted()
        if found is not None:
            self._began = {key: held.began for key, held in found.books.items() if held.began.size} | self._began
        self._use(found)
        redo = (await self._books.cursors()).get(REDO)
        unbooked = await self._books.unbooked()
        since = None if redo is None else redo.oldest_at
        if unbooked.since is not None and unbooked.booked_at is not None and unbooked.since <= unbooked.booked_at:
            since = unbooked.since if since is None else min(since, unbooked.since)
        if since is not None:
            await self._redo(since)
            return True
        fold = self._fold
        if fold is not None:
            since = unbooked.since
            async for rows in self._pages(fold.at, since):
                fold.take(rows)
                self._stand(fold)
            fold.finish()
            # an earlier run may have ended between a fill and the life that it is in
            await self._write(await self._running(fold, set(fold.books)))
        return False

    def _use(self, found: NotedBooks | None) -> Fold:
        self._standings.clear()
        if found is None:
            self._fold = Fold(self._zone, began=self._began)
        else:
            self._fold = Fold(self._zone, found.books, found.places, self._began, found.at)
            self._fold.height = found.height
        self._noted_count = self._fold.count
        return self._fold

    async def _redo(self, since: datetime) -> None:
        """Derive anew what comes at `since` and later; where that is cut off, the next run begins it again."""
        found = await self._noted()
        facts: list[JournalFact] = [Cursor(REDO, self._clock.utc(), oldest_at=since)]
        if found is not None and since <= found.at:
            found = None
            facts.append(Cursor(BOOKS, self._clock.utc()))
        await self._write(facts)
        self._use(found)
        self._funding.clear()
        await self._book_from(since, None, is_anew=True)
        await self._write([Cursor(REDO, self._clock.utc())])

    async def _noted(self) -> NotedBooks | None:
        cursors = await self._books.cursors()
        return noted(cursors.get(BOOKS), await self._books.books(), self._zone)

    # Fills

    async def _book_from(self, since: datetime, until: datetime | None, *, is_anew: bool = False) -> None:
        """Book the fills from where the fold stands to before `until`, and write what is of `since` or later."""
        fold = self._fold
        if fold is None:
            return
        touched: set[PositionKey] = set()
        facts: list[JournalFact] = []

        def told(fill: Fill, book: Book, place: int | None) -> None:
            key = PositionKey(fill.subaccount, fill.market)
            if is_anew and key not in touched:
                facts.append(LivesForgotten(*key, since))
            touched.add(key)
            if fill.created_at >= since:
                facts.append(
                    FillBooking(fill.id, fill.event_id, place, book.closed_pnl, book.net_size, book.average_cost)
                )

        lowest: dict[PositionKey, int] = {}
        is_bulk = is_anew or fold.at is None
        async for rows in self._pages(fold.at, until):
            await self._keep(facts, fold.take(rows, told), since, lowest, is_bulk=is_bulk)
            self._stand(fold)
        await self._keep(facts, fold.finish(told), since, lowest, is_bulk=is_bulk)
        await self._write([*await self._running(fold, touched), *self._note_facts()])
        for key, height in lowest.items():
            await self._fund(key, height)

    async def _keep(
        self,
        facts: list[JournalFact],
        ended: Iterable[Life],
        since: datetime,
        lowest: dict[PositionKey, int],
        *,
        is_bulk: bool,
    ) -> None:
        """Write bookings and the lives that ended in them; `lowest` is where a position's funding is to be added up."""
        for life in ended:
            if life.closed_at is not None and life.closed_at >= since:
                if is_bulk or await self._has_payment(life):
                    lowest.setdefault(life.key, life.opened_height or 0)
                # what was paid while it ran may have a payment of after its end
                self._funding.pop((life.key, life.opened_by), None)
                facts.append(_kept_life(life, None if is_bulk else await self._paid(life)))
                self._funding.pop((life.key, life.opened_by), None)
        await self._write(facts)

    async def _has_payment(self, life: Life) -> bool:
        """Return whether a payment fell into the block that ended a life: the next one may have begun in it."""
        height = life.closed_height
        return height is not None and bool(await self._books.payments(life.key, height, height))

    async def _running(self, fold: Fold, keys: Iterable[PositionKey]) -> list[JournalFact]:
        """Return the running lives of positions."""
        lives = [life for key in sorted(keys) if (life := fold.books[key].book.life) is not None]
        return [_kept_life(life, await self._paid(life)) for life in lives]

    async def _pages(
        self, after: datetime | None, until: datetime | None
    ) -> AsyncIterator[list[tuple[Fill, int | None]]]:
        """Yield the fills after a moment and before another, oldest first, by pages."""
        since = None if after is None else after + timedelta(microseconds=1)
        query = HistoryQuery(since=since, until=until, oldest_first=True, limit=PAGE)
        while True:
            page = await self._books.fills(query)
            yield [(placed.fill, placed.place) for placed in page.rows]
            if page.next is None:
                return
            query = query.beyond(page.next)

    async def _write(self, facts: list[JournalFact]) -> None:
        """Write facts, and wait until they are kept: there may be far more than the writer would hold."""
        if facts:
            self._journal.write(facts)
            facts.clear()
            await self._journal.flush()

    # Books to go on from

    def _stand(self, fold: Fold) -> None:
        last = self._standings[-1].count if self._standings else self._noted_count
        if fold.at is not None and fold.count >= last + NOTE_EVERY:
            notes = notes_of(fold.books, fold.places)
            self._standings.append(Standing(fold.at, fold.height, fold.count, notes))

    def _note_facts(self) -> list[JournalFact]:
        """Return the newest standing of the books that is old enough, with its cursor."""
        count = 0 if self._fold is None else self._fold.count
        due: Standing | None = None
        while self._standings and self._standings[0].count + NOTE_BEHIND <= count:
            due = self._standings.popleft()
        if due is None:
            return []
        self._noted_count = due.count
        cursor = Cursor(
            BOOKS, self._clock.utc(), read=due.count, newest_at=due.at, newest_height=due.height, is_complete=True
        )
        return [*due.notes, cursor]

    # Lives and their funding

    async def _paid(self, life: Life) -> Decimal | None:
        """Return what the payments brought that belong to a life, None where they are not known from its beginning."""
        name = (life.key, life.opened_by)
        if name not in self._funding:
            payments = await self._books.payments(life.key, life.opened_height or 0, life.closed_height)
            self._funding[name] = funding_of([life], payments)[0][0] if self._is_funding_known(life.opened_at) else None
        return self._funding[name]

    def _is_funding_known(self, opened_at: datetime) -> bool:
        return self._paid_since is not None and self._paid_since <= opened_at

    async def _funding_known_since(self) -> datetime | None:
        """Return from when all payments are here, None where there are none."""
        cursors = await self._books.cursors()
        whole = [name for name, cursor in cursors.items() if name.startswith(FUNDING) and cursor.is_complete]
        if whole:
            return ALWAYS
        oldest = (await self._books.funding(HistoryQuery(oldest_first=True, limit=1))).rows
        return oldest[0].created_at if oldest else None

    async def _fund(self, key: PositionKey, height: int) -> None:
        """Add a position's payments from a block on up in its lives."""
        page = await self._books.lives_after(key, height, None, MOST_LIVES)
        start = min(height, (page.rows[0].opened_height or 0) if page.rows else height)
        rows, mark = list(page.rows), page.next
        while True:
            later = await self._books.lives_after(key, height, mark, MOST_LIVES) if mark is not None else None
            end = None if later is None or not later.rows else later.rows[0].opened_height
            # lives that began in one block are looked at together
            held = [life for life in rows if end is not None and life.opened_height == end]
            lives = sorted((life for life in rows if life not in held), key=_course)
            payments = await self._books.payments(key, start, None if end is None else end - 1)
            facts = self._funded_lives(key, lives, payments)
            facts += [FundingBooked(*key, payment.height) for payment in payments if payment.height >= height]
            await self._write(facts)
            if end is None or later is None:
                return
            start, rows, mark = end, [*held, *later.rows], later.next

    def _funded_lives(
        self, key: PositionKey, lives: Sequence[PositionLife], payments: Sequence[FundingPayment]
    ) -> list[JournalFact]:
        sums, _ = funding_of(lives, payments)
        facts: list[JournalFact] = []
        for life, paid in zip(lives, sums, strict=True):
            funding = paid if self._is_funding_known(life.opened_at) else None
            if life.closed_at is None:
                self._funding[key, life.opened_by] = funding
            if funding != life.funding:
                facts.append(replace(life, funding=funding))
        return facts


def _kept_life(life: Life, funding: Decimal | None) -> PositionLife:
    return PositionLife(
        subaccount=life.subaccount,
        market=life.market,
        opened_by=life.opened_by,
        side=life.side,
        opened_at=life.opened_at,
        opened_height=life.opened_height,
        closed_at=life.closed_at,
        closed_height=life.closed_height,
        max_size=life.max_size,
        entry_price=life.entry_price,
        exit_price=life.exit_price,
        realized=life.realized,
        fees=life.fees,
        funding=funding,
        fills=life.fills,
        is_complete=life.is_complete,
    )


def _course(life: PositionLife) -> tuple[int, bool, int]:
    """Return where a life stands among those of its position: of two that began in a block, the first to end."""
    return life.opened_height or -1, life.closed_height is None, life.closed_height or 0

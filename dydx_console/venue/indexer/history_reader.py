"""Reads the whole history of a parent subaccount, page by page, to where it begins; and goes on where it stood.

What pages can be trusted for differs by path (dydxprotocol/v4-chain indexer/services/comlink/src/controllers/api/v4):
`page=` sorts fills by event, oldest first, so that places are for ever; transfers and funding payments stay newest
first, so that new rows push the others on to later pages, where they come twice, never less; rows of one block stand in
no certain order, so a block that two pages share is read once more in one piece; rewards go by their height; orders
have no pages, see order_windows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from dydx_console.domain.events import (
    FillsRead,
    FundingRead,
    HeightRead,
    MessageRejected,
    OrdersRead,
    ReadFailed,
    RewardsRead,
    TransfersRead,
)
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.order import OrderPatch
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.history import SourceProgress
from dydx_console.ports.journal import Cursor, History, PlacedFill
from dydx_console.venue.indexer.order_windows import BY_BLOCK, BY_TIME, Ending, Window, rest_of, seconds_up
from dydx_console.venue.indexer.rest import IndexerRest

__all__ = ["KINDS", "PAGE", "HistoryPage", "HistoryReader", "HistoryRow", "progress_in"]

PAGE = 1000
"""Rows of a page: the most that the Indexer gives (dydxprotocol/v4-chain comlink API_LIMIT_V4)."""
OVERLAP = 100
"""Fills that are read again behind the last one kept."""
SHORTEST_WAIT_S = 0.5
KINDS = (History.FILLS, History.ORDERS, History.TRANSFERS, History.FUNDING, History.REWARDS)
"""What the venue keeps, in the order in which it is read."""

HistoryRow = PlacedFill | OrderPatch | Transfer | FundingPayment | Reward
"""A row of the venue's history."""

FactT = TypeVar("FactT")


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Rows that came together; `cursors` are true once the rows are kept, and have to be kept together with them."""

    rows: tuple[HistoryRow, ...]
    cursors: tuple[Cursor, ...]
    progress: SourceProgress
    head: HeightRead | None = None
    """The newest block when orders were begun to be read: what has passed by then has ended."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A page of a list that is newest first: its rows, how many of it could not be read, and how many there are."""

    rows: tuple[Transfer, ...] | tuple[FundingPayment, ...] | tuple[Reward, ...]
    unread: int
    total: int | None

    @property
    def count(self) -> int:
        return len(self.rows) + self.unread

    @property
    def is_rising(self) -> bool:
        return bool(self.rows) and self.rows[0].height < self.rows[-1].height

    def is_last(self, number: int) -> bool:
        if self.total is None or not self.count:
            return self.count < PAGE
        return (number - 1) * PAGE + self.count >= self.total


class HistoryReader:
    """Reads older history, behind everything else that is asked of the Indexer.

    A spent budget is waited for. Where a row cannot be read, the rest is, but no cursor claims its page.

    Args:
        rest: the client.
        address: the account.
        parent: its parent subaccount.
        clock: stamps cursors.
        waits: is told why nothing comes at the moment, and with None that it goes on.
    """

    def __init__(
        self,
        rest: IndexerRest,
        address: str,
        parent: int,
        clock: Clock,
        *,
        waits: Callable[[str | None], None] | None = None,
    ) -> None:
        self._rest = rest
        self._address = address
        self._parent = parent
        self._clock = clock
        self._waits = waits
        self._is_waiting = False

    def pages(self, kind: History, cursors: Mapping[str, Cursor]) -> AsyncIterator[HistoryPage]:
        """Return what the journal, whose cursors these are, does not have of a kind yet. Raises VenueError."""
        own = cursors.get(_source(kind, self._parent))
        match kind:
            case History.FILLS:
                return self._fills(own, cursors.get(f"fills/{self._parent}"))
            case History.ORDERS:
                return self._orders(cursors)
            case History.TRANSFERS | History.FUNDING:
                return self._list(kind, own)
            case History.REWARDS:
                return self._rewards(own)
            case _:
                raise ValueError(f"the venue keeps no history of {kind.lower()}")

    # Fills

    async def _fills(self, own: Cursor | None, live: Cursor | None) -> AsyncIterator[HistoryPage]:
        """Walk upwards from the first fill, or from the last one kept, and pass over what the live reads have kept."""
        cursor = own or self._begun(History.FILLS)
        end = _joined(cursor, live)
        number, unread, is_falling = max(end - OVERLAP, 0) // PAGE + 1, 0, False
        while True:
            read, bad = await self._ask("/fills/parentSubaccountNumber", FillsRead, **self._of_parent, page=number)
            unread += bad
            offset, count = (number - 1) * PAGE if read.offset is None else read.offset, len(read.fills) + bad
            if read.total is not None and read.total < end - OVERLAP:
                # far fewer than are kept: the venue counts anew
                cursor, live, end, number = self._begun(History.FILLS), None, 0, 1
                continue
            is_falling |= bool(read.fills) and read.fills[0].height > read.fills[-1].height
            is_counted = not bad and not is_falling
            cursor = _with_fills(cursor, read, max(end, offset + count), self._clock.utc())
            end = _joined(cursor, None if is_falling else live)
            is_over = not count or end >= (offset + count + (count == PAGE) if read.total is None else read.total)
            cursor = replace(cursor, read=end, is_complete=is_over)
            rows = tuple(
                PlacedFill(fill, offset + index if is_counted else None) for index, fill in enumerate(read.fills)
            )
            yield HistoryPage(
                rows,
                () if unread or is_falling else (cursor,),
                _progress(History.FILLS, cursor, unread),
            )
            if is_over:
                return
            number = max(number, end // PAGE) + 1

    # Transfers and funding payments

    async def _list(self, kind: History, own: Cursor | None) -> AsyncIterator[HistoryPage]:
        """Read what is newer than the newest kept, and then downwards from the oldest kept without a hole."""
        cursor, unread, number = own or self._begun(kind), 0, 1
        if own is not None and own.newest_height is not None:
            newer = 0
            newest: Cursor | None = None
            while True:
                page = await self._page_of(kind, number)
                unread += page.unread
                if page.is_rising:
                    cursor = replace(cursor, is_complete=False)
                    break
                newest = newest or _with_newest(cursor, page)
                newer += sum(row.height > own.newest_height for row in page.rows)
                is_met = page.is_last(number) or (bool(page.rows) and page.rows[-1].height < own.newest_height)
                if is_met:
                    cursor = replace(newest, read=(own.read or 0) + newer, total=page.total, at=self._clock.utc())
                yield HistoryPage(
                    page.rows, (cursor,) if is_met and not unread else (), _progress(kind, cursor, unread)
                )
                if is_met:
                    break
                number += 1
            if cursor.is_complete:
                return
        async for found in self._tail(kind, cursor, unread):
            yield found

    async def _tail(self, kind: History, cursor: Cursor, unread: int) -> AsyncIterator[HistoryPage]:
        number = (cursor.read or 0) // PAGE + 1
        seam = cursor.oldest_height
        while True:
            page = await self._page_of(kind, number)
            rows = page.rows
            unread += page.unread
            if number > 1 and rows and rows[0].height == seam:
                shared = await self._across(kind, (number - 1) * PAGE)
                unread += shared.unread
                rows = (*shared.rows, *rows)
            seam = page.rows[-1].height if page.rows else seam
            is_over = page.is_last(number)
            cursor = _with_oldest(cursor, page, number, self._clock.utc(), is_over=is_over)
            yield HistoryPage(rows, () if unread else (cursor,), _progress(kind, cursor, unread))
            if is_over:
                return
            number += 1

    async def _page_of(self, kind: History, number: int, limit: int = PAGE) -> _Listed:
        query = {**self._of_parent, "limit": limit, "page": number}
        if kind is History.TRANSFERS:
            moved, bad = await self._ask("/transfers/parentSubaccountNumber", TransfersRead, **query)
            return _Listed(moved.transfers, bad, moved.total)
        paid, bad = await self._ask("/fundingPayments/parentSubaccount", FundingRead, **query)
        return _Listed(paid.payments, bad, paid.total)

    async def _across(self, kind: History, boundary: int) -> _Listed:
        """Read the rows on both sides of a page's boundary as one page, of which it is about the middle."""
        number = -(-boundary // PAGE)
        return await self._page_of(kind, number + 1, limit=boundary * 2 // (number * 2 + 1))

    # Rewards

    async def _rewards(self, own: Cursor | None) -> AsyncIterator[HistoryPage]:
        """Read what is newer than the newest kept, and then downwards: a block has one reward of an address at most."""
        cursor, unread = own or self._begun(History.REWARDS), 0
        known = cursor.newest_height
        newest: Cursor | None = None
        bound: int | None = None
        newer = 0
        while True:
            page = await self._rewards_until(bound)
            unread += page.unread
            newest = newest or _with_newest(cursor, page)
            least = page.rows[-1].height if page.rows else None
            is_over = page.count < PAGE or least in (None, bound)
            if page.is_rising and not is_over:
                problem = f"the venue lists rewards oldest first, so that only {PAGE:,} of them can be read"
                yield HistoryPage(page.rows, (), replace(_progress(History.REWARDS, cursor, 0), problem=problem))
                return
            is_met = known is None or is_over or (least is not None and least <= known)
            if known is not None:
                newer += sum(row.height > known and row.height != bound for row in page.rows)
            if known is not None and is_met:
                read = (cursor.read or 0) + newer
                cursor = replace(newest, at=self._clock.utc(), read=read, is_complete=cursor.is_complete or is_over)
            elif known is None:
                cursor = _with_rewards(
                    newest if cursor.newest_height is None else cursor, page, self._clock.utc(), is_over=is_over
                )
            yield HistoryPage(
                page.rows, (cursor,) if is_met and not unread else (), _progress(History.REWARDS, cursor, unread)
            )
            if is_met and cursor.is_complete:
                return
            bound = cursor.oldest_height if is_met else least
            known = None if is_met else known

    async def _rewards_until(self, height: int | None) -> "_Listed":
        bounds: dict[str, str | int] = {} if height is None else {"startingBeforeOrAtHeight": height}
        path = f"/historicalBlockTradingRewards/{self._address}"
        read, bad = await self._ask(path, RewardsRead, limit=PAGE, **bounds)
        return _Listed(read.rewards, bad, None)

    # Orders

    async def _orders(self, cursors: Mapping[str, Cursor]) -> AsyncIterator[HistoryPage]:
        """Walk downwards by what ends orders, the lasting ones first and then those of a few blocks."""
        height, _ = await self._ask("/height", HeightRead)
        before: frozenset[str] = frozenset()
        count = 0
        oldest: datetime | None = None
        problems: list[str] = []
        for ending, now in ((BY_TIME, seconds_up(height.time)), (BY_BLOCK, height.height)):
            own = cursors.get(f"history/{ending.name}/{self._parent}")
            async for rows, cursor, problem in self._ended(ending, own, now):
                count += sum(row.id not in before for row in rows)
                before = frozenset(row.id for row in rows)
                if problem is not None and problem not in problems:
                    problems.append(problem)
                ages = [at for row in rows for at in (row.created_at, row.updated_at) if at is not None]
                oldest = min([*ages, *(() if oldest is None else (oldest,))], default=None)
                is_over = ending is BY_BLOCK and cursor is not None and cursor.is_complete
                told = SourceProgress(
                    History.ORDERS, count, None, oldest, is_over and not problems, "; ".join(problems) or None
                )
                yield HistoryPage(rows, () if cursor is None else (cursor,), told, height)

    async def _ended(
        self, ending: Ending, own: Cursor | None, now: int
    ) -> AsyncIterator[tuple[tuple[OrderPatch, ...], Cursor | None, str | None]]:
        """Read window after window; each with the cursor that is true from then on, and what is wrong."""
        source = f"history/{ending.name}/{self._parent}"
        waiting, floor = _windows(ending, own)
        problem: str | None = None
        while waiting:
            window = waiting.pop()
            read, bad = await self._ask("/orders/parentSubaccountNumber", OrdersRead, **self._of_parent, **window.query)
            if bad:
                problem = _unread(bad)
            if len(read.orders) + bad >= PAGE:
                rest = rest_of(window, read.orders)
                if rest is None:
                    words = ending.words(window.high or 0)
                    problem = f"more than {PAGE:,} orders end {words}: the venue shows no more of them"
                waiting += rest or ()
            below = waiting[-1].high if waiting else 0
            cursor: Cursor | None = None
            if problem is None and below is not None and (floor is None or below <= floor):
                cursor = Cursor(
                    source, self._clock.utc(), newest_height=now, oldest_height=below, is_complete=not waiting
                )
            yield read.orders, cursor, problem

    # Asking

    @property
    def _of_parent(self) -> dict[str, str | int]:
        return {"address": self._address, "parentSubaccountNumber": self._parent, "limit": PAGE}

    def _begun(self, kind: History) -> Cursor:
        return Cursor(_source(kind, self._parent), self._clock.utc(), read=0)

    async def _ask(self, path: str, wanted: type[FactT], **query: str | int) -> tuple[FactT, int]:
        """Return an answer, and how many of its rows could not be read. Raises VenueError."""
        while True:
            facts = await self._rest.read_behind(path, **query)
            bad = [fact.reason for fact in facts if isinstance(fact, MessageRejected)]
            for fact in facts:
                if isinstance(fact, wanted):
                    self._tell(None)
                    return fact, len(bad)
                if isinstance(fact, ReadFailed) and fact.kind is not FaultKind.RATE_LIMITED:
                    raise VenueError(fact.kind or FaultKind.UNREACHABLE, self._rest.host, fact.text, fact.retry_after_s)
            failed = next((fact for fact in facts if isinstance(fact, ReadFailed)), None)
            if failed is None:
                reason = bad[0] if bad else "an answer without what was asked for"
                raise VenueError(FaultKind.BAD_ANSWER, self._rest.host, reason)
            wait_s = max(failed.retry_after_s or 0.0, SHORTEST_WAIT_S)
            self._tell(f"the venue's budget of requests is spent; it goes on in {wait_s:.0f} s")
            await asyncio.sleep(wait_s)

    def _tell(self, why: str | None) -> None:
        if self._waits is not None and (why is not None or self._is_waiting):
            self._waits(why)
        self._is_waiting = why is not None


def progress_in(cursors: Mapping[str, Cursor], parent: int) -> tuple[SourceProgress, ...]:
    """Return how far each kind is here by the journal's cursors."""
    return tuple(_progress_of(kind, cursors, parent) for kind in KINDS)


def _progress_of(kind: History, cursors: Mapping[str, Cursor], parent: int) -> SourceProgress:
    if kind is History.ORDERS:
        ends = [cursors.get(f"history/{ending.name}/{parent}") for ending in (BY_TIME, BY_BLOCK)]
        return SourceProgress(kind, is_complete=all(end is not None and end.is_complete for end in ends))
    own = cursors.get(_source(kind, parent))
    if kind is History.FILLS:
        own = _fills_known(own, cursors.get(f"fills/{parent}"))
    return SourceProgress(kind) if own is None else _progress(kind, own, 0)


def _fills_known(own: Cursor | None, live: Cursor | None) -> Cursor | None:
    """Return which fills are kept: those of the live reads alone have a hole before them, unless they are all."""
    if live is None or (own is not None and own.is_complete and not live.is_complete):
        return own if own is None else replace(own, read=_joined(own, live))
    if live.is_complete:
        return live
    return replace(live, read=0) if own is None else replace(own, total=live.total)


def _source(kind: History, parent: int) -> str:
    return "history/rewards" if kind is History.REWARDS else f"history/{kind.lower()}/{parent}"


def _unread(count: int) -> str:
    return f"{count:,} row{'s' if count > 1 else ''} of the venue's could not be read"


def _progress(kind: History, cursor: Cursor, unread: int) -> SourceProgress:
    return SourceProgress(
        kind,
        cursor.read or 0,
        cursor.total,
        cursor.oldest_at,
        cursor.is_complete and not unread,
        _unread(unread) if unread else None,
    )


def _joined(cursor: Cursor, live: Cursor | None) -> int:
    """Return up to which place fills are kept, the live reads' own included where these two meet."""
    own = cursor.read or 0
    if live is None or live.read is None:
        return own
    is_met = live.oldest_height is not None and (cursor.newest_height or 0) > live.oldest_height
    return max(own, live.read) if live.is_complete or is_met else own


def _with_fills(cursor: Cursor, read: FillsRead, end: int, at: datetime) -> Cursor:
    total = end if read.total is None else read.total
    if not read.fills:
        return replace(cursor, read=end, total=total, at=at)
    first, last = read.fills[0], read.fills[-1]
    return replace(
        cursor,
        at=at,
        read=end,
        total=total,
        newest_id=last.id,
        newest_at=last.created_at,
        newest_height=last.height,
        oldest_at=cursor.oldest_at or first.created_at,
        oldest_height=cursor.oldest_height or first.height,
    )


def _with_newest(cursor: Cursor, page: _Listed) -> Cursor:
    if not page.rows:
        return cursor
    return replace(cursor, newest_at=page.rows[0].created_at, newest_height=page.rows[0].height)


def _with_oldest(cursor: Cursor, page: _Listed, number: int, at: datetime, *, is_over: bool) -> Cursor:
    read = max(cursor.read or 0, (number - 1) * PAGE + page.count)
    changed = replace(cursor, at=at, read=read, total=page.total, is_complete=is_over)
    if not page.rows:
        return changed
    changed = changed if changed.newest_height is not None else _with_newest(changed, page)
    return replace(changed, oldest_at=page.rows[-1].created_at, oldest_height=page.rows[-1].height)


def _with_rewards(cursor: Cursor, page: _Listed, at: datetime, *, is_over: bool) -> Cursor:
    known = cursor.oldest_height
    read = (cursor.read or 0) + sum(known is None or row.height < known for row in page.rows)
    changed = replace(cursor, at=at, read=read, is_complete=is_over)
    if not page.rows:
        return changed
    return replace(changed, oldest_at=page.rows[-1].created_at, oldest_height=page.rows[-1].height)


def _windows(ending: Ending, own: Cursor | None) -> tuple[list[Window], int | None]:
    """Return what is to be asked for, the latest last, and down to where it only repeats what is kept.

    Whatever was placed after the last reading began, or lived on then, ends after that moment.
    """
    if own is None or own.newest_height is None:
        return [Window(ending)], None
    head = max(own.newest_height - ending.slack, 0)
    if own.is_complete or own.oldest_height is None:
        return [Window(ending, low=head)], head
    floor = min(head, own.oldest_height)
    return [Window(ending, high=floor), Window(ending, low=floor)], floor

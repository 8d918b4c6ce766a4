"""Brings the venue's older history straight into the journal, past the state: memory is for the picture alone."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from dydx_console.domain.enums import DisplayStatus, OrderFlags
from dydx_console.domain.events import HeightRead
from dydx_console.domain.numbers import ZERO
from dydx_console.domain.order import Order, OrderPatch, display_status, is_done
from dydx_console.engine.recover import fills_source
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.history import FetchState, HistoryProgress, SourceProgress
from dydx_console.ports.journal import (
    Cursor,
    History,
    HistoryQuery,
    JournalFact,
    JournalUnavailableError,
    OrderNote,
    OrderRecord,
)
from dydx_console.state.console import Watched
from dydx_console.state.order_rules import newer_read, order_values
from dydx_console.venue.indexer.history_reader import KINDS, HistoryPage, HistoryReader, progress_in
from dydx_console.venue.indexer.rest import IndexerRest

if TYPE_CHECKING:  # SQLite is loaded by the engine's thread, after the first screen
    from dydx_console.journal.writer import Journal

__all__ = ["HISTORY", "Fetching"]

HISTORY = "HISTORY"
"""Who told of an order that only an older page knows."""
BELOW_ALL = -(1 << 62)
"""The revision of what an older page tells: it completes what any run has noted, and never stands before it."""
FUNDING_SINCE = datetime(2025, 5, 29, tzinfo=UTC)
"""The Indexer's table of funding payments begins there (dydxprotocol/v4-chain indexer/packages/postgres, the migration
that makes it)."""
PAGE = 5_000
_UNDECIDED = tuple(str(status) for status in DisplayStatus if not is_done(status))
_OF_ONE_PATH = frozenset({FaultKind.SERVER, FaultKind.BAD_ANSWER, FaultKind.REJECTED, FaultKind.NOT_FOUND})
"""Failures that say nothing of the other kinds of history."""

log = logging.getLogger(__name__)


class Fetching:
    """One reading of everything that the journal does not have yet.

    Each page is committed with the cursor that counts it before the next one is asked for, so that whenever this is
    cancelled, what came is kept and the next reading goes on behind it.

    Args:
        journal: owned by this process, and running.
        rest: the client; its budgets are shared with the live reads, which come first.
        watched: the account.
        clock: stamps notes and cursors.
        told: takes every change of the progress.
        kinds: what is to be read.
        is_alone: no live reads write here, so that what they would go on from is written as well.
    """

    def __init__(
        self,
        journal: "Journal",
        rest: IndexerRest,
        watched: Watched,
        clock: Clock,
        told: Callable[[HistoryProgress], None],
        *,
        kinds: Iterable[History] = KINDS,
        is_alone: bool = False,
    ) -> None:
        self._journal = journal
        self._reader = HistoryReader(rest, watched.address, watched.parent, clock, waits=self._waits)
        self._watched = watched
        self._clock = clock
        self._told = told
        wanted = frozenset(kinds)
        self._kinds = tuple(kind for kind in KINDS if kind in wanted)
        self._is_alone = is_alone
        self._kept: dict[str, Cursor] = {}
        self._undecided: dict[str, OrderRecord] = {}
        self._progress = HistoryProgress(FetchState.RUNNING)

    async def run(self) -> HistoryProgress:
        """Read to the end, or until nothing more can be had; returns how it ended. Raises JournalError."""
        self._kept = await self._journal.history.cursors()
        self._tell(sources=progress_in(self._kept, self._watched.parent))
        failure: VenueError | None = None
        for kind in self._kinds:
            try:
                await self._fetch(kind)
            except VenueError as error:
                failure = error
                log.warning("the history of %s could not be read on: %s", kind.lower(), error)
                self._tell_source(replace(self._source(kind), is_complete=False, problem=str(error)))
                if error.kind not in _OF_ONE_PATH:
                    break
        state = FetchState.DONE if failure is None else FetchState.FAILED
        self._tell(state=state, problem=None if failure is None else str(failure))
        return self._progress

    async def _fetch(self, kind: History) -> None:
        if kind is History.ORDERS:
            self._undecided = await self._undecided_orders()
        pages = cast("AsyncGenerator[HistoryPage, None]", self._reader.pages(kind, dict(self._kept)))
        async with aclosing(pages):
            async for page in pages:
                await self._keep(kind, page)
                self._tell_source(page.progress)
        await self._check()
        if kind is History.FILLS and self._is_alone:
            await self._hand_over()
        if kind is History.FUNDING:
            await self._check_funding()

    async def _keep(self, kind: History, page: HistoryPage) -> None:
        """Commit a page with its cursors."""
        facts: list[JournalFact] = []
        if kind is History.ORDERS:
            facts += await self._order_facts([row for row in page.rows if isinstance(row, OrderPatch)], page.head)
        else:
            facts += [row for row in page.rows if not isinstance(row, OrderPatch)]
        await self._check()
        self._journal.write([*facts, *page.cursors])
        await self._journal.flush()
        self._kept.update({cursor.source: cursor for cursor in page.cursors})

    async def _check(self) -> None:
        """Raise JournalUnavailableError where the journal has lost what the next cursor would claim."""
        found = await self._journal.history.cursors()
        if any(found.get(source) != cursor for source, cursor in self._kept.items() if source.startswith("history/")):
            raise JournalUnavailableError("the journal did not keep all that was read; what it has is gone on from")

    async def _hand_over(self) -> None:
        """Have the live reads of a later run go on from the last fill, now that all are kept."""
        own = self._kept.get(f"history/fills/{self._watched.parent}")
        if own is not None and own.is_complete:
            self._journal.write([replace(own, source=fills_source(self._watched.parent))])
            await self._journal.flush()

    async def _check_funding(self) -> None:
        """Say where the account is older than the venue's memory of funding."""
        oldest = HistoryQuery(oldest_first=True, limit=1)
        first = (await self._journal.history.fills(oldest)).rows
        if first and first[0].fill.created_at < FUNDING_SINCE:
            words = f"the venue keeps funding payments since {FUNDING_SINCE:%Y-%m-%d} only"
            source = self._source(History.FUNDING)
            problem = words if source.problem is None else f"{words}; {source.problem}"
            self._tell_source(replace(source, is_complete=False, problem=problem))

    # Orders

    async def _undecided_orders(self) -> dict[str, OrderRecord]:
        """Return the orders that had not ended when they were last noted."""
        found: dict[str, OrderRecord] = {}
        query = HistoryQuery(limit=PAGE, statuses=_UNDECIDED)
        while True:
            page = await self._journal.history.orders(query)
            found.update((record.order.id, record) for record in page.rows)
            if page.next is None:
                return found
            query = query.beyond(page.next)

    async def _order_facts(self, rows: list[OrderPatch], head: HeightRead | None) -> list[JournalFact]:
        # a suborder's row carries its parent's id, and the parent has one of its own
        whole = [row for row in rows if row.flags != OrderFlags.TWAP_SUBORDER]
        known = await self._journal.history.known_orders([row.id for row in whole if row.id not in self._undecided])
        return list(self._notes((row for row in whole if row.id not in known), head))

    def _notes(self, rows: Iterable[OrderPatch], head: HeightRead | None) -> Iterator[OrderNote]:
        """Note orders that the journal does not know, and what became of those that had not ended."""
        at = self._clock.utc()
        height, time = (None, None) if head is None else (head.height, head.time)
        for row in rows:
            held = self._undecided.get(row.id)
            order = _order_of(row, held)
            shown = display_status(order, height, time)
            if held is None:
                yield OrderNote(order, shown, at, height, HISTORY, BELOW_ALL)
            elif (order, shown) != (held.order, held.shown):
                # what this run's stream has noted is newer, what an earlier run noted is not
                yield OrderNote(order, shown, at, height, HISTORY, 0)

    # Telling

    def _source(self, kind: History) -> SourceProgress:
        return next(source for source in self._progress.sources if source.kind is kind)

    def _tell_source(self, told: SourceProgress) -> None:
        self._tell(sources=tuple(told if source.kind is told.kind else source for source in self._progress.sources))

    def _waits(self, why: str | None) -> None:
        self._progress = replace(self._progress, problem=why)
        self._told(self._progress)

    def _tell(
        self,
        *,
        state: FetchState = FetchState.RUNNING,
        sources: tuple[SourceProgress, ...] | None = None,
        problem: str | None = None,
    ) -> None:
        self._progress = HistoryProgress(state, self._progress.sources if sources is None else sources, problem)
        self._told(self._progress)


def _order_of(row: OrderPatch, held: OrderRecord | None) -> Order:
    """Return an order as REST tells it now, over what was noted of it before."""
    if held is None:
        fresh: list[Any] = [*order_values(row), row.total_filled or ZERO]
        return Order(*fresh)
    before = held.order
    merged = newer_read(OrderPatch(*order_values(before)), row)
    filled = max(before.filled, merged.total_filled or ZERO)
    is_same = merged.removal_reason is not None and merged.removal_reason == before.removal_reason
    source = before.reason_source if is_same else None
    values: list[Any] = [*order_values(merged), filled, before.average_fill_price, source]
    return Order(*values)

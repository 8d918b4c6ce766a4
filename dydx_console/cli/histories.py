"""The histories that are listed and exported: how each is asked for, what can be filtered, and what its rows are."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from dydx_console.cli.common import UsageError
from dydx_console.cli.rows import fill_row, funding_row, life_row, order_row, transfer_row
from dydx_console.ports.journal import History, HistoryPort, HistoryQuery, Page, PageMark
from dydx_console.views.documents import Part
from dydx_console.views.exports import ExportKind, FillRow
from dydx_console.views.history_filter import (
    FILLS_FILTER,
    FUNDING_FILTER,
    LIVES_FILTER,
    ORDERS_FILTER,
    TRANSFERS_FILTER,
    FilterSpec,
)

__all__ = ["LISTED", "Listed", "fill_rows", "pages", "sources_of", "turned_to"]

T = TypeVar("T")
RowT = TypeVar("RowT", bound=Part)
Read: TypeAlias = Callable[[HistoryPort, HistoryQuery], Awaitable[Page[Part]]]
PAGE = 2_000
"""Rows that are read at a time where all are wanted."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One kind of history. `sources` are the kinds that it rests on: it is complete where they are."""

    kind: ExportKind
    counted: History
    sources: tuple[History, ...]
    spec: FilterSpec
    read: Read
    has_subaccounts: bool = True


async def pages(
    read: Callable[[HistoryQuery], Awaitable[Page[T]]], query: HistoryQuery
) -> AsyncIterator[tuple[T, ...]]:
    """Yield the rows of a question page by page; nothing is held of those that are through."""
    query = replace(query, limit=PAGE)
    while True:
        page = await read(query)
        yield page.rows
        if page.next is None:
            return
        query = query.beyond(page.next)


async def turned_to(
    read: Callable[[HistoryQuery], Awaitable[Page[T]]], query: HistoryQuery, number: int
) -> PageMark | None:
    """Return the mark behind which page `number` begins, None for the first. Raises UsageError beyond the last."""
    mark = query.after
    passed, before = 0, (number - 1) * query.limit
    while passed < before:
        page = await read(replace(query, limit=min(before - passed, PAGE), after=mark))
        passed += len(page.rows)
        if page.next is None:
            raise UsageError(f"--page {number}: the last page is {max(-(-passed // query.limit), 1)}")
        mark = page.next
    return mark


def _rowed(page: Page[T], row: Callable[[T], RowT]) -> Page[RowT]:
    return Page(tuple(map(row, page.rows)), page.next)


async def fill_rows(history: HistoryPort, query: HistoryQuery) -> Page[FillRow]:
    """Return a page of fills as rows."""
    return _rowed(await history.booked_fills(query), fill_row)


async def _fills(history: HistoryPort, query: HistoryQuery) -> Page[Part]:
    page = await fill_rows(history, query)
    return Page(page.rows, page.next)


async def _orders(history: HistoryPort, query: HistoryQuery) -> Page[Part]:
    return _rowed(await history.orders(query), order_row)


async def _funding(history: HistoryPort, query: HistoryQuery) -> Page[Part]:
    return _rowed(await history.funding(query), funding_row)


async def _transfers(history: HistoryPort, query: HistoryQuery) -> Page[Part]:
    return _rowed(await history.transfers(query), transfer_row)


async def _lives(history: HistoryPort, query: HistoryQuery) -> Page[Part]:
    return _rowed(await history.lives(query), life_row)


BOOKED = (History.FILLS, History.FUNDING)
LISTED = {
    listed.kind: listed
    for listed in (
        Listed(ExportKind.FILLS, History.FILLS, (History.FILLS,), FILLS_FILTER, _fills),
        Listed(ExportKind.ORDERS, History.ORDERS, (History.ORDERS,), ORDERS_FILTER, _orders),
        Listed(ExportKind.FUNDING, History.FUNDING, (History.FUNDING,), FUNDING_FILTER, _funding),
        Listed(
            ExportKind.TRANSFERS, History.TRANSFERS, (History.TRANSFERS,), TRANSFERS_FILTER, _transfers,
            has_subaccounts=False,
        ),
        Listed(ExportKind.LIVES, History.LIVES, BOOKED, LIVES_FILTER, _lives),
    )
}  # fmt: skip
"""The histories that are read as they stand in the journal."""


def sources_of(kind: ExportKind) -> tuple[History, ...]:
    """Return the kinds of row that a history rests on."""
    listed = LISTED.get(kind)
    return BOOKED if listed is None else listed.sources

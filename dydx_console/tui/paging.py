"""Walking a history by pages, from either end; a page is asked for by the mark of its neighbour, never by counting."""

from dataclasses import dataclass, replace
from typing import TypeVar

from dydx_console.ports.journal import HistoryQuery, Page, PageMark

__all__ = ["PAGE_ROWS", "Pager"]

T = TypeVar("T")
PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Pager:
    """A page of a history: how many pages it lies behind the first one, or before the last.

    `marks` are those of the pages passed on the way from that end. `rest` is how many rows the last page has where
    pages are counted from the end, 0 where they are counted from the beginning.
    """

    marks: tuple[PageMark, ...] = ()
    rest: int = 0

    @classmethod
    def last(cls, count: int) -> "Pager":
        """Return the last page of `count` rows."""
        return cls() if count <= PAGE_ROWS else cls((), (count - 1) % PAGE_ROWS + 1)

    def question(self, query: HistoryQuery) -> HistoryQuery:
        """Return a query narrowed to the page."""
        after = self.marks[-1] if self.marks else None
        if not self.rest:
            return replace(query, after=after, limit=PAGE_ROWS)
        limit = PAGE_ROWS if self.marks else self.rest
        return replace(query, after=after, limit=limit, oldest_first=not query.oldest_first)

    def rows(self, page: Page[T]) -> tuple[T, ...]:
        """Return the answer's rows in the order of the history."""
        return page.rows[::-1] if self.rest else page.rows

    def next(self, page: Page[T]) -> "Pager | None":
        """Return the page behind the one answered with `page`, None behind the last."""
        if self.rest:
            return self._back() if self.marks else None
        return self._beyond(page)

    def previous(self, page: Page[T]) -> "Pager | None":
        """Return the page before the one answered with `page`, None before the first."""
        if self.rest:
            return self._beyond(page)
        return self._back() if self.marks else None

    def first_row(self, page: Page[T], count: int | None) -> int | None:
        """Return the number of the page's first row, from 1; None where that hangs on a count that is not known."""
        passed = PAGE_ROWS * len(self.marks)
        if not self.rest:
            return passed + 1
        if page.next is None:
            return 1
        return None if count is None else max(count - self.rest - passed + 1, 1)

    def _back(self) -> "Pager":
        return replace(self, marks=self.marks[:-1])

    def _beyond(self, page: Page[T]) -> "Pager | None":
        return None if page.next is None else replace(self, marks=(*self.marks, page.next))

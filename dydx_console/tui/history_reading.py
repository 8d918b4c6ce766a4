"""What one tab of the History screen shows and waits for: a page, a count, and why an answer is missing."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from dydx_console.ports.history import HistoryDesk
from dydx_console.ports.journal import HistoryPort, HistoryQuery, Page
from dydx_console.tui.asking import Asking
from dydx_console.tui.history_tabs import Tab
from dydx_console.tui.paging import Pager
from dydx_console.views.history_filter import NO_FILTER, Filter, FilterError, filter_text, read_filter

__all__ = ["Reading"]

FRESH_S = 2.0
"""A page to which rows can be added is asked for again after this, or later where answers are slow."""
SLOWNESS = 20.0


class Reading:
    """One tab's rows. What is shown stays until the answer to a newer question has come.

    Args:
        tab: which rows.
        desk: answers.
        clock: seconds that never go back.
    """

    def __init__(self, tab: Tab, desk: HistoryDesk, clock: Callable[[], float]) -> None:
        self.tab = tab
        self.text = ""
        """The free text that is looked for."""
        self.words = ""
        """The filter line as it was typed."""
        self.wanted: Filter = NO_FILTER
        """The newest filter that could be read."""
        self.problem: str | None = None
        """What is wrong with `words`; rows are then still those of `wanted`."""
        self.oldest_first = False
        self.pager = Pager()
        self.page: Page[Any] | None = None
        self.count: int | None = None
        self.shown = 0
        """Counts the pages that were shown; the same page with newer rows is counted once."""
        self._pages: Asking[Page[Any]] = Asking(desk, clock)
        self._counts: Asking[int] = Asking(desk, clock)
        self._clock = clock
        self._asked: Pager | None = None
        self._turns = 0
        self._wants_last = False
        self._is_counted = False
        self._is_other = False
        self._fresh_until = 0.0

    @property
    def rows(self) -> tuple[Any, ...]:
        """The rows of the page that is shown."""
        return () if self.page is None else self.pager.rows(self.page)

    @property
    def first_row(self) -> int | None:
        """The number of the first row that is shown, None where it is not known."""
        return None if self.page is None else self.pager.first_row(self.page, self.count)

    @property
    def failure(self) -> str | None:
        """Why the newest question was not answered."""
        return self._pages.failure or self._counts.failure

    @property
    def is_slow(self) -> bool:
        """Whether an answer lets a person wait."""
        return self._pages.is_slow or self._counts.is_slow

    @property
    def is_filtered(self) -> bool:
        """Whether some rows are left out."""
        return bool(self.text) or self.wanted != NO_FILTER

    @property
    def filter_words(self) -> str:
        """The filter in force, written in full."""
        return filter_text(self.wanted)

    @property
    def query(self) -> HistoryQuery:
        """The question that the pages are cut from."""
        wanted = self.wanted
        return HistoryQuery(
            markets=wanted.markets,
            subaccounts=wanted.subaccounts,
            sides=wanted.sides,
            statuses=wanted.statuses,
            types=wanted.types,
            since=wanted.since,
            until=wanted.until,
            text=self.text,
            oldest_first=self.oldest_first,
        )

    def begin(self) -> None:
        """Ask for the first page and the count."""
        self._forget_wishes()
        self.count = None
        self._give_up_count()
        self._show(Pager())

    def turn(self, steps: int) -> None:
        """Go so many pages on; what is not there yet is waited for."""
        self._turns += steps
        self._go_on()

    def edge(self, *, is_last: bool) -> None:
        """Go to the first or last page."""
        self._forget_wishes()
        if not is_last:
            self._show(Pager())
        elif self.count is None:
            self._wants_last = True
        else:
            self._show(Pager.last(self.count))

    def flip(self) -> None:
        """Show the oldest first, or the newest."""
        self.oldest_first = not self.oldest_first
        self._forget_wishes()
        self._show(Pager())

    def search(self, text: str) -> None:
        """Look for another text."""
        if text.strip() != self.text:
            self.text = text.strip()
            self.begin()

    def filter(self, words: str, markets: Collection[str], now: datetime | None) -> None:
        """Read a filter line; where it says nothing that can be read, the `problem` says why."""
        self.words = words
        try:
            wanted = read_filter(words, self.tab.filters, markets, now)
        except FilterError as error:
            self.problem = str(error)
            return
        self.problem = None
        if wanted != self.wanted:
            self.wanted = wanted
            self.begin()

    def clear(self) -> None:
        """Leave nothing out any more."""
        self.words, self.problem = "", None
        if self.is_filtered:
            self.text, self.wanted = "", NO_FILTER
            self.begin()

    def look(self) -> bool:
        """Take the answers that have come; returns whether something is to be shown anew."""
        is_new = self._take_page()
        is_new = self._take_count() or is_new
        if not self._pages.is_waiting and not self._counts.is_waiting:
            self._renew()
        return is_new

    def give_up(self) -> None:
        """Wait for nothing any more; what is shown stays."""
        self._pages.give_up()
        self._counts.give_up()
        self._forget_wishes()

    def _forget_wishes(self) -> None:
        self._turns = 0
        self._wants_last = False

    def _show(self, pager: Pager) -> None:
        """Ask for a page that takes the place of the one that is shown; a count that is slow does not hold it up."""
        if self._counts.is_waiting:
            self._give_up_count()
        self._is_other = True
        self._ask(pager)

    def _give_up_count(self) -> None:
        self._counts.give_up()
        self._is_counted = False

    def _ask(self, pager: Pager) -> None:
        tab, query = self.tab, pager.question(self.query)

        async def page(history: HistoryPort) -> Page[Any]:
            return await tab.page(history, query)

        self._asked = pager
        self._pages.ask(page)

    def _count(self) -> None:
        kind, query = self.tab.kind, self.query

        async def count(history: HistoryPort) -> int:
            return await history.count(kind, query)

        self._is_counted = True
        self._counts.ask(count)

    def _take_page(self) -> bool:
        if not self._pages.is_waiting:
            return False
        page = self._pages.take()
        if self._pages.is_waiting:
            return False
        self._rest()
        if page is None or self._asked is None:
            self._forget_wishes()
            return True
        self.pager, self.page, self._asked = self._asked, page, None
        self.shown += self._is_other
        self._is_other = False
        self._go_on()
        if not self._is_counted and not self._pages.is_waiting:
            self._count()
        return True

    def _take_count(self) -> bool:
        if not self._counts.is_waiting:
            return False
        count = self._counts.take()
        if self._counts.is_waiting:
            return False
        if count is not None:
            self.count = count
        if self._wants_last:
            self._forget_wishes()
            if count is not None:
                self.edge(is_last=True)
        return True

    def _rest(self) -> None:
        self._fresh_until = self._clock() + max(FRESH_S, SLOWNESS * self._pages.took_s)

    def _go_on(self) -> None:
        """Turn the pages that are still to be turned, one after another."""
        if not self._turns or self._pages.is_waiting or self.page is None:
            return
        forward = self._turns > 0
        wanted = self.pager.next(self.page) if forward else self.pager.previous(self.page)
        if wanted is None:
            self._forget_wishes()
            return
        self._turns += -1 if forward else 1
        self._show(wanted)

    def _renew(self) -> None:
        """Ask again for what may have changed: the count, and a page at which rows are added."""
        if self._clock() < self._fresh_until:
            return
        self._rest()
        self._is_counted = False
        if not self.pager.rest and (not self.pager.marks or self.page is None or self.page.next is None):
            self._ask(self.pager)
        else:
            self._count()

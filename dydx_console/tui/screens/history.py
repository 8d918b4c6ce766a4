"""Screen 3, History: past orders, fills, funding, transfers and position lives by pages, to the journal's beginning."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content

from dydx_console.ports.history import FetchState, HistoryDesk
from dydx_console.tui.actions import action_of, binding_of, first_key
from dydx_console.tui.frames import TICK_S
from dydx_console.tui.history_reading import Reading
from dydx_console.tui.history_tabs import TABS
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.detail import DetailModal
from dydx_console.tui.screens.modal import FRAME_WIDTH, GuardedModal
from dydx_console.tui.widgets.filterbar import FilterBar
from dydx_console.tui.widgets.pages import PageTable
from dydx_console.tui.widgets.sheet import SheetLines
from dydx_console.views.fetching import fetch_lines
from dydx_console.views.history import Context, Past, place_text
from dydx_console.views.table import Cell, Ink, Line, line_width
from dydx_console.views.width import cells, cut, wrapped

__all__ = ["HistoryModal"]

MOST_LINES = 4


class HistoryModal(GuardedModal[None]):
    """Shows what the journal holds; it covers the desk and leaves the banner free.

    Args:
        desk: the journal and its filling.
        picture: the newest snapshot: markets, time, address.
        clock: seconds that never go back.
        keymap: other keys for actions, by action id.
    """

    AUTO_FOCUS = "#page"
    TAKES_TYPING: ClassVar = True
    """A key acts before the next one is looked at, so that what is typed behind `/` never steers."""
    BINDINGS = [  # noqa: RUF012
        binding_of(replace(action_of("app.help"), name="screen.help")),
        Binding("escape", "back", "Stop fetching, or close", show=False),
        Binding("q,H", "dismiss", "Close", show=False),
    ]

    def __init__(
        self, desk: HistoryDesk, picture: Picture, clock: Callable[[], float], keymap: Mapping[str, str]
    ) -> None:
        super().__init__(clock)
        self._desk = desk
        self._picture = picture
        self._readings = [Reading(tab, desk, clock) for tab in TABS]
        self._tab = 0
        self._shown = [0] * len(TABS)
        self._goes_up = False
        self._is_typing_text = False
        self._told: tuple[object, ...] = ()
        self._keymap = keymap
        self.reading.begin()
        self._keys = (_key("history.fetch", keymap), _key("history.stop", keymap))
        self._hints = "  ".join(
            f"{_key(name, keymap)} {word}"
            for name, word in (
                ("table.filter", "text"),
                ("history.filter", "filter"),
                ("history.next", "next"),
                ("history.previous", "previous"),
                ("table.sort", "order"),
                ("table.detail", "detail"),
                ("app.help", "keys"),
            )
        )

    @property
    def reading(self) -> Reading:
        """What the chosen tab shows."""
        return self._readings[self._tab]

    @property
    def table(self) -> PageTable:
        """The rows."""
        return self.query_one("#page", PageTable)

    def compose(self) -> ComposeResult:
        """Lay down the table and the lines below it."""
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self.titled("History")
            sheet.border_subtitle = Content(f"{self._hints}  esc back")
            yield PageTable(
                self._picture,
                self._clock,
                id="page",
                names=[tab.name for tab in TABS],
                spec=TABS[0].spec,
                rows=self._rows,
            )
            yield SheetLines(self._picture, self._clock, lambda width, _: self._asked_lines(width), id="asked")
            yield SheetLines(self._picture, self._clock, lambda width, _: self._fetch_lines(width), id="fetched")

    def on_mount(self) -> None:
        """Look for answers from now on; that to the first question may be there already."""
        self.look()
        self.set_interval(TICK_S, self.look, name="history")

    def on_unmount(self) -> None:
        """Wait for nothing any more."""
        for reading in self._readings:
            reading.give_up()

    def look(self) -> None:
        """Show what has come since the last look, and what is waited for."""
        if self.reading.look():
            self._show_page()
        table = self.table
        if table.wake_at is not None and table.wake_at <= self._clock():
            table.repaint()
        self._tell()

    def _show_page(self) -> None:
        reading, table = self.reading, self.table
        table.order = "oldest first" if reading.oldest_first else "newest first"
        table.empty = self._empty()
        if reading.shown != self._shown[self._tab]:
            self._shown[self._tab] = reading.shown
            table.show_page(at_end=self._goes_up)
            self._goes_up = False
        else:
            table.repaint(is_dirty=True)

    def _empty(self) -> str:
        reading = self.reading
        if reading.page is None:
            return "" if reading.failure is None else "nothing can be shown"
        return f"no {reading.tab.filters.rows} match" if reading.is_filtered else reading.tab.spec.empty

    def _tell(self) -> None:
        """Paint the lines below the table where they read differently; it gives them the room that they need."""
        reading = self.reading
        told = (self._tab, reading.first_row, reading.rows, reading.count, reading.failure, reading.problem,
                reading.is_slow, reading.text, reading.filter_words, self._desk.progress, self.size)  # fmt: skip
        if told == self._told:
            return
        self._told = told
        for name, view in (("#asked", self._asked_lines), ("#fetched", self._fetch_lines)):
            lines = self.query_one(name, SheetLines)
            lines.styles.height = max(len(view(max(self.size.width - FRAME_WIDTH, 8))), 1)
            lines.repaint(is_dirty=True)

    def _rows(self) -> list[Past[Any]]:
        context = self._writing()
        return [self.reading.tab.line(row, context) for row in self.reading.rows]

    def _writing(self) -> Context:
        snapshot = self._picture.snapshot
        if snapshot is None:
            return Context({}, masked=self._picture.masked)
        address = None if snapshot.watched is None else snapshot.watched.address
        return Context(snapshot.markets, self._now(), address, self._picture.masked)

    def _now(self) -> datetime | None:
        snapshot = self._picture.snapshot
        return None if snapshot is None else snapshot.venue_time or snapshot.block_time

    def _asked_lines(self, width: int) -> list[Line]:
        """Return which rows are shown and why these, then what went wrong, whole."""
        reading = self.reading
        place = place_text(reading.first_row, len(reading.rows), reading.count)
        line: Line = (Cell(" "), Cell(place, Ink.STRONG))
        if reading.is_slow:
            line = (*line, Cell(" · reading…", Ink.WARN))
        if reading.text:
            line = (*line, Cell(f" · /{reading.text}", Ink.ACCENT))
        if reading.filter_words:
            line = (*line, Cell(f" · {reading.filter_words}", Ink.ACCENT))
        wrong, ink = (reading.failure, Ink.BAD) if reading.failure is not None else (reading.problem, Ink.WARN)
        if wrong is None:
            return [_clipped(line, width)]
        if line_width(line) + cells(wrong) + 3 <= width:
            return [(*line, Cell(f" · {wrong}", ink))]
        return [_clipped(line, width), *((Cell(f" {text}", ink),) for text in wrapped(wrong, width - 1)[:MOST_LINES])]

    def _fetch_lines(self, width: int) -> list[Line]:
        lines = fetch_lines(self._desk.progress, self.reading.tab.kind, self._keys, width)
        return lines[:MOST_LINES]

    def on_page_table_turned(self, event: PageTable.Turned) -> None:
        """Turn the page."""
        self._goes_up = event.by_line and event.steps < 0
        self.reading.turn(event.steps)

    def on_page_table_edged(self, event: PageTable.Edged) -> None:
        """Go to the first or last page."""
        self._goes_up = event.is_last
        self.reading.edge(is_last=event.is_last)

    def on_page_table_flipped(self, _event: PageTable.Flipped) -> None:
        """Turn the order round."""
        self.reading.flip()

    def on_page_table_chosen(self, event: PageTable.Chosen) -> None:
        """Show another tab, as it was left."""
        if event.index == self._tab:
            return
        self.reading.give_up()
        self._tab = event.index
        self._goes_up = False
        if self.reading.page is None:
            self.reading.begin()
        self.table.show_tab(event.index, self.reading.tab.spec)
        self._show_page()

    async def action_filter(self) -> None:
        """Open the line in which free text is typed."""
        await self._open(f"text in {self.reading.tab.filters.rows}", self.reading.text, is_text=True)

    async def action_filter_line(self) -> None:
        """Open the line in which a filter is typed."""
        spec = self.reading.tab.filters
        await self._open(
            f"{spec.rows} by {' '.join(f'{key}:' for key in spec.keys)}", self.reading.words, is_text=False
        )

    async def _open(self, title: str, text: str, *, is_text: bool) -> None:
        self._is_typing_text = is_text
        found = self.query(FilterBar)
        bar = found.first() if found else FilterBar()
        if not found:
            await self.query_one(".sheet").mount(bar)
        bar.open(cut(title, max(self.size.width // 2, 8)).removeprefix("filter "), text)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Look while it is typed."""
        if self._is_typing_text:
            self.reading.search(event.text)
        else:
            self._filter(event.text)

    def on_filter_bar_closed(self, event: FilterBar.Closed) -> None:
        """Go back to the rows; a filter that cannot be read keeps the line open."""
        if event.is_kept and not self._is_typing_text and self.reading.problem is not None:
            return
        if not event.is_kept and self._is_typing_text:
            self.reading.search("")
        elif not event.is_kept:
            self._filter("")
        self.query_one(FilterBar).close()
        self.set_focus(self.table)

    def _filter(self, words: str) -> None:
        snapshot = self._picture.snapshot
        self.reading.filter(words, () if snapshot is None else snapshot.markets, self._now())

    def action_help(self) -> None:
        """Show the keys."""
        from dydx_console.tui.screens.help import HelpModal

        self.app.push_screen(HelpModal("History", ("history", "table", "pane"), self._keymap, self._clock))

    def action_clear(self) -> None:
        """Take text and filter away."""
        self.reading.clear()

    def action_fetch(self) -> None:
        """Fetch older history, or go on."""
        self._desk.fetch()

    def action_stop(self) -> None:
        """Stop fetching."""
        self._desk.interrupt()

    def action_back(self) -> None:
        """Stop fetching where that goes on, else close."""
        if self._desk.progress.state is FetchState.RUNNING:
            self._desk.interrupt()
        else:
            self.dismiss()

    def action_detail(self) -> None:
        """Show everything about the row under the cursor."""
        chosen = self.table.chosen
        if chosen is not None:
            self.app.push_screen(DetailModal(chosen.row, self._clock))


def _key(action_id: str, keymap: Mapping[str, str]) -> str:
    return first_key(action_of(action_id), keymap) or "no key"


def _clipped(line: Line, width: int) -> Line:
    """Return the line's beginning, with an ellipsis where something is missing."""
    kept: list[Cell] = []
    left = width
    for cell in line:
        text = cut(cell.text, left)
        kept.append(Cell(text, cell.ink))
        left -= len(text)
        if text != cell.text:
            break
    return tuple(kept)

"""A table that shows a history page by page, under the line of its tabs."""

from collections.abc import Callable, Sequence
from typing import Any

from textual.events import Click
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from dydx_console.tui.actions import bindings_of
from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.grid import GridPane
from dydx_console.tui.widgets.pane import Drawn
from dydx_console.views.history import Past
from dydx_console.views.table import Cell, Ink, Line, TableSpec, line_width
from dydx_console.views.width import cells

__all__ = ["PageTable"]


class PageTable(GridPane[Past[Any]]):
    """Rows of one page. Keys that reach beyond the page ask for another one; so do its edges.

    Args:
        names: the tabs.
        rows: makes the page's rows; asked whenever they may have changed.
    """

    BINDINGS = bindings_of("history")

    class Turned(Message):
        """So many pages on are wanted; `by_line` where the cursor stepped over the edge."""

        def __init__(self, steps: int, *, by_line: bool = False) -> None:
            super().__init__()
            self.steps = steps
            self.by_line = by_line

    class Edged(Message):
        """The first or the last page is wanted."""

        def __init__(self, *, is_last: bool) -> None:
            super().__init__()
            self.is_last = is_last

    class Flipped(Message):
        """The other order is wanted: the oldest first, or the newest."""

    class Chosen(Message):
        """A tab was chosen."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(
        self,
        picture: Picture,
        clock: Callable[[], float],
        *,
        id: str,
        names: Sequence[str],
        spec: TableSpec[Past[Any]],
        rows: Callable[[], list[Past[Any]]],
    ) -> None:
        super().__init__(
            picture, clock, id=id, number=0, title="History", spec=spec, rows=lambda _: rows(), head=lambda *_: ()
        )
        self._names = names
        self._tab = 0
        self._page_rows = rows
        self.order = ""
        """In which order the rows stand, in words."""
        self.empty = ""
        """What stands in place of rows where there are none."""
        self.wake_at: float | None = None

    def show_tab(self, index: int, spec: TableSpec[Past[Any]]) -> None:
        """Show another kind of row."""
        self._tab, self.spec = index, spec
        self._first = 0
        self._layout = ()
        self.show_page()

    def show_page(self, *, at_end: bool = False) -> None:
        """Show another page, the cursor on its first row, or on its last."""
        self._made.clear()
        self._marked.clear()
        self._is_known = False
        self.cursor.reset()
        self._arrange(self.clock())
        if at_end:
            self.cursor.move(len(self._ids), self._ids, max(self.size.height - 2, 1))
        self.repaint(is_dirty=True)

    def repaint(self, *, is_dirty: bool = False) -> None:
        """Paint at once, and note when marks have to be taken off."""
        if self.is_on_screen:
            self.wake_at = self.paint(self.clock(), is_dirty=is_dirty)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a part of the table; at its first sight too, before it is told its size."""
        if not self._drawn and self.size:
            self._drawn = self.drawn(self.clock(), is_dirty=True)
        return super().render_lines(crop)

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the tabs, the head line and the visible rows."""
        if is_dirty:
            self._arrange(now)
        content = self.content(now, max(self.size.height - 1, 0), is_dirty=is_dirty, is_stale=False)
        return [Drawn(self._tabs()), *content]

    def _arrange(self, now: float) -> None:
        self._all = self._items = self._page_rows()
        self._ids = [item.name for item in self._items]
        self._wanted_places = {column.key: self._most_places(column) for column in self.spec.columns}

    def _empty(self) -> str:
        return self.empty

    def _tabs(self) -> Line:
        line: Line = (Cell(" "),)
        for index, label in enumerate(self._labels()):
            is_shown = index == self._tab
            line = (*line, Cell(label, Ink.ACCENT if is_shown else Ink.DIM), Cell(" "))
        spare = self.size.width - line_width(line) - cells(self.order) - 1
        return (*line, Cell(" " * spare + self.order, Ink.DIM)) if spare > 0 else line

    def _labels(self) -> list[str]:
        """Return the tabs' names, the chosen one in brackets; only their numbers where there is no room for more."""
        names = [f"{index} {name}" for index, name in enumerate(self._names, 1)]
        if sum(map(cells, names)) + 3 * len(names) + 1 > self.size.width:
            names = [name if index == self._tab else name[:1] for index, name in enumerate(names)]
        return [f"‹{name}›" if index == self._tab else f" {name} " for index, name in enumerate(names)]

    def action_move(self, steps: int) -> None:
        """Move the cursor; a single step over the edge turns the page."""
        wanted = self.cursor.index + steps
        if abs(steps) == 1 and not 0 <= wanted < len(self._items):
            self.post_message(self.Turned(steps, by_line=True))
            return
        super().action_move(steps)

    def action_page(self, direction: int) -> None:
        """Turn the page."""
        self.post_message(self.Turned(direction))

    def action_edge(self, is_last: bool) -> None:
        """Go to the first or last page."""
        self.post_message(self.Edged(is_last=is_last))

    def action_sort(self) -> None:
        """Turn the order round: a page cannot be sorted by its columns without the other pages."""
        self.post_message(self.Flipped())

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.post_message(self.Flipped())

    def action_tab(self, steps: int) -> None:
        """Go to the next tab, or to the one before."""
        self.post_message(self.Chosen((self._tab + steps) % len(self._names)))

    def action_choose_tab(self, index: int) -> None:
        """Go to a tab."""
        self.post_message(self.Chosen(index))

    def on_click(self, event: Click) -> None:
        """Choose the tab that was clicked; a row is chosen as in every table, if there is one."""
        if event.y == 0:
            self._click_tab(event.x - 1)
        if event.y < 2 or self.cursor.top + event.y - 2 >= len(self._items):
            event.prevent_default()

    def _click_tab(self, x: int) -> None:
        at = 0
        for index, label in enumerate(self._labels()):
            at += cells(label) + 1
            if x < at:
                self.post_message(self.Chosen(index))
                return

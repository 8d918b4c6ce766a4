"""A table of live rows."""

from collections.abc import Callable
from typing import Generic, TypeVar

from textual.events import Click
from textual.reactive import Reactive

from dydx_console.tui.actions import bindings_of
from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.cursor import Cursor
from dydx_console.tui.widgets.pane import NO_MARKS, Drawn, Look, Pane
from dydx_console.views.sorting import SortBy, held_order, matching, next_sort, sorted_items
from dydx_console.views.table import Cell, Column, Ink, Line, Placed, TableSpec, aligned, fitted

__all__ = ["GridPane"]

T = TypeVar("T")
MARK_S = 0.5
SORT_PAUSE_S = 1.0
_GUTTER = Cell("  ")
_POINTER = Cell("▸ ", Ink.ACCENT)


class GridPane(Pane, Generic[T]):
    """Shows the rows that a view makes, with a cursor that follows an id; only visible rows are ever formatted.

    Args:
        spec: the table's columns.
        rows: makes the items of the picture, in the pane's own order.
        head: says the counts for the title line.
    """

    BINDINGS = bindings_of("table")

    wanted: Reactive[str] = Reactive("", repaint=False)
    """The filter: only rows that hold every word of it are shown."""
    sort: Reactive[SortBy | None] = Reactive(None, repaint=False)
    """The column that rows are sorted by; None is the pane's own order."""

    def __init__(
        self,
        picture: Picture,
        clock: Callable[[], float],
        *,
        id: str,
        number: int,
        title: str,
        spec: TableSpec[T],
        rows: Callable[[Picture], list[T]],
        head: Callable[[Picture, list[T]], Line],
        needs_markets: bool = False,
        shows_holdings: bool = False,
    ) -> None:
        super().__init__(
            picture,
            clock,
            id=id,
            number=number,
            title=title,
            needs_markets=needs_markets,
            shows_holdings=shows_holdings,
        )
        self.spec = spec
        self.cursor = Cursor()
        self._rows = rows
        self._head = head
        self._all: list[T] = []
        self._items: list[T] = []
        self._ids: list[str] = []
        self._first = 0
        self._moved_at = -1e9
        self._layout: tuple[Placed[T], ...] = ()
        self._places: dict[str, int] = {}
        self._wanted_places: dict[str, int] = {}
        self._made: dict[str, tuple[T, Line]] = {}
        self._marked: dict[str, tuple[float, frozenset[int]]] = {}
        self._is_known = False

    @property
    def items(self) -> list[T]:
        """The rows as they are shown: filtered and sorted."""
        return self._items

    @property
    def chosen(self) -> T | None:
        """The item under the cursor."""
        return self._items[self.cursor.index] if self.cursor.index < len(self._items) else None

    def info(self) -> Line:
        """Return the filter and the counts."""
        counts = () if self.picture.snapshot is None else self._head(self.picture, self._all)
        if not self.wanted:
            return counts
        found = Cell(f"/{self.wanted} {len(self._items)} of {len(self._all)}", Ink.ACCENT)
        return (found, Cell(" · ", Ink.DIM), *counts) if counts else (found,)

    def paint(self, now: float, *, is_dirty: bool) -> float | None:
        """Paint what changed; wakes to take marks off and to sort again."""
        self.show(self.drawn(now, is_dirty=is_dirty))
        wakes = [at + MARK_S for at, _ in self._marked.values()]
        if now - self._moved_at < SORT_PAUSE_S:
            wakes.append(self._moved_at + SORT_PAUSE_S)
        return min(wakes, default=None)

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return title, head and visible rows."""
        if is_dirty:
            self._arrange(now)
        return super().drawn(now, is_dirty=is_dirty)

    def content(self, now: float, height: int, *, is_dirty: bool, is_stale: bool) -> list[Drawn]:
        """Return the head line and the rows from where the table is scrolled to."""
        if height < 1:
            return []
        self._lay_out()
        self._marked = {name: mark for name, mark in self._marked.items() if now - mark[0] < MARK_S}
        self.cursor.follow(self._ids, height - 1)
        if not self._items:
            return [self._heads(), Drawn((_GUTTER, Cell(self._empty(), Ink.DIM)))]
        top = self.cursor.top
        rows = [self._row(index, now, is_stale=is_stale) for index in range(top, min(top + height - 1, len(self._ids)))]
        self._is_known = True
        return [self._heads(), *rows]

    def _empty(self) -> str:
        if self.wanted:
            return f"nothing matches /{self.wanted}"
        return self.spec.empty if self.picture.snapshot is not None else "waiting for the first picture"

    def _arrange(self, now: float) -> None:
        self._all = [] if self.picture.snapshot is None else self._rows(self.picture)
        found = matching(self._all, self.wanted, self.spec.haystack)
        if now - self._moved_at < SORT_PAUSE_S:
            self._items = held_order(found, self._ids, self.spec.id_of)
        else:
            self._items = sorted_items(found, self.spec, self.sort)
        self._ids = [self.spec.id_of(item) for item in self._items]
        self._wanted_places = {column.key: self._most_places(column) for column in self.spec.columns}
        if len(self._made) > 2 * len(self._all) + 100:
            kept = set(self._ids)
            self._made = {name: made for name, made in self._made.items() if name in kept}

    def _lay_out(self) -> None:
        layout = fitted(self.spec.columns, self.size.width - len(_GUTTER.text) - 1, self._first)
        places = self._wanted_places
        if layout != self._layout or places != self._places:
            self._layout, self._places = layout, places
            self._made.clear()
            self._marked.clear()
            self._is_known = False

    def _most_places(self, column: Column[T]) -> int:
        places = column.places
        if places is None:
            return 0
        return min(max(map(places, self._items), default=0), column.most_places)

    def _heads(self) -> Drawn:
        cells: list[Cell] = [_GUTTER]
        used = 0
        for placed in self._layout:
            column = placed.column
            arrow = "" if self.sort is None or self.sort.key != column.key else "▼" if self.sort.reverse else "▲"
            cells.append(Cell(" " * (placed.x - used)))
            text = aligned(f"{column.label}{arrow}"[: column.width], column.width, right=column.right)
            cells.append(Cell(text, Ink.ACCENT if arrow else Ink.LABEL))
            used = placed.x + column.width
        return Drawn(tuple(cells))

    def _row(self, index: int, now: float, *, is_stale: bool) -> Drawn:
        item, name = self._items[index], self._ids[index]
        line = self._line(item, name, now)
        looks: list[Look] = []
        if is_stale:
            looks.append(Look.STALE)
        elif self.spec.is_dim(item):
            looks.append(Look.OVER)
        if index == self.cursor.index and (self.has_focus or self.cursor.row_id is not None):
            looks.append(Look.CURSOR if self.has_focus else Look.IDLE)
            line = (_POINTER if self.has_focus else _GUTTER, *line[1:])
        mark = self._marked.get(name)
        return Drawn(line, tuple(looks), NO_MARKS if mark is None else mark[1])

    def _line(self, item: T, name: str, now: float) -> Line:
        made = self._made.get(name)
        if made is not None and (made[0] is item or made[0] == item):
            return made[1]
        cells: list[Cell] = [_GUTTER]
        used = 0
        for placed in self._layout:
            column = placed.column
            cell = column.cell(item)
            cells.append(Cell(" " * (placed.x - used)))
            text = aligned(cell.text, column.width, right=column.right, places=self._places.get(column.key, 0))
            cells.append(Cell(text, cell.ink))
            used = placed.x + column.width
        line = tuple(cells)
        self._mark(name, None if made is None else made[1], line, now)
        self._made[name] = (item, line)
        return line

    def _mark(self, name: str, before: Line | None, line: Line, now: float) -> None:
        """Note which cells of a row are new; what moves with every price is left out."""
        if not self._is_known:
            return
        changed = frozenset(
            2 * place + 2
            for place, placed in enumerate(self._layout)
            if not placed.column.restless and (before is None or before[2 * place + 2].text != line[2 * place + 2].text)
        )
        if changed:
            self._marked[name] = (now, changed)

    def watch_wanted(self) -> None:
        """Show at once what the filter leaves."""
        self._rearrange()

    def watch_sort(self) -> None:
        """Show the new order at once."""
        self._rearrange()

    def _rearrange(self) -> None:
        self._moved_at = -1e9
        self.repaint(is_dirty=True)

    def action_move(self, steps: int) -> None:
        """Move the cursor; sorting rests for a second, so that no row slips under it."""
        self.cursor.move(steps, self._ids, max(self.size.height - 2, 1))
        self._moved_at = self.clock()
        self.repaint()

    def action_sideways(self, steps: int) -> None:
        """Show columns further to the right or left; the first column stays."""
        last = max(len(self.spec.columns) - 2, 0)
        self._first = max(min(self._first + steps, last), 0)
        self.repaint()

    def action_sort(self) -> None:
        """Sort by the next column that is shown, after the last one by the pane's own order."""
        by = next_sort(self.spec, self.sort)
        shown = {placed.column.key for placed in self._layout}
        while by is not None and by.key not in shown:
            by = next_sort(self.spec, by)
        self.sort = by

    def action_reverse(self) -> None:
        """Reverse the sort."""
        if self.sort is not None:
            self.sort = SortBy(self.sort.key, not self.sort.reverse)

    def back(self) -> bool:
        """Undo the filter, else the chosen row; returns False where there is nothing to undo."""
        if self.wanted:
            self.wanted = ""
            return True
        if self.cursor.row_id is None and not self._first:
            return False
        self._first = 0
        self.cursor.reset()
        self.repaint(is_dirty=True)
        return True

    def on_click(self, event: Click) -> None:
        """Choose the row that was clicked, or sort by the column whose head was."""
        if event.y == 1:
            self._click_head(event.x - len(_GUTTER.text))
        elif event.y > 1:
            self.action_move(self.cursor.top + event.y - 2 - self.cursor.index)

    def _click_head(self, x: int) -> None:
        for placed in self._layout:
            if placed.x <= x < placed.x + placed.column.width:
                is_same = self.sort is not None and self.sort.key == placed.column.key
                reverse = is_same and self.sort is not None and not self.sort.reverse
                self.sort = SortBy(placed.column.key, reverse)

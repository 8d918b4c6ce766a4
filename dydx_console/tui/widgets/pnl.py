"""The PNL pane: totals and markets of a chosen range, with the curve of the net PNL."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from textual.events import Click

from dydx_console.tui.actions import bindings_of
from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.pane import Drawn, Look, Pane
from dydx_console.views.chart import Sample, extended, thinned
from dydx_console.views.pnl import (
    ALL,
    RANGES,
    moment_of,
    next_range,
    pane_chart,
    pane_lines,
    pane_start,
    pnl_lines,
    range_at,
    range_cells,
    since_text,
)
from dydx_console.views.table import Cell, Ink, Line, whole

if TYPE_CHECKING:
    from dydx_console.tui.app import ConsoleApp
    from dydx_console.tui.curves import CurveReader

__all__ = ["PnlPane"]

_MARGIN = Cell("  ")
PARTS = 120
"""Pieces of the time that the pane's curve is told apart into."""
CHART_S = 1.0
"""The curve is drawn anew this often at most: it costs more than all the figures, which change with every price."""
_LEAST_TITLE = 64
"""Cells from which on the title has room for all ranges."""


class PnlPane(Pane):
    """Shows what a range of days brought; keys and clicks on the title choose the range."""

    BINDINGS = bindings_of("pnl")

    def __init__(self, picture: Picture, clock: Callable[[], float], *, id: str, number: int, title: str) -> None:
        super().__init__(picture, clock, id=id, number=number, title=title, needs_markets=True)
        self.range = ALL
        """The range that is shown, by its name."""
        self._top = 0
        self._reader: CurveReader | None = None
        self._known: Sequence[Sample] = ()
        self._chart: Sequence[Line] = ()
        self._charted_at = -1e9
        self._lines: list[Line] = []

    def on_unmount(self) -> None:
        """Ask for it no more."""
        if self._reader is not None:
            self._reader.close()

    def info(self) -> Line:
        """Return the ranges, and from when the figures count."""
        snapshot = self.picture.snapshot
        if self.size.width < _LEAST_TITLE:
            chosen: Line = (Cell(f"[{RANGES[self.range]}]", Ink.ACCENT),)
        else:
            chosen = range_cells(self.range)
        if snapshot is None or snapshot.pnl.since is None or self.range != ALL:
            return chosen
        return (*chosen, Cell(f" · {since_text(snapshot.pnl.since, snapshot.block_time)}", Ink.DIM))

    def content(self, now: float, height: int, *, is_dirty: bool, is_stale: bool) -> list[Drawn]:
        """Return the totals, and the markets from where they are scrolled to with the curve beside them."""
        is_drawn = self._is_renewed() or now - self._charted_at >= CHART_S
        if is_drawn:
            self._chart, self._charted_at = self._charted(height, is_stale=is_stale), now
        if is_drawn or is_dirty or not self._lines:
            self._lines = self._made(height)
        looks = (Look.STALE,) if is_stale else ()
        return [Drawn((_MARGIN, *whole(line, self.size.width - 2)), looks) for line in self._lines[:height]]

    def action_span(self, steps: int) -> None:
        """Show another range."""
        self._choose(next_range(self.range, steps))

    def action_curve(self) -> None:
        """Show the curve large."""
        from dydx_console.tui.screens.curve import CurveModal

        self.app.push_screen(CurveModal(cast("ConsoleApp", self.app).port, self.picture, self.range, self.clock))

    def action_move(self, steps: int) -> None:
        """Scroll by lines."""
        self._top = max(self._top + steps, 0)
        self.repaint(is_dirty=True)

    def on_click(self, event: Click) -> None:
        """Choose the range that was clicked in the title."""
        name = range_at(self._drawn[0].line, event.x) if event.y == 0 and self._drawn else None
        if name is not None:
            self._choose(name)

    def on_resize(self) -> None:
        """Draw the curve for the new size."""
        self._charted_at = -1e9
        super().on_resize()

    def _choose(self, name: str) -> None:
        self.range, self._top, self._charted_at = name, 0, -1e9
        self.repaint(is_dirty=True)

    def _is_renewed(self) -> bool:
        """Look for a newer curve; the first screen is painted without what that takes."""
        now = moment_of(self.picture.snapshot, self.picture.elapsed_s)
        snapshot = self.picture.snapshot
        if snapshot is None or snapshot.watched is None or now is None:
            return False
        if self._reader is None:
            from dydx_console.tui.curves import CurveReader

            self._reader = CurveReader(cast("ConsoleApp", self.app).port.history, self.clock)
        start = pane_start(snapshot, self.range, now)
        is_new = self._reader.look(self.range, snapshot.watched.parent, start, now)
        curve = self._reader.curve
        if is_new or curve is None:
            self._known = () if curve is None else thinned(curve.net, PARTS)
        return is_new

    def _made(self, height: int) -> list[Line]:
        snapshot, width = self.picture.snapshot, self.size.width - 2
        self._top = min(self._top, max(len(pnl_lines(snapshot, width, self.range)) - height, 0))
        return pane_lines(snapshot, width, height, name=self.range, top=self._top, chart=self._chart)

    def _charted(self, height: int, *, is_stale: bool) -> Sequence[Line]:
        curve = self._curve(is_stale=is_stale)
        return pane_chart(self.picture.snapshot, self.size.width - 2, height, name=self.range, curve=curve)

    def _curve(self, *, is_stale: bool) -> Sequence[Sample]:
        """Return the curve up to this moment; a stale figure adds nothing to it."""
        now = moment_of(self.picture.snapshot, self.picture.elapsed_s)
        if is_stale or now is None or self.picture.snapshot is None:
            return self._known
        return extended(self._known, Sample(now, self.picture.snapshot.pnl.net))

"""The curve of equity or net PNL as large as the screen."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.events import Click

from dydx_console.ports.console import ConsolePort
from dydx_console.tui.curves import CurveReader
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.modal import GuardedModal
from dydx_console.tui.widgets.sheet import SheetLines
from dydx_console.views.chart import Sample, extended
from dydx_console.views.panes import holdings_health
from dydx_console.views.pnl import (
    CURVE_RANGES,
    curve_lines,
    moment_of,
    next_range,
    range_at,
    range_cells,
    range_start,
)
from dydx_console.views.table import Cell, Ink, Line

__all__ = ["CurveModal"]

LOOK_S = 0.5
MEASURES: Mapping[str, str] = {"NET": "net PNL", "EQUITY": "equity"}
NO_POINTS = "no point of it is in the journal yet: the console writes one a minute while it is live"


class CurveModal(GuardedModal[None]):
    """Shows one of the two over 1, 7 or 30 days or all that the journal has, and goes on to the newest figure.

    Args:
        port: answers questions to the journal.
        picture: the newest snapshot and its age.
        range_name: which range to begin with.
        clock: seconds that never go back.
    """

    AUTO_FOCUS = ""
    BINDINGS = [  # noqa: RUF012
        Binding("escape,q,enter", "dismiss", "Close", show=False),
        Binding("l,right", "span(1)", "Next range", show=False),
        Binding("h,left", "span(-1)", "Range before", show=False),
        Binding("m", "measure", "Equity or net PNL", show=False),
    ]

    def __init__(self, port: ConsolePort, picture: Picture, range_name: str, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._picture = picture
        self._reader = CurveReader(port.history, clock)
        self.range = range_name
        """The range that is shown, by its name."""
        self.measure = "NET"
        """What is shown, NET or EQUITY."""

    def compose(self) -> ComposeResult:
        """Lay down the curve."""
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self.titled("Curve")
            sheet.border_subtitle = Content("h l range · m equity or PNL · esc back")
            yield SheetLines(self._picture, self._clock, self._lines, id="curve")

    def on_mount(self) -> None:
        """Begin to renew the curve."""
        self.set_interval(LOOK_S, self.look, name="curve")

    def on_unmount(self) -> None:
        """Ask for it no more."""
        self._reader.close()

    def look(self) -> None:
        """Show the curve as it is now."""
        snapshot, now = self._picture.snapshot, moment_of(self._picture.snapshot, self._picture.elapsed_s)
        if snapshot is not None and snapshot.watched is not None and now is not None:
            start = range_start(self.range, now, is_rolling=True)
            self._reader.look(self.range, snapshot.watched.parent, start, now)
        self.query_one("#curve", SheetLines).repaint(is_dirty=True)

    def action_span(self, steps: int) -> None:
        """Show another range."""
        self._choose(next_range(self.range, steps))

    def action_measure(self) -> None:
        """Show the other of the two."""
        self.measure = next(name for name in MEASURES if name != self.measure)
        self.look()

    def on_click(self, event: Click) -> None:
        """Choose what was clicked in the first line."""
        curve = self.query_one("#curve", SheetLines)
        if event.widget is not curve or event.y != 0:
            return
        name = range_at(self._head(), event.x, CURVE_RANGES)
        if name is not None:
            self._choose(name)
        elif range_at(self._head(), event.x, MEASURES) not in (None, self.measure):
            self.action_measure()

    def _choose(self, name: str) -> None:
        self.range = name
        self.look()

    def _head(self) -> Line:
        return (*range_cells(self.measure, MEASURES), Cell("     "), *range_cells(self.range, CURVE_RANGES))

    def _lines(self, width: int, height: int) -> Sequence[Line]:
        now = moment_of(self._picture.snapshot, self._picture.elapsed_s)
        samples = self._samples(now)
        if not samples or now is None:
            return [self._head(), *self._foot()]
        curve = self._reader.curve
        start = range_start(self.range, now, is_rolling=True) or (samples[0].at if curve is None else curve.start)
        lines = curve_lines(
            samples,
            width,
            max(height - 2, 0),
            start=start,
            end=now,
            is_signed=self.measure == "NET",
            is_masked=self._picture.masked,
        )
        return [self._head(), *lines, *self._foot()]

    def _samples(self, now: datetime | None) -> Sequence[Sample]:
        """Return the curve up to this moment; what is not live adds nothing to it."""
        curve, snapshot = self._reader.curve, self._picture.snapshot
        is_net = self.measure == "NET"
        known: Sequence[Sample] = () if curve is None else curve.net if is_net else curve.equity
        if snapshot is None or now is None:
            return known
        if holdings_health(snapshot, self._picture.elapsed_s, needs_markets=True).is_dim:
            return known
        equity = None if snapshot.margin is None else snapshot.margin.equity
        value = snapshot.pnl.net if is_net else equity
        return extended(known, Sample(now, value))

    def _foot(self) -> list[Line]:
        curve = self._reader.curve
        if self._reader.failure is not None:
            return [(Cell(self._reader.failure, Ink.WARN),)]
        if curve is None:
            return [(Cell("reading the journal …", Ink.DIM),)]
        if not curve.points:
            return [(Cell(NO_POINTS, Ink.DIM),)]
        how = " (too many: only parts were read)" if curve.is_sampled else ""
        return [(Cell(f"{curve.points:,} points{how} · UTC · hole = nothing known", Ink.DIM),)]

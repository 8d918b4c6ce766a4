"""The log: what the console has told in this run, to be read again."""

from collections.abc import Callable, Sequence
from textwrap import wrap

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content

from dydx_console.ports.console import ConsolePort
from dydx_console.ports.mailbox import MOST_KEPT
from dydx_console.ports.notices import Level, Notice
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.modal import LinesModal
from dydx_console.tui.widgets.pane import harmless
from dydx_console.tui.widgets.sheet import ScrolledLines
from dydx_console.views.format import clock as clock_text
from dydx_console.views.format import day
from dydx_console.views.table import Cell, Ink, Line

__all__ = ["LogModal", "notice_lines"]

LOOK_S = 0.2
LEAST_TEXT = 10
_INKS = {Level.INFO: Ink.GOOD, Level.WARNING: Ink.WARN, Level.ERROR: Ink.BAD}
_WORDS = {Level.INFO: "info", Level.WARNING: "warn", Level.ERROR: "ERROR"}
_HEAD_WIDTH = 16
"""A space, the time, two spaces, the level, and a space."""


def notice_lines(notice: Notice, width: int) -> list[Line]:
    """Return a notice in lines of at most `width` cells: time in UTC, level, text; nothing of the text is left out."""
    room = max(width - _HEAD_WIDTH, LEAST_TEXT)
    text = harmless(notice.text)
    # a character takes two cells at most
    pieces = wrap(text, room if text.isascii() else max(room // 2, 1), break_on_hyphens=False) or [""]
    head = (
        Cell(f" {clock_text(notice.at):<8}  ", Ink.DIM),
        Cell(f"{_WORDS[notice.level]:<5}", _INKS[notice.level]),
    )
    rest = [(Cell(" " * _HEAD_WIDTH + piece),) for piece in pieces[1:]]
    return [(*head, Cell(" " + pieces[0])), *rest]


class LogModal(LinesModal):
    """Shows the notices of this run, the newest first, and every newer one as it comes.

    Args:
        port: has the notices.
        picture: what lines are painted with.
        clock: seconds that never go back.
    """

    BINDINGS = [Binding("escape,q,L", "dismiss", "Close", show=False)]  # noqa: RUF012

    def __init__(self, port: ConsolePort, picture: Picture, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._port = port
        self._picture = picture
        self._told = port.mailbox.told
        self._kept = port.mailbox.kept()

    def compose(self) -> ComposeResult:
        """Lay down the notices."""
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self.titled("Log of this run")
            sheet.border_subtitle = Content("UTC, newest first · esc back")
            yield KeptLines(self._picture, self._clock, self.lines, id="lines")

    def on_mount(self) -> None:
        """Begin to look for newer notices."""
        self.set_interval(LOOK_S, self.look, name="log")

    def look(self) -> None:
        """Show what was told since the last look; where somebody reads further down, the lines stay in their place."""
        told = self._port.mailbox.told
        if told == self._told:
            return
        fresh, self._told = told - self._told, told
        self._kept = self._port.mailbox.kept()
        lines = self.query_one("#lines", KeptLines)
        lines.keep_place(sum(len(notice_lines(notice, lines.size.width)) for notice in self._kept[:fresh]))
        self.lay_out()

    def lines(self, width: int) -> Sequence[Line]:
        """Return the notices, with a line for each day."""
        lines: list[Line] = []
        day_above = None
        for notice in self._kept:
            if notice.at is not None and day_above not in (None, notice.at.date()):
                lines.append((Cell(f" {day(notice.at)}", Ink.LABEL),))
            day_above = day_above if notice.at is None else notice.at.date()
            lines += notice_lines(notice, width)
        if self._told > MOST_KEPT:
            lines.append((Cell(f" {self._told - MOST_KEPT:,} older ones are not kept", Ink.DIM),))
        return lines or ((Cell(" nothing was told so far", Ink.DIM),),)


class KeptLines(ScrolledLines):
    """Lines that grow at their head."""

    def keep_place(self, more: int) -> None:
        """Keep showing what is shown when `more` lines come above it; at the head, they are shown."""
        if self._top:
            self._top += more

"""The question for the chain id: real money outside production is used only after a person typed it."""

from collections.abc import Callable
from math import ceil

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Label

from dydx_console.domain.preflight import Report
from dydx_console.ports.console import ConsolePort
from dydx_console.ports.network import Confirmation
from dydx_console.tui.admission import LEFT
from dydx_console.tui.picture import Picture
from dydx_console.tui.question import question_lines, question_title
from dydx_console.tui.screens.modal import GuardedModal
from dydx_console.tui.widgets.pane import harmless
from dydx_console.tui.widgets.sheet import SheetLines
from dydx_console.tui.widgets.typed import TypedInput
from dydx_console.views.table import Cell, Ink, Line, line_width
from dydx_console.views.width import cut

__all__ = ["ConfirmModal"]

LOOK_S = 0.2
SHEET_WIDTH = 76
FRAME_WIDTH = 4
"""Border and padding of the sheet."""
LEAST_FRAMED = (44, 16)
"""Below this size the sheet has no border: every line goes to what must be read."""
PROMPT = "Type the chain id to go on: "
LEAST_FIELD = 20


class ConfirmModal(GuardedModal[str | None]):
    """Asks for the chain id. Ends with None once it was typed, else with the reason why the network is not used.

    Args:
        asked: what has to be confirmed.
        port: takes what was typed, and has the newest report of the checks.
        picture: what lines are painted with.
        clock: seconds that never go back; the time to answer is measured by it.
    """

    AUTO_FOCUS = "#typed"
    BINDINGS = [Binding("escape,q", "leave", "Leave", show=False)]  # noqa: RUF012

    def __init__(self, asked: Confirmation, port: ConsolePort, picture: Picture, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._asked = asked
        self._port = port
        self._picture = picture
        self._deadline = clock() + asked.timeout_s
        self._report: Report | None = None
        self._is_paste_refused = False
        self._is_over = False

    def compose(self) -> ComposeResult:
        """Lay down the facts, the field, and how to leave."""
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = Content(question_title(self._asked, SHEET_WIDTH))
            yield SheetLines(self._picture, self._clock, self._title, id="title")
            yield SheetLines(self._picture, self._clock, self._facts, id="facts")
            with Horizontal(id="answer"):
                yield Label(PROMPT, id="prompt", markup=False)
                yield TypedInput(id="typed")
            yield SheetLines(self._picture, self._clock, self._hints, id="hints")

    def on_mount(self) -> None:
        """Begin to count down, and to look for evidence."""
        self.set_interval(LOOK_S, self.look, name="confirmation")
        self._lay_out()

    def on_resize(self) -> None:
        """Give the facts what the size leaves for them."""
        self._lay_out()

    def look(self) -> None:
        """Take in a new report, show the time that is left, and end once there is none."""
        if self._clock() >= self._deadline:
            self._end(f"nobody typed the chain id within {self._asked.timeout_s:g} s")
            return
        report = self._port.report()
        if report is not self._report:
            self._report = report
            self._lay_out()
        self.query_one("#hints", SheetLines).repaint()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Try what was typed."""
        event.stop()
        if self._is_over:
            return
        if self._clock() >= self._deadline:
            self.look()
        elif self._port.confirm(event.value):
            self._end(None)
        else:
            self._end(f"what was typed is not {harmless(self._asked.chain_id)}")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Forget about a paste once somebody types."""
        event.stop()
        self._is_paste_refused = False

    def on_typed_input_paste_refused(self) -> None:
        """Say that a paste is not typing."""
        self._is_paste_refused = True
        self.query_one("#hints", SheetLines).repaint()

    def action_leave(self) -> None:
        """Leave without an answer."""
        self._end(LEFT)

    def _end(self, why_not: str | None) -> None:
        if not self._is_over:
            self._is_over = True
            self.dismiss(why_not)

    def _lay_out(self) -> None:
        width, height = self.outer_size
        is_framed = width >= LEAST_FRAMED[0] and height >= LEAST_FRAMED[1]
        self.set_class(not is_framed, "-bare")
        inner = min(SHEET_WIDTH, width - 2) - FRAME_WIDTH if is_framed else width
        free = height - 8 if is_framed else height - 3
        facts = question_lines(self._asked, self._report, inner, free)
        lines = self.query_one("#facts", SheetLines)
        lines.styles.height = len(facts)
        self.query_one(".sheet").styles.width = inner + FRAME_WIDTH if is_framed else width
        self.query_one("#prompt", Label).update(PROMPT if inner >= len(PROMPT) + LEAST_FIELD else "> ")
        lines.repaint()

    def _title(self, width: int, _height: int) -> list[Line]:
        return [(Cell(cut(question_title(self._asked, width), width).ljust(width), Ink.ALARM),)]

    def _facts(self, width: int, height: int) -> list[Line]:
        return question_lines(self._asked, self._report, width, height)

    def _hints(self, width: int, _height: int) -> list[Line]:
        left_s = max(ceil(self._deadline - self._clock()), 0)
        leave: Line = (Cell("esc", Ink.ACCENT), Cell(" leaves", Ink.DIM), Cell(f" · {left_s} s", Ink.WARN))
        notice = ""
        if self._is_paste_refused:
            room = width - line_width(leave) - 1
            notice = "type it, do not paste it" if room >= 24 else "no paste"
        gap = " " * max(width - len(notice) - line_width(leave), 0)
        return [(Cell(notice, Ink.WARN), Cell(gap), *leave)]

"""The checks of the network: what was looked at, what was found, and what to do about it."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content

from dydx_console.ports.console import ConsolePort
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.modal import LinesModal
from dydx_console.tui.widgets.sheet import ScrolledLines
from dydx_console.views.preflight import report_cells
from dydx_console.views.table import Cell, Ink, Line

__all__ = ["ChecksModal"]

LOOK_S = 0.2


class ChecksModal(LinesModal):
    """Shows the newest report, and every newer one as it comes.

    Args:
        port: has the report, and makes the checks again.
        picture: what lines are painted with.
        clock: seconds that never go back.
    """

    BINDINGS = [  # noqa: RUF012
        Binding("escape,q,n", "dismiss", "Close", show=False),
        Binding("r", "check_again", "Check again", show=False),
    ]

    def __init__(self, port: ConsolePort, picture: Picture, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._port = port
        self._picture = picture
        self._report = port.report()
        self._is_waiting = self._report is None

    def compose(self) -> ComposeResult:
        """Lay down the report."""
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self.titled("Network checks")
            yield ScrolledLines(self._picture, self._clock, self.lines, id="lines")

    def on_mount(self) -> None:
        """Begin to look for newer reports."""
        self.set_interval(LOOK_S, self.look, name="checks")

    def look(self) -> None:
        """Show a report that is newer than the one shown."""
        report = self._port.report()
        if report is not self._report:
            self._report = report
            self._is_waiting = report is None
            self.lay_out()

    def action_check_again(self) -> None:
        """Ask for the checks to be made again."""
        self._port.check()
        self._is_waiting = True
        self.lay_out()

    def lay_out(self) -> None:
        """Say whether the checks are still made, and show what was found."""
        self.query_one(".sheet").border_subtitle = Content(
            "checking…" if self._is_waiting else "r checks again · esc back"
        )
        super().lay_out()

    def lines(self, width: int) -> Sequence[Line]:
        """Return the report."""
        if self._report is None:
            return ((Cell("checking…", Ink.DIM),),)
        return report_cells(self._report, width)

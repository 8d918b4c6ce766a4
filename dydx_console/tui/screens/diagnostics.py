"""Screen 4, Diagnostics: how stream, node, budgets, breakers and the screen itself do, renewed twice a second."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content

from dydx_console.ports.console import ConsolePort
from dydx_console.tui.frames import Frames
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.modal import GuardedModal
from dydx_console.tui.widgets.sheet import ScrolledLines
from dydx_console.views.diagnostics import ScreenFigures, diagnostics_lines
from dydx_console.views.table import Line

__all__ = ["DiagnosticsModal"]

LOOK_S = 0.5


class DiagnosticsModal(GuardedModal[None]):
    """Shows what the newest picture says of the console's own work; it covers the desk and leaves the banner free.

    Args:
        port: counts the engine's events.
        picture: the newest snapshot and its age.
        frames: counts what was painted.
        backlog: how many frames the terminal has not taken yet.
        clock: seconds that never go back.
    """

    AUTO_FOCUS = "#diagnostics"
    BINDINGS = [  # noqa: RUF012
        Binding("escape,q,D", "dismiss", "Close", show=False),
        Binding("r", "app.reconnect", "Reconnect now", show=False),
    ]

    def __init__(
        self,
        port: ConsolePort,
        picture: Picture,
        frames: Frames,
        backlog: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(clock)
        self._port = port
        self._picture = picture
        self._frames = frames
        self._backlog = backlog

    def compose(self) -> ComposeResult:
        """Lay down the lines."""
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self.titled("Diagnostics")
            sheet.border_subtitle = Content("r reconnects · esc back")
            yield ScrolledLines(self._picture, self._clock, self._lines, id="diagnostics")

    def on_mount(self) -> None:
        """Begin to renew the lines."""
        self.set_interval(LOOK_S, self.look, name="diagnostics")

    def look(self) -> None:
        """Show the figures as they are now; only lines that changed are painted."""
        self.query_one("#diagnostics", ScrolledLines).repaint(is_dirty=True)

    def _lines(self, width: int) -> Sequence[Line]:
        stats = self._frames.stats
        screen = ScreenFigures(stats.paints, stats.longest_s, stats.skipped, self._backlog(), self._port.applied)
        return diagnostics_lines(self._picture.snapshot, self._picture.elapsed_s, screen, width)

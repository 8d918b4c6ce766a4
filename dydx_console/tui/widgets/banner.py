"""The banner on top of every screen."""

from dydx_console.tui.widgets.pane import Drawn, LineWidget
from dydx_console.views.banner import banner_lines
from dydx_console.views.panes import SteadyHealth, stream_health
from dydx_console.views.table import Cell

__all__ = ["Banner"]


class Banner(LineWidget):
    """Network, account and state, in as many lines as the layout gives it."""

    _health = SteadyHealth()

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the lines for the widget's size."""
        picture = self.picture
        self._health = self._health.after(stream_health(picture.snapshot, picture.elapsed_s), now)
        lines = banner_lines(
            picture.facts,
            picture.snapshot,
            self._health.shown,
            self.size.width - 2,
            self.size.height,
            masked=picture.masked,
        )
        return [Drawn((Cell(" "), *line)) for line in lines]

"""The lines of a sheet: as many as there is room for, or scrolled."""

from collections.abc import Callable, Sequence

from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.pane import Drawn, LineWidget, MovableLines
from dydx_console.views.table import Line

__all__ = ["ScrolledLines", "SheetLines"]


class SheetLines(LineWidget):
    """Shows lines that fit.

    Args:
        view: makes the lines; it gets the widget's width and height.
    """

    def __init__(
        self, picture: Picture, clock: Callable[[], float], view: Callable[[int, int], Sequence[Line]], *, id: str
    ) -> None:
        super().__init__(picture, clock, id=id)
        self._view = view

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the view's lines."""
        return [Drawn(line) for line in self._view(self.size.width, self.size.height)]


class ScrolledLines(MovableLines):
    """Shows lines from where they are scrolled to.

    Args:
        view: makes the lines; it gets the widget's width.
    """

    def __init__(
        self, picture: Picture, clock: Callable[[], float], view: Callable[[int], Sequence[Line]], *, id: str
    ) -> None:
        super().__init__(picture, clock, id=id)
        self._view = view
        self._lines: Sequence[Line] = ()
        self._top = 0

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the lines that show."""
        height = self.size.height
        if is_dirty:
            self._lines = self._view(self.size.width)
        self._top = max(min(self._top, len(self._lines) - height), 0)
        return [Drawn(line) for line in self._lines[self._top : self._top + height]]

    def action_move(self, steps: int) -> None:
        """Scroll by lines."""
        self._top = max(self._top + steps, 0)
        self.repaint()

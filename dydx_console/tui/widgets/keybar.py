"""The line of keys at the bottom."""

from collections.abc import Callable, Mapping

from dydx_console.tui.actions import first_key, in_group
from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.pane import Drawn, LineWidget
from dydx_console.views.table import Cell, Ink, Line, line_width

__all__ = ["KeyBar"]


class KeyBar(LineWidget):
    """The most useful keys of the focused pane; `?` has the rest."""

    def __init__(self, picture: Picture, clock: Callable[[], float], keymap: Mapping[str, str], *, id: str) -> None:
        super().__init__(picture, clock, id=id)
        self._keymap = keymap
        self.groups: tuple[str, ...] = ("app",)

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the keys that fit."""
        line: Line = (Cell(" "),)
        for action in in_group("orders", "pnl", "table", "app"):
            if not action.hint or action.group not in self.groups:
                continue
            name = first_key(action, self._keymap)
            if name is None:
                continue
            longer = (*line, Cell(name, Ink.ACCENT), Cell(f" {action.hint}   ", Ink.DIM))
            if line_width(longer) <= self.size.width:
                line = longer
        return [Drawn(line)]

"""A pane of labels and figures."""

from collections.abc import Callable

from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.pane import Drawn, Look, Pane
from dydx_console.views.table import Cell, Line, whole

__all__ = ["FactsPane"]

_MARGIN = Cell("  ")


class FactsPane(Pane):
    """Shows the lines that a view makes of the picture; scrolls where they do not fit.

    Args:
        view: makes the lines; it gets the picture and the pane's width.
        head: what stands in the title line, None for nothing.
    """

    def __init__(
        self,
        picture: Picture,
        clock: Callable[[], float],
        *,
        id: str,
        number: int,
        title: str,
        view: Callable[[Picture, int], list[Line]],
        head: Callable[[Picture], Line] | None = None,
        needs_markets: bool = True,
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
        self._view = view
        self._head = head
        self._lines: list[Line] = []
        self._top = 0

    def info(self) -> Line:
        """Return what the head says."""
        return () if self._head is None else self._head(self.picture)

    def content(self, now: float, height: int, *, is_dirty: bool, is_stale: bool) -> list[Drawn]:
        """Return the view's lines from where the pane is scrolled to."""
        if is_dirty or not self._lines:
            self._lines = self._view(self.picture, self.size.width - 2)
        self._top = max(min(self._top, len(self._lines) - height), 0)
        looks = (Look.STALE,) if is_stale else ()
        return [
            Drawn((_MARGIN, *whole(line, self.size.width - 2)), looks)
            for line in self._lines[self._top : self._top + height]
        ]

    def action_move(self, steps: int) -> None:
        """Scroll by lines."""
        self._top = max(self._top + steps, 0)
        self.repaint()

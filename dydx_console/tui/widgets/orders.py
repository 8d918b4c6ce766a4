"""The Orders pane: a table that can leave out what is over."""

from collections.abc import Callable

from dydx_console.tui.actions import bindings_of
from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.grid import GridPane
from dydx_console.views.orders import ORDERS, OrderLine, order_counts, order_lines
from dydx_console.views.table import Cell, Ink, Line

__all__ = ["OrdersPane"]


class OrdersPane(GridPane[OrderLine]):
    """Working orders first; ended ones of the last while below, unless `working_only`."""

    BINDINGS = bindings_of("orders")

    def __init__(self, picture: Picture, clock: Callable[[], float], *, id: str, number: int, title: str) -> None:
        super().__init__(
            picture, clock, id=id, number=number, title=title, spec=ORDERS, rows=self._order_lines, head=_counts
        )
        self.working_only = False

    def action_working(self) -> None:
        """Show or leave out the orders that are over."""
        self.working_only = not self.working_only
        self.repaint(is_dirty=True)

    def _order_lines(self, picture: Picture) -> list[OrderLine]:
        if picture.snapshot is None:
            return []
        return order_lines(picture.snapshot, picture.snapshot.stream.block_interval_s, working_only=self.working_only)


def _counts(_: Picture, lines: list[OrderLine]) -> Line:
    working, protecting = order_counts(lines)
    counts = f"{working} working"
    return (Cell(f"{counts} · {protecting} protecting" if protecting else counts, Ink.DIM),)

"""The panes of the desk: which view each shows."""

from collections.abc import Callable, Iterator

from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.facts import FactsPane
from dydx_console.tui.widgets.grid import GridPane
from dydx_console.tui.widgets.orders import OrdersPane
from dydx_console.tui.widgets.pane import Pane
from dydx_console.tui.widgets.pnl import PnlPane
from dydx_console.views.balances import balance_lines
from dydx_console.views.fills import FILLS, FillLine, fill_lines
from dydx_console.views.positions import POSITIONS, PositionLine, position_lines
from dydx_console.views.table import Cell, Ink, Line

__all__ = ["desk_panes"]


def desk_panes(picture: Picture, clock: Callable[[], float]) -> Iterator[Pane]:
    """Yield the panes in the order of the keys Tab and Shift+Tab."""
    yield FactsPane(picture, clock, id="balances", number=1, title="Balances", view=_balances, shows_holdings=True)
    yield PnlPane(picture, clock, id="pnl", number=5, title="PNL")
    yield GridPane(
        picture, clock, id="positions", number=2, title="Positions", spec=POSITIONS, rows=_positions,
        head=lambda _, items: (Cell(f"{len(items)} open", Ink.DIM),), needs_markets=True,
        shows_holdings=True,
    )  # fmt: skip
    yield OrdersPane(picture, clock, id="orders", number=3, title="Orders")
    yield GridPane(
        picture, clock, id="fills", number=4, title="Fills", spec=FILLS, rows=_fills, head=_fill_count,
    )  # fmt: skip


def _positions(picture: Picture) -> list[PositionLine]:
    return [] if picture.snapshot is None else position_lines(picture.snapshot, picture.trends.of)


def _fills(picture: Picture) -> list[FillLine]:
    return [] if picture.snapshot is None else fill_lines(picture.snapshot)


def _fill_count(picture: Picture, _: list[FillLine]) -> Line:
    return () if picture.snapshot is None else (Cell(f"{picture.snapshot.fills_known:,} known", Ink.DIM),)


def _balances(picture: Picture, width: int) -> list[Line]:
    return balance_lines(picture.snapshot, picture.facts.name, width, masked=picture.masked)

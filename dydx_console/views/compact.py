"""The one pane of a small terminal: prices and positions, nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from dydx_console.views.format import amount, money, near_price, size
from dydx_console.views.positions import (
    distance_ink,
    distance_text,
    liquidation_distance,
    position_line,
    position_lines,
    sign_ink,
)
from dydx_console.views.table import Cell, Ink, Line, aligned, whole

if TYPE_CHECKING:
    from dydx_console.state.snapshot import PositionView, Snapshot

__all__ = ["compact_lines"]


def compact_lines(snapshot: Snapshot | None, network: str, width: int) -> list[Line]:
    """Return positions with their oracle prices, then the other markets' prices, as far as `width` allows."""
    if snapshot is None:
        return [(Cell("waiting for the first picture", Ink.DIM),)]
    if snapshot.exists is False:
        return [(Cell(f"never funded on {network}", Ink.WARN),)]
    held = {view.position.market for view in snapshot.positions}
    equity = None if snapshot.margin is None else snapshot.margin.equity
    lines: list[Line] = [(Cell("equity ", Ink.LABEL), Cell(money(equity), Ink.STRONG))]
    lines += [whole(_position(snapshot, line.view), width) for line in position_lines(snapshot)]
    for ticker, market in snapshot.markets.items():
        if ticker not in held and market.oracle_price is not None:
            lines.append(
                whole((Cell(aligned(ticker, 11, right=False)), _price(market.oracle_price, market.tick_size)), width)
            )
    return lines


def _price(value: Decimal | None, tick: Decimal | None) -> Cell:
    return Cell(amount(near_price(value, tick), value, 11).rjust(11), Ink.DIM if value is None else Ink.PLAIN)


def _position(snapshot: Snapshot, view: PositionView) -> Line:
    line = position_line(view, snapshot.markets)
    distance = liquidation_distance(view)
    net = view.position.net_size
    return (
        Cell(aligned(view.position.market, 11, right=False), Ink.STRONG),
        _price(view.oracle_price, line.tick),
        Cell(amount(size(net, line.step, plus=True), net, 10).rjust(11)),
        Cell(amount(money(view.unrealized_pnl, plus=True), view.unrealized_pnl, 10).rjust(11),
             sign_ink(view.unrealized_pnl)),
        Cell("  liq ", Ink.LABEL),
        Cell(distance_text(distance), distance_ink(distance)),
    )  # fmt: skip

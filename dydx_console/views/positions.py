"""The Positions pane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from dydx_console.domain.market import Market
from dydx_console.domain.numbers import ZERO, divide
from dydx_console.views.format import MINUS, amount, money, near_price, percent, places_of, size
from dydx_console.views.table import Cell, Column, Ink, TableSpec
from dydx_console.views.trend import WIDTH, change_of, sparkline

if TYPE_CHECKING:
    from dydx_console.state.snapshot import PositionView, Snapshot

__all__ = ["POSITIONS", "PositionLine", "liquidation_distance", "position_lines", "sign_ink"]

WARN_DISTANCE = Decimal("0.10")
BAD_DISTANCE = Decimal("0.05")
FAR = Decimal("9.995")

Trend: TypeAlias = tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True)
class PositionLine:
    """A position and its market's units; `trend` are samples of its oracle price, oldest first."""

    view: PositionView
    tick: Decimal | None
    step: Decimal | None
    trend: Trend = ()

    @property
    def id(self) -> str:
        """Names the position's place: one subaccount, one market."""
        return f"{self.view.position.subaccount}/{self.view.position.market}"

    @property
    def notional(self) -> Decimal | None:
        """Value at the oracle price in USDC, without sign."""
        return None if self.view.margin is None else self.view.margin.notional

    @property
    def liquidation_price(self) -> Decimal | None:
        """Oracle price at which the subaccount would be liquidated."""
        return None if self.view.margin is None else self.view.margin.liquidation_price


def position_lines(snapshot: Snapshot, trend_of: Callable[[str], Trend] | None = None) -> list[PositionLine]:
    """Return the open positions by subaccount and market; `trend_of` knows the samples of a market's price."""
    return [position_line(view, snapshot.markets, trend_of) for view in snapshot.positions]


def position_line(
    view: PositionView, markets: Mapping[str, Market], trend_of: Callable[[str], Trend] | None = None
) -> PositionLine:
    """Return a position with the units of its market."""
    ticker = view.position.market
    market = markets.get(ticker)
    trend = () if trend_of is None else trend_of(ticker)
    return PositionLine(view, market.tick_size if market else None, market.step_size if market else None, trend)


def liquidation_distance(view: PositionView) -> Decimal | None:
    """Return how far the oracle price is from liquidation, as a signed fraction of the oracle price."""
    if view.margin is None or view.margin.liquidation_price is None or not view.oracle_price:
        return None
    return divide(view.margin.liquidation_price - view.oracle_price, view.oracle_price)


def sign_ink(value: Decimal | None) -> Ink:
    """Return the ink of a gain, a loss, or neither."""
    if value is None:
        return Ink.DIM
    return Ink.GAIN if value > ZERO else Ink.LOSS if value < ZERO else Ink.PLAIN


def distance_ink(distance: Decimal | None) -> Ink:
    """Return the ink of a distance to liquidation."""
    if distance is None:
        return Ink.DIM
    if abs(distance) < BAD_DISTANCE:
        return Ink.ALARM
    return Ink.WARN if abs(distance) < WARN_DISTANCE else Ink.PLAIN


def distance_text(distance: Decimal | None) -> str:
    """Return a distance to liquidation in per cent, with a decimal place once it is near."""
    if distance is None:
        return percent(None)
    if abs(distance) >= FAR:
        return f"> {'+' if distance > ZERO else MINUS}999 %"
    return percent(distance, 1 if abs(distance) < WARN_DISTANCE else 0, plus=True) + " %"


def _figure(text: str, value: Decimal | None, width: int, ink: Ink = Ink.PLAIN) -> Cell:
    return Cell(amount(text, value, width), Ink.DIM if value is None else ink)


def _size(line: PositionLine) -> Cell:
    net = line.view.position.net_size
    return _figure(size(net, line.step, plus=True), net, 12, Ink.STRONG)


def _near(value: Decimal | None, tick: Decimal | None) -> Cell:
    return _figure(near_price(value, tick), value, 12)


def _unrealized(line: PositionLine) -> Cell:
    value = line.view.unrealized_pnl
    return _figure(money(value, plus=True), value, 12, sign_ink(value))


def _fraction(line: PositionLine) -> Cell:
    value = line.view.unrealized_fraction
    return _figure(percent(value, plus=True), value, 8, sign_ink(value))


def _distance(line: PositionLine) -> Cell:
    distance = liquidation_distance(line.view)
    return Cell(distance_text(distance), distance_ink(distance))


def _price_places(line: PositionLine) -> int:
    places = places_of(line.tick)
    return 0 if places is None else places + 1


def _size_places(line: PositionLine) -> int:
    return places_of(line.step) or 0


def _funding(line: PositionLine) -> Cell:
    return _figure(money(line.view.funding, plus=True), line.view.funding, 10, sign_ink(line.view.funding))


POSITIONS: TableSpec[PositionLine] = TableSpec(
    columns=(
        Column("market", "MARKET", 11, lambda p: Cell(p.view.position.market, Ink.STRONG),
               lambda p: p.view.position.market),
        Column("sub", "SUB", 4, lambda p: Cell(str(p.view.position.subaccount), Ink.DIM),
               lambda p: p.view.position.subaccount, right=True, rank=5),
        Column("size", "SIZE", 11, _size, lambda p: p.view.position.net_size, right=True, places=_size_places),
        Column("cost", "AVG COST", 11, lambda p: _near(p.view.average_cost, p.tick), lambda p: p.view.average_cost,
               right=True, rank=4, places=_price_places),
        Column("oracle", "ORACLE", 11, lambda p: _near(p.view.oracle_price, p.tick), lambda p: p.view.oracle_price,
               right=True, rank=1, places=_price_places, restless=True),
        Column("notional", "NOTIONAL", 12, lambda p: _figure(money(p.notional), p.notional, 12), lambda p: p.notional,
               right=True, rank=6, restless=True),
        Column("unrealized", "UNREAL PNL", 11, _unrealized, lambda p: p.view.unrealized_pnl, right=True,
               restless=True),
        Column("percent", "%", 7, _fraction, lambda p: p.view.unrealized_fraction, right=True, rank=7, restless=True),
        Column("liquidation", "LIQ PRICE", 11, lambda p: _near(p.liquidation_price, p.tick),
               lambda p: p.liquidation_price, right=True, rank=3, places=_price_places, restless=True),
        Column("distance", "DIST", 8, _distance, lambda p: liquidation_distance(p.view), right=True, rank=2,
               restless=True),
        Column("funding", "FUNDING", 9, _funding, lambda p: p.view.funding, right=True, rank=8),
        Column("trend", "PRICE, 4 MIN", WIDTH, lambda p: Cell(sparkline(p.trend), Ink.LABEL),
               lambda p: change_of(p.trend), right=True, rank=9, restless=True),
    ),
    id_of=lambda p: p.id,
    haystack=lambda p: f"{p.view.position.market} {p.view.position.subaccount} "
                       f"{'short' if p.view.position.net_size < ZERO else 'long'}",
    is_dim=lambda _: False,
    empty="no open positions",
)  # fmt: skip

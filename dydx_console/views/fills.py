"""The Fills pane, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from dydx_console.domain.enums import FillType
from dydx_console.domain.fill import Fill, is_forced
from dydx_console.views.format import DASH, amount, moment, money, places_of, price, size
from dydx_console.views.orders import side_ink
from dydx_console.views.positions import sign_ink
from dydx_console.views.table import Cell, Column, Ink, TableSpec

if TYPE_CHECKING:
    from dydx_console.state.snapshot import Snapshot

__all__ = ["FILLS", "FillLine", "fill_lines"]


@dataclass(frozen=True, slots=True)
class FillLine:
    """A fill and its market's units; `today` is the picture's day.

    `closed_pnl` is what it realized in USDC, zero for one that only opens, None where that is not known.
    """

    fill: Fill
    tick: Decimal | None
    step: Decimal | None
    today: datetime | None
    closed_pnl: Decimal | None = None


def fill_lines(snapshot: Snapshot, older: tuple[Fill, ...] = ()) -> list[FillLine]:
    """Return the newest fills, followed by `older` ones that were read by page."""
    now = snapshot.block_time
    today = None if now is None else now.replace(hour=0, minute=0, second=0, microsecond=0)
    known = {fill.id for fill in snapshot.fills} if older else set()
    fills = (*snapshot.fills, *(fill for fill in older if fill.id not in known))
    lines: list[FillLine] = []
    for fill in fills:
        market = snapshot.markets.get(fill.market)
        tick, step = (None, None) if market is None else (market.tick_size, market.step_size)
        lines.append(FillLine(fill, tick, step, today, snapshot.closed_pnl.get(fill.id)))
    return lines


def _type(line: FillLine) -> Cell:
    kind = line.fill.type
    if is_forced(line.fill):
        return Cell(f" {kind} ", Ink.ALARM)
    return Cell("" if kind == FillType.LIMIT else kind, Ink.WARN)


def _fee(line: FillLine) -> Cell:
    return Cell(amount(money(line.fill.paid, 4), line.fill.paid, 10))


def _closed(line: FillLine) -> Cell:
    pnl = line.closed_pnl
    if pnl is None:
        return Cell(DASH, Ink.DIM)
    return Cell(amount(money(pnl, plus=True), pnl, 10), sign_ink(pnl)) if pnl else Cell("")


def _size(line: FillLine) -> Cell:
    return Cell(amount(size(line.fill.size, line.step), line.fill.size, 12))


def _price(line: FillLine) -> Cell:
    return Cell(amount(price(line.fill.price, line.tick), line.fill.price, 12))


FILLS: TableSpec[FillLine] = TableSpec(
    columns=(
        Column("time", "TIME", 8, lambda f: Cell(moment(f.fill.created_at, f.today), Ink.DIM),
               lambda f: f.fill.created_at),
        Column("market", "MARKET", 11, lambda f: Cell(f.fill.market), lambda f: f.fill.market),
        Column("sub", "SUB", 4, lambda f: Cell(str(f.fill.subaccount), Ink.DIM), lambda f: f.fill.subaccount,
               right=True, rank=4),
        Column("side", "SIDE", 4, lambda f: Cell(f.fill.side, side_ink(f.fill.side)), lambda f: f.fill.side),
        Column("size", "SIZE", 11, _size, lambda f: f.fill.size, right=True, places=lambda f: places_of(f.step) or 0),
        Column("price", "@ PRICE", 11, _price, lambda f: f.fill.price, right=True,
               places=lambda f: places_of(f.tick) or 0),
        Column("liquidity", "LIQ", 5, lambda f: Cell(f.fill.liquidity, Ink.DIM), lambda f: f.fill.liquidity, rank=3),
        Column("fee", "FEE", 10, _fee, lambda f: f.fill.paid, right=True, rank=1, places=lambda _: 4),
        Column("closed", "CLOSED", 10, _closed, lambda f: f.closed_pnl, right=True, rank=5, places=lambda _: 2),
        Column("type", "TYPE", 13, _type, lambda f: f.fill.type, rank=2),
    ),
    id_of=lambda f: f.fill.id,
    haystack=lambda f: f"{f.fill.market} {f.fill.side} {f.fill.liquidity} {f.fill.type} {f.fill.subaccount}",
    is_dim=lambda _: False,
    empty="no fills",
)  # fmt: skip

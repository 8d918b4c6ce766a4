"""The Balances pane: what the account is worth, what is free, and where the collateral lies."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from dydx_console.domain.numbers import ZERO
from dydx_console.domain.position import Balance
from dydx_console.views.format import amount, exact, money, percent
from dydx_console.views.table import Cell, Ink, Line, aligned

if TYPE_CHECKING:
    from dydx_console.state.margin import ChildMargin
    from dydx_console.state.snapshot import Snapshot

__all__ = ["MASK", "balance_lines", "hidden"]

MASK = "•"
COLLATERAL = "USDC"
HIGH_USAGE = Decimal("0.8")
ROOMY = (24, 16, 10)
TIGHT = (17, 13, 9)
"""Cells of label, figure and share, where there is room and where there is not."""
Room: TypeAlias = tuple[int, int, int]


def hidden(text: str) -> str:
    """Return `text` with every digit covered, for pictures that are handed on."""
    return "".join(MASK if char.isdigit() else char for char in text)


def balance_lines(snapshot: Snapshot | None, network: str, width: int, *, masked: bool = False) -> list[Line]:
    """Return the pane's lines for `width` cells, most important first; `masked` covers the digits."""
    if snapshot is None:
        return [(Cell("waiting for the first picture", Ink.DIM),)]
    if snapshot.exists is False:
        return [(Cell(f"never funded on {network}", Ink.WARN),), (Cell("watching; a deposit shows up here", Ink.DIM),)]
    room = ROOMY if width >= sum(ROOMY) else TIGHT
    lines = [*_totals(snapshot, room), *_children(snapshot, room)]
    return [tuple(Cell(hidden(cell.text), cell.ink) for cell in line) for line in lines] if masked else lines


def _totals(snapshot: Snapshot, room: Room) -> Iterable[Line]:
    margin = snapshot.margin
    equity = None if margin is None else margin.equity
    yield _figure("equity", equity, room, Ink.STRONG)
    free = None if margin is None else margin.raw_free_collateral
    is_short = free is not None and free < ZERO
    word = (Cell("  SHORT", Ink.ALARM),) if is_short else ()
    yield (*_figure(_cross("free collateral", room), free, room, Ink.BAD if is_short else Ink.PLAIN), *word)
    yield _used(snapshot, room)


def _cross(label: str, room: Room) -> str:
    return f"{label} (cross)" if room == ROOMY else label


def _figure(label: str, value: Decimal | None, room: Room, ink: Ink = Ink.PLAIN) -> Line:
    text = amount(money(value), value, room[1])
    return (Cell(label.ljust(room[0]), Ink.LABEL), Cell(text.rjust(room[1]), Ink.DIM if value is None else ink))


def _used(snapshot: Snapshot, room: Room) -> Line:
    margin = snapshot.margin
    parent = None if snapshot.watched is None else snapshot.watched.parent
    cross = None if margin is None else next((c for c in margin.children if c.number == parent), None)
    usage = None if margin is None else margin.margin_usage
    ink = Ink.BAD if usage is not None and usage >= HIGH_USAGE else Ink.PLAIN
    figure = _figure(_cross("margin used", room), None if cross is None else cross.initial_margin, room, ink)
    return (*figure, Cell(f"{percent(usage, 1)} %".rjust(room[2]), ink if usage is not None else Ink.DIM))


def _children(snapshot: Snapshot, room: Room) -> Iterable[Line]:
    margins = {} if snapshot.margin is None else {child.number: child for child in snapshot.margin.children}
    shown = [balance for balance in snapshot.balances if balance.amount]
    if not shown:
        return
    yield (Cell("  SUB  ASSET".ljust(room[0]) + "AMOUNT".rjust(room[1]) + "MARGIN".rjust(room[2]), Ink.LABEL),)
    for balance in shown:
        yield _child(balance, margins.get(balance.subaccount), room)


def _child(balance: Balance, margin: ChildMargin | None, room: Room) -> Line:
    is_debt = balance.amount < ZERO
    text = money(balance.amount) if balance.asset == COLLATERAL else exact(balance.amount)
    usage = None if margin is None or balance.asset != COLLATERAL else margin.margin_usage
    where = aligned(f"{balance.subaccount:>5}  {balance.asset}", room[0] - 1, right=False) + " "
    share = " DEBT".ljust(room[2]) if is_debt else f"{percent(usage, 1)} %".rjust(room[2])
    figure = amount(text, balance.amount, room[1]).rjust(room[1])
    return (
        Cell(where, Ink.DIM),
        Cell(figure, Ink.BAD if is_debt else Ink.PLAIN),
        Cell(share, Ink.BAD if is_debt else Ink.DIM),
    )

"""The PNL pane: totals since the first known fill, then market by market."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from dydx_console.views.format import DASH, amount, clock, day, money
from dydx_console.views.positions import sign_ink
from dydx_console.views.table import Cell, Ink, Line, aligned

if TYPE_CHECKING:
    from dydx_console.state.pnl import MarketPnl, PnlTotals
    from dydx_console.state.snapshot import Snapshot

__all__ = ["pnl_lines", "since_text"]


def pnl_lines(snapshot: Snapshot | None, width: int) -> list[Line]:
    """Return the pane's lines for `width` cells, totals first.

    Fees stand as what they did to the account: paid ones are negative.
    """
    if snapshot is None:
        return [(Cell("waiting for the first picture", Ink.DIM),)]
    return [*_totals(snapshot.pnl, width), *_markets(snapshot.pnl.by_market, width)]


def since_text(since: datetime | None, now: datetime | None) -> str:
    """Return from when the figures count."""
    if since is None:
        return DASH
    if now is not None and now.date() == since.date():
        return f"since {clock(since)}"
    return f"since {day(since)} {since.year}"


def _negative(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value


def _totals(pnl: PnlTotals, width: int) -> Iterable[Line]:
    form = next((form for form in _FORMS if form.width <= width), _FORMS[-1])
    gap = Cell(" " * form.gap)
    yield (
        *_pair("net", 4, pnl.net, form),
        gap,
        *_pair("realized", 9, pnl.realized, form),
        gap,
        *_pair(form.unrealized, len(form.unrealized) + 1, pnl.unrealized, form),
    )
    yield (
        Cell(" " * (4 + form.figure)),
        gap,
        *_pair("fees", 9, _negative(pnl.fees), form),
        gap,
        *_pair("funding", max(len(form.unrealized) + 1, 8), pnl.funding, form),
    )


def _pair(label: str, label_width: int, value: Decimal | None, form: Form) -> Line:
    text = amount(money(value, plus=True), value, form.figure).rjust(form.figure)
    return (Cell(label.ljust(label_width), Ink.LABEL), Cell(text, sign_ink(value)))


@dataclass(frozen=True, slots=True)
class Form:
    """How the totals stand in at least `width` cells: cells of a figure, of a gap, and the longest label."""

    width: int
    figure: int
    gap: int
    unrealized: str


_FORMS = (Form(75, 14, 3, "unrealized"), Form(59, 11, 1, "unrealized"), Form(0, 10, 1, "unreal "))


def _markets(rows: Iterable[MarketPnl], width: int) -> Iterable[Line]:
    listed = list(rows)
    if not listed:
        return
    shown = max((width - 15) // 11, 1)
    heads = "".join(head.rjust(11) for head in ("NET", "REALIZED", "UNREAL", "FEES", "FUNDING")[:shown])
    yield (Cell("MARKET".ljust(11) + "SUB".rjust(4) + heads, Ink.LABEL),)
    for row in listed:
        yield (
            Cell(aligned(row.key.market, 11, right=False), Ink.STRONG),
            Cell(str(row.key.subaccount).rjust(4), Ink.DIM),
            *(
                Cell(amount(money(value, plus=True), value, 10).rjust(11), sign_ink(value))
                for value in (row.net, row.realized, row.unrealized, _negative(row.fees), row.funding)[:shown]
            ),
        )

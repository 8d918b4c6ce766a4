"""What the journal tells beyond a row itself: an order's fills, hops and lives, a fill's order, a life's fills."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Protocol

from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.order import Order, reason_text
from dydx_console.views.detail import LABEL_WIDTH, booked_facts, labelled, moment_text
from dydx_console.views.format import DASH, clock, day, money, near_price, price, size
from dydx_console.views.history import BookedRow, Context, LifeRow, OrderRow, life_net, past_fill, past_life, span
from dydx_console.views.positions import sign_ink
from dydx_console.views.table import Cell, Ink, Line, aligned
from dydx_console.views.width import wrapped

__all__ = ["HopRow", "average_price", "fill_story_lines", "folded", "life_story_lines", "order_story_lines"]


class HopRow(Protocol):
    """A standing that an order came to; see the journal's own."""

    @property
    def at(self) -> datetime: ...
    @property
    def height(self) -> int | None: ...
    @property
    def source(self) -> str: ...
    @property
    def shown(self) -> str | None: ...
    @property
    def removal_reason(self) -> str | None: ...
    @property
    def filled(self) -> Decimal: ...


def average_price(fills: Sequence[BookedRow]) -> Decimal | None:
    """Return what fills cost per unit of size, None without any."""
    with localcontext(MATH):
        filled = sum((row.fill.size for row in fills), ZERO)
        return divide(sum((row.fill.price * row.fill.size for row in fills), ZERO), filled) if filled else None


def order_story_lines(
    order: Order,
    hops: Sequence[HopRow],
    fills: Sequence[BookedRow],
    lives: Sequence[LifeRow],
    context: Context,
    *,
    has_all: bool,
) -> list[Line]:
    """Return an order's fills with their average, how it came to stand as it does, and the lives it belongs to.

    Args:
        order: as it is shown.
        hops: its standings in the order of learning.
        fills: of it, oldest first.
        lives: that the fills belong to.
        context: units and time.
        has_all: whether `fills` are all that the journal has.
    """
    return [
        *_fill_lines(fills, order.market, context, has_all=has_all, wanted=order.filled),
        *_hop_lines(hops, context.step(order.market)),
        *_life_lines(lives, context),
    ]


def fill_story_lines(
    booked: BookedRow | None, order: OrderRow | None, lives: Sequence[LifeRow], context: Context
) -> list[Line]:
    """Return what a fill did to its position where `booked` tells, the order that it belongs to, and the lives."""
    lines = [] if booked is None else labelled(booked_facts(past_fill(booked, context).row))
    if order is not None:
        row = order.order
        step = context.step(row.market)
        pairs: list[tuple[str, object]] = [
            ("status", order.shown),
            ("placed", order.placed_at),
            ("filled", f"{size(row.filled, step)} of {size(row.size, step)}"),
        ]
        lines += [_head("Order"), *labelled(pairs)]
    return [*lines, *_life_lines(lives, context)]


def life_story_lines(life: LifeRow, fills: Sequence[BookedRow], context: Context, *, has_all: bool) -> list[Line]:
    """Return the fills of a position's life."""
    return _fill_lines(fills, life.market, context, has_all=has_all, has_side=True)


def folded(lines: Sequence[Line], width: int) -> list[Line]:
    """Return lines in which a value too long for `width` goes on below, under its beginning."""
    found: list[Line] = []
    for line in lines:
        label = line[0].text
        room = width - LABEL_WIDTH
        if len(line) != 2 or len(label) != LABEL_WIDTH or room < 8:
            found.append(line)
            continue
        for place, piece in enumerate(wrapped(line[1].text, room)):
            found.append((line[0] if not place else Cell(" " * LABEL_WIDTH), Cell(piece, line[1].ink)))
    return found


def _head(text: str, more: str = "") -> Line:
    return (Cell(f"── {text} ", Ink.STRONG), Cell(more, Ink.DIM))


def _fill_lines(
    fills: Sequence[BookedRow],
    market: str | None,
    context: Context,
    *,
    has_all: bool,
    wanted: Decimal | None = None,
    has_side: bool = False,
) -> list[Line]:
    tick, step = context.tick(market), context.step(market)
    count = f"{len(fills):,}" if has_all else f"the first {len(fills):,}"
    with localcontext(MATH):
        filled = sum((row.fill.size for row in fills), ZERO)
        paid = sum((row.fill.paid for row in fills), ZERO)
    more = f"{count}"
    if fills and not has_side:
        more += f" · {size(filled, step)} at {near_price(average_price(fills), tick)} on average"
    if fills:
        more += f" · fees {money(paid, 4)}"
    lines = [_head("Fills", more)]
    if wanted is not None and has_all and filled != wanted:
        text = f"the journal has fills of {size(filled, step)} where {size(wanted, step)} are known to be filled"
        lines.append((Cell(text, Ink.WARN),))
    return [*lines, *(_fill_line(row, tick, step, has_side=has_side) for row in fills)]


def _fill_line(row: BookedRow, tick: Decimal | None, step: Decimal | None, *, has_side: bool) -> Line:
    fill = row.fill
    side = f"{fill.side:<5}" if has_side else ""
    what, each = aligned(size(fill.size, step), 12, right=True), aligned(price(fill.price, tick), 12, right=False)
    return (
        Cell(f"{day(fill.created_at)} {clock(fill.created_at)}  ", Ink.DIM),
        Cell(f"{side}{what} @ {each}"),
        Cell(f"{fill.liquidity:<6}", Ink.DIM),
        Cell(f" fee {aligned(money(fill.paid, 4), 9, right=True)}"),
        Cell(f"  closed {money(row.closed_pnl, plus=True)}", sign_ink(row.closed_pnl)),
    )


def _hop_lines(hops: Sequence[HopRow], step: Decimal | None) -> list[Line]:
    lines = [_head("Hops", "when the console learnt, block, from whom, what" if hops else "none are known")]
    for hop in hops:
        height = DASH if hop.height is None else f"#{hop.height:,}"
        reason = reason_text(hop.removal_reason)
        filled = f"  filled {size(hop.filled, step)}" if hop.filled else ""
        lines.append(
            (
                Cell(f"{day(hop.at)} {clock(hop.at)}  ", Ink.DIM),
                Cell(f"{height:>13}  {hop.source:<9}", Ink.DIM),
                Cell(f" {hop.shown or DASH}{filled}"),
                Cell("" if reason is None else f"  {reason}", Ink.DIM),
            )
        )
    return lines


def _life_lines(lives: Sequence[LifeRow], context: Context) -> list[Line]:
    lines: list[Line] = []
    for life in lives:
        line = past_life(life, context).row
        tick = context.tick(life.market)
        ended = "still open" if life.closed_at is None else f"to {moment_text(life.closed_at)}"
        net, fees, funding = life_net(life), life.fees.copy_negate() + 0, life.funding
        lines += [
            _head(f"Position {life.side} {life.market}", f"held {span(line.held)}"),
            (Cell(f"{moment_text(life.opened_at)} {ended}, {life.fills:,} fills"),),
            (
                Cell(
                    f"entry {near_price(life.entry_price, tick)}  exit {near_price(life.exit_price, tick)}  realized "
                ),
                Cell(money(life.realized, plus=True), sign_ink(life.realized)),
                Cell(f"  fees {money(fees, plus=True)}  funding {money(funding, plus=True)}  net "),
                Cell(money(net, plus=True), sign_ink(net)),
            ),
        ]
    return lines

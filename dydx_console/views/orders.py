"""The Orders pane: what works first, then what ended lately, dimmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from dydx_console.domain.enums import DisplayStatus, OrderFlags
from dydx_console.domain.numbers import ZERO, divide
from dydx_console.domain.order import Order, display_status, display_type, is_done, is_working, reason_text
from dydx_console.views.format import DASH, amount, day, moment, percent, places_of, price, size
from dydx_console.views.table import Cell, Column, Ink, TableSpec

if TYPE_CHECKING:
    from dydx_console.state.snapshot import Snapshot

__all__ = ["ORDERS", "OrderLine", "good_til_text", "order_counts", "order_lines", "outliving", "side_ink"]

ENDED_SHOWN_FOR = timedelta(minutes=15)
BAR_CELLS = 5
_BAR = " ▏▎▍▌▋▊▉█"
_STATUS_INKS = {
    DisplayStatus.PARTIALLY_FILLED: Ink.ACCENT,
    DisplayStatus.PENDING: Ink.WARN,
    DisplayStatus.CANCELING: Ink.WARN,
    DisplayStatus.UNKNOWN: Ink.BAD,
    DisplayStatus.REJECTED: Ink.BAD,
}
_SHORT_TYPES = {
    "STOP_MARKET": "STOP MKT",
    "STOP_LIMIT": "STOP LMT",
    "TAKE_PROFIT_MARKET": "TP MKT",
    "TAKE_PROFIT": "TP LMT",
    "TRAILING_STOP": "TRAIL",
}
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order, its status at the picture's block, its market's units, and when it would end."""

    order: Order
    status: str | None
    tick: Decimal | None
    step: Decimal | None
    now: datetime | None
    good_til: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to it."""
        return is_done(self.status)

    @property
    def at(self) -> datetime | None:
        """When it was placed, else when it was last heard of."""
        return self.order.created_at or self.order.updated_at

    @property
    def filled_fraction(self) -> Decimal | None:
        """Filled share of the size."""
        return None if not self.order.size else divide(self.order.filled, self.order.size)


def order_lines(snapshot: Snapshot, interval_s: float | None, *, working_only: bool) -> list[OrderLine]:
    """Return orders that can still do something, newest first, then those that ended in the last quarter of an hour.

    Args:
        snapshot: the picture.
        interval_s: seconds between blocks, None where they are not known.
        working_only: leave the ended ones out.
    """
    now = snapshot.block_time
    open_now: list[OrderLine] = []
    over: list[OrderLine] = []
    for order in snapshot.orders:
        status = display_status(order, snapshot.height, now)
        if not is_done(status):
            open_now.append(_line(order, status, snapshot, interval_s))
        elif not working_only and _ended_lately(order, snapshot.venue_time or now):
            over.append(_line(order, status, snapshot, interval_s))
    return sorted(open_now, key=_just_placed_first, reverse=True) + sorted(over, key=_newest_first, reverse=True)


def order_counts(lines: list[OrderLine]) -> tuple[int, int]:
    """Return how many orders work, and how many of those only reduce a position."""
    working = [line for line in lines if is_working(line.status)]
    return len(working), sum(1 for line in working if line.order.reduce_only)


def outliving(snapshot: Snapshot) -> int:
    """Return how many working orders would stay in force without the console: all that are not short-term."""
    return sum(
        1
        for order in snapshot.orders
        if order.flags != OrderFlags.SHORT_TERM
        and is_working(display_status(order, snapshot.height, snapshot.block_time))
    )


def good_til_text(order: Order, height: int | None, interval_s: float | None, now: datetime | None) -> str:
    """Return what ends the order: the block with the seconds left, or the date or time."""
    if order.good_til_block is not None:
        text = f"#{order.good_til_block:,}"
        left = None if height is None else order.good_til_block - height
        if left is None or left < 0:
            return text
        return f"{text} {left} blk" if interval_s is None else f"{text} {max(left * interval_s, 0.0):.0f} s"
    at = order.good_til_time
    if at is None:
        return DASH
    return moment(at, now) if now is not None and at.date() == now.date() else f"{day(at)} {at.hour:02}:{at.minute:02}"


def side_ink(side: str | None) -> Ink:
    """Return the ink of a side."""
    return {"BUY": Ink.GAIN, "SELL": Ink.LOSS}.get(side or "", Ink.PLAIN)


def _line(order: Order, status: str | None, snapshot: Snapshot, interval_s: float | None) -> OrderLine:
    market = snapshot.markets.get(order.market) if order.market is not None else None
    height = None if is_done(status) else snapshot.height
    good_til = good_til_text(order, height, interval_s, snapshot.block_time)
    now = snapshot.block_time
    today = None if now is None else now.replace(hour=0, minute=0, second=0, microsecond=0)
    return OrderLine(
        order, status, market.tick_size if market else None, market.step_size if market else None, today, good_til
    )


def _just_placed_first(line: OrderLine) -> tuple[datetime, int, str]:
    """Order by time, then by height; what no block has told of yet stands first.

    Of an order that no block has told of only its good-til-block says when it was placed: an owner's orders are made
    for about as many blocks each. What is alike in all that is known stays where it is, by its id.
    """
    order = line.order
    height = order.updated_at_height or order.created_at_height or order.good_til_block or 0
    return order.updated_at or line.at or _END, height, order.id


def _newest_first(line: OrderLine) -> tuple[datetime, str]:
    return line.order.updated_at or line.at or _BEGINNING, line.order.id


def _ended_lately(order: Order, now: datetime | None) -> bool:
    at = order.updated_at or order.created_at
    return at is None or now is None or now - at <= ENDED_SHOWN_FOR


def type_text(order: Order) -> str:
    """Return the order's type in few letters; a type that is not known stands as it is."""
    kind = display_type(order)
    return DASH if kind is None else _SHORT_TYPES.get(kind, kind)


def note_text(line: OrderLine) -> str:
    """Return what else matters: why it ended, or the flags that bind it."""
    order = line.order
    flags = [
        word
        for word, holds in (
            ("reduce-only", order.reduce_only),
            ("post-only", order.post_only),
            (order.time_in_force or "", order.time_in_force in ("IOC", "FOK")),
        )
        if holds
    ]
    ended = line.status in (DisplayStatus.CANCELLED, DisplayStatus.REJECTED, DisplayStatus.CANCELING)
    reason = reason_text(order.removal_reason) if ended and order.removal_reason else None
    return reason if reason is not None else " ".join(flags)


def filled_text(fraction: Decimal | None) -> str:
    """Return the filled share: a bar beside it where it is neither nothing nor all."""
    if fraction is None:
        return DASH
    share = percent(fraction, 0) + " %"
    if fraction > ZERO and share == "100 %" and fraction < 1:
        share = "99 %"
    if not ZERO < fraction < 1:
        return share
    eighths = max(min(int(fraction * BAR_CELLS * 8), BAR_CELLS * 8 - 1), 1)
    bar = "█" * (eighths // 8) + (_BAR[eighths % 8] if eighths % 8 else "")
    return f"▕{bar.ljust(BAR_CELLS)}▏{share.rjust(4)}"


def _status(line: OrderLine) -> Cell:
    if line.status is None:
        return Cell(DASH, Ink.DIM)
    known = {str(status): ink for status, ink in _STATUS_INKS.items()}
    return Cell(line.status, known.get(line.status, Ink.PLAIN))


def _figure(text: str, value: Decimal | None) -> Cell:
    return Cell(amount(text, value, 12), Ink.DIM if value is None else Ink.PLAIN)


def _sub(line: OrderLine) -> Cell:
    return Cell(DASH if line.order.subaccount is None else str(line.order.subaccount), Ink.DIM)


def _price(line: OrderLine) -> Cell:
    kind = display_type(line.order)
    is_market = kind is not None and kind.endswith("MARKET")
    value = None if is_market else line.order.price
    return _figure(price(value, line.tick), value)


def _price_places(line: OrderLine) -> int:
    return places_of(line.tick) or 0


ORDERS: TableSpec[OrderLine] = TableSpec(
    columns=(
        Column("time", "TIME", 8, lambda o: Cell(moment(o.at, o.now), Ink.DIM), lambda o: o.at, rank=6),
        Column("market", "MARKET", 11, lambda o: Cell(o.order.market or DASH), lambda o: o.order.market),
        Column("sub", "SUB", 4, _sub, lambda o: o.order.subaccount, right=True, rank=7),
        Column("side", "SIDE", 4, lambda o: Cell(o.order.side or DASH, side_ink(o.order.side)),
               lambda o: o.order.side),
        Column("type", "TYPE", 8, lambda o: Cell(type_text(o.order)), lambda o: type_text(o.order), rank=5),
        Column("size", "SIZE", 10, lambda o: _figure(size(o.order.size, o.step), o.order.size), lambda o: o.order.size,
               right=True, places=lambda o: places_of(o.step) or 0),
        Column("filled", "FILLED", 11, lambda o: Cell(filled_text(o.filled_fraction)), lambda o: o.filled_fraction,
               right=True, rank=2),
        Column("price", "PRICE", 11, _price, lambda o: o.order.price, right=True, places=_price_places),
        Column("trigger", "TRIGGER", 10, lambda o: _figure(price(o.order.trigger_price, o.tick), o.order.trigger_price),
               lambda o: o.order.trigger_price, right=True, rank=4, places=_price_places),
        Column("status", "STATUS", 16, _status, lambda o: o.status, rank=1),
        Column("good_til", "GOOD TIL", 18, lambda o: Cell(o.good_til, Ink.DIM),
               lambda o: str(o.order.good_til) if o.order.good_til is not None else None, rank=3),
        Column("note", "NOTE", 24, lambda o: Cell(note_text(o), Ink.DIM), note_text, rank=8),
    ),
    id_of=lambda o: o.order.id,
    haystack=lambda o: f"{o.order.market} {o.order.side} {type_text(o.order)} {o.status} {o.order.subaccount} "
                       f"{note_text(o)}",
    is_dim=lambda o: o.is_over,
    empty="no working orders",
)  # fmt: skip

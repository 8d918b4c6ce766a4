"""The Indexer's own booking, done again from the same fills: what its figures should be if it does as it is known to.

Its position rows book a fill through zero whole on the new row, which also starts with the old row's realized PNL;
leave forced fills out of realized PNL; and average all openings of a row's life. Its trade history groups the fills of
an order. Where its figures equal these, a difference from ours is explained; where not, it is not.

Sources: dydxprotocol/v4-chain indexer/services/ender/src/scripts/handlers/dydx_subaccount_update_handler.sql,
indexer/services/ender/src/scripts/helpers/{dydx_update_perpetual_position_aggregate_fields,
dydx_apply_fill_realized_effects}.sql, indexer/services/comlink/src/lib/trade-history.ts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from dydx_console.domain.enums import FillType, Side
from dydx_console.domain.fill import Fill
from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.state.accounting import Booking

__all__ = ["TradeLine", "VenueRow", "by_order", "by_order_and_block", "trade_lines", "venue_rows"]

_FORCED = (FillType.LIQUIDATED, FillType.LIQUIDATION, FillType.DELEVERAGED, FillType.OFFSETTING)
"""Fills that the realized PNL of a row leaves out, the maker's side of a liquidation too."""


@dataclass(slots=True)
class VenueRow:
    """A position row as the Indexer keeps it.

    `realized` is what REST calls realizedPnl, `closed_gain` what the stream does before it adds settled funding.
    `fees` are those in `realized`; the flags tell which of the row's oddities came into play.
    """

    is_long: bool
    realized: Decimal = ZERO
    sum_open: Decimal = ZERO
    sum_close: Decimal = ZERO
    entry_price: Decimal = ZERO
    exit_price: Decimal = ZERO
    fees: Decimal = ZERO
    is_flipped: bool = False
    has_inherited: bool = False
    has_forced: bool = False
    has_reopened: bool = False

    @property
    def closed_gain(self) -> Decimal:
        """(exit − entry) × all that was closed, in the position's direction."""
        with localcontext(MATH):
            moved = self.exit_price - self.entry_price
            return self.sum_close * (moved if self.is_long else -moved)


def venue_rows(bookings: Iterable[Booking]) -> list[VenueRow]:
    """Return the position rows of one subaccount and market, oldest first, out of all its bookings from flat."""
    rows: list[VenueRow] = []
    with localcontext(MATH):
        for booking in bookings:
            if booking.fill.size:
                _booked(rows, booking)
    return rows


def _booked(rows: list[VenueRow], booking: Booking) -> None:
    fill = booking.fill
    if booking.opened and booking.closed:
        old = rows[-1]
        row = VenueRow(fill.side == Side.BUY, realized=old.realized, is_flipped=True, has_inherited=bool(old.realized))
        rows.append(row)
    elif booking.opened and abs(booking.net_size) == booking.opened:
        rows.append(VenueRow(fill.side == Side.BUY))
    row = rows[-1]
    _realize(row, fill)
    size, price = fill.size, fill.price
    if row.is_long == (fill.side == Side.BUY):
        row.has_reopened = row.has_reopened or bool(row.sum_close)
        row.entry_price = _average(row.entry_price, row.sum_open, price, size)
        row.sum_open += size
    else:
        row.exit_price = _average(row.exit_price, row.sum_close, price, size)
        row.sum_close += size


def _realize(row: VenueRow, fill: Fill) -> None:
    if fill.type in _FORCED:
        row.has_forced = True
        return
    row.realized -= fill.fee
    row.fees += fill.fee
    before = row.sum_open - row.sum_close
    if row.is_long != (fill.side == Side.BUY) and before:
        moved = fill.price - row.entry_price
        row.realized += (moved if row.is_long else -moved) * min(fill.size, before)


def _average(price: Decimal, weight: Decimal, new_price: Decimal, new_weight: Decimal) -> Decimal:
    return MATH.divide(price * weight + new_price * new_weight, weight + new_weight)


@dataclass(frozen=True, slots=True)
class TradeLine:
    """A row of the trade history as it should be; the fields are those of `VenueTrade`, `life` counts from zero."""

    id: str
    action: str
    price: Decimal
    entry_price: Decimal
    prev_size: Decimal
    added_size: Decimal
    net_fee: Decimal
    net_realized: Decimal
    life: int


@dataclass(slots=True)
class Group:
    """Fills that are one trade."""

    name: str
    is_forced: bool
    is_buy: bool
    size: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO


@dataclass(slots=True)
class Life:
    """A position's life in the trade history: signed size, average entry, and sums since it opened."""

    size: Decimal = ZERO
    entry: Decimal = ZERO
    fee: Decimal = ZERO
    realized: Decimal = ZERO
    number: int = field(default=-1)


def by_order(fill: Fill) -> str:
    """Return the trade that a fill belongs to: its order. Fills without one are trades of their own."""
    return fill.id if fill.order_id is None else fill.order_id


def by_order_and_block(fill: Fill) -> str:
    """Return the trade that a fill belongs to where the Indexer tells the blocks of an order apart."""
    return fill.id if fill.order_id is None else f"{fill.order_id}:{fill.height}"


def trade_lines(fills: Iterable[Fill], name_of: Callable[[Fill], str]) -> Iterator[TradeLine]:
    """Return the trade history of one subaccount and market, oldest first, out of all its fills in chain order."""
    groups: dict[str, Group] = {}
    with localcontext(MATH):
        for fill in fills:
            if not fill.size:
                continue
            name = name_of(fill)
            group = groups.setdefault(name, Group(name, fill.order_id is None, fill.side == Side.BUY))
            group.size += fill.size
            group.value += fill.price * fill.size
            group.fee += fill.fee
        lines = [line for lines in _lines(groups.values()) for line in lines]
    return iter(lines)


def _lines(groups: Iterable[Group]) -> Iterator[list[TradeLine]]:
    life = Life()
    for group in groups:
        closing = min(group.size, abs(life.size)) if life.size and (life.size > ZERO) != group.is_buy else ZERO
        if ZERO < closing < group.size:
            share = MATH.divide(group.fee * closing, group.size)
            first = _line(life, group, f"{group.name}:close", closing, share)
            yield [first, _line(life, group, f"{group.name}:open", group.size - closing, group.fee - share)]
        else:
            yield [_line(life, group, group.name, group.size, group.fee)]


def _line(life: Life, group: Group, name: str, size: Decimal, fee: Decimal) -> TradeLine:
    price = MATH.divide(group.value, group.size)
    held = life.size
    after = held + size if group.is_buy else held - size
    if not held:
        life.entry, life.fee, life.realized, life.number = price, ZERO, ZERO, life.number + 1
        action = "OPEN"
    elif (held > ZERO) == group.is_buy:
        life.entry = MATH.divide(life.entry * abs(held) + price * size, abs(after))
        action = "EXTEND"
    else:
        moved = price - life.entry if held > ZERO else life.entry - price
        life.realized += moved * size
        action = "PARTIAL_CLOSE" if after else "CLOSE"
        action = f"LIQUIDATION_{action}" if group.is_forced else action
    life.fee += fee
    life.size = after
    signed = size if group.is_buy else -size
    return TradeLine(name, action, price, life.entry, abs(held), signed, life.fee, life.realized, life.number)

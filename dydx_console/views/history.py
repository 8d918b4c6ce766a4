"""The History screen: past orders, fills, funding, transfers and position lives as tables, and how far they go back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, Generic, Protocol, TypeVar

from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.domain.ids import short_address
from dydx_console.domain.market import Market
from dydx_console.domain.numbers import MATH
from dydx_console.domain.order import Order
from dydx_console.views.fills import FILLS, FillLine
from dydx_console.views.format import (
    DASH,
    amount,
    clock,
    day,
    exact,
    money,
    near_price,
    percent,
    places_of,
    size,
)
from dydx_console.views.orders import ORDERS, OrderLine, good_til_text, side_ink
from dydx_console.views.positions import sign_ink
from dydx_console.views.table import Cell, Column, Ink, SortValue, TableSpec

__all__ = [
    "MASKED",
    "PAST_FILLS",
    "PAST_FUNDING",
    "PAST_LIVES",
    "PAST_ORDERS",
    "PAST_TRANSFERS",
    "BookedRow",
    "Context",
    "LifeLine",
    "LifeRow",
    "OrderRow",
    "Past",
    "PastFill",
    "PaymentLine",
    "TransferLine",
    "covered",
    "life_net",
    "past_fill",
    "past_life",
    "past_order",
    "past_payment",
    "past_transfer",
    "place_text",
    "span",
    "stamp",
]

L = TypeVar("L")
MASKED = "•••"


class OrderRow(Protocol):
    """An order as the journal last noted it."""

    @property
    def order(self) -> Order:
        """The order."""
        ...

    @property
    def shown(self) -> str | None:
        """The status that was displayed."""
        ...

    @property
    def placed_at(self) -> datetime:
        """The earliest moment at which it is known to have existed."""
        ...


class BookedRow(Protocol):
    """A fill with what it did to its position; None is unknown."""

    @property
    def fill(self) -> Fill:
        """The fill."""
        ...

    @property
    def closed_pnl(self) -> Decimal | None:
        """Price PNL of what it closed, in USDC; None also where it closed nothing."""
        ...

    @property
    def net_size(self) -> Decimal | None:
        """The position after it, signed, in base units."""
        ...

    @property
    def average_cost(self) -> Decimal | None:
        """What that position cost on average, in USD."""
        ...


class LifeRow(Protocol):
    """A position from flat to flat; see the journal's own."""

    @property
    def subaccount(self) -> int: ...
    @property
    def market(self) -> str: ...
    @property
    def opened_by(self) -> str | None: ...
    @property
    def side(self) -> str: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def closed_at(self) -> datetime | None: ...
    @property
    def max_size(self) -> Decimal: ...
    @property
    def entry_price(self) -> Decimal | None: ...
    @property
    def exit_price(self) -> Decimal | None: ...
    @property
    def realized(self) -> Decimal: ...
    @property
    def fees(self) -> Decimal: ...
    @property
    def funding(self) -> Decimal | None: ...
    @property
    def fills(self) -> int: ...
    @property
    def is_complete(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What rows are written with: the markets' units, the venue's time, whose account it is, and whether addresses are
    covered."""

    markets: Mapping[str, Market]
    now: datetime | None = None
    address: str | None = None
    masked: bool = False

    def tick(self, market: str | None) -> Decimal | None:
        """Return the tick size of a market."""
        found = None if market is None else self.markets.get(market)
        return None if found is None else found.tick_size

    def step(self, market: str | None) -> Decimal | None:
        """Return the step size of a market."""
        found = None if market is None else self.markets.get(market)
        return None if found is None else found.step_size


@dataclass(frozen=True, slots=True)
class Past(Generic[L]):
    """A row of a history: its name, its moment, and the picture's time, by which the year is left out."""

    row: L
    name: str
    at: datetime
    now: datetime | None


@dataclass(frozen=True, slots=True)
class PastFill:
    """A fill with its market's units, and what it did to its position; None is unknown."""

    line: FillLine
    closed_pnl: Decimal | None = None
    net_size: Decimal | None = None
    average_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A funding payment and its market's units."""

    payment: FundingPayment
    tick: Decimal | None
    step: Decimal | None


@dataclass(frozen=True, slots=True)
class TransferLine:
    """A transfer; `sender` and `recipient` are written for people."""

    transfer: Transfer
    sender: str
    recipient: str
    masked: bool


@dataclass(frozen=True, slots=True)
class LifeLine:
    """A position's life, its market's units, and the time until which a running one was held."""

    life: LifeRow
    tick: Decimal | None
    step: Decimal | None
    now: datetime | None

    @property
    def held(self) -> timedelta | None:
        """How long the position was held so far."""
        until = self.life.closed_at or self.now
        return None if until is None else max(until - self.life.opened_at, timedelta())


def past_order(row: OrderRow, context: Context) -> Past[OrderLine]:
    """Return an order's line."""
    order = row.order
    line = OrderLine(
        order,
        row.shown,
        context.tick(order.market),
        context.step(order.market),
        None,
        good_til_text(order, None, None, None),
    )
    return Past(line, order.id, row.placed_at, context.now)


def past_fill(row: BookedRow, context: Context) -> Past[PastFill]:
    """Return a fill's line."""
    fill = row.fill
    line = FillLine(fill, context.tick(fill.market), context.step(fill.market), None)
    return Past(PastFill(line, row.closed_pnl, row.net_size, row.average_cost), fill.id, fill.created_at, context.now)


def past_payment(payment: FundingPayment, context: Context) -> Past[PaymentLine]:
    """Return a funding payment's line."""
    line = PaymentLine(payment, context.tick(payment.market), context.step(payment.market))
    name = f"{payment.subaccount}/{payment.market}/{payment.height}/{payment.created_at}"
    return Past(line, name, payment.created_at, context.now)


def past_transfer(transfer: Transfer, context: Context) -> Past[TransferLine]:
    """Return a transfer's line; ends of the account itself are named by their subaccount alone."""
    line = TransferLine(
        transfer,
        _end_text(transfer.sender, transfer.sender_subaccount, context),
        _end_text(transfer.recipient, transfer.recipient_subaccount, context),
        context.masked,
    )
    name = f"{transfer.id}/{transfer.transaction_hash}/{transfer.type}/{transfer.size}/{transfer.created_at}"
    return Past(line, name, transfer.created_at, context.now)


def covered(item: object) -> object:
    """Return a row for a picture that is handed on: a transfer without addresses and amount, all else as it is."""
    if isinstance(item, TransferLine):
        return replace(item, sender=MASKED, recipient=MASKED, masked=True)
    return item


def past_life(life: LifeRow, context: Context) -> Past[LifeLine]:
    """Return a life's line."""
    line = LifeLine(life, context.tick(life.market), context.step(life.market), context.now)
    return Past(line, f"{life.subaccount}/{life.market}/{life.opened_by}", life.opened_at, context.now)


def _end_text(address: str, subaccount: int | None, context: Context) -> str:
    if address and address == context.address:
        return "own bank account" if subaccount is None else f"subaccount {subaccount}"
    shown = MASKED if context.masked else short_address(address)
    return shown if subaccount is None else f"{shown}/{subaccount}"


def life_net(life: LifeRow) -> Decimal | None:
    """Return realized − fees + funding in USDC, None where the funding is not known."""
    with localcontext(MATH):
        return None if life.funding is None else life.realized - life.fees + life.funding


def stamp(at: datetime | None, now: datetime | None) -> str:
    """Return a moment in UTC to the second; the year stands in place of the seconds where it is not `now`'s."""
    if at is None:
        return DASH
    if now is not None and at.year == now.year:
        return f"{day(at)} {clock(at)}"
    return f"{at:%Y-%m-%d} {at.hour:02}:{at.minute:02}"


def span(held: timedelta | None) -> str:
    """Return a duration by its two largest units."""
    if held is None:
        return DASH
    seconds = int(held.total_seconds())
    for unit, name, next_unit, next_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            return f"{seconds // unit:,} {name} {seconds % unit // next_unit} {next_name}"
    return f"{seconds} s"


def place_text(first: int | None, shown: int, count: int | None) -> str:
    """Return which rows are shown, and of how many; a dash is a number that is not known (yet)."""
    if not shown:
        return DASH if count is None else "none" if not count else f"none of {count:,}"
    of = DASH if count is None else f"{count:,}"
    if first is None:
        return f"{shown} of {of}"
    return f"{first:,}–{first + shown - 1:,} of {of}"


# the tables

_ORDER_COLUMNS = {column.key: column for column in ORDERS.columns}


def _when(label: str = "TIME") -> Column[Past[Any]]:
    return Column("time", label, 16, lambda p: Cell(stamp(p.at, p.now), Ink.DIM), lambda p: p.at)


def _of_orders(ranks: Mapping[str, int]) -> tuple[Column[Past[OrderLine]], ...]:
    """Return columns of the Orders pane for past orders: in this order, and as soon to leave as their rank says."""
    return tuple(replace(_lift(_ORDER_COLUMNS[key]), rank=rank) for key, rank in ranks.items())


def _lift(column: Column[L]) -> Column[Past[L]]:
    def cell(past: Past[L]) -> Cell:
        return column.cell(past.row)

    def value(past: Past[L]) -> SortValue:
        return column.value(past.row)

    places = column.places
    lifted = None if places is None else lambda past: places(past.row)
    return Column(
        column.key, column.label, column.width, cell, value, column.right, column.rank, lifted, column.most_places
    )


def _of_fill(column: Column[FillLine]) -> Column[Past[PastFill]]:
    places = column.places
    return Column(
        column.key,
        column.label,
        column.width,
        lambda past: column.cell(past.row.line),
        lambda past: column.value(past.row.line),
        column.right,
        column.rank,
        None if places is None else lambda past: places(past.row.line),
        column.most_places,
    )


def _figure(text: str, value: Decimal | None, width: int, ink: Ink = Ink.PLAIN) -> Cell:
    return Cell(amount(text, value, width), Ink.DIM if value is None else ink)


def _gain(value: Decimal | None, width: int = 11) -> Cell:
    return _figure(money(value, plus=True), value, width, sign_ink(value))


def _near(value: Decimal | None, tick: Decimal | None) -> Cell:
    return _figure(near_price(value, tick), value, 12)


def _near_places(tick: Decimal | None) -> int:
    places = places_of(tick)
    return 0 if places is None else places + 1


def _ended(past: Past[LifeLine]) -> Cell:
    closed_at = past.row.life.closed_at
    return Cell("open", Ink.ACCENT) if closed_at is None else Cell(stamp(closed_at, past.now), Ink.DIM)


def _opened(past: Past[LifeLine]) -> Cell:
    """Return when a position was opened; where its beginning is not known, that it was then or before."""
    text = stamp(past.at, past.now)
    return Cell(text, Ink.DIM) if past.row.life.is_complete else Cell(f"≤ {text}", Ink.WARN)


def _moved(past: Past[TransferLine]) -> Cell:
    moved = past.row.transfer.size
    return Cell(MASKED if past.row.masked else amount(exact(moved, 2), moved, 16))


def life_ink(side: str) -> Ink:
    """Return the ink of a position's side."""
    return side_ink({"LONG": "BUY", "SHORT": "SELL"}.get(side))


PAST_ORDERS: TableSpec[Past[OrderLine]] = TableSpec(
    columns=(
        _when("PLACED"),
        *_of_orders({"market": 0, "sub": 7, "side": 0, "type": 4, "size": 0, "filled": 2, "price": 1}),
        Column("average", "AVG PRICE", 11, lambda p: _near(p.row.order.average_fill_price, p.row.tick),
               lambda p: p.row.order.average_fill_price, right=True, rank=6, places=lambda p: _near_places(p.row.tick)),
        *_of_orders({"trigger": 5, "status": 0, "note": 8}),
    ),
    id_of=lambda p: p.name,
    haystack=lambda p: p.name,
    is_dim=lambda _: False,
    empty="no orders",
)  # fmt: skip
_FILL_COLUMNS = {column.key: _of_fill(column) for column in FILLS.columns}
PAST_FILLS: TableSpec[Past[PastFill]] = TableSpec(
    columns=(
        _when(),
        *(_FILL_COLUMNS[key] for key in ("market", "sub", "side", "size", "price", "liquidity", "fee")),
        Column("closed", "CLOSED PNL", 11, lambda p: _gain(p.row.closed_pnl), lambda p: p.row.closed_pnl, right=True,
               rank=1),
        Column("position", "POSITION", 11,
               lambda p: _figure(size(p.row.net_size, p.row.line.step, plus=True), p.row.net_size, 12),
               lambda p: p.row.net_size, right=True, rank=5, places=lambda p: places_of(p.row.line.step) or 0),
        _FILL_COLUMNS["type"],
    ),
    id_of=lambda p: p.name,
    haystack=lambda p: p.name,
    is_dim=lambda _: False,
    empty="no fills",
)  # fmt: skip
PAST_FUNDING: TableSpec[Past[PaymentLine]] = TableSpec(
    columns=(
        _when(),
        Column("market", "MARKET", 11, lambda p: Cell(p.row.payment.market), lambda p: p.row.payment.market),
        Column("sub", "SUB", 4, lambda p: Cell(str(p.row.payment.subaccount), Ink.DIM),
               lambda p: p.row.payment.subaccount, right=True, rank=4),
        Column("payment", "PAYMENT", 13,
               lambda p: _figure(money(p.row.payment.payment, 6, plus=True), p.row.payment.payment, 13,
                                 sign_ink(p.row.payment.payment)),
               lambda p: p.row.payment.payment, right=True),
        Column("rate", "RATE 1 h %", 12, lambda p: Cell(percent(p.row.payment.rate, 6, plus=True)),
               lambda p: p.row.payment.rate, right=True, rank=1),
        Column("size", "POSITION", 12,
               lambda p: _figure(size(p.row.payment.net_size, p.row.step, plus=True), p.row.payment.net_size, 12),
               lambda p: p.row.payment.net_size, right=True, rank=2, places=lambda p: places_of(p.row.step) or 0),
        Column("oracle", "ORACLE", 12, lambda p: _near(p.row.payment.oracle_price, p.row.tick),
               lambda p: p.row.payment.oracle_price, right=True, rank=3, places=lambda p: _near_places(p.row.tick)),
        Column("height", "BLOCK", 13, lambda p: Cell(f"#{p.row.payment.height:,}", Ink.DIM),
               lambda p: p.row.payment.height, right=True, rank=5),
    ),
    id_of=lambda p: p.name,
    haystack=lambda p: p.name,
    is_dim=lambda _: False,
    empty="no funding payments",
)  # fmt: skip
PAST_TRANSFERS: TableSpec[Past[TransferLine]] = TableSpec(
    columns=(
        _when(),
        Column("type", "TYPE", 12, lambda p: Cell(p.row.transfer.type), lambda p: p.row.transfer.type),
        Column("size", "AMOUNT", 16, _moved, lambda p: p.row.transfer.size, right=True, places=lambda _: 2),
        Column("asset", "ASSET", 8, lambda p: Cell(p.row.transfer.asset, Ink.DIM), lambda p: p.row.transfer.asset,
               rank=1),
        Column("sender", "FROM", 24, lambda p: Cell(p.row.sender), lambda p: p.row.sender, rank=2),
        Column("recipient", "TO", 24, lambda p: Cell(p.row.recipient), lambda p: p.row.recipient, rank=3),
        Column("height", "BLOCK", 13, lambda p: Cell(f"#{p.row.transfer.height:,}", Ink.DIM),
               lambda p: p.row.transfer.height, right=True, rank=4),
    ),
    id_of=lambda p: p.name,
    haystack=lambda p: p.name,
    is_dim=lambda _: False,
    empty="no transfers",
)  # fmt: skip
PAST_LIVES: TableSpec[Past[LifeLine]] = TableSpec(
    columns=(
        Column("time", "OPENED", 18, _opened, lambda p: p.at),
        Column("market", "MARKET", 11, lambda p: Cell(p.row.life.market), lambda p: p.row.life.market),
        Column("sub", "SUB", 4, lambda p: Cell(str(p.row.life.subaccount), Ink.DIM), lambda p: p.row.life.subaccount,
               right=True, rank=8),
        Column("side", "SIDE", 5, lambda p: Cell(p.row.life.side, life_ink(p.row.life.side)),
               lambda p: p.row.life.side),
        Column("size", "LARGEST", 11,
               lambda p: _figure(size(p.row.life.max_size, p.row.step), p.row.life.max_size, 12),
               lambda p: p.row.life.max_size, right=True, rank=4, places=lambda p: places_of(p.row.step) or 0),
        Column("entry", "AVG ENTRY", 11, lambda p: _near(p.row.life.entry_price, p.row.tick),
               lambda p: p.row.life.entry_price, right=True, rank=2, places=lambda p: _near_places(p.row.tick)),
        Column("exit", "AVG EXIT", 11, lambda p: _near(p.row.life.exit_price, p.row.tick),
               lambda p: p.row.life.exit_price, right=True, rank=3, places=lambda p: _near_places(p.row.tick)),
        Column("realized", "REALIZED", 11, lambda p: _gain(p.row.life.realized), lambda p: p.row.life.realized,
               right=True, rank=1),
        Column("fees", "FEES", 9, lambda p: _gain(p.row.life.fees.copy_negate() + 0, 9), lambda p: p.row.life.fees,
               right=True, rank=6),
        Column("funding", "FUNDING", 9, lambda p: _gain(p.row.life.funding, 9), lambda p: p.row.life.funding,
               right=True, rank=7),
        Column("net", "NET", 11, lambda p: _gain(life_net(p.row.life)), lambda p: life_net(p.row.life), right=True),
        Column("held", "HELD", 10, lambda p: Cell(span(p.row.held), Ink.DIM), lambda p: p.row.held, right=True, rank=5),
        Column("closed", "CLOSED", 16, _ended, lambda p: p.row.life.closed_at, rank=5),
    ),
    id_of=lambda p: p.name,
    haystack=lambda p: p.name,
    is_dim=lambda _: False,
    empty="no positions",
)  # fmt: skip

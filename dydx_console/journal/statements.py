"""How facts become rows: one statement for all rows of a kind, made so that writing a fact again changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields
from functools import partial
from typing import Any

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.ids import parent_of
from dydx_console.domain.numbers import MATH
from dydx_console.domain.order import Order, display_type
from dydx_console.domain.position import Position
from dydx_console.journal.columns import Columns, Row, micros
from dydx_console.journal.pending import Pending
from dydx_console.ports.journal import (
    BooksNote,
    Cursor,
    EquityPoint,
    FillBooking,
    Intent,
    IntentEntry,
    IntentStep,
    LivesForgotten,
    OrderNote,
    PlacedFill,
    PositionLife,
    PositionNote,
)

__all__ = [
    "BOOKS_COLUMNS",
    "CURSOR_COLUMNS",
    "EQUITY_COLUMNS",
    "FAULT_COLUMNS",
    "FILL_COLUMNS",
    "FUNDING_COLUMNS",
    "INTENT_COLUMNS",
    "LIFE_COLUMNS",
    "MOST_FAULTS",
    "ORDER_COLUMNS",
    "POSITION_COLUMNS",
    "REWARD_COLUMNS",
    "STEP_COLUMNS",
    "TRANSFER_COLUMNS",
    "Statement",
    "fact_statements",
    "intent_statements",
]

Statement = tuple[str, Iterable[Row]]
"""A statement and the rows that it is to be run with."""

FILL_COLUMNS = Columns(Fill)
ORDER_COLUMNS = Columns(Order)
POSITION_COLUMNS = Columns(Position)
LIFE_COLUMNS = Columns(PositionLife)
TRANSFER_COLUMNS = Columns(Transfer)
FUNDING_COLUMNS = Columns(FundingPayment)
REWARD_COLUMNS = Columns(Reward)
EQUITY_COLUMNS = Columns(EquityPoint)
FAULT_COLUMNS = Columns(FaultCount)
BOOKS_COLUMNS = Columns(BooksNote)
CURSOR_COLUMNS = Columns(Cursor)
INTENT_COLUMNS = Columns(Intent)
STEP_COLUMNS = Columns(IntentStep)

MOST_FAULTS = 2_000
"""Rows of counted failures that are kept; those that were seen last."""

_LONG_AGO = -(1 << 62)
"""A time before every other."""

RUN_BITS = 40
"""A row's revision is the number of the run, shifted by this, and the revision within it."""


# ruff: noqa: S608 - statements are put together from the names of columns, which stand in this file and the values'


def _insert(table: str, names: Iterable[str]) -> str:
    listed = tuple(names)
    return f"INSERT INTO {table} ({', '.join(listed)}) VALUES ({', '.join('?' * len(listed))})"


def _newest(table: str, columns: Iterable[str]) -> str:
    return ", ".join(
        f"{name} = CASE WHEN excluded.revision >= {table}.revision THEN excluded.{name} ELSE {table}.{name} END"
        for name in columns
    )


def _completed(table: str, columns: Iterable[str]) -> str:
    """Return assignments of the newest note's values, and where it has none those of the other."""
    return ", ".join(
        f"{name} = CASE WHEN excluded.revision >= {table}.revision "
        f"THEN coalesce(excluded.{name}, {table}.{name}) ELSE coalesce({table}.{name}, excluded.{name}) END"
        for name in columns
    )


_FILL_OPTIONAL = tuple(field.name for field in fields(Fill) if field.default is not MISSING)
_FILL = (
    _insert("fills", (*FILL_COLUMNS, "place"))
    + " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = coalesce(fills.{name}, excluded.{name})" for name in _FILL_OPTIONAL)
    + ", place = coalesce(excluded.place, fills.place)"
    # whatever may have moved it within its block, or changes what it cost, has it booked anew
    + ", is_booked = CASE WHEN fills.event_id IS NULL AND coalesce(excluded.place, fills.place) IS NOT fills.place "
    "OR fills.event_id IS NULL AND fills.place IS NULL AND (excluded.event_id IS NOT NULL "
    "OR excluded.position_size_before IS NOT NULL AND fills.position_size_before IS NULL) "
    "OR fills.builder_fee IS NULL AND excluded.builder_fee IS NOT NULL THEN 0 ELSE fills.is_booked END"
)
_BOOKING = (
    "UPDATE fills SET closed_pnl = ?, net_size = ?, average_cost = ?, is_booked = (event_id IS ? AND place IS ?) "
    "WHERE id = ?"
)
_FUNDED = "UPDATE funding SET is_booked = 1 WHERE is_booked = 0 AND subaccount = ? AND market = ? AND height = ?"

_STANDING = ("status", "removal_reason", "reason_source", "filled", "total_filled", "average_fill_price")
_TERMS = tuple(name for name in ORDER_COLUMNS if name not in (*_STANDING, "id"))
_ORDER = (
    _insert("orders", (*ORDER_COLUMNS, "shown", "shown_type", "placed_at", "noted_at", "revision"))
    + " ON CONFLICT (id) DO UPDATE SET "
    + f"{_newest('orders', (*_STANDING, 'shown', 'noted_at', 'revision'))}, "
    + f"{_completed('orders', (*_TERMS, 'shown_type'))}, "
    + "placed_at = min(orders.placed_at, excluded.placed_at)"
)

_HOP_NAMES = (
    "order_id", "standing", "revision", "at", "height", "source", "shown", "status", "removal_reason", "reason_source",
    "filled", "size", "price", "good_til_block", "good_til_time", "updated_at_height",
)  # fmt: skip
_HOP = (
    _insert("order_hops", _HOP_NAMES)
    + " ON CONFLICT (order_id, standing) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in ("revision", "at", "height", "source"))
    + " WHERE excluded.revision < order_hops.revision"
)

_POSITION_NAMES = (
    *POSITION_COLUMNS, "average_cost", "realized", "fees", "funding", "life_opened_at", "noted_at", "revision",
)  # fmt: skip
_POSITION = (
    _insert("positions", _POSITION_NAMES)
    + " ON CONFLICT (subaccount, market) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _POSITION_NAMES if name not in ("subaccount", "market"))
    + " WHERE excluded.revision >= positions.revision"
)

_FORGET = "DELETE FROM lives WHERE subaccount = ? AND market = ? AND (closed_at IS NULL OR closed_at >= ?)"
_FAULT = (
    _insert("error_metrics", ("run", *FAULT_COLUMNS))
    + " ON CONFLICT (run, kind, source, endpoint) DO UPDATE SET count = max(error_metrics.count, excluded.count), "
    "last_text = CASE WHEN excluded.last_at >= error_metrics.last_at THEN excluded.last_text "
    "ELSE error_metrics.last_text END, last_at = max(error_metrics.last_at, excluded.last_at)"
)
_PRUNE_FAULTS = (
    "DELETE FROM error_metrics WHERE rowid IN "
    "(SELECT rowid FROM error_metrics ORDER BY last_at DESC, rowid DESC LIMIT -1 OFFSET ?)"
)

_TRANSFER_NAMES = ("key", "name", *TRANSFER_COLUMNS, "is_shown")
_TRANSFER = _insert("transfers", _TRANSFER_NAMES) + " ON CONFLICT (key) DO NOTHING"
_SHOW_TRANSFERS = (
    "UPDATE transfers SET is_shown = id IS NOT NULL OR "
    "(SELECT count(*) FROM transfers AS other "
    "WHERE other.name = transfers.name AND other.id IS NULL AND other.key <= transfers.key) > "
    "(SELECT count(*) FROM transfers AS other WHERE other.name = transfers.name AND other.id IS NOT NULL) "
    "WHERE name = ?"
)

# an entry that contradicts the one that is kept would set its kind to NULL, which the table refuses
_INTENT = (
    _insert("intents", INTENT_COLUMNS)
    + " ON CONFLICT (id) DO UPDATE SET kind = CASE WHEN "
    + " AND ".join(f"intents.{name} IS excluded.{name}" for name in INTENT_COLUMNS)
    + " THEN intents.kind END"
)
_STEP = (
    _insert("intent_steps", STEP_COLUMNS)
    + " ON CONFLICT (intent_id, number) DO UPDATE SET state = CASE WHEN "
    + " AND ".join(f"intent_steps.{name} IS excluded.{name}" for name in STEP_COLUMNS)
    + " THEN intent_steps.state END"
)
_ADVANCE = "UPDATE intents SET state = ?, last_step = ?, settled_at = ? WHERE id = ? AND last_step < ?"


def _replace(table: str, names: tuple[str, ...], key: str) -> str:
    rest = ", ".join(f"{name} = excluded.{name}" for name in names if name != key)
    return f"{_insert(table, names)} ON CONFLICT ({key}) DO UPDATE SET {rest}"


_UNFUND = (
    ", is_booked = CASE WHEN funding.payment IS excluded.payment AND funding.net_size IS excluded.net_size "
    "THEN funding.is_booked ELSE 0 END"
)
_BOOKS = _insert("books", BOOKS_COLUMNS) + " ON CONFLICT (subaccount, market) DO UPDATE SET text = excluded.text"


def _keyed(table: str, columns: Columns[Any]) -> str:
    return _replace(table, ("key", *columns), "key")


def fact_statements(pending: Pending, run: int) -> Iterator[Statement]:
    """Return the statements that write what waits, in run number `run`; their rows are made lazily."""
    base = run << RUN_BITS
    if pending.fills:
        yield _FILL, map(_fill_row, pending.fills)
    if pending.orders:
        yield _ORDER, map(partial(_order_row, base), pending.orders)
        yield _HOP, map(partial(_hop_row, base), pending.orders)
    if pending.transfers:
        yield _TRANSFER, map(_transfer_row, pending.transfers)
        yield _SHOW_TRANSFERS, [(name,) for name in {_transfer_name(transfer) for transfer in pending.transfers}]
    if pending.positions:
        yield _POSITION, map(partial(_position_row, base), pending.positions.values())
    yield from _derived_statements(pending)
    if pending.faults:
        yield _FAULT, ((run, *FAULT_COLUMNS.encode(fault)) for fault in pending.faults.values())
        yield _PRUNE_FAULTS, [(MOST_FAULTS,)]
    if pending.cursors:
        yield _replace("cursors", CURSOR_COLUMNS.names, "source"), map(CURSOR_COLUMNS.encode, pending.cursors.values())


def _derived_statements(pending: Pending) -> Iterator[Statement]:
    if pending.bookings:
        yield _BOOKING, map(_booking_row, pending.bookings)
    if pending.forgotten:
        yield _FORGET, map(_forget_row, pending.forgotten.values())
    yield from _keyed_statements(pending)
    if pending.funded:
        yield _FUNDED, [(fact.subaccount, fact.market, fact.height) for fact in pending.funded]
    if pending.books:
        yield _BOOKS, map(BOOKS_COLUMNS.encode, pending.books.values())


def _keyed_statements(pending: Pending) -> Iterator[Statement]:
    kinds: tuple[tuple[str, Columns[Any], Callable[[Any], str], Iterable[Any]], ...] = (
        ("lives", LIFE_COLUMNS, _life_key, pending.lives.values()),
        ("funding", FUNDING_COLUMNS, _funding_key, pending.funding),
        ("rewards", REWARD_COLUMNS, _reward_key, pending.rewards),
        ("equity", EQUITY_COLUMNS, _equity_key, pending.equity),
    )
    for table, columns, key, values in kinds:
        if values:
            amends = _UNFUND if table == "funding" else ""
            yield f"{_keyed(table, columns)}{amends}", map(partial(_keyed_row, columns, key), values)


def intent_statements(entries: Iterable[IntentEntry]) -> Iterator[Statement]:
    """Return the statements that write intents, and then their steps."""
    listed = tuple(entries)
    intents = [entry for entry in listed if isinstance(entry, Intent)]
    steps = [entry for entry in listed if isinstance(entry, IntentStep)]
    if intents:
        yield _INTENT, map(INTENT_COLUMNS.encode, intents)
    if steps:
        yield _STEP, map(STEP_COLUMNS.encode, steps)
        yield _ADVANCE, map(_advance_row, steps)


def _fill_row(placed: PlacedFill) -> Row:
    return *FILL_COLUMNS.encode(placed.fill), placed.place


def _order_row(base: int, note: OrderNote) -> Row:
    order = note.order
    placed_at = min(at for at in (order.created_at, order.updated_at, note.at) if at is not None)
    standing = (note.shown, display_type(order), micros(placed_at), micros(note.at), base + note.revision)
    return *ORDER_COLUMNS.encode(order), *standing


def _hop_row(base: int, note: OrderNote) -> Row:
    order = note.order
    good_til_time = None if order.good_til_time is None else micros(order.good_til_time)
    what = (
        note.shown, order.status, order.removal_reason, order.reason_source, str(order.filled),
        _text(order.size), _text(order.price), order.good_til_block, good_til_time, order.updated_at_height,
    )  # fmt: skip
    standing = "|".join("" if part is None else str(part) for part in what)
    return order.id, standing, base + note.revision, micros(note.at), note.height, note.source, *what


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _position_row(base: int, note: PositionNote) -> Row:
    opened = None if note.life_opened_at is None else micros(note.life_opened_at)
    amounts = map(_text, (note.average_cost, note.realized, note.fees, note.funding))
    return *POSITION_COLUMNS.encode(note.position), *amounts, opened, micros(note.at), base + note.revision


def _forget_row(forgotten: LivesForgotten) -> Row:
    return forgotten.subaccount, forgotten.market, _LONG_AGO if forgotten.since is None else micros(forgotten.since)


def _booking_row(booking: FillBooking) -> Row:
    amounts = map(_text, (booking.closed_pnl, booking.net_size, booking.average_cost))
    return *amounts, booking.event_id, booking.place, booking.fill_id


def _keyed_row(columns: Columns[Any], key: Callable[[Any], str], value: Any) -> Row:
    return key(value), *columns.encode(value)


def _life_key(life: PositionLife) -> str:
    return f"{life.subaccount}/{life.market}/{life.opened_by or ''}"


def _funding_key(payment: FundingPayment) -> str:
    return f"{payment.subaccount}/{payment.market}/{payment.height}"


def _reward_key(reward: Reward) -> str:
    return str(reward.height)


def _equity_key(point: EquityPoint) -> str:
    return f"{point.parent}/{micros(point.at)}"


def _transfer_row(transfer: Transfer) -> Row:
    name = _transfer_name(transfer)
    ends = (transfer.sender_subaccount, transfer.recipient_subaccount)
    key = f"{name}|{micros(transfer.created_at)}|{ends}" if transfer.id is None else transfer.id
    return key, name, *TRANSFER_COLUMNS.encode(transfer), 1


def _transfer_name(transfer: Transfer) -> str:
    """Return what a stream row, which has no id, shares with the REST row of the same transfer.

    REST names the parent where the stream names the child (dydxprotocol/v4-chain indexer/services/comlink/src/
    controllers/api/v4/transfers-controller.ts).
    """
    ends = (transfer.sender_subaccount, transfer.recipient_subaccount)
    parents = tuple(None if end is None else parent_of(end) for end in ends)
    told = (
        transfer.transaction_hash, transfer.type, transfer.asset, transfer.size.normalize(MATH), transfer.height,
        transfer.sender, transfer.recipient, parents,
    )  # fmt: skip
    return "|".join(map(str, told))


def _advance_row(step: IntentStep) -> Row:
    settled_at = micros(step.at) if step.state.is_final else None
    return str(step.state), step.number, settled_at, step.intent_id, step.number

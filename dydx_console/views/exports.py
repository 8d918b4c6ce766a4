"""Histories as rows for other programs: which columns there are, and how a cell is written as CSV or JSON.

A row model's fields are its columns, in their order; docs/exports.md describes them, and a test compares the two.
Columns stay: new ones come at the end.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from io import StringIO
from typing import get_args

from pydantic import BaseModel, Field

from dydx_console.views.documents import Number, Part, Time, plain

__all__ = [
    "ROWS",
    "DayRow",
    "ExportKind",
    "FillRow",
    "FundingRow",
    "LifeRow",
    "OrderRow",
    "TransferRow",
    "columns_of",
    "csv_header",
    "csv_line",
    "csv_lines",
    "defused",
    "json_line",
]


class ExportKind(StrEnum):
    """What can be exported."""

    FILLS = "fills"
    ORDERS = "orders"
    FUNDING = "funding"
    TRANSFERS = "transfers"
    LIVES = "lives"
    PNL_BY_DAY = "pnl-by-day"


class FillRow(Part):
    """A fill. `closed_pnl` is the price PNL of what it closed; size and average are the position's after it."""

    id: str
    created_at: Time
    height: int
    subaccount: int
    market: str
    side: str
    liquidity: str
    type: str
    price: Number
    size: Number
    value: Number = Field(description="price × size in USDC")
    fee: Number = Field(description="Protocol fee in USDC, negative for a rebate")
    builder_fee: Number | None = Field(description="Charged on top of `fee`, in USDC")
    closed_pnl: Number | None = Field(description="Price PNL of what it closed, in USDC, fees apart")
    net_size: Number | None = Field(description="The position's signed size after it")
    average_cost: Number | None = Field(description="The position's average cost after it, in USD")
    order_id: str | None


class OrderRow(Part):
    """An order as last known; `filled` counts its known fills."""

    id: str
    client_id: str | None
    placed_at: Time = Field(description="The earliest moment at which it is known to have existed")
    subaccount: int | None
    market: str | None
    side: str | None
    type: str | None
    time_in_force: str | None
    post_only: bool | None
    reduce_only: bool | None
    lifetime: str | None
    price: Number | None
    trigger_price: Number | None
    size: Number | None
    filled: Number
    remaining: Number | None
    average_fill_price: Number | None
    status: str | None
    reason_source: str | None = Field(description="VENUE told the reason, or SNAPSHOT: it was gone after a reconnect")
    reason: str | None
    reason_text: str | None
    good_til_block: int | None
    good_til_time: Time | None
    created_at_height: int | None
    updated_at: Time | None
    updated_at_height: int | None
    noted_at: Time = Field(description="When the console last learnt of it")


class FundingRow(Part):
    """An hourly funding payment of a position."""

    created_at: Time
    height: int
    subaccount: int
    market: str
    payment: Number = Field(description="In USDC, positive when received")
    rate: Number
    net_size: Number
    oracle_price: Number


class TransferRow(Part):
    """A deposit, withdrawal or transfer; an end without a subaccount is a bank account."""

    id: str | None
    created_at: Time
    height: int
    type: str
    size: Number
    asset: str
    sender: str
    sender_subaccount: int | None
    recipient: str
    recipient_subaccount: int | None
    transaction_hash: str | None


class LifeRow(Part):
    """A position from flat to flat; amounts in USDC, prices are averages in USD."""

    subaccount: int
    market: str
    side: str
    opened_by: str | None = Field(
        description="Id of the fill that opened it; null where it began before the known fills"
    )
    opened_at: Time
    opened_height: int | None
    closed_at: Time | None
    closed_height: int | None
    held_s: int | None = Field(description="Whole seconds from opening to closing, null while it is open")
    max_size: Number
    entry_price: Number | None
    exit_price: Number | None
    realized: Number = Field(description="Price PNL alone")
    fees: Number = Field(description="Positive when paid, builder fees included")
    funding: Number | None = Field(description="Positive when received")
    net: Number | None = Field(description="realized − fees + funding")
    fills: int
    is_complete: bool = Field(description="False where its beginning is not known")


class DayRow(Part):
    """What a day brought in one subaccount and market; amounts in USDC."""

    day: date
    subaccount: int | None = Field(description="Null where the row is the whole account's")
    market: str | None = Field(description="Null where the row is the whole account's")
    realized: Number | None = Field(description="Price PNL alone; null where the cost of a closing is not known")
    fees: Number
    funding: Number
    net: Number | None = Field(description="realized − fees + funding")
    volume: Number = Field(description="Sum of price × size")
    fills: int


ROWS: dict[ExportKind, type[Part]] = {
    ExportKind.FILLS: FillRow,
    ExportKind.ORDERS: OrderRow,
    ExportKind.FUNDING: FundingRow,
    ExportKind.TRANSFERS: TransferRow,
    ExportKind.LIVES: LifeRow,
    ExportKind.PNL_BY_DAY: DayRow,
}
"""The row of each kind of export."""


# How cells are written

_STEERING = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Beginnings by which a spreadsheet takes a text for a formula."""

Plain = str | int | bool | None


def columns_of(row: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of a row's columns; an object in it has one for each of its own, behind its name."""
    return tuple(name for field in row.model_fields for name in _names(row, field))


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: one that begins like it has an apostrophe before it."""
    return f"'{text}" if text.startswith(_STEERING) or text.lstrip().startswith(_STEERING) else text


def csv_header(row: type[BaseModel]) -> str:
    """Return the header line of a CSV file, with its line end."""
    return csv_line(columns_of(row))


def csv_line(texts: Iterable[str]) -> str:
    """Return cells as a line of CSV, with its line end."""
    written = StringIO()
    csv.writer(written, lineterminator="\n").writerow(texts)
    return written.getvalue()


def csv_lines(rows: Iterable[Part], zone: tzinfo) -> str:
    """Return rows as lines of CSV, with times in `zone`; unknown is empty."""
    written = StringIO()
    csv.writer(written, lineterminator="\n").writerows(_csv_cells(row, zone) for row in rows)
    return written.getvalue()


def json_line(row: Part, zone: tzinfo) -> str:
    """Return a row as a line of JSON, with times in `zone`; decimals are texts, unknown is null."""
    told = {name: _plain_value(value, zone) for name, value in row}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n"


def _names(row: type[BaseModel], field: str) -> tuple[str, ...]:
    inner = _inner(row, field)
    return (field,) if inner is None else tuple(f"{field}_{name}" for name in columns_of(inner))


@lru_cache(maxsize=1_024)
def _inner(row: type[BaseModel], field: str) -> type[BaseModel] | None:
    """Return the model of an object that a field holds, perhaps; None for any other."""
    held = row.model_fields[field].annotation
    kinds = (held, *get_args(held))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _values(row: BaseModel) -> Iterator[object]:
    for name, value in row:
        inner = _inner(type(row), name)
        if inner is None:
            yield value
        elif value is None:
            yield from (None for _ in columns_of(inner))
        else:
            yield from _values(value)


def _csv_cells(row: Part, zone: tzinfo) -> Iterator[str]:
    for value in _values(row):
        if isinstance(value, str):
            yield defused(value).replace("\r", " ")  # a line end that the csv module would not quote
        else:
            told = _plain_value(value, zone)
            yield "" if told is None else str(told).lower() if isinstance(told, bool) else str(told)


def _plain_value(value: object, zone: tzinfo) -> Plain:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return _time(value, zone)
    if value is None or isinstance(value, str | int):
        return value
    return str(value)


def _time(at: datetime, zone: tzinfo) -> str:
    """Return a time with the offset of its zone; in UTC where the zone has no such day, as beyond the last year."""
    try:
        return at.astimezone(zone).isoformat(timespec="microseconds")
    except OverflowError:
        return at.astimezone(UTC).isoformat(timespec="microseconds")

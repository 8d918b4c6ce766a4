"""Rows for other programs: columns as documented, exact figures, times with their zone, and no formula in any cell."""

import csv
import json
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import get_args, get_origin
from zoneinfo import ZoneInfo

import pytest
from builders import D, at_height
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dydx_console.views.documents import OrderItem, ReasonItem
from dydx_console.views.exports import (
    ROWS,
    ExportKind,
    FillRow,
    TransferRow,
    columns_of,
    csv_header,
    csv_lines,
    defused,
    json_line,
)
from dydx_console.views.pages import PAGES, READINGS

DOC = Path(__file__).parents[2] / "docs" / "exports.md"
ZURICH = ZoneInfo("Europe/Zurich")
WORDS = {
    str: "text",
    int: "integer",
    bool: "true or false",
    Decimal: "decimal",
    datetime: "time",
    date: "date",
}
DANGEROUS = "=+-@\t\r\n"


def fill_row(**given: object) -> FillRow:
    fields = {
        "id": "f",
        "created_at": at_height(1),
        "height": 1,
        "subaccount": 0,
        "market": "BTC-USD",
        "side": "BUY",
        "liquidity": "TAKER",
        "type": "LIMIT",
        "price": D(100),
        "size": D(1),
        "value": D(100),
        "fee": D("0.05"),
        "builder_fee": None,
        "closed_pnl": None,
        "net_size": None,
        "average_cost": None,
        "order_id": None,
    }
    return FillRow.model_validate({**fields, **given})


def read_back(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def documented(kind: ExportKind) -> list[tuple[str, str]]:
    section = re.search(rf"^### `{kind}`\n(.*?)(?=^### |\Z)", DOC.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert section is not None
    return re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section[1], re.MULTILINE)


def kind_of(annotation: object) -> str:
    args = [arg for arg in get_args(annotation) if arg is not type(None)]
    inner = args[0] if args else annotation
    while get_origin(inner) is not None:
        inner = get_args(inner)[0]
    assert isinstance(inner, type)
    return WORDS[inner] + (", or unknown" if type(None) in get_args(annotation) else "")


@pytest.mark.parametrize("kind", ExportKind)
def test_the_columns_are_those_of_the_docs(kind: ExportKind) -> None:
    fields = ROWS[kind].model_fields
    assert documented(kind) == [(name, kind_of(field.annotation)) for name, field in fields.items()]
    assert csv_header(ROWS[kind]).rstrip("\n").split(",") == list(fields)


@pytest.mark.parametrize("kind", ExportKind)
def test_a_page_holds_rows_of_its_kind(kind: ExportKind) -> None:
    schema = PAGES[kind].model_json_schema()
    assert ROWS[kind].__name__ in schema["properties"]["rows"]["items"]["$ref"]
    assert PAGES[kind] in READINGS.values() or kind is ExportKind.PNL_BY_DAY


def test_figures_are_exact_and_never_have_an_exponent() -> None:
    row = fill_row(price=D("1E+5"), size=D("1e-18"), fee=D("-0.000001"), closed_pnl=D("-5"), value=D("0E-9"))
    told = read_back(csv_header(FillRow) + csv_lines([row], UTC))[0]
    assert (told["price"], told["size"], told["fee"]) == ("100000", "0.000000000000000001", "-0.000001")
    assert (told["closed_pnl"], told["value"], told["builder_fee"]) == ("-5", "0", "")
    held = json.loads(json_line(row, UTC))
    assert (held["price"], held["closed_pnl"], held["builder_fee"], held["height"]) == ("100000", "-5", None, 1)


@pytest.mark.parametrize(
    ("zone", "at", "told"),
    [
        (UTC, datetime(2026, 11, 1, 12, tzinfo=UTC), "2026-11-01T12:00:00.000000+00:00"),
        (ZURICH, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-25T02:30:00.000000+02:00"),
        (ZURICH, datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25T02:30:00.000000+01:00"),
        (ZURICH, datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999999+00:00"),
    ],
    ids=["utc", "summer", "winter", "last"],
)
def test_times_have_the_offset_of_their_zone(zone: tzinfo, at: datetime, told: str) -> None:
    row = fill_row(created_at=at)
    assert read_back(csv_header(FillRow) + csv_lines([row], zone))[0]["created_at"] == told
    assert json.loads(json_line(row, zone))["created_at"] == told


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "-2+3+cmd|' /C calc'!A0"]
)
def test_a_formula_is_defused(text: str) -> None:
    row = fill_row(id=text)
    assert read_back(csv_header(FillRow) + csv_lines([row], UTC))[0]["id"] == f"'{text}".replace("\r", " ")
    assert json.loads(json_line(row, UTC))["id"] == text


@pytest.mark.parametrize("text", ["BTC-USD", "a=b", "", "0f3a-1", "1e5"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert defused(text) == text


@given(st.text())
def test_no_text_begins_like_a_formula_and_none_is_lost(text: str) -> None:
    told = defused(text)
    assert not told.startswith(tuple(DANGEROUS))
    assert told in (text, f"'{text}")


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=("Cs", "Cc"))), st.decimals(-(10**30), 10**30, places=9)),
        max_size=8,
    )
)
def test_csv_reads_back_as_what_was_written(cells: list[tuple[str, Decimal]]) -> None:
    rows = [fill_row(id=text, closed_pnl=value, created_at=at_height(1)) for text, value in cells]
    told = read_back(csv_header(FillRow) + csv_lines(rows, UTC))
    assert [row["id"] for row in told] == [defused(text) for text, _ in cells]
    assert [Decimal(row["closed_pnl"]) for row in told] == [value for _, value in cells]
    assert not any("E" in row["closed_pnl"] for row in told)


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1 < at.year < 9999), st.integers(-14, 14))
def test_a_time_reads_back_as_the_same_moment(at: datetime, hours: int) -> None:
    row = fill_row(created_at=at)
    told = json.loads(json_line(row, timezone(timedelta(hours=hours))))["created_at"]
    assert datetime.fromisoformat(told) == at


def test_an_object_in_a_row_has_columns_of_its_own() -> None:
    columns = columns_of(OrderItem)
    assert [name for name in columns if name.startswith("reason")] == ["reason_source", "reason_code", "reason_text"]
    nothing: dict[str, object] = dict.fromkeys(OrderItem.model_fields)
    ended = {**nothing, "id": "o", "filled": D(0), "reason": ReasonItem(source="VENUE", code="EXPIRED", text="expired")}
    rows = [OrderItem.model_validate(ended), OrderItem.model_validate({**ended, "reason": None})]
    told = read_back(csv_header(OrderItem) + csv_lines(rows, UTC))
    assert [row["reason_code"] for row in told] == ["EXPIRED", ""]
    assert [row["updated_at_height"] for row in told] == ["", ""]


def test_words_of_truth_are_small() -> None:
    row: BaseModel = ROWS[ExportKind.LIVES].model_validate(
        {
            **dict.fromkeys(ROWS[ExportKind.LIVES].model_fields),
            "subaccount": 0, "market": "BTC-USD", "side": "LONG", "opened_at": at_height(1), "max_size": 1,
            "realized": 0, "fees": 0, "fills": 1, "is_complete": False,
        }
    )  # fmt: skip
    assert isinstance(row, ROWS[ExportKind.LIVES])
    assert csv_lines([row], UTC).rstrip("\n").endswith(",1,false")


def test_a_transfer_of_a_bank_account_has_no_subaccount_there() -> None:
    row = TransferRow(
        id=None, created_at=at_height(1), height=1, type="DEPOSIT", size=D("1.50"), asset="USDC", sender="dydx1a",
        sender_subaccount=None, recipient="dydx1b", recipient_subaccount=0, transaction_hash=None,
    )  # fmt: skip
    told = read_back(csv_header(TransferRow) + csv_lines([row], UTC))[0]
    assert (told["id"], told["size"], told["sender_subaccount"], told["recipient_subaccount"]) == ("", "1.5", "", "0")

"""Addresses, orders, fills and markets as values."""

from dataclasses import replace
from decimal import Decimal

import pytest
from bech32 import bech32_encode, convertbits
from builders import ADDRESS, at_height, fill, patch

from dydx_console.domain.fill import chained, is_forced, merge_fill
from dydx_console.domain.ids import (
    AddressError,
    is_isolated,
    parent_of,
    parse_address,
    short_address,
    subaccount_number,
)
from dydx_console.domain.market import Market, effective_initial_margin_fraction
from dydx_console.domain.order import (
    Order,
    display_status,
    display_type,
    good_til_passed,
    is_done,
    is_working,
    lifetime,
    reason_text,
)

D = Decimal


def encoded(prefix: str, size: int) -> str:
    words = convertbits(bytes(size), 8, 5)
    assert words is not None
    return bech32_encode(prefix, words)


def test_an_address_comes_back() -> None:
    assert parse_address(ADDRESS) == ADDRESS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (f" {ADDRESS}", "white space"),
        (ADDRESS.upper(), "upper-case"),
        ("cosmos1abc", "begins with 'cosmos'"),
        ("hello", "begins with 'hello'"),
        ("dydx1b", "the character 'b'"),
        (ADDRESS[:-1], "has 42 characters"),
        (ADDRESS[:-1] + "q", "checksum"),
        (encoded("dydx", 32), "characters"),
    ],
)
def test_an_address_that_is_none_says_why(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        parse_address(text)


def test_numbers_of_subaccounts() -> None:
    assert (parent_of(256), parent_of(3), is_isolated(127), is_isolated(128)) == (0, 3, False, True)
    assert short_address(ADDRESS) == "dydx1n88u…c565lnf"[:10] + ADDRESS[-6:]
    assert short_address("short") == "short"
    assert [subaccount_number(text) for text in ("0", "128", "", "-1", "٣", "1" * 10, "1\n")] == [0, 128, *([None] * 5)]


def order(status: str | None, filled: str = "0", **given: object) -> Order:
    row = patch(status=status, **given)
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return Order(**values, filled=D(filled))


SHORT = {"flags": "0", "good_til_block": 100}
LONG = {"flags": "64", "good_til_time": at_height(100)}


@pytest.mark.parametrize(
    ("row", "height", "want"),
    [
        (order("OPEN", "1", **SHORT), 50, "FILLED"),
        (order("CANCELED", "2", **SHORT), 50, "FILLED"),
        (order("FILLED", **SHORT), 50, "FILLED"),
        (order("FILLED", flags="128"), 50, "OPEN"),
        (order("FILLED", "1", flags="128"), 50, "FILLED"),
        (order("CANCELED", **SHORT), 50, "CANCELLED"),
        (order("ERROR", **SHORT), 50, "CANCELLED"),
        (order("CANCELED", "0.5", removal_reason="INDEXER_EXPIRED", **SHORT), 50, "EXPIRED"),
        (order("CANCELED", removal_reason="EXPIRED", **SHORT), 50, "EXPIRED"),
        (order("BEST_EFFORT_CANCELED", **SHORT), 100, "CANCELING"),
        (order("BEST_EFFORT_CANCELED", **SHORT), 101, "CANCELLED"),
        (order("BEST_EFFORT_CANCELED", removal_reason="EXPIRED", **SHORT), 101, "EXPIRED"),
        (order("OPEN", **SHORT), 100, "OPEN"),
        (order("OPEN", "0.5", **SHORT), 101, "EXPIRED"),
        (order("BEST_EFFORT_OPENED", **SHORT), 101, "EXPIRED"),
        (order("UNTRIGGERED", **LONG), 101, "EXPIRED"),
        (order("UNTRIGGERED", "0.5", **LONG), 100, "UNTRIGGERED"),
        (order("OPEN", "0.5", **LONG), 50, "PARTIALLY_FILLED"),
        (order("BEST_EFFORT_OPENED", "0.5", **SHORT), 50, "PARTIALLY_FILLED"),
        (order("BEST_EFFORT_OPENED", **SHORT), 50, "PENDING"),
        (order("MARTIAN", **SHORT), 500, "MARTIAN"),
        (order(None, **SHORT), 50, None),
        (order("OPEN", size=None), 50, "OPEN"),
        (order("OPEN", size=D(0)), 50, "OPEN"),
    ],
)
def test_the_status_table(row: Order, height: int, want: str | None) -> None:
    assert display_status(row, height, at_height(height)) == want


def test_an_unknown_height_or_time_has_passed_nothing() -> None:
    for row in (patch(**SHORT), patch(**LONG), patch()):
        assert not good_til_passed(row, None, None)
    assert not good_til_passed(patch(), 500, at_height(500))


def test_working_and_done() -> None:
    working = {"PENDING", "OPEN", "PARTIALLY_FILLED", "UNTRIGGERED"}
    done = {"FILLED", "CANCELLED", "EXPIRED", "REJECTED"}
    for status in (*working, *done, "CANCELING", "UNKNOWN", "MARTIAN", None):
        assert (is_working(status), is_done(status)) == (status in working, status in done)


def test_words_of_an_order() -> None:
    assert [lifetime(f) for f in ("0", "32", "64", "128", "256", "7", None)] == [
        "SHORT_TERM", "CONDITIONAL", "LONG_TERM", "TWAP", "TWAP", "7", None,
    ]  # fmt: skip
    assert display_type(patch(type="LIMIT")) == "LIMIT"
    market = [display_type(patch(type=t, client_metadata="1")) for t in ("LIMIT", "STOP_LIMIT", "TAKE_PROFIT", "TWAP")]
    assert market == ["MARKET", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TWAP"]
    assert (reason_text("USER_CANCELED"), reason_text("NEW_REASON")) == ("cancelled by its owner", "NEW_REASON")
    assert reason_text(None) is None
    assert (order("OPEN", "3").remaining, order("OPEN", size=None).remaining) == (D(0), None)


def test_a_fill_is_completed_and_never_overwritten() -> None:
    held = fill("a", order_id="o")
    assert merge_fill(held, fill("a", order_id="x")) is held
    merged = merge_fill(held, fill("a", builder_fee=D("0.1"), price="7"))
    assert (merged.order_id, merged.builder_fee, merged.price) == ("o", D("0.1"), D(100))
    assert (merged.paid, held.paid) == (D("0.15"), D("0.05"))
    assert (fill("b", "SELL").signed_size, held.signed_size) == (D(-1), D(1))
    assert [is_forced(fill("c", type=kind)) for kind in ("LIQUIDATED", "DELEVERAGED", "OFFSETTING", "LIMIT")] == [
        True, True, True, False,
    ]  # fmt: skip


def test_fills_that_tell_no_position_stay_as_they_are() -> None:
    rows = [
        fill("b"),
        fill("a", position_size_before=D(1)),
        fill("c", position_size_before=D(1), position_side_before="LONG"),
    ]
    assert chained(rows, lambda one, other: False) == rows
    over = fill("d", "SELL", "5", position_size_before=D(1), position_side_before="LONG")
    assert chained([over, rows[2]], lambda one, other: False)[0] in (over, rows[2])
    assert chained([], lambda one, other: False) == []


def test_figures_of_a_market() -> None:
    base = Market("X", initial_margin_fraction=D("0.1"), oracle_price=D(10), open_interest=D(35))
    assert effective_initial_margin_fraction(Market("X")) is None
    assert effective_initial_margin_fraction(base) == D("0.1")
    capped = replace(base, open_interest_lower_cap=D(100), open_interest_upper_cap=D(600))
    assert effective_initial_margin_fraction(capped) == D("0.1") + D("0.5") * D("0.9")
    equal = replace(base, open_interest_lower_cap=D(100), open_interest_upper_cap=D(100))
    assert effective_initial_margin_fraction(equal) == D("0.1")
    assert (base.max_leverage, Market("X").max_leverage) == (D(10), None)
    assert Market("X").change_24h_fraction is None
    assert replace(base, price_change_24h=D(2)).change_24h_fraction == D("0.25")
    assert replace(base, price_change_24h=D(10)).change_24h_fraction is None

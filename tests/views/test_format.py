"""Figures as text."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.views import format as f

D = Decimal
FIGURES = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=9)
ANY_SIZE = st.tuples(st.integers(-(10**18), 10**18), st.integers(-18, 6)).map(lambda p: Decimal(p[0]).scaleb(p[1]))


def parsed(text: str) -> Decimal:
    """Return the value of an exact text."""
    return Decimal(text.replace(",", "").replace(f.MINUS, "-").replace("+", ""))


@given(ANY_SIZE, st.integers(0, 9), st.booleans())
def test_exact_text_reads_back_as_the_value(value: Decimal, places: int, plus: bool) -> None:
    assert parsed(f.exact(value, places, plus=plus)) == value


@given(ANY_SIZE, st.integers(0, 4))
def test_a_sign_is_never_lost_and_what_is_not_zero_never_reads_as_zero(value: Decimal, places: int) -> None:
    text = f.money(value, places, plus=True)
    assert text.startswith(f.MINUS) == (value < 0)
    assert text.startswith("+") == (value > 0)
    assert (parsed(text) == 0) == (value == 0)


@given(FIGURES)
def test_money_is_within_half_a_cent_and_groups_thousands(value: Decimal) -> None:
    text = f.money(value)
    assert abs(parsed(text) - value) <= D("0.005")
    whole = text.lstrip(f.MINUS).partition(".")[0]
    assert all(len(group) == 3 for group in whole.split(",")[1:])


@given(ANY_SIZE, st.integers(4, 14))
def test_a_shortened_amount_fits_and_keeps_sign_and_magnitude(value: Decimal, width: int) -> None:
    text = f.amount(f.money(value, plus=True), value, width)
    if len(text) > width:
        assert width < 8
    assert text.startswith(f.MINUS) == (value < 0)
    units = {"K": 3, "M": 6, "B": 9, "T": 12}
    if text[-1] in units and value:
        shown = parsed(text[:-1]).scaleb(units[text[-1]])
        assert abs(shown - value) <= abs(value) / 2


@given(FIGURES.filter(bool), st.sampled_from(["1", "0.1", "0.01", "0.0001", "0.000000001", "10"]))
def test_a_reckoned_price_is_rounded_to_one_place_beyond_the_tick(value: Decimal, tick: str) -> None:
    price = abs(value)
    text = f.near_price(price, D(tick))
    assert abs(parsed(text) - price) <= D(tick) / 10 or parsed(text) > 0


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (f.money(None), "—"),
        (f.money(D("403105.93")), "403,105.93"),
        (f.money(D("-0.001")), "−0.001"),
        (f.money(D("-0.00000000001")), "−1e-11"),
        (f.money(D("0")), "0.00"),
        (f.money(D("-1234567.895")), "−1,234,567.90"),
        (f.money(D("5"), plus=True), "+5.00"),
        (f.price(D("15041"), D("1")), "15,041"),
        (f.price(D("999.6"), D("0.01")), "999.60"),
        (f.price(D("999.625"), D("0.01")), "999.625"),
        (f.price(D("0.00000123"), None), "0.00000123"),
        (f.near_price(D("1002.014899"), D("0.1")), "1,002.01"),
        (f.near_price(D("1002"), D("0.1")), "1,002.0"),
        (f.near_price(D("0.0000123456"), None), "0.000012346"),
        (f.size(D("0.4"), D("0.001"), plus=True), "+0.400"),
        (f.size(D("-976"), D("1"), plus=True), "−976"),
        (f.size(D("1E+3"), D("1")), "1,000"),
        (f.percent(D("-0.0024")), "−0.24"),
        (f.percent(D("-0.00001"), 1), "−0.0"),
        (f.percent(None), "—"),
        (f.amount("403,105.93", D("403105.93"), 6), "403.1K"),
        (f.amount("−123,456,789.00", D("-123456789"), 9), "−123.457M"),
        (f.amount("0.123456789", D("0.123456789"), 8), "0.123457"),
        (f.amount("12.00", None, 2), "12.00"),
        (f.age(None), "—"),
        (f.age(0.84), "0.8 s"),
        (f.age(14.2), "14 s"),
        (f.age(300), "5 min"),
        (f.age(90000), "25 h"),
    ],
)
def test_examples(shown: str, text: str) -> None:
    assert shown == text


def test_places_of_steps() -> None:
    assert f.places_of(D("0.001")) == 3
    assert f.places_of(D("10")) == 0
    assert f.places_of(D("0")) is None
    assert f.places_of(None) is None


def test_times() -> None:
    now = datetime(2026, 11, 21, 1, 49, 22, tzinfo=UTC)
    assert f.clock(now) == "01:49:22"
    assert f.day(now) == "21 Nov"
    assert f.moment(now, now) == "01:49:22"
    assert f.moment(now, datetime(2026, 11, 22, tzinfo=UTC)) == "21 Nov"
    assert f.moment(None, now) == "—"

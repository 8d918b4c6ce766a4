"""Text and numbers from outside: made harmless, read exactly, or refused."""

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from unicodedata import category, is_normalized

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dydx_console.domain.numbers import NumberError, decimal_of, divide, height_of, time_of
from dydx_console.domain.text import MAX_TEXT, clean

HOSTILE = st.text(st.characters(), max_size=60) | st.text(
    st.sampled_from(
        "ab \x00\x07\x1b[]31m\x7f\x85\x9b\u200b\u200d\u202e\u2066\ufeff\u034f\u3164\u115f\u2800e\u0301각\ud800\ue000"
    ),
    max_size=30,
)


@given(HOSTILE)
def test_cleaned_text_has_nothing_that_steers_a_terminal_or_hides(text: str) -> None:
    shown = clean(text)
    kinds = {category(char) for char in shown}
    assert not kinds & {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Mn", "Me"}
    assert not set(shown) & set("\x1b\x07\x9b\u3164\u115f\u2800")
    assert is_normalized("NFC", shown)
    assert len(shown) <= MAX_TEXT
    shown.encode()


@given(HOSTILE, st.integers(1, 10))
@example("\uac00\u0300\u11a8", 2)
def test_cleaning_twice_is_cleaning_once(text: str, limit: int) -> None:
    assert clean(clean(text, limit), limit) == clean(text, limit)
    assert len(clean(text, limit)) <= limit


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_comes_back_unchanged(text: str) -> None:
    assert clean(text) == text[:MAX_TEXT] if len(text) <= MAX_TEXT else clean(text).endswith("…")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("BTC\u202eDSU", "BTCDSU"),
        ("a\x1b[31mb", "a[31mb"),
        ("one\ntwo\tthree\u2028four", "one two three four"),
        ("e\u0301", "é"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("Z̸̧a", "Za"),
    ],
)
def test_examples(text: str, want: str) -> None:
    assert clean(text) == want


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert clean("x" * 600) == "x" * 499 + "…"
    assert clean("é" * 600, 5) == "éééé…"
    assert clean("\u200b" * 100 + "é" * 30, 10).endswith("…")


@given(st.integers(-(10**30), 10**30), st.integers(-12, 0))
def test_decimal_text_is_read_exactly(digits: int, exponent: int) -> None:
    value = Decimal(digits).scaleb(exponent)
    assert decimal_of(format(value, "f")) == value


@given(st.text(st.sampled_from("0123456789.eE+-_ NaIinfty٣½０\n"), max_size=12))
def test_whatever_is_read_is_finite_and_plain(text: str) -> None:
    try:
        value = decimal_of(text)
    except NumberError:
        return
    assert value.is_finite()
    assert text.isascii()
    assert not set(text) & set("_ \n")
    assert abs(value) < Decimal("1e40")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "1_000",
        "٣",
        "１",
        "1e400",
        "1e41",
        "9" * 41,
        "0x1",
        "1 ",
        " 1",
        "--1",
        "1,5",
        ".",
        "1e",
        "1\n",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NumberError, match=r"number"):
        decimal_of(text)


@pytest.mark.parametrize(("text", "want"), [("0", 0), ("18000100", 18000100), ("9" * 18, 10**18 - 1)])
def test_heights(text: str, want: int) -> None:
    assert height_of(text) == want


@pytest.mark.parametrize("text", ["", "-1", "1.0", "1e3", "٣", "9" * 19, "1\n"])
def test_what_is_no_height_is_refused(text: str) -> None:
    with pytest.raises(NumberError, match="height"):
        height_of(text)


def test_times() -> None:
    assert time_of("2026-05-01T12:00:00.250Z") == datetime(2026, 5, 1, 12, 0, 0, 250_000, UTC)
    assert time_of("2026-05-01T12:00:00+02:00") == datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-05-01T12:00:00",
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(NumberError, match=r"time"):
        time_of(text)


@given(st.text(max_size=30))
def test_times_never_raise_anything_else(text: str) -> None:
    with suppress(NumberError):
        assert time_of(text).tzinfo is UTC


def test_division() -> None:
    assert divide(Decimal(1), Decimal(4)) == Decimal("0.25")
    assert divide(Decimal(1), Decimal(0)) is None
    assert divide(Decimal(0), Decimal(0)) is None

"""Trends: samples at equal distances, holes where nobody looked or nothing was known, and their little curve."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.views.trend import EVERY_S, WIDTH, Trends, change_of, sparkline

D = Decimal
VALUES = st.none() | st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False)


def test_a_sample_is_taken_every_ten_seconds() -> None:
    trends = Trends()
    taken = [trends.note(now / 2, {"A": D(now)}) for now in range(60)]
    assert taken == [now % 20 == 0 for now in range(60)]
    assert trends.of("A") == (D(0), D(20), D(40))
    assert trends.of("B") == ()


def test_what_was_missed_or_unknown_is_a_hole() -> None:
    trends = Trends()
    trends.note(0.0, {"A": D(1), "B": D(5)})
    trends.note(30.0, {"A": D(2)})
    trends.note(40.0, {"A": None, "C": D(3)})
    assert trends.of("A") == (D(1), None, None, D(2), None)
    assert trends.of("B") == (D(5), None, None, None, None)
    assert trends.of("C") == (D(3),)


@given(st.lists(st.tuples(st.floats(0, 500), st.dictionaries(st.sampled_from("ABC"), VALUES)), max_size=60))
def test_the_newest_alone_are_kept_whatever_comes(steps: list[tuple[float, dict[str, Decimal | None]]]) -> None:
    trends, now = Trends(), 0.0
    for ahead, values in steps:
        now += ahead
        is_due = trends.is_due(now)
        assert trends.note(now, values) == is_due
        assert not trends.is_due(now)
        for name in "ABC":
            kept = trends.of(name)
            assert len(kept) <= WIDTH
            assert not kept or any(value is not None for value in kept)
            if is_due and values.get(name) is not None:
                assert kept[-1] == values[name]


def test_a_name_of_which_nothing_is_known_any_more_is_forgotten() -> None:
    trends = Trends()
    trends.note(0.0, {"A": D(1)})
    trends.note(EVERY_S * 1_000, {"A": None})
    assert trends.of("A") == ()


@given(st.lists(VALUES, max_size=WIDTH))
def test_the_curve_has_a_cell_for_each_sample(samples: list[Decimal | None]) -> None:
    drawn = sparkline(samples)
    known = [sample for sample in samples if sample is not None]
    assert len(drawn) == (len(samples) if known else 0)
    for char, sample in zip(drawn, samples, strict=False):
        assert (char == " ") == (sample is None)
        if sample is not None and min(known) < max(known):
            assert (char == "█") >= (sample == max(known))
            assert (char == "▁") >= (sample == min(known))


@pytest.mark.parametrize(
    ("samples", "drawn", "change"),
    [
        ((D(1), D(2), D(3)), "▁▄█", D(2)),
        ((D(7), D(7)), "▄▄", D(0)),
        ((None, D(4), None, D(2)), " █ ▁", D("-0.5")),
        ((D(5),), "▄", None),
        ((D(0), D(5)), "▁█", None),
        ((None, None), "", None),
        ((), "", None),
    ],
)
def test_curves(samples: tuple[Decimal | None, ...], drawn: str, change: Decimal | None) -> None:
    assert sparkline(samples) in (drawn, drawn.replace("▄█", "▅█"))
    assert change_of(samples) == change

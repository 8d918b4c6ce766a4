"""Waits between attempts: bounded, doubling, capped, spread, and begun anew."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.venue.resilience.delays import Delays


class Highest(random.Random):
    """Draws the upper end of every range."""

    def uniform(self, a: float, b: float) -> float:
        """Return the upper end."""
        return max(a, b)


@pytest.mark.parametrize(
    ("first_s", "cap_s", "bounds"),
    [(1.0, 30.0, [1, 2, 4, 8, 16, 30, 30, 30]), (0.25, 1.0, [0.25, 0.5, 1, 1]), (5.0, 3.0, [3, 3])],
)
def test_bounds_double_up_to_the_cap_and_begin_anew(first_s: float, cap_s: float, bounds: list[float]) -> None:
    delays = Delays(Highest(), first_s, cap_s)
    assert [delays.next_s() for _ in bounds] == bounds
    delays.reset()
    assert delays.next_s() == bounds[0]


@given(st.integers(), st.integers(1, 2_000))
def test_no_wait_is_negative_or_above_the_cap_however_often_it_is_tried(seed: int, tries: int) -> None:
    delays = Delays(random.Random(seed))
    assert all(0.0 <= delays.next_s() <= 30.0 for _ in range(tries))


def test_waits_are_spread_over_the_whole_range() -> None:
    firsts = sorted(Delays(random.Random(seed)).next_s() for seed in range(400))
    assert firsts[0] < 0.05
    assert firsts[-1] > 0.95
    assert 0.4 < sum(firsts) / len(firsts) < 0.6

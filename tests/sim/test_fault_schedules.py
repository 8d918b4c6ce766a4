"""The laws of the schedules: order, pace, durations, the end, and sameness under a seed."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_help import NOW

from dydx_console.sim.faults.kinds import AT_ONCE, FINAL, Fault, Kind
from dydx_console.sim.faults.schedules import LASTS_MS, RECOVERABLE, SCHEDULES, VALUES, Dealer, FaultPlan, Schedule

seeds = st.integers(0, 2**32)


def dealt(plan: FaultPlan, seed: int, most: int = 200) -> list[Fault]:
    dealer = Dealer(plan, seed, NOW)
    found: list[Fault] = []
    while len(found) < most and (fault := dealer.deal()) is not None:
        found.append(fault)
    return found


@given(seeds, st.sampled_from(sorted(SCHEDULES)), st.integers(20, 10_000), st.integers(0, 60_000))
def test_faults_keep_the_pace_their_ranges_and_the_end(seed: int, name: str, every_ms: int, end_ms: int) -> None:
    schedule = SCHEDULES[name]
    faults = dealt(FaultPlan(schedule, every_ms, end_ms), seed)
    begins = [fault.begin_ms for fault in faults]
    gaps = [later - earlier for earlier, later in pairwise(begins)]
    assert all(every_ms // 2 <= gap <= every_ms * 3 // 2 for gap in gaps)
    assert all(NOW < begin < NOW + end_ms for begin in begins)
    if begins:
        assert begins[0] <= NOW + min(schedule.first_ms, every_ms * 3 // 2)
    for fault in faults:
        assert fault.kind in schedule.kinds
        assert fault.value in VALUES.get(fault.kind, (0,))
        low, high = (0, 0) if fault.kind in AT_ONCE else schedule.lasts_ms or LASTS_MS[fault.kind]
        assert min(low, NOW + end_ms - fault.begin_ms) <= fault.end_ms - fault.begin_ms <= high
        assert fault.end_ms <= NOW + end_ms


@given(seeds)
def test_equal_seeds_deal_equal_faults_and_others_do_not(seed: int) -> None:
    plan = FaultPlan(SCHEDULES["rough"])
    assert dealt(plan, seed) == dealt(plan, seed)
    assert dealt(plan, seed) != dealt(plan, seed + 1)


@given(seeds)
def test_every_kind_comes_once_before_any_comes_again(seed: int) -> None:
    schedule = SCHEDULES["rough"]
    faults = dealt(FaultPlan(schedule), seed, most=3 * len(schedule.kinds))
    assert Counter(fault.kind for fault in faults) == dict.fromkeys(schedule.kinds, 3)
    assert {fault.kind for fault in faults[: len(schedule.kinds)]} == set(schedule.kinds)


def test_a_plan_ends_in_one_of_two_ways() -> None:
    assert dealt(FaultPlan(), 1) == []
    assert dealt(FaultPlan(SCHEDULES["none"], 20), 1) == []
    assert len(dealt(FaultPlan(SCHEDULES["chaos"]), 1, most=1_000)) == 1_000
    assert dealt(FaultPlan(SCHEDULES["chaos"], None, 0), 1) == []


def test_a_person_gets_over_rough_and_meets_everything_in_chaos() -> None:
    assert set(SCHEDULES["rough"].kinds) == set(RECOVERABLE) == set(Kind) - FINAL
    assert set(SCHEDULES["chaos"].kinds) == set(Kind)
    assert set(LASTS_MS) == set(Kind) - AT_ONCE


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(Kind.CLOSE, NOW, NOW, 1011), "close 1011"),
        (Fault(Kind.STALL, NOW, NOW + 6_000), "stall for 6.0 s"),
        (Fault(Kind.DEAF, NOW, NOW + 500, 0), "deaf (everything) for 0.5 s"),
        (Fault(Kind.DEAF, NOW, NOW + 500, 1), "deaf (v4_subaccounts) for 0.5 s"),
        (Fault(Kind.GARBAGE, NOW, NOW, 2), "garbage (HTML)"),
    ],
)
def test_faults_in_words(fault: Fault, said: str) -> None:
    assert str(fault) == said


def test_a_schedule_of_ones_own() -> None:
    faults = dealt(FaultPlan(Schedule((Kind.DROP,), every_ms=100, lasts_ms=(7, 7)), None, 5_000), 3)
    assert {(fault.kind, fault.end_ms - fault.begin_ms) for fault in faults[:-1]} == {(Kind.DROP, 7)}
    assert len(faults) > 30

"""The books of one budget: whatever a venue answers and in whatever order, they never end in a wait without end."""

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.venue.resilience.headers import BudgetHeaders
from dydx_console.venue.resilience.meter import LONGEST_CLOSURE_S, WINDOW_S, Meter

ROUNDING = 1e-6
TOLD = st.none() | st.builds(
    BudgetHeaders,
    limit=st.none() | st.integers(1, 50),
    remaining=st.integers(0, 50),
    window_id=st.none() | st.integers(0, 100_000),
    left_s=st.none() | st.floats(0.0, 1e9),
    in_milliseconds=st.booleans(),
)
STEP = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.0, 15.0)),
    st.tuples(st.just("take"), st.booleans()),
    st.tuples(st.just("answer"), TOLD),
    st.tuples(st.just("refuse"), st.tuples(TOLD, st.none() | st.floats(0.0, 1e9))),
    st.tuples(st.just("give back"), st.none()),
)


@given(st.integers(1, 50), st.lists(STEP, max_size=60), st.booleans())
def test_a_budget_always_comes_back(limit: int, steps: list[tuple[str, object]], may_use_reserve: bool) -> None:
    meter, now, sent = Meter(limit), 0.0, []
    for what, with_what in steps:
        if what == "wait":
            now += with_what  # type: ignore[operator]
        elif what == "take" and meter.free(now, may_use_reserve=bool(with_what)):
            meter.take(now)
            sent.append(now)
        elif what == "answer" and sent:
            meter.answered(with_what, sent.pop(0), now)  # type: ignore[arg-type]
        elif what == "refuse" and sent:
            sent.pop(0)
            told, wait_s = with_what  # type: ignore[misc]
            meter.refused(told, wait_s, now)
            assert meter.closed_until - now <= LONGEST_CLOSURE_S + ROUNDING
        elif what == "give back" and sent:
            sent.pop()
            meter.give_back()
        assert meter.in_flight == len(sent)
        assert meter.remaining(now) >= 0
        assert 0 <= meter.free(now, may_use_reserve=may_use_reserve) <= max(limit, 50)
        assert meter.wait_s(1, now, may_use_reserve=may_use_reserve) <= LONGEST_CLOSURE_S + WINDOW_S + ROUNDING
    while sent:
        meter.answered(None, sent.pop(), now)
    began = now
    while not meter.free(now, may_use_reserve=may_use_reserve):
        moment = meter.next_change(now)
        assert moment is not None
        assert moment > now
        now = moment
    assert now - began <= LONGEST_CLOSURE_S + WINDOW_S + ROUNDING


def test_a_late_answer_of_a_window_that_is_over_takes_nothing_from_the_next() -> None:
    meter = Meter(100)
    for _ in range(100):
        meter.take(0.0)
    for left in range(99, 0, -1):
        meter.answered(BudgetHeaders(100, left, 10_000, 9.5, True), 0.0, 0.5)
    assert meter.free(9.9, may_use_reserve=True) == 0
    assert meter.free(10.0, may_use_reserve=True) == 99  # one is on its way still
    meter.take(10.0)
    meter.answered(BudgetHeaders(100, 0, 10_001, 0.1, True), 0.0, 10.1)
    assert meter.free(10.1, may_use_reserve=True) >= 97


def test_a_budget_in_seconds_from_now_is_believed_as_it_is() -> None:
    meter = Meter(100)
    for left in (1, 0):
        meter.take(0.0)
        meter.answered(BudgetHeaders(10, left, left_s=4.0), 0.0, 0.5)
    assert meter.free(4.4, may_use_reserve=True) == 0
    assert meter.next_change(4.4) == 4.5
    assert meter.free(4.5, may_use_reserve=True) == 10

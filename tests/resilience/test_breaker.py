"""Circuit breakers under a clock that is moved by hand: exact transitions, one probe, and a bounded blindness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.limits import BreakerState, BreakerStatus
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.venue.resilience.breaker import Breaker, BreakerLimits, Breakers

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


class Bench:
    """A breaker, its clock and what it told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[tuple[float, BreakerState, BreakerStatus]] = []
        self.breaker = Breaker("venue", "fills", self.clock, BreakerLimits(), self._note)

    def _note(self, before: BreakerState, status: BreakerStatus) -> None:
        self.told.append((self.clock.monotonic(), before, status))

    @property
    def transitions(self) -> list[tuple[float, BreakerState, BreakerState]]:
        return [(at, before, status.state) for at, before, status in self.told]

    def ask(self, *, works: bool) -> bool:
        """Ask once; returns whether it was let."""
        try:
            with self.breaker.trial() as trial:
                if works:
                    trial.succeeded()
                else:
                    trial.failed(FaultKind.SERVER, "HTTP 503")
        except VenueError:
            return False
        return True

    def ask_each(self, step_s: float, until_s: float, *, back_at_s: float) -> float | None:
        """Ask at every step; the venue works from `back_at_s` on. Returns when the breaker closed."""
        while (now := self.clock.monotonic()) < until_s:
            self.ask(works=now >= back_at_s)
            if self.breaker.status.state is CLOSED and now >= back_at_s:
                return now
            self.clock.move_to(now + step_s)
        return None


def test_five_failures_open_it_and_probes_come_later_and_later_until_one_works() -> None:
    bench = Bench()
    for second in range(5):
        bench.clock.move_to(float(second))
        assert bench.ask(works=False)
    assert not bench.ask(works=True)
    for probe_at, works in ((6.0, False), (10.0, False), (18.0, False), (33.0, True)):
        bench.clock.move_to(probe_at - 0.001)
        assert not bench.ask(works=True)
        bench.clock.move_to(probe_at)
        assert bench.ask(works=works)
    assert bench.transitions == [
        (4.0, CLOSED, OPEN),
        (6.0, OPEN, HALF_OPEN),
        (6.0, HALF_OPEN, OPEN),
        (10.0, OPEN, HALF_OPEN),
        (10.0, HALF_OPEN, OPEN),
        (18.0, OPEN, HALF_OPEN),
        (18.0, HALF_OPEN, OPEN),
        (33.0, OPEN, HALF_OPEN),
        (33.0, HALF_OPEN, CLOSED),
    ]
    assert bench.told[-1][2] == BreakerStatus("fills", CLOSED, 0, None, "")


def test_a_refusal_names_the_kind_the_last_failure_and_when_the_next_probe_is_due() -> None:
    bench = Bench()
    for _ in range(5):
        bench.ask(works=False)
    bench.clock.move_to(0.5)
    with pytest.raises(VenueError) as refusal:
        bench.breaker.check()
    assert refusal.value.kind is FaultKind.SERVER
    assert refusal.value.retry_after_s == pytest.approx(1.5)
    assert refusal.value.text == "fills failed 5 times in a row and is tried again in 2 s; last: HTTP 503"


def test_one_probe_at_a_time() -> None:
    bench = Bench()
    for _ in range(5):
        bench.ask(works=False)
    bench.clock.move_to(2.0)
    with bench.breaker.trial() as probe:
        assert probe.is_probe
        for _ in range(10):
            assert not bench.ask(works=True)
        with pytest.raises(VenueError, match="is being tried now"):
            bench.breaker.check()
        probe.succeeded()
    assert bench.ask(works=True)
    assert bench.breaker.status.state is CLOSED


def test_a_probe_that_is_given_up_proves_nothing_and_leaves_the_next_one_due() -> None:
    bench = Bench()
    for _ in range(5):
        bench.ask(works=False)
    bench.clock.move_to(2.0)
    with pytest.raises(KeyboardInterrupt), bench.breaker.trial():
        raise KeyboardInterrupt
    assert bench.breaker.status.state is OPEN
    assert bench.ask(works=True)
    assert bench.breaker.status.state is CLOSED


def test_what_was_sent_before_it_opened_says_nothing_of_now() -> None:
    bench = Bench()
    with bench.breaker.trial() as early:
        for _ in range(5):
            bench.ask(works=False)
        early.succeeded()
    assert bench.breaker.status.state is OPEN
    bench.clock.move_to(2.0)
    with bench.breaker.trial() as probe:
        assert probe.is_probe


def test_a_success_in_between_begins_the_count_anew() -> None:
    bench = Bench()
    for works in (False, False, False, False, True) * 5:
        assert bench.ask(works=works)
    assert bench.told == []


@given(st.floats(0.0, 600.0), st.sampled_from([0.1, 0.3, 1.0]))
def test_a_recovery_is_noticed_within_15_s_however_long_the_outage(outage_s: float, step_s: float) -> None:
    bench = Bench()
    noticed_at = bench.ask_each(step_s, outage_s + 60.0, back_at_s=outage_s)
    assert noticed_at is not None
    assert noticed_at - outage_s <= 15.0 + 2 * step_s


@given(st.lists(st.tuples(st.sampled_from(["ask", "fail", "leave"]), st.floats(0.0, 20.0)), max_size=80))
def test_transitions_follow_one_another_and_probes_never_overlap(steps: list[tuple[str, float]]) -> None:
    bench = Bench()
    waits: list[float | None] = []
    for what, wait_s in steps:
        bench.clock.move_to(bench.clock.monotonic() + wait_s)
        try:
            with bench.breaker.trial() as trial:
                assert trial.is_probe == (bench.breaker.status.state is HALF_OPEN)
                if what == "ask":
                    trial.succeeded()
                elif what == "fail":
                    trial.failed(FaultKind.TIMEOUT, "late")
        except VenueError as refusal:
            waits.append(refusal.retry_after_s)
    assert all(wait_s is not None and 0.0 <= wait_s <= 15.0 for wait_s in waits)
    state = CLOSED
    for _, before, after in bench.transitions:
        assert before is state
        assert (before, after) in {(CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, OPEN), (HALF_OPEN, CLOSED)}
        state = after


def test_every_group_has_its_own() -> None:
    told: list[str] = []
    breakers = Breakers("venue", ManualClock(), lambda _before, status: told.append(status.group))
    for _ in range(5):
        with breakers.of("fills").trial() as trial:
            trial.failed(FaultKind.TIMEOUT, "late \x1b[31m")
    breakers.of("orders").check()
    assert told == ["fills"]
    assert [(held.group, held.state, held.text) for held in breakers.statuses()] == [
        ("fills", OPEN, "late [31m"),
        ("orders", CLOSED, ""),
    ]

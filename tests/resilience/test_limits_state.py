"""Budgets, breakers and counts in the picture: what was told last, and a window that has passed is over."""

import json
from dataclasses import replace

from virtual_time import BEGAN

from dydx_console.domain import events as ev
from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.state.console import ConsoleState, Section
from dydx_console.state.limits import NO_LIMITS
from dydx_console.state.snapshot import next_snapshot, snapshot_of
from dydx_console.views.compose import document_of
from dydx_console.views.documents import NetworkSection

BUDGET = Budget("venue", "get", 100, 3, 12.0, BEGAN, 40, 8.0)
OPEN = BreakerStatus("fills", BreakerState.OPEN, 5, 20.0, "HTTP 503")
COUNT = FaultCount(FaultKind.SERVER, FaultSource.REST, "venue/v4/fills", 5, BEGAN, "HTTP 503")
NETWORK = NetworkSection(
    name="local",
    chain_id=None,
    environment=None,
    environment_from=None,
    confirmed=True,
    read_only=True,
    warnings=(),
)


def told() -> ConsoleState:
    state = ConsoleState(None)
    for fact in (
        ev.BudgetsTold((BUDGET,), 2.0),
        ev.BreakerChanged(OPEN, BreakerState.CLOSED, 2.0),
        ev.FaultsCounted((COUNT,), 2.0),
    ):
        assert state.apply(fact).sections == {Section.STREAM}
    return state


def test_what_was_told_is_in_the_snapshot_and_a_window_that_passed_is_whole_again() -> None:
    state = told()
    limits = snapshot_of(state, 2.0, 1).limits
    assert (limits.budgets, limits.breakers, limits.faults) == ((BUDGET,), (OPEN,), (COUNT,))
    assert snapshot_of(state, 5.0, 1).limits.budgets == (replace(BUDGET, expected_wait_s=5.0),)
    assert snapshot_of(state, 11.9, 1).limits.budgets == (replace(BUDGET, expected_wait_s=0.0),)
    later = next_snapshot(state, snapshot_of(state, 11.9, 1), 12.0, set(), revision=2).limits
    assert later.budgets == (replace(BUDGET, remaining=100, reset_at=None, reset_time=None, expected_wait_s=0.0),)


def test_before_anything_was_asked_nothing_is_known() -> None:
    assert snapshot_of(ConsoleState(None), 0.0, 1).limits is NO_LIMITS


def test_a_breakers_transition_is_logged_with_its_cause() -> None:
    (problem,) = ConsoleState(None).apply(ev.BreakerChanged(OPEN, BreakerState.CLOSED, 2.0)).problems
    assert (problem.source, problem.text, problem.sample) == ("fills", "breaker CLOSED to OPEN", "HTTP 503")


def test_the_document_lists_budgets_and_breakers() -> None:
    stream = json.loads(document_of(snapshot_of(told(), 5.0, 1), NETWORK).model_dump_json())["stream"]
    assert stream["breakers"] == [
        {"group": "fills", "state": "OPEN", "failures": 5, "next_probe_in_s": 15.0, "text": "HTTP 503"}
    ]
    (limit,) = stream["rate_limits"]
    assert (limit["host"], limit["bucket"], limit["limit"], limit["remaining"]) == ("venue", "get", 100, 3)
    assert (limit["waiting"], limit["expected_wait_s"]) == (40, 5.0)
    assert limit["reset_at"].startswith("2026-01-01T00:00:00")

"""Problems in the log: every one of a few, samples and the count of a flood."""

import logging

import pytest

from dydx_console.engine.problems import MOST_IN_A_WINDOW, WINDOW_S, ProblemLog
from dydx_console.state.console import Problem


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_flood_leaves_samples_and_its_count_and_hides_no_other_source(caplog: pytest.LogCaptureFixture) -> None:
    problems = ProblemLog()
    with caplog.at_level(logging.WARNING):
        for number in range(5_000):
            problems.write(Problem(100.0 + number / 1_000, "connection 1", "not JSON", f"sample {number}"))
        problems.write(Problem(105.0, "/fills", "HTTP 503"))
        assert told(caplog)[:2] == ["connection 1: not JSON sample 0", "connection 1: not JSON sample 1"]
        assert len(told(caplog)) == MOST_IN_A_WINDOW + 1
        assert told(caplog)[-1] == "/fills: HTTP 503 "
        problems.write(Problem(100.0 + WINDOW_S, "connection 1", "not JSON", "later"))
    assert told(caplog)[-2:] == [
        "connection 1: 4,980 more like these were counted, not written",
        "connection 1: not JSON later",
    ]


def test_what_was_kept_back_is_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    problems = ProblemLog()
    with caplog.at_level(logging.WARNING):
        for _ in range(MOST_IN_A_WINDOW + 3):
            problems.write(Problem(1.0, "connection 1", "not JSON"))
        problems.close()
        problems.close()
    assert told(caplog)[-1] == "connection 1: 3 more like these were counted, not written"
    assert len(told(caplog)) == MOST_IN_A_WINDOW + 1

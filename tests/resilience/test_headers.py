"""Headers about budgets: the Indexer's units, a proxy's units, and nonsense."""

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import DATA, needs_data, raw_lines

from dydx_console.venue.resilience.headers import BudgetHeaders, budget_headers, retry_after_s

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


def told(remaining: str | None, limit: str | None, reset: str | None, date: str | None = None) -> BudgetHeaders | None:
    names = ("ratelimit-remaining", "RATELIMIT-LIMIT", "RateLimit-Reset", "Date")
    given = zip(names, (remaining, limit, reset, date), strict=True)
    return budget_headers(httpx.Headers({name: value for name, value in given if value is not None}))


@pytest.mark.parametrize(
    ("remaining", "limit", "reset", "date", "expected"),
    [
        ("99", "100", str(NOW_MS + 8_701), DATE, BudgetHeaders(100, 99, NOW_MS + 8_701, 8.701, True)),
        ("99", "100", str(NOW_MS + 8_701), None, BudgetHeaders(100, 99, NOW_MS + 8_701, None, True)),
        ("99", "100", str(NOW_MS - 5), DATE, BudgetHeaders(100, 99, NOW_MS - 5, None, True)),
        ("99", "100", str(NOW_MS), "yesterday", BudgetHeaders(100, 99, NOW_MS, None, True)),
        ("0", "100", str(NOW_MS // 1000), None, BudgetHeaders(100, 0, NOW_MS, None, False)),
        ("5", "10", "7", None, BudgetHeaders(10, 5, None, 7.0, False)),
        ("5", None, None, None, BudgetHeaders(None, 5)),
        (None, "100", "7", None, None),
        ("-1", "100", "7", None, None),
        ("1e3", "100", "7", None, None),
        ("101", "100", "7", None, None),
        ("0", "0", "7", None, None),
        ("1000000000", None, "7", None, None),
        ("5", "100", "-7", None, BudgetHeaders(100, 5)),
        ("5", "100", "9" * 40, None, BudgetHeaders(100, 5)),
    ],
)
def test_a_budget_is_read_in_its_own_units_and_nonsense_is_left_alone(
    remaining: str | None, limit: str | None, reset: str | None, date: str | None, expected: BudgetHeaders | None
) -> None:
    found = told(remaining, limit, reset, date)
    if expected is None or found is None:
        assert found is expected
    else:
        assert (found.limit, found.remaining, found.window_id) == (
            expected.limit,
            expected.remaining,
            expected.window_id,
        )
        assert found.left_s == (None if expected.left_s is None else pytest.approx(expected.left_s, abs=0.001))
        assert found.in_milliseconds is expected.in_milliseconds


@given(st.text() | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(str), st.booleans())
def test_no_header_ever_fails_or_asks_for_a_negative_wait(text: str, in_milliseconds: bool) -> None:
    wait_s = retry_after_s(text, NOW, in_milliseconds=in_milliseconds)
    assert wait_s is None or wait_s >= 0.0
    found = budget_headers({"RateLimit-Remaining": "1", "RateLimit-Limit": text, "RateLimit-Reset": text, "Date": text})
    assert found is None or found.remaining == 1


@needs_data
def test_what_the_real_indexer_told_agrees_with_itself() -> None:
    """Its Retry-After in milliseconds and its window's end by its own clock are the same moment."""
    answers = [line for line in raw_lines(DATA / "transcripts" / "http_429.jsonl") if line["ev"] == "http"]
    refusals = 0
    for answer in answers:
        headers = httpx.Headers([tuple(pair) for pair in answer["headers"]])
        found = budget_headers(headers)
        assert found is not None
        assert found.in_milliseconds
        if answer["status"] == 429:
            refusals += 1
            wait_s = retry_after_s(headers["Retry-After"], NOW, in_milliseconds=True)
            assert wait_s is not None
            assert found.left_s is not None
            assert 0.0 <= found.left_s - wait_s <= 1.0
    assert refusals >= 20

"""Counts of failures: by kind, source and endpoint, bounded and harmless."""

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.ports.clock import ManualClock
from dydx_console.ports.faults import FaultKind, FaultSource
from dydx_console.venue.resilience.counters import OTHERS, FaultCounters


class Later(ManualClock):
    """Some minutes after it began."""

    minutes = 0

    def utc(self) -> datetime:
        return super().utc() + timedelta(minutes=self.minutes)


FAULT = st.tuples(st.sampled_from(FaultKind), st.sampled_from(FaultSource), st.sampled_from("abcdefgh"))


@given(st.lists(FAULT, max_size=200))
def test_nothing_is_lost_and_endpoints_are_bounded(faults: list[tuple[FaultKind, FaultSource, str]]) -> None:
    counters = FaultCounters(ManualClock(), most_endpoints=4)
    for kind, source, endpoint in faults:
        counters.count(kind, source, endpoint, "text")
    first_four = list(dict.fromkeys(endpoint for _, _, endpoint in faults))[:4]
    expected = Counter(
        (kind, source, endpoint if endpoint in first_four else OTHERS) for kind, source, endpoint in faults
    )
    rows = counters.rows()
    assert {(row.kind, row.source, row.endpoint): row.count for row in rows} == expected
    assert [row.endpoint for row in rows] == sorted(row.endpoint for row in rows)


def test_the_last_text_is_kept_clean_with_its_time_and_listeners_hear_of_it() -> None:
    clock = Later()
    counters = FaultCounters(clock)
    heard: list[int] = []
    counters.listen(lambda: heard.append(sum(row.count for row in counters.rows())))
    counters.count(FaultKind.SERVER, FaultSource.REST, "venue/v4/fills", "first")
    began = clock.utc()
    clock.minutes = 5
    counters.count(FaultKind.SERVER, FaultSource.REST, "venue/v4/fills", "second \x1b]52;c;x\x07" + "y" * 500)
    (row,) = counters.rows()
    assert (row.count, row.first_at, row.last_at) == (2, began, began + timedelta(minutes=5))
    assert row.last_text.startswith("second ]52;c;xyyy")
    assert len(row.last_text) == 200
    assert heard == [1, 2]

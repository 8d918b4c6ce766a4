"""The gate before a host, in virtual time against a venue that counts as the real one does."""

import asyncio
import random
from collections.abc import Iterable
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resilience.counting_venue import CountingVenue
from virtual_time import BEGAN, clock_of_loop, run_virtually

from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.venue.resilience.limiter import MOST_WAITING, HostGate, Rank

MANY = settings(max_examples=settings().max_examples // 3)


async def asked(
    venue: CountingVenue, gate: HostGate, names: Iterable[str], bucket: str = "get", rank: Rank = Rank.MARKET
) -> float:
    """Ask all at once; returns how long it took."""
    began = clock_of_loop().monotonic()
    async with asyncio.TaskGroup() as tasks:
        for name in names:
            tasks.create_task(venue.ask(gate, name, bucket, rank))
    return clock_of_loop().monotonic() - began


def numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@MANY
@given(
    seed=st.integers(0, 2**32),
    ahead_s=st.sampled_from([0.0, -3_600.0, 7.0, 86_400.0]),
    most_way_s=st.sampled_from([0.01, 0.15, 0.4]),
    says_budget=st.booleans(),
)
def test_250_queued_reads_end_within_30_s_and_at_most_one_percent_is_refused(
    seed: int, ahead_s: float, most_way_s: float, says_budget: bool
) -> None:
    """Whatever the venue's clock says, and whether or not it tells its budget."""

    async def main() -> None:
        rng = random.Random(seed)
        venue = CountingVenue(rng, most_way_s=most_way_s, ahead_s=ahead_s, says_budget=says_budget)
        took_s = await asked(venue, HostGate("venue", clock_of_loop()), numbers(250))
        assert venue.statuses.total() == 250
        assert venue.statuses[429] <= 2
        assert took_s <= 30.0
        assert venue.most_at_once <= 8

    run_virtually(main())


@MANY
@given(seed=st.integers(0, 2**32), spent=st.integers(1, 100), says_budget=st.booleans(), since_s=st.floats(0.0, 9.9))
def test_a_budget_that_others_spend_too_costs_few_refusals(
    seed: int, spent: int, says_budget: bool, since_s: float
) -> None:
    async def main() -> None:
        venue = CountingVenue(random.Random(seed), says_budget=says_budget)
        venue.spend("get", spent)
        await asyncio.sleep(since_s)
        await asked(venue, HostGate("venue", clock_of_loop()), numbers(200))
        # what others have spent is found out by no more requests than are on their way at once, and twice at most
        assert venue.statuses[429] <= 12
        assert venue.statuses.total() == 200

    run_virtually(main())


@MANY
@given(seed=st.integers(0, 2**32), ranks=st.lists(st.sampled_from(Rank), min_size=1, max_size=220))
def test_within_a_rank_nobody_is_passed(seed: int, ranks: list[Rank]) -> None:
    async def main() -> None:
        venue = CountingVenue(random.Random(seed))
        gate = HostGate("venue", clock_of_loop())
        async with asyncio.TaskGroup() as tasks:
            for place, rank in enumerate(ranks):
                tasks.create_task(venue.ask(gate, f"{rank:d} {place:04}", "get", rank))
        assert len(venue.sent) == len(ranks)
        for rank in Rank:
            own = [name for name in venue.sent if name.startswith(f"{rank:d}")]
            assert own == sorted(own)

    run_virtually(main())


async def held(gate: HostGate, rank: Rank, seconds: float, sent: list[tuple[str, float]], name: str) -> None:
    """Send one request that takes a while, and note when it was sent."""
    async with gate.permit("candles" if rank is Rank.CHART else "get", rank) as permit:
        sent.append((name, clock_of_loop().monotonic()))
        await asyncio.sleep(seconds)
        permit.answered({})


def test_slow_charts_do_not_hold_up_the_account() -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop(), {"candles": 1_000})
        sent: list[tuple[str, float]] = []
        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(held(gate, Rank.CHART, 5.0, sent, f"chart {number}"))
            await asyncio.sleep(1.0)
            tasks.create_task(held(gate, Rank.RECOVERY, 0.1, sent, "account"))
        assert [at for name, at in sent if name == "account"] == [1.0]
        assert [at for name, at in sent if name == "chart 19"] == [15.0]

    run_virtually(main())


def test_an_account_read_that_comes_last_is_sent_first() -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop())
        sent: list[tuple[str, float]] = []
        async with asyncio.TaskGroup() as tasks:
            for number in range(6):
                tasks.create_task(held(gate, Rank.MARKET, 1.0, sent, f"first {number}"))
            for number in range(3):
                tasks.create_task(held(gate, Rank.RECOVERY, 1.0, sent, f"recovery {number}"))
            await asyncio.sleep(0.5)
            tasks.create_task(held(gate, Rank.CHART, 1.0, sent, "chart"))
            tasks.create_task(held(gate, Rank.MARKET, 1.0, sent, "market"))
            tasks.create_task(held(gate, Rank.RECOVERY, 1.0, sent, "recovery 3"))
        late = [name for name, at in sent if at >= 1.0]
        assert late == ["recovery 2", "recovery 3", "market", "chart"]

    run_virtually(main())


def test_a_fifth_is_kept_for_recovery_and_given_out_at_the_end_of_the_window() -> None:
    async def main() -> None:
        venue = CountingVenue(random.Random(1), most_way_s=0.01)
        gate = HostGate("venue", clock_of_loop())
        async with asyncio.TaskGroup() as tasks:
            for name in numbers(85):
                tasks.create_task(venue.ask(gate, name, "get", Rank.MARKET))
            await asyncio.sleep(2.0)
            assert gate.expected_wait_s("get", Rank.RECOVERY) == 0.0
            await venue.ask(gate, "recovery", "get", Rank.RECOVERY)
        sent = [at for name, at, _ in venue.told if name != "recovery"]
        assert sum(at < 2.0 for at in sent) == 80
        assert sum(9.0 <= at < 10.0 for at in sent) == 5
        assert [round(at) for name, at, _ in venue.told if name == "recovery"] == [2]

    run_virtually(main())


def in_7_s() -> str:
    return format_datetime(BEGAN + timedelta(seconds=7), usegmt=True)


REFUSALS = [
    ("400", True, 0.4),
    ("8701", True, 8.701),
    ("5", True, 0.25),
    ("5", False, 5.0),
    ("1.5", False, 1.5),
    (in_7_s(), False, 7.0),
    (in_7_s(), True, 7.0),
    ("Wed, 21 Oct 2015 07:28:00 GMT", False, 0.25),
    ("Fri, 31 Dec 9999 23:59:59 GMT", False, 30.0),
    (None, True, 1.0),
    (None, False, 1.0),
    ("", False, 1.0),
    ("-5", True, 1.0),
    ("-5", False, 1.0),
    ("soon", False, 1.0),
    ("٣", False, 1.0),
    ("1000000000", True, 30.0),
    ("1000000000", False, 30.0),
    ("9" * 5_000, False, 1.0),
]


async def venue_asked(gate: HostGate) -> None:
    """Ask something that is answered at once."""
    async with gate.permit("get", Rank.MARKET) as permit:
        permit.answered({})


@pytest.mark.parametrize(("header", "by_venue", "wait_s"), REFUSALS)
def test_a_refusal_closes_the_bucket_for_as_long_as_it_asks_and_never_for_more_than_30_s(
    header: str | None, by_venue: bool, wait_s: float
) -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop())
        headers = {} if header is None else {"Retry-After": header}
        async with gate.permit("get", Rank.MARKET) as permit:
            assert permit.refused(headers, by_venue=by_venue) == pytest.approx(wait_s)
        assert gate.expected_wait_s("get", Rank.RECOVERY) == pytest.approx(wait_s)
        if wait_s == 30.0:
            with pytest.raises(VenueError):
                await venue_asked(gate)
            await asyncio.sleep(30.0)
        await venue_asked(gate)
        assert clock_of_loop().monotonic() == pytest.approx(wait_s, abs=0.01)

    run_virtually(main())


@pytest.mark.parametrize(("by_venue", "wait_s"), [(True, 0.0), (False, 5.0)])
def test_what_the_venue_refuses_closes_a_bucket_and_what_a_proxy_refuses_the_host(
    by_venue: bool, wait_s: float
) -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop())
        async with gate.permit("get", Rank.MARKET) as permit:
            permit.refused({"Retry-After": "5000" if by_venue else "5"}, by_venue=by_venue)
        async with gate.permit("fills", Rank.MARKET) as permit:
            permit.answered({})
        assert clock_of_loop().monotonic() == wait_s

    run_virtually(main())


def test_the_budget_headers_tell_that_the_wait_is_in_milliseconds() -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop())
        epoch_ms = int(BEGAN.timestamp() * 1000) + 3_000
        headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": str(epoch_ms), "Retry-After": "3000"}
        async with gate.permit("get", Rank.MARKET) as permit:
            assert permit.refused(headers, by_venue=False) == pytest.approx(3.0)

    run_virtually(main())


def test_refusals_that_name_no_wait_close_for_longer_and_longer_and_an_answer_ends_that() -> None:
    async def main() -> list[float]:
        gate = HostGate("venue", clock_of_loop())
        waits = []
        for is_refused in (*[True] * 7, False, True):
            async with gate.permit("get", Rank.MARKET) as permit:
                if is_refused:
                    waits.append(permit.refused({}, by_venue=True))
                else:
                    permit.answered({})
            await asyncio.sleep(30.0)
        return waits

    assert run_virtually(main()) == pytest.approx([1, 2, 4, 8, 16, 30, 30, 1])


def test_after_a_refusal_one_request_at_a_time_finds_out_whether_it_is_over() -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop())
        async with gate.permit("get", Rank.MARKET) as permit:
            permit.refused({"Retry-After": "1000"}, by_venue=True)
        sent: list[tuple[str, float]] = []
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(held(gate, Rank.MARKET, 2.0, sent, str(number)))
        assert [round(at) for _, at in sent] == [1, 3, 3, 3, 3]

    run_virtually(main())


def test_a_read_that_would_wait_for_too_long_is_told_so_at_once() -> None:
    async def main() -> None:
        venue = CountingVenue(random.Random(1), most_way_s=0.01)
        gate = HostGate("venue", clock_of_loop())
        async with asyncio.TaskGroup() as tasks:
            for name in numbers(300):
                tasks.create_task(venue.ask(gate, name, "get", Rank.MARKET))
            await asyncio.sleep(0.0)
            assert 20.0 < gate.expected_wait_s("get", Rank.CHART) <= 30.0
            with pytest.raises(VenueError) as refusal:
                await venue.ask(gate, "hasty", "get", Rank.CHART, 5.0)
            assert refusal.value.kind is FaultKind.RATE_LIMITED
            assert refusal.value.retry_after_s == pytest.approx(gate.expected_wait_s("get", Rank.CHART))
            assert clock_of_loop().monotonic() == 0.0
        assert venue.statuses == {200: 300}

    run_virtually(main())


def test_a_queue_has_an_end() -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop(), {"get": 100_000}, most_in_flight=0)
        refused: list[VenueError] = []

        async def one() -> None:
            try:
                async with gate.permit("get", Rank.RECOVERY, 1.0):
                    raise AssertionError("nothing may be sent")
            except VenueError as error:
                refused.append(error)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(MOST_WAITING + 3):
                tasks.create_task(one())
        assert len(refused) == MOST_WAITING + 3
        assert sum("wait already" in error.text for error in refused) == 3
        assert sum("no turn came" in error.text for error in refused) == MOST_WAITING

    run_virtually(main())


@MANY
@given(
    seed=st.integers(0, 2**32),
    cancelled=st.lists(st.tuples(st.integers(0, 149), st.floats(0.0, 25.0)), min_size=1, max_size=120),
)
def test_reads_that_are_given_up_leave_nothing_behind(seed: int, cancelled: list[tuple[int, float]]) -> None:
    async def main() -> None:
        venue = CountingVenue(random.Random(seed), most_way_s=0.4)
        gate = HostGate("venue", clock_of_loop())
        async with asyncio.TaskGroup() as tasks:
            reads = [tasks.create_task(venue.ask(gate, name, "get", Rank.MARKET)) for name in numbers(150)]
            for number, after_s in sorted(cancelled, key=lambda each: each[1]):
                await asyncio.sleep(max(after_s - clock_of_loop().monotonic(), 0.0))
                reads[number].cancel()
        given_up = sum(read.cancelled() for read in reads)
        assert venue.statuses.total() == 150 - given_up
        await asyncio.sleep(30.0)
        assert [budget.waiting for budget in gate.budgets()] == [0]
        assert [budget.remaining for budget in gate.budgets()] == [100]
        sent: list[tuple[str, float]] = []
        now = clock_of_loop().monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(held(gate, Rank.RECOVERY, 1.0, sent, str(number)))
        assert [at for _, at in sent] == [now] * 8

    run_virtually(main())


def test_a_right_that_is_given_in_the_moment_of_giving_up_is_not_lost() -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop(), most_in_flight=1)
        sent: list[tuple[str, float]] = []
        async with asyncio.TaskGroup() as tasks:

            async def first() -> None:
                await held(gate, Rank.RECOVERY, 1.0, sent, "first")
                second.cancel()  # the right has just passed on, and the second has not run since

            tasks.create_task(first())
            await asyncio.sleep(0.0)
            second = tasks.create_task(held(gate, Rank.RECOVERY, 1.0, sent, "second"))
        async with gate.permit("get", Rank.RECOVERY, 0.5) as permit:
            permit.answered({})
        assert second.cancelled()
        assert [name for name, _ in sent] == ["first"]

    run_virtually(main())


def test_budgets_are_told_with_the_end_of_their_window() -> None:
    async def main() -> None:
        venue = CountingVenue(random.Random(1), most_way_s=0.01)
        gate = HostGate("venue", clock_of_loop(), {"candles": 1_000})
        await asked(venue, gate, numbers(3))
        (budget,) = gate.budgets()
        assert (budget.host, budget.bucket, budget.limit, budget.remaining) == ("venue", "get", 100, 97)
        assert budget.reset_at == pytest.approx(10.0, abs=1.0)
        assert budget.reset_time is not None
        assert (budget.reset_time - BEGAN).total_seconds() == pytest.approx(budget.reset_at)
        assert (budget.waiting, budget.expected_wait_s) == (0, 0.0)
        await asyncio.sleep(11.0)
        (budget,) = gate.budgets()
        assert (budget.remaining, budget.reset_at, budget.reset_time) == (100, None, None)

    run_virtually(main())


def test_a_right_that_is_refused_elsewhere_is_given_back() -> None:
    async def main() -> None:
        gate = HostGate("venue", clock_of_loop())
        for _ in range(300):
            with pytest.raises(VenueError, match="open"):
                async with gate.permit("get", Rank.RECOVERY):
                    raise VenueError(FaultKind.SERVER, "venue", "the breaker is open")
        (budget,) = gate.budgets()
        assert budget.remaining == 100
        assert clock_of_loop().monotonic() == 0.0

    run_virtually(main())


def test_who_has_to_wait_is_told_at_once_and_who_has_not_is_not() -> None:
    async def main() -> None:
        waits: list[tuple[float, int]] = []
        venue = CountingVenue(random.Random(1))
        clock = clock_of_loop()
        gate = HostGate("venue", clock, waits=lambda: waits.append((clock.monotonic(), gate.budgets()[0].waiting)))
        await asked(venue, gate, numbers(6))
        assert waits == []
        venue.spend("get", 94)
        await asyncio.gather(*(venue.ask(gate, name, "get", Rank.MARKET) for name in numbers(2)))
        began = clock.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for name in numbers(3):
                tasks.create_task(venue.ask(gate, name, "get", Rank.MARKET))
            await asyncio.sleep(0)
            assert waits == [(began, 1), (began, 2), (began, 3)]
            assert gate.budgets()[0].expected_wait_s > 2.0

    run_virtually(main())

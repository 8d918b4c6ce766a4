"""What is told of budgets, breakers and counts: soon, rarely, and the last change always."""

import asyncio
from dataclasses import replace

from virtual_time import clock_of_loop, run_virtually

from dydx_console.domain.events import BreakerChanged, BudgetsTold, Fact, FaultsCounted
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.ports.faults import FaultKind, FaultSource
from dydx_console.venue.resilience.counters import FaultCounters
from dydx_console.venue.resilience.telling import Telling

BUDGET = Budget("venue", "get", 100, 100, None, None, 0, 0.0)


def test_a_storm_of_changes_is_told_twice_a_second_and_its_end_too() -> None:
    async def main() -> None:
        told: list[Fact] = []
        left = 1_000
        counters = FaultCounters(clock_of_loop())
        telling = Telling(clock_of_loop(), told.append, counters)
        telling.watch(lambda: (replace(BUDGET, remaining=left),))
        for _ in range(1_000):
            left -= 1
            counters.count(FaultKind.SERVER, FaultSource.REST, "venue/v4/fills", "HTTP 503")
            telling.changed()
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.0)
        budgets = [fact for fact in told if isinstance(fact, BudgetsTold)]
        counts = [fact for fact in told if isinstance(fact, FaultsCounted)]
        assert len(budgets) <= 22
        assert len(counts) <= 22
        assert budgets[0].at == 0.0
        assert budgets[-1].budgets[0].remaining == 0
        assert counts[-1].counts[0].count == 1_000

    run_virtually(main())


def test_what_did_not_change_is_not_told_again_and_nothing_after_the_end() -> None:
    async def main() -> None:
        told: list[Fact] = []
        counters = FaultCounters(clock_of_loop())
        telling = Telling(clock_of_loop(), told.append, counters)
        telling.watch(lambda: (BUDGET,))
        for _ in range(5):
            telling.changed()
            await asyncio.sleep(1.0)
        assert told == [BudgetsTold((BUDGET,), 0.0)]
        telling.changed()
        counters.count(FaultKind.TLS, FaultSource.WEBSOCKET, "venue", "no")
        telling.close()
        await asyncio.sleep(5.0)
        telling.changed()
        assert len(told) == 1

    run_virtually(main())


def test_a_breakers_transition_is_told_at_once() -> None:
    async def main() -> None:
        told: list[Fact] = []
        telling = Telling(clock_of_loop(), told.append, FaultCounters(clock_of_loop()))
        status = BreakerStatus("fills", BreakerState.OPEN, 5, 2.0, "HTTP 503")
        for _ in range(3):
            telling.breaker_changed(BreakerState.CLOSED, status)
        assert told == [BreakerChanged(status, BreakerState.CLOSED, 0.0)] * 3

    run_virtually(main())

"""Passing budgets, breakers and counts on as facts, rarely enough to cost nothing."""

import asyncio
from collections.abc import Callable

from dydx_console.domain.events import BreakerChanged, BudgetsTold, Fact, FaultsCounted
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.ports.clock import Clock
from dydx_console.venue.resilience.counters import FaultCounters

__all__ = ["Telling"]

LEAST_S = 0.5


class Telling:
    """Tells transitions of breakers at once, and the rest at most twice a second, the last change always.

    Belongs to one event loop.

    Args:
        clock: the clock by which the loop's timers run.
        sink: takes the facts.
        counters: what is counted.
        least_s: seconds between two tellings.
    """

    def __init__(
        self, clock: Clock, sink: Callable[[Fact], None], counters: FaultCounters, least_s: float = LEAST_S
    ) -> None:
        self._clock = clock
        self._sink = sink
        self._counters = counters
        self._least_s = least_s
        self._budgets: Callable[[], tuple[Budget, ...]] = tuple
        self._told: tuple[object, object] = ((), ())
        self._next_at = clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        counters.listen(self.changed)

    def watch(self, budgets: Callable[[], tuple[Budget, ...]]) -> None:
        """Have the budgets told that `budgets` returns."""
        self._budgets = budgets

    def breaker_changed(self, before: BreakerState, status: BreakerStatus) -> None:
        """Tell a breaker's transition."""
        self._sink(BreakerChanged(status, before, self._clock.monotonic()))

    def changed(self) -> None:
        """Note that budgets or counts may have changed."""
        if self._timer is not None or self._closed:
            return
        wait_s = self._next_at - self._clock.monotonic()
        if wait_s <= 0:
            self._tell()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._tell)

    def close(self) -> None:
        """Tell nothing more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        self._next_at = now + self._least_s
        budgets, counts = self._budgets(), self._counters.rows()
        told_budgets, told_counts = self._told
        self._told = (budgets, counts)
        if budgets != told_budgets:
            self._sink(BudgetsTold(budgets, now))
        if counts != told_counts:
            self._sink(FaultsCounted(counts, now))

"""What is known of request budgets, circuit breakers and failures."""

from dataclasses import dataclass, replace

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.limits import BreakerStatus, Budget

__all__ = ["NO_LIMITS", "Limits", "LimitsView"]


@dataclass(frozen=True, slots=True)
class LimitsView:
    """Budgets by bucket, breakers by group, and the run's failures, at a moment."""

    budgets: tuple[Budget, ...] = ()
    breakers: tuple[BreakerStatus, ...] = ()
    faults: tuple[FaultCount, ...] = ()


NO_LIMITS = LimitsView()
"""Nothing has been asked yet."""


class Limits:
    """Keeps what was told last. Waits grow shorter since then; a budget whose window has passed is whole again."""

    def __init__(self) -> None:
        self._budgets: tuple[Budget, ...] = ()
        self._told_at = 0.0
        self._breakers: dict[str, BreakerStatus] = {}
        self._faults: tuple[FaultCount, ...] = ()

    def told(self, budgets: tuple[Budget, ...], at: float) -> None:
        """Note all budgets as they were at a moment (monotonic seconds)."""
        self._budgets, self._told_at = budgets, at

    def changed(self, status: BreakerStatus) -> None:
        """Note one breaker's new state."""
        self._breakers[status.group] = status

    def counted(self, counts: tuple[FaultCount, ...]) -> None:
        """Note all counts."""
        self._faults = counts

    def view(self, at: float) -> LimitsView:
        """Return what is known at a moment (monotonic seconds)."""
        if not self._budgets and not self._breakers and not self._faults:
            return NO_LIMITS
        budgets = tuple(_at(budget, at, at - self._told_at) for budget in self._budgets)
        breakers = tuple(self._breakers[group] for group in sorted(self._breakers))
        return LimitsView(budgets, breakers, self._faults)


def _at(budget: Budget, at: float, elapsed_s: float) -> Budget:
    if budget.reset_at is None or at < budget.reset_at:
        wait_s = budget.expected_wait_s
        return (
            budget if wait_s <= 0 or elapsed_s <= 0 else replace(budget, expected_wait_s=max(wait_s - elapsed_s, 0.0))
        )
    return replace(budget, remaining=budget.limit, reset_at=None, reset_time=None, expected_wait_s=0.0)

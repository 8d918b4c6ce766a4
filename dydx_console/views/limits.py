"""Request budgets and circuit breakers as the documents tell them."""

from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.views.documents import BreakerItem, RateLimitItem

__all__ = ["breaker_item", "probe_in_s", "rate_limit_item"]


def rate_limit_item(budget: Budget) -> RateLimitItem:
    """Return what a budget has left."""
    return RateLimitItem(
        host=budget.host,
        bucket=budget.bucket,
        remaining=budget.remaining,
        limit=budget.limit,
        reset_at=budget.reset_time,
        waiting=budget.waiting,
        expected_wait_s=round(budget.expected_wait_s, 3),
    )


def breaker_item(status: BreakerStatus, now: float) -> BreakerItem:
    """Return how a breaker stands at a moment, in seconds of the clock that stamped it."""
    wait_s = probe_in_s(status, now)
    return BreakerItem(
        group=status.group,
        state=status.state,
        failures=status.failures,
        next_probe_in_s=None if wait_s is None else round(wait_s, 3),
        text=status.text,
    )


def probe_in_s(status: BreakerStatus, now: float) -> float | None:
    """Return how long it takes until an endpoint group is tried again; 0 while it is, None while it is just asked."""
    if status.state is BreakerState.CLOSED or status.next_probe_at is None:
        return None
    return max(status.next_probe_at - now, 0.0)

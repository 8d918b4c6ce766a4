"""Request budgets and circuit breakers, as plain values.

Moments are seconds of the run's monotonic clock, but for `reset_time`, which is UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["BreakerState", "BreakerStatus", "Budget"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a venue still allows in one of its buckets, at the moment that it was told.

    `remaining` of `limit` requests are left until `reset_at`; both moments are None while nothing has been spent.
    `waiting` reads queue for it, and a further one of the lowest rank would wait about `expected_wait_s`.
    """

    host: str
    bucket: str
    limit: int
    remaining: int
    reset_at: float | None
    reset_time: datetime | None
    waiting: int
    expected_wait_s: float


class BreakerState(StrEnum):
    """Whether an endpoint group is asked."""

    CLOSED = "CLOSED"
    """It is asked."""
    OPEN = "OPEN"
    """It failed too often and is left alone until its next probe is due."""
    HALF_OPEN = "HALF_OPEN"
    """One request is trying whether it works again."""


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """A breaker: its failures in a row, when the next probe is due (None while closed), and the last failure."""

    group: str
    state: BreakerState
    failures: int
    next_probe_at: float | None
    text: str

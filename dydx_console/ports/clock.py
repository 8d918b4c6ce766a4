"""Time, injected."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Where time comes from."""

    def monotonic(self) -> float:
        """Return seconds that never go back, of no particular origin."""
        ...

    def utc(self) -> datetime:
        """Return the wall clock in UTC."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Return the machine's monotonic clock in seconds."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Return the machine's wall clock."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved; for tests and for the end of a replay."""

    def __init__(self, monotonic: float = 0.0, utc: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._monotonic = monotonic
        self._utc = utc

    def monotonic(self) -> float:
        """Return the seconds that it was set to."""
        return self._monotonic

    def utc(self) -> datetime:
        """Return the wall clock that it was set to."""
        return self._utc

    def move_to(self, monotonic: float) -> None:
        """Set the seconds."""
        self._monotonic = monotonic

"""Time, injected."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "ManualClock", "RecordingClock", "SystemClock"]


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


class RecordingClock:
    """The recording's own time, moved by the player: it stands still before the first entry and after the last.

    Args:
        first: time of its first entry, in seconds.
        last: time of its last.
        speed: how many times faster than recorded; 0 is at once.
    """

    def __init__(self, first: float, last: float, speed: float) -> None:
        self._first = first
        self._last = last
        self._speed = speed
        self._started_at: float | None = None

    def start(self) -> None:
        """Begin to run."""
        self._started_at = time.monotonic()

    def monotonic(self) -> float:
        """Return the recording's time now."""
        if self._started_at is None:
            return self._first
        if not self._speed:
            return self._last
        return min(self._first + (time.monotonic() - self._started_at) * self._speed, self._last)

    def seconds_until(self, at: float) -> float:
        """Return how long it takes, in real seconds, until the recording's time is `at`."""
        return (at - self.monotonic()) / self._speed if self._speed else 0.0

    def utc(self) -> datetime:
        """Return the wall clock, for stamping notices."""
        return datetime.now(UTC)

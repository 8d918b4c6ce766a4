"""The one place where the engine's thread leaves what readers of other threads pick up."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from dydx_console.ports.clock import SystemClock
from dydx_console.ports.notices import Level, Notice

if TYPE_CHECKING:  # the screen paints its first frame before the state's modules are needed
    from dydx_console.state.console import Section
    from dydx_console.state.snapshot import Snapshot

__all__ = ["MOST_KEPT", "Mail", "Mailbox"]

MOST_NOTICES = 100
MOST_KEPT = 500
"""Notices of a run that can be read again."""


class Mail:
    """What one look into the mailbox brings: the newest snapshot and every section that changed since the last look.

    `snapshot` is None where nothing new was published.
    """

    __slots__ = ("changed", "notices", "snapshot")

    def __init__(self, snapshot: "Snapshot | None", changed: "frozenset[Section]", notices: tuple[Notice, ...]) -> None:
        self.snapshot = snapshot
        self.changed = changed
        self.notices = notices


class Mailbox:
    """Latest snapshot wins, changed sections add up until they are taken, notices queue up to a bound.

    Notices beyond the bound become one that counts them; the newest are kept. The last 500 notices can be read again,
    taken or not. Safe between threads; nothing blocks.

    Args:
        most_notices: how many notices may wait.
        utc: dates notices that have no time of their own, where they are read again; without it, the machine's clock.
    """

    def __init__(self, most_notices: int = MOST_NOTICES, utc: Callable[[], datetime] | None = None) -> None:
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._is_new = False
        self._changed: set[Section] = set()
        self._notices: deque[Notice] = deque()
        self._most_notices = most_notices
        self._dropped = 0
        self._utc = utc or SystemClock().utc
        self._kept: deque[Notice] = deque(maxlen=MOST_KEPT)
        self._told = 0

    def publish(self, snapshot: "Snapshot", changed: "Iterable[Section]") -> None:
        """Leave a snapshot and name what changed in it."""
        with self._lock:
            self._snapshot = snapshot
            self._is_new = True
            self._changed.update(changed)

    def notify(self, notice: Notice) -> None:
        """Leave a notice. One that must stay on the screen pushes out others before it is lost."""
        with self._lock:
            self._keep(notice)
            self._notices.append(notice)
            if len(self._notices) > self._most_notices:
                passing = next((held for held in self._notices if not held.stays), self._notices[0])
                self._notices.remove(passing)
                self._dropped += 1

    def remember(self, notice: Notice) -> None:
        """Keep a notice that a screen has told by itself, so that it can be read again with the others."""
        with self._lock:
            self._keep(notice)

    @property
    def told(self) -> int:
        """How many notices there were so far; another number than before means that there is something to read."""
        return self._told

    def kept(self) -> tuple[Notice, ...]:
        """Return the notices of this run, the newest first, each with its time."""
        with self._lock:
            return tuple(reversed(self._kept))

    def latest(self) -> "Snapshot | None":
        """Return the newest snapshot without taking it."""
        with self._lock:
            return self._snapshot

    def take(self) -> Mail:
        """Take what is new."""
        with self._lock:
            mail = Mail(self._snapshot if self._is_new else None, frozenset(self._changed), self._taken_notices())
            self._is_new = False
            self._changed.clear()
            return mail

    def _keep(self, notice: Notice) -> None:
        self._kept.append(notice if notice.at is not None else replace(notice, at=self._utc()))
        self._told += 1

    def _taken_notices(self) -> tuple[Notice, ...]:
        notices = tuple(self._notices)
        if self._dropped:
            notices = (Notice(f"{self._dropped} more notices came at once; the log has them", Level.WARNING), *notices)
        self._notices.clear()
        self._dropped = 0
        return notices

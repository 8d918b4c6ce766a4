"""The one place where the engine's thread leaves what readers of other threads pick up."""

from collections import deque
from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING

from dydx_console.ports.notices import Level, Notice

if TYPE_CHECKING:  # the screen paints its first frame before the state's modules are needed
    from dydx_console.state.console import Section
    from dydx_console.state.snapshot import Snapshot

__all__ = ["Mail", "Mailbox"]

MOST_NOTICES = 100


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

    Notices beyond the bound become one that counts them; the newest are kept. Safe between threads; nothing blocks.
    """

    def __init__(self, most_notices: int = MOST_NOTICES) -> None:
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._is_new = False
        self._changed: set[Section] = set()
        self._notices: deque[Notice] = deque()
        self._most_notices = most_notices
        self._dropped = 0

    def publish(self, snapshot: "Snapshot", changed: "Iterable[Section]") -> None:
        """Leave a snapshot and name what changed in it."""
        with self._lock:
            self._snapshot = snapshot
            self._is_new = True
            self._changed.update(changed)

    def notify(self, notice: Notice) -> None:
        """Leave a notice. One that must stay on the screen pushes out others before it is lost."""
        with self._lock:
            self._notices.append(notice)
            if len(self._notices) > self._most_notices:
                passing = next((held for held in self._notices if not held.stays), self._notices[0])
                self._notices.remove(passing)
                self._dropped += 1

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

    def _taken_notices(self) -> tuple[Notice, ...]:
        notices = tuple(self._notices)
        if self._dropped:
            notices = (Notice(f"{self._dropped} more notices came at once; the log has them", Level.WARNING), *notices)
        self._notices.clear()
        self._dropped = 0
        return notices

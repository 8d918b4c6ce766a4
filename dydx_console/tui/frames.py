"""When panes are painted: a few at a time, each no oftener than its rate, never longer than the tick's budget."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["TICK_S", "FrameStats", "Frames", "Painter"]

TICK_S = 1 / 40
BUDGET_S = 0.004
SHARE = 0.1
"""The part of the time that one painter may take of the screen's thread; a dearer one is painted more seldom."""
NEWEST_WEIGHT = 0.3
"""How much the newest paint counts in what a paint costs: one that was held up by others says little."""
SLOWEST_S = 0.4
MOST_BACKLOG = 4
CLOCK_S = 1.0


class Painter(Protocol):
    """Something that paints itself."""

    @property
    def is_on_screen(self) -> bool:
        """Whether painting it would be seen."""
        ...

    def paint(self, now: float, *, is_dirty: bool) -> float | None:
        """Paint what changed; `is_dirty` tells that its rows may have, otherwise only ages have.

        Returns when it wants to be painted again by itself, None for no wish.
        """
        ...


@dataclass(slots=True)
class Slot:
    """A painter's rate and what it waits for. Times are seconds of the screen's clock."""

    key: str
    painter: Painter
    base_s: float
    sections: frozenset[str]
    interval_s: float
    clock_at: float
    is_dirty: bool = True
    painted_at: float = -1e9
    wake_at: float | None = None
    cost_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FrameStats:
    """Counters of a run: ticks, ticks skipped because the terminal was behind, paints, the longest paint in seconds."""

    ticks: int
    skipped: int
    paints: int
    longest_s: float


class Frames:
    """The paint scheduler. Ages are renewed once a second, those of all painters together.

    Args:
        clock: seconds that never go back.
        backlog: how many frames the terminal has not taken yet.
    """

    def __init__(self, clock: Callable[[], float], backlog: Callable[[], int]) -> None:
        self._clock = clock
        self._backlog = backlog
        self._slots: list[Slot] = []
        self._next = 0
        self._ticks = 0
        self._skipped = 0
        self._paints = 0
        self._longest_s = 0.0

    def add(self, key: str, painter: Painter, hz: float, sections: Iterable[str]) -> None:
        """Register a painter that is painted at most `hz` times a second, when one of `sections` changed."""
        interval_s = 1 / hz
        second = float(int(self._clock()))
        self._slots.append(Slot(key, painter, interval_s, frozenset(sections), interval_s, second))

    def mark(self, sections: Iterable[str]) -> None:
        """Note what changed; it is painted when its painter's turn comes."""
        changed = frozenset(sections)
        for slot in self._slots:
            if slot.sections & changed:
                slot.is_dirty = True

    def mark_all(self) -> None:
        """Note that everything changed."""
        for slot in self._slots:
            slot.is_dirty = True

    @property
    def stats(self) -> FrameStats:
        """Counters of the run."""
        return FrameStats(self._ticks, self._skipped, self._paints, self._longest_s)

    def tick(self) -> None:
        """Paint what is due, in turn, until the budget is spent; nothing while the terminal is behind."""
        self._ticks += 1
        if self._backlog() > MOST_BACKLOG:
            self._skipped += 1
            return
        started = now = self._clock()
        for step in range(len(self._slots)):
            index = (self._next + step) % len(self._slots)
            slot = self._slots[index]
            if not self._is_due(slot, now):
                continue
            self._paint(slot, now)
            now = self._clock()
            if now - started > BUDGET_S:
                self._next = (index + 1) % len(self._slots)
                return
        self._next = 0

    @staticmethod
    def _is_due(slot: Slot, now: float) -> bool:
        if slot.is_dirty or (slot.wake_at is not None and slot.wake_at <= now):
            is_time = now - slot.painted_at >= slot.interval_s - TICK_S / 4
        else:
            is_time = now - slot.clock_at >= CLOCK_S
        return is_time and slot.painter.is_on_screen

    def _paint(self, slot: Slot, now: float) -> None:
        was_dirty = slot.is_dirty or (slot.wake_at is not None and slot.wake_at <= now)
        slot.is_dirty, slot.wake_at = False, None
        # renewing the ages does not put a change off
        slot.painted_at = now if was_dirty else slot.painted_at
        if now - slot.clock_at >= CLOCK_S:
            slot.clock_at = float(int(now))
        slot.wake_at = slot.painter.paint(now, is_dirty=was_dirty)
        spent = self._clock() - now
        self._paints += 1
        self._longest_s = max(self._longest_s, spent)
        slot.cost_s += (spent - slot.cost_s) * NEWEST_WEIGHT
        slot.interval_s = max(min(slot.cost_s / SHARE, SLOWEST_S), slot.base_s)

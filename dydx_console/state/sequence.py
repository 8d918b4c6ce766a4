"""The message numbers of one connection: duplicates, and holes that mean a loss.

One counter serves a whole connection, and the number of a subscription is reserved when it is asked for but arrives
with its answer, so numbers come out of order on a healthy socket (dydxprotocol/v4-chain
indexer/services/socks/src/websocket/index.ts). Only a hole that stays open is a loss. Missing numbers are kept as
spans, so a number far ahead costs no more than the next one.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["HOLE_PATIENCE_S", "MOST_HOLES", "Hole", "Sequence"]

HOLE_PATIENCE_S = 5.0
"""How long a number may stay missing, beyond the answers that are awaited, before it counts as lost."""

MOST_HOLES = 1000
"""Lost numbers that are named one by one."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A missing message number and when a higher one was first seen (monotonic seconds)."""

    message_id: int
    since: float


@dataclass(frozen=True, slots=True)
class Span:
    """Message numbers from `first` to `last`; `since` as in `Hole`."""

    first: int
    last: int
    since: float


def _first(span: Span) -> int:
    return span.first


def _take_out(spans: list[Span], number: int) -> bool:
    """Remove a number from ascending, disjoint spans; returns whether it was in one."""
    index = bisect_right(spans, number, key=_first) - 1
    if index < 0 or spans[index].last < number:
        return False
    span = spans[index]
    parts = (Span(span.first, number - 1, span.since), Span(number + 1, span.last, span.since))
    spans[index : index + 1] = [part for part in parts if part.first <= part.last]
    return True


class Sequence:
    """Tracks one connection's numbers; memory is bounded by the holes, not by the messages.

    Args:
        patience_s: how long a number may stay missing before it counts as lost.
    """

    def __init__(self, patience_s: float = HOLE_PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._next = 0
        self._missing: list[Span] = []
        self._excused: list[Span] = []
        """Numbers that are no longer missed and are still taken, once, should they come."""

    def accept(self, message_id: int, at: float) -> bool:
        """Note a message's number. Returns False where a message with it was taken before."""
        if message_id >= self._next:
            if message_id > self._next:
                self._missing.append(Span(self._next, message_id - 1, at))
            self._next = message_id + 1
            return True
        return _take_out(self._missing, message_id) or _take_out(self._excused, message_id)

    def excuse(self, message_id: int, at: float) -> None:
        """Note an error message's number: a refused subscription's own, or one that another message has too."""
        if message_id >= self._next:
            self.accept(message_id, at)
            insort(self._excused, Span(message_id, message_id, at), key=_first)
        elif _take_out(self._missing, message_id):
            insort(self._excused, Span(message_id, message_id, at), key=_first)

    def holes(self, at: float, awaited: Iterable[float] = ()) -> tuple[Hole, ...]:
        """Return the numbers that count as lost at `at`, the oldest first, at most `MOST_HOLES`.

        `awaited` are the moments at which subscriptions were asked for whose answers are still out: each excuses one
        hole that was first seen after it.
        """
        found: list[Hole] = []
        for span in self._lost(at, awaited):
            last = min(span.last, span.first + MOST_HOLES - len(found) - 1)
            found.extend(Hole(number, span.since) for number in range(span.first, last + 1))
        return tuple(found)

    def _lost(self, at: float, awaited: Iterable[float]) -> list[Span]:
        asks = sorted(awaited)
        used = 0
        lost: list[Span] = []
        for span in self._missing:
            first = span.first
            while used < len(asks) and asks[used] <= span.since and first <= span.last:
                used, first = used + 1, first + 1
            if first <= span.last and at - span.since >= self._patience_s:
                lost.append(Span(first, span.last, span.since))
        return lost

    def newest_loss(self, at: float, awaited: Iterable[float] = ()) -> float | None:
        """Return since when the newest of the holes that count as lost has been open, None where none does."""
        return max((span.since for span in self._lost(at, awaited)), default=None)

    @property
    def has_holes(self) -> bool:
        """Whether any number is missing, however recent."""
        return bool(self._missing)

    def give_up(self, at: float, awaited: Iterable[float] = ()) -> int:
        """Close the holes that count as lost, because what was lost has been read again; returns how many.

        A message that fills one later is still taken.
        """
        lost = self._lost(at, awaited)
        for span in lost:
            index = bisect_right(self._missing, span.first, key=_first) - 1
            held = self._missing[index]
            rest = [Span(held.first, span.first - 1, held.since)] if held.first < span.first else []
            self._missing[index : index + 1] = rest
            insort(self._excused, span, key=_first)
        return sum(span.last - span.first + 1 for span in lost)

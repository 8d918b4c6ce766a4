"""Whether the chain has begun anew: test networks and simulators restart with low blocks under the same name.

An Indexer that trails tells low blocks too, but old ones: on one chain time grows with height. So two blocks of which
the higher one is older, or which are of one height and not of one time, are of two chains. That is decided by two such
blocks, so that a single wrong word of the venue closes no journal.

What cannot be seen: a restarted chain that has outgrown the newest block known before anybody looked, where no node
that is proven to be on the Indexer's chain still has the block of that height.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["EpochWatch", "Head", "contradicts"]

ENOUGH = 2
SAME = timedelta(milliseconds=1)
"""The Indexer tells times to the millisecond, nodes more exactly."""


@dataclass(frozen=True, slots=True)
class Head:
    """A block's height and time."""

    height: int
    time: datetime


def contradicts(one: Head, other: Head) -> bool:
    """Return whether two blocks cannot be of one chain."""
    low, high = (one, other) if one.height <= other.height else (other, one)
    later = high.time - low.time
    return abs(later) >= SAME if low.height == high.height else later <= -SAME


class EpochWatch:
    """Holds every head against the newest one known."""

    def __init__(self) -> None:
        self.newest: Head | None = None
        """The newest block of the chain as it was known, in this run or an earlier one."""
        self.remembered: Head | None = None
        """The newest block before this run or connection, until a node's block of that height has proven it so."""
        self.suspect: Head | None = None
        """The newest block that belongs to another chain, None while there is none."""
        self.is_sure = True
        """Whether a block of this run has said which chain this is, or none is known from before."""
        self._suspects = 0
        self._denials = 0
        self._has_resumed = False

    @property
    def has_begun(self) -> bool:
        """Whether it is settled that the chain has begun anew."""
        return self._suspects >= ENOUGH or self._denials >= ENOUGH

    def resume(self, newest: Head) -> None:
        """Take the newest block that an earlier run knew; this run has yet to show that its chain is the same."""
        held = self.newest
        if not self._has_resumed:
            self.remembered, self._has_resumed = newest, True
        if held is None or newest.height > held.height or contradicts(newest, held):
            self.newest, self.is_sure = newest, False
            if held is not None:
                self.head(held.height, held.time)

    def part(self) -> None:
        """Note that the stream was away: whether it comes back with the same chain is to be proven again."""
        if self.remembered is None:
            self.remembered = self.newest

    def head(self, height: int, time: datetime) -> None:
        """Take a block that the Indexer has told."""
        told, held = Head(height, time), self.newest
        if held is None or not contradicts(held, told):
            if held is None or height > held.height:
                self.newest = told
            self.suspect, self._suspects, self.is_sure = None, 0, self._denials == 0
            return
        self.is_sure = False
        if self.suspect is None or contradicts(self.suspect, told):
            self.suspect, self._suspects = told, 1
        elif height > self.suspect.height:
            self.suspect = told
            self._suspects += 1

    def block(self, height: int, time: datetime) -> None:
        """Take the block of the remembered height as a node tells it that is proven to be on the Indexer's chain.

        One that is another than was remembered has to be told twice.
        """
        if self.remembered is None or height != self.remembered.height:
            return
        told = Head(height, time)
        if contradicts(self.remembered, told):
            self.suspect, self.is_sure = told, False
            self._denials += 1
            return
        self.remembered, self._denials, self.is_sure = None, 0, self._suspects == 0

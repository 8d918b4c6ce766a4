"""Whether the chain has begun anew: test networks and simulators restart with low blocks under the same name.

An Indexer that trails tells low blocks too, but old ones. On a chain that has begun anew a block far below the newest
one known is younger than that one.
"""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["EpochWatch", "Head"]

FAR_BELOW = 100
"""Blocks below the newest one known that no lagging source explains; decided by two of them."""
ENOUGH = 2


@dataclass(frozen=True, slots=True)
class Head:
    """A block's height and time."""

    height: int
    time: datetime


class EpochWatch:
    """Holds every head against the newest one known."""

    def __init__(self) -> None:
        self.newest: Head | None = None
        """The newest block of the chain as it was known, in this run or an earlier one."""
        self.suspect: Head | None = None
        """The newest block that belongs to another chain, None while there is none."""
        self.is_sure = True
        """Whether a block of this run has said which chain this is, or none is known from before."""
        self._suspects = 0

    @property
    def has_begun(self) -> bool:
        """Whether it is settled that the chain has begun anew."""
        return self._suspects >= ENOUGH

    def resume(self, newest: Head) -> None:
        """Take the newest block that an earlier run knew; this run has yet to show that its chain is the same."""
        if self.newest is None or newest.height > self.newest.height:
            held, self.newest, self.is_sure = self.newest, newest, False
            if held is not None:
                self.head(held.height, held.time)

    def head(self, height: int, time: datetime) -> None:
        """Take a block that the Indexer has told."""
        held = self.newest
        if held is None or height >= held.height - FAR_BELOW or time <= held.time:
            if held is None or height > held.height:
                self.newest = Head(height, time)
            self.suspect, self._suspects, self.is_sure = None, 0, True
            return
        self.is_sure = False
        if self.suspect is None or height > self.suspect.height:
            self.suspect = Head(height, time)
            self._suspects += 1

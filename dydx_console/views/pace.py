"""How fast blocks come, as far as the pictures themselves tell."""

from dataclasses import dataclass, replace
from datetime import datetime

__all__ = ["Pace"]

LONGEST_BLOCKS = 120


@dataclass(frozen=True, slots=True)
class Pace:
    """Two blocks of the run, far apart but not too far: their distance gives the block interval."""

    first: tuple[int, datetime] | None = None
    last: tuple[int, datetime] | None = None

    def after(self, height: int | None, block_time: datetime | None) -> "Pace":
        """Return the pace once a block was seen."""
        if height is None or block_time is None:
            return self
        block = (height, block_time)
        if self.first is None or self.last is None or height < self.last[0]:
            return Pace(block, block)
        if height == self.last[0]:
            return self
        first = self.last if height - self.first[0] > LONGEST_BLOCKS else self.first
        return replace(self, first=first, last=block)

    @property
    def interval_s(self) -> float | None:
        """Mean seconds between blocks, None before two were seen."""
        if self.first is None or self.last is None or self.last[0] <= self.first[0]:
            return None
        return (self.last[1] - self.first[1]).total_seconds() / (self.last[0] - self.first[0])

"""The pace of blocks: the venue's clock, the time between blocks, and who of Indexer and node stands still.

The venue's clock is the run's monotonic clock plus an offset, measured from `/v4/time` at the middle of the round trip,
or, before that, from the newest block seen (which can only make things look younger than block propagation takes).
"""

from bisect import insort
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from math import inf
from statistics import median

from dydx_console.state.ages import DELAYED_S, LIVE_S

__all__ = ["BlockClock", "ChainPace", "ChainState"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BLOCKS_KEPT = 50
BLOCKS_FOR_PACE = 4
"""Of fewer blocks one long gap, as of a halt, would pass for the usual interval and make old pictures live."""
NODE_HEARD_S = 15.0
"""What a node said longer ago than this says nothing of now."""
HALTED_S = 10.0
HALTED_INTERVALS = 10
"""A node that told the same block for so many seconds, and for so many times the usual interval, stands still."""


class ChainState(StrEnum):
    """How the blocks go on."""

    UNKNOWN = "UNKNOWN"
    """Nothing tells."""
    MOVING = "MOVING"
    """Blocks come, or it is too early to say that they do not."""
    BEHIND = "BEHIND"
    """The node has blocks that the Indexer does not have."""
    STILL = "STILL"
    """The Indexer tells of no new block, and no node says whether there is one."""
    HALTED = "HALTED"
    """Node and Indexer stand at the same block."""


@dataclass(frozen=True, slots=True)
class ChainPace:
    """How the blocks go on at a moment; `late_s` is how old the Indexer's newest block is, by node or by clock."""

    state: ChainState
    late_s: float = 0.0


class BlockClock:
    """Keeps the newest blocks of the Indexer and of the node, and the venue's clock."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._error_s = inf
        self._blocks: list[tuple[int, datetime]] = []
        self._interval_s: float | None = None
        self._node_time: datetime | None = None
        self._node_moved_at = 0.0
        self._node_heard_at = 0.0

    @property
    def interval_s(self) -> float | None:
        """Median time between blocks, None before two are known."""
        return self._interval_s

    @property
    def live_limit_s(self) -> float:
        """Up to which age a picture may be called live."""
        if len(self._blocks) < BLOCKS_FOR_PACE:
            return LIVE_S
        return max(LIVE_S, 3 * (self._interval_s or 0.0))

    def block(self, height: int, block_time: datetime, at: float) -> None:
        """Note a block of the Indexer."""
        if (height, block_time) not in self._blocks:
            insort(self._blocks, (height, block_time))
            del self._blocks[:-BLOCKS_KEPT]
            self._interval_s = _interval_of(self._blocks)
        if self._error_s == inf:
            offset = _seconds(block_time) - at
            self._offset_s = offset if self._offset_s is None else max(self._offset_s, offset)

    def node_block(self, block_time: datetime, at: float) -> None:
        """Note the node's newest block: what trails it is as old as that block is newer, whatever our clock says."""
        if block_time != self._node_time:
            self._node_time, self._node_moved_at = block_time, at
        self._node_heard_at = at

    def measured(self, venue_time: datetime, asked_at: float, at: float) -> None:
        """Note the Indexer's clock.

        An answer that took long tells little: the clock was read at any moment of the way. It replaces no better one,
        and only corrects one that it proves wrong.
        """
        low, high = _seconds(venue_time) - at, _seconds(venue_time) - asked_at
        error_s = (high - low) / 2
        if self._offset_s is None or error_s <= self._error_s:
            self._offset_s, self._error_s = (low + high) / 2, error_s
        else:
            self._offset_s = min(max(self._offset_s, low), high)

    def told(self) -> dict[int, datetime]:
        """Return the newest blocks that the Indexer told of, by height; of one told twice differently, none."""
        heights = [height for height, _ in self._blocks]
        return {height: time for height, time in self._blocks if heights.count(height) == 1}

    def venue_time(self, at: float) -> datetime | None:
        """Return the venue's clock at a moment, None before anything measured it."""
        return None if self._offset_s is None else EPOCH + timedelta(seconds=self._offset_s + at)

    def age_s(self, block_time: datetime | None, at: float) -> float | None:
        """Return how old a picture is that rests on a block, None where that is not known."""
        if block_time is None or self._offset_s is None:
            return None
        behind_s = 0.0 if self._node_time is None else (self._node_time - block_time).total_seconds()
        return max(self._offset_s + at - _seconds(block_time), behind_s, 0.0)

    def pace(self, at: float) -> ChainPace:
        """Return how the blocks go on."""
        late_s = self.age_s(self._blocks[-1][1], at) if self._blocks else None
        if late_s is None:
            return ChainPace(ChainState.UNKNOWN)
        node_time = self._node_time
        if node_time is None or at - self._node_heard_at > NODE_HEARD_S:
            is_still = late_s > max(DELAYED_S, self.live_limit_s)
            return ChainPace(ChainState.STILL if is_still else ChainState.MOVING, late_s)
        behind_s = (node_time - self._blocks[-1][1]).total_seconds()
        if behind_s > max(DELAYED_S, self.live_limit_s):
            return ChainPace(ChainState.BEHIND, behind_s)
        halted_s = max(HALTED_S, HALTED_INTERVALS * (self._interval_s or 0.0))
        is_halted = min(self._node_heard_at - self._node_moved_at, late_s) >= halted_s
        return ChainPace(ChainState.HALTED if is_halted else ChainState.MOVING, late_s if is_halted else behind_s)


def _interval_of(blocks: list[tuple[int, datetime]]) -> float | None:
    steps = [
        (late - early).total_seconds() / (high - low) for (low, early), (high, late) in pairwise(blocks) if high > low
    ]
    return median(steps) if steps else None


def _seconds(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds()

"""Which channel goes to which connection: a connection has room for so many of a kind, and more go to further ones."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dydx_console.domain.events import ChannelKey
from dydx_console.venue.indexer.channels import BLOCK_HEIGHT, MOST_ON_CONNECTION

__all__ = ["Allotment"]


class Allotment:
    """Gives channels to lanes. A channel stays where it is, and never goes to a connection older than its last one.

    The second rule keeps what a channel told comparable: of two of its messages, that of the later connection is newer.
    """

    def __init__(self, most: Mapping[str, int] = MOST_ON_CONNECTION) -> None:
        self._most = most
        self._lane_of: dict[ChannelKey, int] = {}
        self._last_on: dict[ChannelKey, int] = {}

    def allot(self, keys: Iterable[ChannelKey], connections: Sequence[int]) -> list[tuple[ChannelKey, ...]]:
        """Return what each lane is to carry, in the order given; every lane its own channel of blocks first.

        Args:
            keys: all that is wanted, what belongs to the account first.
            connections: the connection in use on each lane that there is, 0 where there is none yet.
        """
        wanted = dict.fromkeys(key for key in keys if key.channel != BLOCK_HEIGHT)
        for key in [key for key in self._lane_of if key not in wanted]:
            self._last_on[key] = _at(connections, self._lane_of.pop(key))
        used = Counter((lane, key.channel) for key, lane in self._lane_of.items())
        for key in wanted:
            if key not in self._lane_of:
                lane = self._lane_for(key, used, connections)
                self._lane_of[key] = lane
                used[lane, key.channel] += 1
        lanes = max([0, *self._lane_of.values()]) + 1
        blocks = ChannelKey(BLOCK_HEIGHT)
        return [(blocks, *(key for key in wanted if self._lane_of[key] == lane)) for lane in range(lanes)]

    def _lane_for(self, key: ChannelKey, used: Counter[tuple[int, str]], connections: Sequence[int]) -> int:
        lane, last = 0, self._last_on.get(key, 0)
        while used[lane, key.channel] >= self._most.get(key.channel, 1) or 0 < _at(connections, lane) < last:
            lane += 1
        return lane


def _at(connections: Sequence[int], lane: int) -> int:
    return connections[lane] if lane < len(connections) else 0

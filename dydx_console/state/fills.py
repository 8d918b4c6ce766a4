"""Fills by id, in chain order.

Fills of one block are told apart by their event ids (stream), by their places in an answer to `page=`, or, where
neither is known, by the position that each of them says it met (`domain.fill.chained`). The order is a function of the
fills that are known, not of their arrival.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from dydx_console.domain.fill import Fill, chained, merge_fill
from dydx_console.domain.ids import PositionKey

__all__ = ["Fills", "Places", "in_chain_order"]

_NO_EVENT = "~"
"""Sorts after every event id."""
_NO_PLACE = 1 << 62


@dataclass(slots=True)
class Block:
    """The fills of one position in one block, in order; `is_told` while event ids or places alone give it."""

    fills: list[Fill] = field(default_factory=list)
    is_told: bool = True


@dataclass(slots=True)
class Chain:
    """The blocks of one position, ascending."""

    heights: list[int] = field(default_factory=list)
    blocks: dict[int, Block] = field(default_factory=dict)
    count: int = 0


class Places:
    """Places in the venue's order, kept as ranges without a hole."""

    def __init__(self) -> None:
        self._ranges: list[list[int]] = []

    def __contains__(self, place: int) -> bool:
        index = bisect_right(self._ranges, place, key=lambda held: held[0]) - 1
        return index >= 0 and place < self._ranges[index][1]

    def add(self, place: int) -> None:
        """Note a place."""
        ranges = self._ranges
        index = bisect_right(ranges, place, key=lambda held: held[0])
        before = ranges[index - 1] if index else None
        if before is not None and place <= before[1]:
            before[1] = max(before[1], place + 1)
        else:
            before = [place, place + 1]
            ranges.insert(index, before)
            index += 1
        if index < len(ranges) and ranges[index][0] <= before[1]:
            before[1] = max(before[1], ranges.pop(index)[1])

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The ranges, each with the place behind its last."""
        return tuple((first, end) for first, end in self._ranges)

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> "Places":
        """Return places that were told as ranges."""
        made = cls()
        made._ranges = [[first, end] for first, end in sorted(ranges)]
        return made


class Fills:
    """All known fills. A fill seen again completes the row that is held and counts once.

    The oldest may be let go of, whole blocks at a time; they are counted on. A fill at or below that `horizon` that
    comes again is known by its place; one whose place tells nothing goes into `late`.
    """

    def __init__(self) -> None:
        self.horizon: int | None = None
        """The block up to which fills were let go of, None before that."""
        self.late: list[tuple[Fill, int | None]] = []
        """Fills at or below the horizon of which it is not known whether they were let go of."""
        self._gone = 0
        self._gone_places = Places()
        self._by_id: dict[str, Fill] = {}
        self._places: dict[str, int] = {}
        self._chains: dict[PositionKey, Chain] = {}
        self._heights: list[int] = []
        self._keys_at: dict[int, list[PositionKey]] = {}
        self.is_known = False
        """Whether fills have been read by REST: without that, older ones may exist."""
        self.unwritten: set[str] | None = None
        """Where the ids of fills that are new, or known better than before, are noted; None notes none."""

    def __len__(self) -> int:
        return self._gone + len(self._by_id)

    @property
    def held(self) -> int:
        """How many fills are held."""
        return len(self._by_id)

    def __iter__(self) -> Iterator[Fill]:
        return (fill for height in self._heights for fill in self._block(height))

    def get(self, fill_id: str) -> Fill | None:
        """Return one fill."""
        return self._by_id.get(fill_id)

    def place(self, fill_id: str) -> int | None:
        """Return a fill's place in the venue's order, None where it is not known."""
        return self._places.get(fill_id)

    def recall(self, fills: Iterable[tuple[Fill, int | None]]) -> tuple[tuple[Fill, ...], set[PositionKey]]:
        """Merge fills of an earlier run, each with its place where that is known; returns what `take` does."""
        new: list[Fill] = []
        touched: set[PositionKey] = set()
        for fill, place in fills:
            found, changed = self.take((fill,), offset=place)
            new += found
            touched |= changed
        return tuple(new), touched

    def newest(self, count: int) -> tuple[Fill, ...]:
        """Return the last `count` fills, newest first."""
        every = (fill for height in reversed(self._heights) for fill in reversed(self._block(height)))
        return tuple(islice(every, count))

    def keys(self) -> Iterable[PositionKey]:
        """Return every subaccount and market with a fill that is held."""
        return self._chains.keys()

    def count(self, key: PositionKey) -> int:
        """Return how many fills of a subaccount and market are held."""
        chain = self._chains.get(key)
        return 0 if chain is None else chain.count

    def of(self, key: PositionKey) -> Iterator[Fill]:
        """Return the fills of one subaccount and market in chain order."""
        chain = self._chains.get(key, Chain())
        return (fill for height in chain.heights for fill in chain.blocks[height].fills)

    def last(self, key: PositionKey) -> Iterator[Fill]:
        """Return the fills of one subaccount and market, the newest first."""
        chain = self._chains.get(key, Chain())
        return (fill for height in reversed(chain.heights) for fill in reversed(chain.blocks[height].fills))

    def take(self, fills: Iterable[Fill], *, offset: int | None = None) -> tuple[tuple[Fill, ...], set[PositionKey]]:
        """Merge fills; `offset` is the place of the first where they come from an answer to `page=`.

        Returns the ones that were not known, and the subaccounts and markets whose sequence changed otherwise than by
        fills added at its end.
        """
        new: list[Fill] = []
        touched: set[PositionKey] = set()
        for index, fill in enumerate(fills):
            held = self._by_id.get(fill.id)
            is_placed = offset is not None and self._places.get(fill.id) != offset + index
            if held is None and self.horizon is not None and fill.height <= self.horizon:
                self._take_late(fill, None if offset is None else offset + index)
                continue
            if offset is not None:
                self._places[fill.id] = offset + index
            if held is None:
                new.append(fill)
                self._note(fill.id)
                if not self._add(fill):
                    touched.add(_key(fill))
                continue
            merged = merge_fill(held, fill)
            if is_placed or merged is not held:
                self._note(fill.id)
                if self._replace(held, merged):
                    touched.add(_key(held))
        return tuple(new), touched

    def cut(self, most: int) -> int | None:
        """Return the block up to which fills must go for at most `most` to stay, None where none must."""
        surplus, found = len(self._by_id) - most, None
        for height in self._heights[:-1]:
            if surplus <= 0:
                break
            surplus -= sum(len(self._chains[key].blocks[height].fills) for key in self._keys_at[height])
            found = height
        return found

    def leaving(self, height: int) -> dict[PositionKey, list[Fill]]:
        """Return the fills held up to a block, by subaccount and market, in chain order."""
        found: dict[PositionKey, list[Fill]] = {}
        for block in self._heights[: bisect_right(self._heights, height)]:
            for key in self._keys_at[block]:
                found.setdefault(key, []).extend(self._chains[key].blocks[block].fills)
        return found

    def let_go(self, height: int) -> None:
        """Let go of every fill up to a block; they are counted on."""
        for key, fills in self.leaving(height).items():
            chain = self._chains[key]
            gone = bisect_right(chain.heights, height)
            for block in chain.heights[:gone]:
                del chain.blocks[block]
            del chain.heights[:gone]
            chain.count -= len(fills)
            self._gone += len(fills)
            for fill in fills:
                del self._by_id[fill.id]
                place = self._places.pop(fill.id, None)
                if place is not None:
                    self._gone_places.add(place)
            if not chain.count:
                del self._chains[key]
        for block in self._heights[: bisect_right(self._heights, height)]:
            del self._keys_at[block]
        del self._heights[: bisect_right(self._heights, height)]
        self.horizon = height if self.horizon is None else max(self.horizon, height)

    def begin_after(self, horizon: int, count: int, places: Places) -> None:
        """Count `count` fills up to a block as known, with their places; those held of these blocks are dropped."""
        self.let_go(horizon)
        self.horizon, self._gone, self._gone_places = horizon, count, places
        self.late.clear()

    def _take_late(self, fill: Fill, place: int | None) -> None:
        if place is None or place not in self._gone_places:
            self.late.append((fill, place))

    def _note(self, fill_id: str) -> None:
        if self.unwritten is not None:
            self.unwritten.add(fill_id)

    def _add(self, fill: Fill) -> bool:
        """Add a fill; returns whether it stands at the end of its position's sequence and moved no other."""
        key, height = _key(fill), fill.height
        chain = self._chains.setdefault(key, Chain())
        self._by_id[fill.id] = fill
        chain.count += 1
        block = chain.blocks.get(height)
        if block is None:
            block = chain.blocks[height] = Block()
            insort(chain.heights, height)
            self._note_block(key, height)
        before = block.fills
        block.fills = self._placed(block, fill)
        return chain.heights[-1] == height and block.fills[:-1] == before

    def _replace(self, held: Fill, merged: Fill) -> bool:
        """Put a completed fill in the place of the held one; returns whether accounting may differ."""
        self._by_id[held.id] = merged
        block = self._chains[_key(held)].blocks[held.height]
        before = block.fills
        rest = [fill for fill in before if fill.id != held.id]
        block.fills, block.is_told = self._sorted([*rest, merged])
        return before != block.fills

    def _placed(self, block: Block, fill: Fill) -> list[Fill]:
        if block.is_told and block.fills and fill.event_id is not None:
            last = block.fills[-1].event_id
            if last is not None and last < fill.event_id:
                return [*block.fills, fill]
        fills, block.is_told = self._sorted([*block.fills, fill])
        return fills

    def _sorted(self, fills: list[Fill]) -> tuple[list[Fill], bool]:
        return in_chain_order(fills, self._places)

    def _goes_first(self, one: Fill, other: Fill) -> bool:
        places = self._places
        if _is_before(places, one, other) or _is_before(places, other, one):
            return _is_before(places, one, other)
        return _rank(places, one) < _rank(places, other)

    def _note_block(self, key: PositionKey, height: int) -> None:
        keys = self._keys_at.get(height)
        if keys is None:
            insort(self._heights, height)
            keys = self._keys_at[height] = []
        insort(keys, key)

    def _block(self, height: int) -> list[Fill]:
        """Return the account's fills of a block: every position's in its own order, these joined by what is told."""
        keys = self._keys_at[height]
        if len(keys) == 1:
            return self._chains[keys[0]].blocks[height].fills
        queues = [list(reversed(self._chains[key].blocks[height].fills)) for key in keys]
        joined: list[Fill] = []
        while queues:
            first = queues[0]
            for queue in queues[1:]:
                if self._goes_first(queue[-1], first[-1]):
                    first = queue
            joined.append(first.pop())
            queues = [queue for queue in queues if queue]
        return joined


def _key(fill: Fill) -> PositionKey:
    return PositionKey(fill.subaccount, fill.market)


def in_chain_order(fills: list[Fill], places: Mapping[str, int]) -> tuple[list[Fill], bool]:
    """Return fills of one position and block in chain order, and whether event ids or `places` alone give it."""
    if len(fills) == 1:
        return fills, fills[0].event_id is not None or fills[0].id in places
    ordered = sorted(fills, key=partial(_rank, places))
    if all(fill.event_id is not None for fill in fills):
        return ordered, True
    if all(fill.id in places for fill in fills):
        return sorted(fills, key=lambda fill: (places[fill.id], fill.id)), True
    return chained(ordered, partial(_is_before, places)), False


def _rank(places: Mapping[str, int], fill: Fill) -> tuple[str, int, str]:
    return fill.event_id or _NO_EVENT, places.get(fill.id, _NO_PLACE), fill.id


def _is_before(places: Mapping[str, int], one: Fill, other: Fill) -> bool:
    """Return whether event ids or places tell that `one` came before `other`."""
    if one.event_id is not None and other.event_id is not None:
        return one.event_id < other.event_id
    if one.id in places and other.id in places:
        return places[one.id] < places[other.id]
    return False

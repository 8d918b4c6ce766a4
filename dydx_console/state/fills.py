"""Fills by id, in chain order."""

from bisect import insort
from collections.abc import Iterable, Iterator

from dydx_console.domain.fill import Fill, merge_fill
from dydx_console.domain.ids import PositionKey

__all__ = ["Fills"]

_NO_EVENT = "~"
"""Sorts after every event id: a fill without one stands last in its block until a row tells."""


class Fills:
    """All known fills. A fill seen again completes the row that is held and counts once."""

    def __init__(self) -> None:
        self._by_id: dict[str, Fill] = {}
        self._rank: dict[str, tuple[int, str, int]] = {}
        self._order: list[tuple[int, str, int, str]] = []
        self._by_key: dict[PositionKey, list[tuple[int, str, int, str]]] = {}
        self._reads = 0
        self.is_known = False
        """Whether fills have been read by REST: without that, older ones may exist."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Fill]:
        return (self._by_id[entry[3]] for entry in self._order)

    def get(self, fill_id: str) -> Fill | None:
        """Return one fill."""
        return self._by_id.get(fill_id)

    def newest(self, count: int) -> tuple[Fill, ...]:
        """Return the last `count` fills, newest first."""
        return tuple(self._by_id[entry[3]] for entry in reversed(self._order[-count:])) if count else ()

    def keys(self) -> Iterable[PositionKey]:
        """Return every subaccount and market that has traded."""
        return self._by_key.keys()

    def of(self, key: PositionKey) -> Iterator[Fill]:
        """Return the fills of one subaccount and market in chain order."""
        return (self._by_id[entry[3]] for entry in self._by_key.get(key, ()))

    def take(self, fills: Iterable[Fill], *, in_chain_order: bool) -> tuple[tuple[Fill, ...], set[PositionKey]]:
        """Merge fills.

        Returns the ones that were not known, and the subaccounts and markets whose sequence changed. Fills of a block
        stand by event id; where only a sorted REST answer tells their order, by their place in it.
        """
        new: list[Fill] = []
        touched: set[PositionKey] = set()
        for fill in fills:
            held = self._by_id.get(fill.id)
            merged = fill if held is None else merge_fill(held, fill)
            self._by_id[fill.id] = merged
            self._reads += 1
            place = self._reads if in_chain_order else 0
            if held is None:
                new.append(merged)
            if self._place(merged, place):
                touched.add(PositionKey(merged.subaccount, merged.market))
        return tuple(new), touched

    def _place(self, fill: Fill, place: int) -> bool:
        old = self._rank.get(fill.id)
        rank = (fill.height, fill.event_id or _NO_EVENT, place if fill.event_id is None else 0)
        if old is not None and (old == rank or (fill.event_id is None and place == 0)):
            return False
        key = PositionKey(fill.subaccount, fill.market)
        by_key = self._by_key.setdefault(key, [])
        if old is not None:
            self._order.remove((*old, fill.id))
            by_key.remove((*old, fill.id))
        self._rank[fill.id] = rank
        insort(self._order, (*rank, fill.id))
        insort(by_key, (*rank, fill.id))
        return True

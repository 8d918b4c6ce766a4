"""Positions and balances of the watched account's subaccounts.

Stream rows of one subaccount are ordered by their versions; a REST or snapshot row by the block that it reflects.
Where both speak of the same block, REST has all of it and the stream perhaps not yet, so REST stands.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from dydx_console.domain.enums import PositionStatus
from dydx_console.domain.ids import PositionKey, StreamVersion
from dydx_console.domain.position import Balance, ChildState, Position

__all__ = ["Holdings"]

_Version = tuple[int, int, int, int]
_Seen = tuple[_Version, int | None]
_NEVER: _Version = (0, -1, 0, 0)
_LAST: _Version = (1 << 62, 0, 0, 0)


@dataclass(slots=True)
class Child:
    """One subaccount's rows, and how new each is: `seen` keeps the rows that have ended too.

    `read` are the positions of the last re-read, which alone tell when a position was opened, and `first` the first
    stream row after it of each market: rows of that one's id are the position that was read.
    """

    positions: dict[str, Position] = field(default_factory=dict)
    balances: dict[str, Balance] = field(default_factory=dict)
    seen: dict[str, _Seen] = field(default_factory=dict)
    read: dict[str, Position] = field(default_factory=dict)
    first: dict[str, tuple[_Seen, str | None]] = field(default_factory=dict)
    floor: _Version = _NEVER
    floor_height: int | None = None
    read_height: int | None = None


class Holdings:
    """What every subaccount of the account holds now."""

    def __init__(self) -> None:
        self._children: dict[int, Child] = {}

    @property
    def positions(self) -> tuple[Position, ...]:
        """Open positions by subaccount and market."""
        found = (position for child in self._children.values() for position in child.positions.values())
        return tuple(sorted(found, key=lambda position: (position.subaccount, position.market)))

    @property
    def balances(self) -> tuple[Balance, ...]:
        """Balances by subaccount and asset."""
        found = (balance for child in self._children.values() for balance in child.balances.values())
        return tuple(sorted(found, key=lambda balance: (balance.subaccount, balance.asset)))

    @property
    def subaccounts(self) -> tuple[int, ...]:
        """Numbers of the subaccounts that the venue has named."""
        return tuple(sorted(self._children))

    def position(self, key: PositionKey) -> Position | None:
        """Return one open position."""
        child = self._children.get(key.subaccount)
        return None if child is None else child.positions.get(key.market)

    def take_update(
        self, positions: Iterable[Position], balances: Iterable[Balance], version: StreamVersion, height: int | None
    ) -> tuple[tuple[Position, ...], bool]:
        """Merge rows of one stream message.

        Returns the position rows that no re-read has covered, ended ones first, and whether anything changed.
        """
        uncovered: list[Position] = []
        changed = False
        for index, position in enumerate(sorted(positions, key=_is_open)):
            child, mark = self._child(position.subaccount), (*version, index)
            if _is_covered(child, mark, height):
                continue
            uncovered.append(position)
            before = child.positions.get(position.market)
            _note_first(child, position, (mark, height))
            if _is_newer(child, f"p:{position.market}", mark, height):
                _put_position(child, position)
            _tell_opening(child, position.market)
            changed |= child.positions.get(position.market) != before
        for index, balance in enumerate(balances):
            child, mark = self._child(balance.subaccount), (*version, index)
            if not _is_covered(child, mark, height) and _is_newer(child, f"b:{balance.asset}", mark, height):
                changed |= child.balances.get(balance.asset) != balance
                child.balances[balance.asset] = balance
        return tuple(uncovered), changed

    def take_snapshot(
        self, children: Iterable[ChildState], covered: set[int], version: StreamVersion
    ) -> tuple[ChildState, ...]:
        """Replace the covered subaccounts by a snapshot; rows that the stream sent after it, or of later blocks, stay.

        Returns the subaccounts that were taken from it.
        """
        taken: list[ChildState] = []
        given = {state.subaccount: state for state in children}
        for number in covered | set(given):
            state = given.get(number, ChildState(number, (), (), None))
            child = self._child(number)
            mark = (*version, 0)
            if mark < child.floor:
                continue
            child.floor = mark
            if state.height is None or child.read_height is None or child.read_height <= state.height:
                child.floor_height = state.height
                _replace_rows(child, state, partial(_stands, mark, state.height))
                taken.append(state)
        return tuple(taken)

    def take_read(self, state: ChildState) -> bool:
        """Replace one subaccount by a REST answer, except rows of later blocks; returns whether it was taken."""
        child = self._child(state.subaccount)
        height = state.height
        if height is not None and child.read_height is not None and height < child.read_height:
            return False
        if height is not None and child.floor_height is not None and height < child.floor_height:
            return False
        child.read_height = child.read_height if height is None else height
        _replace_rows(child, state, partial(_stands, _LAST, height))
        return True

    def _child(self, number: int) -> Child:
        return self._children.setdefault(number, Child())


def _is_open(position: Position) -> bool:
    return position.status == PositionStatus.OPEN


def _stands(mark: _Version, height: int | None, seen: _Seen) -> bool:
    """Return whether a stream row stands against a re-read: sent after it, or of a block that it does not know."""
    version, block = seen
    return version > mark or (height is not None and block is not None and block > height)


def _is_covered(child: Child, version: _Version, height: int | None) -> bool:
    """Return whether a re-read of the subaccount already tells what a stream row of this block could tell."""
    if version < child.floor:
        return True
    if height is None:
        return False
    if child.floor_height is not None and height < child.floor_height:
        return True
    return child.read_height is not None and height <= child.read_height


def _is_newer(child: Child, name: str, version: _Version, height: int | None) -> bool:
    held, _ = child.seen.get(name, (_NEVER, None))
    if version < held:
        return False
    child.seen[name] = (version, height)
    return True


def _put_position(child: Child, position: Position) -> None:
    if position.status != PositionStatus.OPEN or not position.net_size:
        child.positions.pop(position.market, None)
    else:
        child.positions[position.market] = position


def _note_first(child: Child, position: Position, seen: _Seen) -> None:
    held = child.first.get(position.market)
    if held is None or seen[0] < held[0][0]:
        child.first[position.market] = (seen, position.position_id)


def _tell_opening(child: Child, market: str) -> None:
    """Give a stream row's position the opening that the re-read told, if it is the same position."""
    held, read = child.positions.get(market), child.read.get(market)
    if held is None or market not in child.first:
        return
    is_same = read is not None and _is_same(held, read, child.first[market][1])
    opened = (read.opened_at, read.opened_at_height) if is_same and read is not None else (None, None)
    child.positions[market] = replace(held, opened_at=opened[0], opened_at_height=opened[1])


def _is_same(held: Position, read: Position, first_id: str | None) -> bool:
    if (held.net_size > 0) != (read.net_size > 0):
        return False
    if held.position_id is not None:
        return held.position_id == first_id
    return held.sum_open is None or read.sum_open is None or held.sum_open >= read.sum_open


def _replace_rows(child: Child, state: ChildState, keeps: Callable[[_Seen], bool]) -> None:
    kept = {name for name, seen in child.seen.items() if keeps(seen)}
    child.read = {position.market: position for position in state.positions}
    child.first = {market: first for market, first in child.first.items() if keeps(first[0])}
    for market in [m for m in child.positions if f"p:{m}" not in kept and m not in child.read]:
        del child.positions[market]
    for position in state.positions:
        if f"p:{position.market}" not in kept:
            _put_position(child, position)
    for market, held in child.positions.items():
        if f"p:{market}" in kept:
            child.first.setdefault(market, (child.seen[f"p:{market}"], held.position_id))
            _tell_opening(child, market)
    balances = {balance.asset: balance for balance in state.balances if f"b:{balance.asset}" not in kept}
    for asset in [a for a in child.balances if f"b:{a}" not in kept and a not in balances]:
        del child.balances[asset]
    child.balances.update(balances)

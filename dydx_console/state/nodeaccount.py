"""The account's positions and balances as a node tells them, while the Indexer does not.

They are kept beside the Indexer's and never mixed into them. A node knows sizes, cash and oracle prices, neither what a
position cost nor when it began: that is the Indexer's row's while its size is the same, and otherwise unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.state.ages import DELAYED_S, PictureState, grown_older, state_by_age

if TYPE_CHECKING:  # snapshots are made of these, and the first screen is painted without any
    from datetime import datetime
    from decimal import Decimal

    from dydx_console.domain.nodeaccount import ToldAccount
    from dydx_console.domain.position import Balance, ChildState, Position
    from dydx_console.state.freshness import ChannelView, Freshness
    from dydx_console.state.holdings import Holdings

__all__ = ["Absence", "Figures", "NodeAccount", "NodeAccountView"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the account holds, by one source. `kept` are the positions whose cost and funding still hold."""

    subaccounts: tuple[int, ...]
    positions: tuple[Position, ...]
    balances: tuple[Balance, ...]
    markets: Mapping[str, Market]
    kept: frozenset[PositionKey] | None = None

    def keeps(self, key: PositionKey) -> bool:
        """Return whether what is known of a position beside its size still holds; the Indexer's own always do."""
        return self.kept is None or key in self.kept


@dataclass(frozen=True, slots=True)
class NodeAccountView:
    """Where a node's figures of the account come from, and what may be said of them.

    None of them is older than the block at `height`. They are read every few seconds, so that they are POLLING at
    best, and by their age after that. Up to `live_limit_s` of age a picture may be called live.
    """

    endpoint: str
    height: int
    time: datetime
    state: PictureState
    age_s: float
    live_limit_s: float

    def later(self, elapsed_s: float) -> NodeAccountView:
        """Return the view `elapsed_s` after this one if nothing arrived."""
        state, age_s = grown_older(self.state, self.age_s, elapsed_s, self.live_limit_s)
        return self if age_s is None else replace(self, state=state, age_s=age_s)


@dataclass(frozen=True, slots=True)
class _Child:
    """One subaccount as a node told it in an answer of this height."""

    state: ChildState
    told: ToldAccount
    age_s: float
    at: float


class NodeAccount:
    """What a node told of the account since the Indexer last did."""

    def __init__(self) -> None:
        self._children: dict[int, _Child] = {}
        self._prices: dict[str, Decimal] = {}
        self._height = -1
        self.failures = 0
        """How often in this run no node told the account although it should."""

    @property
    def stands_in(self) -> bool:
        """Whether the figures are a node's."""
        return bool(self._children)

    @property
    def holders(self) -> frozenset[int]:
        """Numbers of the subaccounts that a node told to hold something."""
        return frozenset(number for number, child in self._children.items() if _holds(child.state))

    def take(self, told: ToldAccount, age_s: float, at: float) -> bool:
        """Take an answer; returns whether it was. A block that is older than one that was told changes nothing."""
        if told.head.height < self._height:
            return False
        self._height = told.head.height
        self._prices = dict(told.prices)
        for child in told.children:
            self._children[child.subaccount] = _Child(child, told, age_s, at)
        return bool(told.children)

    def failed(self) -> None:
        """Count a reading that failed; what was read stays, and its age grows."""
        self.failures += 1

    def leave(self) -> None:
        """Forget what was read: the Indexer tells the account again."""
        self._children.clear()
        self._prices.clear()
        self._height = -1

    def figures(self, indexer: Holdings, markets: Mapping[str, Market]) -> Figures:
        """Return the account's figures: a node's while it stands in, else the Indexer's as they are."""
        if not self._children:
            return Figures(indexer.subaccounts, indexer.positions, indexer.balances, markets)
        told = [child.state for _, child in sorted(self._children.items())]
        rows = sorted((row for state in told for row in state.positions), key=_place)
        kept = frozenset(_key(row) for row in rows if _is_unchanged(row, indexer.position(_key(row))))
        return Figures(
            subaccounts=tuple(sorted(self._children)),
            positions=tuple(_with_history(row, indexer) if _key(row) in kept else row for row in rows),
            balances=tuple(balance for state in told for balance in state.balances),
            markets=self._priced(markets, {row.market for row in rows}),
            kept=kept,
        )

    def view(self, freshness: Freshness, at: float) -> NodeAccountView | None:
        """Return where the figures come from, None while they are the Indexer's.

        They are as old as the oldest answer of a subaccount that holds something.
        """
        weighty = [child for child in self._children.values() if _holds(child.state)] or list(self._children.values())
        if not weighty:
            return None
        oldest = min(weighty, key=lambda child: child.told.head.height)
        head = oldest.told.head
        known_s = freshness.age_s(head.time, at)
        age_s = max(oldest.age_s + at - oldest.at if known_s is None else known_s, at - oldest.at, 0.0)
        limit_s = freshness.live_limit_s
        state = PictureState.POLLING if age_s <= max(DELAYED_S, limit_s) else state_by_age(age_s, limit_s)
        return NodeAccountView(head.source, head.height, head.time, state, age_s, limit_s)

    def _priced(self, markets: Mapping[str, Market], held: Iterable[str]) -> Mapping[str, Market]:
        """Return the markets with a node's oracle prices for those held; without one, the price is unknown."""
        own = {ticker: replace(markets.get(ticker) or Market(ticker), oracle_price=self._prices.get(ticker),
                               oracle_height=None, oracle_at=None) for ticker in held}  # fmt: skip
        return {**markets, **own}


class Absence:
    """Judges by looks at the account's channel, one after the other, whether a node has to tell the account.

    That is so once the channel's figures are older than `patience_s`, or have been unusable for so long, and until they
    are fresh again. POLLING is the Indexer's own answer, and where the whole chain has halted no node is newer.
    """

    def __init__(self, patience_s: float = DELAYED_S) -> None:
        self._patience_s = patience_s
        self._good_at: float | None = None
        self.is_absent = False
        """What the last look found."""

    def look(self, channels: Iterable[ChannelView], at: float) -> bool:
        """Look at the stream's channels now; returns whether a node has to tell the account."""
        found = [view for view in channels if view.key.is_account]
        if self._good_at is None:
            self._good_at = at
        if found and all(self._is_good(view) for view in found):
            self._good_at, self.is_absent = at, False
        elif any(self._is_old(view) for view in found) or at - self._good_at > self._patience_s:
            self.is_absent = True
        return self.is_absent

    def _is_good(self, view: ChannelView) -> bool:
        if view.state is PictureState.DELAYED:
            # a channel at the edge of its age would change the source with every block
            return not self.is_absent or (view.age_s is not None and view.age_s <= self._patience_s / 2)
        return view.state in (PictureState.LIVE, PictureState.POLLING, PictureState.CHAIN_HALTED)

    def _is_old(self, view: ChannelView) -> bool:
        if view.state in (PictureState.STALE, PictureState.OFFLINE):
            return True
        return view.state is PictureState.SUSPECT and view.age_s is not None and view.age_s > self._patience_s


def _holds(state: ChildState) -> bool:
    return bool(state.positions or state.balances)


def _key(row: Position) -> PositionKey:
    return PositionKey(row.subaccount, row.market)


def _place(row: Position) -> tuple[int, str]:
    return row.subaccount, row.market


def _is_unchanged(row: Position, held: Position | None) -> bool:
    return held is not None and held.net_size == row.net_size


def _with_history(row: Position, indexer: Holdings) -> Position:
    held = indexer.position(_key(row))
    return row if held is None else replace(held, height=row.height)

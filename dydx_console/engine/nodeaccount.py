"""Has a node tell the account's positions and balances while the Indexer does not."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from dydx_console.domain.chain import BlockHead, NodeSubaccount, OraclePrice
from dydx_console.domain.events import Event, NodeAccountFailed, NodeAccountLeft, NodeAccountRead
from dydx_console.domain.ids import parent_of
from dydx_console.domain.nodeaccount import Perpetual, ToldAccount, UntoldError, told_account
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import VenueError
from dydx_console.ports.node import NodePort
from dydx_console.ports.notices import Level, Notice
from dydx_console.state.ages import DELAYED_S, STALE_S, PictureState
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.nodeaccount import Absence

__all__ = ["NodeAccountKeeper", "NodeAccountPace"]

MOST_EMPTY = 2
"""Subaccounts without holdings that are read along, in turn."""


@dataclass(frozen=True, slots=True)
class NodeAccountPace:
    """How often a node is asked, in seconds. Public ones take 250 to 300 questions a minute from an address.

    `look_s` between looks at the stream, `patience_s` as `Absence` has it. `every_s` between readings, but
    `question_s` for each question of the last one where that is longer; up to `slow_s` while none answers.
    """

    look_s: float = 0.25
    patience_s: float = DELAYED_S
    every_s: float = 2.5
    question_s: float = 0.5
    slow_s: float = 10.0


class _UnusableError(Exception):
    """A node answered, and its figures may not be shown; the message is one line for a person."""


class NodeAccountKeeper:
    """Reads the watched account from the nodes from when the Indexer's figures are too old until they are fresh again.

    Only subaccounts that something was told of can be read: the parent, and its children that the Indexer, an order, a
    fill or a node named. A child that was first used meanwhile is not seen before the Indexer is back.

    Args:
        watched: the account.
        node: the network's nodes.
        state: what is known; only read.
        sink: takes every event.
        tell: tells a person that a node stands in, and that it no longer does, once each.
        chain_id: the configured chain; a node of another one tells nothing.
        clock: the clock of the events.
        pace: how often.
    """

    def __init__(
        self,
        watched: Watched,
        node: NodePort,
        state: ConsoleState,
        sink: Callable[[Event], None],
        tell: Callable[[Notice], None],
        *,
        chain_id: str,
        clock: Clock,
        pace: NodeAccountPace = NodeAccountPace(),
    ) -> None:
        self._watched = watched
        self._chain_id = chain_id
        self._node = node
        self._state = state
        self._sink = sink
        self._tell = tell
        self._clock = clock
        self._pace = pace
        self._absence = Absence(pace.patience_s)
        self._needed = asyncio.Event()
        self._questions = 0
        self._turn = 0
        self._failed_in_a_row = 0
        self._has_told_failure = False

    async def run(self) -> None:
        """Look and read until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_on(), name="account looks")
            tasks.create_task(self._read_on(), name="account by node")

    async def _look_on(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(self._pace.look_s)

    def look(self) -> None:
        """Hold the Indexer's figures against the clock, and give way to them where they are good again."""
        now = self._clock.monotonic()
        if self._absence.look(self._state.freshness.view(now).channels, now):
            self._needed.set()
            self._give_way_to_newer(now)
            return
        self._needed.clear()
        self._failed_in_a_row, self._has_told_failure = 0, False
        self._leave("Positions and balances come from the Indexer again.", Level.INFO, now)

    def _give_way_to_newer(self, now: float) -> None:
        """Leave figures of a node that are older by now than the Indexer's, or that must not be trusted."""
        shown = self._state.node_account.view(self._state.freshness, now)
        if shown is None:
            return
        contradiction, indexer_s = self._contradiction(now), self._indexer_age_s(now)
        if contradiction is not None:
            text = f"The node's positions and balances are not shown any more: {contradiction}."
            self._leave(text, Level.WARNING, now)
        elif indexer_s is not None and indexer_s < shown.age_s:
            text = "The Indexer's positions and balances are newer than the node's: they are shown again."
            self._leave(text, Level.WARNING, now)

    def _leave(self, text: str, level: Level, now: float) -> None:
        if self._state.node_account.stands_in:
            self._sink(NodeAccountLeft(now))
            self._tell(Notice(text, level, self._clock.utc()))

    async def _read_on(self) -> None:
        while True:
            await self._needed.wait()
            await self._read_once()
            await asyncio.sleep(self._wait_s())

    def _wait_s(self) -> float:
        usual_s = max(self._pace.every_s, self._questions * self._pace.question_s)
        doubled = min(self._failed_in_a_row, 8)
        return max(usual_s, min(usual_s * (1 << doubled), self._pace.slow_s))

    async def _read_once(self) -> None:
        try:
            told = await self._reading()
        except (VenueError, UntoldError, _UnusableError) as error:
            self._failed(str(error))
        else:
            if told is not None:
                self._take(told)

    async def _reading(self) -> ToldAccount | None:
        """Return the account by one node, none of it older than the block that the node had first.

        None where the Indexer is back before all of it was told.
        """
        numbers = self._numbers()
        self._questions = len(numbers) + 2
        first = await self._node.latest_block()
        self._check(first)
        found: list[NodeSubaccount] = []
        for number in numbers:
            if not self._needed.is_set():
                return None
            found.append(await self._node.subaccount(self._watched.address, number))
        perpetuals: tuple[Perpetual, ...] = ()
        prices: tuple[OraclePrice, ...] = ()
        if any(one.positions for one in found):
            self._questions += 2
            perpetuals, prices = await self._node.perpetuals(), await self._node.oracle_prices()
        last = await self._node.latest_block()
        if last.source != first.source or last.height < first.height:
            raise _UnusableError(f"{first.source}: did not answer for the whole account")
        return told_account(first, found, perpetuals, prices)

    def _numbers(self) -> tuple[int, ...]:
        """Return the subaccounts to read now: all that are known to hold something, and some of the others."""
        state, parent = self._state, self._watched.parent
        holders = {parent, *state.node_account.holders}
        holders |= {position.subaccount for position in state.holdings.positions}
        holders |= {balance.subaccount for balance in state.holdings.balances if balance.amount}
        named = {key.subaccount for key in state.ledger_keys()}
        named |= {order.subaccount for order in state.orders if order.subaccount is not None}
        others = sorted(number for number in {*named, *state.holdings.subaccounts} if number not in holders)
        if others:
            start, self._turn = self._turn % len(others), self._turn + MOST_EMPTY
            others = [*others[start:], *others[:start]][:MOST_EMPTY]
        return tuple(number for number in (*sorted(holders), *others) if parent_of(number) == parent)

    def _check(self, head: BlockHead) -> None:
        """Raise where what the node has may not be shown."""
        now = self._clock.monotonic()
        if head.chain_id != self._chain_id:
            raise _UnusableError(f"{head.source}: is on {head.chain_id}, not on {self._chain_id}")
        contradiction = self._contradiction(now)
        if contradiction is not None:
            raise _UnusableError(contradiction)
        node_s, indexer_s = self._state.freshness.age_s(head.time, now), self._indexer_age_s(now)
        if node_s is not None and indexer_s is not None and indexer_s <= node_s:
            raise _UnusableError(f"{head.source}: is no newer than the Indexer")

    def _contradiction(self, now: float) -> str | None:
        return self._state.node.view(now, None).contradiction

    def _indexer_age_s(self, now: float) -> float | None:
        """Return how old the Indexer's figures of the account are, None where it tells none that grow old."""
        views = [view for view in self._state.freshness.view(now).channels if view.key.is_account]
        # a channel that was refused is OFFLINE at any age
        aging = [view.age_s for view in views if view.state is PictureState.STALE or (view.age_s or 0.0) > STALE_S]
        return min((age_s for age_s in aging if age_s is not None), default=None)

    def _take(self, told: ToldAccount) -> None:
        self._failed_in_a_row = 0
        if not self._needed.is_set():
            return
        now, is_new = self._clock.monotonic(), not self._state.node_account.stands_in
        age_s = max((self._clock.utc() - told.head.time).total_seconds(), 0.0)
        self._sink(NodeAccountRead(told, age_s, now))
        if is_new and self._state.node_account.stands_in:
            self._has_told_failure = False
            text = f"Positions and balances come from node {told.head.source}: the Indexer's are not to be had."
            self._tell(Notice(text, Level.WARNING, self._clock.utc()))

    def _failed(self, text: str) -> None:
        if not self._needed.is_set():
            return
        self._failed_in_a_row += 1
        self._sink(NodeAccountFailed(text, self._failed_in_a_row == 1, self._clock.monotonic()))
        if not self._has_told_failure:
            self._has_told_failure = True
            told = f"No node tells positions and balances in place of the Indexer ({text}): those shown keep their age."
            self._tell(Notice(told, Level.WARNING, self._clock.utc()))

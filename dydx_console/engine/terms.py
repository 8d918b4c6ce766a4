"""Reads from the nodes what the chain has for an owner: the leverages that were chosen, and what trades cost."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from dydx_console.domain.events import Event, FeeTierRead, LeveragesRead
from dydx_console.domain.ids import parent_of
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.node import NodePort
from dydx_console.state.console import ConsoleState, Watched

__all__ = ["TermsKeeper", "TermsPace"]

MOST_CHILDREN = 8
"""Isolated subaccounts whose own choice is read; the others have the parent's, as on the web."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TermsPace:
    """How often nodes are asked, in seconds: every so often, and sooner while none answers."""

    every_s: float = 3600.0
    retry_s: float = 15.0
    slow_s: float = 600.0


class TermsKeeper:
    """Reads chosen leverages and the fee tier at the start and every hour.

    Nodes of before the chain's version 9 do not know chosen leverages: then those of the configuration count.

    Args:
        watched: the account.
        node: the network's nodes.
        state: what is known; only read.
        sink: takes every event.
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
        *,
        chain_id: str,
        clock: Clock,
        pace: TermsPace = TermsPace(),
    ) -> None:
        self._watched = watched
        self._node = node
        self._state = state
        self._sink = sink
        self._chain_id = chain_id
        self._clock = clock
        self._pace = pace
        self._told: str | None = None

    async def run(self) -> None:
        """Read until cancelled."""
        wait_s = self._pace.retry_s
        while True:
            if await self.read():
                wait_s = self._pace.retry_s
                await asyncio.sleep(self._pace.every_s)
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, self._pace.slow_s)

    async def read(self) -> bool:
        """Read both once; returns whether nodes said all that they know."""
        try:
            head = await self._node.latest_block()
        except VenueError as error:
            log.info("chosen leverages and fees are not known: %s", error)
            return False
        if head.chain_id != self._chain_id:
            log.warning("%s is on %s: what it says of leverages and fees does not count", head.source, head.chain_id)
            return False
        has_leverages, has_fees = await self._read_leverages(), await self._read_fees()
        return has_leverages and has_fees

    async def _read_leverages(self) -> bool:
        address = self._watched.address
        try:
            for number in self._numbers():
                chosen = await self._node.leverages(address, number)
                self._sink(LeveragesRead(address, number, chosen, self._clock.monotonic()))
        except VenueError as error:
            self._log(f"no node tells the leverages that were chosen ({error}){self._instead()}")
            # a node that does not know the question will not know it in a minute either
            return error.kind is FaultKind.REJECTED
        self._log("the leverages that count are those of the chain")
        return True

    async def _read_fees(self) -> bool:
        address = self._watched.address
        try:
            tier = await self._node.fee_tier(address)
        except VenueError as error:
            log.info("no node tells what trades cost: %s", error)
            return error.kind is FaultKind.REJECTED
        self._sink(FeeTierRead(address, tier, self._clock.monotonic()))
        return True

    def _numbers(self) -> tuple[int, ...]:
        """Return the parent, and its children that hold positions."""
        parent = self._watched.parent
        held = {position.subaccount for position in self._state.holdings.positions}
        children = sorted(number for number in held if number != parent and parent_of(number) == parent)
        return (parent, *children[:MOST_CHILDREN])

    def _instead(self) -> str:
        leverages = self._state.leverages
        if leverages.is_told:
            return ": those that were told before count"
        return ": those of the configuration count" if leverages.configured else ""

    def _log(self, text: str) -> None:
        """Log what is new."""
        if text != self._told:
            self._told = text
            log.info("%s", text)

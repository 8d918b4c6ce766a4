"""Asks the nodes which chain they are on, and holds that against the configuration and the Indexer."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from dydx_console.domain.chain import BlockHead
from dydx_console.domain.events import Event, NodeBlockRead, NodeChecked, NodeFailed, NodeHead
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.node import NodePort
from dydx_console.ports.notices import Level, Notice
from dydx_console.safety.grants import BindingState, NodeEvidence, bind, comparable_height
from dydx_console.safety.networks import Network
from dydx_console.state.epoch import Head
from dydx_console.state.freshness import Freshness

__all__ = ["EvidenceKeeper", "EvidencePace"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EvidencePace:
    """How often nodes are asked, in seconds. Public ones take 250 to 300 questions a minute from an address.

    `head_s` between questions for the newest block, up to `head_slow_s` while none answers; `check_s` between
    questions for the chain, `retry_s` while it could not be compared.
    """

    head_s: float = 2.0
    head_slow_s: float = 10.0
    check_s: float = 60.0
    retry_s: float = 5.0


class EvidenceKeeper:
    """Keeps what the nodes say, as events for the state and as evidence for grants.

    Args:
        network: what is configured.
        node: the network's nodes.
        freshness: what the Indexer told of blocks in this run; only read.
        sink: takes every event.
        tell: tells a person what contradicts the configuration, each thing once.
        clock: stamps events.
        pace: how often.
        remembered: tells the newest block before this run or connection, until it is settled that it is of this chain.
    """

    def __init__(
        self,
        network: Network,
        node: NodePort,
        freshness: Freshness,
        sink: Callable[[Event], None],
        tell: Callable[[Notice], None],
        *,
        clock: Clock,
        pace: EvidencePace = EvidencePace(),
        remembered: Callable[[], Head | None] = lambda: None,
    ) -> None:
        self._network = network
        self._node = node
        self._freshness = freshness
        self._sink = sink
        self._notify = tell
        self._told: str | None = None
        self._clock = clock
        self._pace = pace
        self._remembered = remembered
        self._suspicious = asyncio.Event()
        self._in_use: str | None = None
        self._checked: tuple[str | None, str | None, int] | None = None

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_heads(), name="node heads")
            tasks.create_task(self._keep_checked(), name="node checks")

    async def fresh(self) -> NodeEvidence | None:
        """Ask a node anew; returns what it said, None where none answered.

        An endpoint that cannot be compared with the Indexer is passed over for the next one.
        """
        best: NodeEvidence | None = None
        for endpoint in sorted(self._node.endpoints, key=lambda one: one != self._in_use):
            found = await self._evidence_of(endpoint)
            if found is None:
                continue
            if found.binding.state is not BindingState.UNKNOWN or found.info.chain_id != self._network.chain_id:
                best = found
                break
            best = best or found
        self._tell(best)
        return best

    def contradiction(self, evidence: NodeEvidence) -> str | None:
        """Return what of a node's evidence contradicts the configuration, None where nothing does."""
        if evidence.info.chain_id != self._network.chain_id:
            return f"node {evidence.info.endpoint} is on {evidence.info.chain_id}, not on {self._network.chain_id}"
        if evidence.binding.state is BindingState.MISMATCH:
            return f"Indexer and node are not on one chain: {evidence.binding.reason}"
        return None

    async def _follow_heads(self) -> None:
        wait_s = self._pace.head_s
        while True:
            try:
                head = await self._node.latest_block()
            except VenueError as error:
                self._sink(NodeFailed(str(error), self._clock.monotonic()))
                wait_s = min(wait_s * 2, self._pace.head_slow_s)
            else:
                wait_s = self._pace.head_s
                self._take_head(head)
            await asyncio.sleep(wait_s)

    def _take_head(self, head: BlockHead) -> None:
        self._in_use = head.source
        self._sink(NodeHead(head, self._clock.monotonic()))
        if self._checked != (head.source, head.chain_id, self._freshness.newest_connection):
            self._suspicious.set()

    async def _keep_checked(self) -> None:
        """Compare at first, then now and again, and at once when endpoint, chain or connection are others."""
        while True:
            self._suspicious.clear()
            evidence = await self.fresh()
            is_settled = evidence is not None and evidence.binding.state is not BindingState.UNKNOWN
            if evidence is not None and await self._denies_remembered(evidence):
                is_settled = False
            try:
                async with asyncio.timeout(self._pace.check_s if is_settled else self._pace.retry_s):
                    await self._suspicious.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(self._pace.head_s)

    async def _denies_remembered(self, evidence: NodeEvidence) -> bool:
        """Have the block that was known before compared with the node's; returns whether it was another one.

        Only a node on the Indexer's chain can tell, and not every node keeps old blocks.
        """
        known = self._remembered()
        if known is None or evidence.binding.state is not BindingState.BOUND or self.contradiction(evidence):
            return False
        try:
            block = await self._node.block(known.height, evidence.info.endpoint)
        except VenueError as error:
            log.info("block %d, which was known before, cannot be compared: %s", known.height, error)
            return False
        self._sink(NodeBlockRead(block, self._clock.monotonic()))
        return self._remembered() is not None

    async def _evidence_of(self, endpoint: str) -> NodeEvidence | None:
        asked_at = self._clock.monotonic()
        connection = self._freshness.newest_connection
        try:
            info = await self._node.info(endpoint)
            syncing = await self._node.syncing(endpoint)
            block = await self._block_to_compare(endpoint)
        except VenueError:
            return None
        return NodeEvidence(info, syncing, bind(self._freshness.told(), block), connection, asked_at)

    async def _block_to_compare(self, endpoint: str) -> BlockHead | None:
        head = await self._node.latest_block(endpoint)
        height = comparable_height(self._freshness.told(), head.height)
        if height is None:
            return None
        try:
            return await self._node.block(height, endpoint)
        except VenueError as error:
            if error.kind is not FaultKind.NOT_FOUND:
                raise
            return None

    def _tell(self, evidence: NodeEvidence | None) -> None:
        now = self._clock.monotonic()
        if evidence is None:
            self._checked = None
            unknown = (BindingState.UNKNOWN.value, "no node said which chain it is on")
            self._sink(NodeChecked(None, None, unknown, None, now))
            return
        self._checked = (evidence.info.endpoint, evidence.info.chain_id, evidence.connection)
        told = (evidence.binding.state.value, evidence.binding.reason)
        contradiction = self.contradiction(evidence)
        self._sink(NodeChecked(evidence.info, evidence.syncing, told, contradiction, now))
        if contradiction is not None and contradiction != self._told:
            self._notify(Notice(contradiction, Level.ERROR, self._clock.utc(), rings=True, stays=True))
        self._told = contradiction

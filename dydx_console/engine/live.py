"""The live Indexer and the nodes of its network as a source."""

import asyncio
import logging
import random
from collections.abc import Iterable

from dydx_console import __version__
from dydx_console.domain.events import ChannelKey
from dydx_console.engine.evidence import EvidenceKeeper
from dydx_console.engine.gate import Gate
from dydx_console.engine.nodeaccount import NodeAccountKeeper
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.publish import Publisher
from dydx_console.engine.reconciling import ReconcileKeeper
from dydx_console.engine.tap import RecordingTap
from dydx_console.engine.terms import TermsKeeper
from dydx_console.engine.watching import ChainWatch, KnownLosses
from dydx_console.ports.clock import Clock
from dydx_console.ports.node import NodePort
from dydx_console.ports.tap import NoTap, Tap
from dydx_console.venue.indexer.feed import FeedPlan, IndexerFeed
from dydx_console.venue.indexer.pnl_reader import PnlReader
from dydx_console.venue.indexer.rest import IndexerRest
from dydx_console.venue.resilience.counters import FaultCounters

__all__ = ["LiveSource", "user_agent"]

log = logging.getLogger(__name__)


def user_agent() -> str:
    """Return what we call ourselves to a venue."""
    return f"dydx-console/{__version__}"


class LiveSource:
    """Follows the Indexer by socket and REST, and asks the nodes. Must be built inside the engine's loop.

    Nothing is asked before the gate lets it.

    Args:
        plan: where and whom.
        gate: the policy's decision.
        node: the network's nodes, None where it has none.
        publisher: takes every event.
        clock: stamps them.
        rng: spreads delays.
        tap: writes a recording; without one nothing is recorded.
        counters: counts failures; shared with the nodes' client.
    """

    def __init__(
        self,
        plan: LivePlan,
        gate: Gate,
        node: NodePort | None,
        publisher: Publisher,
        *,
        clock: Clock,
        rng: random.Random,
        tap: RecordingTap | None = None,
        counters: FaultCounters | None = None,
    ) -> None:
        heard: Tap = NoTap() if tap is None else tap
        network = plan.network
        self._gate = gate
        self._node = node
        self._recording = tap
        freshness = publisher.state.freshness
        self._rest = IndexerRest(
            network.indexer_rest,
            clock,
            heard,
            rng,
            user_agent(),
            allow_proxy=plan.allow_proxy,
            sink=publisher.take,
            counters=counters,
        )
        self._feed = IndexerFeed(
            FeedPlan(
                network.indexer_websocket,
                plan.address,
                plan.parent,
                allow_proxy=plan.allow_proxy,
                known_fills=lambda: publisher.state.coverage.end,
            ),
            self._rest,
            publisher.take,
            clock=clock,
            tap=heard,
            rng=rng,
            log=log.info,
            losses=KnownLosses(freshness, clock),
        )
        self._watch = ChainWatch(freshness, publisher.take, clock)
        self.evidence: EvidenceKeeper | None = None
        if node is not None:
            self.evidence = EvidenceKeeper(
                network,
                node,
                freshness,
                publisher.take,
                publisher.tell,
                clock=clock,
                remembered=lambda: publisher.state.epoch.remembered,
            )
        """What the nodes say, None where the network has none."""
        watched = publisher.state.watched
        self._reconcile: ReconcileKeeper | None = None
        if watched is not None:
            reader = PnlReader(self._rest, watched.address, watched.parent, publisher.take)
            self._reconcile = ReconcileKeeper(reader, publisher.state, publisher.compared, publisher.tell, clock=clock)
        self._account: NodeAccountKeeper | None = None
        self._terms: TermsKeeper | None = None
        if node is not None and watched is not None:
            self._terms = TermsKeeper(
                watched, node, publisher.state, publisher.take, chain_id=network.chain_id, clock=clock
            )
            self._account = NodeAccountKeeper(
                watched,
                node,
                publisher.state,
                publisher.take,
                publisher.tell,
                chain_id=network.chain_id,
                clock=clock,
            )

    @property
    def rest(self) -> IndexerRest:
        """The Indexer's client, for whoever reads behind the feed on the same budgets."""
        return self._rest

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._gate.passed()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed.run(), name="feed")
            tasks.create_task(self._watch.run(), name="chain watch")
            if self.evidence is not None:
                tasks.create_task(self.evidence.run(), name="evidence")
            if self._account is not None:
                tasks.create_task(self._account.run(), name="account by node")
            if self._terms is not None:
                tasks.create_task(self._terms.run(), name="leverages and fees")
            if self._reconcile is not None:
                tasks.create_task(self._reconcile.run(), name="reconcile")

    def want(self, keys: Iterable[ChannelKey]) -> None:
        """Follow these channels besides those that are always followed; call it in the engine's loop."""
        self._feed.want(keys)

    def reconcile(self) -> None:
        """Compare our figures with the Indexer's own as soon as the picture is live."""
        if self._reconcile is not None:
            self._reconcile.ask()

    def reconnect(self) -> None:
        """Connect afresh now."""
        self._feed.reconnect()

    async def close(self) -> None:
        """Close the REST client and the node's channels, and the recording after what it was still told."""
        await self._rest.close()
        if self._node is not None:
            await self._node.close()
        if self._recording is not None:
            await asyncio.to_thread(self._recording.close)

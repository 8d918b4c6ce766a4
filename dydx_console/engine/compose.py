"""Puts engines together: the only place that knows every room.

What is imported inside the builders is imported by the engine's thread, after the first screen has been painted.
"""

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from dydx_console.domain.preflight import Report
from dydx_console.engine.child import SimChild
from dydx_console.engine.gate import Gate
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.runtime import Engine, Works
from dydx_console.ports.clock import Clock, RecordingClock, SystemClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import NetworkView
from dydx_console.preflight.plan import PreflightPlan
from dydx_console.safety.networks import Network

if TYPE_CHECKING:
    from dydx_console.engine.history import HistoryKeeper
    from dydx_console.engine.owner import JournalKeeper
    from dydx_console.engine.tap import RecordingTap
    from dydx_console.ports.node import NodePort
    from dydx_console.ports.probe import IndexerProbe
    from dydx_console.recording.lines import Entry
    from dydx_console.venue.resilience.counters import FaultCounters

__all__ = ["check_once", "live_engine", "replay_engine"]

MEGABYTE = 1_000_000


def live_engine(
    plan: LivePlan, checks: PreflightPlan, gate: Gate, view: NetworkView, child: SimChild | None = None
) -> Engine:
    """Return an engine that follows a network once its gate is open; it is not started yet.

    With `child` the URLs are those of an exchange that is still starting; waiting for it is the engine's first task.
    Raises OSError where the recording of the plan cannot be begun; an existing file is never overwritten.
    """
    clock, mailbox = SystemClock(), Mailbox()
    tap: RecordingTap | None = None
    reached = plan
    journal: JournalKeeper | None = None
    history: HistoryKeeper | None = None

    async def build() -> Works:
        from dydx_console.engine.checking import Checking
        from dydx_console.engine.history import HistoryKeeper
        from dydx_console.engine.live import LiveSource
        from dydx_console.engine.owner import JournalKeeper
        from dydx_console.engine.publish import Publisher
        from dydx_console.ports.journal import JournalId
        from dydx_console.state.console import ConsoleState, Watched
        from dydx_console.venue.resilience.counters import FaultCounters

        nonlocal reached, journal, history, tap
        if child is not None and reached is plan:
            reached = await _served_by(child, plan)
        watched = None if plan.address is None else Watched(plan.address, plan.parent)
        renewed = asyncio.Event()
        publisher = Publisher(ConsoleState(watched), mailbox, clock, renewed=renewed.set)
        publisher.state.risk_limits, publisher.state.leverages.configured = plan.risk, plan.leverage
        rng = random.Random()  # noqa: S311 - it spreads delays
        counters = FaultCounters(clock)
        node = _node_client(reached.network, clock, allow_proxy=plan.allow_proxy, counters=counters)
        source = LiveSource(reached, gate, node, publisher, clock=clock, rng=rng, tap=tap, counters=counters)
        # the source closes its recording; what is made anew for another chain records nothing
        tap = None
        planned = replace(checks, network=reached.network)
        probe = _probe(reached.network, clock, allow_proxy=plan.allow_proxy, counters=counters)
        checking = Checking(planned, gate, node, probe, clock=clock)
        if plan.journal is not None and watched is not None:
            identity = JournalId(plan.network.name, plan.network.chain_id, watched.address)
            overdue = None if journal is None else journal.overdue
            journal = JournalKeeper(plan.journal, identity, publisher, watched, gate, clock=clock, overdue=overdue)
            # what was being fetched of a chain that is no more is fetched of the new one
            wanted = history is not None and history.is_fetching
            history = HistoryKeeper(journal, source.rest, watched, clock=clock, wanted=wanted)
        return Works(publisher, source, checking, source.evidence, journal, renewed, history)

    engine = Engine(build, mailbox=mailbox, network=view, clock=clock, gate=gate)
    if plan.record_to is not None:
        from dydx_console.engine import tap as recording

        tap = recording.RecordingTap(plan.record_to, plan.record_megabytes * MEGABYTE, engine.reconnect)
    return engine


async def _served_by(child: SimChild, plan: LivePlan) -> LivePlan:
    """Return the plan with the URLs of an exchange of one's own, once it listens."""
    urls = await asyncio.to_thread(child.urls)
    served = replace(plan.network, indexer_rest=urls.rest, indexer_websocket=urls.websocket, nodes=(urls.grpc,))
    return replace(plan, network=served)


def _node_client(
    network: Network, clock: Clock, *, allow_proxy: bool, counters: "FaultCounters | None" = None
) -> "NodePort | None":
    from dydx_console.engine.live import user_agent
    from dydx_console.venue.node.client import NodeClient, NodeOptions

    if not network.nodes:
        return None
    return NodeClient(network.nodes, clock, user_agent(), NodeOptions(allow_proxy=allow_proxy), counters)


async def check_once(plan: PreflightPlan, timeout_s: float, *, allow_proxy: bool) -> Report:
    """Return the report of a network's checks, made once without an engine."""
    from dydx_console.preflight.run import run_preflight

    network, clock = plan.network, SystemClock()
    if network is None:
        return await run_preflight(plan, None, None, clock, timeout_s=timeout_s)
    node, indexer = (
        _node_client(network, clock, allow_proxy=allow_proxy),
        _probe(network, clock, allow_proxy=allow_proxy),
    )
    try:
        return await run_preflight(plan, node, indexer, clock, timeout_s=timeout_s)
    finally:
        await indexer.close()
        if node is not None:
            await node.close()


def _probe(
    network: Network, clock: Clock, *, allow_proxy: bool, counters: "FaultCounters | None" = None
) -> "IndexerProbe":
    from dydx_console.engine.live import user_agent
    from dydx_console.venue.indexer.probe import HttpIndexerProbe

    return HttpIndexerProbe(
        network.indexer_rest,
        network.indexer_websocket,
        clock,
        user_agent(),
        allow_proxy=allow_proxy,
        counters=counters,
    )


def replay_engine(entries: "tuple[Entry, ...]", problem: str | None, speed: float, network: NetworkView) -> Engine:
    """Return an engine that plays a recording; at speed 0 all of it at once, and without notices of its fills."""
    first, last = (entries[0].t, entries[-1].t) if entries else (0.0, 0.0)
    clock = RecordingClock(first, last, speed)
    mailbox = Mailbox(utc=clock.utc)

    async def build() -> Works:
        from dydx_console.engine.player import RecordingPlayer
        from dydx_console.engine.publish import Publisher
        from dydx_console.engine.replay import watched_in
        from dydx_console.state.console import ConsoleState

        publisher = Publisher(ConsoleState(watched_in(entries)), mailbox, clock, tells=speed > 0)
        return Works(publisher, RecordingPlayer(entries, publisher, clock=clock, mailbox=mailbox, problem=problem))

    return Engine(build, mailbox=mailbox, network=network, clock=clock)

"""The engine's latest evidence as the health endpoints tell it: states and ages, never whose account or how much."""

from concurrent.futures import Future

from dydx_console.domain.preflight import Report, Verdict
from dydx_console.domain.risk import RiskLevel
from dydx_console.engine.runtime import Engine
from dydx_console.ports.clock import Clock
from dydx_console.ports.health import HealthFacts, HealthStatus, ServedNetwork
from dydx_console.ports.network import NetworkView
from dydx_console.safety.networks import Network
from dydx_console.state.ages import PictureState
from dydx_console.state.limits import NO_LIMITS
from dydx_console.state.node import NO_NODE, NodeView
from dydx_console.state.risk import Gauge
from dydx_console.state.snapshot import Snapshot

__all__ = ["EngineHealth", "served_network"]

TURNING_S = 5.0
"""The engine publishes at least once a second; one that has not for so long does not turn."""
FRESH_S = 15.0
"""A report older than this says nothing of what can be reached now."""
_RELIABLE = frozenset({PictureState.LIVE, PictureState.DELAYED})
_LOST = frozenset({PictureState.STALE, PictureState.OFFLINE})
_EVIDENCE_CHECKS = frozenset({"chain id", "binding"})
_REACHED_CHECKS = frozenset({"indexer", "node", "stream"})


def served_network(network: Network, view: NetworkView) -> ServedNetwork:
    """Return what may be told of the configured network."""
    return ServedNetwork(
        name=network.name,
        kind=network.kind,
        chain_id=network.chain_id,
        ethereum_chain_id=network.ethereum_chain_id,
        indexer_rest=network.indexer_rest,
        indexer_websocket=network.indexer_websocket,
        nodes=network.nodes,
        environment=view.environment,
        environment_from=view.environment_from,
        read_only=view.read_only,
    )


class EngineHealth:
    """Implements `HealthPort` over a running engine.

    Args:
        engine: the engine.
        network: what is configured.
        clock: the engine's clock.
    """

    def __init__(self, engine: Engine, network: Network, clock: Clock) -> None:
        self._engine = engine
        self._network = network
        self._clock = clock

    def health(self) -> HealthFacts:
        """Return the latest evidence at once."""
        engine, view = self._engine, self._engine.network
        snapshot = engine.mailbox.latest()
        elapsed_s = 0.0 if snapshot is None else max(engine.monotonic() - snapshot.at, 0.0)
        state, age_s = (None, None) if snapshot is None else snapshot.stream.later(elapsed_s)
        running = engine.failure is None and snapshot is not None and elapsed_s < TURNING_S
        node = NO_NODE if snapshot is None else snapshot.node
        limits = NO_LIMITS if snapshot is None else snapshot.limits
        height = None if snapshot is None else snapshot.height
        contradictions = _contradictions(node, engine.report())
        unreached = _unreached(engine, state)
        errors = (*contradictions, *_failures(engine, state, node, running=running), *unreached)
        lost_now = any(not text.startswith("node:") for text in unreached)
        return HealthFacts(
            status=_status(contradictions, errors, state, heard=height is not None, running=running, lost_now=lost_now),
            running=running,
            ready=running and view.confirmed and state in _RELIABLE and not contradictions,
            confirmed=view.confirmed,
            network=served_network(self._network, view),
            at=self._clock.utc(),
            stream_state=None if state is None else str(state),
            stream_age_s=age_s,
            indexer_height=height,
            node_height=node.height,
            node_endpoint=node.endpoint,
            node_chain_id=node.chain_id,
            node_version=node.version,
            lag_blocks=node.lag_blocks,
            binding=node.binding,
            warnings=view.warnings,
            errors=errors,
            counters=_counters(engine, snapshot),
            stream_trouble=None if snapshot is None else snapshot.stream.trouble,
            open_gaps=None if snapshot is None else snapshot.stream.open_gaps,
            monotonic_s=engine.monotonic(),
            budgets=limits.budgets,
            breakers=limits.breakers,
            faults=limits.faults,
            margin_usage_level=_level(None if snapshot is None else snapshot.risk.usage),
            liquidation_level=_level(None if snapshot is None else snapshot.risk.liquidation),
            has_unexplained=None if snapshot is None or snapshot.drift.at is None else bool(snapshot.drift.alarms),
        )

    def probe(self, deadline_s: float) -> "Future[HealthFacts]":
        """Ask for fresh evidence."""
        asked, told = self._engine.probe(deadline_s), Future[HealthFacts]()

        def tell(_: "Future[None]") -> None:
            if told.set_running_or_notify_cancel():
                told.set_result(self.health())

        asked.add_done_callback(tell)
        return told


def _level(gauge: Gauge | None) -> RiskLevel | None:
    """Return a level, None where its figure is unknown and nothing was raised before."""
    if gauge is None or (not gauge.is_known and gauge.level is RiskLevel.NONE):
        return None
    return gauge.level


def _contradictions(node: NodeView, report: Report | None) -> tuple[str, ...]:
    """Return what contradicts the configuration, the node's latest word first."""
    if node.contradiction is not None:
        return (node.contradiction,)
    if report is None or node.binding == "BOUND":
        return ()
    return tuple(
        f"{check.name}: {check.text}"
        for check in report.checks
        if check.name in _EVIDENCE_CHECKS and check.verdict is Verdict.FAIL and check.exit_code == 78
    )


def _failures(engine: Engine, state: PictureState | None, node: NodeView, *, running: bool) -> tuple[str, ...]:
    found = []
    if engine.failure is not None:
        found.append(engine.failure)
    elif not running:
        found.append("the engine does not turn, or has not begun to")
    if not engine.network.confirmed:
        found.append("nobody has confirmed the network yet")
    if state is None or state in _LOST:
        found.append(f"the Indexer's stream is {'not there yet' if state is None else state}")
    if node.failure is not None:
        found.append(f"no node answers: {node.failure}")
    return tuple(found)


def _unreached(engine: Engine, state: PictureState | None) -> tuple[str, ...]:
    """Return what checks of just now could not reach, where the stream does not say otherwise."""
    report = engine.report_within(FRESH_S)
    if report is None or state is PictureState.LIVE:
        return ()
    return tuple(
        f"{check.name}: {check.text}"
        for check in report.checks
        if check.name in _REACHED_CHECKS and check.verdict is Verdict.FAIL
    )


def _status(
    contradictions: tuple[str, ...],
    errors: tuple[str, ...],
    state: PictureState | None,
    *,
    heard: bool,
    running: bool,
    lost_now: bool,
) -> HealthStatus:
    if contradictions:
        return HealthStatus.MISCONFIGURED
    if not running or not heard or state is None or state in _LOST or lost_now:
        return HealthStatus.UNREACHABLE
    if errors or state is not PictureState.LIVE:
        return HealthStatus.DEGRADED
    return HealthStatus.OK


def _counters(engine: Engine, snapshot: Snapshot | None) -> dict[str, int]:
    counters = {"events_applied": engine.applied}
    if snapshot is not None:
        stream = snapshot.stream
        counters |= {
            "reconnects": stream.reconnects,
            "gaps": stream.gaps - stream.open_gaps,
            "resyncs": stream.resyncs,
            "rejected_messages": stream.rejected,
        }
    return counters

"""What the health endpoints may tell, and how they ask for fresh evidence."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.limits import BreakerStatus, Budget
from dydx_console.domain.risk import RiskLevel

__all__ = ["HealthFacts", "HealthPort", "HealthStatus", "ServedNetwork"]


class HealthStatus(StrEnum):
    """How the network stands, as machines read it."""

    OK = "ok"
    """Reached, and the evidence agrees with the configuration."""
    DEGRADED = "degraded"
    """Reached, but late, without a node that answers, or with evidence still missing."""
    UNREACHABLE = "unreachable"
    """The Indexer cannot be reached, or nothing has been heard yet."""
    MISCONFIGURED = "misconfigured"
    """The evidence contradicts the configuration."""


@dataclass(frozen=True, slots=True)
class ServedNetwork:
    """The network as configured. `ethereum_chain_id` is None where the network has none."""

    name: str
    kind: str
    chain_id: str | None
    ethereum_chain_id: int | None
    indexer_rest: str
    indexer_websocket: str
    nodes: tuple[str, ...]
    environment: str | None
    environment_from: str | None
    read_only: bool


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """The engine's latest evidence; never an address, an amount or a secret. None is unknown.

    `running` tells that the engine's loop turns, `ready` that the picture may be relied on (stream LIVE or DELAYED).
    `lag_blocks` is how far the Indexer trails the node. `counters` are totals of the run by name, which never fall.
    `stream_trouble` is what befell the stream and is not over, `open_gaps` the lost messages that may still come.
    `monotonic_s` is the moment of the evidence on the clock by which breakers have theirs. `faults` are counted by
    kind, wire and endpoint, in no particular order; their texts are the venue's. The levels are those of the account's
    risk, None while its figures are unknown; `has_unexplained` tells that one of the Indexer's figures differs from
    ours without a known reason, None before they were compared.
    """

    status: HealthStatus
    running: bool
    ready: bool
    confirmed: bool
    network: ServedNetwork
    at: datetime
    stream_state: str | None = None
    stream_age_s: float | None = None
    indexer_height: int | None = None
    node_height: int | None = None
    node_endpoint: str | None = None
    node_chain_id: str | None = None
    node_version: str | None = None
    lag_blocks: int | None = None
    binding: str | None = None
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    counters: Mapping[str, int] | None = None
    stream_trouble: str | None = None
    open_gaps: int | None = None
    monotonic_s: float = 0.0
    budgets: tuple[Budget, ...] = ()
    breakers: tuple[BreakerStatus, ...] = ()
    faults: tuple[FaultCount, ...] = ()
    margin_usage_level: RiskLevel | None = None
    liquidation_level: RiskLevel | None = None
    has_unexplained: bool | None = None


class HealthPort(Protocol):
    """The engine as the health server sees it. Callable from any thread."""

    def health(self) -> HealthFacts:
        """Return the latest evidence at once."""
        ...

    def probe(self, deadline_s: float) -> "Future[HealthFacts]":
        """Ask for fresh evidence; the future ends within about `deadline_s`, with what was found by then."""
        ...

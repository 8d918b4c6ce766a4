"""What may come instead of what a client asked for."""

from __future__ import annotations

from dataclasses import dataclass

from dydx_console.sim.indexer.comlink import Headers


@dataclass(frozen=True, slots=True)
class Refused:
    """An HTTP answer to a handshake: no WebSocket."""

    status: int
    headers: Headers
    body: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nothing before `until_ms`; ask again then."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is cut: a TCP reset, without a closing handshake."""


@dataclass(frozen=True, slots=True)
class NodeTrouble:
    """A call to the node fails as UNAVAILABLE, or its answer takes `delay_ms`."""

    down: bool
    delay_ms: int = 0

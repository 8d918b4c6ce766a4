"""What can go wrong with a venue, in one vocabulary for REST, WebSocket and gRPC."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["FaultCount", "FaultKind", "FaultSource"]


class FaultKind(StrEnum):
    """The kinds of failure that are told apart."""

    UNREACHABLE = "UNREACHABLE"
    """No connection: refused, no such host, no route, ended in the middle."""
    TIMEOUT = "TIMEOUT"
    """Connected, perhaps, but no answer within the deadline."""
    TLS = "TLS"
    """The certificate or the handshake was refused."""
    RATE_LIMITED = "RATE_LIMITED"
    """Too many requests."""
    GEO_BLOCKED = "GEO_BLOCKED"
    """Refused for where the request comes from, or by the compliance rules."""
    NOT_FOUND = "NOT_FOUND"
    """The venue answered that there is no such thing (for a block: pruned, or not there yet)."""
    REJECTED = "REJECTED"
    """The venue refused the request itself."""
    SERVER = "SERVER"
    """The venue failed."""
    BAD_ANSWER = "BAD_ANSWER"
    """The answer could not be read."""


class FaultSource(StrEnum):
    """Over which wire a failure came."""

    REST = "REST"
    WEBSOCKET = "WEBSOCKET"
    GRPC = "GRPC"


@dataclass(frozen=True, slots=True)
class FaultCount:
    """How often one kind of failure was seen at one endpoint of one wire in a run, and the last of them.

    `first_at` is None where nobody noted when the first was seen.
    """

    kind: FaultKind
    source: FaultSource
    endpoint: str
    count: int
    last_at: datetime
    last_text: str
    first_at: datetime | None = None

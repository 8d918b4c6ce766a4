"""What the venue and this machine said when they were asked, as values that the checks judge."""

from dataclasses import dataclass
from datetime import datetime

from dydx_console.domain.chain import BlockHead, NodeInfo
from dydx_console.ports.faults import VenueError
from dydx_console.ports.probe import VenueClock
from dydx_console.safety.grants import Binding

__all__ = ["BoundBlock", "EndpointSeen", "FileFacts", "Heard", "IndexerSeen"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A newest block, and when it was heard of: monotonic seconds and UTC, both ours."""

    head: BlockHead
    at: float
    utc: datetime


@dataclass(frozen=True, slots=True)
class IndexerSeen:
    """What the Indexer's REST side answered: its newest block and its clock, or what failed."""

    head: Heard | VenueError
    clock: VenueClock | VenueError


@dataclass(frozen=True, slots=True)
class EndpointSeen:
    """What one node endpoint answered: who it is, whether it is catching up, its newest block; or what failed."""

    endpoint: str
    info: NodeInfo | VenueError
    syncing: bool | VenueError
    head: Heard | VenueError


@dataclass(frozen=True, slots=True)
class BoundBlock:
    """A block of the Indexer held against the node's of the same height; `source` is the Indexer's host."""

    source: str
    height: int
    binding: Binding


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Who may write to a file or folder. `mode` and `owner` are None where there is none, `trouble` says why not."""

    what: str
    path: str
    mode: int | None = None
    owner: int | None = None
    trouble: str | None = None

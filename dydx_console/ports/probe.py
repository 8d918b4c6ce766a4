"""Single questions to an Indexer, as the checks of a network ask them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dydx_console.domain.chain import BlockHead

__all__ = ["Compliance", "IndexerProbe", "VenueClock"]


@dataclass(frozen=True, slots=True)
class VenueClock:
    """The Indexer's clock, and ours (monotonic seconds and UTC) half way through the request."""

    venue_time: datetime
    monotonic: float
    utc: datetime


@dataclass(frozen=True, slots=True)
class Compliance:
    """What the Indexer's screening says of an address: its status word (COMPLIANT …), and why."""

    status: str
    reason: str | None


class IndexerProbe(Protocol):
    """Asks an Indexer. Every call has a deadline and raises VenueError; none is tried twice."""

    async def head(self) -> BlockHead:
        """Return the newest block that the Indexer has."""
        ...

    async def clock(self) -> VenueClock:
        """Return its clock."""
        ...

    async def streams(self) -> BlockHead:
        """Open a WebSocket, subscribe to the block height and return the block that the answer tells."""
        ...

    async def funded_parents(self, address: str) -> tuple[int, ...]:
        """Return the parent subaccounts that exist, in order; none where the address was never funded there."""
        ...

    async def compliance(self, address: str) -> Compliance:
        """Return the screening of an address."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...

"""A network's validator nodes, read-only."""

from typing import Protocol

from dydx_console.domain.chain import (
    Authenticator,
    BlockHead,
    BlockRateLimits,
    ChosenLeverage,
    EquityTierLimits,
    FeeTier,
    NodeAccount,
    NodeInfo,
    NodeSubaccount,
    OraclePrice,
)
from dydx_console.domain.nodeaccount import Perpetual

__all__ = ["NodePort"]


class NodePort(Protocol):
    """Reads the nodes of one network.

    Every call has a deadline and raises VenueError. Without `endpoint` the preferred endpoint is asked and, where it
    cannot be reached or does not answer in time, the next ones; with `endpoint` that one alone.
    """

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The network's endpoints as `host:port`, the preferred one first."""
        ...

    async def info(self, endpoint: str | None = None) -> NodeInfo:
        """Return the chain id and version that the node reports, asked anew each time."""
        ...

    async def syncing(self, endpoint: str | None = None) -> bool:
        """Return whether the node is still catching up."""
        ...

    async def latest_block(self, endpoint: str | None = None) -> BlockHead:
        """Return the newest committed block."""
        ...

    async def block(self, height: int, endpoint: str | None = None) -> BlockHead:
        """Return the block at a height; NOT_FOUND where it is pruned or not there yet (which asks no other node)."""
        ...

    async def account(self, address: str) -> NodeAccount:
        """Return an account's number and sequence; NOT_FOUND for an address that the chain never saw."""
        ...

    async def subaccount(self, address: str, number: int) -> NodeSubaccount:
        """Return a subaccount as committed."""
        ...

    async def oracle_prices(self) -> tuple[OraclePrice, ...]:
        """Return every oracle price."""
        ...

    async def perpetuals(self) -> tuple[Perpetual, ...]:
        """Return every perpetual's parameters and funding index."""
        ...

    async def block_rate_limits(self) -> BlockRateLimits:
        """Return how many orders are taken by block."""
        ...

    async def equity_tier_limits(self) -> EquityTierLimits:
        """Return how many open orders are allowed by equity."""
        ...

    async def fee_tier(self, address: str) -> FeeTier:
        """Return an address's trading fees."""
        ...

    async def leverages(self, address: str, number: int) -> tuple[ChosenLeverage, ...]:
        """Return the leverages chosen for a subaccount, by market; REJECTED where no node knows the question."""
        ...

    async def authenticators(self, address: str) -> tuple[Authenticator, ...]:
        """Return the permissions that an account gave to other keys."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...

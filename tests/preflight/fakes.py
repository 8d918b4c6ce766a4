"""A network's node and Indexer as a test wants them: each answer is a value, a fault, or silence."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NoReturn, TypeVar

from builders import ADDRESS

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
from dydx_console.domain.preflight import Verdict
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.probe import Compliance, VenueClock
from dydx_console.preflight.plan import Judgement, PreflightPlan
from dydx_console.safety.networks import Network

CHAIN = "dydx-testnet-4"
OTHER_CHAIN = "dydx-mainnet-1"
NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
TIP = 61_004_112
FIRST, SECOND = "one.example:443", "two.example:443"
NETWORK = Network(
    name="testnet",
    kind="testnet",
    chain_id=CHAIN,
    indexer_rest="https://indexer.example",
    indexer_websocket="wss://indexer.example/v4/ws",
    nodes=(FIRST, SECOND),
    faucet="https://faucet.example",
)
FINE = Judgement(Verdict.OK, "fine")
PLAN = PreflightPlan(FINE, FINE, FINE, FINE, NETWORK, ADDRESS)

Value = TypeVar("Value")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still while anything can be done, and then jumps to when the next thing is due."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__()

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._now = max(self._now, self._scheduled[0]._when)
        super()._run_once()


class LoopClock:
    """Our clock as the running loop has it, from NOW on."""

    def monotonic(self) -> float:
        return 100.0 + asyncio.get_running_loop().time()

    def utc(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())


class Silence:
    """An answer that never comes."""


SILENCE = Silence()


def fault(kind: FaultKind = FaultKind.UNREACHABLE, endpoint: str = "host.example") -> VenueError:
    return VenueError(kind, endpoint, "no luck", 8.7 if kind is FaultKind.RATE_LIMITED else None)


def block(
    height: int = TIP, *, chain_id: str | None = None, source: str = "indexer.example", late_s: float = 0.0
) -> BlockHead:
    """Return the block of a chain that makes one a second and whose newest, at TIP, is half a second old."""
    time = NOW - timedelta(seconds=0.5 + late_s) + timedelta(seconds=height - TIP)
    return BlockHead(height, time, source, chain_id)


async def given(answer: Value | VenueError | Silence) -> Value:
    """Return an answer, raise it, or never come back."""
    await asyncio.sleep(0)
    if isinstance(answer, Silence):
        await asyncio.Event().wait()
        raise AssertionError
    if isinstance(answer, VenueError):
        raise answer
    return answer


def clock(off_s: float = 0.0) -> ManualClock:
    """Return our clock, standing still and off by so many seconds."""
    return ManualClock(100.0, NOW + timedelta(seconds=off_s))


def venue_clock(off_s: float = 0.0) -> VenueClock:
    """Return the Indexer's clock, which is right, beside ours, which is off by so many seconds."""
    return VenueClock(NOW, 100.0, NOW + timedelta(seconds=off_s))


@dataclass
class FakeIndexer:
    """An `IndexerProbe`; `asked` is what it was asked."""

    head_is: BlockHead | VenueError | Silence = field(default_factory=block)
    clock_is: VenueClock | VenueError | Silence = field(default_factory=venue_clock)
    stream_is: BlockHead | VenueError | Silence = field(default_factory=block)
    parents_are: tuple[int, ...] | VenueError | Silence = (0,)
    screened: Compliance | VenueError | Silence = Compliance("COMPLIANT", None)  # noqa: RUF009 - it is frozen
    asked: list[str] = field(default_factory=list)

    async def head(self) -> BlockHead:
        self.asked.append("head")
        return await given(self.head_is)

    async def clock(self) -> VenueClock:
        self.asked.append("clock")
        return await given(self.clock_is)

    async def streams(self) -> BlockHead:
        self.asked.append("streams")
        return await given(self.stream_is)

    async def funded_parents(self, address: str) -> tuple[int, ...]:
        self.asked.append(f"parents {address}")
        return await given(self.parents_are)

    async def compliance(self, address: str) -> Compliance:
        self.asked.append(f"compliance {address}")
        return await given(self.screened)

    async def close(self) -> None:
        self.asked.append("close")


@dataclass
class Machine:
    """One node.

    `blocks` stand over the chain's; those below `lowest` are pruned, and the first `comes_after` asks for any fail.
    """

    info_is: str | VenueError | Silence = CHAIN
    version: str = "v9.6.0"
    syncing_is: bool | VenueError | Silence = False
    head_is: BlockHead | VenueError | Silence = field(default_factory=lambda: block(chain_id=CHAIN))
    blocks: Mapping[int, BlockHead | VenueError | Silence] = field(default_factory=dict)
    lowest: int = 0
    comes_after: int = 0
    asked: list[int] = field(default_factory=list)


@dataclass
class FakeNode:
    """A `NodePort` over some machines; it fails over nowhere, because the checks name an endpoint in every call."""

    machines: dict[str, Machine] = field(default_factory=lambda: {FIRST: Machine(), SECOND: Machine()})

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(self.machines)

    def _at(self, endpoint: str | None) -> Machine:
        assert endpoint is not None
        return self.machines[endpoint]

    async def info(self, endpoint: str | None = None) -> NodeInfo:
        machine = self._at(endpoint)
        return NodeInfo(endpoint or "", await given(machine.info_is), machine.version)

    async def syncing(self, endpoint: str | None = None) -> bool:
        return await given(self._at(endpoint).syncing_is)

    async def latest_block(self, endpoint: str | None = None) -> BlockHead:
        return await given(self._at(endpoint).head_is)

    async def block(self, height: int, endpoint: str | None = None) -> BlockHead:
        machine = self._at(endpoint)
        machine.asked.append(height)
        if height < machine.lowest or len(machine.asked) <= machine.comes_after:
            raise VenueError(FaultKind.NOT_FOUND, endpoint or "", "no such block")
        return await given(machine.blocks.get(height, block(height, chain_id=CHAIN, source=endpoint or "")))

    async def account(self, address: str) -> NodeAccount:
        self._never(address)

    async def subaccount(self, address: str, number: int) -> NodeSubaccount:
        self._never(address, number)

    async def oracle_prices(self) -> tuple[OraclePrice, ...]:
        self._never()

    async def perpetuals(self) -> tuple[Perpetual, ...]:
        self._never()

    async def block_rate_limits(self) -> BlockRateLimits:
        self._never()

    async def equity_tier_limits(self) -> EquityTierLimits:
        self._never()

    async def leverages(self, address: str, number: int) -> tuple[ChosenLeverage, ...]:
        raise NotImplementedError

    async def fee_tier(self, address: str) -> FeeTier:
        self._never(address)

    async def authenticators(self, address: str) -> tuple[Authenticator, ...]:
        self._never(address)

    async def close(self) -> None:
        self._never()

    def _never(self, *asked: object) -> NoReturn:
        raise AssertionError(f"no check asks this: {asked}")

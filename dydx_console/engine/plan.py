"""What an engine is to do, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from dydx_console.domain.risk import DEFAULT_LIMITS, RiskLimits
from dydx_console.safety.networks import Network

__all__ = ["JournalPlan", "LivePlan"]


@dataclass(frozen=True, slots=True)
class JournalPlan:
    """The folder where journals lie, and which command keeps this one."""

    root: Path
    program: str


@dataclass(frozen=True, slots=True)
class LivePlan:
    """Where to connect, whom to follow, and whether to write a recording.

    `allow_proxy` honours the proxy variables of the environment. Without `journal`, or without an
    address, no history is kept. `risk` are the levels from which on the account's risk is told; `leverage` is what its
    owner chose on the chain by market, where no node tells it.
    """

    network: Network
    address: str | None
    parent: int
    record_to: Path | None = None
    record_megabytes: int = 256
    allow_proxy: bool = False
    journal: JournalPlan | None = None
    risk: RiskLimits = DEFAULT_LIMITS
    leverage: Mapping[str, Decimal] = field(default_factory=dict)

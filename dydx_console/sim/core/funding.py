"""Hourly funding: a premium sampled every block, a clamped 1-hour rate, a cumulative index per perpetual.

The index counts 10⁻⁶ micro-USDC per base quantum, as dydxprotocol/v4-chain protocol/x/perpetuals does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dydx_console.sim.core.markets import Market, floor_shift

HOUR_MS = 3_600_000
RATE_E9 = 1_000_000_000
DEFAULT_RATE_E9 = 12_500
MAX_RATE_E9 = 500_000
SMOOTHING = 60


def index_delta(market: Market, rate_e9: int, oracle_value: int) -> int:
    """How far one hour at `rate_e9` (1-hour rate in 10⁻⁹) moves the index at an oracle price."""
    exponent = market.oracle_exponent + market.atomic_resolution + 6 + 6 - 9
    return floor_shift(rate_e9 * oracle_value, exponent)


def clamped(rate_e9: int) -> int:
    """The rate within the cap."""
    return max(-MAX_RATE_E9, min(MAX_RATE_E9, rate_e9))


@dataclass(slots=True)
class PremiumMeter:
    """A running premium per perpetual and the estimate of the next rate that follows from it."""

    premiums_e9: dict[int, int] = field(default_factory=dict)

    def sample(self, perpetual_id: int, mid_subticks: int | None, oracle_subticks: int) -> None:
        """Take one sample: how far the book's middle is above the oracle."""
        if mid_subticks is None or oracle_subticks <= 0:
            return
        premium = (mid_subticks - oracle_subticks) * RATE_E9 // oracle_subticks
        held = self.premiums_e9.get(perpetual_id, 0)
        self.premiums_e9[perpetual_id] = held + (premium - held) // SMOOTHING

    def rate_e9(self, perpetual_id: int) -> int:
        """The 1-hour rate that would apply now (an eighth of the premium, plus the default rate, clamped)."""
        return clamped(self.premiums_e9.get(perpetual_id, 0) // 8 + DEFAULT_RATE_E9)

"""Trading fees: a tier per owner, in parts per million of the quote amount, rounded up.

Rounding follows dydxprotocol/v4-chain protocol/x/clob/keeper/process_single_match.go: both fees are rounded towards
plus infinity, so a rebate is rounded towards zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dydx_console.sim.core.markets import ONE_MILLION


@dataclass(frozen=True, slots=True)
class FeeTier:
    """A tier's name, both rates in ppm (a negative maker rate is a rebate), and what it takes to be in it.

    `volume` is micro-USDC in 30 days, the shares are ppm of all volume and of all maker volume. Here an owner is in a
    tier because the options say so.
    """

    name: str
    maker_ppm: int
    taker_ppm: int
    volume: int = 0
    total_share_ppm: int = 0
    maker_share_ppm: int = 0


_MILLION = 10**12
TIERS = (
    FeeTier("1", 100, 500),
    FeeTier("2", 100, 450, _MILLION),
    FeeTier("3", 50, 400, 5 * _MILLION),
    FeeTier("4", 0, 350, 25 * _MILLION),
    FeeTier("5", 0, 300, 125 * _MILLION),
    FeeTier("6", -50, 250, 125 * _MILLION, 5_000),
    FeeTier("7", -70, 250, 125 * _MILLION, 5_000, 10_000),
    FeeTier("8", -90, 250, 125 * _MILLION, 5_000, 20_000),
    FeeTier("9", -110, 250, 125 * _MILLION, 5_000, 40_000),
)
TIER_1, TIER_6, TIER_9 = TIERS[0], TIERS[5], TIERS[8]


def fee_quote_quantums(quote_quantums: int, fee_ppm: int) -> int:
    """The fee in micro-USDC on a (non-negative) quote amount; negative = paid to the trader."""
    return -(-quote_quantums * fee_ppm // ONE_MILLION)


class FeeSchedule:
    """Which of TIERS an owner is in; everybody else is in the first."""

    def __init__(self, tiers: Mapping[str, FeeTier]) -> None:
        self._tiers = dict(tiers)

    def tier(self, owner: str) -> FeeTier:
        """The owner's tier."""
        return self._tiers.get(owner, TIER_1)

    def maker(self, owner: str, quote_quantums: int) -> int:
        """Maker fee in micro-USDC."""
        return fee_quote_quantums(quote_quantums, self.tier(owner).maker_ppm)

    def taker(self, owner: str, quote_quantums: int) -> int:
        """Taker fee in micro-USDC."""
        return fee_quote_quantums(quote_quantums, self.tier(owner).taker_ppm)

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
    """A tier's name and both rates in ppm; a negative maker rate is a rebate."""

    name: str
    maker_ppm: int
    taker_ppm: int


TIER_1 = FeeTier("1", 100, 500)
TIER_6 = FeeTier("6", -50, 250)
TIER_9 = FeeTier("9", -110, 250)


def fee_quote_quantums(quote_quantums: int, fee_ppm: int) -> int:
    """The fee in micro-USDC on a (non-negative) quote amount; negative = paid to the trader."""
    return -(-quote_quantums * fee_ppm // ONE_MILLION)


class FeeSchedule:
    """Which tier an owner is in; everybody else is in the first."""

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

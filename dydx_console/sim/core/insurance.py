"""The insurance funds: one for all cross markets, and one for each isolated market.

They take what liquidated accounts pay as liquidation fee and pay what those lack
(dydxprotocol/v4-chain protocol/x/subaccounts/keeper/transfer.go).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import SubaccountId

CROSS_FUND = "insurance_fund"
KEPT_FLOWS = 100_000


@dataclass(frozen=True, slots=True)
class InsuranceFlow:
    """What one liquidation fill moved; `quote_quantums` > 0 went into the fund. `height` is the block of the fill."""

    height: int
    fund: str
    ticker: str
    subaccount: SubaccountId
    quote_quantums: int


def fund_name(market: Market) -> str:
    """The fund that stands behind a market."""
    return f"{CROSS_FUND}:{market.perpetual_id}" if market.isolated else CROSS_FUND


class InsuranceFunds:
    """Balances in micro-USDC and the last flows; `start` gives the balances that there are from the beginning."""

    def __init__(self, start: Mapping[str, int]) -> None:
        self.balances = dict(start)
        self.flows: deque[InsuranceFlow] = deque(maxlen=KEPT_FLOWS)

    @property
    def total(self) -> int:
        """Micro-USDC in all funds."""
        return sum(self.balances.values())

    def can_pay(self, market: Market, quote_quantums: int) -> bool:
        """Whether the market's fund has this much."""
        return self.balances.get(fund_name(market), 0) >= quote_quantums

    def take(self, market: Market, subaccount: SubaccountId, quote_quantums: int, height: int) -> None:
        """Book what a liquidated account pays into the fund (negative: gets from it)."""
        fund = fund_name(market)
        self.balances[fund] = self.balances.get(fund, 0) + quote_quantums
        self.flows.append(InsuranceFlow(height, fund, market.ticker, subaccount, quote_quantums))

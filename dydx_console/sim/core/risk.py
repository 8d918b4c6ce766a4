"""What a position and an account are worth, and what margin they need, all in micro-USDC.

Rounding follows dydxprotocol/v4-chain protocol/x/perpetuals/lib/lib.go: margins are rounded up. The initial margin is
the base one, without open-interest scaling.
"""

from __future__ import annotations

from dataclasses import dataclass

from dydx_console.sim.core.markets import ONE_MILLION, Market


@dataclass(frozen=True, slots=True)
class Risk:
    """Net collateral, initial and maintenance margin of a position or of an account."""

    net: int
    initial: int
    maintenance: int

    @property
    def liquidatable(self) -> bool:
        """Under maintenance margin (protocol/lib/margin/risk.go)."""
        return self.maintenance > 0 and self.maintenance > self.net


def position_figures(market: Market, oracle_value: int, quantums: int) -> tuple[int, int, int]:
    """Net value, initial and maintenance margin of a position by itself, without the money that paid for it."""
    net = market.notional_quote_quantums(oracle_value, quantums)
    initial = -(-abs(net) * market.initial_margin_ppm // ONE_MILLION)
    return net, initial, -(-initial * market.maintenance_fraction_ppm // ONE_MILLION)


def may_become(now: Risk, then: Risk) -> bool:
    """Whether the chain lets a trade take an account from `now` to `then`.

    It must meet its initial margin, or come out with no more maintenance margin and no worse a ratio of collateral to
    it (protocol/x/subaccounts/lib/updates.go).
    """
    if then.net >= then.initial:
        return True
    if then.maintenance > now.maintenance:
        return False
    if then.maintenance == 0 or now.maintenance == 0:
        return then.maintenance == now.maintenance and then.net > now.net
    return then.net * now.maintenance >= now.net * then.maintenance

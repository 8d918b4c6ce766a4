"""When a conditional order comes alive.

Source: dydxprotocol/v4-chain protocol/x/clob/keeper/untriggered_conditional_orders.go.
"""

from __future__ import annotations

from fractions import Fraction

from dydx_console.sim.core.markets import ONE_MILLION, Market
from dydx_console.sim.core.orders import ConditionType, Order, Side
from dydx_console.sim.core.state import NodeState

BAND_MULTIPLIER = 5


def triggered(state: NodeState, order: Order) -> bool:
    """Whether the oracle price, or a trade price of the block, meets an order's condition.

    Stop-loss sells and take-profit buys fire at or below their trigger, the others at or above. A trade price counts as
    far as a band around the oracle price goes, which is five times the market's smallest price change.
    """
    if order.condition is ConditionType.UNSPECIFIED:
        return False
    market = state.markets[order.id.clob_pair_id]
    oracle = oracle_subticks(market, state.oracle_values[market.market_id])
    prices = [oracle]
    traded = state.traded_subticks.get(market.clob_pair_id)
    if traded is not None:
        band = oracle * market.min_price_change_ppm * BAND_MULTIPLIER / ONE_MILLION
        prices += [min(max(Fraction(price), oracle - band), oracle + band) for price in traded]
    if (order.condition is ConditionType.STOP_LOSS) == (order.side is Side.SELL):
        return min(prices) <= order.trigger_subticks
    return max(prices) >= order.trigger_subticks


def oracle_subticks(market: Market, oracle_value: int) -> Fraction:
    """The oracle price in subticks, exactly."""
    return oracle_value * Fraction(10) ** (market.oracle_exponent - market.price_exponent)

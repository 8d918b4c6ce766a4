"""Perpetual markets: parameters, prices, and the partial rows that update them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_DOWN, Decimal

from dydx_console.domain.numbers import MATH, ZERO, divide

__all__ = [
    "ISOLATED",
    "Market",
    "MarketPatch",
    "OraclePrice",
    "effective_initial_margin_fraction",
    "initial_margin_fraction_at",
    "selected_leverage",
    "to_step",
]

ONE = Decimal(1)
ISOLATED = "ISOLATED"
"""Type of a market that a subaccount may hold beside no other."""


@dataclass(frozen=True, slots=True)
class Market:
    """A perpetual market as the Indexer describes it. `None` is a figure that it has not given.

    Prices in USD, sizes and open interest in base units, fractions as fractions (0.05 = 5 %), funding per hour.
    """

    ticker: str
    clob_pair_id: str | None = None
    status: str | None = None
    market_type: str | None = None
    oracle_price: Decimal | None = None
    oracle_height: int | None = None
    oracle_at: datetime | None = None
    price_change_24h: Decimal | None = None
    volume_24h: Decimal | None = None
    trades_24h: int | None = None
    next_funding_rate: Decimal | None = None
    initial_margin_fraction: Decimal | None = None
    maintenance_margin_fraction: Decimal | None = None
    open_interest: Decimal | None = None
    open_interest_lower_cap: Decimal | None = None
    open_interest_upper_cap: Decimal | None = None
    base_open_interest: Decimal | None = None
    default_funding_rate_1h: Decimal | None = None
    atomic_resolution: int | None = None
    quantum_conversion_exponent: int | None = None
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    step_base_quantums: int | None = None
    subticks_per_tick: int | None = None

    @property
    def change_24h_fraction(self) -> Decimal | None:
        """Change of the oracle price over 24 h as a fraction of the price then.

        Unknown where the price then would not be positive. Source: dydxprotocol/v4-web
        src/bonsai/calculators/markets.ts.
        """
        if self.oracle_price is None or self.price_change_24h is None:
            return None
        before = self.oracle_price - self.price_change_24h
        return divide(self.price_change_24h, before) if before > ZERO else None

    @property
    def max_leverage(self) -> Decimal | None:
        """Highest leverage that the effective initial margin fraction allows."""
        fraction = effective_initial_margin_fraction(self)
        return divide(ONE, fraction) if fraction else None


MarketPatch = Market
"""A partial market row: every field but the ticker may be None, which means "not said"."""


@dataclass(frozen=True, slots=True)
class OraclePrice:
    """One oracle price of a market pair. `pair` is normally the ticker; `market_id` is the oracle's own number."""

    pair: str
    price: Decimal
    at: datetime | None
    height: int | None
    market_id: int | None


def effective_initial_margin_fraction(market: Market) -> Decimal | None:
    """Return the initial margin fraction scaled by open interest, at most 1; None where the base is unknown.

    base + max((OI · oracle − lower) / (upper − lower) · (1 − base), 0); the base itself where a figure is missing or
    the caps are equal. Source: dydxprotocol/v4-chain protocol/x/perpetuals/types/liquidity_tier.go, and dydxprotocol/
    v4-web src/bonsai/calculators/markets.ts.
    """
    base = market.initial_margin_fraction
    if base is None:
        return None
    price, interest = market.oracle_price, market.open_interest
    lower, upper = market.open_interest_lower_cap, market.open_interest_upper_cap
    if price is None or interest is None or lower is None or upper is None:
        return base
    share = divide(interest * price - lower, upper - lower)
    if share is None:
        return base
    return min(base + max(share * (ONE - base), ZERO), ONE)


def selected_leverage(market: Market, chosen: Decimal | None) -> Decimal:
    """Return the leverage that an owner chose for a market, else 1 ÷ base fraction, else 1.

    Source: dydxprotocol/v4-web src/bonsai/calculators/markets.ts.
    """
    if chosen is not None and chosen > ZERO:
        return chosen
    base = market.initial_margin_fraction
    return (divide(ONE, base) if base else None) or ONE


def initial_margin_fraction_at(market: Market, chosen: Decimal | None) -> Decimal | None:
    """Return the fraction that initial margin is reckoned with; None where the base is unknown.

    It is the effective fraction, or 1 ÷ the chosen leverage where that asks for more. A base of zero asks for all of
    the notional. Source: dydxprotocol/v4-web src/bonsai/calculators/subaccount.ts.
    """
    effective = effective_initial_margin_fraction(market)
    if effective is None:
        return None
    if chosen is None and market.initial_margin_fraction:
        return effective  # 1 ÷ (1 ÷ base) would only round
    return max(divide(ONE, selected_leverage(market, chosen)) or ONE, effective)


def to_step(value: Decimal, step: Decimal, rounding: str = ROUND_HALF_DOWN) -> Decimal:
    """Return a size rounded to a whole number of steps, the exact half downwards unless told otherwise.

    Source: dydxprotocol/v4-web src/lib/numbers.ts. Raises ValueError for a step that is not positive.
    """
    if step <= ZERO:
        raise ValueError(f"a step of {step}")
    steps = MATH.divide(value, step).to_integral_value(rounding, MATH)
    return MATH.multiply(steps, step)

"""Trading fees: what an owner's tier charges, before and after what is taken off it; and how many orders equity allows.

Sources: dydxprotocol/v4-chain protocol/x/feetiers/keeper/keeper.go (tier, staking discount, discount of a market) and
dydxprotocol/v4-web src/bonsai/calculators/userStats.ts, configs.ts and markets.ts.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from dydx_console.domain.market import ONE
from dydx_console.domain.numbers import MATH

__all__ = [
    "FIRST_TIER",
    "EquityTier",
    "FeeDiscount",
    "FeeRates",
    "FeeTier",
    "fee_of",
    "fee_rates",
    "of_million",
    "volume_of",
]

_PER_MILLION = Decimal("1e-6")
QUOTE_RESOLUTION = Decimal("1e-6")
"""USDC of one quote quantum."""


@dataclass(frozen=True, slots=True)
class FeeTier:
    """A tier as the chain states it: rates in parts per million of the traded amount, a rebate negative.

    It is reached by `volume_quantums` of quote quantums in 30 days, and by shares of all volume and of all maker
    volume, in parts per million.
    """

    name: str
    maker_ppm: int
    taker_ppm: int
    volume_quantums: int = 0
    total_share_ppm: int = 0
    maker_share_ppm: int = 0

    @property
    def volume(self) -> Decimal:
        """The 30 days' volume that it takes, in whole USDC."""
        return volume_of(self.volume_quantums).to_integral_value(ROUND_FLOOR)


@dataclass(frozen=True, slots=True)
class EquityTier:
    """How many open orders a subaccount may have from an equity on, stated in quote quantums."""

    equity_quantums: int
    most_orders: int

    @property
    def equity(self) -> Decimal:
        """The equity in USDC that it takes."""
        return volume_of(self.equity_quantums)


@dataclass(frozen=True, slots=True)
class FeeDiscount:
    """What a market charges of the usual fee for a while, in parts per million of it."""

    charge_ppm: int
    start: datetime
    end: datetime

    def multiplier(self, now: datetime) -> Decimal | None:
        """Return what is left of a fee, None where the discount does not run; at its end it runs no longer."""
        return of_million(self.charge_ppm) if self.start <= now < self.end else None


@dataclass(frozen=True, slots=True)
class FeeRates:
    """Fees as fractions of the traded amount (0.0005 = 5 basis points); a negative one is paid out."""

    maker: Decimal
    taker: Decimal

    def rate(self, *, is_maker: bool) -> Decimal:
        """Return the rate of an order that rests (maker) or of one that takes."""
        return self.maker if is_maker else self.taker


FIRST_TIER = FeeTier("1", 100, 500)
"""What an owner without volume pays (dYdX docs: trading fees); governance may change it."""


def of_million(ppm: int) -> Decimal:
    """Return parts per million as a fraction."""
    return MATH.multiply(Decimal(ppm), _PER_MILLION)


def fee_rates(tier: FeeTier, discount_ppm: int = 0) -> FeeRates:
    """Return the rates of a tier after the discount of the owner's staking tier, in parts per million of the fee.

    The discount takes from a rebate as it takes from a fee.
    """
    kept = ONE - of_million(discount_ppm)
    maker, taker = of_million(tier.maker_ppm), of_million(tier.taker_ppm)
    return FeeRates(MATH.multiply(maker, kept), MATH.multiply(taker, kept))


def fee_of(amount: Decimal, rate: Decimal, multiplier: Decimal | None = None) -> Decimal:
    """Return the fee in USDC on `amount` USDC traded; `multiplier` is what a market's discount leaves of it.

    The chain rounds the fee of each fill up to 0.000001 USDC; this does not.
    """
    fee = MATH.multiply(amount, rate)
    return fee if multiplier is None else MATH.multiply(fee, multiplier)


def volume_of(quantums: int) -> Decimal:
    """Return an amount in USDC that the chain states in quote quantums."""
    return MATH.multiply(Decimal(quantums), QUOTE_RESOLUTION)

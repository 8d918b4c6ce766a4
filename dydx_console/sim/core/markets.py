"""Perpetual markets: the parameters that mainnet gives them, and the unit conversions that follow from those.

Units (dydxprotocol/v4-chain protocol/x/clob/types/quantums.go):
`size = quantums * 10^atomic_resolution`, `price = subticks * 10^(quantum_conversion_exponent - 6 - atomic_resolution)`,
`quote_quantums = floor(subticks * quantums * 10^quantum_conversion_exponent)` in micro-USDC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

QUOTE_RESOLUTION = -6
ONE_MILLION = 1_000_000
_POWERS: tuple[int, ...] = tuple(10**exponent for exponent in range(64))


def scaled(value: int, exponent: int) -> Decimal:
    """`value * 10^exponent`, exactly."""
    return Decimal(value).scaleb(exponent)


def floor_shift(value: int, exponent: int) -> int:
    """`floor(value * 10^exponent)` in integers."""
    return value * _POWERS[exponent] if exponent >= 0 else value // _POWERS[-exponent]


@dataclass(frozen=True, slots=True)
class Market:
    """One perpetual with its order book pair, oracle market and liquidity tier."""

    ticker: str
    clob_pair_id: int
    perpetual_id: int
    market_id: int
    atomic_resolution: int
    quantum_conversion_exponent: int
    step_base_quantums: int
    subticks_per_tick: int
    oracle_exponent: int
    initial_margin_ppm: int
    maintenance_fraction_ppm: int
    isolated: bool
    open_interest_lower_cap: int
    open_interest_upper_cap: int
    start_price: Decimal
    volatility_ppm_per_sqrt_second: int
    quote_size: Decimal
    min_price_change_ppm: int
    _notional_exponent: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exponent = self.oracle_exponent + self.atomic_resolution - QUOTE_RESOLUTION
        object.__setattr__(self, "_notional_exponent", exponent)

    @property
    def price_exponent(self) -> int:
        """Power of ten that turns subticks into USD per base unit."""
        return self.quantum_conversion_exponent + QUOTE_RESOLUTION - self.atomic_resolution

    @property
    def tick_size(self) -> Decimal:
        """Smallest price step in USD."""
        return scaled(self.subticks_per_tick, self.price_exponent)

    @property
    def step_size(self) -> Decimal:
        """Smallest size step in base units."""
        return scaled(self.step_base_quantums, self.atomic_resolution)

    @property
    def initial_margin_fraction(self) -> Decimal:
        """Base initial margin fraction, without open-interest scaling."""
        return scaled(self.initial_margin_ppm, -6)

    @property
    def maintenance_margin_fraction(self) -> Decimal:
        """Initial fraction times the tier's maintenance fraction."""
        return scaled(self.initial_margin_ppm * self.maintenance_fraction_ppm, -12)

    @property
    def start_oracle_value(self) -> int:
        """The first oracle price as an integer at `oracle_exponent`."""
        return int(self.start_price.scaleb(-self.oracle_exponent))

    def price(self, subticks: int) -> Decimal:
        """USD per base unit."""
        return scaled(subticks, self.price_exponent)

    def size(self, quantums: int) -> Decimal:
        """Base units (signed as given)."""
        return scaled(quantums, self.atomic_resolution)

    def oracle_price(self, oracle_value: int) -> Decimal:
        """USD per base unit of an oracle integer."""
        return scaled(oracle_value, self.oracle_exponent)

    def quantums(self, size: Decimal) -> int:
        """Base quantums of a size, truncated to a whole step."""
        raw = int(size.scaleb(-self.atomic_resolution))
        return raw - raw % self.step_base_quantums

    def subticks(self, price: Decimal) -> int:
        """Subticks of a price, rounded down to a whole tick."""
        raw = int(price.scaleb(-self.price_exponent))
        return raw - raw % self.subticks_per_tick

    def oracle_subticks(self, oracle_value: int) -> int:
        """The oracle price in subticks, rounded down."""
        return floor_shift(oracle_value, self.oracle_exponent - self.price_exponent)

    def quote_quantums(self, subticks: int, quantums: int) -> int:
        """Micro-USDC that `quantums` cost at `subticks` (rounded down, as the chain does)."""
        return floor_shift(subticks * quantums, self.quantum_conversion_exponent)

    def notional_quote_quantums(self, oracle_value: int, quantums: int) -> int:
        """Signed micro-USDC value of a position at an oracle price (rounded towards zero, as the chain does)."""
        if quantums < 0:
            return -floor_shift(oracle_value * -quantums, self._notional_exponent)
        return floor_shift(oracle_value * quantums, self._notional_exponent)

    def quantums_worth(self, oracle_value: int, quote_quantums: int) -> int:
        """Base quantums that are worth so many micro-USDC at an oracle price (rounded down)."""
        return floor_shift(quote_quantums, -self._notional_exponent) // oracle_value

    def funding_index(self, index: int) -> Decimal:
        """A cumulative funding index in USDC per base unit."""
        return scaled(index, QUOTE_RESOLUTION - 6 - self.atomic_resolution)


MARKETS: tuple[Market, ...] = (
    Market(
        ticker="BTC-USD", clob_pair_id=0, perpetual_id=0, market_id=0, atomic_resolution=-10,
        quantum_conversion_exponent=-9, step_base_quantums=1_000_000, subticks_per_tick=100_000, oracle_exponent=-5,
        initial_margin_ppm=20_000, maintenance_fraction_ppm=600_000, isolated=False,
        open_interest_lower_cap=100_000_000, open_interest_upper_cap=200_000_000, start_price=Decimal(64_000),
        volatility_ppm_per_sqrt_second=60, quote_size=Decimal("0.08"),
        min_price_change_ppm=1_000,
    ),
    Market(
        ticker="ETH-USD", clob_pair_id=1, perpetual_id=1, market_id=1, atomic_resolution=-9,
        quantum_conversion_exponent=-9, step_base_quantums=1_000_000, subticks_per_tick=100_000, oracle_exponent=-6,
        initial_margin_ppm=20_000, maintenance_fraction_ppm=600_000, isolated=False,
        open_interest_lower_cap=100_000_000, open_interest_upper_cap=200_000_000, start_price=Decimal(3_000),
        volatility_ppm_per_sqrt_second=75, quote_size=Decimal("1.5"),
        min_price_change_ppm=1_000,
    ),
    Market(
        ticker="SOL-USD", clob_pair_id=5, perpetual_id=5, market_id=5, atomic_resolution=-7,
        quantum_conversion_exponent=-9, step_base_quantums=1_000_000, subticks_per_tick=1_000_000, oracle_exponent=-8,
        initial_margin_ppm=50_000, maintenance_fraction_ppm=600_000, isolated=False,
        open_interest_lower_cap=20_000_000, open_interest_upper_cap=50_000_000, start_price=Decimal(150),
        volatility_ppm_per_sqrt_second=95, quote_size=Decimal(30),
        min_price_change_ppm=2_500,
    ),
    Market(
        ticker="EIGEN-USD", clob_pair_id=300, perpetual_id=300, market_id=300, atomic_resolution=-6,
        quantum_conversion_exponent=-9, step_base_quantums=1_000_000, subticks_per_tick=1_000_000, oracle_exponent=-9,
        initial_margin_ppm=50_000, maintenance_fraction_ppm=600_000, isolated=True,
        open_interest_lower_cap=500_000, open_interest_upper_cap=1_000_000, start_price=Decimal("3.2"),
        volatility_ppm_per_sqrt_second=140, quote_size=Decimal(800),
        min_price_change_ppm=2_500,
    ),
)  # fmt: skip

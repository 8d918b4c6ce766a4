"""Market parameters and the conversions that follow from them."""

from decimal import Decimal

import pytest

from dydx_console.sim.core.addresses import DEMO_ADDRESS, address_of, is_address
from dydx_console.sim.core.markets import MARKETS, Market

BY_TICKER = {market.ticker: market for market in MARKETS}


@pytest.mark.parametrize("market", MARKETS, ids=lambda m: m.ticker)
def test_tick_and_step_follow_the_published_formulas(market: Market) -> None:
    exponent = market.quantum_conversion_exponent - 6 - market.atomic_resolution
    assert market.tick_size == Decimal(market.subticks_per_tick).scaleb(exponent)
    assert market.step_size == Decimal(market.step_base_quantums).scaleb(market.atomic_resolution)
    assert market.maintenance_margin_fraction == market.initial_margin_fraction * Decimal("0.6")


def test_the_sizes_that_traders_know() -> None:
    shown = {t: (m.tick_size.normalize(), m.step_size.normalize()) for t, m in BY_TICKER.items()}
    assert shown == {
        "BTC-USD": (Decimal(1), Decimal("0.0001")),
        "ETH-USD": (Decimal("0.1"), Decimal("0.001")),
        "SOL-USD": (Decimal("0.01"), Decimal("0.1")),
        "EIGEN-USD": (Decimal("0.001"), Decimal(1)),
    }
    assert [m.ticker for m in MARKETS if m.isolated] == ["EIGEN-USD"]


def test_one_hundredth_bitcoin_at_60000_costs_600_usdc() -> None:
    btc = BY_TICKER["BTC-USD"]
    quantums, subticks = btc.quantums(Decimal("0.01")), btc.subticks(Decimal(60_000))
    assert (quantums, subticks) == (100_000_000, 6_000_000_000)
    assert btc.quote_quantums(subticks, quantums) == 600_000_000


@pytest.mark.parametrize("market", MARKETS, ids=lambda m: m.ticker)
def test_oracle_and_book_prices_agree(market: Market) -> None:
    value = market.start_oracle_value
    assert market.oracle_price(value) == market.start_price
    assert market.price(market.oracle_subticks(value)) == market.start_price
    one = market.quantums(Decimal(10))
    assert market.notional_quote_quantums(value, one) == int(market.start_price * 10_000_000)
    assert market.notional_quote_quantums(value, -one) == -int(market.start_price * 10_000_000)


def test_addresses_are_valid_and_stable() -> None:
    assert address_of("demo account") == DEMO_ADDRESS
    assert is_address(DEMO_ADDRESS)
    assert not is_address(DEMO_ADDRESS[:-1] + ("q" if DEMO_ADDRESS[-1] != "q" else "p"))
    assert not is_address("cosmos1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnrql8a")

"""Margin figures: what must hold of any account, and what is said where a price is missing."""

from dataclasses import replace
from decimal import Decimal, localcontext

import pytest
from builders import D, balance, position
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market, initial_margin_fraction_at, selected_leverage, to_step
from dydx_console.domain.numbers import MATH
from dydx_console.domain.position import Position
from dydx_console.state.margin import AccountMargin, ChildMargin, account_margin, buying_power, chosen_leverage

NEAR = Decimal("1e-45")
TICKERS = ("BTC-USD", "ETH-USD", "SOL-USD")
amounts = st.decimals("0.0001", "1000", places=4)
prices = st.decimals("0.01", "100000", places=2)
fractions = st.decimals("0.005", "0.5", places=3)


def market(ticker: str = "BTC-USD", price: str | None = "100", base: str = "0.1", kept: str = "0.05") -> Market:
    return Market(
        ticker,
        oracle_price=None if price is None else D(price),
        initial_margin_fraction=D(base),
        maintenance_margin_fraction=D(kept),
        step_size=D("0.01"),
    )


@st.composite
def markets_drawn(draw: st.DrawFn) -> dict[str, Market]:
    made = {}
    for ticker in TICKERS:
        base = draw(fractions)
        kept = base * draw(st.decimals("0.1", "1", places=2))
        made[ticker] = replace(
            market(ticker), oracle_price=draw(prices), initial_margin_fraction=base, maintenance_margin_fraction=kept
        )
    return made


positions_drawn = st.lists(
    st.tuples(st.sampled_from(TICKERS), amounts, st.sampled_from((1, -1))),
    min_size=1,
    max_size=3,
    unique_by=lambda d: d[0],
).map(lambda drawn: tuple(position(str(size * sign), ticker) for ticker, size, sign in drawn))


def margin_of(positions: tuple[Position, ...], markets: dict[str, Market], usdc: Decimal) -> AccountMargin:
    return account_margin([0], positions, [balance(str(usdc))], markets, 0)


def with_equity(positions: tuple[Position, ...], markets: dict[str, Market], excess: Decimal) -> Decimal:
    """Return the USDC with which the account has so much more equity than maintenance margin."""
    with localcontext(MATH):
        bare = margin_of(positions, markets, Decimal(0)).children[0]
        assert bare.raw_equity is not None
        assert bare.maintenance_margin is not None
        return bare.maintenance_margin - bare.raw_equity + excess


def child_at(positions: tuple[Position, ...], markets: dict[str, Market], usdc: Decimal) -> ChildMargin:
    return margin_of(positions, markets, usdc).children[0]


@given(positions_drawn, markets_drawn(), st.decimals("0", "1000", places=3))
def test_at_the_liquidation_price_equity_meets_maintenance_margin(
    positions: tuple[Position, ...], markets: dict[str, Market], excess: Decimal
) -> None:
    usdc = with_equity(positions, markets, excess)
    for held in positions:
        own = margin_of(positions, markets, usdc).positions[PositionKey(0, held.market)]
        if own.liquidation_price is None:
            continue
        moved = {**markets, held.market: replace(markets[held.market], oracle_price=own.liquidation_price)}
        child = child_at(positions, moved, usdc)
        assert child.raw_equity is not None
        assert child.maintenance_margin is not None
        assert abs(child.raw_equity - child.maintenance_margin) <= NEAR * max(abs(usdc), child.maintenance_margin, D(1))


@given(positions_drawn, markets_drawn(), st.decimals("0", "100", places=3), st.decimals("0.01", "100", places=2))
def test_more_collateral_puts_liquidation_farther_away(
    positions: tuple[Position, ...], markets: dict[str, Market], excess: Decimal, more: Decimal
) -> None:
    usdc = with_equity(positions, markets, excess)
    before, after = margin_of(positions, markets, usdc), margin_of(positions, markets, usdc + more)
    for held in positions:
        key = PositionKey(0, held.market)
        near, far = before.positions[key].liquidation_price, after.positions[key].liquidation_price
        if near is None:
            assert far is None
        elif held.net_size < 0:
            assert far is not None
            assert far > near
        else:
            assert far is None or far < near


@given(amounts, prices, st.decimals("0.001", "0.4", places=3), st.decimals("0.01", "10000", places=2))
def test_a_long_and_a_short_of_the_same_equity_mirror_each_other(
    size: Decimal, price: Decimal, kept: Decimal, excess: Decimal
) -> None:
    markets = {"BTC-USD": replace(market(), oracle_price=price, maintenance_margin_fraction=kept)}
    with localcontext(MATH):
        away = []
        for sign in (1, -1):
            held = (position(str(size * sign)),)
            child = margin_of(held, markets, with_equity(held, markets, excess))
            own = child.positions[PositionKey(0, "BTC-USD")]
            assert child.children[0].is_liquidatable is False
            away.append(None if own.liquidation_price is None else abs(price - own.liquidation_price))
        long, short = away
        assert short is not None
        expected = short * (1 + kept) / (1 - kept)
        assert (long is None) == (expected > price)
        assert long is None or abs(long - expected) <= NEAR * expected


@given(positions_drawn, markets_drawn(), st.decimals("-500", "500", places=3))
def test_a_subaccount_may_be_liquidated_where_equity_is_below_maintenance(
    positions: tuple[Position, ...], markets: dict[str, Market], excess: Decimal
) -> None:
    child = child_at(positions, markets, with_equity(positions, markets, excess))
    assert child.is_liquidatable == (excess < 0)


@given(positions_drawn, markets_drawn(), st.decimals("0", "1000", places=3), st.decimals("1", "100", places=1))
def test_chosen_leverage_only_ever_asks_for_more(
    positions: tuple[Position, ...], markets: dict[str, Market], excess: Decimal, leverage: Decimal
) -> None:
    usdc = with_equity(positions, markets, excess)
    chosen = {PositionKey(0, held.market): leverage for held in positions}
    plain = child_at(positions, markets, usdc)
    asked = account_margin([0], positions, [balance(str(usdc))], markets, 0, selected=chosen).children[0]
    assert plain.initial_margin is not None
    assert asked.initial_margin is not None
    assert asked.initial_margin >= plain.initial_margin
    assert asked.maintenance_margin == plain.maintenance_margin
    assert asked.raw_equity == plain.raw_equity


def test_the_subaccounts_own_choice_counts_before_its_parents() -> None:
    parent, child = PositionKey(3, "BTC-USD"), PositionKey(131, "BTC-USD")
    assert chosen_leverage({parent: D(5)}, child) == 5
    assert chosen_leverage({parent: D(5), child: D(2)}, child) == 2
    assert chosen_leverage({child: D(2)}, parent) is None
    assert chosen_leverage({PositionKey(0, "BTC-USD"): D(5)}, child) is None


@pytest.mark.parametrize(
    ("base", "chosen", "leverage", "fraction"),
    [
        ("0.03", None, None, "0.03"),  # 1 ÷ (1 ÷ 0.03) would round
        ("0.05", "4", "4", "0.25"),
        ("0.05", "100", "100", "0.05"),
        ("0.05", "0", "20", "0.05"),
        ("0", None, "1", "1"),
    ],
)
def test_what_initial_margin_is_reckoned_with(
    base: str, chosen: str | None, leverage: str | None, fraction: str
) -> None:
    asked = None if chosen is None else D(chosen)
    assert initial_margin_fraction_at(market(base=base), asked) == D(fraction)
    if leverage is not None:
        assert selected_leverage(market(base=base), asked) == D(leverage)


def test_without_a_base_fraction_nothing_is_reckoned() -> None:
    bare = replace(market(), initial_margin_fraction=None)
    assert initial_margin_fraction_at(bare, D(2)) is None
    assert selected_leverage(bare, None) == 1


def test_a_missing_price_is_unknown_where_it_counts_and_nowhere_else() -> None:
    markets = {"BTC-USD": market(price=None), "ETH-USD": market("ETH-USD")}
    held = (position("1"), position("2", "ETH-USD", subaccount=128))
    cash = (balance("1000"), balance("50", subaccount=128))
    margin = account_margin([0, 128], held, cash, markets, 0)
    cross, isolated = margin.children
    assert (cross.equity, cross.raw_equity, cross.initial_margin, cross.is_liquidatable) == (None, None, None, None)
    assert isolated.equity == 250
    assert (margin.equity, margin.raw_equity, margin.free_collateral) == (None, None, None)
    assert PositionKey(0, "BTC-USD") not in margin.positions
    assert margin.positions[PositionKey(128, "ETH-USD")].margin == 250
    assert margin.nearest_liquidation is None, "its equity would stay above zero at any price"


def test_an_account_that_owes_is_told_clamped_and_as_it_is() -> None:
    held = (position("1"), position("1", subaccount=128))
    cash = (balance("1000"), balance("-150", subaccount=128))
    margin = account_margin([0, 128], held, cash, {"BTC-USD": market()}, 0)
    assert margin.equity == 1100
    assert margin.raw_equity == 1050
    broke = margin.child(128)
    assert broke is not None
    assert (broke.equity, broke.raw_equity, broke.margin_usage) == (0, -50, None)
    assert margin.liquidatable == (128,)


def test_the_nearest_liquidation_is_that_of_the_smallest_move() -> None:
    markets = {"BTC-USD": market(), "ETH-USD": market("ETH-USD")}
    held = (position("-1", subaccount=128), position("10", "ETH-USD"), position("1", "XRP-USD"))
    cash = (balance("-900"), balance("150", subaccount=128))
    margin = account_margin([0, 128], held, cash, markets, 0)
    nearest = margin.nearest_liquidation
    assert nearest is not None
    key, distance = nearest
    assert key == PositionKey(0, "ETH-USD")
    with localcontext(MATH):
        assert distance == (100 - D(900) / (10 * D("0.95"))) / 100
        assert margin.positions[PositionKey(128, "BTC-USD")].liquidation_distance == (150 / D("1.05") - 100) / 100


def test_buying_power_is_free_collateral_at_the_highest_leverage() -> None:
    assert buying_power(D(100), market(base="0.05")) == 2000
    assert buying_power(None, market()) is None
    caps = {"open_interest_lower_cap": D(5000), "open_interest_upper_cap": D(10_000)}
    scaled = replace(market(base="0.05"), open_interest=D(75), **caps)
    with localcontext(MATH):
        assert buying_power(D(100), scaled) == 100 * (1 / D("0.525"))


@given(st.decimals("0", "100", places=6), st.decimals("0.0001", "10", places=4))
def test_a_size_is_rounded_to_the_nearest_step_and_the_half_down(value: Decimal, step: Decimal) -> None:
    rounded = to_step(value, step)
    assert rounded % step == 0
    assert -step / 2 < value - rounded <= step / 2


def test_a_step_is_above_zero() -> None:
    with pytest.raises(ValueError, match="a step of 0"):
        to_step(D(1), D(0))

"""Laws of the whole account over generated trading days: no money appears or disappears between its figures."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from state.trading_day import TradingDay

from dydx_console.state.accounting import SUMS


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_what_was_made_is_what_the_account_is_worth_less_what_was_put_in(seed: int) -> None:
    """realized + Δ unrealized − fees + funding = Δ (USDC with unsettled funding + size × oracle) − net transfers."""
    day = TradingDay(seed)
    day.run(25)
    first = day.standing()
    day.run(60)
    last = day.standing()
    with localcontext(SUMS):
        assert last.made - first.made == last.worth - first.worth - (last.transferred - first.transferred)
        assert last.made == last.worth - last.transferred
    assert len(day.state.fills) > 10


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_flows_of_the_insurance_fund_are_the_fees_of_liquidated_fills(seed: int) -> None:
    """A liquidated account pays the insurance fund in place of a fee, or is paid by it: the law holds with no gap."""
    day = TradingDay(seed, shocks=True)
    day.run(120)
    standing = day.standing()
    with localcontext(SUMS):
        assert standing.made == standing.worth - standing.transferred
        fees = (fill.fee for fill in day.state.fills if fill.type == "LIQUIDATED")
        assert sum(fees, start=Decimal(0)) == day.insured()


def test_shocks_bring_liquidations_and_flows_of_the_insurance_fund() -> None:
    kinds: set[str] = set()
    paid = []
    for seed in range(8):
        day = TradingDay(seed, shocks=True)
        day.run(120)
        kinds |= day.fill_types()
        paid.append(day.insured())
    assert kinds > {"LIMIT", "LIQUIDATED", "DELEVERAGED"}
    assert any(paid)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.booleans())
def test_every_difference_from_the_indexers_word_has_a_known_reason(seed: int, shocks: bool) -> None:
    day = TradingDay(seed, shocks=shocks)
    day.run(80)
    day.read_words()
    assert day.state.stated.trades
    assert [found for found in day.state.differences() if found.is_alarm] == []


@pytest.mark.parametrize("seed", range(3))
def test_the_position_is_the_sum_of_the_fills(seed: int) -> None:
    day = TradingDay(seed, shocks=True)
    day.run(80)
    for position in day.state.holdings.positions:
        held = [f for f in day.state.fills if (f.subaccount, f.market) == (position.subaccount, position.market)]
        assert position.net_size == sum((fill.signed_size for fill in held), start=Decimal(0))

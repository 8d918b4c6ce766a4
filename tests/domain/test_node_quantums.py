"""A node's quantums become base units and USDC exactly, or nothing at all."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.chain import BlockHead, NodeAsset, NodePosition, NodeSubaccount, OraclePrice
from dydx_console.domain.nodeaccount import Perpetual, UntoldError, told_account
from dydx_console.domain.position import Balance

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
HEAD = BlockHead(77, datetime(2026, 11, 21, tzinfo=UTC), "node.example:443", "dydx-testnet-4")
BTC = Perpetual(0, "BTC-USD", 5, -10, 400)
ETH = Perpetual(1, "ETH-USD", 6, -9, 0)

amounts = st.integers(-(10**80), 10**80)
indexes = st.integers(-(10**12), 10**12)


def subaccount(*positions: NodePosition, usdc: int = 0, number: int = 0) -> NodeSubaccount:
    assets = (NodeAsset(0, usdc),) if usdc else ()
    return NodeSubaccount(ADDRESS, number, assets, positions)


@given(amounts.filter(bool), st.integers(-64, 64))
def test_a_size_is_its_quantums_times_a_power_of_ten_whatever_their_length(quantums: int, exponent: int) -> None:
    perpetual = replace(BTC, atomic_resolution=exponent)
    told = told_account(HEAD, [subaccount(NodePosition(0, quantums, 400, 0))], [perpetual], [])
    (row,) = told.children[0].positions
    assert Fraction(row.net_size) == quantums * Fraction(10) ** exponent
    assert (row.market, row.subaccount, row.status, row.height) == ("BTC-USD", 0, "OPEN", 77)
    assert (row.entry_price, row.net_funding, row.venue_realized_pnl, row.opened_at) == (None, None, None, None)


@given(st.lists(st.tuples(amounts.filter(bool), indexes, indexes), max_size=4), amounts, amounts)
def test_cash_is_what_a_settlement_in_this_block_would_leave(
    rows: list[tuple[int, int, int]], usdc: int, quote: int
) -> None:
    perpetuals = [Perpetual(place, f"M{place}-USD", place, -6, now) for place, (_, _, now) in enumerate(rows)]
    positions = [NodePosition(place, size, then, quote) for place, (size, then, _) in enumerate(rows)]
    told = told_account(HEAD, [subaccount(*positions, usdc=usdc)], perpetuals, [])
    cash = sum((Fraction(balance.amount) for balance in told.children[0].balances), start=Fraction(0))
    funding = sum((Fraction((then - now) * size, 10**6) for size, then, now in rows), start=Fraction(0))
    exact = usdc + quote * len(rows) + funding
    assert 0 <= exact - cash * 10**6 < 1
    assert (cash * 10**6).denominator == 1


def test_prices_are_those_of_the_markets_held_by_the_oracles_own_number() -> None:
    prices = [OraclePrice(5, 6_012_345_678, -5), OraclePrice(6, 3, 0), OraclePrice(0, 1, 0)]
    told = told_account(HEAD, [subaccount(NodePosition(0, 1, 400, 0))], [BTC, ETH], prices)
    assert told.prices == {"BTC-USD": Decimal("60123.45678")}
    assert told_account(HEAD, [subaccount(NodePosition(1, 1, 0, 0))], [BTC, ETH], prices[:1]).prices == {}


def test_what_is_not_held_is_not_there() -> None:
    told = told_account(HEAD, [subaccount(NodePosition(9, 0, 0, 0)), subaccount(usdc=-1, number=128)], [], [])
    first, second = told.children
    assert (first.positions, first.balances, first.height) == ((), (), 77)
    assert second.balances == (Balance(128, "USDC", Decimal("-0.000001"), 77),)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (subaccount(NodePosition(2, 1, 0, 0)), "perpetual 2"),
        (NodeSubaccount(ADDRESS, 0, (NodeAsset(0, 1), NodeAsset(3, 1)), ()), "asset 3"),
    ],
)
def test_what_the_node_does_not_describe_makes_the_whole_answer_unusable(told: NodeSubaccount, word: str) -> None:
    with pytest.raises(UntoldError, match=word):
        told_account(HEAD, [subaccount(usdc=5, number=128), told], [BTC, ETH], [])

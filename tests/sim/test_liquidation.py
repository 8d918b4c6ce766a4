"""Liquidations: when, at what price, how much, who pays; and how the Indexer tells them."""

from dataclasses import replace
from decimal import Decimal

import pytest
from liquidation_help import (
    ALICE,
    BOB,
    CAROL,
    CAROL_CHILD,
    assert_sound,
    fills,
    in_isolated_trouble,
    in_trouble,
    shock,
    told,
    usdc,
)
from sim_help import BUY, NOW, SELL, USDC, Desk

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import ChainOptions, Exchange
from dydx_console.sim.core.fees import TIER_9
from dydx_console.sim.core.insurance import CROSS_FUND
from dydx_console.sim.core.liquidation import liquidation_order
from dydx_console.sim.core.markets import MARKETS
from dydx_console.sim.core.orders import SubaccountId, TimeInForce, Transfer
from dydx_console.sim.core.state import LiquidationRules
from dydx_console.sim.indexer.text import number, quotient

ISOLATED_FUND = "insurance_fund:300"
BTC_AT_50000 = replace(
    MARKETS[0], initial_margin_ppm=200_000, maintenance_fraction_ppm=500_000, start_price=Decimal(50_000)
)


@pytest.mark.parametrize(
    ("dollars", "tenths", "adjustment", "spread", "price"),
    [
        (-4_501, 1, 1_000_000, 100_000, 49_999),
        (-4_501, 1, 2_000_000, 100_000, 49_998),
        (-4_501, 1, 1_000_000, 200_000, 49_998),
        (5_499, -1, 1_000_000, 100_000, 50_001),
        (5_499, -1, 2_000_000, 100_000, 50_002),
        (5_499, -1, 1_000_000, 200_000, 50_002),
        (-5_000, 1, 1_000_000, 100_000, 49_500),
        (5_000, -1, 1_000_000, 100_000, 50_500),
        (-5_500, 1, 1_000_000, 100_000, 49_500),
        (4_500, -1, 1_000_000, 100_000, 50_500),
        (-4_501, 1, 4_294_967_295, 100_000, 49_500),
    ],
)
def test_the_fillable_prices_that_the_chains_own_tests_name(
    dollars: int, tenths: int, adjustment: int, spread: int, price: int
) -> None:
    """Figures of dydxprotocol/v4-chain protocol/x/clob/keeper/liquidations_test.go, TestGetFillablePrice."""
    rules = LiquidationRules(bankruptcy_adjustment_ppm=adjustment, spread_to_maintenance_ppm=spread)
    exchange = Exchange(ChainOptions(markets=(BTC_AT_50000,), liquidations=rules), NOW)
    accounts, quantums = exchange.state.accounts, abs(tenths) * 10**9
    side = BUY if tenths > 0 else SELL
    quote = 5_000 * USDC * side.sign
    accounts.credit(ALICE, dollars * USDC + quote)
    accounts.trade(ALICE, BTC_AT_50000, side, quantums=quantums, quote=5_000 * USDC, fee=0)
    account = accounts.get(ALICE)
    assert account is not None
    order = liquidation_order(exchange.state, account, 0)
    assert BTC_AT_50000.price(order.subticks) == price
    assert order.side is side.opposite


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient_"),
    [
        ("119.808", "0.12", "998.4"),
        ("1", "3", "0.33333333333333333333"),
        ("2", "3", "0.66666666666666666667"),
        ("10", "3", "3.3333333333333333"),
        ("10000", "3", "3333.3333333333333333"),
        ("-2", "0.0003", "-6666.6666666666666667"),
        ("0", "3", "0"),
    ],
)
def test_quotients_have_the_digits_that_postgres_gives_them(numerator: str, denominator: str, quotient_: str) -> None:
    found = quotient(Decimal(numerator), Decimal(denominator))
    assert found == Decimal(quotient_)
    assert number(found) == quotient_


def test_nobody_is_liquidated_at_maintenance_margin_and_somebody_is_a_dollar_below() -> None:
    desk = in_trouble()
    desk.place(ALICE, BUY, 4_000, 60_000)
    # Carol owes 24,612.8 and needs 1.2 % of what 0.4 BTC are worth: 62,279.36 is the price at which she has just that
    shock(desk, "62279.4")
    assert fills(desk, CAROL) == []
    shock(desk, "62278.4")
    assert fills(desk, CAROL) == []  # the best bid is worse than the fillable price, and she has not lost all
    desk.place(ALICE, BUY, 4_000, 62_300)
    desk.block(2)
    assert fills(desk, CAROL)[0]["type"] == "LIQUIDATED"


def test_a_tenth_of_the_position_goes_at_a_price_that_pays_part_of_the_fee() -> None:
    desk = in_trouble()
    desk.place(ALICE, BUY, 300, 62_083)
    desk.place(ALICE, BUY, 4_000, 62_082)
    watchers = desk.watch_account(CAROL), desk.watch_account(ALICE)
    shock(desk, "62200")
    # net 267.2, maintenance 298.56: the price is 47.04 below the value of 24,880, so 62,082.4 and up to the tick
    (taken,) = told(watchers[0])
    assert (taken["type"], taken["liquidity"], taken["side"]) == ("LIQUIDATED", "TAKER", "SELL")
    assert (taken["orderId"], taken["clientMetadata"]) == (None, None)
    assert (taken["size"], taken["price"], taken["quoteAmount"]) == ("0.03", "62083", "1862.49")
    # at the bankruptcy price 0.03 BTC are worth 1,866 − 267.2 · 3/40
    assert Decimal(taken["fee"]) == Decimal("1862.49") - (1_866 - Decimal("20.04"))
    assert (taken["positionSizeBefore"], taken["positionSideBefore"], taken["entryPriceBefore"]) == (
        "0.4", "LONG", "64000",
    )  # fmt: skip
    (given,) = told(watchers[1])
    assert (given["type"], given["liquidity"], given["side"]) == ("LIQUIDATION", "MAKER", "BUY")
    assert given["orderId"] is not None
    assert Decimal(given["fee"]) == Decimal("0.186249")
    (flow,) = desk.exchange.truth().insurance_flows
    assert (flow.height, flow.fund, flow.ticker, flow.subaccount) == (
        desk.exchange.height, CROSS_FUND, "BTC-USD", CAROL,
    )  # fmt: skip
    assert Decimal(flow.quote_quantums) / USDC == Decimal(taken["fee"])
    assert_sound(desk)


def test_the_fee_has_a_cap_and_the_portion_is_a_tenth() -> None:
    desk = in_trouble()
    desk.place(ALICE, BUY, 4_000, 62_600)
    shock(desk, "62200")
    (row,) = fills(desk, CAROL)
    assert (row["size"], row["price"], row["fee"]) == ("0.04", "62600", "37.56")  # 1.5 % of 2,504
    desk.block()
    assert [row["size"] for row in fills(desk, CAROL)] == ["0.04", "0.036"]
    assert_sound(desk)


def test_a_short_is_bought_back() -> None:
    desk = in_trouble(side=SELL)
    desk.place(ALICE, SELL, 4_000, 65_700)
    shock(desk, "65750")
    (row,) = fills(desk, CAROL)
    assert (row["type"], row["side"], row["size"], row["price"]) == ("LIQUIDATED", "BUY", "0.04", "65700")
    assert Decimal(row["fee"]) == Decimal("30.72")  # a tenth of the 287.2 that are left, and 2 for the better price
    assert row["positionSideBefore"] == "SHORT"
    assert_sound(desk)


def test_the_fund_pays_what_is_lacking_and_all_of_the_position_goes() -> None:
    desk = in_trouble()
    desk.place(ALICE, BUY, 1_000, 60_500)
    desk.place(ALICE, BUY, 5_000, 60_000)
    before = desk.exchange.state.insurance.balances[CROSS_FUND]
    shock(desk, "61000")
    rows = fills(desk, CAROL)
    assert [(row["size"], row["price"]) for row in rows] == [("0.1", "60500"), ("0.3", "60000")]
    # she lacks 212.8 in all: 53.2 for the first quarter, 159.6 for the rest, and what the bids are below the oracle
    assert [Decimal(row["fee"]) for row in rows] == [Decimal("-103.2"), Decimal("-459.6")]
    paid = before - desk.exchange.state.insurance.balances[CROSS_FUND]
    assert Decimal(paid) / USDC == Decimal("562.8")
    assert [flow.quote_quantums for flow in desk.exchange.insurance_flows()] == [-103_200_000, -459_600_000]
    assert usdc(desk, CAROL) == 0
    assert desk.get("/v4/perpetualPositions", address=CAROL.owner, subaccountNumber="0")["positions"][0]["status"] == (
        "CLOSED"
    )
    assert_sound(desk)


@pytest.mark.parametrize(
    ("insurance", "taken", "offset"),
    [({CROSS_FUND: 150 * USDC}, ["0.1"], "0.3"), ({}, [], "0.4"), ({CROSS_FUND: 10**6 * USDC}, ["0.1"], "0.3")],
    ids=["the fund is small", "the fund is empty", "the book is thin"],
)
def test_what_neither_book_nor_fund_takes_is_offset_at_the_bankruptcy_price(
    insurance: dict[str, int], taken: list[str], offset: str
) -> None:
    desk = in_trouble(ChainOptions(insurance=insurance))
    desk.place(ALICE, BUY, 1_000, 60_500)
    if insurance and insurance[CROSS_FUND] < 1_000 * USDC:
        desk.place(ALICE, BUY, 3_000, 60_000)
    watchers = desk.watch_account(CAROL), desk.watch_account(BOB)
    shock(desk, "61000")
    rows = fills(desk, CAROL)
    assert [row["size"] for row in rows if row["type"] == "LIQUIDATED"] == taken
    last = told(watchers[0])[-1]
    assert (last["type"], last["liquidity"], last["side"]) == ("DELEVERAGED", "TAKER", "SELL")
    assert (last["size"], last["price"], last["fee"]) == (offset, "61532", "0")
    (other,) = told(watchers[1])
    assert (other["type"], other["liquidity"], other["side"]) == ("OFFSETTING", "MAKER", "BUY")
    assert (other["size"], other["price"], other["fee"]) == (offset, "61532", "0")
    for fill in (last, other):
        lacking = ("orderId", "clientMetadata", "positionSizeBefore", "positionSideBefore", "entryPriceBefore")
        assert [fill[key] for key in lacking] == [None] * 5
    assert usdc(desk, CAROL) == 0
    assert_sound(desk)


def test_an_isolated_market_has_a_fund_of_its_own() -> None:
    start = {CROSS_FUND: 10**6 * USDC, ISOLATED_FUND: 60 * USDC}
    desk = in_isolated_trouble(ChainOptions(insurance=start))
    bidder = SubaccountId(ALICE.owner, 128)
    desk.send(Transfer(ALICE, bidder, 100_000 * USDC))
    desk.block()
    desk.place(bidder, BUY, 100, 2_900, market=desk.isolated)
    desk.place(bidder, BUY, 5_000, 2_890, market=desk.isolated)
    shock(desk, "2.9", desk.isolated)
    kinds = [(row["type"], row["size"]) for row in fills(desk, CAROL_CHILD)]
    assert kinds == [("LIQUIDATED", "100"), ("DELEVERAGED", "4900")]
    balances = desk.exchange.state.insurance.balances
    assert balances[CROSS_FUND] == start[CROSS_FUND]
    assert {flow.fund for flow in desk.exchange.insurance_flows()} == {ISOLATED_FUND}
    assert 0 <= balances[ISOLATED_FUND] < start[ISOLATED_FUND]
    assert usdc(desk, CAROL_CHILD) == 0
    assert_sound(desk)


def test_makers_get_no_rebate_for_a_liquidation() -> None:
    desk = in_trouble(ChainOptions(fee_tiers={ALICE.owner: TIER_9}))
    desk.place(ALICE, BUY, 4_000, 62_600)
    shock(desk, "62200")
    (row,) = fills(desk, ALICE)
    assert (row["type"], row["fee"]) == ("LIQUIDATION", "0")
    assert_sound(desk)


def test_an_own_order_in_the_way_is_dropped() -> None:
    desk = in_trouble()
    own = desk.place(CAROL, BUY, 10, 62_700)
    desk.place(ALICE, BUY, 4_000, 62_600)
    watcher = desk.watch_account(CAROL)
    shock(desk, "62200")
    assert ("BEST_EFFORT_CANCELED", "SELF_TRADE_ERROR") in watcher.stories()
    assert desk.exchange.resting_quantums(own.id) == 0
    assert [row["price"] for row in fills(desk, CAROL)] == ["62600"]


def test_rows_of_rest_leave_out_what_the_stream_has_as_null() -> None:
    desk = in_trouble(ChainOptions(insurance={}))
    shock(desk, "61000")
    (row,) = fills(desk, CAROL)
    assert (row["orderId"], row["clientMetadata"]) == (None, None)
    assert {"positionSizeBefore", "positionSideBefore", "entryPriceBefore"}.isdisjoint(row)
    query = {"address": CAROL.owner, "subaccountNumber": "0"}
    assert desk.get("/v4/fills", **query, includeTypes="DELEVERAGED")["fills"] == [row]
    assert desk.get("/v4/fills", **query, includeTypes="LIQUIDATED,OFFSETTING")["fills"] == []
    assert [fill["type"] for fill in desk.get("/v4/fills", **query, excludeTypes="DELEVERAGED")["fills"]] == ["LIMIT"]


def test_the_public_tape_names_forced_trades_and_the_day_leaves_them_out() -> None:
    desk = in_trouble()
    desk.place(ALICE, BUY, 1_000, 60_500)
    watcher = desk.watch({"channel": "v4_trades", "id": "BTC-USD"})
    shock(desk, "61000")
    (contents,) = watcher.contents()
    assert [(t["type"], t["side"], t["size"]) for t in contents["trades"]] == [
        ("LIQUIDATED", "SELL", "0.1"),
        ("DELEVERAGED", "SELL", "0.3"),
    ]
    tape = desk.get("/v4/trades/perpetualMarket/BTC-USD")["trades"]
    assert [trade["type"] for trade in tape] == ["DELEVERAGED", "LIQUIDATED", "LIMIT"]
    desk.block(40)
    market = desk.get("/v4/perpetualMarkets", ticker="BTC-USD")["markets"]["BTC-USD"]
    assert (market["volume24H"], market["trades24H"]) == ("25600", 1)


def test_the_trade_history_calls_both_kinds_liquidations() -> None:
    desk = in_trouble()
    desk.place(ALICE, BUY, 1_000, 60_500)
    shock(desk, "61000")
    history = desk.get("/v4/tradeHistory", address=CAROL.owner, subaccountNumber="0")["tradeHistory"]
    by_action = {row["action"]: row for row in history}
    assert set(by_action) == {"LIQUIDATION_CLOSE", "LIQUIDATION_PARTIAL_CLOSE", "OPEN"}
    closed = by_action["LIQUIDATION_CLOSE"]
    assert (closed["orderId"], closed["orderType"], closed["additionalSize"]) == (None, None, "-0.3")
    assert closed["id"] in [row["id"] for row in fills(desk, CAROL)]
    assert Decimal(closed["netRealizedPnl"]) == (60_500 - 64_000) * Decimal("0.1") + (61_532 - 64_000) * Decimal("0.3")


def test_the_position_comes_first_and_its_realized_total_leaves_liquidations_out() -> None:
    desk = in_trouble()
    desk.place(ALICE, BUY, 4_000, 60_500)
    watcher = desk.watch_account(CAROL)
    opened = desk.get("/v4/perpetualPositions", address=CAROL.owner, subaccountNumber="0")["positions"][0]
    shock(desk, "61000")
    first, second = [c for c in watcher.contents() if "perpetualPositions" in c]
    assert "fills" not in first
    assert "orders" not in second
    before, after = first["perpetualPositions"][0], second["perpetualPositions"][0]
    assert (before["status"], before["sumClose"], after["sumClose"]) == ("CLOSED", "0", "0.4")
    assert (after["exitPrice"], after["realizedPnl"]) == ("60500", "-1400")
    closed = desk.get("/v4/perpetualPositions", address=CAROL.owner, subaccountNumber="0")["positions"][0]
    assert closed["realizedPnl"] == opened["realizedPnl"] == "-12.8"


def test_an_account_that_cannot_pay_for_a_trade_does_not_make_it() -> None:
    desk = in_trouble()
    shock(desk, "62300")
    desk.place(ALICE, BUY, 4_000, 61_000)
    order = desk.place(CAROL, SELL, 4_000, 61_000, tif=TimeInForce.IOC, reduce_only=True)
    desk.block()
    assert desk.exchange.position_quantums(CAROL, desk.btc) == 4_000 * desk.btc.step_base_quantums
    assert desk.exchange.state.remaining(order) == order.quantums
    desk.place(ALICE, BUY, 4_000, 62_200)
    desk.place(CAROL, SELL, 2_000, 62_200, tif=TimeInForce.IOC, reduce_only=True)
    desk.block()
    assert desk.exchange.position_quantums(CAROL, desk.btc) == 2_000 * desk.btc.step_base_quantums
    assert_sound(desk)


def test_money_cannot_be_sent_twice_in_one_block() -> None:
    desk = Desk()
    for _ in range(2):
        assert desk.send(Transfer(ALICE, BOB, 900_000 * USDC)).ok
    desk.block()
    assert usdc(desk, ALICE) == 100_000
    assert usdc(desk, BOB) == 1_900_000
    transfers = desk.get("/v4/transfers", address=ALICE.owner, subaccountNumber="0")["transfers"]
    assert [row["type"] for row in transfers] == ["TRANSFER_OUT", "DEPOSIT"]
    assert desk.send(Transfer(SubaccountId(address_of("nobody"), 0), BOB, USDC)).ok, "the block looks, not the node"
    desk.block()
    assert usdc(desk, BOB) == 1_900_000

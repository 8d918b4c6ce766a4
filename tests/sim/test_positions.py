"""Position rows, fills and balances in a block, with the Indexer's oddities."""

from decimal import Decimal
from typing import Any

from sim_help import ALICE, BOB, BUY, SELL, USDC, Desk, Watcher

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import ChainOptions
from dydx_console.sim.core.fees import TIER_9
from dydx_console.sim.core.orders import SubaccountId, TimeInForce, Transfer

IOC = TimeInForce.IOC


def trade(desk: Desk, side: Any, size: int, price: int, *, reduce_only: bool = False) -> None:
    """Alice takes from Bob, in a block of its own."""
    desk.place(BOB, side.opposite, size, price)
    desk.place(ALICE, side, size, price, tif=IOC, reduce_only=reduce_only)
    desk.block()


def pair(watcher: Watcher) -> tuple[dict[str, Any], dict[str, Any]]:
    """The subaccount update and the fill message of one block."""
    found = [c for c in watcher.contents() if "perpetualPositions" in c]
    assert len(found) == 2
    assert "fills" not in found[0]
    assert found[0]["blockHeight"] == found[1]["blockHeight"]
    return found[0], found[1]


def rest_position(desk: Desk) -> dict[str, Any]:
    found: list[dict[str, Any]] = desk.get("/v4/perpetualPositions", address=ALICE.owner, subaccountNumber="0")[
        "positions"
    ]
    return found[0]


def test_the_position_comes_before_the_fill_and_with_the_old_sums() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    trade(desk, BUY, 100, 64_000)
    before, after = pair(watcher)
    first, second = before["perpetualPositions"][0], after["perpetualPositions"][0]
    assert (first["size"], first["entryPrice"], first["sumOpen"], first["unrealizedPnl"]) == ("0.01", "0", "0", "640")
    assert (second["entryPrice"], second["sumOpen"], second["unrealizedPnl"]) == ("64000", "0.01", "0")
    assert first["positionId"] == second["positionId"]
    assert before["assetPositions"][0]["size"] == "999359.68"
    fill = after["fills"][0]
    assert (fill["fee"], fill["quoteAmount"], fill["liquidity"]) == ("0.32", "640", "TAKER")
    assert (fill["positionSizeBefore"], fill["entryPriceBefore"], fill["positionSideBefore"]) == ("0", None, "LONG")
    assert len(fill["eventId"]) == 24
    assert int(fill["eventId"][:8], 16) == desk.exchange.height
    assert set(fill) == {
        "id", "fee", "side", "size", "type", "price", "eventId", "orderId", "createdAt", "liquidity", "builderFee",
        "clobPairId", "quoteAmount", "subaccountId", "builderAddress", "clientMetadata", "orderRouterFee",
        "createdAtHeight", "transactionHash", "entryPriceBefore", "affiliateRevShare", "orderRouterAddress",
        "positionSideBefore", "positionSizeBefore", "ticker",
    }  # fmt: skip


def test_maker_and_taker_fees_and_a_rebate() -> None:
    desk = Desk(ChainOptions(fee_tiers={BOB.owner: TIER_9}))
    trade(desk, BUY, 100, 64_000)
    fills = {
        who: desk.get("/v4/fills", address=who.owner, subaccountNumber="0")["fills"][0]["fee"] for who in (ALICE, BOB)
    }
    assert fills == {ALICE: "0.32", BOB: "-0.0704"}
    truth = {who: state.usdc_quantums for who, state in desk.exchange.truth().subaccounts}
    assert truth[BOB] == 1_000_000 * USDC + 640_000_000 + 70_400


def test_averages_and_the_three_realized_pnls() -> None:
    desk = Desk()
    trade(desk, BUY, 100, 64_000)
    trade(desk, BUY, 200, 63_000)
    watcher = desk.watch_account()
    trade(desk, SELL, 150, 65_000)
    before, after = pair(watcher)
    row = after["perpetualPositions"][0]
    assert row["entryPrice"] == "63333.33333333333333333333"
    assert (row["sumOpen"], row["sumClose"], row["exitPrice"], row["size"]) == ("0.03", "0.015", "65000", "0.015")
    assert before["perpetualPositions"][0]["sumClose"] == "0"
    gained = Decimal("0.015") * (65_000 - Decimal("63333.33333333333333333333"))
    fees = Decimal("0.32") + Decimal("0.63") + Decimal("0.4875")
    assert Decimal(row["realizedPnl"]) == gained
    assert Decimal(rest_position(desk)["realizedPnl"]) == gained - fees
    history = desk.get("/v4/tradeHistory", address=ALICE.owner, subaccountNumber="0")["tradeHistory"]
    assert [r["action"] for r in history] == ["PARTIAL_CLOSE", "EXTEND", "OPEN"]
    assert (history[0]["netRealizedPnl"], history[0]["netFee"]) == (str(gained).rstrip("0"), "1.4375")


def test_a_close_keeps_the_row_and_the_size_before() -> None:
    desk = Desk()
    trade(desk, BUY, 100, 64_000)
    watcher = desk.watch_account()
    trade(desk, SELL, 100, 65_000, reduce_only=True)
    before, after = pair(watcher)
    first, second = before["perpetualPositions"][0], after["perpetualPositions"][0]
    assert (first["status"], first["size"], first["sumClose"], first["realizedPnl"]) == ("CLOSED", "0", "0", "0")
    assert (second["status"], second["sumClose"], second["realizedPnl"]) == ("CLOSED", "0.01", "10")
    assert after["fills"][0]["positionSizeBefore"] == "0.01"
    assert rest_position(desk)["closedAt"] is not None


def test_a_flip_books_the_whole_fill_on_the_new_row() -> None:
    desk = Desk()
    trade(desk, BUY, 100, 64_000)
    inherited = rest_position(desk)["realizedPnl"]
    watcher = desk.watch_account()
    trade(desk, SELL, 300, 65_000)
    before, after = pair(watcher)
    old, new = before["perpetualPositions"]
    assert (old["status"], old["size"], old["sumClose"], old["exitPrice"]) == ("CLOSED", "0", "0", None)
    assert (new["status"], new["side"], new["size"], new["sumOpen"]) == ("OPEN", "SHORT", "-0.02", "0")
    (booked,) = after["perpetualPositions"]
    assert booked["positionId"] == new["positionId"] != old["positionId"]
    assert (booked["sumOpen"], booked["entryPrice"], booked["maxSize"]) == ("0.03", "65000", "-0.02")
    fill = after["fills"][0]
    assert (fill["positionSizeBefore"], fill["entryPriceBefore"], fill["positionSideBefore"]) == ("0", None, "SHORT")
    assert Decimal(rest_position(desk)["realizedPnl"]) == Decimal(inherited) - Decimal(fill["fee"])
    history = desk.get("/v4/tradeHistory", address=ALICE.owner, subaccountNumber="0")["tradeHistory"]
    assert [(r["action"], r["additionalSize"]) for r in history] == [
        ("OPEN", "-0.02"),
        ("CLOSE", "-0.01"),
        ("OPEN", "0.01"),
    ]


def test_fills_of_one_order_in_one_block_travel_with_the_last() -> None:
    desk = Desk()
    for price in (64_000, 64_001, 64_002):
        desk.place(BOB, SELL, 10, price)
    watcher = desk.watch_account()
    desk.place(ALICE, BUY, 30, 64_010, tif=IOC)
    desk.block()
    contents = [c for c in watcher.contents() if "perpetualPositions" in c]
    assert [("fills" in c) for c in contents] == [False, False, False, True]
    fills = contents[-1]["fills"]
    assert [fill["price"] for fill in fills] == ["64000", "64001", "64002"]
    assert len({fill["id"] for fill in fills}) == 3
    assert contents[-1]["orders"][0]["totalFilled"] == "0.003"
    assert contents[-1]["perpetualPositions"][0]["entryPrice"] == "64001"


def test_funding_settles_with_the_next_touch_and_rest_shows_it_before() -> None:
    desk = Desk(ChainOptions(funding_speedup=3_600, block_ms=1_000))
    trade(desk, BUY, 10_000, 64_000)
    watcher = desk.watch_account()
    desk.block(3)
    row = rest_position(desk)
    assert Decimal(row["netFunding"]) != 0
    shown = desk.get("/v4/assetPositions", address=ALICE.owner, subaccountNumber="0")["positions"][0]["size"]
    settled = desk.exchange.state.accounts.get(ALICE)
    assert settled is not None
    assert Decimal(shown) == Decimal(settled.usdc_quantums) / USDC + Decimal(row["netFunding"])
    payments = desk.get("/v4/fundingPayments", address=ALICE.owner, subaccountNumber="0")["fundingPayments"]
    assert sum(Decimal(p["payment"]) for p in payments) == Decimal(row["netFunding"])
    assert payments[0]["subaccountNumber"] == "0"
    trade(desk, BUY, 1, 64_000)
    before, _ = pair(watcher)
    assert Decimal(before["perpetualPositions"][0]["netFunding"]) < 0


def test_transfers_and_what_the_parent_channel_makes_of_them() -> None:
    desk = Desk()
    child = SubaccountId(ALICE.owner, 128)
    watcher = desk.watch({"channel": "v4_parent_subaccounts", "id": f"{ALICE.owner}/0"})
    single = desk.watch_account()
    desk.send(Transfer(ALICE, child, 1_000 * USDC))
    desk.send(Transfer(ALICE, BOB, 500 * USDC))
    desk.send(Transfer(address_of("bank"), ALICE, 20 * USDC))
    desk.block()
    frames = [f for f in watcher.read() if "assetPositions" not in f["contents"]]
    shown = [(f["subaccountNumber"], f["contents"].get("transfers", {}).get("type")) for f in frames]
    assert shown == [(0, None), (128, None), (0, "TRANSFER_OUT"), (0, "DEPOSIT")]
    assert set(frames[0]["contents"]) == {"blockHeight"}
    kinds = [c["transfers"]["type"] for c in single.contents() if "transfers" in c]
    assert kinds == ["TRANSFER_OUT", "TRANSFER_OUT", "DEPOSIT"]
    rows = desk.get("/v4/transfers", address=ALICE.owner, subaccountNumber="0")["transfers"]
    assert [row["type"] for row in rows] == ["DEPOSIT", "TRANSFER_OUT", "TRANSFER_OUT", "DEPOSIT"]
    assert "subaccountNumber" not in rows[0]["sender"]
    parent = desk.get("/v4/transfers/parentSubaccountNumber", address=ALICE.owner, parentSubaccountNumber="0")
    assert [row["size"] for row in parent["transfers"]] == ["20", "500", "1000000"]
    between = desk.get(
        "/v4/transfers/between",
        sourceAddress=ALICE.owner,
        sourceSubaccountNumber="0",
        recipientAddress=BOB.owner,
        recipientSubaccountNumber="0",
    )
    assert between["totalNetTransfers"] == "500"


def test_trading_rewards_go_to_subaccount_0() -> None:
    desk = Desk()
    child = SubaccountId(ALICE.owner, 128)
    desk.send(Transfer(ALICE, child, 10_000 * USDC))
    desk.block()
    watcher = desk.watch_account()
    desk.place(BOB, SELL, 10, 64_000)
    desk.place(child, BUY, 10, 64_000, tif=IOC)
    desk.block()
    (reward,) = [c["tradingReward"] for c in watcher.contents() if "tradingReward" in c]
    assert Decimal(reward["tradingReward"]) > 0
    assert desk.get(f"/v4/historicalBlockTradingRewards/{ALICE.owner}")["rewards"][0] == {
        "tradingReward": reward["tradingReward"],
        "createdAt": reward["createdAt"],
        "createdAtHeight": reward["createdAtHeight"],
    }

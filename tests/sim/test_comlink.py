"""The REST core: shapes, error bodies, limits, and the traps of the real one."""

from typing import Any

import pytest
from sim_help import ALICE, BOB, BUY, SELL, USDC, Desk, long_term

from dydx_console.sim.core.exchange import ChainOptions
from dydx_console.sim.core.orders import SubaccountId, TimeInForce, Transfer
from dydx_console.sim.indexer.comlink import Request
from dydx_console.sim.indexer.market_answers import uncrossed
from dydx_console.sim.indexer.rows import Level

IOC = TimeInForce.IOC
WHO = {"address": ALICE.owner, "subaccountNumber": "0"}
PARENT = {"address": ALICE.owner, "parentSubaccountNumber": "0"}


def traded(count: int = 3) -> Desk:
    desk = Desk()
    for n in range(count):
        desk.place(BOB, SELL, 10, 64_000 + n)
        desk.place(ALICE, BUY, 10, 64_000 + n, tif=IOC)
        desk.block()
    return desk


@pytest.mark.parametrize(
    ("path", "query", "status", "body"),
    [
        ("/v4/nope", {}, 404, {"error": "Not Found", "errorCode": 404}),
        ("/v4", {}, 404, {"error": "Not Found", "errorCode": 404}),
        ("//v4/time", {}, 404, {"error": "Not Found", "errorCode": 404}),
        ("/v4/fills/parentSubaccount", {}, 404, {"error": "Not Found", "errorCode": 404}),
        (
            "/v4/orderbooks/perpetualMarket/NOPE-USD",
            {},
            404,
            {"errors": [{"msg": "NOPE-USD not found in markets of type PERPETUAL"}]},
        ),
        ("/v4/addresses/nope", {}, 404, {"errors": [{"msg": "No subaccounts found for address nope"}]}),
        (
            "/v4/addresses/nope/subaccountNumber/0",
            {},
            404,
            {"errors": [{"msg": "No subaccount found with address nope and subaccountNumber 0"}]},
        ),
        (
            "/v4/addresses/nope/subaccountNumber/abc",
            {},
            400,
            {
                "errors": [
                    {
                        "value": "abc",
                        "msg": "subaccountNumber must be a non-negative integer less than 128001",
                        "param": "subaccountNumber",
                        "location": "params",
                    }
                ]
            },
        ),
        (
            "/v4/perpetualMarkets",
            {"limit": "1001"},
            400,
            {
                "errors": [
                    {
                        "value": 1001,
                        "msg": "limit must be a positive integer that is not greater than max: 1000",
                        "param": "limit",
                        "location": "query",
                    }
                ]
            },
        ),
        (
            "/v4/trades/perpetualMarket/NOPE",
            {},
            400,
            {
                "errors": [
                    {
                        "value": "NOPE",
                        "msg": "ticker must be a valid ticker (BTC-USD, etc)",
                        "param": "ticker",
                        "location": "params",
                    }
                ]
            },
        ),
        (
            "/v4/fills",
            {**WHO, "market": "BTC-USD"},
            400,
            {
                "errors": [
                    {
                        "msg": "marketType must be provided if market is provided",
                        "param": "marketType",
                        "location": "query",
                    }
                ]
            },
        ),
    ],
)
def test_error_bodies(path: str, query: dict[str, str], status: int, body: object) -> None:
    answer = Desk().request(path, **query)
    assert (answer.status, answer.json()) == (status, body)


@pytest.mark.parametrize("path", ["/v4/orders", "/v4/perpetualPositions", "/v4/fills"])
def test_missing_parameters_are_all_reported(path: str) -> None:
    body: Any = Desk().request(path).json()
    assert [error["msg"] for error in body["errors"]] == [
        "address must be a valid dydx address",
        "Cannot read properties of undefined (reading 'length')",
        "subaccountNumber must be a non-negative integer less than 128001",
    ]
    assert {error["location"] for error in body["errors"]} == {"params"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v4/orders", 200),
        ("/v4/fills", 200),
        ("/v4/perpetualPositions", 200),
        ("/v4/fundingPayments", 200),
        ("/v4/tradeHistory", 200),
        ("/v4/assetPositions", 404),
        ("/v4/transfers", 404),
        ("/v4/historical-pnl", 404),
        ("/v4/pnl", 404),
    ],
)
def test_unknown_subaccounts_are_404_here_and_empty_there(path: str, status: int) -> None:
    assert Desk().request(path, address="dydx1nobody", subaccountNumber="3").status == status


def test_time_height_and_odd_paths() -> None:
    desk = Desk()
    assert desk.get("/v4/time") == {"iso": "2026-11-21T00:00:01.000Z", "epoch": desk.now / 1000}
    assert desk.get("/v4/Time/") == desk.get("/v4/time")
    assert desk.get("/v4/height") == {"height": str(desk.exchange.height), "time": "2026-11-21T00:00:01.000Z"}
    assert desk.get("/health") == {"ok": True}
    assert desk.comlink.answer(Request("POST", "/v4/time"), desk.now).status == 404
    assert desk.comlink.answer(Request("OPTIONS", "/v4/orders"), desk.now).status == 200


def test_a_market_row() -> None:
    row = Desk().get("/v4/perpetualMarkets", ticker="BTC-USD")["markets"]["BTC-USD"]
    assert row == {
        "clobPairId": "0",
        "ticker": "BTC-USD",
        "status": "ACTIVE",
        "oraclePrice": "64000",
        "priceChange24H": "0",
        "volume24H": "0",
        "trades24H": 0,
        "nextFundingRate": "0",
        "initialMarginFraction": "0.02",
        "maintenanceMarginFraction": "0.012",
        "openInterest": "0",
        "atomicResolution": -10,
        "quantumConversionExponent": -9,
        "tickSize": "1",
        "stepSize": "0.0001",
        "stepBaseQuantums": 1_000_000,
        "subticksPerTick": 100_000,
        "marketType": "CROSS",
        "openInterestLowerCap": "100000000",
        "openInterestUpperCap": "200000000",
        "baseOpenInterest": "0",
        "defaultFundingRate1H": "0.0000125",
    }
    assert len(Desk().get("/v4/perpetualMarkets", limit="2")["markets"]) == 2


def test_headers_of_cache_and_entity() -> None:
    desk = Desk()
    answer = desk.request("/v4/perpetualMarkets", ticker="BTC-USD")
    headers = dict(answer.headers)
    assert headers["Cache-Control"] == "public, max-age=1"
    assert headers["Access-Control-Allow-Origin"] == "*"
    again = desk.comlink.answer(
        Request("GET", "/v4/perpetualMarkets", {"ticker": "BTC-USD"}, None, headers["ETag"]), desk.now
    )
    assert (again.status, again.body) == (304, "")
    assert "Cache-Control" not in dict(desk.request("/v4/height").headers)
    assert dict(desk.request("/v4/time").headers)["Cache-Control"] == "no-cache, no-store, no-transform"
    assert dict(desk.request("/v4/pnl", **WHO).headers)["Cache-Control"] == "public, max-age=10"


def test_rate_limits_are_told_in_milliseconds_and_kept_apart() -> None:
    desk = Desk()
    started = desk.now
    for left in range(99, -1, -1):
        answer = desk.request("/v4/height", client="1.2.3.4")
        headers = dict(answer.headers)
        assert answer.status == 200
        assert (headers["RateLimit-Limit"], headers["RateLimit-Remaining"]) == ("100", str(left))
        assert headers["RateLimit-Reset"] == str(started + 10_000)
    desk.now += 4_000
    refused = desk.request("/v4/time", client="1.2.3.4")
    assert (refused.status, refused.json()) == (429, {"errors": [{"msg": "Too many requests"}]})
    assert dict(refused.headers)["Retry-After"] == "6000"
    assert desk.request("/v4/height", client="5.6.7.8").status == 200
    assert desk.request("/v4/orders", client="1.2.3.4", **WHO).status == 200
    assert "RateLimit-Limit" not in dict(desk.request("/v4/orders/nope", client="1.2.3.4").headers)
    candles = desk.request("/v4/candles/perpetualMarkets/BTC-USD", client="1.2.3.4", resolution="1MIN")
    assert dict(candles.headers)["RateLimit-Limit"] == "1000"
    desk.now += 6_000
    assert desk.request("/v4/time", client="1.2.3.4").status == 200


def test_screening_has_a_small_budget_for_new_addresses() -> None:
    desk = Desk()
    paths = [f"/v4/compliance/screen/{who}" for who in ("dydx1a", "dydx1b", "dydx1c")]
    assert [desk.request(path, client="9.9.9.9").status for path in paths] == [200, 200, 429]
    assert desk.request(paths[0], client="9.9.9.9").json() == {"status": "COMPLIANT"}
    assert desk.get("/v4/screen", address=ALICE.owner) == {"restricted": False}


def test_fills_newest_first_but_oldest_first_by_page() -> None:
    desk = traded(5)
    newest = desk.get("/v4/fills", **WHO)["fills"]
    heights = [int(fill["createdAtHeight"]) for fill in newest]
    assert heights == sorted(heights, reverse=True)
    page = desk.get("/v4/fills", **WHO, limit="2", page="1")
    assert (page["pageSize"], page["totalResults"], page["offset"]) == (2, 5, 0)
    assert [int(fill["createdAtHeight"]) for fill in page["fills"]] == sorted(heights)[:2]
    earlier = desk.get("/v4/fills", **WHO, createdBeforeOrAtHeight=str(heights[2]))["fills"]
    assert [fill["id"] for fill in earlier] == [fill["id"] for fill in newest[2:]]
    parent = desk.get("/v4/fills/parentSubaccountNumber", **PARENT, createdBeforeOrAtHeight="1")["fills"]
    assert len(parent) == 5, "the parent variant ignores it"
    first = newest[-1]
    assert "entryPriceBefore" not in first
    assert (first["market"], first["marketType"], first["positionSideBefore"]) == ("BTC-USD", "PERPETUAL", "LONG")


def test_trades_and_candles_of_the_same_fills() -> None:
    desk = traded(3)
    trades = desk.get("/v4/trades/perpetualMarket/BTC-USD")["trades"]
    assert [trade["price"] for trade in trades] == ["64002", "64001", "64000"]
    assert trades[0]["side"] == "BUY"
    for resolution in ("1MIN", "5MINS", "15MINS", "30MINS", "1HOUR", "4HOURS", "1DAY"):
        (candle,) = desk.get("/v4/candles/perpetualMarkets/BTC-USD", resolution=resolution)["candles"]
        assert (candle["open"], candle["high"], candle["low"], candle["close"]) == ("64000", "64002", "64000", "64002")
        assert (candle["trades"], candle["baseTokenVolume"], candle["usdVolume"]) == (3, "0.003", "192.003")
    assert desk.get("/v4/sparklines", timePeriod="ONE_DAY")["BTC-USD"] == ["64002"]
    late = desk.get("/v4/candles/perpetualMarkets/BTC-USD", resolution="1MIN", fromISO="2026-11-21T00:01:00Z")
    assert late == {"candles": []}


def test_a_candle_follows_an_empty_minute() -> None:
    desk = traded(1)
    watcher = desk.watch({"channel": "v4_candles", "id": "BTC-USD/1MIN"})
    desk.block(60)
    last, new = watcher.contents()
    assert (last["trades"], new["trades"], new["open"], new["close"]) == (1, 0, "64000", "64000")
    assert new["startedAt"] == "2026-11-21T00:01:00.000Z"


def test_orders_sorting_filters_and_the_inverted_parameter() -> None:
    desk = Desk()
    desk.place(ALICE, BUY, 1, 60_000, life=10, client=1)
    desk.place(ALICE, BUY, 1, 60_001, life=20, client=2)
    long_term(desk, ALICE, BUY, 1, 60_002, client=3)
    desk.place(ALICE, SELL, 1, 70_000, market=desk.eth, life=15, client=4)
    desk.block()

    def clients(**query: str) -> list[str]:
        return [order["clientId"] for order in desk.get("/v4/orders", **WHO, **query)]

    assert clients() == ["3", "2", "4", "1"]
    assert clients(returnLatestOrders="true") == ["1", "4", "2", "3"]
    assert clients(returnLatestOrders="false") == ["1", "4", "2", "3"]
    assert clients(limit="2") == ["3", "2"]
    assert clients(ticker="ETH-USD") == ["4"]
    assert clients(side="SELL") == ["4"]
    assert clients(status="open") == ["3"]
    assert clients(status="OPEN,BEST_EFFORT_OPENED") == ["3", "2", "4", "1"]
    assert clients(goodTilBlockBeforeOrAt=str(desk.exchange.height + 14)) == ["4", "1"]
    assert clients(goodTilBlockBeforeOrAt="9999999", goodTilBlockTimeBeforeOrAt="2030-01-01T00:00:00Z") == []
    assert clients(type="STOP_LIMIT") == []
    found = desk.get("/v4/orders/parentSubaccountNumber", **PARENT)
    assert [order["clientId"] for order in found] == ["3", "2", "4", "1"]
    assert "updatedAt" not in found[1]
    assert (found[1]["totalFilled"], found[1]["type"]) == ("0", "LIMIT")
    assert desk.get(f"/v4/orders/{found[1]['id']}") == found[1]


def test_a_subaccount_and_its_parent() -> None:
    desk = traded(1)
    child = SubaccountId(ALICE.owner, 128)
    desk.send(Transfer(ALICE, child, 1_000 * USDC))
    desk.block()
    single = desk.get(f"/v4/addresses/{ALICE.owner}/subaccountNumber/0")["subaccount"]
    assert list(single) == [
        "address", "subaccountNumber", "equity", "freeCollateral", "openPerpetualPositions", "assetPositions",
        "marginEnabled", "updatedAtHeight", "latestProcessedBlockHeight",
    ]  # fmt: skip
    assert (single["equity"], single["freeCollateral"]) == ("998999.968", "998998.688")
    parent = desk.get(f"/v4/addresses/{ALICE.owner}/parentSubaccountNumber/0")["subaccount"]
    assert [c["subaccountNumber"] for c in parent["childSubaccounts"]] == [0, 128]
    assert parent["equity"] == "999999.968"
    assert len(desk.get(f"/v4/addresses/{ALICE.owner}")["subaccounts"]) == 2
    assets = desk.get("/v4/assetPositions/parentSubaccountNumber", **PARENT)["positions"]
    assert [a["subaccountNumber"] for a in assets] == [0, 128]


def test_pnl_two_ways() -> None:
    desk = Desk(ChainOptions(funding_speedup=1_200))
    desk.send(Transfer(ALICE, BOB, 100 * USDC))
    desk.block(9)
    ticks = desk.get("/v4/historical-pnl", **WHO)["historicalPnl"]
    assert [tick["netTransfers"] for tick in ticks] == ["0", "0", "-100", "1000000"][-len(ticks) :]
    totals = desk.get("/v4/pnl", **WHO)["pnl"]
    assert totals[0]["netTransfers"] == "999900"
    assert totals[0]["createdAt"] == "2026-11-21T00:00:00.000Z"
    assert len(desk.get("/v4/pnl", **WHO, daily="true")["pnl"]) == 1
    assert desk.get("/v4/historical-pnl/parentSubaccountNumber", **PARENT)["historicalPnl"] == ticks
    rates = desk.get("/v4/historicalFunding/BTC-USD")["historicalFunding"]
    assert [rate["effectiveAtHeight"] for rate in rates] == sorted(
        (rate["effectiveAtHeight"] for rate in rates), reverse=True
    )


def test_a_crossed_cache_is_uncrossed_for_readers() -> None:
    desk = Desk()
    row = desk.indexer.store.markets["BTC-USD"]
    row.bids.update({100: Level(5, 10), 99: Level(1, 10), 98: Level(9, 10)})
    row.asks.update({99: Level(7, 20), 101: Level(1, 10)})
    bids, asks = uncrossed(row)
    assert ([price for price, _ in bids], [price for price, _ in asks]) == ([98], [99, 101])

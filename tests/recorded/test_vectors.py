"""Cases of the web front end's own calculators: streams, order status, order book, markets, accounts.

Where docs and design decide otherwise than the web, the case is listed with the reason.
"""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from shared_data import cases_of, needs_data

from dydx_console.domain.ids import PositionKey, StreamVersion
from dydx_console.domain.market import Market, effective_initial_margin_fraction
from dydx_console.domain.order import Order, OrderPatch, display_status, display_type, is_done
from dydx_console.state.books import uncrossed
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.margin import AccountMargin
from dydx_console.state.orders import Orders
from dydx_console.state.snapshot import snapshot_of
from dydx_console.venue.indexer import rows, wire
from dydx_console.venue.indexer.answers import Answer, facts_of_answer
from dydx_console.venue.indexer.protocol import IndexerProtocol

pytestmark = needs_data

VECTOR_ADDRESS = "dydx1examxvect0rz0000000000000000000000000q"
CLOSE = Decimal("1e-12")

OVERRULED_STATUS = {
    "O05": "the web says PARTIALLY_CANCELED; the status table says CANCELLED, `filled` > 0 tells the rest",
    "O13": "the web says PARTIALLY_CANCELED; past good-til an open order is EXPIRED",
    "O17": "the web lists a best-effort cancelled order as open; the table says CANCELING, which is not working",
    "O21": "the web says BEST_EFFORT_CANCELED and open; the table says CANCELING",
}
"""Cases whose web status word the status table of the design overrules; what the table says stands in EXPECTED."""
EXPECTED = {"O05": "CANCELLED", "O13": "EXPIRED", "O17": "CANCELING", "O21": "CANCELING"}


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases_of(name)]


def same(got: Decimal | None, want: str | float | None) -> bool:
    if got is None or want is None:
        return got is None and want is None
    expected = Decimal(str(want))
    return abs(got - expected) <= CLOSE * max(Decimal(1), abs(expected))


def patch_of(row: dict[str, Any]) -> OrderPatch:
    return rows.order_of(wire.msgspec.convert(row, wire.OrderRow), None)


@pytest.mark.parametrize("case", cases("order_status"))
def test_order_status(case: dict[str, Any]) -> None:
    given, want = case["input"], case["expected"]
    orders = Orders()
    if given["liveOrder"] is not None:
        orders.take_rows((patch_of(given["liveOrder"]),), StreamVersion(1, 5))
    if given["restOrder"] is not None:
        orders.take_read((patch_of(given["restOrder"]),), 1)
    order = orders.get("o1")
    assert isinstance(order, Order)
    height, time = given["height"]["height"], datetime.fromisoformat(given["height"]["time"])
    status = display_status(order, height, time)
    assert status == EXPECTED.get(case["id"], want["status"])
    if case["id"] not in OVERRULED_STATUS:
        assert is_done(status) == want["inHistory"]
    assert display_type(order) == want["type"]
    assert same(order.filled, want["totalFilled"])
    assert same(order.remaining, want["remainingSize"])
    assert same(order.price, want["price"])
    assert order.good_til_block == want["goodTilBlock"]
    reason = want["removalReason"]
    assert order.removal_reason == (reason and reason.removeprefix("ORDER_REMOVAL_REASON_"))


@pytest.mark.parametrize("case", cases("orderbook"))
def test_order_book(case: dict[str, Any]) -> None:
    given, want = case["input"], case["expected"]
    sides = [
        {
            Decimal(price): (Decimal(level["size"]), StreamVersion(1, level["offset"]))
            for price, level in given[side].items()
        }
        for side in ("bids", "asks")
    ]
    view = uncrossed("X", *sides)
    assert same(view.mid_price, want["midPrice"])
    assert same(view.spread, want["spread"])
    assert same(view.spread_fraction, want["spreadPercent"])
    for shown, side in ((view.bids, "bids"), (view.asks, "asks")):
        assert [(float(p), float(s)) for p, s in shown] == [(r["price"], r["size"]) for r in want["grouped"][side]]


def market_of(row: dict[str, Any]) -> Market:
    return rows.market_of(row["ticker"], wire.msgspec.convert(row, wire.MarketRow))


@pytest.mark.parametrize("case", cases("markets"))
def test_market(case: dict[str, Any]) -> None:
    market, want = market_of(case["input"]["market"]), case["expected"]
    assert same(effective_initial_margin_fraction(market), want["effectiveInitialMarginFraction"])
    assert market.max_leverage is not None
    assert abs(float(market.max_leverage) - want["maxLeverage"]) < 1e-9
    assert same(market.change_24h_fraction, want["percentChange24h"])


def fed(messages: list[dict[str, Any]], watched: Watched | None) -> list[ConsoleState]:
    """Return the state as it is after every message (one state object, copied by what the test reads at once)."""
    state = ConsoleState(watched)
    protocol = IndexerProtocol(1)
    for message in messages:
        frame = protocol.receive(json.dumps(message), 1.0)
        state.apply(frame)
        yield state  # type: ignore[misc]


@pytest.mark.parametrize("case", [c for c in cases("streams") if c.values[0]["id"] in ("W01", "W05")])
def test_account_stream(case: dict[str, Any]) -> None:
    messages = [case["input"]["subscribed"], *case["input"]["updates"]]
    wanted = case["expected"]["stateAfterEachMessage"]
    for state, want in zip(fed(messages, Watched(VECTOR_ADDRESS)), wanted, strict=True):
        for number, child in want["childSubaccounts"].items():
            held = {b.asset: b.amount for b in state.holdings.balances if b.subaccount == int(number)}
            assert held == {
                asset: Decimal(row["size"]) * (-1 if row["side"] == "SHORT" else 1)
                for asset, row in child["assetPositions"].items()
            }
            for market, row in child["openPerpetualPositions"].items():
                position = state.holdings.position(PositionKey(int(number), market))
                assert position is not None
                assert abs(position.net_size) == abs(Decimal(row["size"]))
                assert (position.net_size < 0) == (row["side"] == "SHORT")
                assert position.entry_price == Decimal(row["entryPrice"])
                assert position.sum_open == Decimal(row["sumOpen"])
                flipped = case["id"] == "W05" and row["side"] == "SHORT"
                assert position.opened_at_height == (None if flipped else int(row["createdAtHeight"]))


def test_w05_differs_in_the_opening_of_a_flipped_position() -> None:
    """W05 keeps createdAt of the position before the flip: the web merges by market, but that is another position."""
    case = next(case for case in cases_of("streams") if case["id"] == "W05")
    final = case["expected"]["stateAfterEachMessage"][-1]["childSubaccounts"]["0"]["openPerpetualPositions"]["BTC-USD"]
    assert final["side"] == "SHORT"
    assert final["createdAtHeight"] == "18000258"


def test_book_stream() -> None:
    """W20; removed levels stay with size zero, so that a delayed message cannot bring them back."""
    case = next(case for case in cases_of("streams") if case["id"] == "W20")
    messages = [case["input"]["subscribed"], *case["input"]["updates"]]
    wanted = case["expected"]["stateAfterEachMessage"]
    views = case["expected"]["bookAfterEachMessage"]
    for state, want, view in zip(fed(messages, None), wanted, views, strict=True):
        for side, name in zip(state.books.levels("BTC-USD"), ("bids", "asks"), strict=True):
            shown = {str(price): (str(size), mark.message_id) for price, (size, mark) in side.items()}
            assert shown == {price: (row["size"], row["offset"]) for price, row in want[name].items()}
        book = state.books.view("BTC-USD")
        assert same(book.mid_price, view["midPrice"])
        assert same(book.spread, view["spread"])
        assert [str(price) for price, _ in book.bids] == [row[0] for row in view["bids"]]
        assert [str(price) for price, _ in book.asks] == [row[0] for row in view["asks"]]


def test_trade_stream() -> None:
    """W40."""
    case = next(case for case in cases_of("streams") if case["id"] == "W40")
    messages = [case["input"]["subscribed"], *case["input"]["updates"]]
    for state, want in zip(fed(messages, None), case["expected"]["stateAfterEachMessage"], strict=True):
        assert [trade.id for trade in state.tape.newest("BTC-USD")] == [row["id"] for row in want["trades"]]


def test_every_stream_case_is_held() -> None:
    assert {case["id"] for case in cases_of("streams")} == {"W01", "W05", "W20", "W40"}


def account_state(given: dict[str, Any]) -> ConsoleState:
    parent = given["parentSubaccountResponse"]["subaccount"]["parentSubaccountNumber"]
    state = ConsoleState(Watched(VECTOR_ADDRESS, parent))
    paths = {
        f"/v4/addresses/{VECTOR_ADDRESS}/parentSubaccountNumber/{parent}": given["parentSubaccountResponse"],
        "/v4/perpetualMarkets": given["perpetualMarketsResponse"],
    }
    for path, body in paths.items():
        for fact in facts_of_answer(Answer(path, 200, json.dumps(body), 1.0, 1.0, 0)):
            state.apply(fact)
    return state


def account_cases() -> list[Any]:
    return [case for case in cases("accounts") if not case.values[0]["input"].get("selectedLeverageByMarket")]


@pytest.mark.parametrize("case", account_cases())
def test_account_margin(case: dict[str, Any]) -> None:
    state = account_state(case["input"])
    want = case["expected"]
    listed = case["input"]["perpetualMarketsResponse"]["markets"]
    margin = snapshot_of(state, 1.0, 1).margin
    assert isinstance(margin, AccountMargin)
    if all(row.get("oraclePrice") is not None for row in listed.values()):
        names = {
            "equity": "equity",
            "free_collateral": "freeCollateral",
            "raw_free_collateral": "rawFreeCollateral",
            "margin_usage": "marginUsage",
            "effective_leverage": "leverage",
        }
        for ours, theirs in names.items():
            assert same(getattr(margin, ours), want["group"].get(theirs)), ours
        children = {child.number: child for child in margin.children}
        own = {**names, "initial_margin": "initialRiskTotal", "maintenance_margin": "maintenanceRiskTotal"}
        for number, row in want["children"].items():
            for ours, theirs in own.items():
                if theirs in row:
                    assert same(getattr(children[int(number)], ours), row[theirs]), (number, ours)
    positions = {(v.position.subaccount, v.position.market): v for v in snapshot_of(state, 1.0, 1).positions}
    for row in want["positions"]:
        view = positions[row["subaccountNumber"], row["market"]]
        if listed.get(row["market"], {}).get("oraclePrice") is None:
            assert view.unrealized_pnl is None
            continue
        assert view.margin is not None
        assert same(view.position.net_size, row["signedSize"])
        assert same(view.margin.notional, row["notional"])
        assert same(view.margin.maintenance_margin, row["maintenanceRisk"])
        assert same(view.margin.initial_margin, row["initialRiskFromSelectedLeverage"])
        assert same(view.margin.effective_leverage, row["leverage"])
        assert same(view.margin.liquidation_price, row["liquidationPrice"])
        assert same(view.unrealized_pnl, row["updatedUnrealizedPnl"])
        assert same(view.unrealized_fraction, row["updatedUnrealizedPnlPercent"])

"""The Indexer's own PNL by REST: three paths whose fields of one name mean different things."""

import json
from typing import Any

import pytest
from builders import ADDRESS, D
from shared_data import DATA, needs_data

from dydx_console.domain import events as ev
from dydx_console.domain.venue_pnl import HistoricalPnlRead, PnlRead, TradeHistoryRead
from dydx_console.venue.indexer.answers import Answer, facts_of_answer

TRADE = {
    "id": "o1:7", "subaccountNumber": 128, "action": "CLOSE", "executionPrice": "11", "entryPrice": "10",
    "side": "SELL", "positionSide": None, "prevSize": "2", "additionalSize": "-2", "value": "22", "orderType": None,
    "netFee": "0.1", "netRealizedPnl": "2", "netRealizedPnlPercent": None, "time": "2026-05-01T00:00:00.000Z",
    "orderId": None, "marketId": "WIF-USD", "marginMode": "ISOLATED",
}  # fmt: skip
POINT = {"equity": "1e3", "netTransfers": "900", "totalPnl": "100", "createdAt": "2026-05-01T01:00:00.000Z"}
TICK = {**POINT, "blockHeight": "7", "blockTime": "2026-05-01T00:59:58.000Z"}
QUERY = f"?address={ADDRESS}&parentSubaccountNumber=0"


def told(path: str, body: Any, status: int = 200) -> tuple[ev.Fact, ...]:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return facts_of_answer(Answer(path, status, text, 1.0, 2.0, 3))


def test_a_trade_of_the_history() -> None:
    (read,) = told(f"/v4/tradeHistory/parentSubaccountNumber{QUERY}", {"tradeHistory": [TRADE], "totalResults": 9})
    assert isinstance(read, TradeHistoryRead)
    (row,) = read.rows
    assert (read.address, read.total) == (ADDRESS, 9)
    assert (row.subaccount, row.market, row.label, row.order_id) == (128, "WIF-USD", "CLOSE_LONG", None)
    assert (row.added_size, row.net_fee, row.net_realized, row.moved_fraction) == (D(-2), D("0.1"), D(2), D("0.1"))


@pytest.mark.parametrize(
    ("action", "side", "position_side", "label"),
    [
        ("OPEN", "BUY", "LONG", "OPEN_LONG"),
        ("OPEN", "SELL", "SHORT", "OPEN_SHORT"),
        ("EXTEND", "BUY", "LONG", "ADD_TO_LONG"),
        ("EXTEND", "SELL", "SHORT", "ADD_TO_SHORT"),
        ("PARTIAL_CLOSE", "BUY", "SHORT", "PARTIAL_CLOSE_SHORT"),
        ("CLOSE", "BUY", None, "CLOSE_SHORT"),
        ("LIQUIDATION_CLOSE", "SELL", None, "LIQUIDATION"),
        ("LIQUIDATION_PARTIAL_CLOSE", "BUY", "SHORT", "LIQUIDATION"),
        ("SOMETHING_NEW", "BUY", "LONG", "SOMETHING_NEW"),
    ],
)
def test_an_action_is_named_with_its_position(action: str, side: str, position_side: str | None, label: str) -> None:
    row = {**TRADE, "action": action, "side": side, "positionSide": position_side, "entryPrice": None}
    (read,) = told(f"/v4/tradeHistory{QUERY}", {"tradeHistory": [row]})
    assert isinstance(read, TradeHistoryRead)
    assert read.rows[0].label == label
    assert read.rows[0].moved_fraction is None


def test_points_of_both_series() -> None:
    (pnl,) = told(f"/v4/pnl/parentSubaccountNumber{QUERY}", {"pnl": [{**POINT, "createdAtHeight": "7"}]})
    assert isinstance(pnl, PnlRead)
    assert (pnl.subaccount, pnl.points[0].equity, pnl.points[0].height) == (None, D(1000), 7)
    (ticks,) = told(f"/v4/historical-pnl?address={ADDRESS}&subaccountNumber=128", {"historicalPnl": [TICK]})
    assert isinstance(ticks, HistoricalPnlRead)
    assert (ticks.subaccount, ticks.ticks[0].height, ticks.ticks[0].at.minute) == (128, 7, 59)


@pytest.mark.parametrize("path", ["tradeHistory", "pnl", "historical-pnl"])
def test_an_account_that_was_never_funded_has_none(path: str) -> None:
    (read,) = told(f"/v4/{path}/parentSubaccountNumber{QUERY}", {"errors": [{"msg": "No subaccount found"}]}, 404)
    assert isinstance(read, TradeHistoryRead | PnlRead | HistoricalPnlRead)


@pytest.mark.parametrize(
    ("path", "name", "row", "wrong"),
    [
        ("tradeHistory", "tradeHistory", TRADE, {"netFee": "NaN"}),
        ("tradeHistory", "tradeHistory", TRADE, {"subaccountNumber": -1}),
        ("tradeHistory", "tradeHistory", TRADE, {"time": "soon"}),
        ("pnl", "pnl", {**POINT, "createdAtHeight": "7"}, {"createdAtHeight": None}),
        ("pnl", "pnl", {**POINT, "createdAtHeight": "7"}, {"equity": None}),
        ("historical-pnl", "historicalPnl", TICK, {"blockHeight": "-7"}),
        ("historical-pnl", "historicalPnl", TICK, {"totalPnl": "1e99"}),
    ],
)
def test_a_row_that_cannot_be_read_is_left_out_and_told(path: str, name: str, row: Any, wrong: Any) -> None:
    read, bad = told(f"/v4/{path}{QUERY}", {name: [{**row, **wrong}, row]})
    rows = getattr(read, {"tradeHistory": "rows", "pnl": "points"}.get(path, "ticks"))
    assert len(rows) == 1
    assert isinstance(bad, ev.MessageRejected)


def test_hostile_text_is_cleaned() -> None:
    row = {**TRADE, "action": "CL\x1bOSE", "marketId": "WIF\u202e-USD"}
    (read,) = told(f"/v4/tradeHistory{QUERY}", {"tradeHistory": [row]})
    assert isinstance(read, TradeHistoryRead)
    assert "\x1b" not in read.rows[0].action
    assert "\u202e" not in read.rows[0].market


@needs_data
@pytest.mark.parametrize(("name", "path"), [("pnl", "pnl"), ("historical_pnl", "historical-pnl")])
def test_the_shapes_of_the_indexer_can_be_read(name: str, path: str) -> None:
    (read,) = told(f"/v4/{path}{QUERY}", (DATA / "wire" / "rest" / f"{name}.json").read_text("utf-8"))
    assert isinstance(read, PnlRead | HistoricalPnlRead)
    assert len(read.points if isinstance(read, PnlRead) else read.ticks) == 1

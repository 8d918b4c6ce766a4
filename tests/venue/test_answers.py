"""REST answers: which path means what, what its body says, and what a refusal or an unreadable row becomes."""

import json
from typing import Any

import pytest
from builders import ADDRESS, D
from shared_data import DATA, needs_data

from dydx_console.domain import events as ev
from dydx_console.venue.indexer.answers import Answer, error_text, facts_of_answer

FILL = {
    "id": "f1", "side": "BUY", "liquidity": "TAKER", "type": "LIMIT", "market": "BTC-USD", "price": "5", "size": "1",
    "fee": "0.1", "createdAt": "2026-05-01T00:00:00.000Z", "createdAtHeight": "7", "subaccountNumber": 0,
}  # fmt: skip
PAYMENT = {
    "subaccountNumber": "128", "createdAt": "2026-05-01T00:00:00.000Z", "createdAtHeight": "7", "ticker": "BTC-USD",
    "oraclePrice": "5", "size": "-1", "rate": "0.1", "payment": "-2",
}  # fmt: skip
QUERY = f"?address={ADDRESS}&parentSubaccountNumber=0"


def told(path: str, body: Any, status: int = 200) -> tuple[ev.Fact, ...]:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    return facts_of_answer(Answer(path, status, text, 1.0, 2.0, 3))


def only(path: str, body: Any, status: int = 200) -> Any:
    facts = told(path, body, status)
    assert len(facts) == 1
    return facts[0]


@needs_data
@pytest.mark.parametrize(
    ("name", "path", "kind"),
    [
        ("subaccount", f"/v4/addresses/{ADDRESS}/subaccountNumber/0", ev.AccountRead),
        ("orders_bare_array", f"/v4/orders/parentSubaccountNumber{QUERY}", ev.OrdersRead),
        ("fills", f"/v4/fills/parentSubaccountNumber{QUERY}", ev.FillsRead),
        ("fills_page1", f"/v4/fills/parentSubaccountNumber{QUERY}&page=1", ev.FillsRead),
        ("fundingPayments", f"/v4/fundingPayments/parentSubaccount{QUERY}", ev.FundingRead),
        ("perpetualMarkets", "/v4/perpetualMarkets", ev.MarketsRead),
        ("orderbook", "/v4/orderbooks/perpetualMarket/BTC-USD", ev.BookRead),
        ("candles", "/v4/candles/perpetualMarkets/BTC-USD?resolution=1MIN", ev.CandlesRead),
        ("height", "/v4/height", ev.HeightRead),
        ("time", "/v4/time", ev.TimeRead),
    ],
)
def test_every_answer_in_the_shape_of_the_current_code(name: str, path: str, kind: type[object]) -> None:
    assert isinstance(only(path, (DATA / "wire" / "rest" / f"{name}.json").read_text(encoding="utf-8")), kind)


@needs_data
@pytest.mark.parametrize("path", sorted((DATA / "wire" / "rest").glob("error_*.json")), ids=lambda path: path.stem)
def test_every_refusal_is_told_in_the_indexers_words(path: Any) -> None:
    status = int(path.stem.split("_")[1])
    failed = only(f"/v4/fills{QUERY}", path.read_text(encoding="utf-8"), status)
    assert isinstance(failed, ev.ReadFailed)
    assert failed.status == status
    assert len(failed.text) > len(f"HTTP {status}: ")


def test_a_page_of_fills_carries_its_place_among_all() -> None:
    path = f"/v4/fills/parentSubaccountNumber{QUERY}&page=3&limit=100"
    read = only(path, {"fills": [FILL], "offset": 200, "totalResults": 201, "pageSize": 100})
    assert (read.in_chain_order, read.offset, read.total, len(read.fills)) == (True, 200, 201, 1)
    read = only(f"/v4/fills{QUERY}", {"fills": [FILL]})
    assert (read.in_chain_order, read.offset, read.total, read.address) == (False, None, None, ADDRESS)


def test_the_question_tells_the_subaccount_of_rows_without_one() -> None:
    row = {name: value for name, value in FILL.items() if name != "subaccountNumber"}
    assert only(f"/v4/fills?address={ADDRESS}&subaccountNumber=5", {"fills": [row]}).fills[0].subaccount == 5
    order = {"id": "o", "status": "OPEN"}
    assert only(f"/v4/orders?address={ADDRESS}&subaccountNumber=5", [order]).orders[0].subaccount == 5
    assert only(f"/v4/orders?address={ADDRESS}&subaccountNumber={'9' * 5000}", [order]).orders[0].subaccount is None
    payments = only(f"/v4/fundingPayments?address={ADDRESS}&subaccountNumber=128", {"fundingPayments": [PAYMENT]})
    assert (payments.subaccount, payments.payments[0].subaccount, payments.payments[0].payment) == (128, 128, D(-2))
    assert only(f"/v4/fundingPayments/parentSubaccount{QUERY}", {"fundingPayments": []}).subaccount is None


def test_an_unreadable_row_is_left_out_and_counted() -> None:
    bad = {**FILL, "size": "NaN"}
    read, rejected = told(f"/v4/fills{QUERY}", {"fills": [FILL, bad]})
    assert isinstance(read, ev.FillsRead)
    assert isinstance(rejected, ev.MessageRejected)
    assert [row.id for row in read.fills] == ["f1"]
    assert (rejected.source, "NaN" in rejected.sample) == ("GET /v4/fills", True)
    deep = '{"fills":[{"x":' + "[" * 100_000 + "]" * 100_000 + "}]}"
    assert any(isinstance(fact, ev.MessageRejected) for fact in told(f"/v4/fills{QUERY}", deep))


@pytest.mark.parametrize("body", ["", "<html>", "[]", b"\xff", '{"subaccount": {}}', "\ud800"])
def test_an_unreadable_account_is_not_taken(body: str | bytes) -> None:
    assert isinstance(only(f"/v4/addresses/{ADDRESS}/subaccountNumber/0", body), ev.MessageRejected)


def test_an_account_that_was_never_funded() -> None:
    read = only(f"/v4/addresses/{ADDRESS}/parentSubaccountNumber/2", {"errors": []}, 404)
    assert (read.exists, read.parent, read.subaccount, read.children) == (False, 2, None, ())
    assert (read.asked_at, read.at, read.connection) == (1.0, 2.0, 3)
    assert isinstance(only(f"/v4/orders{QUERY}", {"errors": []}, 404), ev.ReadFailed)
    assert only(f"/v4/transfers{QUERY}", {"errors": []}, 404).transfers == ()


def test_one_order() -> None:
    read = only("/v4/orders/d0167baa-4b6a-5a76-99da-16d6c3f4ff50", {"id": "o", "status": "OPEN"})
    assert (read.address, read.orders[0].id) == (None, "o")


def test_trades_and_transfers() -> None:
    trade = {
        "id": "a",
        "side": "BUY",
        "size": "1",
        "price": "2",
        "createdAt": "2026-05-01T00:00:00Z",
        "createdAtHeight": 4,
    }
    assert only("/v4/trades/perpetualMarket/X", {"trades": [trade]}).trades[0].height == 4
    row = {
        "id": "t", "sender": {"address": ADDRESS}, "recipient": {"address": ADDRESS, "parentSubaccountNumber": 0},
        "size": "1", "createdAt": "2026-05-01T00:00:00Z", "createdAtHeight": "4", "symbol": "USDC", "type": "DEPOSIT",
    }  # fmt: skip
    transfer = only(f"/v4/transfers/parentSubaccountNumber{QUERY}", {"transfers": [row]}).transfers[0]
    assert (transfer.sender_subaccount, transfer.recipient_subaccount) == (None, 0)


@pytest.mark.parametrize("path", ["/v4/unknown", "/other", "", "http://[oops/v4/height"])
def test_a_path_that_is_not_used_tells_nothing(path: str) -> None:
    assert told(path, {}) == ()


def test_errors_in_words() -> None:
    assert error_text(502, "<html>") == "HTTP 502"
    assert error_text(404, '{"error":"Not Found","errorCode":404}') == "HTTP 404: Not Found"
    assert error_text(400, '{"errors":[{"msg":"a"},{"msg":"b\\u202e"}]}') == "HTTP 400: a; b"
    assert error_text(500, "{}") == "HTTP 500"

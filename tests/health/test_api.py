"""The account's API over real sockets: who is admitted, what is told and how old it is, what is refused and why."""

import gc
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from api_help import BEARER, TOKEN, Account, ask, asked, serving_account, shelf
from health_help import TROUBLED, FakeEngine, exchange, get, request, serving
from tui.pictures import NOW, picture, stream

from dydx_console.health.listen import Listen, UnixListen
from dydx_console.ports.history import FetchState, HistoryProgress
from dydx_console.state.freshness import PictureState

PATHS = ("/api/account", "/api/positions/summary", "/api/positions/0-ETH-USD/pnl", "/api/orders", "/api/orders/order-1")


@pytest.fixture
def account() -> Account:
    return Account().show()


@pytest.fixture
def at(account: Account) -> Iterator[Listen]:
    with serving_account(account) as place:
        yield place


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", ["X-Nothing: 1", BEARER])
def test_switched_off_there_is_no_such_path(path: str, header: str) -> None:
    with serving(FakeEngine()) as at:
        answer = get(at, path, header)
        assert (answer.status, json.loads(answer.body)["error"]) == (404, "not_found")
        assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Authorization:",),
        ("Authorization: Bearer",),
        ("Authorization: Bearer " + "x" * len(TOKEN),),
        (f"Authorization: Bearer {TOKEN}x",),
        (f"Authorization: Bearer {TOKEN[:-1]}",),
        (f"Authorization: Bearer {TOKEN} {TOKEN}",),
        (f"Authorization: Basic {TOKEN}",),
        (f"Authorization: {TOKEN}",),
        (f"Authorization: Bearer {TOKEN}\xff",),
        (BEARER, BEARER),
        (f"X-Token: {TOKEN}",),
    ],
)
def test_nobody_is_answered_without_the_token(at: Listen, path: str, headers: tuple[str, ...]) -> None:
    answer = get(at, path, *headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="dydx-console"'
    assert json.loads(answer.body)["error"] == "unauthorized"
    assert TOKEN[:8] not in answer.body


@pytest.mark.parametrize("header", [BEARER, f"authorization: bearer  {TOKEN} "])
def test_the_token_admits(at: Listen, header: str) -> None:
    assert get(at, "/api/account", header).status == 200
    assert get(at, f"/api/account?token={TOKEN}").status == 401


def test_the_token_never_leaves_its_hash(at: Listen, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path in (*PATHS, "/health/", "/openapi.json", "/api/orders?limit=0"):
        for header in (BEARER, BEARER + "x"):
            answer = get(at, path, header)
            assert TOKEN not in answer.body + str(answer.headers)
    assert TOKEN not in caplog.text
    gc.collect()
    from dydx_console.health.token import ApiToken

    held = [each for each in gc.get_objects() if type(each) is ApiToken]
    assert all(TOKEN not in repr(each) for each in held)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Host: evil.example", 421),
        ("Origin: null", 403),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Content-Length: 5", 413),
    ],
)
def test_the_door_is_the_same(at: Listen, header: str, status: int) -> None:
    assert get(at, "/api/account", header, BEARER).status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_nothing_can_be_done_through_it(at: Listen, method: str) -> None:
    assert exchange(at, request(at, "/api/orders/order-1", method, BEARER), method).status == 405


def test_a_unix_socket_needs_the_token_too(account: Account, tmp_path: Path) -> None:
    with serving_account(account, at=UnixListen(tmp_path / "h")) as at:
        assert get(at, "/api/account").status == 401
        assert ask(at, "/api/account").status == 200


def test_the_account(at: Listen) -> None:
    body = asked(at, "/api/account")
    assert body["as_of"]["height"] == 48_112_907
    assert body["network"] == {"name": "testnet", "kind": "testnet", "chain_id": "dydx-testnet-4",
                               "ethereum_chain_id": 11155111}  # fmt: skip
    assert body["account"]["equity"] == "403105.93"
    assert body["account"]["address"].startswith("dydx1")
    assert (body["account"]["state"], body["account"]["source"]) == ("LIVE", "INDEXER")
    assert body["pnl"]["net"] == "205.84"
    assert {row["asset"]: row["amount"] for row in body["balances"] if row["subaccount"] == 128} == {"USDC": "-37.48"}


def test_positions_with_their_sums(at: Listen) -> None:
    body = asked(at, "/api/positions/summary")
    assert (body["count"], body["unrealized_pnl"]) == (2, "-7.13")
    assert body["long_notional"] == "1360.224"
    assert body["short_notional"] == "0"
    assert [row["market"] for row in body["positions"]] == ["ETH-USD", "ISO-USD"]
    assert (body["state"], body["age_s"]) == ("LIVE", 0.8)


def test_a_sum_with_an_unknown_part_is_unknown(account: Account, at: Listen) -> None:
    held = picture().positions
    account.show(picture(revision=2, positions=(held[0], replace(held[1], margin=None, unrealized_pnl=None))))
    body = asked(at, "/api/positions/summary")
    assert (body["long_notional"], body["unrealized_pnl"], body["count"]) == (None, None, 2)


def test_a_position_by_its_id(at: Listen) -> None:
    body = asked(at, "/api/positions/128-ISO-USD/pnl")
    assert (body["id"], body["pnl"]["net"], body["position"]["net_size"]) == ("128-ISO-USD", "-6.63", "976")


def test_a_closed_position_has_its_pnl(account: Account, at: Listen) -> None:
    account.show(picture(revision=2, positions=()))
    body = asked(at, "/api/positions/0-ETH-USD/pnl")
    assert (body["position"], body["pnl"]["realized"]) == (None, "240.1")


@pytest.mark.parametrize("name", ["0-BTC-USD", "1-ETH-USD", "ETH-USD", "0", "-", "0-eth-usd", "%00", "x" * 500])
def test_an_unknown_position_is_not_there(at: Listen, name: str) -> None:
    answer = ask(at, f"/api/positions/{name}/pnl")
    assert (answer.status, json.loads(answer.body)["error"]) == (404, "not_found")


@pytest.mark.parametrize(("elapsed_s", "state"), [(0.0, "LIVE"), (5.0, "DELAYED"), (14.0, "STALE"), (120.0, "OFFLINE")])
def test_figures_grow_old_though_nothing_comes(account: Account, at: Listen, elapsed_s: float, state: str) -> None:
    account.now = elapsed_s
    for body in (asked(at, "/api/positions/summary"), asked(at, "/api/orders"), asked(at, "/api/account")["account"]):
        assert (body["state"], body["age_s"]) == (state, round(0.8 + elapsed_s, 3))
    assert asked(at, "/api/account")["as_of"]["state"] == state


def test_what_is_not_live_says_so(account: Account, at: Listen) -> None:
    account.show(picture(revision=2, stream=stream(PictureState.SYNCING, None), margin=None))
    body = asked(at, "/api/account")
    assert (body["account"]["state"], body["account"]["age_s"], body["account"]["equity"]) == ("SYNCING", None, None)


@pytest.mark.parametrize("path", PATHS)
def test_before_the_first_picture_there_is_nothing_to_tell(path: str) -> None:
    with serving_account(Account()) as at:
        answer = ask(at, path)
        assert (answer.status, json.loads(answer.body)["error"]) == (503, "no_picture")


def ids(body: dict[str, list[dict[str, str]]]) -> list[int]:
    """Return the numbers of a page's orders."""
    return [int(row["id"].removeprefix("order-")) for row in body["orders"]]


class TestOrders:
    def test_the_newest_fifty_first(self, at: Listen) -> None:
        body = asked(at, "/api/orders")
        assert ids(body) == list(range(50))
        first = body["orders"][1]
        assert (first["status"], first["price"], first["type"]) == ("OPEN", "15041", "LIMIT")
        assert first["placed_at"] == "2026-11-21T01:48:30.000Z"
        assert body["history"] == {"state": "IDLE", "problem": None}

    @pytest.mark.parametrize("order", ["newest", "oldest"])
    def test_pages_have_every_order_once(self, at: Listen, order: str) -> None:
        found: list[int] = []
        cursor = ""
        while True:
            body = asked(at, f"/api/orders?order={order}&limit=47{cursor}")
            found += ids(body)
            if body["next"] is None:
                break
            cursor = f"&cursor={body['next']}"
        assert found == (list(range(120)) if order == "newest" else list(range(119, -1, -1)))

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("status=CANCELLED", 40),
            ("status=cancelled,open", 120),
            ("status=open&status=filled", 80),
            ("market=ETH-USD", 40),
            ("market=eth", 40),
            ("side=SELL", 0),
            ("type=LIMIT", 120),
            ("subaccount=0", 120),
            ("subaccount=128", 0),
            ("text=order-11", 11),
            (f"since={(NOW.replace(minute=40)).isoformat().replace('+', '%2B')}", 10),
            ("until=2026-11-21T01:40Z&limit=500", 110),
            ("since=1h", 61),
        ],
    )
    def test_filters(self, at: Listen, query: str, count: int) -> None:
        limited = query if "limit" in query else f"limit=500&{query}"
        assert len(asked(at, f"/api/orders?{limited}")["orders"]) == count

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ("nonsense=1", "there are status, market"),
            ("status=SOMETIMES", "allowed are pending, rejected"),
            ("side=LEFT", "buy, sell"),
            ("market=NOPE-USD", "there is no market"),
            ("since=2026-11-02&until=2026-11-01", "not before until"),
            ("since=yesterday", "is no moment"),
            ("since=2026-11-21T00:00+01:00", "%2B"),
            ("limit=501", "1 to 500"),
            ("limit=0", "1 to 500"),
            ("limit=-1", "1 to 500"),
            ("limit=1&limit=2", "once"),
            ("order=random", "newest or oldest"),
            ("text=" + "x" * 101, "100 characters"),
            ("subaccount=x", "is no subaccount"),
            ("cursor=AAAA", "is no cursor"),
            ("cursor=" + "W1tbW1" * 200, "is no cursor"),
            ("status", "cannot be read"),
            ("status=", "needs a value"),
            ("text=%ff", "cannot be read"),
            ("text=%1b", "can be shown"),
        ],
    )
    def test_what_cannot_be_asked_is_named(self, at: Listen, query: str, words: str) -> None:
        answer = ask(at, f"/api/orders?{query}")
        problem = json.loads(answer.body)
        assert (answer.status, problem["error"]) == (400, "bad_query")
        assert words in problem["detail"]

    def test_a_cursor_fits_its_question_alone(self, at: Listen) -> None:
        cursor = asked(at, "/api/orders?market=ETH-USD&limit=5")["next"]
        assert ids(asked(at, f"/api/orders?limit=9&cursor={cursor}&market=ETH-USD")) == list(range(15, 42, 3))
        answer = ask(at, f"/api/orders?market=BTC-USD&cursor={cursor}")
        assert answer.status == 400
        assert "another question" in answer.body

    def test_progress_of_the_fetching_is_told(self, account: Account, at: Listen) -> None:
        account.history.progress = HistoryProgress(FetchState.FAILED, problem="the venue answered 500")
        assert asked(at, "/api/orders")["history"] == {"state": "FAILED", "problem": "the venue answered 500"}

    def test_one_order_with_fills_and_standings(self, at: Listen) -> None:
        body = asked(at, "/api/orders/order-1")
        assert body["order"]["id"] == "order-1"
        assert [row["id"] for row in body["fills"]] == ["fill-7", "fill-8"]
        assert [(hop["source"], hop["status"], hop["reason"]) for hop in body["hops"]] == [
            ("STREAM", "OPEN", None), ("REST", "CANCELLED", "USER_CANCELED"),
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["nope", "%20", "x" * 5000, quote("заказ")])
    def test_an_unknown_order_is_not_there(self, at: Listen, name: str) -> None:
        answer = ask(at, f"/api/orders/{name}")
        assert (answer.status, json.loads(answer.body)["error"]) == (404, "not_found")

    @pytest.mark.parametrize("path", ["/api/orders", "/api/orders/order-1"])
    def test_without_a_journal_there_is_none(self, account: Account, at: Listen, path: str) -> None:
        account.history.shelf = None
        answer = ask(at, path)
        assert (answer.status, json.loads(answer.body)["error"]) == (503, "no_journal")
        assert asked(at, "/api/account")["account"]["state"] == "LIVE"

    def test_a_journal_that_does_not_answer_is_waited_for_two_seconds(self, account: Account, at: Listen) -> None:
        account.history.is_held = True
        answer = ask(at, "/api/orders")
        assert (answer.status, json.loads(answer.body)["error"]) == (503, "no_answer")
        account.history.is_held = False
        account.history.shelf = shelf(1)
        assert ids(asked(at, "/api/orders")) == [0]

    def test_only_so_many_wait_for_the_journal(self, account: Account, at: Listen) -> None:
        account.history.is_held = True
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: ask(at, "/api/orders"), range(12)))
        errors = sorted(json.loads(answer.body)["error"] for answer in answers)
        assert errors == ["busy"] * 4 + ["no_answer"] * 8
        assert {answer.status for answer in answers} == {503}


def test_health_is_told_without_the_token_as_before(account: Account) -> None:
    with serving_account(account, FakeEngine(TROUBLED)) as at:
        assert get(at, "/health/").status == 200
        assert get(at, "/metrics").status == 200
        assert "403105.93" not in get(at, "/metrics").body

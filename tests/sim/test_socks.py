"""The WebSocket core: words, numbers, the snapshot race, batches, limits, heartbeat."""

import json
from typing import Any

import pytest
from sim_help import ALICE, BOB, BUY, SELL, USDC, Desk, Watcher

from dydx_console.sim.core.orders import SubaccountId, TimeInForce, Transfer
from dydx_console.sim.indexer.session import Close, Ping

IOC = TimeInForce.IOC
BOOK = {"channel": "v4_orderbook", "id": "BTC-USD"}
TRADES = {"channel": "v4_trades", "id": "BTC-USD"}


def fresh(desk: Desk) -> Watcher:
    watcher = Watcher(desk, desk.socks.connect(desk.now))
    (hello,) = watcher.read()
    assert hello == {"type": "connected", "connection_id": watcher.session.connection_id, "message_id": 0}
    return watcher


def settle(desk: Desk) -> None:
    desk.now += 2
    desk.socks.advance(desk.now)


@pytest.mark.parametrize(
    ("said", "message", "message_id"),
    [
        ("{oops", "Invalid message: could not parse", 0),
        ("", "Invalid message: could not parse", 0),
        ("null", "Internal error", 0),
        ("5", "Invalid message: type is required", 0),
        ("[]", "Invalid message: type is required", 0),
        ({"foo": 1}, "Invalid message: type is required", 0),
        ({"type": "hello"}, "Invalid message type: hello", 0),
        ({"type": "subscribe"}, "Invalid subscribe message: channel is required", 0),
        ({"type": "subscribe", "channel": "v4_orders", "id": "x"}, "Invalid channel: v4_orders", 0),
        ({"type": "subscribe", "channel": 5}, "Invalid channel: 5", 0),
        ({"type": "unsubscribe", "channel": "zzz"}, "Invalid channel: zzz", 0),
        ({"type": "subscribe", "channel": "v4_orderbook"}, "Invalid id: undefined", 0),
        ({"type": "subscribe", "channel": "v4_orderbook", "id": 1}, "Invalid id: 1", 0),
        (
            {"type": "subscribe", "channel": "v4_orderbook", "id": "NOPE-USD"},
            "Invalid subscription id for channel: (v4_orderbook-NOPE-USD)",
            1,
        ),
        (
            {"type": "subscribe", "channel": "v4_candles", "id": "BTC-USD/7MIN"},
            "Invalid subscription id for channel: (v4_candles-BTC-USD/7MIN)",
            1,
        ),
        (
            {"type": "subscribe", "channel": "v4_parent_subaccounts", "id": "dydx1x/128"},
            "Invalid subscription id for channel: (v4_parent_subaccounts-dydx1x/128)",
            1,
        ),
        (
            {"type": "subscribe", "channel": "v4_subaccounts", "id": "dydx1x/x"},
            "Invalid subscription id for channel: (v4_subaccounts-dydx1x/x)",
            1,
        ),
    ],
)
def test_error_words(said: Any, message: str, message_id: int) -> None:
    watcher = fresh(Desk())
    watcher.say(said)
    (error,) = watcher.read()
    assert error == {
        "type": "error",
        "message": message,
        "connection_id": watcher.session.connection_id,
        "message_id": message_id,
    }


def test_a_text_ping_is_ignored() -> None:
    watcher = fresh(Desk())
    watcher.say({"type": "ping", "id": 7})
    assert watcher.read() == []
    assert watcher.session.message_id == 0


@pytest.mark.parametrize("number", ["-1", "0.5"])
def test_numbers_that_pass_here_and_fail_at_the_snapshot(number: str) -> None:
    desk = Desk()
    watcher = fresh(desk)
    watcher.say({"type": "subscribe", "channel": "v4_subaccounts", "id": f"{ALICE.owner}/{number}"})
    settle(desk)
    (error,) = watcher.read()
    assert error["message"] == "Internal error, could not fetch data for subscription: v4_subaccounts."
    assert (error["message_id"], error["id"]) == (1, f"{ALICE.owner}/{number}")


@pytest.mark.parametrize("id", ["dydx1nobody/0", f"{ALICE.owner}/"])
def test_an_unknown_subaccount_begins_empty(id: str) -> None:
    desk = Desk()
    watcher = desk.watch({"channel": "v4_subaccounts", "id": id})
    assert watcher.frames[-1]["contents"] == {}


def test_an_unknown_subaccount_comes_to_life() -> None:
    desk = Desk()
    child = SubaccountId(ALICE.owner, 256)
    watcher = desk.watch_account(child)
    desk.send(Transfer(ALICE, child, USDC))
    desk.block()
    assert [set(c) for c in watcher.contents()] == [{"assetPositions", "blockHeight"}, {"transfers", "blockHeight"}]


def test_every_channel_subscribes_updates_and_unsubscribes() -> None:
    desk = Desk()
    account = f"{ALICE.owner}/0"
    wanted: list[dict[str, Any]] = [
        {"channel": "v4_subaccounts", "id": account},
        {"channel": "v4_parent_subaccounts", "id": account},
        BOOK,
        TRADES,
        {"channel": "v4_candles", "id": "BTC-USD/1MIN"},
        {"channel": "v4_markets"},
        {"channel": "v4_block_height"},
    ]
    watcher = desk.watch(*wanted)
    subscribed = watcher.frames[1:]
    assert [f["channel"] for f in subscribed] == [w["channel"] for w in wanted]
    assert [f["message_id"] for f in subscribed] == list(range(1, 8))
    assert [f.get("id") for f in subscribed] == [
        account, account, "BTC-USD", "BTC-USD", "BTC-USD/1MIN", None, "v4_block_height",
    ]  # fmt: skip
    assert all("version" not in f for f in subscribed)
    desk.place(BOB, SELL, 10, 64_000)
    desk.place(ALICE, BUY, 10, 64_000, tif=IOC)
    desk.exchange.set_oracle(0, 64_100 * 100_000)
    desk.block()
    data = watcher.read()
    versions = {f["channel"]: f["version"] for f in data}
    assert versions == {
        "v4_subaccounts": "3.0.0",
        "v4_parent_subaccounts": "3.0.0",
        "v4_orderbook": "1.0.0",
        "v4_trades": "2.1.0",
        "v4_candles": "1.0.0",
        "v4_markets": "1.0.0",
        "v4_block_height": "1.0.0",
    }
    assert [f["message_id"] for f in data] == list(range(8, 8 + len(data)))
    by_channel = {f["channel"]: f for f in data}
    assert set(by_channel["v4_block_height"]["contents"]) == {"blockHeight", "time"}
    assert set(by_channel["v4_trades"]["contents"]["trades"][0]) == {"id", "size", "price", "side", "createdAt", "type"}
    assert by_channel["v4_markets"]["contents"]["oraclePrices"]["BTC-USD"]["oraclePrice"] == "64100"
    assert "id" not in by_channel["v4_markets"]
    assert by_channel["v4_parent_subaccounts"]["subaccountNumber"] == 0
    assert [f["contents"] for f in data if f["channel"] == "v4_orderbook"] == [
        {"asks": [["64000", "0.001"]]},
        {"asks": [["64000", "0"]]},
    ]
    for subscription in wanted:
        watcher.say({"type": "unsubscribe", **subscription})
    answers = watcher.read()
    assert [a["type"] for a in answers] == ["unsubscribed"] * 7
    assert [a.get("id") for a in answers] == [account, account, "BTC-USD", "BTC-USD", "BTC-USD/1MIN", None, None]
    desk.block()
    assert watcher.read() == []


def test_unsubscribing_from_nothing_is_answered() -> None:
    watcher = fresh(Desk())
    watcher.say({"type": "unsubscribe", "channel": "v4_trades", "id": "NOPE"})
    (answer,) = watcher.read()
    assert (answer["type"], answer["message_id"], answer["id"]) == ("unsubscribed", 1, "NOPE")


def test_what_is_published_between_snapshot_and_registration_is_lost() -> None:
    desk = Desk()
    watcher = desk.watch(TRADES)
    watcher.say({"type": "subscribe", **BOOK})
    desk.socks.advance(desk.now + 1)
    desk.place(BOB, SELL, 10, 64_000)
    desk.socks.advance(desk.now + 2)
    (frame,) = watcher.read()
    assert frame["contents"] == {"bids": [], "asks": []}
    desk.place(BOB, SELL, 10, 64_001)
    assert watcher.contents() == [{"asks": [["64001", "0.001"]]}]


def test_a_late_subscribed_carries_its_reserved_number() -> None:
    desk = Desk()
    watcher = desk.watch(BOOK)
    watcher.say({"type": "subscribe", **TRADES})
    desk.place(BOB, SELL, 10, 64_000)
    desk.socks.advance(desk.now + 10)
    assert [(f["type"], f["message_id"]) for f in watcher.read()] == [("channel_data", 3), ("subscribed", 2)]


def test_errors_repeat_the_counter() -> None:
    desk = Desk()
    watcher = desk.watch(BOOK)
    watcher.say({"type": "subscribe", "channel": "v4_nope", "id": "x"})
    watcher.say({"type": "subscribe", "channel": "v4_nope", "id": "x"})
    assert [f["message_id"] for f in watcher.read()] == [1, 1]


def test_subscribing_twice_is_refused_late() -> None:
    desk = Desk()
    watcher = desk.watch(BOOK)
    watcher.say({"type": "subscribe", **BOOK, "batched": True})
    settle(desk)
    (error,) = watcher.read()
    assert error["message"] == "Invalid subscribe message: already subscribed (v4_orderbook-BTC-USD)"
    assert (error["message_id"], error["channel"], error["id"]) == (2, "v4_orderbook", "BTC-USD")


def test_a_wrong_id_for_markets_is_taken_and_stays_silent() -> None:
    desk = Desk()
    watcher = desk.watch({"channel": "v4_markets", "id": "zzz"})
    assert watcher.frames[-1]["type"] == "subscribed"
    assert "id" not in watcher.frames[-1]
    desk.exchange.set_oracle(0, 64_100 * 100_000)
    desk.block()
    assert watcher.read() == []


def test_the_third_attempt_in_a_second_closes() -> None:
    watcher = fresh(Desk())
    for _ in range(3):
        watcher.say({"type": "subscribe", **TRADES})
    frames = watcher.session.take()
    assert isinstance(frames[-1], Close)
    assert (frames[-1].code, frames[-1].reason) == (1008, '{"message":"Rate limited"}')
    error = json.loads(frames[-2].text)  # type: ignore[union-attr]
    assert (
        error["message"]
        == "Too many subscribe attempts for channel v4_trades-BTC-USD. Please  reconnect and try again."
    )
    assert error["message_id"] == 3


def test_different_ids_do_not_share_the_limit() -> None:
    desk = Desk()
    watcher = fresh(desk)
    for resolution in ("1MIN", "5MINS", "15MINS", "30MINS", "1HOUR", "4HOURS", "1DAY"):
        watcher.say({"type": "subscribe", "channel": "v4_candles", "id": f"BTC-USD/{resolution}"})
    settle(desk)
    assert [f["type"] for f in watcher.read()] == ["subscribed"] * 7


def test_the_third_invalid_message_closes() -> None:
    watcher = fresh(Desk())
    for _ in range(3):
        watcher.say("{oops")
    frames = watcher.session.take()
    assert isinstance(frames[-1], Close)
    assert frames[-1].code == 1008
    assert json.loads(frames[-2].text)["message"] == "Too many invalid messages. Please reconnect and try again."  # type: ignore[union-attr]


def test_the_cap_of_a_channel() -> None:
    desk = Desk()
    watcher = desk.watch({"channel": "v4_block_height"})
    watcher.say({"type": "subscribe", "channel": "v4_block_height", "id": "other"})
    (error,) = watcher.read()
    assert error["message"] == "Per-connection subscription limit reached for v4_block_height (limit=1)."
    many = [{"channel": "v4_subaccounts", "id": f"{ALICE.owner}/{n}"} for n in range(256)]
    full = desk.watch(*many)
    full.say({"type": "subscribe", "channel": "v4_subaccounts", "id": f"{ALICE.owner}/256"})
    assert full.read()[0]["message"].endswith("v4_subaccounts (limit=256).")


def test_batches_go_out_every_quarter_second_oldest_first() -> None:
    desk = Desk()
    watcher = desk.watch({**BOOK, "batched": True})
    for price in (64_000, 64_001, 64_002):
        desk.place(BOB, SELL, 10, price)
    assert watcher.read() == []
    desk.socks.advance(desk.now + 250)
    (frame,) = watcher.read()
    assert frame["type"] == "channel_batch_data"
    assert frame["contents"] == [{"asks": [[str(price), "0.001"]]} for price in (64_000, 64_001, 64_002)]
    desk.socks.advance(desk.now + 1_000)
    assert watcher.read() == []


def test_a_late_batched_subscriber_sees_what_others_waited_for() -> None:
    desk = Desk()
    desk.watch({**BOOK, "batched": True})
    desk.place(BOB, SELL, 10, 64_000)
    late = desk.watch({**BOOK, "batched": True})
    assert late.frames[-1]["contents"]["asks"] == [{"price": "64000", "size": "0.001"}]
    desk.socks.advance(desk.now + 250)
    assert late.contents() == [{"asks": [["64000", "0.001"]]}]


def test_a_parent_batch_is_split_by_child() -> None:
    desk = Desk()
    child = SubaccountId(ALICE.owner, 128)
    desk.send(Transfer(ALICE, child, 10_000 * USDC))
    desk.block()
    watcher = desk.watch({"channel": "v4_parent_subaccounts", "id": f"{ALICE.owner}/0", "batched": True})
    for who in (ALICE, child, ALICE):
        desk.place(who, BUY, 1, 60_000)
    desk.socks.advance(desk.now + 250)
    frames = watcher.read()
    assert [(f["subaccountNumber"], len(f["contents"])) for f in frames] == [(0, 2), (128, 1)]


def test_heartbeat_without_pong_closes_after_ten_seconds() -> None:
    desk = Desk()
    quiet, alive = desk.socks.connect(desk.now), desk.socks.connect(desk.now)
    desk.socks.advance(desk.now + 30_000)
    assert [type(session.take()[-1]) for session in (quiet, alive)] == [Ping, Ping]
    desk.socks.pong(alive)
    desk.socks.advance(desk.now + 40_000)
    assert quiet.take() == [Close(1011, "Heartbeat timeout")]
    assert quiet.closed
    assert not alive.closed
    assert desk.socks.sessions == (alive,)


def test_a_restart_says_so() -> None:
    desk = Desk()
    session = desk.socks.connect(desk.now)
    desk.socks.shut_down()
    assert session.take()[-1] == Close(1012, '{"message":"Service restarting"}')


def test_the_snapshot_lists_working_orders_and_recent_best_effort_cancels() -> None:
    desk = Desk()
    order = desk.place(ALICE, BUY, 10, 60_000, life=30)
    desk.place(ALICE, BUY, 5, 59_000)
    desk.place(BOB, SELL, 4, 60_000, tif=IOC)
    desk.block()
    desk.cancel(order, life=30)
    watcher = desk.watch({"channel": "v4_parent_subaccounts", "id": f"{ALICE.owner}/0"})
    contents = watcher.frames[-1]["contents"]
    assert list(contents) == ["subaccount", "orders", "blockHeight"]
    assert [o["status"] for o in contents["orders"]] == ["BEST_EFFORT_OPENED", "BEST_EFFORT_CANCELED"]
    child = contents["subaccount"]["childSubaccounts"][0]
    assert set(child["openPerpetualPositions"]) == {"BTC-USD"}
    assert child["assetPositions"]["USDC"]["symbol"] == "USDC"

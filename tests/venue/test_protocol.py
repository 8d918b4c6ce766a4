"""The protocol without a socket: every message of the seven channels, and whatever else a socket may bring."""

import json
from decimal import Decimal
from typing import Any

import pytest
from builders import ADDRESS, D, message, received
from hypothesis import given
from hypothesis import strategies as st
from shared_data import DATA, needs_data

from dydx_console.domain import events as ev
from dydx_console.domain.events import ChannelKey
from dydx_console.domain.ids import PositionKey
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.venue.indexer import channels
from dydx_console.venue.indexer.protocol import MOST_KEYS, MOST_MESSAGES, IndexerProtocol

PARENT = channels.PARENT_SUBACCOUNTS
ACCOUNT_ID = f"{ADDRESS}/0"


def fact(text: str | bytes) -> Any:
    return received(text).facts[-1]


def position_row(**given: Any) -> dict[str, Any]:
    row = {"market": "BTC-USD", "side": "LONG", "size": "2", "status": "OPEN", "entryPrice": "5", "subaccountNumber": 0}
    return {**row, **given}


def update(contents: Any, message_id: int = 5, **given: Any) -> str:
    body = {"id": ACCOUNT_ID, "version": "3.0.0", "subaccountNumber": 0, **given}
    return message("channel_data", PARENT, contents, message_id, **body)


def live() -> ConsoleState:
    state = ConsoleState(Watched(ADDRESS))
    state.apply(received(update({"perpetualPositions": [position_row()]}, 4)))
    return state


def test_connected_and_unsubscribed_and_pong() -> None:
    assert fact('{"type":"connected","connection_id":"abc","message_id":0}') == ev.ConnectionReady(1, "abc", 1.0)
    assert isinstance(fact(message("unsubscribed", "v4_trades", None, id="X")), ev.Unsubscribed)
    assert received('{"type":"pong","message_id":3}').facts == ()


def test_an_error_keeps_its_number_apart() -> None:
    frame = received('{"type":"error","message":"no\\u202e","message_id":3,"channel":"v4_trades","id":"X"}')
    assert frame.message_id is None
    assert frame.facts == (ev.VenueRefusal(1, ChannelKey("v4_trades", "X"), "no", 1.0, 3),)


def test_a_refused_subscription_leaves_no_hole() -> None:
    state = ConsoleState(None)
    for text in (
        '{"type":"connected","connection_id":"abc","message_id":0}',
        '{"type":"error","message":"already subscribed","message_id":1,"channel":"v4_trades","id":"X"}',
        message("channel_data", "v4_trades", {"trades": []}, 2, id="X"),
    ):
        state.apply(received(text))
    assert state.freshness.holes(1e6) == ()
    assert state.refusals == 1


def test_the_account_snapshot() -> None:
    contents = {
        "subaccount": {
            "address": ADDRESS,
            "parentSubaccountNumber": 0,
            "childSubaccounts": [
                {
                    "address": ADDRESS,
                    "subaccountNumber": 128,
                    "updatedAtHeight": "7",
                    "latestProcessedBlockHeight": 9,
                    "openPerpetualPositions": {"BTC-USD": position_row(side="SHORT", size="-2", subaccountNumber=128)},
                    "assetPositions": {"USDC": {"symbol": "USDC", "side": "SHORT", "size": "5"}},
                }
            ],
        },
        "orders": [{"id": "o", "status": "OPEN", "subaccountNumber": 128, "goodTilBlock": "9"}],
        "blockHeight": "8",
    }
    frame = received(message("subscribed", PARENT, contents, id=ACCOUNT_ID))
    joined, snapshot = frame.facts
    assert isinstance(joined, ev.Subscribed)
    assert isinstance(snapshot, ev.AccountSnapshot)
    child = snapshot.children[0]
    assert (snapshot.parent, snapshot.subaccount, snapshot.exists, snapshot.block_height) == (0, None, True, 8)
    assert (child.subaccount, child.height, child.read_at_height) == (128, 7, 9)
    assert (child.positions[0].net_size, child.balances[0].amount) == (D(-2), D(-5))
    assert (snapshot.orders[0].good_til_block, snapshot.orders[0].subaccount) == (9, 128)


def test_an_account_that_was_never_funded() -> None:
    snapshot = fact(message("subscribed", channels.SUBACCOUNTS, {}, id=f"{ADDRESS}/3"))
    assert (snapshot.exists, snapshot.subaccount, snapshot.parent, snapshot.children) == (False, 3, None, ())


def test_the_account_update_of_a_single_subaccount_takes_the_channels_number() -> None:
    text = message("channel_data", channels.SUBACCOUNTS, {"blockHeight": "9"}, id=f"{ADDRESS}/3")
    assert (fact(text).subaccount, fact(text).block_height) == (3, 9)


def test_a_position_before_its_fill_has_no_entry_price() -> None:
    row = position_row(entryPrice="0", sumOpen="0")
    assert fact(update({"perpetualPositions": [row]})).positions[0].entry_price is None


def test_a_batch_is_taken_in_order_and_whole_or_not_at_all() -> None:
    good, bad = {"perpetualPositions": [position_row()]}, {"perpetualPositions": [position_row(size="x")]}
    batch = {"id": ACCOUNT_ID, "subaccountNumber": 0}
    frame = received(message("channel_batch_data", PARENT, [good, good], 7, **batch))
    assert [part.version.place for part in frame.facts] == [0, 1]  # type: ignore[union-attr]
    frame = received(message("channel_batch_data", PARENT, [good, bad], 7, **batch))
    assert [type(part) for part in frame.facts] == [ev.MessageRejected]
    assert frame.message_id == 7


def test_unknown_fields_and_enum_words_are_kept() -> None:
    contents = {"orders": [{"id": "o", "status": "MARTIAN", "type": "NEW\x1b", "brandNew": {"a": [1]}}], "newPart": 5}
    order = fact(update(contents, extra=1)).orders[0]
    assert (order.status, order.type) == ("MARTIAN", "NEW")


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('{"type":"subscribe","channel":"v4_trades","id":"X","batched":true}', (ChannelKey("v4_trades", "X"), True)),
        ('{"type":"subscribe","channel":"v4_markets","id":"other"}', (ChannelKey("v4_markets"), False)),
        ('{"type":"subscribe","channel":"v4_trades","id":5}', (ChannelKey("v4_trades"), False)),
        ('{"type":"unsubscribe","channel":"v4_trades"}', None),
        ('{"type":"subscribe","channel":5}', None),
        ("{oops", None),
        ("\ud800", None),
        ("5", None),
    ],
)
def test_requests_of_a_recording(text: str, sent: tuple[ChannelKey, bool] | None) -> None:
    asked = IndexerProtocol(1).sent(text, 2.0)
    assert (asked and (asked.key, asked.batched)) == sent


def test_requests_that_we_make_are_understood_again() -> None:
    protocol = IndexerProtocol(3)
    for key in (channels.parent_key(ADDRESS, 0), ChannelKey(channels.MARKETS), ChannelKey(channels.ORDERBOOK, "X")):
        for batched in (True, False):
            text, sent = protocol.subscribe(key, batched=batched, at=1.0)
            assert protocol.sent(text, 1.0) == sent
        assert json.loads(protocol.unsubscribe(key))["type"] == "unsubscribe"


@pytest.mark.parametrize(
    ("identifier", "account"),
    [("a/0", ("a", 0)), ("a/128", ("a", 128)), ("a/", None), ("/0", None), ("a", None), ("a/-1", None), ("a/0/1", None),
     ("a/٣", None), ("a/" + "9" * 5000, None)],
)  # fmt: skip
def test_the_account_of_a_channel(identifier: str, account: tuple[str, int] | None) -> None:
    assert channels.account_of(ChannelKey(PARENT, identifier)) == account
    assert channels.account_of(ChannelKey("v4_trades", identifier)) is None


FILL_WITHOUT_MARKET = {
    "id": "f", "side": "BUY", "liquidity": "TAKER", "type": "LIMIT", "price": "1", "size": "1", "fee": "0",
    "createdAt": "2026-05-01T00:00:00Z", "createdAtHeight": "1",
}  # fmt: skip

BAD = {
    "nothing": "",
    "not json": "{oops",
    "html": "<html><body>502 Bad Gateway</body></html>",
    "array": "[]",
    "number": "5",
    "null": "null",
    "no type": "{}",
    "type no text": '{"type":5}',
    "unknown type": '{"type":"martian","message_id":5}',
    "unknown channel": message("channel_data", "v4_orders", {}, id="x"),
    "unknown channel subscribed": message("subscribed", "v4_orders", {}, id="x"),
    "no channel": '{"type":"channel_data","message_id":5,"contents":{}}',
    "no id": json.dumps({"type": "channel_data", "message_id": 5, "channel": PARENT, "contents": {}}),
    "no message id": json.dumps({"type": "channel_data", "channel": PARENT, "id": ACCOUNT_ID, "contents": {}}),
    "negative message id": update({}, -5),
    "huge message id": update({}, 10**400),
    "message id too high": update({"perpetualPositions": [position_row(size="9")]}, MOST_MESSAGES + 1),
    "message id as text": '{"type":"channel_data","message_id":"5"}',
    "no contents": json.dumps({"type": "channel_data", "message_id": 5, "channel": PARENT, "id": ACCOUNT_ID}),
    "contents no object": update([]),
    "contents null": update(None),
    "batch no list": message("channel_batch_data", PARENT, {}, id=ACCOUNT_ID),
    "no child number": update({}, subaccountNumber=None),
    "negative child number": update({}, subaccountNumber=-128),
    "child number as text": update({}, subaccountNumber="0"),
    "not an account id": message("channel_data", PARENT, {}, id="nobody", subaccountNumber=0),
    "not an account id subscribed": message("subscribed", PARENT, {}, id="nobody"),
    "bad number": update({"perpetualPositions": [position_row(size="1_0")]}),
    "nan": update({"perpetualPositions": [position_row(size="NaN")]}),
    "bare nan": update({}).replace("{}", '{"perpetualPositions": NaN}'),
    "number for text": update({"perpetualPositions": [position_row(size=9)]}),
    "too large": update({"perpetualPositions": [position_row(size="1e400")]}),
    "negative balance": update({"assetPositions": [{"symbol": "USDC", "side": "LONG", "size": "-1"}]}),
    "negative order size": update({"orders": [{"id": "o", "status": "OPEN", "size": "-1"}]}),
    "negative order price": update({"orders": [{"id": "o", "status": "OPEN", "price": "-1"}]}),
    "negative row subaccount": update({"perpetualPositions": [position_row(subaccountNumber=-1)]}),
    "fill without market": update({"fills": [FILL_WITHOUT_MARKET]}),
    "bad time": update({"orders": [{"id": "o", "status": "OPEN", "goodTilBlockTime": "soon"}]}),
    "bad height": update({"blockHeight": "1.5"}),
    "deep": update({}).replace("{}", '{"x":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "lone surrogate": '{"type":"\ud800"}',
    "escaped surrogate": '{"type":"\\ud800"}',
    "trailing": update({}) + "x",
    "five megabytes": "{" + "x" * 5_000_000,
    "level without size": message("channel_data", "v4_orderbook", {"bids": [["1"]]}, id="X"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("as_bytes", [False, True])
def test_a_frame_that_cannot_be_read_is_counted_and_changes_nothing(name: str, as_bytes: bool) -> None:
    text: str | bytes = BAD[name]
    if as_bytes:
        text = BAD[name].encode("utf-8", "surrogatepass")
    state = live()
    before = (state.holdings.positions, state.holdings.balances, tuple(state.orders), tuple(state.fills), state.height)
    frame = received(text)
    assert [type(part) for part in frame.facts] == [ev.MessageRejected]
    rejected = frame.facts[0]
    assert isinstance(rejected, ev.MessageRejected)
    assert rejected.reason.isprintable()
    assert len(rejected.sample) <= 200
    changes = state.apply(frame)
    assert [problem.text for problem in changes.problems] == [rejected.reason]
    assert state.freshness.view(1.0).rejected == 1
    after = (state.holdings.positions, state.holdings.balances, tuple(state.orders), tuple(state.fills), state.height)
    assert after == before
    state.apply(received(update({"perpetualPositions": [position_row(size="3")]}, 6)))
    held = state.holdings.position(PositionKey(0, "BTC-USD"))
    assert held is not None
    assert held.net_size == D(3)


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_no_text_stops_the_feed(text: str | bytes) -> None:
    assert ConsoleState(Watched(ADDRESS)).apply(received(text)).problems


WORDS = st.sampled_from(["1", "-1", "OPEN", "2026-05-01T00:00:00Z"])
NAMES = st.sampled_from(["id", "orders", "fills", "size", "market", "side", "bids", "trades", "markets"])
CHANNELS = [
    "v4_subaccounts", PARENT, "v4_markets", "v4_orderbook", "v4_trades", "v4_candles", "v4_block_height",
]  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(
    st.sampled_from(["subscribed", "channel_data", "channel_batch_data"]),
    st.sampled_from(CHANNELS),
    json_values,
)  # fmt: skip
def test_no_contents_stop_the_feed(kind: str, channel: str, contents: Any) -> None:
    state = live()
    state.apply(received(message(kind, channel, contents, 9, id=ACCOUNT_ID, subaccountNumber=0)))
    assert state.freshness.view(1.0).channels is not None


def test_channels_without_number_are_read_whatever_their_names() -> None:
    protocol = IndexerProtocol(1)
    for number in range(2 * MOST_KEYS):
        frame = protocol.receive(
            message("channel_data", "v4_trades", {"trades": []}, number, id=f"X{number}\u202e"), 1.0
        )
        assert frame.key == ChannelKey("v4_trades", f"X{number}")
    assert protocol.receive(message("channel_data", "v4_trades", {"trades": []}, 1, id="X0\u202e"), 1.0).key is not None


def test_duplicate_keys_take_the_last() -> None:
    text = update({"blockHeight": "7"}).replace('"type"', '"type": "x", "type"', 1)
    assert fact(text).block_height == 7


# ---- what each channel's messages mean, in the shapes of the current code -------------------------------------------

SHAPES = {
    "01_connected": ev.ConnectionReady,
    "10_subscribed_subaccounts": ev.AccountSnapshot,
    "11_subscribed_subaccounts_unknown_EMPTY": ev.AccountSnapshot,
    "12_subscribed_parent_subaccounts": ev.AccountSnapshot,
    "30_subscribed_orderbook": ev.BookSnapshot,
    "40_subscribed_trades": ev.TradesUpdate,
    "50_subscribed_markets": ev.MarketsUpdate,
    "51_markets_trading_partial": ev.MarketsUpdate,
    "52_markets_oracle": ev.OracleUpdate,
    "60_subscribed_candles": ev.CandleUpdate,
    "61_candles_update": ev.CandleUpdate,
    "41_trades_update": ev.TradesUpdate,
    "70_subscribed_block_height": ev.BlockHeight,
    "71_block_height_update": ev.BlockHeight,
    "80_unsubscribed": ev.Unsubscribed,
}


@needs_data
@pytest.mark.parametrize("name", sorted(path.stem for path in (DATA / "wire" / "ws").glob("*.json")) or [""])
def test_every_shape_of_the_current_code_is_read(name: str) -> None:
    if "_req_" in name:
        pytest.skip("a request, not a message")
    frame = received((DATA / "wire" / "ws" / f"{name}.json").read_text(encoding="utf-8"))
    assert frame.facts
    default = ev.VenueRefusal if name.startswith("9") else ev.BookUpdate if name.startswith("3") else ev.AccountUpdate
    for part in frame.facts[-1:]:
        assert isinstance(part, SHAPES.get(name, default))


@needs_data
def test_a_fill_message_tells_position_order_and_fill() -> None:
    part = fact((DATA / "wire" / "ws" / "22_sub_fill_order_position.json").read_text(encoding="utf-8"))
    assert part.positions
    assert part.orders[0].total_filled is not None
    assert isinstance(part.fills[0].fee, Decimal)
    assert part.fills[0].event_id


def test_market_data_messages() -> None:
    row = {"price": "1", "size": "2"}
    assert fact(message("subscribed", "v4_orderbook", {"bids": [row]}, id="X")).bids == ((D(1), D(2)),)
    assert fact(message("channel_data", "v4_orderbook", {"asks": [["1", "0", "9"]]}, id="X")).asks == ((D(1), D(0)),)
    assert fact(message("channel_data", "v4_markets", {"trading": {"X": {"trades24H": 5}}})).markets[0].trades_24h == 5
    assert fact(message("channel_data", "v4_markets", {})).markets == ()
    price = {"oraclePrice": "5", "effectiveAt": "2026-05-01T00:00:00Z", "effectiveAtHeight": "3", "marketId": 1}
    assert (
        fact(message("channel_data", "v4_markets", {"oraclePrices": {"X": price, "Y": {"oraclePrice": "1"}}}))
        .prices[1]
        .at
        is None
    )
    trade = {"id": "a", "side": "BUY", "size": "1", "price": "2", "createdAt": "2026-05-01T00:00:00Z"}
    assert fact(message("channel_data", "v4_trades", {"trades": [trade]}, id="X")).is_snapshot is False
    height = fact(message("channel_data", "v4_block_height", {"blockHeight": "5", "time": "2026-05-01T00:00:00Z"}))
    assert height.height == 5

"""Each way in which the stream fails, on purpose and between real sockets: named, bounded, and over by itself."""

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from faults.proxy import FrameFaults, TcpFaults
from faults.rig import QUICK, Rig, exchange, followed, rig

from dydx_console.domain import events as ev
from dydx_console.domain.stream import StreamCondition as C
from dydx_console.state.ages import LIVE_S, PictureState
from dydx_console.venue.indexer.feed import FeedLimits

ACCOUNT = "v4_parent_subaccounts"
COMPLIANCE = "Because this address appears to be a resident of a restricted place, it cannot trade."


def connections(made: Rig) -> int:
    return made.count(ev.ConnectionOpened)


def feed_tasks() -> int:
    """Return how many tasks the feed has."""
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return sum("dydx_console/venue" in coroutine.cr_code.co_filename for coroutine in coroutines)  # type: ignore[union-attr]


def is_update(text: str, channel: str) -> bool:
    return '"type":"channel_data"' in text and f'"channel":"{channel}"' in text


@pytest.mark.parametrize(("up", "down"), [(True, True), (False, True), (True, False)], ids=["both", "down", "up"])
async def test_a_half_open_peer_is_given_up_within_ping_and_pong(up: bool, down: bool) -> None:
    async with rig() as made:
        made.tcp.stall_open(up=up, down=down)
        await made.until_told(C.HALF_OPEN, QUICK.ping_s + QUICK.pong_s + 1.0)
        await made.until_told(C.RESTORED, 3.0)
        await made.until_true()


async def test_with_the_limits_as_they_are_a_half_open_peer_costs_eight_seconds_at_most() -> None:
    async with (
        exchange() as served,
        followed(served, FeedLimits()) as both,
        followed(served, FeedLimits()) as down,
        followed(served, FeedLimits()) as up,
    ):
        await asyncio.gather(*(made.until(lambda made=made: made.is_live) for made in (both, down, up)))
        both.tcp.stall_open(up=True, down=True)
        down.tcp.stall_open(up=False, down=True)
        up.tcp.stall_open(up=True, down=False)

        async def recovers(made: Rig) -> None:
            cut_at = made.clock.monotonic()
            await made.until(lambda: connections(made) == 2, 5.5)
            await made.until(lambda: C.RESTORED in made.told(), 8.0 - (made.clock.monotonic() - cut_at))
            assert made.told() == [C.HALF_OPEN, C.RESTORED]

        async def never_lies(made: Rig) -> None:
            while C.RESTORED not in made.told():
                view = made.view
                assert view.state is not PictureState.LIVE or (view.age_s or 0.0) <= LIVE_S
                await asyncio.sleep(0.05)

        await asyncio.gather(*(watch(made) for made in (both, down, up) for watch in (recovers, never_lies)))


async def test_resets_at_random_leave_the_picture_true_and_nothing_behind() -> None:
    quick = replace(QUICK, first_delay_s=0.01, longest_delay_s=0.02, attempts_before_polling=1000)
    rng = random.Random(3)
    async with exchange() as served, followed(served, quick) as made:
        await made.until(lambda: made.is_live)
        tasks = feed_tasks()
        for _ in range(15):
            made.tcp.reset_all()
            await asyncio.sleep(rng.uniform(0.0, 0.15))
        await made.until_true()
        await made.until(lambda: feed_tasks() <= tasks)
        assert made.view.reconnects >= 5


@pytest.mark.parametrize(
    "faults",
    [
        TcpFaults(cut_after=60),
        TcpFaults(reset_after=60),
        TcpFaults(cut_after=3_000),
        TcpFaults(reset_after=3_000),
        TcpFaults(refuse=True),
        TcpFaults(stall=True),
    ],
    ids=["handshake cut", "handshake reset", "snapshot cut", "snapshot reset", "refused", "handshake stalled"],
)
async def test_a_connection_that_never_comes_about_is_told_once_and_made_when_it_can_be(faults: TcpFaults) -> None:
    async with rig() as made:
        made.tcp.faults = faults
        made.tcp.reset_all()
        await made.until(lambda: connections(made) >= 3)
        assert len(made.told()) == len(set(made.told()))
        assert not made.is_live
        made.tcp.faults = TcpFaults()
        await made.until_told(C.RESTORED)
        await made.until_true()


@pytest.mark.parametrize("faults", [TcpFaults(latency_s=0.1), TcpFaults(drip_bytes=400)], ids=["latency", "drip"])
async def test_a_slow_way_is_no_fault(faults: TcpFaults) -> None:
    async with exchange() as served, followed(served, replace(QUICK, pong_s=2.0, silence_s=2.0, late_s=2.0)) as made:
        made.tcp.faults = faults
        await made.until(lambda: made.is_live)
        await asyncio.sleep(1.0)
        assert (made.is_live, made.told(), connections(made)) == (True, [], 1)


async def test_bytes_that_vanish_break_the_connection_and_nothing_else() -> None:
    async with rig() as made:
        made.tcp.faults = TcpFaults(drop=0.3)
        await made.until(lambda: connections(made) >= 2)
        made.tcp.faults = TcpFaults()
        await made.until_told(C.RESTORED)
        await made.until_true()


async def test_lost_messages_are_told_and_made_good() -> None:
    async with rig() as made:
        rng = random.Random(11)
        made.frames.faults = FrameFaults(drop=lambda text: '"channel_data"' in text and rng.random() < 0.3)
        await made.until(lambda: made.frames.dropped >= 5)
        made.frames.faults = FrameFaults()
        await made.until_told(C.GAP, 3.0)
        await made.until_told(C.RESTORED)
        await made.until_true()
        assert connections(made) == 2
        assert made.view.gaps >= made.frames.dropped
        assert made.view.resyncs >= 2


async def test_without_an_account_lost_messages_are_made_good_on_the_same_connection() -> None:
    async with exchange() as served, followed(served, account=False) as made:
        made.feed.want([ev.ChannelKey("v4_orderbook", "BTC-USD")])
        await made.until(lambda: made.is_live and "BTC-USD" in made.state.books)
        made.frames.faults = FrameFaults(drop=lambda text: is_update(text, "v4_orderbook"))
        await made.until(lambda: made.frames.dropped >= 5)
        made.frames.faults = FrameFaults()
        await made.until_told(C.GAP, 3.0)
        await made.until_told(C.RESTORED)
        assert (made.is_live, connections(made)) == (True, 1)
        assert made.view.gaps >= made.frames.dropped


async def test_one_message_in_ten_lost_all_the_time_is_never_shown_as_live_and_true_afterwards() -> None:
    async with rig() as made:
        rng = random.Random(13)
        made.frames.faults = FrameFaults(drop=lambda _text: rng.random() < 0.1)
        await made.until(lambda: made.frames.dropped >= 15)
        made.frames.faults = FrameFaults()
        await made.until_true()
        assert C.GAP in made.told()


async def test_messages_that_come_twice_change_nothing() -> None:
    async with exchange() as served, followed(served) as made:
        made.frames.faults = FrameFaults(twice=True)
        await made.until_true()
        fills = len(made.state.fills)
        await made.until(lambda: len(made.state.fills) > fills)
        await made.until_true()
        assert (made.told(), made.view.gaps) == ([], 0)


async def test_a_slow_drip_of_old_news_on_a_healthy_socket_is_given_up() -> None:
    async with rig() as made:
        for step in range(40):
            made.frames.faults = FrameFaults(late_s=0.05 * step)
            await asyncio.sleep(0.1)
            if C.SLOW in made.told():
                break
        await made.until_told(C.SLOW, QUICK.recheck_s + 1.0)
        made.frames.faults = FrameFaults()
        await made.until_told(C.RESTORED)
        await made.until_true()


async def test_a_zombie_that_answers_pings_and_tells_nothing_is_given_up() -> None:
    async with rig() as made:
        made.frames.faults = FrameFaults(mute=True)
        await made.until_told(C.DEAF, QUICK.silence_s + QUICK.recheck_s + 2.0)
        made.frames.faults = FrameFaults()
        await made.until_told(C.RESTORED)
        await made.until_true()


async def test_a_deaf_account_is_found_out_by_its_rest_side_and_joined_anew() -> None:
    async with exchange() as served, followed(served, replace(QUICK, audit_s=0.4)) as made:
        await made.until(lambda: made.is_live)
        made.frames.faults = FrameFaults(deaf_to=ACCOUNT)
        await made.until_told(C.DEAF)
        made.frames.faults = FrameFaults()
        await made.until_told(C.RESTORED)
        await made.until_true()


async def test_what_a_deaf_account_missed_without_a_trace_is_read_again_by_the_clock() -> None:
    async with exchange() as served, followed(served, replace(QUICK, reread_s=0.3)) as made:
        await made.until(lambda: made.is_live)
        made.frames.faults = FrameFaults(deaf_to=ACCOUNT)
        fills = len(made.state.fills)
        await made.until(lambda: len(made.state.fills) > fills + 2)
        assert (made.told(), connections(made)) == ([], 1)


async def test_public_channels_that_fell_silent_are_joined_anew() -> None:
    async with exchange() as served, followed(served, replace(QUICK, quiet_s=0.5)) as made:
        await made.until(lambda: made.is_live)
        made.frames.faults = FrameFaults(deaf_to="v4_markets")
        price = made.state.markets.all["BTC-USD"].oracle_price
        await made.until(lambda: made.state.markets.all["BTC-USD"].oracle_price != price)
        assert any('"unsubscribe"' in text and "v4_markets" in text for text in made.frames.sent_up)
        assert (made.told(), connections(made)) == ([], 1)


async def test_a_healthy_account_is_never_taken_for_deaf() -> None:
    async with exchange() as served, followed(served, replace(QUICK, audit_s=0.1, recheck_s=0.2)) as made:
        await made.until(lambda: made.is_live)
        await asyncio.sleep(2.0)
        assert (made.told(), connections(made)) == ([], 1), made.words()


def until_third(made: Rig, channel: str, message: str) -> None:
    """Have the first contents of a channel replaced by an error three times."""
    left = iter(range(3))

    def changed(text: str) -> str:
        body = json.loads(text)
        if body["type"] != "subscribed" or body["channel"] != channel or next(left, None) is None:
            return text
        error = {name: body[name] for name in ("connection_id", "message_id", "channel")}
        return json.dumps({"type": "error", "message": message, **error})

    made.frames.faults = FrameFaults(change=changed)


async def test_contents_that_cannot_be_had_are_asked_for_again_on_the_same_connection() -> None:
    async with exchange() as served, followed(served) as made:
        until_third(made, "v4_markets", "Internal error, could not fetch data for subscription: v4_markets.")
        await made.until_told(C.UNAVAILABLE)
        made.frames.faults = FrameFaults()
        # the exchange still serves what the console was told it does not
        await made.until_told(C.RESTORED)
        assert connections(made) == 1
        assert made.is_live


async def test_a_subscription_without_an_answer_is_asked_for_again() -> None:
    async with exchange() as served, followed(served) as made:
        first = iter((True,))
        made.frames.faults = FrameFaults(drop_up=lambda text: "v4_markets" in text and next(first, False))
        await made.until_told(C.DEAF, QUICK.answer_s + 2.0)
        await made.until_told(C.RESTORED)
        assert (made.is_live, connections(made)) == (True, 1)


async def test_an_account_that_is_refused_for_good_is_explained_once_and_public_channels_go_on() -> None:
    async with exchange() as served, followed(served) as made:

        def refused(text: str) -> str:
            body = json.loads(text)
            if body["type"] != "subscribed" or body["channel"] != ACCOUNT:
                return text
            error = {name: body[name] for name in ("connection_id", "message_id", "channel", "id")}
            return json.dumps({"type": "error", "message": COMPLIANCE, **error})

        made.frames.faults = FrameFaults(change=refused)
        await made.until_told(C.DENIED)
        await asyncio.sleep(1.0)
        states = {view.key.channel: view.state for view in made.view.channels}
        assert states[ACCOUNT] is PictureState.OFFLINE
        assert states["v4_markets"] is PictureState.LIVE
        assert (made.told(), connections(made)) == ([C.DENIED], 1)
        assert sum(ACCOUNT in text for text in made.frames.sent_up) == 1
        made.frames.faults = FrameFaults()
        made.feed.reconnect()
        await made.until_true()


@pytest.mark.parametrize(
    ("status", "headers", "body", "what"),
    [
        (429, {"Retry-After": "1"}, "", C.THROTTLED),
        (500, {}, "", C.UNREACHABLE),
        (530, {}, "<html>", C.UNREACHABLE),
    ],
)
async def test_a_handshake_that_is_answered_otherwise_is_tried_again(
    status: int, headers: dict[str, str], body: str, what: C
) -> None:
    async with exchange() as served, followed(served) as made:
        made.frames.faults = FrameFaults(handshake=(status, headers, body))
        await made.until_told(what)
        made.frames.faults = FrameFaults()
        await made.until_told(C.RESTORED, 8.0)
        assert made.is_live


@pytest.mark.parametrize("status", [403, 404])
async def test_a_stream_that_is_blocked_is_not_tried_again_but_explained_and_replaced(status: int) -> None:
    async with exchange() as served, followed(served) as made:
        made.frames.faults = FrameFaults(handshake=(status, {}, "<html>"))
        await made.until_told(C.POLLING)
        await asyncio.sleep(0.5)
        assert made.frames.accepted == 1
        assert made.told() == [C.BLOCKED, C.POLLING]
        assert {view.state for view in made.view.channels} == {PictureState.POLLING}
        made.frames.faults = FrameFaults()
        made.feed.reconnect()
        await made.until_told(C.RESTORED)
        await made.until_true()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (1000, C.CLOSED),
        (1011, C.CLOSED),
        (1012, C.RESTARTED),
        (4000, C.CLOSED),
    ],
)
async def test_a_close_is_named_and_the_stream_comes_back(code: int, what: C) -> None:
    async with rig() as made:
        await made.frames.close_all(code, "because")
        await made.until_told(what, 2.0)
        await made.until_told(C.RESTORED, 5.0)
        closed = [event.code for event in made.events if isinstance(event, ev.ConnectionClosed)]
        assert closed[:1] == [code]


async def test_after_failures_in_a_row_the_picture_is_read_by_http_until_the_stream_is_back() -> None:
    async with rig() as made:
        made.tcp.faults = TcpFaults(refuse=True)
        made.tcp.reset_all()
        await made.until_told(C.POLLING)
        await made.until(lambda: made.view.state is PictureState.POLLING)
        assert made.view.fallback == "POLLING"
        fills = len(made.state.fills)
        await made.until(lambda: len(made.state.fills) > fills)
        tried = made.tcp.accepted
        await made.until(lambda: made.tcp.accepted > tried)
        made.tcp.faults = TcpFaults()
        await made.until_told(C.RESTORED)
        await made.until(lambda: made.count(ev.PollingChanged) == 2)
        await made.until_true()
        assert made.view.fallback is None
        polled = made.count(ev.Polled)
        await asyncio.sleep(2 * QUICK.poll_s)
        assert made.count(ev.Polled) == polled


async def test_with_neither_stream_nor_http_nothing_is_called_live_and_it_is_told_once() -> None:
    async with rig() as made:
        made.tcp.faults = TcpFaults(refuse=True)
        made.rest.faults = TcpFaults(refuse=True)
        made.tcp.reset_all()
        made.rest.reset_all()
        await made.until_told(C.OFFLINE, 10.0)
        await made.until(lambda: connections(made) >= 8)
        assert made.told() == [C.CLOSED, C.UNREACHABLE, C.OFFLINE] or made.told() == [C.CLOSED, C.OFFLINE]
        assert made.view.state not in (PictureState.LIVE, PictureState.POLLING)
        assert made.view.age_s is not None
        made.tcp.faults = made.rest.faults = TcpFaults()
        # an endpoint group that failed is left alone for 15 s at most
        await made.until_told(C.RESTORED, 20.0)


async def test_a_halted_chain_does_not_cost_a_single_connection() -> None:
    async with rig() as made:
        made.served.venue.exchange.block_ms = 3_600_000
        await asyncio.sleep(2.0)
        assert (connections(made), made.told()) == (1, [])
        made.served.venue.exchange.block_ms = 100
        made.served.venue.skip_to(int(made.clock.utc().timestamp() * 1000))
        height = made.state.height or 0
        await made.until(lambda: (made.state.height or 0) > height)
        await made.until_true()
        assert connections(made) == 1


async def test_the_reader_answers_pings_whatever_else_stalls() -> None:
    patient = replace(QUICK, pong_s=10.0, silence_s=10.0, late_s=10.0, answer_s=10.0)
    async with exchange(flood=500) as served, followed(served, patient) as made:
        await made.until(lambda: made.is_live)
        made.feed.want([ev.ChannelKey("v4_orderbook", "BTC-USD")])
        made.rest.faults = TcpFaults(stall=True)
        made.feed.reconnect()
        await made.until(lambda: connections(made) == 2)
        slowest = 0.0
        for _ in range(20):
            slowest = max(slowest, await made.frames.pong_s())
            await asyncio.sleep(0.05)
        assert slowest < 5.0
        assert (made.view.state, connections(made)) == (PictureState.SYNCING, 2)
        made.rest.faults = TcpFaults()
        await made.until(lambda: made.is_live, 30.0)


async def test_a_fill_between_snapshot_and_registration_is_known_within_three_seconds() -> None:
    async with exchange(registration_delay_ms=(500, 500)) as served, followed(served) as made:
        await made.until(lambda: made.is_live)
        await made.until_true(3.0)


async def test_a_message_too_long_to_be_read_costs_the_connection_and_is_named() -> None:
    async with exchange() as served, followed(served, replace(QUICK, most_bytes=1_000_000)) as made:
        await made.until(lambda: made.is_live)
        await made.frames.inject('{"type":"channel_data","contents":"' + "x" * 1_500_000 + '"}')
        await made.until_told(C.OVERSIZED)
        await made.until_told(C.RESTORED)
        await made.until_true()


BAD = [
    "not json",
    "<html>502</html>",
    "[]",
    "null",
    "{}",
    '{"type":3}',
    '{"type":"what"}',
    '{"type":"channel_data"}',
    '{"type":"channel_data","channel":"v4_what","message_id":-1,"contents":{}}',
    '{"type":"channel_data","channel":"v4_markets","message_id":NaN,"contents":{}}',
    '{"type":"channel_data","channel":"v4_markets","message_id":1e400,"contents":{}}',
    '{"type":"subscribed","channel":"v4_markets","contents":{"markets":{}}}',
    b"\xff\xfe\x00",
]


def bad_contents() -> Iterator[str]:
    """Yield updates of the account whose contents cannot be."""
    row = {"market": "BTC-USD", "side": "LONG", "size": "1", "status": "OPEN"}
    for change in ({"size": "NaN"}, {"size": "1e400"}, {"size": 5}, {"market": None}, {"side": []}):
        yield json.dumps({"perpetualPositions": [row | change], "blockHeight": "5"})
    fill = {"id": "f", "side": "BUY", "liquidity": "TAKER", "type": "LIMIT", "price": "1", "size": "-1", "fee": "0"}
    yield json.dumps({"fills": [fill | {"createdAt": "2026-01-01T00:00:00Z", "createdAtHeight": "1"}]})
    yield json.dumps({"orders": [{"status": "OPEN"}]})
    yield '{"fills":' + "[" * 2_000 + "]" * 2_000 + "}"


async def test_bad_messages_are_counted_one_by_one_and_change_nothing() -> None:
    async with rig(trader=False) as made:
        for text in BAD:
            rejected = made.view.rejected
            await made.frames.inject(text)
            await made.until(lambda rejected=rejected: made.view.rejected == rejected + 1)
        assert made.differences() == {}
        await made.until(lambda: made.is_live)
        assert connections(made) == 1


async def test_updates_that_cannot_be_read_are_left_out_whole_told_and_made_good() -> None:
    async with rig() as made:
        account = f"{made.served.venue.options.account}/0"
        for number, contents in enumerate(bad_contents(), 1_000_000):
            text = (
                f'{{"type":"channel_data","connection_id":"c","message_id":{number},"id":"{account}",'
                f'"channel":"{ACCOUNT}","version":"3.0.0","subaccountNumber":0,"contents":{contents}}}'
            )
            rejected = made.view.rejected
            while made.view.rejected == rejected:
                await made.frames.inject(text)
                await asyncio.sleep(0.05)
        await made.until_told(C.GAP)
        await made.until_true()


async def test_a_version_that_is_not_known_is_refused() -> None:
    async with rig() as made:
        made.frames.faults = FrameFaults(change=lambda text: text.replace('"version":"1.0.0"', '"version":"9.0.0"'))
        await made.until(lambda: made.view.rejected >= 3)
        await made.until_told(C.GAP)
        made.frames.faults = FrameFaults()
        await made.until_true()


async def test_only_what_is_no_longer_wanted_is_left_and_only_what_is_new_is_joined() -> None:
    btc, eth = ev.ChannelKey("v4_orderbook", "BTC-USD"), ev.ChannelKey("v4_trades", "ETH-USD")
    async with rig() as made:
        sent = len(made.frames.sent_up)
        made.feed.want([btc])
        await made.until(lambda: "BTC-USD" in made.state.books and made.is_live)
        made.feed.want([eth])
        await made.until(lambda: len(made.frames.sent_up) >= sent + 3)
        asked = [(json.loads(text)["type"], json.loads(text)["channel"]) for text in made.frames.sent_up[sent:]]
        assert sorted(asked) == [
            ("subscribe", "v4_orderbook"),
            ("subscribe", "v4_trades"),
            ("unsubscribe", "v4_orderbook"),
        ]
        await made.until(lambda: made.is_live)
        assert connections(made) == 1


async def test_switching_markets_quickly_leaves_one_book_and_angers_nobody() -> None:
    markets = ["BTC-USD", "ETH-USD"]
    async with rig() as made:
        for place in range(100):
            made.feed.want([ev.ChannelKey("v4_orderbook", markets[place % 2])])
            await asyncio.sleep(0.01)
        await made.until(lambda: made.state.freshness.channel(ev.ChannelKey("v4_orderbook", markets[1]), 0.0))

        def subscribed() -> set[str]:
            (session,) = made.served.venue.socks.sessions
            return {identifier for channel, identifier in session.subscriptions if channel == "v4_orderbook"}

        await made.until(lambda: subscribed() == {markets[1]})
        assert (connections(made), made.told()) == (1, [])


async def test_what_is_not_wanted_any_more_when_the_connection_breaks_is_not_waited_for() -> None:
    btc, eth = ev.ChannelKey("v4_orderbook", "BTC-USD"), ev.ChannelKey("v4_trades", "ETH-USD")
    async with rig() as made:
        made.feed.want([btc, eth])
        await made.until(lambda: "BTC-USD" in made.state.books and len(made.view.channels) == 5 and made.is_live)
        made.tcp.faults = TcpFaults(stall=True)
        made.tcp.stall_open(up=True, down=False)
        made.feed.want([eth])
        await made.until(lambda: connections(made) >= 2)
        made.feed.want([])
        made.tcp.faults = TcpFaults()
        dropped = [event.key for event in made.events if isinstance(event, ev.ChannelDropped)]
        assert dropped == [btc, eth]
        await made.until_true()


def candles(made: Rig, most: int) -> list[ev.ChannelKey]:
    tickers = sorted(made.served.venue.comlink.store.markets)
    resolutions = ("1MIN", "5MINS", "15MINS", "30MINS", "1HOUR", "4HOURS", "1DAY")
    return [ev.ChannelKey("v4_candles", f"{ticker}/{name}") for ticker in tickers for name in resolutions][:most]


async def test_channels_beyond_what_a_connection_takes_go_to_a_second_one_and_the_account_stays() -> None:
    async with exchange() as served, followed(served, most={"v4_candles": 12}) as made:
        await made.until(lambda: made.is_live)
        wanted = candles(made, 20)
        made.feed.want(wanted)
        await made.until(lambda: len(made.view.channels) == 3 + len(wanted) and made.is_live)
        assert (connections(made), made.state.freshness.newest_connection, made.view.reconnects) == (2, 1, 0)
        made.feed.want(wanted[:5])
        await made.until(lambda: sum(len(s.subscriptions) for s in made.served.venue.socks.sessions) == 3 + 5 + 1)
        assert made.is_live
        made.tcp.reset_all()
        await made.until(lambda: connections(made) == 4)
        await made.until_true()
        assert made.view.reconnects == 2

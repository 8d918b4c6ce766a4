"""The venue with its actors in virtual time: what the demo account shows within a minute, and determinism."""

import json
from random import Random
from typing import Any

from dydx_console.sim.indexer.session import Text
from dydx_console.sim.venue import Venue, VenueOptions

NOW = 1_795_219_200_123


def subscribed(venue: Venue, now_ms: int) -> Any:
    session = venue.socks.connect(now_ms)
    account = venue.options.account
    for body in (
        {"channel": "v4_parent_subaccounts", "id": f"{account}/0"},
        {"channel": "v4_orderbook", "id": "BTC-USD", "batched": True},
        {"channel": "v4_markets", "batched": True},
        {"channel": "v4_trades", "id": "BTC-USD"},
        {"channel": "v4_candles", "id": "BTC-USD/1MIN"},
        {"channel": "v4_block_height"},
    ):
        venue.socks.receive(session, json.dumps({"type": "subscribe", **body}), now_ms)
    return session


def play(venue: Venue, session: Any, now_ms: int, steps: list[int]) -> list[str]:
    """Frames heard while the clock is turned by each of `steps` ms."""
    heard: list[str] = []
    for step in steps:
        now_ms += step
        venue.advance(now_ms)
        venue.socks.pong(session)
        heard += [frame.text for frame in session.take() if isinstance(frame, Text)]
    return heard


def order_marks(order: dict[str, Any], filling: bool) -> set[str]:
    """What one order object shows."""
    reason = order.get("removalReason", "").removeprefix("ORDER_REMOVAL_REASON_")
    found = {f"{order['orderFlags']} {order['status']}{' ' + reason if reason else ''}"}
    if filling and order["status"] == "OPEN" and order["totalFilled"] != "0":
        found.add("partial fill")
    if filling and order["status"] == "CANCELED" and order["timeInForce"] == "IOC":
        found.add("IOC partly filled")
    return found


def position_marks(rows: list[dict[str, Any]], filling: bool, closed: set[str]) -> set[str]:
    """What the position rows of one message show; `closed` collects the ids of rows seen closing."""
    found: set[str] = set()
    if (
        len(rows) == 2
        and [row["status"] for row in rows] == ["CLOSED", "OPEN"]
        and rows[0]["market"] == rows[1]["market"]
    ):
        found.add("flip")
    for row in rows:
        if filling and row["positionId"] in closed:
            found.add("position closed")
        if row["status"] == "CLOSED":
            closed.add(row["positionId"])
        elif filling and row["sumClose"] == "0":
            found.add("position opened")
    return found


def marks(frames: list[dict[str, Any]]) -> set[str]:
    """What the account frames show, in words."""
    found: set[str] = set()
    closed: set[str] = set()
    for frame in frames:
        if frame.get("channel") != "v4_parent_subaccounts" or frame["type"] != "channel_data":
            continue
        contents = frame["contents"]
        filling = "fills" in contents
        for order in contents.get("orders", ()):
            found |= order_marks(order, filling)
        found |= position_marks(contents.get("perpetualPositions", []), filling, closed)
    return found


WANTED = {
    "partial fill",
    "IOC partly filled",
    "0 FILLED",
    "0 BEST_EFFORT_OPENED",
    "0 BEST_EFFORT_CANCELED USER_CANCELED",
    "0 CANCELED EXPIRED",
    "0 BEST_EFFORT_CANCELED REPLACED",
    "0 BEST_EFFORT_CANCELED POST_ONLY_WOULD_CROSS_MAKER_ORDER",
    "0 BEST_EFFORT_CANCELED IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK",
    "64 OPEN",
    "64 CANCELED USER_CANCELED",
    "32 UNTRIGGERED",
    "32 OPEN",
    "32 CANCELED USER_CANCELED",
    "flip",
    "position opened",
    "position closed",
}


def test_a_minute_of_the_demo_account_shows_everything() -> None:
    for seed in (7, 8, 9):
        venue = Venue(VenueOptions(seed=seed, history_hours=1), NOW)
        session = subscribed(venue, NOW)
        heard = [json.loads(text) for text in play(venue, session, NOW, [1_000] * 60)]
        assert WANTED - marks(heard) == set(), f"seed {seed}"


def test_the_same_seed_tells_the_same_story() -> None:
    stories = []
    for _ in range(2):
        venue = Venue(VenueOptions(seed=5, history_hours=1), NOW)
        stories.append(play(venue, subscribed(venue, NOW), NOW, [1_000] * 20))
    assert stories[0] == stories[1]
    other = Venue(VenueOptions(seed=6, history_hours=1), NOW)
    assert play(other, subscribed(other, NOW), NOW, [1_000] * 20) != stories[0]


def test_it_does_not_matter_how_often_the_clock_is_turned() -> None:
    random = Random(1)
    uneven = [random.randint(1, 400) for _ in range(200)]
    total = sum(uneven)
    stories = []
    for steps in (uneven, [total], [500] * (total // 500) + [total % 500]):
        venue = Venue(VenueOptions(seed=5, history_hours=0), NOW)
        session = subscribed(venue, NOW)
        venue.socks.pong(session)
        stories.append(play(venue, session, NOW, steps)[:2_000])
    shortest = min(len(story) for story in stories)
    assert shortest > 300
    assert stories[0][:shortest] == stories[1][:shortest] == stories[2][:shortest]


def test_rest_has_a_past_at_the_start() -> None:
    venue = Venue(VenueOptions(), NOW)
    account = venue.options.account

    def get(path: str, **query: str) -> Any:
        return venue.comlink.fetch(path, NOW, query).json()

    who = {"address": account, "parentSubaccountNumber": "0"}
    assert len(get("/v4/historical-pnl/parentSubaccountNumber", **who)["historicalPnl"]) >= 24
    assert len(get("/v4/fills/parentSubaccountNumber", **who)["fills"]) > 50
    assert {o["status"] for o in get("/v4/orders/parentSubaccountNumber", **who)} >= {"FILLED", "CANCELED"}
    assert get("/v4/fundingPayments/parentSubaccount", **who)["fundingPayments"]
    assert [t["type"] for t in get("/v4/transfers", address=account, subaccountNumber="0")["transfers"]][
        -1
    ] == "DEPOSIT"
    for ticker in ("BTC-USD", "ETH-USD", "SOL-USD", "EIGEN-USD"):
        for resolution, least in (("1MIN", 30), ("5MINS", 20), ("1HOUR", 100), ("4HOURS", 40), ("1DAY", 7)):
            candles = get(f"/v4/candles/perpetualMarkets/{ticker}", resolution=resolution)["candles"]
            assert len(candles) >= least, (ticker, resolution)
            times = [candle["startedAt"] for candle in candles]
            assert times == sorted(set(times), reverse=True)
        book = get(f"/v4/orderbooks/perpetualMarket/{ticker}")
        assert min(len(book["bids"]), len(book["asks"])) >= 10
        assert float(book["bids"][0]["price"]) < float(book["asks"][0]["price"])
        assert len(get(f"/v4/trades/perpetualMarket/{ticker}")["trades"]) > 20
        assert len(get(f"/v4/historicalFunding/{ticker}")["historicalFunding"]) > 150
    lines = get("/v4/sparklines", timePeriod="SEVEN_DAYS")
    assert {len(closes) for closes in lines.values()} == {42}
    markets = get("/v4/perpetualMarkets")["markets"]
    assert all(float(market["volume24H"]) > 0 and market["trades24H"] > 0 for market in markets.values())


def test_a_flood_is_spread_evenly() -> None:
    venue = Venue(VenueOptions(history_hours=0, flood=1_000), NOW)
    session = venue.socks.connect(NOW)
    venue.socks.receive(session, '{"type":"subscribe","channel":"v4_orderbook","id":"BTC-USD"}', NOW)
    play(venue, session, NOW, [500])
    counts = [len(play(venue, session, NOW + 500 + 100 * n, [100])) for n in range(20)]
    assert 1_900 <= sum(counts) <= 2_400
    assert max(counts) < 2 * min(counts)


def test_money_is_conserved_with_everybody_trading() -> None:
    venue = Venue(VenueOptions(seed=11, history_hours=3, funding_speedup=60), NOW)
    venue.advance(NOW + 120_000)
    accounts = venue.exchange.state.accounts
    held = sum(account.usdc_quantums for account in accounts.all())
    insured = venue.exchange.state.insurance.total
    assert held + accounts.collected_fees + accounts.funding_pool + insured == accounts.net_deposits
    assert all(not book.crossed for book in venue.exchange.state.books.values())

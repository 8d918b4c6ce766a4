"""The venue without sockets, under virtual time: what each fault does to a connection, and what it leaves alone."""

import json
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from fault_help import HEIGHT, Client, drive
from sim_help import NOW

from dydx_console.sim.faults.garbage import SAMPLES
from dydx_console.sim.faults.kinds import AT_CONNECTING, AT_ONCE, DEAF_TO, Kind
from dydx_console.sim.faults.outcomes import Reset
from dydx_console.sim.faults.schedules import RECOVERABLE, SCHEDULES, FaultPlan, Schedule
from dydx_console.sim.indexer.comlink import Answer, Request
from dydx_console.sim.indexer.session import Close, Ping, Text
from dydx_console.sim.venue import Venue, VenueOptions

QUIET = VenueOptions(
    history_hours=0, trader=False, makers=False, snapshot_delay_ms=(1, 1), registration_delay_ms=(1, 1)
)
BUSY = VenueOptions(seed=3, history_hours=0)
ACCOUNT = {"channel": "v4_parent_subaccounts", "id": f"{QUIET.account}/0"}
BOOK = {"channel": "v4_orderbook", "id": "BTC-USD"}
TRADES = {"channel": "v4_trades", "id": "BTC-USD"}
SECOND = 1_000


def joined(
    options: VenueOptions = QUIET, *subscriptions: dict[str, object], again: bool = True
) -> tuple[Venue, Client]:
    """A venue at NOW and a client that is connected."""
    venue = Venue(options, NOW)
    client = Client(venue, list(subscriptions) or [HEIGHT], again)
    client.connect(NOW)
    return venue, client


def test_a_client_needs_no_socket() -> None:
    venue, client = joined(QUIET, HEIGHT, ACCOUNT)
    drive(venue, client, NOW, NOW + 5_500)
    kinds = [frame["type"] for frame in client.frames()]
    assert kinds == ["connected", "subscribed", "subscribed"] + ["channel_data"] * 5
    assert client.numbers(client.ids[0]) == list(range(8))
    heights = [int(f["contents"]["blockHeight"]) for f in client.frames() if f["type"] == "channel_data"]
    assert heights == list(range(heights[0], heights[0] + 5))
    assert heights[-1] == venue.exchange.height
    height = venue.respond(Request("GET", "/v4/height"), NOW + 5_500)
    assert isinstance(height, Answer)
    assert json.loads(height.body)["height"] == str(venue.exchange.height)
    assert venue.faults_over
    assert venue.fault_log == ()


@pytest.mark.parametrize(("nth", "missing"), [(1, [2, 3, 4, 5]), (2, [3, 5])])
def test_drop_leaves_holes(nth: int, missing: list[int]) -> None:
    venue, client = joined()
    venue.inflict(Kind.DROP, NOW + 500, 4 * SECOND, nth)
    drive(venue, client, NOW, NOW + 8 * SECOND)
    numbers = client.numbers(client.ids[0])
    assert [number for number in range(numbers[-1]) if number not in numbers] == missing
    assert numbers == sorted(numbers)


def test_duplicate_repeats_frames() -> None:
    venue, client = joined()
    venue.inflict(Kind.DUPLICATE, NOW + 500, 3 * SECOND, 1)
    drive(venue, client, NOW, NOW + 5 * SECOND)
    assert client.numbers(client.ids[0]) == [0, 1, 2, 2, 3, 3, 4, 4, 5, 6]
    texts = client.texts()
    assert texts[2] == texts[3], "word by word"


def test_drip_keeps_the_order_and_catches_up() -> None:
    told = []
    for dripping in (False, True):
        venue, client = joined(BUSY, BOOK, HEIGHT)
        if dripping:
            venue.inflict(Kind.DRIP, NOW + SECOND, 4 * SECOND, 1_000)
        drive(venue, client, NOW, NOW + 3 * SECOND)
        soon = len(client.texts())
        drive(venue, client, NOW + 3 * SECOND, NOW + 6 * SECOND)
        told.append((soon, client.texts()))
    (soon_well, well), (soon_dripping, dripped) = told
    assert dripped == well, "nothing is lost, and nothing overtakes"
    assert soon_dripping < soon_well


def test_a_drip_is_as_slow_as_it_says() -> None:
    venue, client = joined()
    client.texts()
    venue.inflict(Kind.DRIP, NOW + 100, 60 * SECOND, 100)
    drive(venue, client, NOW, NOW + 20 * SECOND)
    arrivals = [(at, len(a.text)) for at, _, a in client.heard if isinstance(a, Text) and at > NOW + 100]
    assert len(arrivals) > 3
    for (earlier, _), (later, size) in pairwise(arrivals):
        assert later - earlier == size * 10


def test_stall_holds_both_ways_and_loses_nothing() -> None:
    venue, client = joined()
    venue.inflict(Kind.STALL, NOW + 1_500, 3 * SECOND)
    now = drive(venue, client, NOW, NOW + 2 * SECOND)
    client.say({"type": "subscribe", **TRADES}, now)
    heard = len(client.heard)
    now = drive(venue, client, now, NOW + 4_400)
    assert len(client.heard) == heard
    other = Client(venue)
    other.connect(now)
    now = drive(venue, other, now, NOW + 4_450)
    assert [frame["type"] for frame in other.frames()] == ["connected", "subscribed"], "new connections are well"
    drive(venue, client, now, NOW + 6 * SECOND)
    assert sorted(client.numbers(client.ids[0])) == list(range(9))
    assert "v4_trades" in [frame.get("channel") for frame in client.frames()], "the request arrived late"


def test_the_server_gives_a_long_stall_up() -> None:
    venue, client = joined(replace(QUIET, block_ms=60 * SECOND))
    venue.inflict(Kind.STALL, NOW + SECOND, 50 * SECOND)
    drive(venue, client, NOW, NOW + 50 * SECOND)
    assert len(client.heard) == 2
    drive(venue, client, NOW + 50 * SECOND, NOW + 51 * SECOND)
    assert [arrival for _, _, arrival in client.heard[2:]] == [Ping(), Close(1011, "Heartbeat timeout")]


def test_nobody_learns_of_a_client_that_leaves_in_a_stall() -> None:
    venue, client = joined()
    venue.inflict(Kind.STALL, NOW + SECOND, 3 * SECOND)
    now = drive(venue, client, NOW, NOW + 2 * SECOND)
    client.leave(now)
    assert len(venue.socks.sessions) == 1
    venue.advance(NOW + 5 * SECOND)
    assert venue.socks.sessions == ()
    assert venue.director.wires == ()


def test_a_zombie_hears_nothing_and_is_cut_in_the_end() -> None:
    venue, client = joined()
    venue.inflict(Kind.ZOMBIE, NOW + 1_500, 3 * SECOND)
    now = drive(venue, client, NOW, NOW + 2 * SECOND)
    heard = len(client.heard)
    client.say({"type": "subscribe", **TRADES}, now)
    assert venue.socks.sessions == (), "the server has forgotten it"
    drive(venue, client, now, NOW + 6 * SECOND)
    assert client.heard[heard] == (NOW + 4_500, client.ids[0], Reset())
    assert client.numbers(client.ids[1])[:3] == [0, 1, 2], "numbers begin anew"


def test_restart_ends_every_connection_and_numbers_begin_anew() -> None:
    venue, client = joined()
    other = Client(venue)
    other.connect(NOW)
    venue.inflict(Kind.RESTART, NOW + 2_500, 2 * SECOND)
    drive(venue, client, NOW, NOW + 8 * SECOND)
    other.turn(NOW + 8 * SECOND)
    ends = [arrival for _, _, arrival in [*client.heard, *other.heard] if isinstance(arrival, Close)]
    assert ends == [Close(1012, '{"message":"Service restarting"}')] * 2
    assert {refusal.status for refusal in client.refusals} == {503}  # type: ignore[attr-defined]
    assert client.numbers(client.ids[1]) == list(range(6))


def test_one_of_several_connections_is_hit() -> None:
    venue = Venue(QUIET, NOW)
    clients = [Client(venue, again=False) for _ in range(3)]
    for client in clients:
        client.connect(NOW)
    venue.inflict(Kind.RESET, NOW + 500)
    venue.advance(NOW + SECOND)
    for client in clients:
        client.turn(NOW + SECOND)
    assert sum(client.wire is None for client in clients) == 1
    assert [(str(note), note.connections) for note in venue.fault_log] == [("fault begins: reset", 1)]


def test_no_hello_and_no_ack_take_their_numbers() -> None:
    venue, client = joined()
    venue.inflict(Kind.NO_HELLO, NOW + 100, 2 * SECOND)
    drive(venue, client, NOW, NOW + 3 * SECOND)
    assert isinstance(client.heard[2][2], Reset), "the connection of before is cut"
    assert client.numbers(client.ids[1]) == [1, 2, 3, 4]
    venue.inflict(Kind.NO_ACK, NOW + 3 * SECOND, 2 * SECOND)
    drive(venue, client, NOW + 3 * SECOND, NOW + 6 * SECOND)
    numbers = client.numbers(client.ids[2])
    assert numbers[0] == 0
    assert numbers[1:] == list(range(2, len(numbers) + 1))
    client.say({"type": "subscribe", **HEIGHT}, NOW + 6 * SECOND)
    drive(venue, client, NOW + 6 * SECOND, NOW + 6_500)
    assert "limit reached" in client.frames()[-1]["message"]


@pytest.mark.parametrize("value", range(len(DEAF_TO)))
@pytest.mark.parametrize("batched", [False, True])
def test_deaf_subscriptions_miss_what_no_number_shows(value: int, batched: bool) -> None:
    watched = [{**subscription, "batched": batched} for subscription in (HEIGHT, BOOK, TRADES, ACCOUNT)]
    venue, client = joined(BUSY, *watched)
    venue.inflict(Kind.DEAF, NOW + 2 * SECOND, 4 * SECOND, value)
    now = drive(venue, client, NOW, NOW + 6 * SECOND - 1)
    meanwhile = {f["channel"] for f in client.frames(NOW + 2_300) if f["type"].startswith("channel")}
    everything = {"v4_block_height", "v4_orderbook", "v4_trades", "v4_parent_subaccounts"}
    assert meanwhile == (everything - {DEAF_TO[value]} if value else set())
    drive(venue, client, now, NOW + 10 * SECOND)
    assert {f["channel"] for f in client.frames(now) if f["type"].startswith("channel")} == everything
    numbers = sorted(client.numbers(client.ids[0]))
    assert numbers == list(range(len(numbers)))


def test_subscribing_again_cures_deafness() -> None:
    venue, client = joined()
    venue.inflict(Kind.DEAF, NOW + 500, 60 * SECOND)
    now = drive(venue, client, NOW, NOW + 3 * SECOND)
    assert len(client.frames()) == 2
    client.say({"type": "unsubscribe", **HEIGHT}, now)
    client.say({"type": "subscribe", **HEIGHT}, now)
    drive(venue, client, now, NOW + 5_500)
    assert [f["type"] for f in client.frames()[2:]] == ["unsubscribed", "subscribed", "channel_data", "channel_data"]


@pytest.mark.parametrize("index", range(len(SAMPLES)))
def test_garbage_is_no_message_and_numbered_garbage_leaves_no_hole(index: int) -> None:
    venue, client = joined(BUSY, BOOK)
    venue.inflict(Kind.GARBAGE, NOW + 1_500, 0, index)
    venue.advance(NOW + 1_499)
    client.turn(NOW + 1_499)
    before = len(client.heard)
    venue.advance(NOW + 1_500)
    client.turn(NOW + 1_500)
    sample = SAMPLES[index]
    texts = [arrival.text for _, _, arrival in client.heard[before:] if isinstance(arrival, Text)]
    marks = [text for text in texts if text[:5] == sample.text[:5] and text[-5:] == sample.text[-5:]]
    assert marks
    assert '"v4_orderbook","version":"1.0.0","contents":{"bids":[["1' not in "".join(texts) or index in (13, 14)
    drive(venue, client, NOW + 1_500, NOW + 4 * SECOND)
    later = [json.loads(text)["message_id"] for text in client.texts(NOW + 1_501)]
    earlier = [json.loads(text)["message_id"] for text in client.texts()[:before]]
    taken = len(texts) - (0 if sample.numbered else 1)
    assert later[0] == earlier[-1] + taken + 1, "the next number"


@pytest.mark.parametrize("fails", [True, False])
def test_a_subscription_is_refused_for_a_while(fails: bool) -> None:
    venue, client = joined(QUIET, ACCOUNT, TRADES)
    kind = Kind.SUBSCRIBE_FAILS if fails else Kind.ACCOUNTS_REFUSED
    venue.inflict(kind, NOW + 100, 2 * SECOND)
    now = drive(venue, client, NOW, NOW + 2 * SECOND)
    account, trades = sorted((f for f in client.frames(NOW + 101) if "channel" in f), key=lambda f: f["channel"])
    internal = "Internal error, could not fetch data for subscription: "
    if fails:
        assert (account["message"], trades["message"]) == (f"{internal}{ACCOUNT['channel']}.", f"{internal}v4_trades.")
    else:
        assert account["type"] == "error"
        assert "cannot be used" in account["message"]
        assert trades["type"] == "subscribed"
    path = f"/v4/addresses/{QUIET.account}"
    assert venue.respond(Request("GET", path), now).status == (200 if fails else 403)  # type: ignore[union-attr]
    assert venue.respond(Request("GET", "/v4/orders/abc"), now).status == 400  # type: ignore[union-attr]
    venue.advance(NOW + 3 * SECOND)
    client.say({"type": "subscribe", **ACCOUNT}, NOW + 3 * SECOND)
    drive(venue, client, NOW + 3 * SECOND, NOW + 4 * SECOND)
    assert ("subscribed", ACCOUNT["channel"]) in {
        (f["type"], f.get("channel")) for f in client.frames(NOW + 3 * SECOND)
    }


def test_a_halted_chain_makes_its_next_block_at_the_end() -> None:
    venue, client = joined(BUSY)
    venue.advance(NOW + 2_500)
    height = venue.exchange.height
    venue.inflict(Kind.HALT, NOW + 2_500, 10 * SECOND)
    venue.advance(NOW + 12_499)
    assert venue.exchange.height == height
    venue.advance(NOW + 12_500)
    assert (venue.exchange.height, venue.exchange.time_ms) == (height + 1, NOW + 12_500)
    drive(venue, client, NOW + 12_500, NOW + 20 * SECOND)
    assert venue.exchange.height == height + 8


def test_the_indexer_falls_behind_and_catches_up() -> None:
    venue, client = joined()
    venue.inflict(Kind.INDEXER_LAG, NOW + 500, 8 * SECOND, 3)
    drive(venue, client, NOW, NOW + 7_500)
    assert venue.exchange.height - venue.indexer.store.height == 3
    drive(venue, client, NOW + 7_500, NOW + 10 * SECOND)
    assert venue.exchange.height == venue.indexer.store.height
    heights = [int(f["contents"]["blockHeight"]) for f in client.frames() if f["type"] == "channel_data"]
    assert heights == list(range(heights[0], venue.exchange.height + 1))


HARMLESS = Schedule(tuple(kind for kind in Kind if kind is not Kind.HALT), every_ms=700, lasts_ms=(300, 4_000))


@pytest.mark.parametrize("seed", range(4))
def test_no_fault_but_a_halt_changes_what_is_so(seed: int) -> None:
    truths, notes = [], []
    for plan in (FaultPlan(), FaultPlan(HARMLESS)):
        venue, client = joined(replace(BUSY, seed=seed, fault_plan=plan), HEIGHT, BOOK, ACCOUNT)
        drive(venue, client, NOW, NOW + 40 * SECOND)
        truths.append(venue.exchange.truth())
        notes.append(venue.fault_log)
    assert truths[0] == truths[1]
    assert len({note.fault.kind for note in notes[1]}) == len(Kind) - 1
    assert sum(note.connections for note in notes[1]) > 10


@pytest.mark.parametrize("seed", range(5))
def test_half_a_minute_of_rough_has_many_kinds(seed: int) -> None:
    venue, client = joined(replace(QUIET, seed=seed, fault_plan=FaultPlan(SCHEDULES["rough"])))
    drive(venue, client, NOW, NOW + 30 * SECOND)
    begun = [note.fault.kind for note in venue.fault_log if note.phase == "begins"]
    assert len(set(begun)) >= 8
    assert set(begun) <= set(RECOVERABLE)
    assert not venue.faults_over


@pytest.mark.parametrize("seed", range(5))
def test_when_the_faults_are_over_all_is_well(seed: int) -> None:
    plan = FaultPlan(SCHEDULES["chaos"], 200, 20 * SECOND)
    venue, client = joined(replace(BUSY, seed=seed, fault_plan=plan), HEIGHT, BOOK, ACCOUNT)
    now = drive(venue, client, NOW, NOW + 20 * SECOND - 1)
    assert not venue.faults_over
    now = drive(venue, client, now, NOW + 20 * SECOND)
    assert venue.faults_over
    lasting = [note for note in venue.fault_log if note.fault.kind not in AT_ONCE]
    begun = [note.fault for note in lasting if note.phase == "begins"]
    assert sorted(map(str, begun)) == sorted(str(note.fault) for note in lasting if note.phase == "ends")
    assert {note.fault.kind for note in venue.fault_log} == set(Kind)
    client.leave(now)
    now = drive(venue, client, now, now + 10 * SECOND)
    assert sorted(client.numbers(client.ids[-1])) == list(range(len(client.numbers(client.ids[-1]))))
    assert client.ids[-1] not in client.ids[:-1]
    assert len([f for f in client.frames(now - 9 * SECOND) if f["channel"] == "v4_block_height"]) >= 9
    assert venue.exchange.height == venue.indexer.store.height
    assert venue.respond(Request("GET", "/v4/height"), now).status == 200  # type: ignore[union-attr]
    assert venue.handshake(now) is None
    assert venue.node_trouble is None


ON_ONE_CONNECTION = Schedule(
    tuple(
        kind
        for kind in Kind
        if kind not in AT_CONNECTING | {Kind.RESET, Kind.CLOSE, Kind.ZOMBIE, Kind.RESTART, Kind.HALT}
    ),
    every_ms=300,
    lasts_ms=(100, 2_000),
)


def story(seed: int, steps: list[int]) -> tuple[list[str], list[str]]:
    """All that a client heard, and the fault log, while the clock is turned by each of `steps`."""
    options = replace(BUSY, seed=seed, fault_plan=FaultPlan(ON_ONE_CONNECTION))
    venue, client = joined(options, HEIGHT, BOOK, ACCOUNT, again=False)
    now = NOW
    for step in steps:
        now += step
        venue.advance(now)
        client.turn(now)
    return client.texts(), [f"{note.at_ms} {note}" for note in venue.fault_log]


def test_equal_seeds_tell_equal_stories_however_the_clock_is_turned() -> None:
    random = Random(2)
    uneven = [random.randint(1, 300) for _ in range(100)]
    total = sum(uneven)
    first = story(1, uneven)
    assert len(first[0]) > 200
    assert story(1, uneven) == first
    assert story(1, [total]) == first
    assert story(1, [500] * (total // 500) + [total % 500]) == first
    assert story(2, uneven) != first

"""A trading day in miniature, recorded against the real Indexer: the replay ends where its REST says the day ended."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared_data import DATA, entries_of, events_of, needs_data, raw_lines, state_after

from dydx_console.domain import events as ev
from dydx_console.domain.ids import PositionKey, StreamVersion
from dydx_console.domain.order import OrderPatch, display_status, is_working
from dydx_console.domain.position import ChildState
from dydx_console.engine.replay import ReplaySource, watched_in
from dydx_console.recording.lines import Entry
from dydx_console.state.console import ConsoleState
from dydx_console.state.snapshot import snapshot_of

DESK = DATA / "desk" / "public_desk.jsonl"
PARENT_CHANNEL = "v4_parent_subaccounts"

pytestmark = needs_data

ONE_MICRO = Decimal("1e-6")

ENDED_UNSEEN_BY_REST = {
    "BEST_EFFORT_OPENED": {"PENDING", "PARTIALLY_FILLED", "EXPIRED"},
    "BEST_EFFORT_CANCELED": {"CANCELING", "CANCELLED", "EXPIRED"},
    "CANCELED": {"CANCELLED", "EXPIRED"},
    "OPEN": {"OPEN", "PARTIALLY_FILLED"},
    "FILLED": {"FILLED"},
    "UNTRIGGERED": {"UNTRIGGERED"},
}
"""What the console may say of an order that REST gives that status. REST has no word for an order past its good-til
that nobody reported (EXPIRED), and keeps BEST_EFFORT_CANCELED when good-til has passed (CANCELLED, EXPIRED)."""


def truth(prefix: str) -> list[Any]:
    return [
        json.loads(row["body"]) for row in raw_lines(DESK) if row["ev"] == "truth" and row["name"].startswith(prefix)
    ]


def model() -> dict[str, Any]:
    return next(row for row in raw_lines(DESK) if row["ev"] == "model")


@pytest.fixture(scope="module")
def day() -> ConsoleState:
    return state_after(entries_of(DESK))


def test_every_fill_is_known_once_with_its_size_price_and_fee(day: ConsoleState) -> None:
    told = {fill["id"]: fill for body in truth("chrono_fills") for fill in body["fills"]}
    assert {fill.id for fill in day.fills} == set(told)
    assert len(list(day.fills)) == len(told)
    for fill in day.fills:
        row = told[fill.id]
        shown = (fill.size, fill.price, fill.fee, fill.side, fill.liquidity, fill.type, fill.market, fill.order_id)
        fields = ("side", "liquidity", "type", "market")
        assert shown == (
            *(Decimal(row[name]) for name in ("size", "price", "fee")),
            *map(row.get, fields),
            row.get("orderId"),
        )


def test_fills_of_every_market_stand_in_chain_order(day: ConsoleState) -> None:
    told = [fill for body in truth("chrono_fills") for fill in body["fills"]]
    for key in tuple(day.fills.keys()):
        expected = [f["id"] for f in told if (f["subaccountNumber"], f["market"]) == tuple(key)]
        assert [fill.id for fill in day.fills.of(key)] == expected


def test_every_order_ends_in_the_status_and_with_the_filled_size_that_rest_states(day: ConsoleState) -> None:
    """Size and price too, but for orders replaced after their last fill: REST then keeps the life that filled."""
    rows = {row["id"]: row for body in truth("orders_") for row in body}
    assert len(rows) == 141
    later_life: list[str] = []
    for order_id, row in rows.items():
        order = day.orders.get(order_id)
        assert order is not None
        assert display_status(order, day.height, day.block_time) in ENDED_UNSEEN_BY_REST[row["status"]]
        assert order.filled == Decimal(row["totalFilled"])
        if str(order.good_til_block) == row.get("goodTilBlock"):
            assert (order.size, order.price) == (Decimal(row["size"]), Decimal(row["price"]))
        elif order.good_til_block is not None:
            later_life.append(order_id)
    assert len(later_life) < 20


def test_an_order_that_rest_does_not_list_ended_without_a_fill(day: ConsoleState) -> None:
    """Short-term orders that end without a fill never reach the Indexer's database (indexer: vulcan keeps Redis)."""
    listed = {row["id"] for body in truth("orders_") for row in body}
    left = [order for order in day.orders if order.id not in listed]
    assert left
    for order in left:
        assert order.filled == 0
        assert not is_working(display_status(order, day.height, day.block_time))


def test_every_position_has_the_size_and_entry_price_that_rest_states(day: ConsoleState) -> None:
    told = {
        (row["subaccountNumber"], row["market"]): row for body in truth("positions_OPEN") for row in body["positions"]
    }
    assert {(p.subaccount, p.market) for p in day.holdings.positions} == set(told)
    for position in day.holdings.positions:
        row = told[position.subaccount, position.market]
        assert position.net_size == Decimal(row["size"])
        assert position.entry_price == Decimal(row["entryPrice"])


def test_every_balance_is_that_of_the_chain(day: ConsoleState) -> None:
    """REST adds funding that is not settled yet; the stream's balance is the settled one of the generator's books."""
    told = model()["subaccounts"]
    shown = {balance.subaccount: balance.amount for balance in day.holdings.balances if balance.asset == "USDC"}
    assert shown == {number: Decimal(told[str(number)]["usdc"]) for number in shown}
    rest = {row["subaccountNumber"]: row for body in truth("asset_positions") for row in body["positions"]}
    for number, amount in shown.items():
        unsettled = sum(Decimal(m["unsettledFunding"]) for m in told[str(number)]["markets"].values())
        assert Decimal(rest[number]["size"]) == amount + unsettled


def test_average_cost_realized_fees_and_funding_equal_the_books_of_the_generator(day: ConsoleState) -> None:
    snapshot = snapshot_of(day, 0.0, 1)
    by_key = {row.key: row for row in snapshot.pnl.by_market}
    costs = {PositionKey(v.position.subaccount, v.position.market): v.average_cost for v in snapshot.positions}
    checked = 0
    for number, subaccount in model()["subaccounts"].items():
        for market, want in subaccount["markets"].items():
            key = PositionKey(int(number), market)
            if int(number) % 128:
                assert key not in by_key
                continue
            row = by_key[key]
            assert row.realized is not None
            assert row.funding is not None
            assert abs(row.realized - Decimal(want["realizedPricePnl"])) < ONE_MICRO
            assert row.fees == Decimal(want["fees"]) + Decimal(want["builderFees"])
            assert row.funding == Decimal(want["settledFunding"])
            if want["avgEntry"] is not None:
                assert abs(costs[key] - Decimal(want["avgEntry"])) < ONE_MICRO  # type: ignore[operator]
            checked += 1
    assert checked == 4


def test_transfers_of_stream_and_rest_are_one_list(day: ConsoleState) -> None:
    told = truth("transfers")[0]["transfers"]
    shown = [(t.type, t.size, t.transaction_hash, t.height) for t in day.transfers.newest]
    assert sorted(shown, key=str) == sorted(
        ((t["type"], Decimal(t["size"]), t["transactionHash"], int(t["createdAtHeight"])) for t in told), key=str
    )
    body = next(row["body"] for row in raw_lines(DESK) if row["ev"] == "truth" and row["name"] == "transfers")
    url = next(row["url"] for row in raw_lines(DESK) if row["ev"] == "truth" and row["name"] == "transfers")
    again = state_after((*entries_of(DESK), Entry(t=70.0, ev="http", method="GET", url=url, status=200, body=body)))
    assert len(again.transfers.newest) == len(told)


def test_the_uncrossed_book_is_the_one_that_rest_serves(day: ConsoleState) -> None:
    """BTC-USD: equal. In ETH-USD the stream keeps ghosts of replaced orders, which REST has repaired in silence."""
    for market in ("BTC-USD",):
        row = truth(f"orderbook_{market}")[0]
        view = day.books.view(market)
        assert [price for price, _ in view.bids] == [Decimal(level["price"]) for level in row["bids"]]
        assert [price for price, _ in view.asks] == [Decimal(level["price"]) for level in row["asks"]]


def test_the_channel_is_in_step_once_the_account_has_been_read_again(day: ConsoleState) -> None:
    view = day.freshness.view(entries_of(DESK)[-1].t)
    assert (view.resyncs, view.gaps, view.rejected) == (1, 0, 0)


def account_rows(frame: ev.Frame) -> list[ev.AccountUpdate]:
    return [fact for fact in frame.facts if isinstance(fact, ev.AccountUpdate)]


def test_at_no_prefix_does_an_order_stand_as_working_after_its_best_effort_cancel() -> None:
    state = ConsoleState(watched_in(entries_of(DESK)))
    cancelled: dict[str, object] = {}
    checked = 0
    for event in day_events():
        state.apply(event)
        for update in account_rows(event) if isinstance(event, ev.Frame) else ():
            for patch in update.orders:
                if patch.status == "BEST_EFFORT_CANCELED" and patch.removal_reason != "REPLACED":
                    cancelled[patch.id] = patch.good_til
                elif patch.id in cancelled and patch.good_til != cancelled[patch.id]:
                    del cancelled[patch.id]
        for order_id in cancelled:
            order = state.orders.get(order_id)
            assert order is not None
            assert not is_working(display_status(order, state.height, state.block_time))
            checked += 1
    assert checked > 10_000


# ---- the same day, told badly ---------------------------------------------------------------------------------------


def picture(state: ConsoleState) -> dict[str, Any]:
    """Return everything that the state says, without counters of the stream's health."""
    snapshot = snapshot_of(state, 100.0, 1, fills=10_000)
    return {
        "balances": snapshot.balances,
        "positions": snapshot.positions,
        "orders": snapshot.orders,
        "fills": snapshot.fills,
        "transfers": snapshot.transfers,
        "pnl": snapshot.pnl,
        "margin": snapshot.margin,
        "markets": snapshot.markets,
        "books": [state.books.view(market) for market in sorted(state.books.markets)],
        "tape": state.tape.newest("BTC-USD"),
        "candles": state.candles.of("BTC-USD", "1MIN"),
        "height": (state.height, state.block_time),
    }


CLEAN: dict[str, Any] = {}


def clean() -> dict[str, Any]:
    if not CLEAN:
        CLEAN.update(picture(state_after(entries_of(DESK))))
    return CLEAN


@cache
def day_events() -> tuple[ev.Event, ...]:
    return tuple(events_of(entries_of(DESK)))


def told(change: Callable[[list[ev.Event]], list[ev.Event]]) -> dict[str, Any]:
    state = ConsoleState(watched_in(entries_of(DESK)))
    for event in change(list(day_events())):
        state.apply(event)
    return picture(state)


def assert_same(shown: dict[str, Any]) -> None:
    for name, value in clean().items():
        assert shown[name] == value, name


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_frames_that_come_twice_change_nothing(seed: int) -> None:
    rng = random.Random(seed)

    def doubled(events: list[ev.Event]) -> list[ev.Event]:
        again = [
            (place + rng.uniform(0, 500), event)
            for place, event in enumerate(events)
            if isinstance(event, ev.Frame) and rng.random() < 0.3
        ]
        placed = [*enumerate(events), *again]
        return [event for _, event in sorted(placed, key=lambda item: item[0])]

    assert_same(told(doubled))


def runs_of_frames(events: list[ev.Event]) -> list[list[ev.Event]]:
    """Return the events in runs: frames between two others, which keep their places."""
    runs: list[list[ev.Event]] = [[]]
    for one, other in pairwise([None, *events]):
        if isinstance(one, ev.Frame) != isinstance(other, ev.Frame):
            runs.append([])
        runs[-1].append(other)  # type: ignore[arg-type]
    return runs


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_frames_shuffled_between_two_reads_give_the_same_picture(seed: int) -> None:
    rng = random.Random(seed)

    def shuffled(events: list[ev.Event]) -> list[ev.Event]:
        runs = runs_of_frames(events)
        for run in runs:
            if isinstance(run[0] if run else None, ev.Frame):
                rng.shuffle(run)
        return [event for run in runs for event in run]

    assert_same(told(shuffled))


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_frames_delayed_across_reads_give_the_same_picture(seed: int) -> None:
    rng = random.Random(seed)

    def delayed(events: list[ev.Event]) -> list[ev.Event]:
        placed = [
            (place + (rng.uniform(0, 400) if isinstance(event, ev.Frame) and rng.random() < 0.5 else 0), place, event)
            for place, event in enumerate(events)
        ]
        return [event for _, _, event in sorted(placed, key=lambda item: item[:2])]

    assert_same(told(delayed))


def test_the_whole_day_backwards_gives_the_same_picture() -> None:
    """Frames in reverse after everything else: versions, not arrival, decide."""

    def reversed_(events: list[ev.Event]) -> list[ev.Event]:
        frames = [event for event in events if isinstance(event, ev.Frame)]
        return [event for event in events if not isinstance(event, ev.Frame)] + frames[::-1]

    assert_same(told(reversed_))


def reread_at_the_end(state: ConsoleState) -> None:
    """Give the state what REST answers after the last block, as a re-read after a loss does."""
    source = ReplaySource()
    wanted = ("parent_subaccount", "orders_all", "chrono_fills", "funding_payments", "transfers")
    for row in raw_lines(DESK):
        if row["ev"] == "truth" and row["name"].startswith(wanted):
            entry = Entry(t=row["t"], ev="http", method="GET", url=row["url"], status=row["status"], body=row["body"])
            for event in source.events(entry):
                state.apply(event)


def orders_told_of(event: ev.Event) -> set[str]:
    """Return the orders of which an event says more than that something took their place.

    A cancel with the reason REPLACED changes nothing, so an order of which only that was heard, and which REST does not
    list because it is short-term and without fills, stays unknown.
    """
    if isinstance(event, ev.OrdersRead):
        return {view.id for view in event.orders}
    updates = event.facts if isinstance(event, ev.Frame) else (event,)
    return {
        patch.id for update in updates for patch in getattr(update, "orders", ()) if patch.removal_reason != "REPLACED"
    }


@settings(max_examples=8)
@example(487763)
@given(st.integers(0, 2**32))
def test_account_frames_dropped_and_then_read_again_give_the_same_account(seed: int) -> None:
    rng = random.Random(seed)

    whole = state_after(entries_of(DESK))
    reread_at_the_end(whole)
    state = ConsoleState(watched_in(entries_of(DESK)))
    dropped = 0
    told_of: set[str] = set()
    for event in day_events():
        is_update = isinstance(event, ev.Frame) and bool(account_rows(event))
        if is_update and rng.random() < 0.2:
            dropped += 1
            continue
        told_of |= orders_told_of(event)
        state.apply(event)
    assert dropped > 50
    assert state.freshness.view(1e4).gaps >= 1
    reread_at_the_end(state)
    assert state.holdings.balances == whole.holdings.balances
    assert [fill.id for fill in state.fills] == [fill.id for fill in whole.fills]
    for mine, clean_run in zip(state.holdings.positions, whole.holdings.positions, strict=True):
        assert (mine.market, mine.net_size, mine.entry_price) == (
            clean_run.market,
            clean_run.net_size,
            clean_run.entry_price,
        )
    for key in whole.ledger_keys():
        assert state.ledger(key) == whole.ledger(key)
    settled = {"FILLED", "CANCELLED", "EXPIRED"}
    for order in whole.orders:
        mine_order = state.orders.get(order.id)
        shown = display_status(order, whole.height, whole.block_time)
        if mine_order is None or shown not in settled:
            continue
        assert mine_order.filled == order.filled
        ended = display_status(mine_order, state.height, state.block_time)
        if ended is None:
            assert order.id not in told_of
            continue
        assert ended in settled
        assert (ended == "FILLED") == (shown == "FILLED")


def test_parent_and_child_channels_together_tell_the_same_account() -> None:
    """Every account frame comes a second time, as the child's own channel sends it: other numbers, the same rows."""

    def renumbered(version: StreamVersion, second: bool) -> StreamVersion:
        return version._replace(message_id=2 * version.message_id + second)

    def both(events: list[ev.Event]) -> list[ev.Event]:
        out: list[ev.Event] = []
        for event in events:
            if not isinstance(event, ev.Frame) or event.message_id is None:
                out.append(event)
                continue
            for second in (False, True) if account_rows(event) else (False,):
                facts = tuple(
                    replace(fact, version=renumbered(fact.version, second)) if hasattr(fact, "version") else fact
                    for fact in event.facts
                )
                out.append(replace(event, message_id=2 * event.message_id + second, facts=facts))
        return out

    shown = told(both)
    for part in ("books", "tape", "candles"):
        shown[part] = clean()[part]
    assert_same(shown)


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_a_day_with_a_reconnect_ends_where_the_whole_day_does(seed: int) -> None:
    """The socket breaks, what it would have told is lost, and a later one brings a snapshot, the rest and a re-read.

    The snapshot is made of what the clean run holds at that moment, in the way the Indexer makes it: working orders,
    open positions, balances.
    """
    rng = random.Random(seed)
    events = list(day_events())
    first = rng.randrange(200, 1500)
    last = first + rng.randrange(20, 400)
    mirror, state = ConsoleState(watched_in(entries_of(DESK))), ConsoleState(watched_in(entries_of(DESK)))
    for place, event in enumerate(events):
        mirror.apply(event)
        if place < first:
            state.apply(event)
        elif place == last:
            reconnect(state, mirror)
        elif place > last:
            state.apply(on_second_connection(event))
    reread_at_the_end(state)
    reread_at_the_end(mirror)
    assert [f.id for f in state.fills] == [f.id for f in mirror.fills]
    assert state.holdings.balances == mirror.holdings.balances
    for key in mirror.ledger_keys():
        assert state.ledger(key) == mirror.ledger(key)
        assert state.funding.total(key) is not None
    for order in mirror.orders:
        shown = display_status(order, mirror.height, mirror.block_time)
        mine = state.orders.get(order.id)
        ended = None if mine is None else display_status(mine, state.height, state.block_time)
        assert is_working(ended) <= is_working(shown), (order, mine)
        if mine is not None:
            assert mine.filled == order.filled


def on_second_connection(event: ev.Event) -> ev.Event:
    if not isinstance(event, ev.Frame):
        return replace(event, connection=2) if getattr(event, "connection", 0) == 1 else event
    facts = tuple(
        replace(fact, version=fact.version._replace(connection=2)) if hasattr(fact, "version") else fact
        for fact in event.facts
    )
    return replace(event, connection=2, facts=facts)


def reconnect(state: ConsoleState, mirror: ConsoleState) -> None:
    assert mirror.watched is not None
    working = []
    for order in mirror.orders:
        status = display_status(order, mirror.height, mirror.block_time)
        if is_working(status):
            names = OrderPatch.__dataclass_fields__
            working.append(OrderPatch(**{name: getattr(order, name) for name in names}))
    children = tuple(
        ChildState(
            number,
            tuple(replace(p, position_id=None) for p in mirror.holdings.positions if p.subaccount == number),
            tuple(b for b in mirror.holdings.balances if b.subaccount == number),
            mirror.height,
            mirror.height,
        )
        for number in mirror.holdings.subaccounts
    )
    address, at = mirror.watched.address, 50.0
    key = ev.ChannelKey(PARENT_CHANNEL, f"{address}/0")
    version = StreamVersion(2, 1)
    snapshot = ev.AccountSnapshot(version, address, 0, None, True, children, tuple(working), mirror.height)
    for event in (
        ev.ConnectionClosed(1, 1006, "", at),
        ev.ConnectionOpened(2, at),
        ev.SubscribeSent(2, key, False, at),
        ev.Frame(2, 1, key, (ev.Subscribed(version, key, at), snapshot), at),
        ev.AccountRead(address, 0, None, True, children, 2, at, at),
        ev.OrdersRead(address, tuple(working), 2, at, at),
        ev.FillsRead(address, tuple(replace(f, event_id=None) for f in mirror.fills), True, at, 0),
        ev.Resynced(2, at),
    ):
        state.apply(event)
    held = {order.id for order in working}
    for order in state.orders:
        if is_working(display_status(order, mirror.height, mirror.block_time)):
            assert order.id in held

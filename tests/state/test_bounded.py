"""Bounded memory: whatever is let go of, the books say what they say when everything is held."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from builders import ADDRESS, START, at_height, child, fill, patch, position, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.events import AccountUpdate, FillsRead, OrdersRead, Recalled
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.journal import JournalMode, JournalView
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.fills import Fills, Places
from dydx_console.state.funding import Funding, PaidBefore
from dydx_console.state.ledgers import Beginning, Ledgers, Opening, OpeningBooks
from dydx_console.state.pnl_days import DayBook, Span

D = Decimal
KEY = PositionKey(0, "BTC-USD")
KEYS = (KEY, PositionKey(0, "ETH-USD"), PositionKey(128, "SOL-USD"))


def random_fill(rng: random.Random, number: int, height: int) -> Fill:
    """Return a fill of one of three positions, now and then of one that began before the known fills."""
    key = rng.choice(KEYS)
    return fill(
        f"f{number:04}",
        rng.choice(["BUY", "SELL"]),
        str(rng.randint(0, 40)),
        str(rng.randint(90, 110)),
        height,
        market=key.market,
        subaccount=key.subaccount,
        fee=D(rng.randint(-9, 9)).scaleb(-2),
        builder_fee=rng.choice([None, D("0.01")]),
        created_at=at_height(height * 3_000),
        event_id=f"{height:08x}{number:016x}",
        entry_price_before=rng.choice([None, D(95)]),
    )


def told(ledgers: Ledgers, days: DayBook) -> tuple[object, ...]:
    ledgers.look()
    books = [(ledgers.of(key), ledgers.lives(key)) for key in KEYS]
    return books, [(day, key, sums.told(day, key)) for day, key, sums in days.rows]


@given(st.integers(0, 2**32), st.booleans())
def test_bounded_and_unbounded_books_tell_the_same(seed: int, begins_late: bool) -> None:
    """Ledgers, lives and day sums, at every look, wherever the cuts are; fills held tell what they realized."""
    rng = random.Random(seed)
    days = (DayBook(START.tzinfo), DayBook(START.tzinfo))  # type: ignore[arg-type]
    fills = (Fills(), Fills())
    bounded, whole = (Ledgers(held, book) for held, book in zip(fills, days, strict=True))
    if begins_late:
        for ledgers in (bounded, whole):
            ledgers.anchor(child(*(position("3", key.market) for key in KEYS[:2]), height=0), None)
    height = 1
    for number in range(rng.randint(1, 60)):
        height += rng.choice([0, 0, 1, 2])
        made = random_fill(rng, number, height)
        for ledgers, held in zip((bounded, whole), fills, strict=True):
            ledgers.forget(held.take((made,))[1])
        if rng.random() < 0.2 and (cut := fills[0].cut(rng.randint(1, 20))) is not None:
            bounded.let_go(cut)
        if rng.random() < 0.3:
            assert told(bounded, days[0]) == told(whole, days[1])
    assert told(bounded, days[0]) == told(whole, days[1])
    assert [bounded.closed_pnl(each) for each in fills[0]] == [whole.closed_pnl(each) for each in fills[0]]
    assert len(fills[0]) == len(fills[1])
    assert [list(bounded.bookings(key)) for key in KEYS] == [
        [done for done in whole.bookings(key) if fills[0].get(done.fill.id)] for key in KEYS
    ]


def traded(most: int, count: int) -> ConsoleState:
    """Return a state that was told of `count` fills of one market, two to a block, by pages with an overlap."""
    state = ConsoleState(Watched(ADDRESS), most_fills=most)
    rows = tuple(fill(f"f{n:04}", ("BUY", "SELL")[n % 3 == 2], "1", str(100 + n), n // 2 + 1) for n in range(count))
    for first in range(0, count, 10):
        begin = max(first - 5, 0)
        state.apply(FillsRead(ADDRESS, rows[begin : first + 10], True, 0.0, begin, count))
    return state


@pytest.mark.parametrize("most", [20, 21, 50])
def test_a_state_holds_the_newest_fills_and_knows_all(most: int) -> None:
    state, whole = traded(most, 200), traded(10_000, 200)
    assert most - 2 < state.fills.held <= most + 12
    assert (len(state.fills), state.fills.newest(most - 1)) == (200, whole.fills.newest(most - 1))
    assert state.ledger(KEY) == whole.ledger(KEY)
    assert state.days.days() == whole.days.days()
    assert state.span(Span.ALL, at_height(999), D(7)) == whole.span(Span.ALL, at_height(999), D(7))
    newest = state.fills.newest(1)[0]
    assert state.closed_pnl(newest.id) == whole.closed_pnl(newest.id)
    assert state.closed_pnl("f0000") is None


def test_fills_that_were_let_go_of_are_known_when_they_are_read_again() -> None:
    state = traded(20, 200)
    before = state.ledger(KEY)
    rows = tuple(fill(f"f{n:04}", "BUY", "1", "1", n // 2 + 1) for n in range(50))
    changes = state.apply(FillsRead(ADDRESS, rows, True, 0.0, 0, 200))
    assert (state.ledger(KEY), len(state.fills), changes.new_fills) == (before, 200, ())
    assert state.doubted == frozenset()


def test_an_unknown_fill_from_before_the_horizon_leaves_books_that_say_so() -> None:
    state = traded(20, 200)
    unwritten = state.note_unwritten()
    assert state.ledger(KEY).is_complete
    missed = fill("hole", "BUY", "1", "1", 3, event_id="0")
    state.apply(AccountUpdate(version(1), ADDRESS, 0, (), (), (), (missed,), (), None, None))
    ledger = state.ledger(KEY)
    assert (ledger.is_complete, ledger.is_known, state.doubted) == (False, False, {KEY})
    assert ledger.since is not None
    assert ledger.since > at_height(80)
    assert unwritten.taken().late == [(missed, None)]


FLAT = Beginning()


def opened(rows: list[Fill], began: Beginning = FLAT) -> OpeningBooks:
    opening = Opening.at(KEY, began, START.tzinfo)  # type: ignore[arg-type]
    opening.take(rows)
    return OpeningBooks(rows[-1].height, {KEY: opening}, Places.of([(0, len(rows))]))


def test_opening_books_from_elsewhere_heal_a_doubt_and_an_unexplained_position() -> None:
    rows = [fill(f"f{n}", "BUY", "1", str(100 + n), n + 1) for n in range(10)]
    whole, state = ConsoleState(Watched(ADDRESS)), ConsoleState(Watched(ADDRESS))
    whole.apply(FillsRead(ADDRESS, tuple(rows), True, 0.0, 0, 10))
    state.open_books(opened([rows[0], *rows[2:5]]))
    state.apply(Recalled(ADDRESS, tuple((row, n) for n, row in enumerate(rows[5:], 5)), (), (), (), 0.0))
    anchored = child(position("10", entry_price=D(50)), height=10)
    for each in (whole, state):
        each._anchor((anchored,), 10, None)
    assert state.ledger(KEY).net_size == 10
    assert not state.ledger(KEY).is_complete
    state.fills.is_known = state.exists = True
    assert state.began() == {KEY: Beginning(D(1), None)}
    state.open_books(opened(rows[:5]))
    assert state.ledger(KEY) == whole.ledger(KEY)
    assert (state.began(), state.days.days(), len(state.fills)) == ({}, whole.days.days(), 10)


def test_a_beginning_that_the_opening_books_know_explains_the_position() -> None:
    rows = [fill(f"f{n}", "BUY", "1", str(100 + n), n + 1) for n in range(10)]
    state = ConsoleState(Watched(ADDRESS))
    state.open_books(opened(rows, Beginning(D(-4), D(90))))
    state._anchor((child(position("6"), height=10),), 10, None)
    assert state.ledger(KEY).realized == D(-46)
    assert (state.ledger(KEY).net_size, state.ledger(KEY).is_complete) == (D(6), True)
    state.fills.is_known = state.exists = True
    assert state.began() == {KEY: Beginning(D(-4), D(90))}


@pytest.mark.parametrize("mode", [JournalMode.OFF, JournalMode.OPENING])
def test_nothing_goes_that_the_journal_has_yet_to_write(mode: JournalMode) -> None:
    state = ConsoleState(Watched(ADDRESS), most_fills=20)
    state.journal = JournalView(mode)
    rows = tuple(fill(f"f{n:04}", height=n + 1) for n in range(100))
    state.apply(FillsRead(ADDRESS, rows, True, 0.0, 0, 100))
    assert state.fills.held == 100
    state.journal = JournalView(JournalMode.KEPT)
    unwritten = state.note_unwritten()
    unwritten.fills.add("f0010")
    state.apply(FillsRead(ADDRESS, rows[-2:], True, 0.0, 98, 100))
    assert (state.fills.held, state.fills.horizon) == (90, 10)
    unwritten.taken()
    state.apply(FillsRead(ADDRESS, rows[-2:], True, 0.0, 98, 100))
    assert state.fills.held == 20


def test_ended_orders_go_and_working_ones_stay() -> None:
    state = ConsoleState(Watched(ADDRESS), most_ended=10)
    working = tuple(patch(f"w{n:03}", flags="64", updated_at_height=1) for n in range(30))
    ended = tuple(patch(f"e{n:03}", flags="64", status="FILLED", updated_at_height=n) for n in range(100))
    state.apply(OrdersRead(ADDRESS, (*working, *ended), 1, 0.0, 0.0))
    held = [order.id for order in state.orders]
    assert held == [f"e{n:03}" for n in range(90, 100)] + [row.id for row in working]
    state.apply(OrdersRead(ADDRESS, (ended[0],), 1, 0.0, 0.0))
    again = state.orders.get("e000")
    assert again is not None
    assert again.status == "FILLED"


@given(st.lists(st.integers(0, 40)))
def test_places_are_what_was_added(places: list[int]) -> None:
    held = Places()
    for place in places:
        held.add(place)
    assert [place for place in range(42) if place in held] == sorted(set(places))
    assert held.ranges == Places.of(held.ranges).ranges
    assert all(end < first for (_, end), (first, _) in zip(held.ranges, held.ranges[1:], strict=False))


def test_payments_that_are_not_held_count_and_are_known_when_they_are_read_again() -> None:
    paid = [FundingPayment(0, "BTC-USD", D(n), D(0), D(1), D(1), at_height(n), n) for n in range(1, 9)]
    days, every = DayBook(START.tzinfo), DayBook(START.tzinfo)  # type: ignore[arg-type]
    funding, whole = Funding(days), Funding(every)
    whole.take_payments(paid)
    funding.take_payments(paid[2:])
    before = PaidBefore(DayBook(START.tzinfo))  # type: ignore[arg-type]
    before.take(paid[:5])
    funding.begin_after(before)
    assert (funding.total(KEY), days.days()) == (whole.total(KEY), every.days())
    assert funding.take_payments(paid) == ()
    amended = replace(paid[6], payment=D("0.5"))
    for each in (funding, whole):
        each.take_payments((amended,))
    assert (funding.total(KEY), days.days()) == (whole.total(KEY), every.days())
    assert funding.of(KEY) == (paid[5], amended, paid[7])


def test_payments_that_are_not_held_are_in_no_later_life() -> None:
    rows = (fill("a", "BUY", "1", "100", 1), fill("b", "SELL", "1", "100", 4), fill("c", "BUY", "1", "100", 6))
    paid = [FundingPayment(0, "BTC-USD", D(n), D(0), D(1), D(1), at_height(n), n) for n in (2, 3, 7, 8)]
    state = ConsoleState(Watched(ADDRESS))
    state.apply(FillsRead(ADDRESS, rows, True, 0.0, 0, 3))
    before = PaidBefore(DayBook(START.tzinfo))  # type: ignore[arg-type]
    before.take(paid[:2])
    state.funding.begin_after(before)
    state.funding.take_payments(paid[2:])
    assert [life.funding for life in state.lives(KEY)] == [None, D(15)]
    assert state.funding.total(KEY) == D(20)


def test_a_mark_counts_where_it_was_made_of_the_same_figures() -> None:
    rows = tuple(fill(f"f{n}", "BUY", "1", "100", 86_400 * n + 1) for n in range(4))
    state = ConsoleState(Watched(ADDRESS))
    state.apply(FillsRead(ADDRESS, rows, True, 0.0, 0, 4))
    now, since = rows[3].created_at, rows[0].created_at
    assert state.since == since
    for when, net, made_of in ((rows[1], D(5), since), (rows[2], D(9), rows[1].created_at)):
        state.mark(net, when.created_at, made_of)
    week, today = state.span(Span.WEEK, now, D(20)), state.span(Span.TODAY, now, D(20))
    assert (week.net, week.marked_at) == (D(20), None)
    assert (today.net, today.marked_at) == (D(15), rows[1].created_at)
    assert today.fees == rows[3].paid

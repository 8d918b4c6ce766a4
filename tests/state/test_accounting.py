"""PNL from fills: the books of every position, exact, and the same whether booked at once or fill by fill."""

import random
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from time import perf_counter

import pytest
from builders import child, fill, position
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.state.accounting import (
    SUMS,
    Anchor,
    Book,
    Ledger,
    bookings,
    ledger_of,
    stated_closed_pnl,
)
from dydx_console.state.fills import Fills
from dydx_console.state.ledgers import Ledgers
from dydx_console.state.pnl import market_pnl

D = Decimal
KEY = PositionKey(0, "BTC-USD")
FINEST = Fraction(1, 10**29)


def booked(*trades: tuple[str, str, str]) -> Ledger:
    rows = [fill(f"f{n}", side, size, price, n + 1) for n, (side, size, price) in enumerate(trades)]
    return ledger_of(rows, None)


@pytest.mark.parametrize(
    ("trades", "net", "cost", "realized"),
    [
        ([("BUY", "1", "100")], "1", "100", "0"),
        ([("BUY", "1", "100"), ("BUY", "3", "120")], "4", "115", "0"),
        ([("BUY", "2", "100"), ("SELL", "1", "110")], "1", "100", "10"),
        ([("SELL", "2", "100"), ("BUY", "2", "110")], "0", None, "-20"),
        ([("BUY", "2", "100"), ("SELL", "5", "110")], "-3", "110", "20"),
        ([("SELL", "2", "100"), ("BUY", "5", "90")], "3", "90", "20"),
    ],
)
def test_average_cost(trades: list[tuple[str, str, str]], net: str, cost: str | None, realized: str) -> None:
    ledger = booked(*trades)
    assert ledger.net_size == D(net)
    assert ledger.average_cost == (None if cost is None else D(cost))
    assert ledger.realized == D(realized)
    assert ledger.is_complete


def test_a_flip_shares_its_fee_by_size_and_begins_a_new_life() -> None:
    rows = [
        fill("a", "BUY", "2", "100", 1, fee=D(1)),
        fill("b", "SELL", "5", "110", 2, fee=D("0.5"), builder_fee=D("0.5")),
    ]
    ledger = ledger_of(rows, None)
    assert ledger.fees == D(2)
    assert (ledger.life_fees, ledger.life_realized) == (D("0.6"), D(0))
    assert ledger.opened_at == rows[1].created_at
    assert ledger.since == rows[0].created_at


def test_a_rebate_lowers_the_fees() -> None:
    assert ledger_of([fill("a", fee=D("-0.25"))], None).fees == D("-0.25")


trades = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 5000).map(lambda n: D(n).scaleb(-3)),
        st.integers(1, 10**7).map(lambda n: D(n).scaleb(-2)),
        st.integers(-1000, 1000).map(lambda n: D(n).scaleb(-4)),
    ),
    max_size=30,
)


@given(trades)
def test_the_books_balance_exactly(made: list[tuple[str, Decimal, Decimal, Decimal]]) -> None:
    """Cash is conserved to the last digit: realized PNL less what the position cost is what the trades brought."""
    rows = [fill(f"{n:03}", s, str(q), str(p), n + 1, fee=f) for n, (s, q, p, f) in enumerate(made)]
    ledger = ledger_of(rows, None)
    cash = sum((-Fraction(row.signed_size) * Fraction(row.price) for row in rows), start=Fraction(0))
    held = sum((Fraction(row.signed_size) for row in rows), start=Fraction(0))
    assert Fraction(ledger.net_size) == held
    assert Fraction(ledger.fees) == sum((Fraction(row.fee) for row in rows), start=Fraction(0))
    assert Fraction(ledger.realized) == cash + Fraction(ledger.cost or 0)
    if ledger.average_cost is not None:
        assert ledger.cost is not None
        assert abs(Fraction(ledger.net_size) * Fraction(ledger.average_cost) - Fraction(ledger.cost)) < FINEST
        prices = [row.price for row in rows]
        assert min(prices) <= ledger.average_cost <= max(prices)
    assert (ledger.average_cost is None) == (not held)


Trade = tuple[str, Decimal, Decimal, Decimal]


def rows_of(made: list[Trade], height: int | None = None) -> list[Fill]:
    return [
        fill(f"{n:03}", side, str(size), str(price), n + 1 if height is None else height, fee=fee)
        for n, (side, size, price, fee) in enumerate(made)
    ]


def net_at(ledger: Ledger, oracle: Decimal) -> Decimal:
    with localcontext(SUMS):
        return ledger.realized + ledger.net_size * oracle - (ledger.cost or D(0)) - ledger.fees


@given(trades, st.data())
def test_splitting_a_fill_changes_nothing(made: list[Trade], data: st.DataObject) -> None:
    rows = rows_of(made)
    split: list[Fill] = []
    for row in rows:
        parts = data.draw(st.integers(1, 3), label=f"parts of {row.id}")
        left, fee = row.size, row.fee
        for number in range(1, parts):
            size = (row.size * number / 7).quantize(D("1e-6"))
            share = (row.fee * number / 7).quantize(D("1e-6"))
            left, fee = left - size, fee - share
            split.append(replace(row, id=f"{row.id}.{number}", size=size, fee=share))
        split.append(replace(row, id=f"{row.id}.9", size=left, fee=fee))
    whole, parted = ledger_of(rows, None), ledger_of(split, None)
    assert (parted.net_size, parted.average_cost, parted.cost) == (whole.net_size, whole.average_cost, whole.cost)
    assert (parted.realized, parted.life_realized, parted.fees) == (whole.realized, whole.life_realized, whole.fees)
    assert net_at(parted, D(101)) == net_at(whole, D(101))


@given(trades, st.randoms(use_true_random=False))
def test_the_order_of_fills_in_a_block_leaves_the_net_as_it_is(made: list[Trade], rng: random.Random) -> None:
    rows = rows_of(made, height=7)
    shuffled = rng.sample(rows, len(rows))
    assert net_at(ledger_of(shuffled, None), D("99.5")) == net_at(ledger_of(rows, None), D("99.5"))
    assert ledger_of(shuffled, None).net_size == sum((row.signed_size for row in rows), start=D(0))


@given(trades)
def test_what_each_fill_did_adds_up_to_the_books(made: list[Trade]) -> None:
    rows = rows_of(made)
    ledger, done = ledger_of(rows, None), list(bookings(rows))
    assert [booking.fill for booking in done] == rows
    assert sum(Fraction(booking.closed_pnl or 0) for booking in done) == Fraction(ledger.realized)
    held = D(0)
    for booking in done:
        assert booking.closed + booking.opened == booking.fill.size
        assert booking.closed == min(abs(held), booking.fill.size) * (held * booking.fill.signed_size < 0)
        held += booking.fill.signed_size
        assert (booking.net_size, booking.average_cost is None) == (held, not held)
        assert booking.closed or (booking.closed_pnl == 0 and booking.closed_fees == 0)


def test_what_a_flip_did_is_told_in_its_two_parts() -> None:
    rows = [fill("a", "BUY", "2", "100", 1), fill("b", "SELL", "5", "110", 2, fee=D("0.5"), builder_fee=D("0.5"))]
    flip = list(bookings(rows))[1]
    assert (flip.closed, flip.opened, flip.closed_pnl, flip.closed_fees) == (D(2), D(3), D(20), D("0.4"))
    assert (flip.net_size, flip.average_cost) == (D(-3), D(110))


@pytest.mark.parametrize("kind", ["LIQUIDATED", "LIQUIDATION", "DELEVERAGED", "OFFSETTING", "SOMETHING_NEW"])
def test_a_forced_fill_realizes_like_any_other(kind: str) -> None:
    rows = [fill("a", "BUY", "2", "100", 1), fill("b", "SELL", "2", "90", 2, type=kind, order_id=None)]
    assert ledger_of(rows, None).realized == D(-20)


def test_a_fill_without_size_is_its_fee_and_opens_nothing() -> None:
    nothing = fill("z", "SELL", "0", "100", 3, fee=D("0.25"))
    ledger = ledger_of([nothing], None)
    assert (ledger.net_size, ledger.average_cost, ledger.fees, ledger.opened_at) == (D(0), None, D("0.25"), None)
    held = ledger_of([fill("a", "BUY", "1", "100", 1), nothing], None)
    assert (held.net_size, held.average_cost, held.realized, held.life_fees) == (D(1), D(100), D(0), D("0.30"))


def test_figures_too_large_to_be_true_are_booked_all_the_same() -> None:
    huge = str(D(9).scaleb(39))
    book = Book(KEY)
    book.take(fill("a", "BUY", huge, huge, 1))
    book.take(fill("b", "BUY", "1e-18", "1e-18", 2))
    book.take(fill("c", "SELL", "3", huge, 3))
    ledger = book.ledger
    assert Fraction(ledger.net_size) == Fraction(huge) + Fraction("1e-18") - 3
    brought = 3 * Fraction(huge) - Fraction(huge) ** 2 - Fraction("1e-36")
    assert Fraction(ledger.realized) - Fraction(ledger.cost or 0) == brought


def test_a_fill_known_twice_counts_once_and_one_of_an_unknown_market_has_books_of_its_own() -> None:
    fills = Fills()
    ledgers = Ledgers(fills)
    row = fill("a", "BUY", "1", "100", 1)
    for rows in ((row,), (row, row), (replace(row, market="NEW-USD", id="n"),)):
        ledgers.forget(fills.take(rows)[1])
    assert ledgers.of(KEY).net_size == 1
    assert ledgers.of(PositionKey(0, "NEW-USD")).net_size == 1
    assert [booking.fill.id for booking in ledgers.bookings(KEY)] == ["a"]


@pytest.mark.parametrize("missing", ["position_size_before", "entry_price_before", "position_side_before"])
def test_without_the_venues_figures_it_states_no_closed_pnl(missing: str) -> None:
    before = {"position_size_before": D(1), "entry_price_before": D(90), "position_side_before": "LONG"}
    stated = fill("a", "SELL", "1", "110", **before)
    assert stated_closed_pnl(stated) == D("19.95")
    assert stated_closed_pnl(replace(stated, **{missing: None})) is None


def test_figures_are_exact_whatever_the_caller_reckons_with() -> None:
    rows = [fill("a", size="1.234567890123456789", price="98765.432109876543210987", height=1), fill("b", height=2)]
    expected = ledger_of(rows, None)
    with localcontext() as context:
        context.prec = 3
        assert ledger_of(rows, None) == expected


def test_an_anchor_tells_what_was_held_before_the_first_known_fill() -> None:
    rows = [fill("a", "SELL", "1", "110", 5, entry_price_before=D(90))]
    ledger = ledger_of(rows, Anchor(D(1), D(95), 7))
    assert (ledger.net_size, ledger.average_cost, ledger.realized) == (D(1), D(90), D(20))
    assert not ledger.is_complete
    assert ledger_of([], Anchor(D(1), D(95), 7)) == Ledger(D(1), D(95), is_complete=False, cost=D(95))
    assert ledger_of(rows, Anchor(D(-1), None, 7)).is_complete


def test_while_a_cost_is_not_known_figures_are_unknown_and_then_begin_anew() -> None:
    rows = [fill("a", "BUY", "1", height=5), fill("b", "SELL", "1", height=8)]
    anchor = Anchor(D(3), None, 7)
    unknown = ledger_of(rows, anchor)
    assert (unknown.average_cost, unknown.cost, unknown.net_size) == (None, None, D(2))
    assert (unknown.is_known, unknown.is_complete) == (False, False)
    row = market_pnl(KEY, unknown, D(1), D(1))
    assert (row.realized, row.net, row.fees) == (None, None, D("0.1"))
    assert [booking.closed_pnl for booking in bookings(rows, anchor)] == [D(0), None]
    flip = fill("c", "SELL", "3", "110", 9, fee=D("0.3"))
    known = ledger_of([*rows, flip], anchor)
    assert (known.net_size, known.average_cost, known.realized, known.is_known) == (D(-1), D(110), D(0), True)
    assert (known.since, known.fees) == (flip.created_at, D("0.1"))
    closed = fill("d", "SELL", "2", "110", 9)
    assert ledger_of([*rows, closed], anchor) == Ledger(since=closed.created_at)


def test_a_close_after_unknown_opens_leaves_complete_books() -> None:
    rows = [fill("a", "SELL", "2", "110", 5, entry_price_before=D(90)), fill("b", "BUY", "1", "50", 6)]
    ledger = ledger_of(rows, Anchor(D(1), D(50), 7))
    assert (ledger.net_size, ledger.average_cost, ledger.is_complete) == (D(1), D(50), True)


def test_a_position_that_is_said_to_be_closed_anchors_too() -> None:
    """Fills known from the middle of a life: SELL 1 closed what an unread fill had opened, and is no short position."""
    fills = Fills()
    ledgers = Ledgers(fills)
    ledgers.anchor(child(height=10), None)
    fills.take((fill("b", "SELL", "1", "110", 5, entry_price_before=D(100)),))
    assert ledgers.of(KEY).net_size == 0
    assert ledgers.of(KEY).realized == D(10)
    fills.take((fill("c", "BUY", "2", "50", 12),))
    assert (ledgers.of(KEY).net_size, ledgers.of(KEY).average_cost) == (D(2), D(50))


def test_an_anchor_without_a_height_uses_the_one_it_is_given_or_all_fills() -> None:
    fills = Fills()
    fills.take((fill("a", "BUY", "1", height=5), fill("b", "BUY", "1", height=9)))
    ledgers = Ledgers(fills)
    ledgers.anchor(child(position("1"), height=None), 5)
    assert (ledgers.of(KEY).net_size, ledgers.of(KEY).is_complete) == (D(2), True)
    ledgers.anchor(child(position("2"), height=None), None)
    assert (ledgers.of(KEY).net_size, ledgers.of(KEY).is_complete) == (D(2), True)
    fills.take((fill("c", "BUY", "1", height=10),))
    assert ledgers.of(KEY) == ledger_of(fills.of(KEY), Anchor(D(2), D(100), None))


def test_ended_rows_are_no_anchor() -> None:
    ledgers = Ledgers(Fills())
    ledgers.anchor(child(position("1", status="CLOSED"), height=3), None)
    assert ledgers.of(KEY) == Ledger()


class Reference:
    """The same account booked anew at every look."""

    def __init__(self) -> None:
        self.anchors: dict[PositionKey, Anchor] = {}
        self.stated: int | None = None

    def of(self, fills: Fills, key: PositionKey) -> Ledger:
        flat = None if self.stated is None else Anchor(D(0), None, self.stated)
        return ledger_of(fills.of(key), self.anchors.get(key, flat))


def random_fill(rng: random.Random, number: int, height: int, market: str) -> Fill:
    side, size = rng.choice(["BUY", "SELL"]), str(rng.randint(1, 4))
    known = {"event_id": f"{height:08x}{number:016x}"} if rng.random() < 0.7 else {}
    before = D(rng.randint(90, 110)) if rng.random() < 0.5 else None
    price = str(rng.randint(90, 110))
    return fill(f"f{rng.random()}", side, size, price, height, market=market, entry_price_before=before, **known)


@given(st.integers(0, 2**32))
def test_booking_fill_by_fill_equals_booking_at_once(seed: int) -> None:
    """Any mix of additions, late insertions, completions and anchors, looked at in between."""
    rng = random.Random(seed)
    fills = Fills()
    ledgers, reference = Ledgers(fills), Reference()
    keys = [KEY, PositionKey(0, "ETH-USD")]
    height = 1
    for number in range(rng.randint(1, 40)):
        what = rng.random()
        height += rng.randint(0, 2)
        key = rng.choice(keys)
        if what < 0.6:
            ledgers.forget(fills.take((random_fill(rng, number, height, key.market),))[1])
        elif what < 0.7:
            ledgers.forget(fills.take((random_fill(rng, number, rng.randint(1, height), key.market),))[1])
        elif what < 0.8 and len(fills):
            again = rng.choice(list(fills))
            ledgers.forget(fills.take((fill(again.id, event_id=f"{again.height:08x}{rng.randint(0, 99):016x}"),))[1])
        else:
            size = sum((row.signed_size for row in fills.of(key)), start=D(0)) + rng.choice([0, 0, 0, 1, -2])
            stated = [position(str(size), key.market)] if size else []
            at = height - rng.choice([0, 0, 1])
            ledgers.anchor(child(*stated, height=at), None)
            reference.anchors = {key: Anchor(size, stated[0].entry_price, at)} if stated else {}
            reference.stated = at
        if rng.random() < 0.5:
            for looked in keys:
                assert ledgers.of(looked) == reference.of(fills, looked)
    for looked in keys:
        assert ledgers.of(looked) == reference.of(fills, looked)


def seconds_for(known: int) -> float:
    fills = Fills()
    ledgers = Ledgers(fills)
    fills.take(fill(f"{n:06}", ("BUY", "SELL")[n % 2], height=n + 1) for n in range(known))
    ledgers.of(KEY)
    started = perf_counter()
    for n in range(300):
        ledgers.forget(fills.take((fill(f"m{n:06}", ("BUY", "SELL")[n % 2], height=known + n + 1),))[1])
        ledgers.of(KEY)
    return (perf_counter() - started) / 300


def test_the_cost_of_booking_a_fill_does_not_grow_with_their_number() -> None:
    """A guard against booking the whole history anew, which at 10,000 fills costs a thousandfold."""
    few = min(seconds_for(10) for _ in range(5))
    many = min(seconds_for(10_000) for _ in range(3))
    assert many < 3 * few


def test_a_re_read_that_agrees_keeps_the_books() -> None:
    fills = Fills()
    fills.take(fill(f"{n:06}", height=n + 1) for n in range(2000))
    ledgers = Ledgers(fills)
    held = ledgers.of(KEY)
    ledgers.anchor(child(position("2000"), height=2000), None)
    assert ledgers.of(KEY) is held
    ledgers.anchor(child(position("1999"), height=1999), None)
    assert ledgers.of(KEY) is held
    ledgers.anchor(child(position("1998"), height=1999), None)
    assert ledgers.of(KEY).net_size == 1999
    assert ledgers.of(KEY) is not held

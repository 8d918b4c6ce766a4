"""Position lives: from flat to flat, the same fill by fill as at once, and money neither lost nor counted twice."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, localcontext

from builders import at_height, child, fill, position
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.events import AccountRead, FillsRead, FundingRead
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey
from dydx_console.ports.journal import PositionLife
from dydx_console.state.accounting import SUMS, Book
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.fills import Fills
from dydx_console.state.ledgers import Ledgers
from dydx_console.state.lives import Life, funded

D = Decimal
KEY = PositionKey(0, "BTC-USD")


def lives_of(*rows: Fill) -> tuple[Life, ...]:
    fills = Fills()
    fills.take(rows)
    return Ledgers(fills).lives(KEY)


def payment(amount: str, height: int, size: str = "1") -> FundingPayment:
    return FundingPayment(0, "BTC-USD", D(amount), D(0), D(size), D(100), at_height(height), height)


A_DAY = (
    fill("a", "BUY", "1", "100", 1, fee=D("0.1")),
    fill("b", "BUY", "3", "120", 2, fee=D("0.3")),
    fill("c", "SELL", "2", "130", 3, fee=D("0.2")),
    fill("d", "SELL", "5", "125", 4, fee=D("0.5"), type="LIQUIDATED", order_id=None),
    fill("e", "BUY", "3", "119", 5, fee=D("-0.1")),
)


def test_a_life_tells_what_opened_and_closed_it_its_averages_and_its_parts() -> None:
    long, short = lives_of(*A_DAY)
    assert (long.opened_by, long.side, long.opened_at, long.opened_height) == ("a", "LONG", at_height(1), 1)
    assert (long.closed_by, long.closed_at, long.closed_height, long.closed_as) == ("d", at_height(4), 4, "LIQUIDATED")
    assert (long.max_size, long.entry_price, long.exit_price) == (D(4), D(115), D("127.5"))
    assert (long.realized, long.fees, long.fills, long.is_complete) == (D(50), D("0.8"), 4, True)
    assert (short.opened_by, short.side, short.max_size, short.entry_price) == ("d", "SHORT", D(3), D(125))
    assert (short.realized, short.fees, short.fills, short.closed_by) == (D(18), D("0.2"), 2, "e")
    assert short.held_for(at_height(99)) == timedelta(seconds=1)


def test_a_running_life_stands_last_and_has_no_end() -> None:
    first, running = lives_of(*A_DAY, fill("f", "SELL", "1", "118", 9))[-2:]
    assert (first.closed_by, running.closed_by, running.closed_at, running.exit_price) == ("e", None, None, None)
    assert running.held_for(at_height(19)) == timedelta(seconds=10)
    assert running.net is None
    assert lives_of() == ()


def test_a_life_has_what_the_journal_keeps_of_one() -> None:
    kept = PositionLife.__dataclass_fields__.keys()
    life = lives_of(*A_DAY)[0]
    assert PositionLife(**{name: getattr(life, name) for name in kept}).realized == D(50)


def test_a_life_that_began_before_the_known_fills_says_so() -> None:
    fills = Fills()
    ledgers = Ledgers(fills)
    ledgers.anchor(child(position("2", entry_price=D(90)), height=4), None)
    assert ledgers.lives(KEY) == ()
    fills.take((fill("a", "SELL", "1", "110", 5), fill("b", "SELL", "3", "100", 6, fee=D("0.3"))))
    began, flipped = ledgers.lives(KEY)
    assert (began.opened_by, began.opened_height, began.opened_at) == (None, None, at_height(5))
    assert (began.entry_price, began.realized, began.is_complete, began.max_size) == (D(90), D(30), False, D(2))
    assert (flipped.opened_by, flipped.fees, flipped.is_complete) == ("b", D("0.2"), True)


def test_a_life_whose_cost_nobody_told_has_no_entry_price() -> None:
    fills = Fills()
    ledgers = Ledgers(fills)
    ledgers.anchor(child(position("2", entry_price=None), height=4), None)
    fills.take((fill("a", "SELL", "2", "110", 5),))
    (began,) = ledgers.lives(KEY)
    assert (began.entry_price, began.exit_price, began.is_complete) == (None, D(110), False)


trades = st.lists(
    st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.integers(0, 40).map(lambda n: str(D(n).scaleb(-1))),
        st.integers(90, 110).map(str),
        st.integers(-9, 9).map(lambda n: D(n).scaleb(-2)),
    ),
    max_size=40,
)


@given(trades)
def test_lives_add_up_to_the_books(made: list[tuple[str, str, str, Decimal]]) -> None:
    rows = [fill(f"{n:03}", *trade[:3], n + 1, fee=trade[3]) for n, trade in enumerate(made)]
    book = Book(KEY)
    ended = book.take_all(rows)
    lives = [*ended, *([] if book.life is None else [book.life])]
    with localcontext(SUMS):
        assert sum((life.realized for life in lives), start=D(0)) == book.realized
        apart = sum((row.fee for n, row in enumerate(rows) if not row.size and not held_before(rows, n)), start=D(0))
        assert sum((life.fees for life in lives), start=apart) == book.fees
    assert [life.closed_by for life in ended].count(None) == 0
    for life in lives:
        assert life.max_size > 0
        assert life.opened_at <= life.held_for(at_height(99)) + life.opened_at
    assert [life.opened_by for life in lives] == sorted({str(life.opened_by) for life in lives})


def held_before(rows: list[Fill], place: int) -> Decimal:
    return sum((row.signed_size for row in rows[:place]), start=D(0))


@given(st.integers(0, 2**32))
def test_lives_fill_by_fill_are_those_of_all_fills_at_once(seed: int) -> None:
    """Additions, late ones, repetitions, and looks in between."""
    rng = random.Random(seed)
    fills, height = Fills(), 1
    ledgers = Ledgers(fills)
    for number in range(rng.randint(1, 40)):
        height += rng.randint(0, 2)
        at = height if rng.random() < 0.8 else rng.randint(1, height)
        side, size, price = rng.choice(["BUY", "SELL"]), str(rng.randint(0, 4)), str(rng.randint(90, 110))
        row = fill(f"f{number}", side, size, price, at, event_id=f"{at:08x}{number:016x}")
        ledgers.forget(fills.take((row,) * rng.randint(1, 2))[1])
        if rng.random() < 0.5:
            assert ledgers.lives(KEY) == lives_of(*fills)
    assert ledgers.lives(KEY) == lives_of(*fills)


def test_a_payment_belongs_to_the_life_that_its_block_left_open() -> None:
    """The long runs from block 1 to 4, where a fill through zero begins the short, which ends in block 5."""
    lives = lives_of(*A_DAY)
    payments = [payment("-1", 1), payment("-2", 3), payment("4", 4, "-3"), payment("8", 5, "-3")]
    long, short = funded(lives, payments, D(9))
    assert (long.funding, short.funding) == (D(-3), D(12))
    assert long.net == D("46.2")
    assert [life.funding for life in funded(lives, payments, None)] == [None, None]
    assert funded((), payments, D(9)) == ()


def test_what_moved_since_the_payments_were_read_is_the_newest_lifes() -> None:
    running = fill("f", "SELL", "1", "118", 9)
    long, short, newest = funded(lives_of(*A_DAY, running), [payment("-1", 2)], D("-1.5"))
    assert (long.funding, short.funding, newest.funding) == (D(-1), D(0), D("-0.5"))


@given(trades, st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 50), st.booleans()), max_size=8), st.integers())
def test_funding_of_lives_adds_up_to_what_belongs_to_them(
    made: list[tuple[str, str, str, Decimal]], paid: list[tuple[int, int, bool]], moved: int
) -> None:
    lives = lives_of(*(fill(f"{n:03}", *trade[:3], n + 1) for n, trade in enumerate(made)))
    payments = [payment(str(amount), height, "1" if is_long else "-1") for amount, height, is_long in paid]
    total = sum((p.payment for p in payments), start=D(moved))
    shared = funded(lives, payments, total)
    assert [replace(life, funding=None) for life in shared] == list(lives)
    inside = [p for p in payments if any(was_open(life, p.height) for life in lives)]
    if lives:
        sums = sum((life.funding or D(0) for life in shared), start=D(0))
        assert sums == sum((p.payment for p in inside), start=D(moved))


def was_open(life: Life, height: int) -> bool:
    return (life.opened_height or 0) <= height and (life.closed_height is None or height <= life.closed_height)


def test_the_console_tells_lives_with_their_funding() -> None:
    address = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
    state = ConsoleState(Watched(address))
    state.apply(AccountRead(address, 0, None, True, (child(height=5),), 0, 1.0, 1.0))
    state.apply(FillsRead(address, A_DAY, True, 1.0, 0))
    assert [life.funding for life in state.lives(KEY)] == [None, None]
    state.apply(FundingRead(address, (payment("-2", 3),), 1.0, 1.0))
    assert [life.funding for life in state.lives(KEY)] == [D(-2), D(0)]
    assert [booking.fill.id for booking in state.bookings(KEY)] == list("abcde")

"""What is derived from a journal: the same at once or piece by piece, in several runs, and after older fills came."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from builders import ADDRESS, START, at_height, fill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal.journal_help import running

from dydx_console.domain.events import FillsRead
from dydx_console.domain.flows import FundingPayment
from dydx_console.domain.ids import PositionKey
from dydx_console.engine import bookkeeping
from dydx_console.engine.bookkeeping import Bookkeeper, BookPace
from dydx_console.engine.recover import recall, resume
from dydx_console.journal.writer import Journal
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.journal import BookedFill, Cursor, FillBooking, HistoryQuery, PlacedFill, PositionLife
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.ledgers import Beginning
from dydx_console.state.pnl_days import Span

D = Decimal
KEYS = (PositionKey(0, "BTC-USD"), PositionKey(0, "ETH-USD"), PositionKey(128, "SOL-USD"))
WHOLE = Cursor("history/funding/0", START, is_complete=True)
OLDEST = HistoryQuery(oldest_first=True, limit=1_000)


def a_day(seed: int, count: int) -> tuple[list[PlacedFill], list[FundingPayment]]:
    """Return fills in chain order, and payments of positions in some of their blocks."""
    rng = random.Random(seed)
    height, fills, payments = 1, [], []
    for number in range(count):
        height += rng.choice([0, 0, 1, 2])
        key = rng.choice(KEYS)
        made = fill(
            f"f{rng.randint(0, 10**6):07}-{number}", rng.choice(["BUY", "SELL"]), str(rng.randint(1, 5)),
            str(rng.randint(90, 110)), height, market=key.market, subaccount=key.subaccount,
            created_at=at_height(height * 900), fee=D(rng.randint(-9, 9)).scaleb(-2),
        )  # fmt: skip
        fills.append(PlacedFill(made, number))
        if rng.random() < 0.4:
            at = rng.randint(max(height - 3, 1), height)
            payments.append(
                FundingPayment(
                    *key,
                    D(rng.randint(-99, 99)).scaleb(-2),
                    D(0),
                    D(rng.choice([-1, 1])),
                    D(1),
                    at_height(at * 900),
                    at,
                )
            )
    return fills, list({(paid.subaccount, paid.market, paid.height): paid for paid in payments}.values())


def state_of(fills: Sequence[PlacedFill], payments: Sequence[FundingPayment]) -> ConsoleState:
    state = ConsoleState(Watched(ADDRESS))
    state.apply(FillsRead(ADDRESS, tuple(placed.fill for placed in fills), True, 0.0, 0, len(fills)))
    state.funding.take_payments(payments)
    return state


def keeper(journal: Journal, **given: object) -> Bookkeeper:
    return Bookkeeper(journal, journal.history, ManualClock(utc=START), **given)  # type: ignore[arg-type]


async def derived(journal: Journal) -> tuple[list[BookedFill], list[PositionLife]]:
    booked = (await journal.history.booked_fills(OLDEST)).rows
    lives = (await journal.history.lives(OLDEST)).rows
    return sorted(booked, key=lambda row: row.fill.id), sorted(lives, key=str)


def expected(state: ConsoleState) -> tuple[list[BookedFill], list[PositionLife]]:
    """Return what the state makes of the same fills and payments, all of them in memory."""
    keys = state.ledger_keys()
    booked = [
        BookedFill(done.fill, done.closed_pnl, done.net_size, done.average_cost)
        for key in keys
        for done in state.bookings(key)
    ]
    names = PositionLife.__dataclass_fields__.keys()
    lives = [PositionLife(**{name: getattr(life, name) for name in names}) for key in keys for life in state.lives(key)]
    return sorted(booked, key=lambda row: row.fill.id), sorted(lives, key=str)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes and pages so small that a day has many."""
    for name, value in (("PAGE", 7), ("NOTE_EVERY", 10), ("NOTE_BEHIND", 15), ("MOST_LIVES", 3)):
        monkeypatch.setattr(bookkeeping, name, value)


@pytest.mark.usefixtures("small")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 90), runs=st.integers(1, 4), shuffled=st.booleans())
def test_piece_by_piece_in_several_runs_and_any_order_it_is_what_the_state_says(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, runs: int, shuffled: bool
) -> None:
    fills, payments = a_day(seed, count)
    pieces: list[object] = [*fills, *payments]
    rng = random.Random(seed)
    if shuffled:
        rng.shuffle(pieces)
    else:
        pieces.sort(key=lambda row: (row.fill if isinstance(row, PlacedFill) else row).created_at)  # type: ignore[attr-defined]
    root = tmp_path_factory.mktemp("journal")

    async def work() -> None:
        left = list(pieces)
        for number in range(runs):
            async with running(root) as journal:
                journal.write([WHOLE])
                books = keeper(journal)
                while left and (number == runs - 1 or rng.random() < 0.7):
                    part = [left.pop(0) for _ in range(min(rng.randint(1, 20), len(left)))]
                    journal.write(part)  # type: ignore[arg-type]
                    await journal.flush()
                    await books.catch_up()
        async with running(root) as journal:
            await keeper(journal).catch_up()
            assert await derived(journal) == expected(state_of(fills, payments))
            unbooked = await journal.history.unbooked()
            assert (unbooked.since, unbooked.payments) == (None, ())
            assert await keeper(journal).catch_up() is False

    asyncio.run(work())


async def test_funding_is_not_known_before_the_first_payment_that_is(tmp_path: Path) -> None:
    first, second = fill("a", "BUY", "1", "100", 1), fill("c", "BUY", "1", "100", 9)
    paid = FundingPayment(0, "BTC-USD", D("-0.5"), D(0), D(1), D(1), at_height(7), 7)
    late = FundingPayment(0, "BTC-USD", D("0.25"), D(0), D(1), D(1), at_height(12), 12)
    async with running(tmp_path) as journal:
        books = keeper(journal)
        journal.write([first, fill("b", "SELL", "1", "110", 8), second, paid])
        await journal.flush()
        await books.catch_up()
        journal.write([late])
        await journal.flush()
        await books.catch_up()
        assert [life.funding for life in (await journal.history.lives(OLDEST)).rows] == [None, D("0.25")]
        journal.write([WHOLE, FundingPayment(0, "BTC-USD", D(1), D(0), D(1), D(1), at_height(2), 2)])
        await journal.flush()
        await books.catch_up()
        assert [life.funding for life in (await journal.history.lives(OLDEST)).rows] == [D("0.5"), D("0.25")]


@pytest.mark.usefixtures("small")
async def test_deriving_anew_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    fills, payments = a_day(3, 60)
    async with running(tmp_path) as journal:
        journal.write([WHOLE, *fills[1:], *payments])
        await journal.flush()
        await keeper(journal).catch_up()
        journal.write([fills[0]])
        await journal.flush()
        books = keeper(journal)
        doing = asyncio.ensure_future(books.catch_up())
        async with asyncio.timeout(20):
            while bookkeeping.REDO not in (await journal.history.cursors()):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
    async with running(tmp_path) as journal:
        await keeper(journal).catch_up()
        assert await derived(journal) == expected(state_of(fills, payments))


async def test_positions_that_began_earlier_are_booked_so(tmp_path: Path) -> None:
    """Told by the state, several times in a row; what was noted stands in a run where nobody tells."""
    rows = [fill("a", "SELL", "1", "110", 1, entry_price_before=D(90)), fill("b", "SELL", "2", "100", 2)]
    told: dict[PositionKey, Beginning] = {KEYS[0]: Beginning(D(3), D(90))}
    calls = 0

    async def changed() -> None:
        nonlocal calls
        calls += 1

    async with running(tmp_path) as journal:
        journal.write(rows)
        await journal.flush()
        books = Bookkeeper(
            journal, journal.history, ManualClock(utc=START + timedelta(hours=1)), began=lambda: told, changed=changed,
            pace=BookPace(look_s=0.001, apart_s=0.0, share=0.0),
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(books.run())
            async with asyncio.timeout(20):
                while not calls:  # noqa: ASYNC110 - only this waits
                    await asyncio.sleep(0.005)
            task.cancel()
        (life,) = (await journal.history.lives(OLDEST)).rows
        assert life.realized == D(40)
        assert (life.opened_by, life.side, life.is_complete, life.closed_at) == (None, "LONG", False, at_height(2))
        assert calls >= 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("with_notes", [True, False])
@pytest.mark.parametrize("seed", range(4))
async def test_a_start_gives_the_state_the_whole_history(tmp_path: Path, seed: int, with_notes: bool) -> None:
    """Ledgers, day sums and spans after a start with the newest twenty fills are those of all fills."""
    fills, payments = a_day(seed, 120)
    whole = state_of(fills, payments)
    state = ConsoleState(Watched(ADDRESS), most_fills=20)
    async with running(tmp_path) as journal:
        journal.write([WHOLE, *payments])
        for first in range(0, len(fills), 30):
            journal.write(fills[first : first + 30])
            await journal.flush()
            if with_notes:
                await keeper(journal).catch_up()
        cursors = await journal.cursors()
        assert (bookkeeping.BOOKS in cursors) is with_notes
        known = await recall(journal.history, cursors, Watched(ADDRESS), UTC, most=20)
    assert len(known.fills) < 20
    resume(state, known, Watched(ADDRESS))
    state.apply(known.event(ADDRESS, 0.0))
    state.funding.take_payments(())
    assert len(state.fills) == len(fills)
    assert [state.ledger(key) for key in KEYS] == [whole.ledger(key) for key in KEYS]
    assert state.days.days() == whole.days.days()
    now = fills[-1].fill.created_at
    for span in Span:
        assert state.span(span, now, D(3)) == whole.span(span, now, D(3))
    old = tuple(placed.fill for placed in fills[:10])
    state.apply(FillsRead(ADDRESS, old, True, 0.0, 0, len(fills)))
    assert state.doubted == frozenset()


async def test_a_booking_of_a_row_that_knows_better_by_now_is_made_again(tmp_path: Path) -> None:
    row = fill("a", "BUY", "1", "100", 1)
    async with running(tmp_path) as journal:
        journal.write([row])
        await journal.flush()
        journal.write([PlacedFill(row, 4), FillBooking("a", None, None, D(0), D(1), D(100))])
        await journal.flush()
        assert (await journal.history.unbooked()).since == row.created_at
        await keeper(journal).catch_up()
        assert (await journal.history.unbooked()).since is None
        for again in (PlacedFill(row, 4), fill("a", "BUY", "1", "100", 1, event_id="e")):
            journal.write([again])
            await journal.flush()
            assert (await journal.history.unbooked()).since is None, again
        journal.write([fill("a", "BUY", "1", "100", 1, builder_fee=D("0.1"))])
        await journal.flush()
        assert (await journal.history.unbooked()).since == row.created_at

"""What is written comes back equal, is there once however often it was written, and whatever came first."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from builders import D, at_height, fill, position
from hypothesis import given
from hypothesis import strategies as st
from journal_help import contents, database, intent, life, note, payment, reward, rows_of, running, step, transfer

from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import Transfer
from dydx_console.domain.order import Order
from dydx_console.domain.position import Position
from dydx_console.journal.columns import Columns, micros, time_at
from dydx_console.journal.pending import Pending
from dydx_console.journal.schema import MIGRATIONS
from dydx_console.journal.statements import fact_statements
from dydx_console.ports.journal import (
    Cursor,
    EquityPoint,
    History,
    HistoryQuery,
    IntentState,
    JournalFact,
    JournalRejectedError,
    LivesForgotten,
    OrderNote,
    PlacedFill,
    PositionNote,
)

EVERYTHING = HistoryQuery(limit=10_000, oldest_first=True)

amounts = st.builds(lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(), st.integers(-60, 60))
times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts, int: st.integers(0, 2**62), bool: st.booleans(), Decimal: amounts, datetime: times,
}  # fmt: skip


def values_of(made: type[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for any value of a frozen class, by the types of its fields."""
    strategies = {}
    for name, hint in get_type_hints(made).items():
        kinds = get_args(hint)
        strategies[name] = st.none() | BY_TYPE[kinds[0]] if kinds else BY_TYPE[hint]
    return st.builds(made, **strategies)


@pytest.mark.parametrize("made", [Fill, Order, Position, Transfer, Cursor, EquityPoint])
def test_a_value_comes_back_from_its_row_to_the_last_digit_and_microsecond(made: type[Any]) -> None:
    columns = Columns(made)

    @given(values_of(made))
    def holds(value: Any) -> None:
        back = columns.decode(columns.encode(value))
        assert back == value
        assert repr(back) == repr(value), "not even trailing zeros differ"

    holds()


@given(times)
def test_times_are_whole_microseconds(at: datetime) -> None:
    assert time_at(micros(at)) == at
    elsewhere = at.replace(tzinfo=timezone(timedelta(hours=2)))
    assert micros(elsewhere) == micros(at) - 2 * 3600 * 10**6


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        micros(datetime(2026, 1, 1))  # noqa: DTZ001


async def test_every_kind_comes_back_equal(tmp_path: Path) -> None:
    order_id = "o-1"
    placed = PlacedFill(fill("f1", price="64000.10", event_id="00aa", order_id=order_id), 7)
    noted = note(order_id, good_til_block=90, updated_at=at_height(0), average_fill_price=D("1E+2"))
    held = held_position(D("-0.50"), 4)
    point = EquityPoint(0, at_height(9), 9, D("1000.000001"), None, D("-1"))
    fault = FaultCount(FaultKind.SERVER, FaultSource.REST, "/v4/fills", 3, at_height(1), "502")
    cursor = Cursor("fills/0", at_height(9), read=1, total=1, newest_id="f1", is_complete=True)
    async with running(tmp_path) as journal:
        journal.write([placed, noted, held, transfer(), payment(), reward(), life(), point, fault, cursor])
        await journal.record(intent(), step(1, bytes_hash="AB"), step(2, IntentState.UNKNOWN, text="no answer"))
        await journal.flush()
        history = journal.history
        assert (await history.fills(EVERYTHING)).rows == (placed,)
        record, hops = await history.order(order_id) or pytest.fail("the order is not there")
        assert record.order == noted.order
        assert (record.shown, record.placed_at, record.noted_at) == ("OPEN", at_height(0), noted.at)
        assert [(hop.at, hop.shown, hop.source, hop.good_til_block) for hop in hops] == [
            (noted.at, "OPEN", "STREAM", 90)
        ]
        assert await history.positions() == (held,)
        assert (await history.transfers(EVERYTHING)).rows == (transfer(),)
        assert (await history.funding(EVERYTHING)).rows == (payment(),)
        assert (await history.rewards(EVERYTHING)).rows == (reward(),)
        assert (await history.lives(EVERYTHING)).rows == (life(),)
        assert (await history.equity(EVERYTHING)).rows == (point,)
        assert await history.faults() == (fault,)
        assert await journal.cursors() == {"fills/0": cursor}
        (kept,) = await history.intents(only_open=True)
        assert (kept.intent, kept.state, kept.bytes_hash) == (intent(), IntentState.UNKNOWN, "AB")
        assert kept.steps == (step(1, bytes_hash="AB"), step(2, IntentState.UNKNOWN, text="no answer"))


# Any order, any number of times

IDS = ("a", "b", "c")


def whole_fill(number: int) -> Fill:
    return fill(f"f{number}", size=f"{number + 1}.0", height=number, order_id="o", builder_fee=D("0.010"),
                event_id=f"{number:024x}", client_metadata="0", position_size_before=D(number))  # fmt: skip


OPTIONAL = ("builder_fee", "event_id", "client_metadata", "position_size_before", "order_id")


@st.composite
def told_fills(draw: st.DrawFn) -> Fill:
    """A fill as one source tells it: some of what may be missing is missing."""
    left_out = draw(st.sets(st.sampled_from(OPTIONAL)))
    return replace(whole_fill(draw(st.integers(0, 5))), **dict.fromkeys(left_out))


@st.composite
def notes(draw: st.DrawFn) -> OrderNote:
    """A note of an order, the same for the same revision; later ones know more."""
    revision = draw(st.integers(1, 8))
    shown = ("PENDING", "OPEN", "OPEN", "CANCELING", "OPEN", "PARTIALLY_FILLED", "CANCELED", "CANCELED")[revision - 1]
    known = {} if revision < 3 else {"client_id": "17", "trigger_price": D("1.50")}
    return note(draw(st.sampled_from(IDS)), revision, shown, filled=D(revision // 4), **known)


@st.composite
def transfers(draw: st.DrawFn) -> Transfer:
    """A row of a transfer that REST and the stream tell in different words."""
    tx = draw(st.sampled_from(("h1", "h2")))
    if draw(st.booleans()):
        return transfer(f"id-{tx}-{draw(st.integers(1, 2))}", transaction_hash=tx, recipient_subaccount=0)
    return transfer(
        None, transaction_hash=tx, recipient_subaccount=draw(st.sampled_from((0, 128, 256))), size=D("10.5")
    )


def held_position(size: Decimal, revision: int) -> PositionNote:
    return PositionNote(position(str(size)), D("1.10"), D("-3"), None, D("0.00"), at_height(2), at_height(3), revision)


facts = (
    told_fills()
    | st.builds(PlacedFill, told_fills(), st.none()).map(lambda placed: replace(placed, place=placed.fill.height))
    | notes()
    | transfers()
    | st.integers(1, 3).map(payment)
    | st.integers(1, 3).map(reward)
    | st.integers(1, 3).map(life)
    | st.integers(1, 5).map(lambda number: held_position(D(number), number))
    | st.integers(1, 4).map(
        lambda count: FaultCount(FaultKind.TLS, FaultSource.GRPC, "n", count, at_height(count), "x")
    )
)


def rows_after(batches: list[list[JournalFact]]) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            for statement in migration.statements:
                connection.execute(statement)
        for batch in batches:
            pending = Pending()
            for fact in batch:
                pending.add(fact)
            for sql, rows in fact_statements(pending, run=1):
                connection.executemany(sql, rows)
        return rows_of(connection)


@given(st.lists(facts, max_size=25), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_gives_the_same_rows(listed: list[JournalFact], random: Any) -> None:
    again = [[fact] for fact in listed + random.sample(listed, len(listed) // 2)]
    random.shuffle(again)
    assert rows_after([listed]) == rows_after(again)


async def test_a_row_seen_again_is_completed_and_counts_once(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([replace(whole_fill(1), event_id=None), replace(whole_fill(1), builder_fee=None)])
        await journal.flush()
        journal.write([replace(whole_fill(1), builder_fee=None)])
        await journal.flush()
        assert (await journal.history.fills(EVERYTHING)).rows == (PlacedFill(whole_fill(1)),)
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 1


async def test_a_newer_note_decides_and_an_older_one_only_completes(tmp_path: Path) -> None:
    older = note("o", 1, "OPEN", removal_reason=None, client_id="17", good_til_block=10)
    newer = note("o", 2, "CANCELED", removal_reason="USER_CANCELED", price=None)
    async with running(tmp_path) as journal:
        for given_note in (newer, older):
            journal.write([given_note])
            await journal.flush()
        record, hops = await journal.history.order("o") or pytest.fail("the order is not there")
    assert (record.shown, record.order.removal_reason) == ("CANCELED", "USER_CANCELED")
    assert (record.order.price, record.order.client_id, record.order.good_til_block) == (D(100), "17", 10)
    assert [hop.shown for hop in hops] == ["OPEN", "CANCELED"]
    assert (record.placed_at, record.noted_at) == (older.at, newer.at)


async def test_notes_of_a_later_opening_are_newer_whatever_their_number(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([note("o", 900, "OPEN")])
    async with running(tmp_path) as journal:
        assert journal.recovery.run == 2
        journal.write([note("o", 1, "FILLED")])
        await journal.flush()
        record, hops = await journal.history.order("o") or pytest.fail("the order is not there")
    assert record.shown == "FILLED"
    assert [hop.shown for hop in hops] == ["OPEN", "FILLED"]


async def test_the_same_standing_told_again_is_one_hop(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([note("o", 1), note("o", 2), note("o", 3, filled=D("0.5")), note("o", 4, filled=D("0.5"))])
        await journal.flush()
        record, hops = await journal.history.order("o") or pytest.fail("the order is not there")
    assert (record.placed_at, record.noted_at) == (note("o", 1).at, note("o", 4).at)
    assert [(hop.filled, hop.height) for hop in hops] == [(D(0), 1), (D("0.5"), 3)]


async def test_a_transfer_of_stream_and_rest_is_listed_once(tmp_path: Path) -> None:
    streamed = [transfer(None, recipient_subaccount=child, size=D("10.5")) for child in (0, 128)]
    async with running(tmp_path) as journal:
        journal.write(streamed)
        await journal.flush()
        assert await journal.history.count(History.TRANSFERS, HistoryQuery()) == 2
        journal.write([transfer("r1")])
        await journal.flush()
        rows = (await journal.history.transfers(EVERYTHING)).rows
        assert [row.id for row in rows].count("r1") == 1
        assert len(rows) == 2, "the second one has no REST row yet"
        journal.write([transfer("r2")])
        await journal.flush()
        rows = (await journal.history.transfers(EVERYTHING)).rows
        assert {row.id for row in rows} == {"r1", "r2"}


async def test_lives_are_derived_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([life(1), life(2), life(3, market="ETH-USD")])
        await journal.flush()
        journal.write([life(9), LivesForgotten(0, "BTC-USD"), life(4)])
        await journal.flush()
        rows = (await journal.history.lives(EVERYTHING)).rows
    assert [(row.market, row.opened_by) for row in rows] == [("ETH-USD", "f3"), ("BTC-USD", "f4")]


async def test_counted_failures_are_bounded_and_the_last_ones_stay(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        for first in range(0, 2_400, 600):
            journal.write(
                FaultCount(FaultKind.SERVER, FaultSource.REST, f"/{n}", 1, at_height(n), "")
                for n in range(first, first + 600)
            )
            await journal.flush()
        faults = await journal.history.faults()
    assert [fault.endpoint for fault in faults] == [f"/{n}" for n in range(2_399, 399, -1)]


# Intents


async def test_an_intent_is_on_the_disk_when_recording_returns(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        await journal.record(intent())
        assert len(contents(database(tmp_path))["intents"]) == 1
        await journal.record(step(1))
        (row,) = contents(database(tmp_path))["intent_steps"]
        assert row[:3] == ("i", 1, "SIGNED")


async def test_intents_wait_for_the_disk_and_facts_do_not(tmp_path: Path) -> None:
    ran: list[str] = []

    class Connection(sqlite3.Connection):
        def execute(self, *given: Any) -> sqlite3.Cursor:
            ran.append(given[0])
            return super().execute(*given)

    async with running(tmp_path, factory=Connection) as journal:
        await journal.record(intent())
        journal.write([fill("f")])
        await journal.flush()
        await journal.record(step(1))
    transactions = ["BEGIN IMMEDIATE", "COMMIT"]
    full, normal = "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"
    begun = ran[ran.index(full) :]
    assert begun == [full, *transactions, normal, *transactions, full, *transactions]


@pytest.mark.parametrize("state", [state for state in IntentState if state.is_final])
async def test_a_settled_intent_is_no_longer_open(tmp_path: Path, state: IntentState) -> None:
    async with running(tmp_path) as journal:
        await journal.record(intent("a"), intent("b"))
        await journal.record(step(1, IntentState.SENT, "a"), step(2, state, "a"))
        assert [record.intent.id for record in await journal.history.intents(only_open=True)] == ["b"]
        every = {record.intent.id: record for record in await journal.history.intents(only_open=False)}
        assert (every["a"].state, every["a"].settled_at) == (state, step(2).at)


async def test_steps_may_come_in_any_order_and_twice(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        await journal.record(intent())
        for number in (3, 1, 3, 2):
            await journal.record(step(number, (IntentState.SIGNED, IntentState.SENT, IntentState.UNKNOWN)[number - 1]))
        (record,) = await journal.history.intents(only_open=True)
    assert record.state == IntentState.UNKNOWN
    assert [one.number for one in record.steps] == [1, 2, 3]


@pytest.mark.parametrize(
    "entries",
    [
        (step(1, intent_id="nobody"),),
        (intent("i", payload="another"),),
        (step(1, IntentState.SENT),),
        (intent("new"), step(1, intent_id="nobody")),
    ],
    ids=["step of no intent", "another intent of the same id", "another step of the same number", "all or nothing"],
)
async def test_an_entry_that_contradicts_is_refused_and_the_rest_goes_on(
    tmp_path: Path, entries: tuple[Any, ...]
) -> None:
    async with running(tmp_path) as journal:
        await journal.record(intent(), step(1))
        before = contents(database(tmp_path))
        good = intent("beside")
        refused, fine = await asyncio.gather(journal.record(*entries), journal.record(good), return_exceptions=True)
        assert isinstance(refused, JournalRejectedError)
        assert fine is None
        assert journal.status.is_on
        after = contents(database(tmp_path))
    assert len(after["intents"]) == len(before["intents"]) + 1
    assert after["intent_steps"] == before["intent_steps"]


async def test_what_no_journal_could_keep_is_left_out_and_named(tmp_path: Path) -> None:
    good = [fill(f"f{number}", height=number) for number in range(20)]
    bad: list[Any] = [fill("naive", created_at=datetime(2026, 1, 1)), fill("huge", subaccount=2**70)]  # noqa: DTZ001
    told = []
    async with running(tmp_path, on_change=told.append) as journal:
        journal.write([*good[:7], bad[0], *good[7:], bad[1], "nonsense"])  # type: ignore[list-item]
        await journal.flush()
        assert {row.fill.id for row in (await journal.history.fills(EVERYTHING)).rows} == {one.id for one in good}
        assert journal.status.is_on
        assert journal.status.rejected == 3
    assert [status.rejected for status in told] == [1, 2, 3]
    assert all(status.rejection for status in told)


async def test_amounts_are_text_in_the_file(tmp_path: Path) -> None:
    exact = "0.10000000000000000000000000000000000001"
    async with running(tmp_path) as journal:
        journal.write([fill("f", price=exact, size="1.10")])
    (row,) = contents(database(tmp_path))["fills"]
    assert {exact, "1.10"} <= set(row)

"""A journal filled for a command that ends: whole, resumable, beside a console, offline, and in nobody's folder."""

import asyncio
import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import ADDRESS
from venue.old_venue import START, OldVenue, at_block, fill, order, payment, reward, transfer

from dydx_console.domain.order import Order
from dydx_console.engine.control import ControlServer, control_path
from dydx_console.engine.history_once import history_once
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.relay import FETCH, progress_json
from dydx_console.journal.files import Place
from dydx_console.journal.writer import Journal, open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.history import FetchState, HistoryProgress, SourceProgress
from dydx_console.ports.journal import (
    Cursor,
    History,
    HistoryPort,
    HistoryQuery,
    JournalId,
    JournalUnavailableError,
    OrderNote,
)
from dydx_console.safety.networks import Network, kind_of
from dydx_console.venue.indexer.rest import RestLimits

CHAIN = "dydx-old-1"
IDENTITY = JournalId("old", CHAIN, ADDRESS)
PATIENT = RestLimits(try_s=20.0, whole_s=60.0, silence_s=20.0, first_delay_s=0.01, longest_delay_s=0.02)
WHOLE = HistoryQuery(limit=10_000)
ALL = (History.FILLS, History.ORDERS, History.TRANSFERS, History.FUNDING, History.REWARDS)


def plan_of(url: str, address: str | None = ADDRESS) -> LivePlan:
    network = Network("old", kind_of(CHAIN), CHAIN, url, "ws://127.0.0.1:1/v4/ws", ())
    return LivePlan(network, address, 0)


def some_past(count: int = 1_200) -> OldVenue:
    numbers = range(1, count + 1)
    return OldVenue(
        fills=[fill(number) for number in numbers],
        transfers=[transfer(number) for number in range(1, 31)],
        payments=[payment(number) for number in range(1, 41)],
        rewards=[reward(number) for number in range(1, 51)],
        orders=[
            order(number, time=at_block(number)) if number % 2 else order(number, block=number) for number in numbers
        ],
        height=count + 500,
    )


async def counted(history: HistoryPort) -> list[int]:
    return [await history.count(kind, HistoryQuery()) for kind in ALL]


async def filled(venue: OldVenue, root: Path | None, **options: Any) -> tuple[list[int], list[HistoryProgress]]:
    """Fill once; returns the numbers of rows, and all that was told."""
    told: list[HistoryProgress] = []
    with venue.served() as (url, _):
        async with history_once(plan_of(url), root, on_progress=told.append, limits=PATIENT, **options) as history:
            return await counted(history), told


async def test_everything_is_there_and_how_far_is_told(tmp_path: Path) -> None:
    counts, told = await filled(some_past(), tmp_path)
    assert counts == [1_200, 1_200, 30, 40, 50]
    assert told[-1].state is FetchState.DONE
    assert [source.kind for source in told[-1].sources] == list(ALL)
    assert all(source.is_complete and source.problem is None for source in told[-1].sources)
    assert told[0].state is FetchState.RUNNING
    assert [source.read for source in told[-1].sources] == counts


async def test_the_second_time_only_what_is_new_is_read(tmp_path: Path) -> None:
    venue = some_past()
    await filled(venue, tmp_path)
    first = len(venue.asked)
    venue.fills.append(fill(1_201))
    venue.height += 10
    counts, told = await filled(venue, tmp_path)
    assert counts == [1_201, 1_200, 30, 40, 50]
    assert len(venue.asked) - first < first
    assert told[-1].state is FetchState.DONE


async def test_a_live_run_goes_on_from_the_last_fill(tmp_path: Path) -> None:
    with some_past(50).served() as (url, _):
        async with history_once(plan_of(url), tmp_path, limits=PATIENT) as history:
            cursor = (await history.cursors())["fills/0"]
    assert (cursor.read, cursor.total, cursor.is_complete, cursor.newest_id) == (50, 50, True, "fill-000050")


async def test_lives_and_what_each_fill_did_are_derived(tmp_path: Path) -> None:
    past = some_past(20)
    past.fills[-1].update(side="SELL", size="19", price="110")
    with past.served() as (url, _):
        async with history_once(plan_of(url), tmp_path, kinds=(History.LIVES,), limits=PATIENT) as history:
            (life,) = (await history.lives(WHOLE)).rows
            last = (await history.booked_fills(HistoryQuery(limit=1))).rows[0]
    assert (life.fills, life.realized, life.closed_at) == (20, Decimal(190), at_block(20))
    assert (last.closed_pnl, last.net_size) == (Decimal(190), Decimal(0))


async def test_only_what_is_needed_is_read(tmp_path: Path) -> None:
    counts, _ = await filled(some_past(), tmp_path, kinds=(History.LIVES,))
    assert counts == [1_200, 0, 0, 40, 0]


async def test_what_came_before_it_was_cancelled_is_kept(tmp_path: Path) -> None:
    venue = some_past()
    reached = asyncio.Event()

    def told(progress: HistoryProgress) -> None:
        if progress.sources and progress.sources[1].read:
            reached.set()

    async def cut_off(url: str) -> None:
        async with history_once(plan_of(url), tmp_path, on_progress=told, limits=PATIENT):
            raise AssertionError("it was to be cancelled before")

    with venue.served() as (url, _):
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(cut_off(url))
            await reached.wait()
            running.cancel()
    assert running.cancelled()
    before = len(venue.asked)
    counts, told_then = await filled(venue, tmp_path)
    assert counts == [1_200, 1_200, 30, 40, 50]
    again = [path for path in venue.asked[before:] if "/fills/" in path]
    assert len(again) == 1
    assert told_then[-1].state is FetchState.DONE


async def test_without_a_folder_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    counts, _ = await filled(some_past(30), None)
    assert counts == [30, 30, 30, 40, 50]
    assert os.listdir(tmp_path) == []


async def test_an_unreachable_venue_leaves_what_the_journal_has(tmp_path: Path) -> None:
    await filled(some_past(30), tmp_path)
    told: list[HistoryProgress] = []
    async with history_once(plan_of("http://127.0.0.1:1"), tmp_path, on_progress=told.append) as history:
        assert await counted(history) == [30, 30, 30, 40, 50]
    assert told[-1].state is FetchState.FAILED
    assert told[-1].problem is not None
    assert told[-1].problem.startswith("127.0.0.1:1: ")
    assert [source.is_complete for source in told[-1].sources] == [False, True, True, True, True]


async def test_one_list_that_fails_does_not_keep_the_others_from_being_read(tmp_path: Path) -> None:
    venue = some_past(30)
    venue.replies = [None, *[(500, {}, '{"errors":[{"msg":"Internal Server Error"}]}')] * 3]
    counts, told = await filled(venue, tmp_path)
    assert counts == [0, 30, 30, 40, 50]
    assert told[-1].state is FetchState.FAILED
    assert told[-1].sources[0].problem is not None
    assert "Internal Server Error" in told[-1].sources[0].problem


async def test_the_begin_of_the_venues_memory_of_funding_is_named(tmp_path: Path) -> None:
    venue = some_past(30)
    old = START - timedelta(days=400)
    venue.fills[0]["createdAt"] = old.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    _, told = await filled(venue, tmp_path)
    funding = told[-1].sources[3]
    assert not funding.is_complete
    assert funding.problem == "the venue keeps funding payments since 2025-05-29 only"


async def test_a_history_needs_an_address(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailableError, match="none is given"):
        async with history_once(plan_of("http://127.0.0.1:1", None), tmp_path):
            raise AssertionError("there is none")


class Owned:
    """A journal that another part of this process owns, as another console would."""

    def __init__(self, journal: Journal, tasks: asyncio.TaskGroup) -> None:
        self.journal = journal
        self.running = tasks.create_task(journal.run())

    async def close(self) -> None:
        self.running.cancel()
        await self.journal.close()


def noted(status: str, shown: str, *, reason: str | None = None, number: int = 7) -> OrderNote:
    made = Order(
        id=f"order-{number:06}", subaccount=0, market="BTC-USD", side="BUY", status=status, removal_reason=reason,
        reason_source=None if reason is None else "VENUE", created_at=at_block(1),
    )  # fmt: skip
    return OrderNote(made, shown, at_block(2), 2, "STREAM", 5)


class TestOrdersKnownBefore:
    async def run(self, root: Path, *notes: OrderNote) -> OldVenue:
        """Have an earlier run note orders, and return a venue that lists them as cancelled."""
        journal = await open_journal(root, IDENTITY, SystemClock())
        async with asyncio.TaskGroup() as tasks:
            owned = Owned(journal, tasks)
            journal.write(notes)
            await journal.flush()
            await owned.close()
        return OldVenue(orders=[order(note_number(note), block=50) for note in notes], height=1_000)

    async def test_what_an_earlier_run_saw_to_its_end_keeps_its_reason_and_its_story(self, tmp_path: Path) -> None:
        venue = await self.run(tmp_path, noted("CANCELED", "CANCELLED", reason="USER_CANCELED"))
        with venue.served() as (url, _):
            async with history_once(plan_of(url), tmp_path, limits=PATIENT) as history:
                found = await history.order("order-000007")
        assert found is not None
        record, hops = found
        assert (record.order.removal_reason, record.order.reason_source) == ("USER_CANCELED", "VENUE")
        assert [hop.source for hop in hops] == ["STREAM"]

    async def test_what_ended_while_nobody_looked_has_ended(self, tmp_path: Path) -> None:
        venue = await self.run(tmp_path, noted("OPEN", "OPEN"))
        with venue.served() as (url, _):
            async with history_once(plan_of(url), tmp_path, limits=PATIENT) as history:
                found = await history.order("order-000007")
        assert found is not None
        record, hops = found
        assert (record.shown, record.order.created_at) == ("CANCELLED", at_block(1))
        assert [(hop.source, hop.shown) for hop in hops] == [("STREAM", "OPEN"), ("HISTORY", "CANCELLED")]

    async def test_an_older_page_never_stands_before_what_this_run_has_noted(self, tmp_path: Path) -> None:
        """The stream's note comes between the page and its commit."""
        await filled(OldVenue(orders=[order(7, block=50, status="OPEN")], height=10), tmp_path)
        journal = await open_journal(tmp_path, IDENTITY, SystemClock())
        async with asyncio.TaskGroup() as tasks:
            owned = Owned(journal, tasks)
            journal.write([noted("FILLED", "FILLED")])
            journal.write([replace(noted("OPEN", "OPEN"), source="HISTORY", revision=-(1 << 62))])
            await journal.flush()
            found = await journal.history.order("order-000007")
            await owned.close()
        assert found is not None
        assert found[0].shown == "FILLED"


def note_number(note: OrderNote) -> int:
    return int(note.order.id.rpartition("-")[2])


class TestOwnedByAnother:
    async def test_the_owner_is_asked_to_fetch_and_its_journal_read(self, tmp_path: Path) -> None:
        journal = await open_journal(tmp_path, IDENTITY, SystemClock())
        told: list[HistoryProgress] = []
        begun: list[bool] = []
        running = HistoryProgress(FetchState.RUNNING, (SourceProgress(History.ORDERS, 3, 9, at_block(3), False, "x"),))

        async def fetch(request: Any) -> Any:
            begun.append(request["begin"])
            return progress_json(running if len(begun) < 3 else replace(running, state=FetchState.DONE))

        async with asyncio.TaskGroup() as tasks:
            owned = Owned(journal, tasks)
            door = ControlServer(control_path(tmp_path, "old", ADDRESS), {FETCH: fetch})
            listening = tasks.create_task(door.run())
            journal.write([noted("OPEN", "OPEN")])
            await journal.flush()
            async with history_once(plan_of("http://127.0.0.1:1"), tmp_path, on_progress=told.append) as history:
                assert await history.count(History.ORDERS, HistoryQuery()) == 1
            listening.cancel()
            await owned.close()
        assert begun == [True, False, False]
        assert told == [running, running, replace(running, state=FetchState.DONE)]

    async def test_an_owner_that_does_not_answer_leaves_its_journal_to_be_read(self, tmp_path: Path) -> None:
        journal = await open_journal(tmp_path, IDENTITY, SystemClock())
        told: list[HistoryProgress] = []
        async with asyncio.TaskGroup() as tasks:
            owned = Owned(journal, tasks)
            journal.write([Cursor("fills/0", START, read=5, total=5, is_complete=True)])
            await journal.flush()
            async with history_once(plan_of("http://127.0.0.1:1"), tmp_path, on_progress=told.append) as history:
                assert await counted(history) == [0, 0, 0, 0, 0]
            await owned.close()
        assert told[-1].state is FetchState.FAILED
        assert told[-1].problem is not None
        assert told[-1].problem.endswith("this one can only read it, and that console does not fetch")
        assert told[-1].sources[0].is_complete


class TestAnotherChain:
    async def test_a_chain_that_stands_far_before_the_journal_is_not_mixed_into_it(self, tmp_path: Path) -> None:
        await filled(some_past(30), tmp_path)
        journal = await open_journal(tmp_path, IDENTITY, SystemClock())
        async with asyncio.TaskGroup() as tasks:
            owned = Owned(journal, tasks)
            journal.write([Cursor("height", START, newest_height=10_000_000, newest_at=START)])
            await journal.flush()
            await owned.close()
        counts, told = await filled(some_past(60), tmp_path)
        assert counts[0] == 30
        assert told[-1].state is FetchState.FAILED
        assert told[-1].problem is not None
        assert "the chain stands before the journal's newest block" in told[-1].problem


@pytest.mark.nightly
async def test_a_journal_that_cannot_be_written_is_told_and_what_there_is_can_be_read(tmp_path: Path) -> None:
    await filled(some_past(30), tmp_path)
    venue = some_past(60)
    told: list[HistoryProgress] = []
    with closing(sqlite3.connect(Place(tmp_path, IDENTITY).path(1), isolation_level=None)) as blocker:

        def locked(progress: HistoryProgress) -> None:
            told.append(progress)
            if not blocker.in_transaction and progress.state is FetchState.RUNNING:
                blocker.execute("BEGIN IMMEDIATE")

        with venue.served() as (url, _):
            async with history_once(plan_of(url), tmp_path, on_progress=locked, limits=PATIENT) as history:
                assert (await counted(history))[0] == 30
        blocker.execute("ROLLBACK")
    assert told[-1].state is FetchState.FAILED
    assert told[-1].problem is not None
    assert "database is locked" in told[-1].problem


async def test_a_journal_that_lost_what_was_read_is_not_told_that_it_has_it(tmp_path: Path) -> None:
    """As where its file was damaged while running, and begun anew: the next cursor would claim the pages before."""
    venue = some_past(2_500)
    told: list[HistoryProgress] = []

    def lost(progress: HistoryProgress) -> None:
        told.append(progress)
        if len([one for one in told if one.sources and one.sources[0].read]) == 1:
            with closing(sqlite3.connect(Place(tmp_path, IDENTITY).path(1), isolation_level=None)) as other:
                other.execute("DELETE FROM cursors")
                other.execute("DELETE FROM fills")

    with venue.served() as (url, _):
        async with history_once(plan_of(url), tmp_path, on_progress=lost, limits=PATIENT):
            pass
    assert told[-1].state is FetchState.FAILED
    assert told[-1].problem == "the journal did not keep all that was read; what it has is gone on from"
    counts, again = await filled(venue, tmp_path)
    assert counts[0] == 2_500
    assert again[-1].state is FetchState.DONE


async def test_rows_that_the_venue_lists_twice_count_once(tmp_path: Path) -> None:
    venue = some_past(600)
    venue.transfers += venue.transfers
    venue.payments += venue.payments
    venue.rewards = sorted(venue.rewards * 2, key=lambda row: int(row["createdAtHeight"]))
    venue.orders += venue.orders
    counts, told = await filled(venue, tmp_path)
    assert counts == [600, 600, 30, 40, 50]
    assert told[-1].state is FetchState.DONE

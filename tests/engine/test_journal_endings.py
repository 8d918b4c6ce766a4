"""An engine that is stopped before its journal is open lets go of it; an epoch that cannot be ended is ended later."""

import asyncio
import os
import sqlite3
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import ADDRESS, START, fill, version
from engine_help import child_on, is_live, notices, place_of, ports, rows, started, true_fills, until, wait_for
from venues import decision_for, engine_on, exchange, network_of

from dydx_console.domain.events import BlockHeight, FillsRead
from dydx_console.engine.child import SimChild, SimUrls
from dydx_console.engine.gate import Gate
from dydx_console.engine.owner import ANY_EPOCH, JournalKeeper, OwnerPace
from dydx_console.engine.plan import JournalPlan
from dydx_console.engine.publish import Publisher
from dydx_console.engine.recover import HEIGHT
from dydx_console.journal.files import OwnerLock, Place
from dydx_console.journal.writer import open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.journal import Cursor, JournalId, JournalOwnedError
from dydx_console.ports.mailbox import Mailbox
from dydx_console.safety.networks import Network, kind_of
from dydx_console.state.console import ConsoleState, Watched

CHAIN = "localdydxprotocol"
ME = JournalId("test", CHAIN, ADDRESS)
WATCHED = Watched(ADDRESS)
LONGEST_S = 30.0
LATER = START + timedelta(hours=1)


def connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def is_free(place: Place) -> bool | None:
    try:
        OwnerLock(place.folder).release()
    except JournalOwnedError:
        return None
    return True


def test_an_engine_that_is_stopped_while_its_journal_is_opened_lets_go_of_it(tmp_path: Path) -> None:
    with exchange("--history-hours", "0") as venue:
        place = place_of(tmp_path, venue)
        with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
            until(engine, lambda snapshot: snapshot.journal.mode == "KEPT")
        with closing(connected(place.path(1))) as other:
            other.execute("BEGIN IMMEDIATE")
            with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as stopped:
                wait_for(lambda: True if (place.folder / "lock").read_text() == f"{os.getpid()}\n" else None)
                shown = stopped.mailbox.latest()
                assert shown is None or shown.journal.mode != "KEPT"
            assert is_free(place) is None
            other.execute("ROLLBACK")
        assert wait_for(lambda: is_free(place))
        with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as after:
            until(after, lambda snapshot: snapshot.journal.mode == "KEPT" and is_live(snapshot))
            assert "belongs to" not in notices(after)


@contextmanager
def chain(numbers: list[int], seed: int) -> Iterator[SimUrls]:
    """Run an exchange from its first block, at the ports and under the name of any before."""
    rest, websocket, grpc = map(str, numbers)
    options = ("--seed", str(seed), "--block-ms", "30", "--history-hours", "0", "--chain-id", CHAIN)
    sim = SimChild((*options, "--port", rest, "--ws-port", websocket, "--grpc-port", grpc))
    try:
        yield sim.urls()
    finally:
        sim.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files acts differently elsewhere")
def test_a_chain_that_begins_anew_while_the_disk_is_full_has_its_epoch_when_there_is_room(tmp_path: Path) -> None:
    numbers = ports()
    with ExitStack() as chains:
        venue = chains.enter_context(chain(numbers, 7))
        with child_on(venue, tmp_path) as child:
            first = child.until(lambda told: told["mode"] == "KEPT" and told["state"] == "LIVE")["height"]
            before = child.until(lambda told: told["height"] > first + 300, 60.0)
            child.limit(4_096)
            ended = datetime.now(UTC)
            chains.close()
            chains.enter_context(chain(numbers, 8))
            shown = child.until(lambda told: (told["height"] or before["height"]) < before["height"], 60.0)
            live = child.until(lambda told: told["state"] == "LIVE" and told["fills"] > shown["fills"], 60.0)
            assert live["mode"] == "OFF"
            assert place_of(tmp_path, venue).epochs() == (1,)
            child.limit(-1)
            again = child.until(lambda told: told["mode"] == "KEPT", 60.0)
            child.until(lambda told: told["height"] >= again["height"] + 2)
            assert child.end() == 0
            due = true_fills(venue, again["height"])
    newest = rows(tmp_path, venue, "SELECT max(created_at) FROM fills")
    assert newest[0][0] <= ended.timestamp() * 1e6
    written = {row[0] for row in rows(tmp_path, venue, "SELECT id FROM fills", epoch=2)}
    assert due <= written
    assert place_of(tmp_path, venue).epochs() == (1, 2)


async def written(root: Path, newest_height: int, newest_at: datetime) -> None:
    """Write a fill and the newest block into a journal, as an earlier run."""
    journal = await open_journal(root, ME, SystemClock())
    await journal.cursors()
    journal.write([fill("old"), Cursor(HEIGHT, newest_at, newest_height=newest_height, newest_at=newest_at)])
    await journal.close()


@asynccontextmanager
async def overdue(root: Path, number: int) -> AsyncIterator[tuple[JournalKeeper, Publisher]]:
    """Yield a running keeper whose epoch is overdue, and the publisher that it listens to."""
    publisher = Publisher(ConsoleState(WATCHED), Mailbox(), SystemClock())
    gate = Gate(decision_for(Network("test", kind_of(CHAIN), CHAIN, "http://127.0.0.1:9", "ws://127.0.0.1:9", ())))
    plan, pace = JournalPlan(root, "watch"), OwnerPace(retry_s=0.02)
    keeper = JournalKeeper(plan, ME, publisher, WATCHED, gate, clock=SystemClock(), overdue=number, pace=pace)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(keeper.run()), tasks.create_task(publisher.run())]
            await keeper.recovered()
            yield keeper, publisher
            for task in running:
                task.cancel()
    finally:
        await keeper.close()


async def holds(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + LONGEST_S
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def kept(path: Path) -> set[str]:
    with closing(connected(path)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM fills")}


def begin_anew(publisher: Publisher) -> None:
    """Tell of the new chain's blocks and of a fill."""
    for height in (2, 3):
        publisher.take(BlockHeight(version(height), height, LATER + timedelta(seconds=height), 0.0))
    publisher.take(FillsRead(ADDRESS, (fill("new", height=3, created_at=LATER),), True, 0.0, 0, 1))


@pytest.mark.parametrize(
    ("number", "known", "at"),
    [(ANY_EPOCH, 5_000, START), (1, 5_000, START), (1, 1, START)],
    ids=["by its blocks", "by its number", "by its number alone"],
)
async def test_an_overdue_epoch_is_begun_when_the_disk_takes_it_and_nothing_is_written_before(
    tmp_path: Path, number: int, known: int, at: datetime
) -> None:
    await written(tmp_path, known, at)
    old, new = (Place(tmp_path, ME).path(epoch) for epoch in (1, 2))
    with closing(connected(old)) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON meta WHEN NEW.key = 'sealed' BEGIN SELECT RAISE(FAIL, 'no room'); END"
        )
        async with overdue(tmp_path, number) as (keeper, publisher):
            state = publisher.state
            assert len(state.fills) == 0
            begin_anew(publisher)
            await holds(lambda: state.journal.mode == "OFF")
            assert "no room" in (state.journal.text or "")
            # twice, so that the second try is known to have been refused as well
            await holds(lambda: state.journal.mode != "OFF")
            await holds(lambda: state.journal.mode == "OFF")
            assert keeper.overdue is not None
            assert not new.exists()
            assert kept(old) == {"old"}
            other.execute("DROP TRIGGER no")
            other.close()
            await holds(lambda: state.journal.mode == "KEPT" and keeper.overdue is None)
            assert [each.id for each in state.fills] == ["new"]
            await holds(lambda: kept(new) == {"new"})
            await holds(lambda: (state.journal.epoch, state.journal.fill_place, state.journal.waiting) == (2, 1, 0))
            assert "no room" in (state.journal.error or "")
            assert state.journal.text is None
    assert kept(old) == {"old"}
    assert stat.S_IMODE(old.stat().st_mode) == 0o400


@pytest.mark.parametrize("number", [ANY_EPOCH, 1])
async def test_an_overdue_epoch_that_another_console_has_begun_is_not_begun_again(tmp_path: Path, number: int) -> None:
    await written(tmp_path, 5_000, START)
    other = await open_journal(tmp_path, ME, SystemClock())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(other.run())
        await other.begin_epoch("the chain has begun anew")
        running.cancel()
    await other.close()
    async with overdue(tmp_path, number) as (keeper, publisher):
        begin_anew(publisher)
        await holds(lambda: keeper.overdue is None)
        await holds(lambda: kept(Place(tmp_path, ME).path(2)) == {"new"})
    assert Place(tmp_path, ME).epochs() == (1, 2)
    assert kept(Place(tmp_path, ME).path(1)) == {"old"}

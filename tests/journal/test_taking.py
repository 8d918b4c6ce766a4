"""Whoever gives up opening a journal owns it no longer, and not before its file is left alone."""

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from builders import START
from journal_help import ME, database, running

from dydx_console.journal.files import OwnerLock, Place
from dydx_console.journal.writer import Journal, open_journal
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.journal import JournalOwnedError

LONGEST_S = 10.0


async def until_free(root: Path) -> None:
    """Wait until nobody owns the journal."""
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            OwnerLock(Place(root, ME).folder).release()
            return
        except JournalOwnedError:
            assert time.monotonic() < deadline, "the lock stays held"
            await asyncio.sleep(0.01)


async def opened(root: Path, factory: type[sqlite3.Connection] = sqlite3.Connection) -> Journal:
    return await open_journal(root, ME, ManualClock(utc=START), factory=factory)


async def test_a_journal_that_is_given_up_while_it_is_opened_is_owned_until_its_file_is_left_alone(
    tmp_path: Path,
) -> None:
    async with running(tmp_path):
        pass
    place = Place(tmp_path, ME)
    with closing(sqlite3.connect(database(tmp_path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.ensure_future(opened(tmp_path))
        async with asyncio.timeout(LONGEST_S):
            while not (place.folder / "lock").read_text():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.005)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        with pytest.raises(JournalOwnedError):
            OwnerLock(place.folder)
        other.execute("ROLLBACK")
    await until_free(tmp_path)
    async with running(tmp_path) as journal:
        assert journal.recovery.epoch == 1


def test_one_that_is_given_up_while_it_is_connected_to_answers_no_loop_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, failed = threading.Event(), list[object]()
    monkeypatch.setattr(threading, "excepthook", failed.append)

    class Slow(sqlite3.Connection):
        def __init__(self, *given: object, **named: object) -> None:
            reached.set()
            time.sleep(0.2)
            super().__init__(*given, **named)  # type: ignore[arg-type]

    async def given_up() -> None:
        opening = asyncio.ensure_future(opened(tmp_path, Slow))
        assert await asyncio.to_thread(reached.wait, LONGEST_S)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    before = set(threading.enumerate())
    asyncio.run(given_up())
    for thread in set(threading.enumerate()) - before:
        thread.join(LONGEST_S)
        assert not thread.is_alive()
    assert failed == []


async def test_one_that_is_given_up_while_it_is_connected_to_leaves_leaves_no_connection(tmp_path: Path) -> None:
    reached, released = threading.Event(), threading.Event()

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *given: object) -> sqlite3.Cursor:  # type: ignore[override]
            if "trusted_schema" in sql:
                reached.set()
                assert released.wait(LONGEST_S)
            return super().execute(sql, *given)  # type: ignore[arg-type]

    before = set(threading.enumerate())
    opening = asyncio.ensure_future(opened(tmp_path, Slow))
    assert await asyncio.to_thread(reached.wait, LONGEST_S)
    opening.cancel()
    await asyncio.sleep(0)
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until_free(tmp_path)
    assert not list(database(tmp_path).parent.glob("*-wal"))
    for worker in set(threading.enumerate()) - before:
        if not worker.name.startswith("asyncio"):
            worker.join(LONGEST_S)
            assert not worker.is_alive(), worker


async def test_given_up_at_any_moment_it_can_be_opened_again(tmp_path: Path) -> None:
    Place(tmp_path, ME).make_folders()
    given_up = 0
    for moment in range(40):
        opening = asyncio.ensure_future(opened(tmp_path))
        await asyncio.sleep(moment / 4_000)
        opening.cancel()
        try:
            await (await opening).close()
        except asyncio.CancelledError:
            given_up += 1
        except JournalOwnedError:
            continue  # the attempt before had begun, but not yet come to the lock when it was looked at
        await until_free(tmp_path)
    assert given_up
    async with asyncio.timeout(LONGEST_S):
        while True:
            try:
                await (await opened(tmp_path)).close()
                break
            except JournalOwnedError:
                await asyncio.sleep(0.01)

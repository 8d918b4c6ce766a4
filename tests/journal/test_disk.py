"""When the disk says no: nothing is lost that was promised, intents are refused, and it goes on by itself."""

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import START, D, fill
from journal_help import check, contents, database, intent, note, running, step, until

from dydx_console.journal.writer import JournalLimits
from dydx_console.ports.journal import (
    Cursor,
    EquityPoint,
    History,
    HistoryQuery,
    JournalOffError,
    JournalStatus,
)

ROOT = Path(__file__).parent.parent.parent
FULL, IOERR, CORRUPT = sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT


class Trouble:
    """Which statements of the writing connections fail, and with which error."""

    def __init__(self, code: int = FULL) -> None:
        self.code = code
        self.at = -1
        self.while_on = False
        self.statements = 0

    def happens(self) -> bool:
        self.statements += 1
        return self.while_on or self.statements == self.at

    def error(self) -> sqlite3.Error:
        error = sqlite3.OperationalError("made by a test")
        error.sqlite_errorcode = self.code
        error.sqlite_errorname = "SQLITE_TEST"
        return error

    def connection(self) -> type[sqlite3.Connection]:
        trouble = self

        class Connection(sqlite3.Connection):
            def execute(self, *given: Any) -> sqlite3.Cursor:
                if trouble.happens():
                    raise trouble.error()
                return super().execute(*given)

            def executemany(self, *given: Any) -> sqlite3.Cursor:
                if trouble.happens():
                    raise trouble.error()
                return super().executemany(*given)

        return Connection


def batch(number: int) -> list[Any]:
    return [fill(f"f{number}", height=number), note(f"o{number}", number + 1), Cursor("fills", START, read=number + 1)]


async def day(root: Path, trouble: Trouble) -> tuple[set[str], list[JournalStatus]]:
    """Write for a while with trouble in between; returns the intents that were said to be kept, and what was told."""
    told: list[JournalStatus] = []
    kept = set()
    async with running(root, factory=trouble.connection(), on_change=told.append) as journal:
        for number in range(4):
            journal.write(batch(number))
            try:
                await journal.record(intent(f"i{number}"), step(1, intent_id=f"i{number}"))
                kept.add(f"i{number}")
            except JournalOffError:
                await until(lambda: journal.status.is_on)
        await until(lambda: journal.status.is_on)
        await journal.flush()
    return kept, told


@pytest.mark.parametrize("code", [FULL, IOERR])
async def test_a_failure_at_any_step_loses_nothing_that_was_promised(tmp_path: Path, code: int) -> None:
    smooth = Trouble()
    await day(tmp_path / "smooth", smooth)
    wanted = contents(database(tmp_path / "smooth"))
    # the pragmas of connecting come first; a failure there is one of opening
    for at in range(6, smooth.statements, 3):
        trouble = Trouble(code)
        trouble.at = at
        root = tmp_path / str(at)
        kept, told = await day(root, trouble)
        found = contents(database(root))
        for table in ("fills", "orders", "order_hops", "cursors"):
            assert found[table] == wanted[table], (at, table)
        assert kept <= {row[0] for row in found["intents"]}, at
        assert {row[0] for row in found["intent_steps"]} == {row[0] for row in found["intents"]}, "no half intent"
        assert check(database(root)) == "ok"
        assert [status.is_on for status in told] == [False, True], at
        assert not told[-1].must_read_again


async def test_while_the_disk_is_full_intents_are_refused_at_once_and_facts_wait(tmp_path: Path) -> None:
    trouble = Trouble()
    told: list[JournalStatus] = []
    async with running(tmp_path, factory=trouble.connection(), on_change=told.append) as journal:
        journal.write(batch(0))
        await journal.flush()
        trouble.while_on = True
        journal.write(batch(1))
        with pytest.raises(JournalOffError, match="the disk is full"):
            await journal.flush()
        assert journal.status.reason == "the disk is full"
        with pytest.raises(JournalOffError, match="the disk is full"):
            await journal.record(intent())
        with pytest.raises(JournalOffError):
            await journal.begin_epoch("no")
        statements = trouble.statements
        journal.write(batch(2))
        await until(lambda: trouble.statements > statements + 5)
        assert [status.is_on for status in told] == [False], "told once, however often it is tried"
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 1, "what is there can be read"
        trouble.while_on = False
        await until(lambda: journal.status.is_on)
        await journal.record(intent())
        await journal.flush()
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 3
        assert [status.is_on for status in told] == [False, True]


async def test_attempts_are_made_at_growing_distances(tmp_path: Path) -> None:
    trouble = Trouble()
    limits = JournalLimits(commit_s=0.001, first_delay_s=0.2, last_delay_s=100)
    async with running(tmp_path, factory=trouble.connection(), limits=limits) as journal:
        journal.write(batch(0))
        await journal.flush()
        trouble.while_on = True
        journal.write(batch(1))
        await until(lambda: not journal.status.is_on)
        began, tried = time.monotonic(), trouble.statements
        await until(lambda: trouble.statements >= tried + 2)
        attempts, elapsed_s = trouble.statements - tried, time.monotonic() - began
        assert sum(0.2 * 2**number for number in range(attempts)) <= elapsed_s + 0.05
        trouble.while_on = False


async def test_an_idle_journal_that_is_off_tries_a_write_before_it_says_on(tmp_path: Path) -> None:
    trouble = Trouble()
    async with running(tmp_path, factory=trouble.connection()) as journal:
        trouble.while_on = True
        with pytest.raises(JournalOffError):
            await journal.record(intent())
        statements = trouble.statements
        await until(lambda: trouble.statements > statements + 3)
        assert not journal.status.is_on
        trouble.while_on = False
        await until(lambda: journal.status.is_on)
        assert await journal.history.intents(only_open=False) == (), "a refused intent is not kept afterwards"


async def test_facts_beyond_the_bound_are_missed_and_the_cursors_say_from_where_to_read(tmp_path: Path) -> None:
    trouble = Trouble()
    told: list[JournalStatus] = []
    limits = JournalLimits(commit_s=0.001, most_waiting=20, first_delay_s=0.01, last_delay_s=0.02)
    async with running(tmp_path, factory=trouble.connection(), on_change=told.append, limits=limits) as journal:
        journal.write(batch(0))
        await journal.flush()
        trouble.while_on = True
        for number in range(1, 40):
            journal.write(batch(number))
            await asyncio.sleep(0)
        missed = journal.status.missed
        assert missed > 0
        assert missed % 2 == 0, "a call's facts are missed together"
        trouble.while_on = False
        await until(lambda: journal.status.is_on)
        assert told[-1].must_read_again
        assert told[-1].missed == missed
        journal.write([Cursor("fills", START, read=99), fill("after")])
        await journal.flush()
        begin = await journal.cursors()
        read = begin["fills"].read or 0
        assert await journal.history.count(History.FILLS, HistoryQuery()) == read + 1, (
            "the cursor claims no missed fill"
        )
        for number in range(read, 40):
            journal.write(batch(number))
            await journal.flush()
        assert (await journal.cursors())["fills"].read == 40
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 41
        assert not journal.status.must_read_again


async def test_facts_missed_while_the_cursors_are_asked_for_count(tmp_path: Path) -> None:
    limits = JournalLimits(commit_s=0.001, most_waiting=10, first_delay_s=0.01, last_delay_s=0.02)
    async with running(tmp_path, limits=limits) as journal:
        asked = asyncio.ensure_future(journal.cursors())
        await asyncio.sleep(0)
        for number in range(20):
            journal.write(batch(number))
        await asked
        assert journal.status.missed > 0
        await until(lambda: journal.status.is_on)
        journal.write([Cursor("fills", START, read=20)])
        await journal.flush()
        assert (await journal.cursors())["fills"].read == 5


async def test_an_epoch_that_cannot_be_begun_is_refused(tmp_path: Path) -> None:
    trouble = Trouble()
    async with running(tmp_path, factory=trouble.connection()) as journal:
        journal.write(batch(0))
        trouble.while_on = True
        with pytest.raises(JournalOffError, match="the disk is full"):
            await journal.begin_epoch("anew")
        trouble.while_on = False
        await until(lambda: journal.status.is_on)
        assert journal.recovery.epoch == 1
        assert (await journal.begin_epoch("anew")).epoch == 2


async def test_a_disk_that_does_not_keep_up_is_told_and_bounded(tmp_path: Path) -> None:
    told: list[JournalStatus] = []
    limits = JournalLimits(commit_s=0.001, most_waiting=10, first_delay_s=0.01, last_delay_s=0.02)
    async with running(tmp_path, on_change=told.append, limits=limits) as journal:
        for number in range(20):
            journal.write(batch(number))
        assert not journal.status.is_on
        await until(lambda: journal.status.is_on)
        assert [status.is_on for status in told] == [False, True]
        assert told[0].reason == "the disk does not keep up"
        assert told[-1].must_read_again
        assert (await journal.cursors())["fills"].read == 5
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 5


async def test_equity_points_are_thinned_before_anything_is_missed(tmp_path: Path) -> None:
    limits = JournalLimits(commit_s=0.001, most_waiting=20)
    async with running(tmp_path, limits=limits) as journal:
        for number in range(19):
            point = EquityPoint(0, START.replace(microsecond=number), number, D(1), None, None)
            journal.write([point, *([fill(f"f{number}")] if number % 3 == 0 else [])])
        assert journal.status.is_on
        await journal.flush()
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 7
        assert 5 <= await journal.history.count(History.EQUITY, HistoryQuery()) < 19


async def test_a_file_that_breaks_while_it_is_in_use_is_replaced_and_told(tmp_path: Path) -> None:
    trouble = Trouble(CORRUPT)
    told: list[JournalStatus] = []
    async with running(tmp_path, factory=trouble.connection(), on_change=told.append) as journal:
        journal.write(batch(0))
        await journal.flush()
        trouble.while_on = True
        with database(tmp_path).open("r+b") as file:
            file.write(b"no database any more")
        journal.write(batch(1))
        with pytest.raises(JournalOffError):
            await journal.flush()
        journal.write([Cursor("transfers", START, read=7)])
        trouble.while_on = False
        await until(lambda: journal.status.is_on)
        assert told[-1].recovery is not None
        assert told[-1].recovery.damaged is not None
        assert told[-1].must_read_again
        assert await journal.cursors() == {}, "the rows that the old cursor counts are not in the new file"
        assert [row.fill.id for row in (await journal.history.fills(HistoryQuery())).rows] == ["f1"]
        assert told[-1].recovery.run == 1, "the console's run goes on"
        journal.write(batch(0))
        await journal.flush()
        assert list(await journal.cursors()) == ["fills"]


async def test_closing_while_off_ends_at_once(tmp_path: Path) -> None:
    trouble = Trouble()
    limits = JournalLimits(commit_s=0.001, first_delay_s=100, last_delay_s=100)
    async with asyncio.timeout(10), running(tmp_path, factory=trouble.connection(), limits=limits) as journal:
        trouble.while_on = True
        journal.write(batch(0))
        await until(lambda: not journal.status.is_on)
    async with running(tmp_path) as journal:
        assert journal.recovery.damaged is None


async def test_a_commit_that_is_cut_off_by_the_end_is_made_by_closing(tmp_path: Path) -> None:
    for turns in range(12):
        root = tmp_path / str(turns)
        async with running(root, limits=JournalLimits(commit_s=0)) as journal:
            journal.write([fill(f"f{number}", height=number) for number in range(300)])
            recorded = asyncio.ensure_future(journal.record(intent()))
            for _ in range(turns):
                await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await recorded
        found = contents(database(root))
        assert (len(found["fills"]), len(found["intents"])) == (300, 1)


# Real disks

LIMITED = """
import asyncio, resource, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {here!r}]
from builders import fill
from journal_help import database, intent, running, until
from dydx_console.ports.journal import History, HistoryQuery, JournalOffError

async def main():
    root = Path(sys.argv[1])
    told = []
    async with running(root, on_change=told.append) as journal:
        journal.write([fill("first")])
        await journal.flush()
        {refuse}
        sent = 0
        while journal.status.is_on:
            journal.write([fill(f"f{{sent + n:06}}", height=sent + n) for n in range(500)])
            sent += 500
            try:
                await journal.flush()
            except JournalOffError:
                pass
        try:
            await journal.record(intent())
            raise SystemExit("an intent was taken")
        except JournalOffError as error:
            print("REASON", error, flush=True)
        before = await journal.history.count(History.FILLS, HistoryQuery())
        {allow}
        await until(lambda: journal.status.is_on)
        await journal.record(intent())
        await journal.flush()
        after = await journal.history.count(History.FILLS, HistoryQuery())
        print("COUNTS", before < sent + 1, after == sent + 1, [status.is_on for status in told], flush=True)
asyncio.run(main())
"""


def limited(root: Path, refuse: str, allow: str) -> str:
    script = LIMITED.format(
        tests=str(ROOT / "tests"), here=str(ROOT / "tests/journal"), refuse=refuse, allow=allow
    )  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", script, str(root)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_file_size_limit_of_the_system(tmp_path: Path) -> None:
    said = limited(
        tmp_path,
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
    )
    assert "REASON the journal is off: " in said
    assert "COUNTS True True [False, True]" in said
    assert check(database(tmp_path)) == "ok"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB; skipped where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "none", str(folder)]
    if shutil.which("mount") is None or os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("mounting a small disk needs more rights")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    said = limited(
        small_disk / "journal",
        f"Path({str(small_disk / 'ballast')!r}).write_bytes(bytes(1_500_000))",
        f"Path({str(small_disk / 'ballast')!r}).unlink()",
    )
    assert "REASON the journal is off: the disk is full" in said
    assert "COUNTS True True [False, True]" in said
    assert check(database(small_disk / "journal")) == "ok"


def test_the_limits_of_this_test_run_are_as_they_were() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

"""Opening a journal: whose it is, who may read it, what is damaged, newer, older, or of a chain that began anew."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC240 - nothing else runs on the loop while a test waits for files and children

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from builders import START, fill
from journal_help import ME, check, contents, database, intent, note, running

from dydx_console.journal.files import Place
from dydx_console.journal.opening import Opening
from dydx_console.journal.reader import open_reader
from dydx_console.journal.schema import MIGRATIONS, Migration
from dydx_console.journal.statements import FILL_COLUMNS
from dydx_console.journal.writer import open_journal
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.journal import (
    BookedFill,
    Cursor,
    History,
    HistoryQuery,
    JournalId,
    JournalMigrationError,
    JournalNewerError,
    JournalOffError,
    JournalOwnedError,
    JournalUnavailableError,
)

ROOT = Path(__file__).parent.parent.parent
KNOWN = MIGRATIONS[-1].number
NEXT = (*MIGRATIONS, Migration(KNOWN + 1, ("ALTER TABLE fills ADD COLUMN note TEXT", "CREATE TABLE extra (x INTEGER)")))
BROKEN = (*MIGRATIONS, Migration(KNOWN + 1, ("CREATE TABLE extra (x INTEGER)", "UPDATE fills SET nothing = 1")))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def filled(root: Path, count: int = 200) -> None:
    async with running(root) as journal:
        journal.write([fill(f"f{number:04}", height=number) for number in range(count)])
        journal.write([Cursor("fills/0", START, read=count)])
        await journal.record(intent())


# Owners


async def test_a_second_owner_is_told_who_the_first_is_and_may_read(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([fill("f")])
        await journal.flush()
        with pytest.raises(JournalOwnedError, match=str(os.getpid())) as caught:
            await open_journal(tmp_path, ME, ManualClock())
        assert caught.value.pid == os.getpid()
        reader = open_reader(Place(tmp_path, ME))
        assert await reader.count(History.FILLS, HistoryQuery()) == 1
        await reader.close()
    async with running(tmp_path) as journal:
        assert journal.recovery.run == 2


async def test_an_owner_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.journal.burst", str(tmp_path), "10"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(JournalOwnedError) as caught:
            await open_journal(tmp_path, ME, ManualClock())
        assert caught.value.pid == child.pid
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    async with running(tmp_path) as journal:
        assert journal.recovery.damaged is None


async def test_other_addresses_chains_and_networks_have_journals_of_their_own(tmp_path: Path) -> None:
    others = [ME._replace(address="dydx1other"), ME._replace(network="local"), ME._replace(network="../..")]
    async with running(tmp_path) as journal:
        journal.write([fill("mine")])
        await journal.flush()
        for other in others:
            async with running(tmp_path, other) as theirs:
                assert await theirs.history.count(History.FILLS, HistoryQuery()) == 0
    async with running(tmp_path, ME._replace(chain_id="dydx-testnet-5")) as theirs:
        assert await theirs.history.count(History.FILLS, HistoryQuery()) == 0
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert len(list(tmp_path.rglob("*.db"))) == 5


async def test_the_file_of_another_address_is_refused(tmp_path: Path) -> None:
    await filled(tmp_path)
    other = ME._replace(address="dydx1other")
    place = Place(tmp_path, other)
    place.make_folders()
    os.rename(database(tmp_path), place.path(1))
    with pytest.raises(JournalUnavailableError, match=ME.address):
        await open_journal(tmp_path, other, ManualClock())
    assert contents(place.path(1))["fills"]


# Who may read


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_only_the_owner_can_read_whatever_the_umask(tmp_path: Path, umask: str) -> None:
    root = tmp_path / "journal"
    command = f"umask {umask}; exec {sys.executable} -m tests.journal.burst {root} 50"
    child = subprocess.Popen(["sh", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        found = {path.name.rpartition(".db")[2] or path.name: mode(path) for path in root.rglob("*") if path.is_file()}
        assert {"-wal", "-shm", "lock"} <= set(found)
        assert set(found.values()) == {0o600}
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        assert [mode(folder) for folder in folders] == [0o700] * 3
    finally:
        child.kill()
        child.communicate()


async def test_wide_modes_are_narrowed(tmp_path: Path) -> None:
    await filled(tmp_path)
    path = database(tmp_path)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    async with running(tmp_path):
        assert (mode(path), mode(path.parent)) == (0o600, 0o700)


# Damage

Damage = Callable[[Path], None]


def cut(size: int) -> Damage:
    def damage(path: Path) -> None:
        os.truncate(path, size if size >= 0 else path.stat().st_size + size)

    return damage


def over(offset: int, data: bytes) -> Damage:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return damage


def replaced(data: bytes) -> Damage:
    def damage(path: Path) -> None:
        path.write_bytes(data)

    return damage


def emptied_of_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE meta")


def others(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id=1")


def removed(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"left alone")
    path.unlink()


DAMAGES: dict[str, Damage] = {
    "empty": cut(0),
    "cut in the header": cut(50),
    "cut in the middle": cut(9_000),
    "last page cut": cut(-4_096),
    "text": replaced(b"hello\n" * 2_000),
    "zeros": replaced(bytes(40_960)),
    "magic flipped": over(3, b"\x00"),
    "page size flipped": over(16, b"\x03"),
    "page of zeros": over(4_096 * 40, bytes(4_096)),
    "page of noise": over(4_096 * 30, os.urandom(64) * 64),
    "tables gone": emptied_of_tables,
    "of another program": others,
    "main file gone": removed,
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_file_is_kept_aside_and_a_new_one_begins(tmp_path: Path, name: str) -> None:
    await filled(tmp_path, 2_000)
    path = database(tmp_path)
    DAMAGES[name](path)
    left = path.read_bytes() if path.exists() else None
    async with running(tmp_path) as journal:
        recovery = journal.recovery
        assert recovery.is_new
        assert recovery.damaged is not None
        assert recovery.damage
        if left is not None:
            assert recovery.damaged.read_bytes() == left
        assert recovery.damaged.name == f"{path.name}.damaged-20261121T000000Z"
        (sentence,) = recovery.sentences
        assert str(recovery.damaged) in sentence
        assert await journal.cursors() == {}
        journal.write([fill("f")])
        await journal.flush()
    assert check(path) == "ok"
    async with running(tmp_path) as journal:
        assert not journal.recovery.sentences
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 1


async def test_the_log_of_a_damaged_file_goes_with_it_and_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.journal.burst", str(tmp_path), "100", "--die"]
    subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
    path = database(tmp_path)
    log = Path(f"{path}-wal").read_bytes()
    assert len(log) > 10_000
    path.write_bytes(b"no database")
    async with running(tmp_path) as journal:
        assert journal.recovery.damaged is not None
        assert Path(f"{journal.recovery.damaged}-wal").read_bytes() == log
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 0
    assert check(path) == "ok"


async def test_damaged_files_never_take_each_others_place(tmp_path: Path) -> None:
    for _ in range(3):
        await filled(tmp_path, 5)
        database(tmp_path).write_bytes(b"no database")
    async with running(tmp_path):
        pass
    assert len(list(database(tmp_path).parent.glob("*.damaged-*"))) == 3


async def test_a_log_that_is_cut_anywhere_loses_rows_only_together_with_their_cursors(tmp_path: Path) -> None:
    """As a power failure leaves it: the end of the log did not reach the disk."""
    source = tmp_path / "source"
    async with running(source) as journal:
        for number in range(20):
            journal.write([fill(f"f{number}", height=number), Cursor("fills/0", START, read=number + 1)])
            await journal.flush()
        log = Path(f"{database(source)}-wal").read_bytes()
        main = database(source).read_bytes()
    counts = set()
    for size in range(0, len(log), len(log) // 12):
        root = tmp_path / str(size)
        Place(root, ME).make_folders()
        database(root).write_bytes(main)
        Path(f"{database(root)}-wal").write_bytes(log[:size])
        async with running(root) as journal:
            assert journal.recovery.damaged is None
            cursor = (await journal.cursors()).get("fills/0")
            count = await journal.history.count(History.FILLS, HistoryQuery())
            assert count == (0 if cursor is None else cursor.read)
            counts.add(count)
    assert len(counts) > 5


async def test_bits_flipped_anywhere_never_end_in_anything_but_a_journal_or_a_reason(tmp_path: Path) -> None:
    await filled(tmp_path / "whole", 300)
    whole = database(tmp_path / "whole").read_bytes()
    ends = set()
    for turn in range(60):
        root = tmp_path / str(turn)
        Place(root, ME).make_folders()
        flipped = bytearray(whole)
        flipped[(turn * 7_919) % len(whole) if turn > 25 else turn * 4] ^= 1 << (turn % 8)
        database(root).write_bytes(flipped)
        try:
            async with running(root) as journal:
                found = await journal.history.count(History.FILLS, HistoryQuery())
                assert found == (0 if journal.recovery.is_new else 300)
                ends.add("new" if journal.recovery.is_new else "whole")
        except (JournalNewerError, JournalUnavailableError):
            assert database(root).read_bytes() == flipped
            ends.add("refused")
    assert {"new", "whole"} <= ends


async def test_a_start_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    place = Place(tmp_path, ME)
    place.make_folders()
    Path(f"{place.path(1)}.new").write_bytes(b"half")
    async with running(tmp_path) as journal:
        assert journal.recovery.is_new
        assert journal.recovery.damaged is None
    assert {path.name for path in place.folder.iterdir()} == {"lock", place.path(1).name}


async def test_a_folder_that_cannot_be_made_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalUnavailableError, match="folder"):
        await open_journal(tmp_path / "file" / "journal", ME, ManualClock())


async def test_what_cannot_be_opened_is_not_taken_for_damaged(tmp_path: Path) -> None:
    place = Place(tmp_path, ME)
    place.make_folders()
    place.path(1).mkdir()
    with pytest.raises(JournalUnavailableError, match="directory"):
        await open_journal(tmp_path, ME, ManualClock())
    assert place.path(1).is_dir()


# Schemas


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path, migrations=NEXT):
        pass
    before = database(tmp_path).read_bytes()
    with pytest.raises(JournalNewerError, match=f"schema {KNOWN + 1}") as caught:
        await open_journal(tmp_path, ME, ManualClock())
    assert (caught.value.found, caught.value.known) == (KNOWN + 1, KNOWN)
    assert database(tmp_path).read_bytes() == before
    assert not list(tmp_path.rglob("*.damaged-*"))


async def test_an_older_schema_is_copied_and_brought_up_to_date(tmp_path: Path) -> None:
    await filled(tmp_path)
    before = contents(database(tmp_path))
    async with running(tmp_path, migrations=NEXT) as journal:
        recovery = journal.recovery
        assert recovery.migrated_from == KNOWN
        assert not recovery.is_new
        assert recovery.backup is not None
        (sentence,) = recovery.sentences
        assert str(recovery.backup) in sentence
        assert mode(recovery.backup) == 0o600
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 200
    assert contents(recovery.backup) == before
    assert check(recovery.backup) == "ok"
    assert "extra" in contents(database(tmp_path))
    async with running(tmp_path, migrations=NEXT) as journal:
        assert journal.recovery.migrated_from is None


async def test_a_journal_of_the_first_schema_goes_on_as_it_is_and_is_booked_afresh(tmp_path: Path) -> None:
    place = Place(tmp_path, ME)
    place.make_folders()
    recovery = Opening(place, ManualClock(utc=START), MIGRATIONS[:1]).open()
    with closing(sqlite3.connect(recovery.path)) as connection:
        row = (*FILL_COLUMNS.encode(fill("old", event_id="e")), 7)
        names = ", ".join((*FILL_COLUMNS, "place"))
        connection.execute(f"INSERT INTO fills ({names}) VALUES ({', '.join('?' * len(row))})", row)
        connection.commit()
    before = contents(recovery.path)
    async with running(tmp_path) as journal:
        assert journal.recovery.migrated_from == 1
        assert journal.recovery.backup is not None
        assert contents(journal.recovery.backup) == before
        page = await journal.history.booked_fills(HistoryQuery())
        assert page.rows == (BookedFill(fill("old", event_id="e")),)
        assert (await journal.history.unbooked()).since == fill("old").created_at


async def test_what_only_the_log_has_is_in_the_copy(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.journal.burst", str(tmp_path), "100", "--die"]
    child = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
    assert child.returncode == -signal.SIGKILL
    assert Path(f"{database(tmp_path)}-wal").stat().st_size > 0
    async with running(tmp_path, migrations=NEXT) as journal:
        assert journal.recovery.backup is not None
        assert len(contents(journal.recovery.backup)["fills"]) == 100


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    await filled(tmp_path)
    before = contents(database(tmp_path))
    with pytest.raises(JournalMigrationError, match="unchanged") as caught:
        await open_journal(tmp_path, ME, ManualClock(utc=START), migrations=BROKEN)
    assert caught.value.backup is not None
    assert contents(caught.value.backup) == before
    assert contents(database(tmp_path)) == before
    async with running(tmp_path) as journal:
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 200


async def test_without_room_for_a_copy_there_is_no_upgrade(tmp_path: Path) -> None:
    await filled(tmp_path, 2_000)
    before = contents(database(tmp_path))
    script = f"""
import asyncio, resource, sys
from pathlib import Path
sys.path[:0] = [{str(ROOT / "tests")!r}, {str(ROOT / "tests/journal")!r}]
from test_opening import ME, NEXT, ManualClock, open_journal
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    asyncio.run(open_journal(Path({str(tmp_path)!r}), ME, ManualClock(), migrations=NEXT))
except Exception as error:
    print(type(error).__name__, error.backup)
"""
    child = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.stdout == "JournalMigrationError None\n", child.stderr
    assert contents(database(tmp_path)) == before
    assert not list(tmp_path.rglob(f"*.schema{KNOWN}-*"))


async def test_a_migration_killed_in_its_middle_is_made_again(tmp_path: Path) -> None:
    await filled(tmp_path)
    forever = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    script = f"""
import asyncio
from pathlib import Path
from dydx_console.journal.schema import MIGRATIONS, Migration
from dydx_console.journal.writer import open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.journal import JournalId
slow = (*MIGRATIONS, Migration({KNOWN + 1}, ("CREATE TABLE extra (x INTEGER)", "DELETE FROM fills", "{forever}")))
asyncio.run(open_journal(Path({str(tmp_path)!r}), JournalId(*{tuple(ME)!r}), SystemClock(), migrations=slow))
"""
    child = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    folder = database(tmp_path).parent
    async with asyncio.timeout(30):
        while not list(folder.glob(f"*.schema{KNOWN}-*")):  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    child.kill()
    child.wait()
    assert len(contents(database(tmp_path))["fills"]) == 200
    async with running(tmp_path, migrations=NEXT) as journal:
        assert journal.recovery.migrated_from == KNOWN


# Chains that began anew


async def test_a_new_epoch_begins_a_file_and_keeps_the_old_one_for_reading(tmp_path: Path) -> None:
    old, new = database(tmp_path), database(tmp_path, epoch=2)
    async with running(tmp_path) as journal:
        journal.write([fill("old"), Cursor("fills/0", START, read=1)])
        recovery = await journal.begin_epoch("height 5 after height 41000000")
        assert (recovery.epoch, recovery.path, recovery.is_new) == (2, new, True)
        assert await journal.cursors() == {}
        journal.write([fill("new"), Cursor("fills/0", START, read=1)])
        await journal.flush()
        await journal.record(intent())
        assert [row.fill.id for row in (await journal.history.fills(HistoryQuery())).rows] == ["new"]
        assert list(await journal.cursors()) == ["fills/0"]
        assert mode(old) == 0o400
        assert "height 5" in dict(contents(old)["meta"])["sealed"]
        reader = open_reader(Place(tmp_path, ME), epoch=1)
        assert [row.fill.id for row in (await reader.fills(HistoryQuery())).rows] == ["old"]
        await reader.close()
        assert not Path(f"{old}-wal").exists()
    async with running(tmp_path) as journal:
        assert journal.recovery.epoch == 2
        assert not journal.recovery.is_new
    with (
        pytest.raises(sqlite3.OperationalError, match="readonly"),
        closing(sqlite3.connect(f"{old.as_uri()}?mode=ro", uri=True)) as connection,
    ):
        connection.execute("DELETE FROM fills")


async def test_an_epoch_that_was_sealed_before_a_crash_is_followed_by_the_next(tmp_path: Path) -> None:
    await filled(tmp_path)
    with closing(sqlite3.connect(database(tmp_path))) as connection:
        connection.execute("INSERT INTO meta VALUES ('sealed', 'now')")
        connection.commit()
    async with running(tmp_path) as journal:
        assert journal.recovery.epoch == 2
    assert mode(database(tmp_path)) == 0o400


async def test_an_old_epoch_that_someone_reads_is_made_read_only_later(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([fill("old")])
        await journal.flush()
        reader = open_reader(Place(tmp_path, ME))
        assert await reader.count(History.FILLS, HistoryQuery()) == 1
        assert (await journal.begin_epoch("again")).epoch == 2
        assert mode(database(tmp_path)) == 0o600
        assert await reader.count(History.FILLS, HistoryQuery()) == 1
        await reader.close()
    async with running(tmp_path):
        assert mode(database(tmp_path)) == 0o400


async def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        pass
    journal.write([note()])
    with pytest.raises(JournalOffError, match="closed"):
        await journal.record(intent())
    await journal.close()
    assert contents(database(tmp_path))["orders"] == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "x" * 60, "Ünïcode", "%2F", "a b"])
def test_no_name_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    place = Place(tmp_path, JournalId(name, name, name))
    place.make_folders()
    assert place.folder.parent.parent == tmp_path
    assert place.path(1).parent == place.folder
    assert place.folder.resolve().is_relative_to(tmp_path.resolve())
    assert place.folder.resolve() != tmp_path.resolve()

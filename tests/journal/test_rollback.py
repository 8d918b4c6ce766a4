"""The commands of docs/rollback.md lead back to an older version, and forward again."""

# ruff: noqa: ASYNC240 - nothing else runs on the loop while a test waits for files and children

import re
import stat
import subprocess
from pathlib import Path

import pytest
from builders import fill
from journal_help import contents, database, intent, running

from dydx_console.journal.schema import MIGRATIONS, Migration
from dydx_console.ports.journal import History, HistoryQuery, JournalNewerError

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "rollback.md"
KNOWN = MIGRATIONS[-1].number
NEXT = (*MIGRATIONS, Migration(KNOWN + 1, ("ALTER TABLE fills ADD COLUMN note TEXT",)))


def commands() -> list[str]:
    """Return the document's shell blocks, without the indentation of the list that they stand in."""
    found = re.findall(r"^( *)```sh\n(.*?)^ *```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def run(script: str, path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "FOLDER": str(path.parent), "NAME": path.name, "SCHEMA": str(KNOWN)}
    done = subprocess.run(["sh", "-eu", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def upgraded(root: Path) -> None:
    async with running(root) as journal:
        journal.write([fill("before")])
        await journal.record(intent())
    async with running(root, migrations=NEXT) as journal:
        assert journal.recovery.migrated_from == KNOWN
        journal.write([fill("since")])


async def count(root: Path, **given: object) -> int:
    async with running(root, **given) as journal:
        return await journal.history.count(History.FILLS, HistoryQuery())


async def test_back_to_the_older_version_and_on_with_it(tmp_path: Path) -> None:
    path = database(tmp_path)
    await upgraded(tmp_path)
    with pytest.raises(JournalNewerError, match="rollback"):
        await count(tmp_path)
    away, back, _ = commands()
    run(away, path)
    run(back, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await count(tmp_path) == 1
    assert len(contents(path)["intents"]) == 1
    async with running(tmp_path) as journal:
        journal.write([fill("since"), fill("older version")])
    assert await count(tmp_path, migrations=NEXT) == 3, "and the newer version takes it up from there"


async def test_forward_again_to_what_was_put_away(tmp_path: Path) -> None:
    path = database(tmp_path)
    await upgraded(tmp_path)
    away, back, forward = commands()
    run(away, path)
    run(back, path)
    assert await count(tmp_path) == 1
    run(forward, path)
    assert await count(tmp_path, migrations=NEXT) == 2
    assert not (path.parent / "newer").exists()


async def test_a_log_that_was_left_by_a_crash_goes_with_its_journal(tmp_path: Path) -> None:
    path = database(tmp_path)
    await upgraded(tmp_path)
    Path(f"{path}-wal").write_bytes(b"of the newer one")
    away, back, _ = commands()
    run(away, path)
    run(back, path)
    assert (path.parent / "newer" / f"{path.name}-wal").exists()
    assert await count(tmp_path) == 1


async def test_of_several_copies_the_newest_of_the_schema_is_taken(tmp_path: Path) -> None:
    path = database(tmp_path)
    await upgraded(tmp_path)
    (path.parent / f"{path.name}.schema{KNOWN}-20250101T000000Z").write_bytes(b"an old copy")
    (path.parent / f"{path.name}.schema{KNOWN + 2}-20300101T000000Z").write_bytes(b"another schema")
    away, back, _ = commands()
    run(away, path)
    run(back, path)
    assert await count(tmp_path) == 1

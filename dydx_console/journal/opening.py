"""Opening is recovery: whatever lies on the disk, what comes out is a whole journal of this schema, or a reason.

The order: check, move aside what is damaged, refuse what is newer, bring up to date what is older, begin what is
missing. Nothing here waits for anyone but the disk; it is run in a thread of its own.
"""

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dydx_console.journal.files import COMPANIONS, Place, begin_file, move_aside, stamped, sync_folder
from dydx_console.journal.schema import APPLICATION_ID, MIGRATIONS, OLDEST_SQLITE, Migration
from dydx_console.ports.clock import Clock
from dydx_console.ports.journal import (
    JournalId,
    JournalMigrationError,
    JournalNewerError,
    JournalUnavailableError,
    Recovery,
)

__all__ = ["BUSY_S", "Opening", "is_damage", "reason_of", "uri_of"]

BUSY_S = 5.0
"""How long a statement waits for another connection's lock."""

SEALED_MODE = 0o400
_MAGIC = b"SQLite format 3\x00"
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_SHORT_READ = 522
"""SQLITE_IOERR_SHORT_READ: a file that ends before its header says."""

log = logging.getLogger(__name__)


class DamagedError(Exception):
    """The file is no whole journal; the message says how it shows."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a whole file says of itself."""

    schema: int
    is_sealed: bool


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file itself is broken, not the disk or its permissions."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in _DAMAGE or code == _SHORT_READ)


def reason_of(error: Exception) -> str:
    """Return an error of the disk or of SQLite in one line."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
        return "the disk is full"
    text = " ".join(str(error).split()) or type(error).__name__
    name = getattr(error, "sqlite_errorname", None)
    return text if name is None else f"{text} ({name})"


def uri_of(path: Path, mode: str) -> str:
    """Return the address of a file for SQLite; `mode` is rw or ro, and neither makes a file."""
    return f"{path.absolute().as_uri()}?mode={mode}"


class Opening:
    """Opens the files of one place.

    Args:
        place: where they lie; its owner calls this.
        clock: stamps what is moved aside or copied.
        migrations: the schema's history; other ones for tests.
    """

    def __init__(self, place: Place, clock: Clock, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self._place = place
        self._clock = clock
        self._migrations = migrations

    @property
    def newest_schema(self) -> int:
        """The schema that opened files have."""
        return self._migrations[-1].number

    def open(self, run: int | None = None) -> Recovery:
        """Bring the newest epoch's file into order and return what was done.

        It is a new run of the console, or, where `run` is given, goes on with that one.

        Raises JournalNewerError, JournalMigrationError, JournalUnavailableError.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise JournalUnavailableError(f"SQLite {sqlite3.sqlite_version} is too old for the journal")
        try:
            return self._opened(run)
        except (sqlite3.Error, OSError) as error:
            raise JournalUnavailableError(f"the journal cannot be opened: {reason_of(error)}") from error

    def seal(self, epoch: int, reason: str) -> None:
        """Close an epoch's file for good: from now on it can only be read. No connection to it may be open."""
        path = self._place.path(epoch)
        with closing(_connected(path)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            said = ("sealed", f"{self._clock.utc().isoformat()} {reason}")
            connection.execute("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO NOTHING", said)
        self._finish_seal(path)

    def _opened(self, run: int | None) -> Recovery:
        epochs = self._place.epochs()
        for epoch in epochs[:-1]:
            self._finish_seal(self._place.path(epoch))
        recovery = self._recovered(epochs[-1] if epochs else 1)
        return replace(recovery, run=self._count_run(recovery.path, run))

    def _recovered(self, epoch: int) -> Recovery:
        path = self._place.path(epoch)
        recovery = Recovery(path, epoch, 0)
        if not path.exists() and not _companions(path):
            self._begin(path, epoch)
            return replace(recovery, is_new=True)
        try:
            found = self._checked(path)
        except DamagedError as damage:
            aside = move_aside(path, self._clock.utc())
            self._begin(path, epoch)
            return replace(recovery, is_new=True, damaged=aside, damage=str(damage))
        if found.schema > self.newest_schema:
            raise JournalNewerError(path, found.schema, self.newest_schema)
        if found.is_sealed:
            self._finish_seal(path)
            return self._recovered(epoch + 1)
        if found.schema == self.newest_schema:
            return recovery
        return replace(recovery, migrated_from=found.schema, backup=self._migrated(path, found.schema))

    def _checked(self, path: Path) -> Found:
        """Return what a file says of itself. Raises DamagedError."""
        if not path.exists():
            raise DamagedError("its main file is missing")
        if stat.S_IMODE(path.stat().st_mode) not in (0o600, SEALED_MODE):
            path.chmod(0o600)
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise DamagedError("it is not a database")
        with _damage_named(), closing(_connected(path, mode="ro")) as connection:
            return self._check(connection)

    def _check(self, connection: sqlite3.Connection) -> Found:
        if _pragma(connection, "application_id") != APPLICATION_ID:
            raise DamagedError("it is not a journal of this console")
        schema = _pragma(connection, "user_version")
        if schema > self.newest_schema:
            return Found(schema, is_sealed=False)
        if schema < self._migrations[0].number:
            raise DamagedError(f"its schema has the number {schema}")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != ("ok",):
            raise DamagedError(f"its check says: {verdict[0]}")
        try:
            meta = dict(connection.execute("SELECT key, value FROM meta"))
        except sqlite3.OperationalError as error:
            if is_damage(error):
                raise
            raise DamagedError("its tables are missing") from None
        self._check_owner(meta)
        return Found(schema, "sealed" in meta)

    def _check_owner(self, meta: dict[str, str]) -> None:
        whose = JournalId(meta.get("network", ""), meta.get("chain_id", ""), meta.get("address", ""))
        if whose != self._place.identity:
            raise JournalUnavailableError(
                f"the journal in {self._place.folder} is that of {whose.address or 'nobody'} "
                f"on {whose.network or 'no network'} ({whose.chain_id or 'no chain'})"
            )

    def _begin(self, path: Path, epoch: int) -> None:
        """Make a new file; under its own name it is there whole or not at all."""
        draft = path.with_name(f"{path.name}.new")
        for companion in ("", *COMPANIONS):
            Path(f"{draft}{companion}").unlink(missing_ok=True)
        begin_file(draft)
        with closing(_connected(draft)) as connection:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            self._migrate(connection, 0)
            identity = self._place.identity._asdict()
            meta = {**identity, "epoch": str(epoch), "created_at": self._clock.utc().isoformat(), "runs": "0"}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        os.rename(draft, path)
        sync_folder(path.parent)

    def _migrated(self, path: Path, found: int) -> Path:
        """Bring an older file up to date; returns the copy that was made before. Raises JournalMigrationError."""
        backup: Path | None = None
        try:
            with closing(_connected(path)) as connection:
                backup = self._backed_up(connection, path, found)
                self._migrate(connection, found)
        except (sqlite3.Error, OSError, DamagedError) as error:
            raise JournalMigrationError(path, reason_of(error), backup) from error
        return backup

    def _backed_up(self, connection: sqlite3.Connection, path: Path, found: int) -> Path:
        backup = stamped(path, f"schema{found}", self._clock.utc())
        begin_file(backup)
        try:
            connection.execute("VACUUM INTO ?", (str(backup),))
            with closing(_connected(backup, mode="ro")) as copy:
                self._check(copy)
            _sync_file(backup)
        except BaseException:
            backup.unlink(missing_ok=True)
            raise
        sync_folder(backup.parent)
        return backup

    def _migrate(self, connection: sqlite3.Connection, found: int) -> None:
        """Run what is missing in one transaction: all of it, or nothing."""
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            for migration in self._migrations:
                if migration.number > found:
                    for statement in migration.statements:
                        connection.execute(statement)
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
            if broken is not None:
                raise DamagedError(f"a row of {broken[0]} refers to none of {broken[2]}")
            connection.execute(f"PRAGMA user_version={self.newest_schema}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _count_run(self, path: Path, run: int | None) -> int:
        with closing(_connected(path)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            (last,) = connection.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'runs'").fetchone()
            counted = int(last) + 1 if run is None else run
            said = (str(max(int(last), counted)),)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'runs'", said)
        return counted

    def _finish_seal(self, path: Path) -> None:
        """Make a sealed file readable without its companions, and read-only; what a reader still holds is left."""
        if stat.S_IMODE(path.stat().st_mode) == SEALED_MODE:
            return
        try:
            with closing(_connected(path, wait_s=0.0)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            log.info("%s stays as it is for now: %s", path.name, reason_of(error))
            return
        path.chmod(SEALED_MODE)


def _connected(path: Path, mode: str = "rw", wait_s: float = BUSY_S) -> sqlite3.Connection:
    return sqlite3.connect(uri_of(path, mode), uri=True, isolation_level=None, timeout=wait_s)


def _companions(path: Path) -> list[str]:
    return [companion for companion in COMPANIONS if os.path.lexists(f"{path}{companion}")]


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise DamagedError(reason_of(error)) from error


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

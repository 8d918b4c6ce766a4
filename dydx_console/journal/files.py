"""Where journals lie, who may read them, and who owns one."""

import fcntl
import os
import stat
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from dydx_console.journal.names import epochs_in, file_name, name_of
from dydx_console.ports.journal import JournalId, JournalOwnedError, JournalUnavailableError

__all__ = ["OwnerLock", "Place", "begin_file", "move_aside", "stamped", "sync_folder"]

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""


class Place:
    """The folder of one network and address, with a file for each chain id and epoch: `CHAIN_ID.EPOCH.db`.

    Args:
        root: the folder that holds all journals; it is made where it is missing.
        identity: whose history it is.
    """

    def __init__(self, root: Path, identity: JournalId) -> None:
        self.identity = identity
        self._root = root.absolute()
        self._network = self._root / name_of(identity.network)
        self.folder = self._network / name_of(identity.address)

    def path(self, epoch: int) -> Path:
        """Return the file of an epoch."""
        return self.folder / file_name(self.identity.chain_id, epoch)

    def epochs(self) -> tuple[int, ...]:
        """Return the epochs that have a file, ascending."""
        return epochs_in(self.folder, self.identity.chain_id)

    def make_folders(self) -> None:
        """Make the folders, for their owner alone. Raises JournalUnavailableError for another person's."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._root, self._network, self.folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.stat()
            if found.st_uid != os.geteuid():
                raise JournalUnavailableError(f"the folder {folder} belongs to another user")
            if stat.S_IMODE(found.st_mode) != 0o700:
                folder.chmod(0o700)


class OwnerLock:
    """Holds a journal for this process, until `release` or its end. The file keeps the owner's process id.

    Args:
        folder: the journal's folder.

    Raises JournalOwnedError where another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = self._written_pid()
            os.close(self._descriptor)
            raise JournalOwnedError(folder, pid) from None
        except OSError:
            os.close(self._descriptor)
            raise
        self._write_pid()

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def _write_pid(self) -> None:
        """Write the process id for others to read; a full disk does not make the lock less held."""
        with suppress(OSError):
            os.fchmod(self._descriptor, 0o600)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _written_pid(self) -> int | None:
        text = os.pread(self._descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None


def begin_file(path: Path) -> None:
    """Make an empty file for its owner alone; SQLite gives its companions the same mode, whatever the umask."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def stamped(path: Path, word: str, at: datetime) -> Path:
    """Return an unused name beside `path` that says what it is and since when."""
    first = path.with_name(f"{path.name}.{word}-{at:%Y%m%dT%H%M%SZ}")
    found, number = first, 1
    while os.path.lexists(found):
        number += 1
        found = first.with_name(f"{first.name}.{number}")
    return found


def move_aside(path: Path, at: datetime) -> Path:
    """Rename a damaged file and its companions; returns the new name."""
    aside = stamped(path, "damaged", at)
    for companion in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{companion}", f"{aside}{companion}")
    sync_folder(path.parent)
    return aside


def sync_folder(folder: Path) -> None:
    """Bring the folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Writing a file whole or not at all: beside its place first, renamed when everything is on the disk."""

import asyncio
import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from dydx_console.cli.exits import Exit

__all__ = ["Destination", "FileSink", "StdoutSink", "TargetError", "checked_target"]

RANDOM_BYTES = 4
MODE = 0o600
STDOUT = 1


class TargetError(Exception):
    """A file cannot be written where it was asked for; the sentence says why, `code` is the exit code."""

    def __init__(self, text: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(text)
        self.code = code


class Destination(Protocol):
    """Where bytes go."""

    async def write(self, data: bytes) -> None:
        """Take bytes. Raises TargetError, and BrokenPipeError where the reader has gone."""
        ...


def checked_target(path: Path, *, force: bool) -> Path:
    """Return the file that is to be written, behind any link. Raises TargetError for one that must not be."""
    try:
        if os.path.lexists(path) and not force:
            raise TargetError(f"{path} exists already; --force writes over it")
        real = path.resolve()
        if real.exists() and not real.is_file():
            raise TargetError(f"{path} is no file that can be replaced; `--to -` writes to standard output")
        if not real.parent.is_dir():
            raise TargetError(f"the folder {real.parent} does not exist")
    except (OSError, RuntimeError) as error:  # a loop of links
        raise TargetError(f"cannot write {path}: {reason_of(error)}") from None
    return real


class FileSink:
    """A file that comes to its place whole, or leaves nothing behind. Use it as a context manager.

    What is written lies beside the place under another name until `finish`; leaving without it removes that.

    Args:
        path: the place, as `checked_target` returned it.
        force: whether a file that stands there is replaced.

    Raises TargetError where nothing can be written there.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self._path = path
        self._force = force
        self._draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(RANDOM_BYTES)}.part")
        try:
            self._descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        except OSError as error:
            raise TargetError(f"cannot write {path}: {reason_of(error)}") from None

    def __enter__(self) -> "FileSink":
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._draft.unlink(missing_ok=True)

    async def write(self, data: bytes) -> None:
        """Append bytes. Raises TargetError."""
        try:
            _write_all(self._descriptor, data)
        except OSError as error:
            raise self._failed(error) from None

    def finish(self) -> None:
        """Bring everything to the disk and the file to its place. Raises TargetError."""
        try:
            self._finish()
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> TargetError:
        return TargetError(f"cannot write {self._path}: {reason_of(error)}; nothing was left there", Exit.TEMPORARY)

    def _finish(self) -> None:
        os.fsync(self._descriptor)
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
        if self._force:
            self._draft.replace(self._path)
        else:
            self._place_anew()
        _sync_folder(self._path.parent)

    def _place_anew(self) -> None:
        """Give the draft its name unless something has taken that meanwhile."""
        try:
            self._path.hardlink_to(self._draft)
        except FileExistsError:
            raise TargetError(f"{self._path} exists by now; --force writes over it") from None
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            if os.path.lexists(self._path):  # the file system has no second names
                raise TargetError(f"{self._path} exists by now; --force writes over it") from None
            self._draft.rename(self._path)


class StdoutSink:
    """Standard output. A reader that is slow or stops does not keep signals from being heard."""

    async def write(self, data: bytes) -> None:
        """Write bytes. Raises TargetError, and BrokenPipeError where the reader has gone."""
        try:
            await asyncio.to_thread(_write_all, STDOUT, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise TargetError(f"cannot write to standard output: {reason_of(error)}", Exit.TEMPORARY) from None


def reason_of(error: Exception) -> str:
    """Return why a file could not be written."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems have no such thing; the file itself is on the disk
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

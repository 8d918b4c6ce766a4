"""A file of lines that rotates by size and that only its user may read."""

import os
import stat
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

__all__ = ["LOG_BYTES", "LOG_FILES", "LogFile"]

LOG_BYTES = 5_000_000
LOG_FILES = 3


class LogFile:
    """Appends lines to a file, and begins a new one where it has grown too large.

    Older files are called `.1` to `.3`, the newest first. Several processes may write to one file: who finds that
    another has begun a new one goes on in that. Not safe between threads.

    Args:
        path: the file.
        most_bytes: its size at most.
        kept: how many older files are kept.
    """

    def __init__(self, path: Path, most_bytes: int = LOG_BYTES, kept: int = LOG_FILES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._kept = kept
        self._descriptor = -1
        self._is_torn = False
        self._open()

    def append(self, line: str) -> None:
        """Append a line, and its end. Raises OSError where it cannot be written whole; the next one is whole again."""
        self._follow(len(line) + 2)
        data = line.encode("ascii", "backslashreplace") + b"\n"
        if self._is_torn:
            data = b"\n" + data
        if os.write(self._descriptor, data) != len(data):
            self._is_torn = True
            raise OSError("no room for the whole line")
        self._is_torn = False

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _follow(self, more: int) -> None:
        """See to it that the open file is the one at the path and has room for `more` bytes."""
        if self._descriptor < 0 or not self._is_at_path():
            self._open()
        held = os.fstat(self._descriptor)
        if stat.S_ISREG(held.st_mode) and held.st_size and held.st_size + more > self._most_bytes:
            with suppress(OSError):  # a file that grows is better than none
                self._rotate()
            self._open()

    def _is_at_path(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{age}") for age in range(1, self._kept + 1))]
        for newer, older in reversed(list(pairwise(names))):
            with suppress(FileNotFoundError):
                newer.replace(older)

    def _open(self) -> None:
        self.close()
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        status = os.fstat(self._descriptor)
        self._is_torn = False
        if not stat.S_ISREG(status.st_mode):
            return
        if status.st_mode & 0o077:
            with suppress(OSError):  # a file of another user stays as that user wants it
                os.fchmod(self._descriptor, 0o600)
        if status.st_size:
            self._is_torn = os.pread(self._descriptor, 1, status.st_size - 1) != b"\n"

"""Writes recordings from a thread of its own, so that no disk can hold up the stream.

A recording that has grown to its size goes on in a new file from the next connection on, so that every file can be
replayed alone. Headers are not written, and the Indexer is asked nothing secret: a recording holds public data only.
"""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from dydx_console.recording.lines import Entry, encode

__all__ = ["RecordingWriter"]

_END = None


class RecordingWriter:
    """A recording that is being written.

    Args:
        path: the first file; it must not exist. Later ones are named FILE.2, FILE.3, …
        most_bytes: size after which the next connection begins a new file.
        when_full: called, from the writing thread, once per file when it has reached its size.

    Raises FileExistsError and other OSErrors where the first file cannot be made.
    """

    def __init__(self, path: Path, most_bytes: int, when_full: Callable[[], None]) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._when_full = when_full
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._files = 1
        self._written = 0
        self._is_full = False
        self._problem: str | None = None
        self._file: BinaryIO = path.open("xb")
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str | None:
        """Why writing stopped before its end, None while all is well."""
        return self._problem

    @property
    def files(self) -> int:
        """How many files have been begun."""
        return self._files

    def add(self, entry: Entry) -> None:
        """Take one entry; never blocks."""
        self._entries.put(entry)

    def close(self) -> None:
        """Write what has been taken, and close."""
        self._entries.put(_END)
        self._thread.join()

    def _work(self) -> None:
        try:
            while (entry := self._entries.get()) is not _END:
                self._write(entry)
        except OSError as error:
            self._problem = f"{self._path}: {error.strerror or error}"
        finally:
            self._file.close()

    def _write(self, entry: Entry) -> None:
        if self._is_full and entry.ev == "open":
            self._begin_next()
        line = encode(entry) + b"\n"
        self._file.write(line)
        if self._entries.empty():
            self._file.flush()
        self._written += len(line)
        if self._written >= self._most_bytes and not self._is_full:
            self._is_full = True
            self._when_full()

    def _begin_next(self) -> None:
        self._file.close()
        self._files += 1
        self._file = self._path.with_name(f"{self._path.name}.{self._files}").open("xb")
        self._written = 0
        self._is_full = False

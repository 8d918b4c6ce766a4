"""A terminal driver whose writer never waits: a terminal that stops reading must not stop the loop.

Textual's Linux driver (8.2) hands its output to a thread through a queue of 30 entries and blocks once that is full.
Here the thread takes everything at once from an unbounded queue, and painters look at its backlog instead. What is
relied on of Textual's private parts is asserted in tests/tui/test_driver.py.
"""

import os
from collections import deque
from threading import Condition, Thread
from typing import Any

from textual.drivers.linux_driver import LinuxDriver

__all__ = ["ConsoleDriver", "Writer"]

SHORTEST_FRAME = 64
"""Texts below this length are control sequences rather than frames."""
LAST_WORDS_S = 1.5


class Writer:
    """Writes to a file descriptor from a thread of its own. Every method returns at once but `stop`."""

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno
        self._waiting: deque[str] = deque()
        self._frames = 0
        self._is_ending = False
        self._has_work = Condition()
        self._thread = Thread(target=self._run, daemon=True, name="terminal-writer")

    @property
    def backlog(self) -> int:
        """Frames that the terminal has not taken yet."""
        return self._frames

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, text: str) -> None:
        """Queue a text."""
        with self._has_work:
            self._waiting.append(text)
            self._frames += len(text) >= SHORTEST_FRAME
            self._has_work.notify()

    def isatty(self) -> bool:
        """Tell Textual that this is a terminal."""
        return True

    def fileno(self) -> int:
        """Return the terminal's file descriptor."""
        return self._fileno

    def flush(self) -> None:
        """Do nothing: the thread never holds text back."""

    def discard(self) -> None:
        """Drop what is queued; what is being written goes on, so that no sequence is cut."""
        with self._has_work:
            self._waiting.clear()
            self._frames = 0

    def stop(self) -> None:
        """Write the rest and end; a terminal that takes nothing is given up after a moment."""
        with self._has_work:
            self._is_ending = True
            self._has_work.notify()
        if self._thread.is_alive():
            self._thread.join(LAST_WORDS_S)

    def _run(self) -> None:
        while True:
            with self._has_work:
                self._has_work.wait_for(lambda: self._waiting or self._is_ending)
                if not self._waiting:
                    return
                taken = list(self._waiting)
                self._waiting.clear()
            if not self._write_all("".join(taken).encode("utf-8", "replace")):
                return
            with self._has_work:
                written = sum(len(text) >= SHORTEST_FRAME for text in taken)
                self._frames = max(self._frames - written, 0)

    def _write_all(self, data: bytes) -> bool:
        """Write to the end; returns False where the terminal is gone."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fileno, view) :]
            except OSError:
                return False
        return True


class ConsoleDriver(LinuxDriver):
    """Textual's driver with that writer."""

    _writer: Writer | None = None

    @property
    def _writer_thread(self) -> Any:
        return self._writer

    @_writer_thread.setter
    def _writer_thread(self, thread: Any) -> None:
        """Take the place of the thread that the driver has just made; that one is never started."""
        self._writer = None if thread is None else Writer(thread.fileno())

    @property
    def backlog(self) -> int:
        """Frames that the terminal has not taken yet."""
        return 0 if self._writer is None else self._writer.backlog

    def stop_application_mode(self) -> None:
        """Give the terminal back; frames that it has not taken are no longer wanted."""
        if self._writer is not None:
            self._writer.discard()
        super().stop_application_mode()

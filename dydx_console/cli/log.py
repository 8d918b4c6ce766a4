"""The log: JSON lines without secrets, written by a thread of its own, so that nobody waits for the disk."""

import logging
import logging.handlers
import os
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from queue import SimpleQueue

from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.logfile import LogFile
from dydx_console.cli.logrecord import AloudLines, harmless, json_of
from dydx_console.config.load import default_log_path
from dydx_console.config.settings import Settings

__all__ = ["MOST_WAITING", "Inbox", "close_log", "open_log"]

MOST_WAITING = 20_000
"""Lines that wait for the disk, at most; more are counted and lost."""
LAST_WORDS_S = 2.0
"""How long the end of a command may wait for the disk."""

_DONE = "_done"
_NOISY = ("httpx", "httpcore", "websockets")


def open_log(settings: Settings, *, aloud: bool = False) -> Path:
    """Send log lines to the rotating log file and return its path; ends the command where it cannot be written.

    `aloud` sends them to standard error too, as a service without a screen does.
    """
    path = settings.log.file or default_log_path()
    previous = os.umask(0o077)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = LogFile(path)
    except OSError as error:
        fail(Exit.CONFIGURATION, f"cannot write the log {path}: {error.strerror or error}")
    finally:
        os.umask(previous)
    close_log()
    root = logging.getLogger()
    root.handlers[:] = [Inbox(file, aloud=aloud)]
    root.setLevel(settings.log.level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    return path


def close_log() -> None:
    """Write what was logged, and let go of the file; nothing is logged from then on."""
    root = logging.getLogger()
    for handler in [held for held in root.handlers if isinstance(held, Inbox)]:
        root.removeHandler(handler)
        handler.close()


class Inbox(logging.handlers.QueueHandler):
    """Takes records as they are logged: makes them plain, takes secrets out and leaves them to a thread that writes.

    Nothing here waits for a disk. What comes while too much waits is counted, and told in one line.

    Args:
        file: where lines go.
        aloud: whether they go to standard error too; the main thread then waits for its own lines, so that what it
            prints itself comes after them.
        most_waiting: how many records may wait.
    """

    def __init__(self, file: LogFile, *, aloud: bool = False, most_waiting: int = MOST_WAITING) -> None:
        waiting: SimpleQueue[logging.LogRecord] = SimpleQueue()  # reentrant: the collector may log at any moment
        super().__init__(waiting)
        self.lost = 0
        """Records lost so far."""
        self._waiting = waiting
        self._most_waiting = most_waiting
        self._is_patient = aloud
        self._writer: Writer | None = Writer(self, waiting, [FileLines(file), *([Aloud()] if aloud else [])])
        self._writer.start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record; the main thread waits for it where lines are written aloud."""
        taken = bool(super().handle(record))
        if self._is_patient and threading.current_thread() is threading.main_thread():
            self.flush()
        return taken

    def emit(self, record: logging.LogRecord) -> None:
        """Make a record plain and leave it to the writer; where too many wait, only count it."""
        if self._writer is None:
            return
        if self._waiting.qsize() >= self._most_waiting:
            self.lost += 1
        else:
            super().emit(record)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record with nothing in it but plain values, and no secret in those."""
        return harmless(record)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Leave a record to the writer."""
        self._waiting.put(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say which line could not be made, and nothing of what it was made of."""
        error = sys.exc_info()[0]
        where = f"{Path(record.pathname).name}:{record.lineno}"
        why = "unknown" if error is None else error.__name__
        self.enqueue(_own(logging.ERROR, f"the log line of {where} could not be made: {why}"))

    def flush(self) -> None:
        """Wait until what was taken so far is written, at most two seconds."""
        if self._writer is not None:
            done = threading.Event()
            self._waiting.put(logging.makeLogRecord({_DONE: done}))
            done.wait(LAST_WORDS_S)

    def close(self) -> None:
        """Write what was taken, and end the writer; where the disk does not answer, it is left behind."""
        writer, self._writer = self._writer, None
        if writer is not None:
            ending = threading.Thread(target=writer.stop, name="log-end", daemon=True)
            ending.start()
            ending.join(LAST_WORDS_S)
        super().close()


class Writer(logging.handlers.QueueListener):
    """The thread that writes."""

    def __init__(
        self, inbox: Inbox, waiting: "SimpleQueue[logging.LogRecord]", sinks: Iterable[logging.Handler]
    ) -> None:
        self._sinks = tuple(sinks)
        super().__init__(waiting, *self._sinks)
        self._inbox = inbox
        self._waiting = waiting
        self._told = 0

    def handle(self, record: logging.LogRecord) -> None:
        """Write a record; after the last that waits, say how many were lost."""
        done = record.__dict__.get(_DONE)
        if not isinstance(done, threading.Event):
            super().handle(record)
            if self._waiting.empty():
                self._tell_lost()
        else:
            self._tell_lost()
            done.set()

    def stop(self) -> None:
        """Write what waits, end the thread and close what it writes to."""
        super().stop()
        self._tell_lost()
        for sink in self._sinks:
            sink.close()

    def _tell_lost(self) -> None:
        lost = self._inbox.lost - self._told
        if lost:
            self._told += lost
            super().handle(_own(logging.WARNING, f"{lost} log lines were lost: they came faster than they are written"))


class FileLines(logging.Handler):
    """Writes records into the log file as JSON; what the disk refuses is counted, and told once it takes more."""

    def __init__(self, file: LogFile) -> None:
        super().__init__()
        self._file = file
        self._refused = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            if self._refused:
                text = f"{self._refused} log lines are missing here: the disk refused them"
                self._file.append(json_of(_own(logging.WARNING, text)))
                self._refused = 0
            self._file.append(json_of(record))
        except OSError:
            self._refused += 1

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        super().close()


class Aloud(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes records to standard error, for people and service managers."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(AloudLines())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Go on without: whoever read standard error has left."""


def _own(level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, level, __file__, 0, text, None, None)

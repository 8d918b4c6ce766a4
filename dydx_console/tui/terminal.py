"""The process's terminal while the screen is up: signals end it in order, and nothing else writes to it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

__all__ = ["ENDING_SIGNALS", "on_signals", "owned_terminal"]

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[int], None]) -> None:
    """Call `end` with the exit code 128 + n when one of the ending signals arrives. Main thread only."""
    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, end, 128 + number)


@contextmanager
def owned_terminal(log_path: Path) -> Iterator[None]:
    """Keep the terminal for the screen: what anything writes to file descriptor 2 goes to the log instead.

    The screen draws on `sys.__stderr__`, which is opened anew on the terminal; both are as before afterwards.
    """
    sys.stderr.flush()
    log_path.parent.mkdir(parents=True, exist_ok=True)
    held = os.dup(2)
    terminal = _terminal_file(held)
    before = sys.__stderr__
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.dup2(log, 2)
        sys.__stderr__ = terminal  # type: ignore[misc,assignment]
        yield
    finally:
        sys.stderr.flush()
        sys.__stderr__ = before  # type: ignore[misc]
        os.dup2(held, 2)
        os.close(log)
        os.close(held)


def _terminal_file(held: int) -> TextIO:
    """Return a file on the terminal; standard output's where standard error goes elsewhere."""
    fileno = held if os.isatty(held) or not os.isatty(1) else 1
    return open(fileno, "w", encoding="utf-8", errors="replace", closefd=False)

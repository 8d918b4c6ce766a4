"""Standard output of commands that print and end, whoever reads it and for how long."""

import os
import signal
import sys
from typing import NoReturn

from dydx_console.cli.exits import Exit, fail

__all__ = ["left_by_reader", "print_text"]

PIECE = 4_096


def print_text(text: str) -> None:
    """Print a text; ends the command where nobody reads it to its end, or it cannot be written."""
    try:
        for start in range(0, len(text), PIECE):  # of one long write that a reader cut off Python says nothing
            sys.stdout.write(text[start : start + PIECE])
            sys.stdout.flush()
    except BrokenPipeError:
        left_by_reader()
    except OSError as error:
        _drop_the_rest()
        fail(Exit.TEMPORARY, f"cannot write to standard output: {error.strerror or error}")


def left_by_reader() -> NoReturn:
    """End the command without a word, as one that SIGPIPE ends: `head` has what it wanted."""
    _drop_the_rest()
    raise SystemExit(128 + signal.SIGPIPE)


def _drop_the_rest() -> None:
    """Have what is still buffered go nowhere: written at the end of the process it would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)

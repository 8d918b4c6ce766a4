"""Exit codes, and the one way to end a command with a sentence."""

import sys
from enum import IntEnum
from typing import NoReturn

__all__ = ["Exit", "fail"]


class Exit(IntEnum):
    """What a command's exit code means (the numbers are those of BSD sysexits)."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    UNREACHABLE = 69
    TEMPORARY = 75
    REJECTED = 76
    REFUSED = 77
    CONFIGURATION = 78


def fail(code: Exit, text: str) -> NoReturn:
    """Print one line to standard error and end the command with `code`."""
    sys.stderr.write(f"dydx-console: {text}\n")
    sys.stderr.flush()
    raise SystemExit(int(code))

"""An error that nobody handled: its traceback in the log, without anybody's variables, and one line for people."""

import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from dydx_console.domain.redaction import log_line, redacted
from dydx_console.domain.text import clean
from dydx_console.domain.trace import trace_of

__all__ = ["crash_line", "note_crash"]

LONGEST_REASON = 160
LONGEST_TRACE = 16_000


def note_crash(error: BaseException, log_path: Path, at: datetime | None = None) -> None:
    """Append a line to the log: places and the error's own words without secrets, never the values of variables."""
    trace = redacted(trace_of(error), LONGEST_TRACE)
    line = log_line(at or datetime.now(UTC), "ERROR", __name__, "the screen failed", fields={}, exception=trace)
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("a", encoding="ascii") as log:
            log.write(line + "\n")
    except OSError as refused:
        sys.stderr.write(f"the log could not be written: {refused}\n")


def crash_line(error: BaseException, log_path: Path) -> str:
    """Return the one line that the terminal gets."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    reason = redacted(clean(str(error), 4 * LONGEST_REASON), LONGEST_REASON)
    return f"dydx-console stopped: {type(error).__name__}{where}: {reason} (details: {log_path})"

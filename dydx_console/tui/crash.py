"""An error that nobody handled: its traceback in the log, without anybody's variables, and one line for people."""

import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from dydx_console.domain.text import clean

__all__ = ["crash_line", "note_crash"]

LONGEST_REASON = 160


def note_crash(error: BaseException, log_path: Path, at: datetime | None = None) -> None:
    """Append the error's traceback to the log: places and the error's own words, never the values of variables."""
    stamp = (at or datetime.now(UTC)).isoformat(timespec="seconds")
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    try:
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"{stamp} the screen failed\n{''.join(lines)}")
    except OSError as refused:
        sys.stderr.write(f"the log could not be written: {refused}\n")


def crash_line(error: BaseException, log_path: Path) -> str:
    """Return the one line that the terminal gets."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    reason = clean(str(error), LONGEST_REASON)
    return f"dydx-console stopped: {type(error).__name__}{where}: {reason} (details: {log_path})"

"""The account's history for commands that end: filled from the venue under a bar, and how far back it goes."""

import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dydx_console.cli.admission import Admission
from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.live import journal_plan
from dydx_console.cli.looping import StoppedError, run_interruptibly
from dydx_console.cli.venue import plan_of
from dydx_console.engine.history_once import history_once
from dydx_console.ports.history import NO_PROGRESS, FetchState, HistoryProgress, SourceProgress
from dydx_console.ports.journal import History, HistoryPort, JournalError, JournalNewerError
from dydx_console.views.listing import time_text
from dydx_console.views.pages import KnownSection

__all__ = ["Opened", "known_of", "tell_limits", "with_history"]

log = logging.getLogger(__name__)

T = TypeVar("T")
STEP_S = 0.1
BAR_CELLS = 24


@dataclass(frozen=True, slots=True)
class Opened:
    """A history that can be asked, and how far it reached when it was opened."""

    history: HistoryPort
    progress: HistoryProgress


def with_history(
    admission: Admission, log_path: Path, kinds: Iterable[History], work: Callable[[Opened], Awaitable[T]]
) -> T:
    """Return what `work` makes of the account's history; ends the command where it cannot be had or is interrupted.

    `kinds` are fetched from the venue first, as far as they are not here.
    """

    kept = journal_plan(admission, "read")
    root = None if kept is None else kept.root

    async def worked() -> T:
        with bar() as draw:
            progress = NO_PROGRESS

            def told(now: HistoryProgress) -> None:
                nonlocal progress
                progress = now
                draw(now)

            async with history_once(plan_of(admission), root, kinds=kinds, on_progress=told) as history:
                draw(None)
                return await work(Opened(history, progress))

    try:
        return run_interruptibly(worked())
    except JournalError as error:
        log.error("the history cannot be read: %s", error)
        code = Exit.CONFIGURATION if isinstance(error, JournalNewerError) else Exit.TEMPORARY
        fail(code, f"{error} (log: {log_path})")
    except StoppedError as stopped:
        rest = "nothing of it is kept" if root is None else "what came is kept, and the same command goes on from there"
        sys.stderr.write(f"dydx-console: {stopped}; {rest}\n")
        raise SystemExit(stopped.code) from None


# How far back it goes


def known_of(progress: HistoryProgress, kinds: Iterable[History]) -> KnownSection:
    """Return from when the rows of some kinds are known together."""
    wanted = set(kinds)
    sources = [source for source in progress.sources if source.kind in wanted]
    if {source.kind for source in sources} != wanted:
        return KnownSection(since=None, is_complete=False, problem=progress.problem)
    cut = [source for source in sources if not source.is_complete]
    # what is complete reaches back to the beginning, however late its oldest row is
    oldest = [source.oldest_at for source in cut] or [
        min((source.oldest_at for source in sources if source.oldest_at is not None), default=None)
    ]
    since = None if None in oldest else max(at for at in oldest if at is not None)
    problems = dict.fromkeys(source.problem for source in sources if source.problem is not None)
    return KnownSection(
        since=since, is_complete=not cut, problem="; ".join(problems) or (progress.problem if cut else None)
    )


def tell_limits(progress: HistoryProgress, kinds: Iterable[History]) -> Exit:
    """Tell on standard error where a history is not whole; returns the exit code, which says whether to try again."""
    wanted = set(kinds)
    known = known_of(progress, wanted)
    if known.is_complete:
        return Exit.OK
    reach = "not known from when on" if known.since is None else f"known from {time_text(known.since)} UTC on"
    reason = "" if known.problem is None else f": {known.problem}"
    failed = progress.state in (FetchState.FAILED, FetchState.INTERRUPTED)
    if failed and not any(source.read or source.oldest_at for source in progress.sources if source.kind in wanted):
        sys.stderr.write(f"dydx-console: nothing of the history is here{reason}\n")
        return Exit.UNREACHABLE
    sys.stderr.write(f"dydx-console: the history is not whole, it is {reach}{reason}\n")
    return Exit.TEMPORARY if failed else Exit.OK


# The bar


@contextmanager
def bar() -> Iterator[Callable[[HistoryProgress | None], None]]:
    """Yield what draws progress where a person can see it; None wipes it away."""
    drawn_at = float("-inf")

    def told(progress: HistoryProgress | None) -> None:
        nonlocal drawn_at
        if progress is None:
            wipe()
        elif is_seen and time.monotonic() - drawn_at >= STEP_S:
            drawn_at = time.monotonic()
            sys.stderr.write(f"\r{_bar_text(progress)}\x1b[K")
            sys.stderr.flush()

    def wipe() -> None:
        nonlocal drawn_at
        if drawn_at > float("-inf"):
            drawn_at = float("-inf")
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    is_seen = sys.stderr.isatty()
    try:
        yield told
    finally:
        wipe()


def _bar_text(progress: HistoryProgress) -> str:
    """Return a line about the source that is being read: the first that is not through."""
    reading = next((source for source in progress.sources if _is_open(source)), None)
    if reading is None:
        return "history: asking the venue"
    name = reading.kind.value.lower()
    if reading.total is None or reading.total <= 0:
        return f"history: {name} {reading.read:,}"
    full = min(reading.read * BAR_CELLS // reading.total, BAR_CELLS)
    return f"history: {name} [{'#' * full}{'.' * (BAR_CELLS - full)}] {reading.read:,} of {reading.total:,}"


def _is_open(source: SourceProgress) -> bool:
    return not source.is_complete and source.problem is None

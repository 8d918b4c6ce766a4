"""Fetching by the console that owns the journal: others ask it over its control socket, and tell what it tells."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from dydx_console.engine.control import ControlError, ask
from dydx_console.ports.history import FetchState, HistoryProgress, SourceProgress
from dydx_console.ports.journal import History

__all__ = ["FETCH", "fetch_by_owner", "progress_json"]

FETCH = "fetch"
"""The request's name. With `begin` it begins to fetch, unless that runs or is done; it answers with the progress."""
EVERY_S = 0.5
ASK_S = 2.0


def progress_json(progress: HistoryProgress) -> Mapping[str, Any]:
    """Return a progress as the answer to the request."""
    sources = [
        {
            "kind": source.kind.value,
            "read": source.read,
            "total": source.total,
            "oldest_at": None if source.oldest_at is None else source.oldest_at.isoformat(),
            "is_complete": source.is_complete,
            "problem": source.problem,
        }
        for source in progress.sources
    ]
    return {"state": progress.state.value, "sources": sources, "problem": progress.problem}


def progress_of(told: Mapping[str, Any]) -> HistoryProgress:
    """Return the progress that an answer tells. Raises KeyError, TypeError and ValueError where it tells none."""
    sources = tuple(
        SourceProgress(
            History(source["kind"]),
            int(source["read"]),
            None if source["total"] is None else int(source["total"]),
            None if source["oldest_at"] is None else datetime.fromisoformat(source["oldest_at"]),
            bool(source["is_complete"]),
            None if source["problem"] is None else str(source["problem"]),
        )
        for source in told["sources"]
    )
    problem = told["problem"]
    return HistoryProgress(FetchState(told["state"]), sources, None if problem is None else str(problem))


async def fetch_by_owner(path: Path, told: Callable[[HistoryProgress], None]) -> HistoryProgress:
    """Have the console that listens at `path` fetch, and return how that ended; `told` takes what it tells meanwhile.

    Raises SilentError where it does not answer, and ControlError where it does not know how.
    """
    begin = True
    while True:
        try:
            progress = progress_of(await ask(path, FETCH, ASK_S, begin=begin))
        except (KeyError, TypeError, ValueError) as error:
            raise ControlError("UNKNOWN", f"its answer cannot be read: {error}") from None
        if progress.state is not FetchState.RUNNING:
            return progress
        told(progress)
        begin = False
        await asyncio.sleep(EVERY_S)

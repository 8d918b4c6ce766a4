"""How far older history has been fetched from the venue, in a line or two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from dydx_console.views.format import day
from dydx_console.views.table import Cell, Ink, Line
from dydx_console.views.width import wrapped

__all__ = ["FetchKeys", "Progress", "Source", "fetch_lines", "gauge"]

GAUGE_CELLS = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NAMES = {"LIVES": "positions", "FUNDING": "funding payments"}
FetchKeys = tuple[str, str]
"""The keys that begin or go on, and that stop."""


class Source(Protocol):
    """How far one kind of row has been read; see the port's own."""

    @property
    def kind(self) -> str: ...
    @property
    def read(self) -> int: ...
    @property
    def total(self) -> int | None: ...
    @property
    def oldest_at(self) -> datetime | None: ...
    @property
    def is_complete(self) -> bool: ...
    @property
    def problem(self) -> str | None: ...


class Progress(Protocol):
    """How far the venue's history is here; see the port's own."""

    @property
    def state(self) -> str: ...
    @property
    def sources(self) -> Sequence[Source]: ...
    @property
    def problem(self) -> str | None: ...


def fetch_lines(progress: Progress, kind: str, keys: FetchKeys, width: int) -> list[Line]:
    """Return what the fetching does, and what the venue does not give of the rows of a kind.

    Args:
        progress: how far it is.
        kind: the rows that are looked at.
        keys: what to press to go on and to stop.
        width: cells of a line.
    """
    lines = _told(progress, keys, width)
    for source in progress.sources:
        if source.kind == kind and source.problem is not None:
            lines += [(Cell(f" {text}", Ink.WARN),) for text in wrapped(_limit_text(source), max(width - 1, 8))]
    return lines


def gauge(fraction: float, width: int = GAUGE_CELLS) -> str:
    """Return a bar; it is full only where all is there."""
    eighths = max(min(int(fraction * width * 8), width * 8), 0)
    return ("█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")).ljust(width)


def _told(progress: Progress, keys: FetchKeys, width: int) -> list[Line]:
    go_on, stop = keys
    source = _current(progress)
    told = "" if source is None else f"{_source_text(source)} · "
    if progress.state == "RUNNING":
        return [_running(source, stop, width)]
    if progress.state == "INTERRUPTED":
        return [(Cell(" stopped ", Ink.WARN), Cell(f"· {told}{go_on} goes on", Ink.DIM))]
    if progress.state == "FAILED":
        text = f"fetching stopped: {progress.problem or 'no reason was given'} · {told}{go_on} goes on"
        return [(Cell(f" {piece}", Ink.BAD),) for piece in wrapped(text, max(width - 1, 8))]
    if progress.state == "DONE":
        return [(Cell(" all that the venue gives is here", Ink.DIM),)]
    if progress.problem is not None:
        return [(Cell(f" {piece}", Ink.WARN),) for piece in wrapped(progress.problem, max(width - 1, 8))]
    return [(Cell(f" {go_on} fetches older history from the venue", Ink.DIM), Cell(f"{told and ' · '}{told[:-3]}"))]


def _running(source: Source | None, stop: str, width: int) -> Line:
    head = (Cell(" fetching", Ink.ACCENT), Cell(f" · {stop} stops", Ink.DIM))
    if source is None:
        return head
    told = Cell(f" · {_source_text(source)}", Ink.DIM)
    if not source.total or width < 40:
        return (*head, told)
    share = min(source.read / source.total, 1.0)
    percent = min(int(share * 100), 99 if source.read < source.total else 100)
    return (*head, Cell(f" ▕{gauge(share)}▏{percent:>3} %", Ink.ACCENT), told)


def _current(progress: Progress) -> Source | None:
    """Return the source that is being read: the first that is not done, else the last."""
    unfinished = [source for source in progress.sources if not source.is_complete and source.problem is None]
    return next(iter([*unfinished[:1], *progress.sources[-1:]]), None)


def _source_text(source: Source) -> str:
    of = "" if source.total is None else f" of {source.total:,}"
    back = "" if source.oldest_at is None else f", back to {_date(source.oldest_at)}"
    return f"{_name(source)} {source.read:,}{of}{back}"


def _limit_text(source: Source) -> str:
    since = "" if source.oldest_at is None else f"; known from {_date(source.oldest_at)} on"
    return f"{_name(source)}: {source.problem}{since}"


def _name(source: Source) -> str:
    return _NAMES.get(source.kind, source.kind.lower())


def _date(at: datetime) -> str:
    return f"{day(at)} {at.year}"

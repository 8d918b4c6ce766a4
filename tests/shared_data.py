"""Recordings and vectors of the real Indexer that lie beside the checkout; tests of them skip where they are absent."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dydx_console.domain.events import Event
from dydx_console.engine.replay import ReplaySource, watched_in
from dydx_console.recording.lines import Entry, read_entries
from dydx_console.state.console import ConsoleState

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
FIXTURES = Path(__file__).resolve().parent / "fixtures"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the recordings of the real Indexer are not here")


@cache
def raw_lines(path: Path) -> tuple[dict[str, Any], ...]:
    """Return every line of a recording, the unknown kinds too."""
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


@cache
def entries_of(path: Path) -> tuple[Entry, ...]:
    """Return a recording's entries."""
    with path.open(encoding="utf-8") as lines:
        return tuple(read_entries(lines))


def events_of(entries: tuple[Entry, ...]) -> list[Event]:
    """Return the events that a recording tells."""
    source = ReplaySource()
    return [event for entry in entries for event in source.events(entry)]


def state_after(entries: tuple[Entry, ...]) -> ConsoleState:
    """Return the state at the end of a recording."""
    state = ConsoleState(watched_in(entries))
    for event in events_of(entries):
        state.apply(event)
    return state


@cache
def cases_of(name: str) -> tuple[dict[str, Any], ...]:
    """Return the cases of a vector file, none where it is absent."""
    path = DATA / "vectors" / f"{name}.json"
    return tuple(json.loads(path.read_text(encoding="utf-8"))["cases"]) if path.is_file() else ()

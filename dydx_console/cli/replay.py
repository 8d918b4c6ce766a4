"""`replay`: a recording through the same protocol, reducers and panes as the live stream."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.live import ScreenOptions, show
from dydx_console.cli.log import open_log
from dydx_console.config.settings import Settings
from dydx_console.engine.compose import replay_engine
from dydx_console.ports.network import NetworkView
from dydx_console.recording.lines import BadLineError, Entry, read_entries

if TYPE_CHECKING:
    from dydx_console.state.console import ConsoleState
    from dydx_console.state.snapshot import Snapshot

__all__ = ["REPLAY_NETWORK", "Loaded", "final_snapshot", "load_recording", "play", "print_final_document"]

REPLAY_NETWORK = NetworkView(
    name="replay",
    kind="replay",
    chain_id=None,
    environment=None,
    environment_from=None,
    confirmed=False,
    read_only=True,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A recording's whole entries, and what is wrong with the line after them."""

    entries: tuple[Entry, ...]
    problem: str | None


def load_recording(path: Path) -> Loaded:
    """Read a recording as far as it is whole. Ends the command where the file cannot be read at all."""
    entries: list[Entry] = []
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
            for entry in read_entries(lines):
                entries.append(entry)
    except OSError as error:
        fail(Exit.USAGE, f"cannot read the recording {path}: {error.strerror or error}")
    except BadLineError as error:
        return Loaded(tuple(entries), f"{path}: {error}")
    return Loaded(tuple(entries), None)


def final_snapshot(entries: tuple[Entry, ...]) -> "tuple[Snapshot, ConsoleState]":
    """Return the picture at the end of a recording, with every fill, and the state behind it."""
    from dydx_console.engine.replay import ReplaySource, watched_in
    from dydx_console.state.console import ConsoleState
    from dydx_console.state.snapshot import snapshot_of

    state = ConsoleState(watched_in(entries))
    source = ReplaySource()
    for entry in entries:
        for event in source.events(entry):
            state.apply(event)
    at = entries[-1].t if entries else 0.0
    return snapshot_of(state, at, 1, fills=len(state.fills)), state


def print_final_document(loaded: Loaded) -> Exit:
    """Print the final document of a recording as JSON; what was not whole is named on standard error."""
    from dydx_console.views.compose import document_of
    from dydx_console.views.documents import ErrorItem, NetworkSection

    snapshot, _ = final_snapshot(loaded.entries)
    network = NetworkSection(
        name=REPLAY_NETWORK.name,
        chain_id=None,
        environment=None,
        environment_from=None,
        confirmed=False,
        read_only=True,
        warnings=(),
    )
    errors = () if loaded.problem is None else (ErrorItem(section="recording", text=loaded.problem),)
    sys.stdout.write(document_of(snapshot, network, errors).model_dump_json(indent=2) + "\n")
    if loaded.problem is None:
        return Exit.OK
    sys.stderr.write(f"dydx-console: {loaded.problem}; what was whole before it is shown\n")
    return Exit.UNEXPECTED


def play(loaded: Loaded, speed: float, settings: Settings, options: ScreenOptions) -> int:
    """Play a recording on the screen; returns the exit code."""
    log_path = open_log(settings)
    engine = replay_engine(loaded.entries, loaded.problem, speed, REPLAY_NETWORK)
    code = show(engine, settings, options, log_path)
    if loaded.problem is not None:
        sys.stderr.write(f"dydx-console: {loaded.problem}; what was whole before it was shown\n")
        return code or Exit.UNEXPECTED
    return code

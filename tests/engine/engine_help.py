"""Engines with journals for tests, in this process or in one of their own, and the venue's own word on fills.

As a program it runs an engine: python engine_help.py URLS FOLDER, where URLS is the JSON of the exchange's URLs. Each
change of what it shows is a line of JSON; a number on its standard input limits the size of files that it may write,
and the end of its input ends it.
"""

import json
import os
import resource
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from venues import engine_on, network_of

from dydx_console.engine.child import SimUrls
from dydx_console.engine.runtime import Engine
from dydx_console.journal.files import Place
from dydx_console.ports.journal import JournalId
from dydx_console.state.freshness import PictureState
from dydx_console.state.snapshot import Snapshot

TESTS = Path(__file__).parent.parent
WITHIN_S = 30.0
Told = TypeVar("Told")


def wait_for(found: Callable[[], Told | None], why: Callable[[], object] = str, within_s: float = WITHIN_S) -> Told:
    """Wait until something is found."""
    deadline = time.monotonic() + within_s
    while (what := found()) is None:
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)
    return what


def until(engine: Engine, holds: Callable[[Snapshot], bool], within_s: float = WITHIN_S) -> Snapshot:
    """Wait until an engine's picture has something."""

    def found() -> Snapshot | None:
        assert engine.failure is None, engine.failure
        snapshot = engine.mailbox.latest()
        return snapshot if snapshot is not None and holds(snapshot) else None

    return wait_for(found, lambda: (engine.mailbox.latest(), engine.mailbox.kept()), within_s)


def is_live(snapshot: Snapshot) -> bool:
    return snapshot.stream.state is PictureState.LIVE


def notices(engine: Engine) -> str:
    """Return everything that was told, the newest first."""
    return "\n".join(notice.text for notice in engine.mailbox.kept())


@contextmanager
def started(engine: Engine) -> Iterator[Engine]:
    """Run an engine as long as this lasts; it must end in time."""
    engine.start()
    try:
        yield engine
    finally:
        assert engine.stop()


def place_of(root: Path, venue: SimUrls) -> Place:
    return Place(root, JournalId("test", venue.chain_id, venue.account))


def rows(root: Path, venue: SimUrls, question: str, epoch: int = 1) -> list[tuple[Any, ...]]:
    """Return what a question to a journal's file brings; its whole check is made too."""
    with closing(sqlite3.connect(f"{place_of(root, venue).path(epoch).as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute(question).fetchall()


def true_fills(venue: SimUrls, up_to: int) -> set[str]:
    """Return the ids of the account's fills up to a block, as the venue lists them."""
    found: set[str] = set()
    for page in range(1, 100):
        path = (
            f"/v4/fills/parentSubaccountNumber?address={venue.account}&parentSubaccountNumber=0&limit=1000&page={page}"
        )
        with urllib.request.urlopen(f"{venue.rest}{path}", timeout=10) as answer:
            listed = json.load(answer)["fills"]
        found |= {row["id"] for row in listed if int(row["createdAtHeight"]) <= up_to}
        if len(listed) < 1000:
            return found
    raise AssertionError("more fills than a test should make")


def ports() -> list[int]:
    """Return three ports that were free a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return numbers


class Child:
    """An engine in a process of its own."""

    def __init__(self, venue: SimUrls, root: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(asdict(venue)), str(root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment,
        )  # fmt: skip
        self.told: dict[str, Any] = {}

    def until(self, holds: Callable[[dict[str, Any]], bool], within_s: float = WITHIN_S) -> dict[str, Any]:
        """Read what it tells until something holds."""
        deadline = time.monotonic() + within_s
        stdout = self.process.stdout
        assert stdout is not None
        while not (self.told and holds(self.told)):
            ready = select.select([stdout], [], [], max(deadline - time.monotonic(), 0.0))[0]
            line = stdout.readline() if ready else ""
            assert line, (self.told, self.process.poll())
            self.told = json.loads(line)
        return self.told

    def limit(self, size: int) -> None:
        """Let it write files of no more than so many bytes; -1 lifts the limit."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{size}\n")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self) -> int:
        """Have it end, and return its exit code."""
        self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode


@contextmanager
def child_on(venue: SimUrls, root: Path) -> Iterator[Child]:
    made = Child(venue, root)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.kill()


def _picture(engine: Engine, began: float) -> dict[str, Any]:
    snapshot = engine.mailbox.latest()
    if snapshot is None:
        return {}
    return {
        "mode": str(snapshot.journal.mode),
        "text": snapshot.journal.text,
        "state": str(snapshot.stream.state),
        "fills": snapshot.fills_known,
        "height": snapshot.height,
        "failure": engine.failure,
        "after_s": round(time.monotonic() - began, 1),
    }


def _main() -> int:
    venue, root = SimUrls(**json.loads(sys.argv[1])), Path(sys.argv[2])
    engine = engine_on(network_of(venue), venue.account, journal=root, program="watch")
    began = time.monotonic()
    engine.start()
    while not (ready := select.select([sys.stdin], [], [], 0.02)[0]) or (line := sys.stdin.readline()):
        if ready:
            size = int(line) if int(line) >= 0 else resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        print(json.dumps(_picture(engine, began)), flush=True)
    return 0 if engine.stop() else 1


if __name__ == "__main__":
    sys.exit(_main())

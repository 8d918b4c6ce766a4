"""Kills a writing process at random moments and compares what is left with the truth.

usage: python -m tests.journal.kills [--count 200] [--fills 10000] [--seed N]
"""

import argparse
import random
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from dydx_console.journal.files import Place
from tests.journal.burst import IDENTITY, burst_fill

ROOT = Path(__file__).parent.parent.parent
START_S = 30.0
EARLY = 0.15
"""Share of the kills that come while the journal is being opened."""


@dataclass(slots=True)
class Outcome:
    """What the kills have shown."""

    kills: int = 0
    rounds: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    broken: list[str] = field(default_factory=list)
    slowest_open_s: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, changed or broken."""
        return not (self.lost or self.doubled or self.wrong or self.broken)


def killed(count: int, fills: int, seed: int, root: Path) -> Outcome:
    """Kill `count` times; a journal that has all its fills is checked and a new one is begun."""
    chance = random.Random(seed)
    outcome = Outcome()
    while outcome.kills < count:
        outcome.rounds += 1
        folder = root / str(outcome.rounds)
        acknowledged = 0
        while acknowledged < fills and outcome.kills < count:
            acknowledged = _life(folder, fills, chance, outcome)
            _compare(folder, acknowledged, outcome)
    return outcome


def _life(folder: Path, fills: int, chance: random.Random, outcome: Outcome) -> int:
    """Start the writer, kill it after a random while; returns how many fills it had said to be committed."""
    began = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.journal.burst", str(folder), str(fills)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    if chance.random() < EARLY:
        time.sleep(chance.random() * 0.4)
        return _end(child, outcome)
    said = b""
    if child.stdout is not None and select.select([child.stdout], [], [], START_S)[0]:
        said = child.stdout.readline()
    if said.strip() != b"open":
        outcome.broken.append("the writer did not open the journal")
    outcome.slowest_open_s = max(outcome.slowest_open_s, time.monotonic() - began)
    time.sleep(chance.random() ** 2 * 0.12)
    return _end(child, outcome)


def _end(child: "subprocess.Popen[bytes]", outcome: Outcome) -> int:
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate()
    outcome.kills += 1
    numbers = [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n") and line != b"open\n"]
    return max(numbers, default=0)


def _compare(folder: Path, acknowledged: int, outcome: Outcome) -> None:
    path = Place(folder, IDENTITY).path(1)
    if not path.exists() and not acknowledged:
        return
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            outcome.broken.append(verdict)
        rows = connection.execute("SELECT id, price, size FROM fills ORDER BY id").fetchall()
        read = connection.execute("SELECT read FROM cursors").fetchone()
    ids = {row[0] for row in rows}
    claimed = max(acknowledged, 0 if read is None else read[0])
    outcome.lost += sum(burst_fill(number).id not in ids for number in range(claimed))
    outcome.doubled += len(rows) - len(ids)
    for fill_id, price, size in rows:
        truth = burst_fill(int(fill_id.rpartition("-")[2]))
        outcome.wrong += (str(truth.price), str(truth.size)) != (price, size)
    if any(path.parent.glob("*.damaged-*")):
        outcome.broken.append("a file was moved aside")


def _main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--fills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        outcome = killed(given.count, given.fills, given.seed, Path(root))
    print(outcome)
    return 0 if outcome.is_clean and outcome.slowest_open_s <= 3 else 1


if __name__ == "__main__":
    sys.exit(_main())

"""Kills the whole engine at random moments while fills burst in, starts it again, and compares with the exchange.

usage: python -m tests.engine.kills [--count 200] [--fills 10000] [--burst 250] [--seed N]

A process with engine and journal, as `watch` runs it, follows an exchange of this program (tests/engine/fill_burst.py),
which brings about 1,000 fills a second as long as a burst lasts. Each life of the process begins beside what is left of
the last burst, and ends by SIGKILL: most within a burst of its own, some before it is LIVE. After every start, and at
the end of every exchange of `--fills` fills:

lost      fills that the exchange had committed before the start and the first LIVE picture lacks, that state or journal
          lack once the burst is over, or that the journal had before the kill and has no longer
doubled   fills beyond those of the exchange, in state or journal
wrong     rows whose price or size is not the exchange's, positions that are not, or that do not follow from the fills
broken    files that fail PRAGMA integrity_check or were moved aside, engines that failed or did not come

ready     from the start of the process until its picture is LIVE, with the history, and its journal is kept: on the
          clock, and of the engine's own, which leaves out how long its thread waited for a processor that other
          programs had (Linux tells; elsewhere the clock). The latter may be 3 s at most.

Ends with 1 where anything is lost, doubled, wrong, broken or late.
"""

import argparse
import json
import os
import random
import select
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from dydx_console.engine.child import SimUrls
from dydx_console.journal.files import Place
from dydx_console.ports.journal import JournalId
from tests.engine.fill_burst import A_BLOCK, BLOCK_MS, BurstingExchange, Truth

ROOT = Path(__file__).parent.parent.parent
EARLY = 0.25
"""Share of the kills that come before the engine is LIVE, as far as chance goes."""
EARLY_S = 2.0
LATER_S = 0.3
"""How long after the last fill of a burst a kill may come."""
LIVE_S = 60.0
SETTLED_S = 15.0
READY_S = 3.0


@dataclass(slots=True)
class Outcome:
    """What the kills have shown."""

    kills: int = 0
    early: int = 0
    fills: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    broken: list[str] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)
    after_s: list[float] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled, wrong, broken or late."""
        return not (self.lost or self.doubled or self.wrong or self.broken) and max(self.own_s, default=0.0) <= READY_S

    def counted(self, due: int, found: int) -> None:
        """Hold a number of fills against the exchange's."""
        self.lost += max(due - found, 0)
        self.doubled += max(found - due, 0)


class Life:
    """One process with an engine."""

    def __init__(self, urls: SimUrls, folder: Path) -> None:
        began = str(time.monotonic())
        self.told: dict[str, Any] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.watcher", json.dumps(asdict(urls)), str(folder), began],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self._rest = b""

    def until(self, holds: Callable[[dict[str, Any]], bool], within_s: float) -> bool:
        """Read what it tells, each line in turn, until something holds; returns whether it does."""
        deadline = time.monotonic() + within_s
        while not (self.told and holds(self.told)):
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest, self.told = rest, json.loads(line)
            elif not self._read(deadline):
                return False
        return True

    def kill(self) -> None:
        """End it without a word."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def end(self) -> int:
        """Have it end, and return its exit code."""
        self._process.communicate(timeout=LIVE_S)
        return self._process.returncode

    def _read(self, deadline: float) -> bool:
        stdout = self._process.stdout
        if stdout is None or not select.select([stdout], [], [], max(deadline - time.monotonic(), 0.0))[0]:
            return False
        part = os.read(stdout.fileno(), 65_536)
        self._rest += part
        return bool(part)


class Round:
    """One exchange, one journal, and one life after the other."""

    def __init__(self, exchange: BurstingExchange, folder: Path, burst: int, chance: random.Random) -> None:
        self.outcome = Outcome()
        self._exchange = exchange
        self._folder = folder
        self._burst = burst
        self._chance = chance
        identity = JournalId("test", exchange.urls.chain_id, exchange.urls.account)
        self._file = Place(folder, identity).path(1)
        self._kept: set[str] = set()

    def run(self, kills: int, fills: int) -> Outcome:
        """Kill so often, or until all fills were brought; then one life ends as it should."""
        asked = 0
        while asked < fills and self.outcome.kills < kills:
            asked += self._burst
            self._life()
        last = self._started()
        if self._is_live(last, len(self._truth().fills)):
            self._settled(last)
        if last.end():
            self._broken("the last engine did not end as it should")
        self.outcome.fills = len(self._truth().fills)
        self._compare(self._file, is_whole=True)
        if any(self._folder.rglob("*.damaged-*")):
            self._broken("a file was moved aside")
        return self.outcome

    def _life(self) -> None:
        chance, due = self._chance, len(self._truth().fills)
        life = self._started()
        if chance.random() < EARLY:
            self._exchange.burst(self._burst)
            time.sleep(chance.random() * EARLY_S)
            self.outcome.early += 1
        else:
            if self._is_live(life, due):
                self._settled(life)
            self._exchange.burst(self._burst)
            lasts_s = self._burst / A_BLOCK * BLOCK_MS / 1_000
            time.sleep(chance.random() * (lasts_s + LATER_S))
        life.kill()
        self.outcome.kills += 1
        if self._file.exists():
            self._compare_copy()

    def _started(self) -> Life:
        return Life(self._exchange.urls, self._folder)

    def _is_live(self, life: Life, due: int) -> bool:
        """Hold the first picture that is LIVE against what the exchange had committed before."""
        if not life.until(lambda told: told["state"] == "LIVE" and told["mode"] == "KEPT", LIVE_S):
            self._broken(f"no LIVE picture: {life.told}")
            return False
        self.outcome.lost += max(due - life.told["fills"], 0)
        self.outcome.own_s.append(life.told["own_s"])
        self.outcome.after_s.append(life.told["after_s"])
        return True

    def _settled(self, life: Life) -> None:
        """Hold state and journal against the exchange, once it brings nothing more."""
        deadline = time.monotonic() + SETTLED_S
        while not self._exchange.truth()[1] and time.monotonic() < deadline:
            time.sleep(0.02)
        truth = self._truth()

        def agrees(told: dict[str, Any]) -> bool:
            sizes = {Decimal(told["position"]), Decimal(told["booked"]), truth.position}
            return told["fills"] == len(truth.fills) and len(sizes) == 1

        if not life.until(agrees, SETTLED_S):
            self.outcome.counted(len(truth.fills), life.told["fills"])
            self.outcome.wrong += 1
            self._broken(f"{life.told} where {len(truth.fills)} fills and {truth.position} are so")
        if life.told["failure"] is not None:
            self._broken(life.told["failure"])
        while len(_rows(self._file)[1]) < len(truth.fills) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._compare(self._file, is_whole=True)

    def _compare_copy(self) -> None:
        """Compare what was left, which nobody but the next engine is to recover."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / self._file.name
            for companion in ("", "-wal"):
                if Path(f"{self._file}{companion}").exists():
                    shutil.copyfile(f"{self._file}{companion}", f"{copy}{companion}")
            self._compare(copy, is_whole=False)

    def _compare(self, file: Path, *, is_whole: bool) -> None:
        verdict, rows = _rows(file)
        if verdict != "ok":
            self._broken(verdict)
        truth, ids = self._truth().fills, [row[0] for row in rows]
        self.outcome.doubled += len(ids) - len(truth.keys() & set(ids))
        self.outcome.lost += len((set(truth) if is_whole else self._kept) - set(ids))
        self.outcome.wrong += sum(
            (Decimal(price), Decimal(size)) != truth[name] for name, price, size in rows if name in truth
        )
        self._kept |= set(ids)

    def _truth(self) -> Truth:
        return self._exchange.truth()[0]

    def _broken(self, what: str) -> None:
        self.outcome.broken.append(what)


def _rows(file: Path) -> tuple[str, list[tuple[str, str, str]]]:
    """Return a file's check, and its fills."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as connection:
        connection.execute("BEGIN")
        verdict = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
        return verdict, connection.execute("SELECT id, price, size FROM fills").fetchall()


def killed(count: int, fills: int, burst: int, seed: int, told: Callable[[Outcome], None]) -> list[Outcome]:
    """Kill `count` times, an exchange of `fills` fills after the other; `told` is given the outcome of each."""
    chance = random.Random(seed)
    outcomes: list[Outcome] = []
    while (left := count - sum(outcome.kills for outcome in outcomes)) > 0:
        exchange = BurstingExchange(chance.randrange(1 << 30))
        try:
            with tempfile.TemporaryDirectory() as folder:
                outcomes.append(Round(exchange, Path(folder), burst, chance).run(left, fills))
        finally:
            exchange.close()
        told(outcomes[-1])
    return outcomes


def _figures(seconds: list[float]) -> str:
    ordered = sorted(seconds) or [0.0]
    p99 = ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)]
    return f"{statistics.median(ordered):5.2f} {p99:5.2f} {ordered[-1]:5.2f}"


def _line(name: str, outcomes: list[Outcome]) -> str:
    counts = [sum(getattr(each, key) for each in outcomes) for key in ("kills", "early", "fills", "lost", "doubled")]
    wrong, broken = sum(each.wrong for each in outcomes), sum(len(each.broken) for each in outcomes)
    own, after = ([value for each in outcomes for value in getattr(each, key)] for key in ("own_s", "after_s"))
    shown = " ".join(f"{value:7,}" for value in (*counts, wrong, broken))
    return f"{name:>5} {shown}    {_figures(own)}    {_figures(after)}"


def _main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--fills", type=int, default=10_000, help="of one exchange; it forgets what goes far beyond")
    parser.add_argument("--burst", type=int, default=250, help="fills for each life")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("                                                                 ready, own time s    by the clock s")
    print("round   kills   early   fills    lost doubled   wrong  broken      p50   p99 worst      p50   p99 worst")
    outcomes: list[Outcome] = []

    def told(outcome: Outcome) -> None:
        outcomes.append(outcome)
        print(_line(str(len(outcomes)), [outcome]), *outcome.broken, sep="\n      ", flush=True)

    began = time.monotonic()
    killed(given.count, given.fills, given.burst, given.seed, told)
    print(_line("all", outcomes))
    is_clean = all(outcome.is_clean for outcome in outcomes)
    print(f"{'clean' if is_clean else 'NOT CLEAN'} after {time.monotonic() - began:,.0f} s, seed {given.seed}")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(_main())

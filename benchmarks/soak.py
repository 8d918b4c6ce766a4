"""A long run under load with a connection reset a minute: does anything grow, and is anything lost?

usage: python -m benchmarks.soak [--minutes 30] [--rate 500] [--reset-every 60] [--trades-per-minute 2]

`watch` runs in a process of its own, with its health server and its journal, against an embedded exchange in another
one, which sends that many messages a second, trades now and then and resets the connection. Every ten seconds the
engine's process is asked for descriptors, threads, tasks of its loop and resident memory. At the end its fills are
compared with the exchange's.

Verdicts, from the samples after the warm-up (15 minutes, half of a run shorter than 30; by then the bounded caches of
numbers are full):

* descriptors, threads, tasks: the lowest count of a minute stays within two, first to last. A reconnect needs some
  more for a moment, so the counts at one instant say nothing.
* memory: the slope by least squares, with the 95 % interval that the scatter gives. It fails when the whole interval
  is above the budget. A budget inside the interval, or less than ten minutes of samples, leaves it open: a longer run
  decides. What an account's own history takes is part of it: fills and orders are counted beside it.
* fills: none lost, none twice, the positions equal; and in the journal none lost, none twice.

The exit code is 1 when a verdict fails.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

SAMPLE_S = 10.0
WARM_UP_S = 900.0
MOST_SLOPE = 1.0
DECIDES_S = 600.0
MOST_DRIFT = 2
SETTLE_S = 30.0
SHOWN = 30
MEGABYTE = 1e6
COUNTS = ("fds", "threads", "tasks")


@dataclass(frozen=True, slots=True)
class Sample:
    """The engine's process at a moment; `at_s` since the start of the run, memory in megabytes."""

    at_s: float
    fds: int
    threads: int
    tasks: int
    resident_mb: float
    applied: int
    reconnects: int
    state: str
    fills: int
    orders: int
    late_ms: float
    """How long the engine's loop let the question wait."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a figure amounts to. `holds` is None where the run was too short to tell."""

    name: str
    holds: bool | None
    text: str


# --- the engine's process ---------------------------------------------------------------------------------------------


def _run_engine(arguments: list[str]) -> None:
    """Run the console's `watch` here, and answer each line of standard input with a line of figures."""
    from dydx_console.__main__ import main
    from dydx_console.cli import live
    from dydx_console.engine.compose import live_engine
    from dydx_console.engine.runtime import Engine

    held: list[Engine] = []

    def kept(*args: Any, **given: Any) -> Engine:
        held.append(live_engine(*args, **given))
        return held[-1]

    def answer() -> None:
        for _line in sys.stdin:
            print(json.dumps(_figures(held[-1]) if held else None), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)  # nobody asks any more

    threading.Thread(target=answer, name="soak", daemon=True).start()
    sys.argv = ["dydx-console", *arguments]
    with patch.object(live, "live_engine", kept):
        main()


def _figures(engine: Any) -> dict[str, object] | None:
    snapshot, loop = engine.mailbox.latest(), engine._loop
    if snapshot is None or loop is None:
        return None
    asked_at = time.monotonic()
    heard_at, tasks = asyncio.run_coroutine_threadsafe(_tasks(), loop).result(10)
    return {
        "fds": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "tasks": tasks,
        "resident_mb": _resident_mb(),
        "applied": engine.applied,
        "reconnects": snapshot.stream.reconnects,
        "state": str(snapshot.stream.state),
        "fills": snapshot.fills_known,
        "orders": len(snapshot.orders),
        "late_ms": (heard_at - asked_at) * 1e3,
        "ids": [fill.id for fill in snapshot.fills],
        "positions": {view.position.market: str(view.position.net_size) for view in snapshot.positions},
    }


async def _tasks() -> tuple[float, int]:
    return time.monotonic(), len(asyncio.all_tasks()) - 1


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


# --- the exchange's process -------------------------------------------------------------------------------------------


async def _run_exchange(rate: int, reset_every_s: float, trades_per_minute: float) -> None:
    """Serve, trade and reset until a line comes; then say what was so, and serve on until the input ends."""
    from benchmarks.busy import BusyVenue, Hand
    from dydx_console.sim.shell.server import running, wall_ms
    from dydx_console.sim.venue import VenueOptions

    options = VenueOptions(trader=False, history_hours=0)
    venue = BusyVenue(options, wall_ms(), rate)
    async with running(options, venue=venue) as served:
        print(json.dumps(served.facts()), flush=True)
        loop = asyncio.get_running_loop()
        works = _Works(venue, Hand(venue, served.submit), reset_every_s, trades_per_minute)
        task = loop.create_task(works.run())
        await loop.run_in_executor(None, sys.stdin.readline)
        task.cancel()
        await asyncio.sleep(3.0)
        print(json.dumps({"said": venue.said, "resets": works.resets, **_truth(venue)}), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)


class _Works:
    """Trades and resets by the clock. Each second trade follows a reset by less than a second."""

    def __init__(self, venue: Any, hand: Any, reset_every_s: float, trades_per_minute: float) -> None:
        self.resets = 0
        self._venue = venue
        self._hand = hand
        self._reset_every_s = reset_every_s
        self._trade_every_s = 120.0 / trades_per_minute if trades_per_minute else None
        self._rng = random.Random(4)
        self._next_size = -1

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reset())
            if self._trade_every_s is not None:
                tasks.create_task(self._trade(self._trade_every_s))

    async def _reset(self) -> None:
        from dydx_console.sim.faults.kinds import Kind
        from dydx_console.sim.shell.server import wall_ms

        while True:
            await asyncio.sleep(self._reset_every_s)
            self._venue.inflict(Kind.RESET, wall_ms())
            self.resets += 1
            if self._trade_every_s is not None:
                await asyncio.sleep(self._rng.random())
                self._trade_once()

    async def _trade(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * every_s)
            self._trade_once()

    def _trade_once(self) -> None:
        """Buy or sell the smallest size, in turns."""
        self._next_size = -self._next_size
        self._hand.take(self._next_size)


def _truth(venue: Any) -> dict[str, object]:
    """Return the account's fills and positions as the exchange has them."""
    account, now_ms = venue.options.account, venue.exchange.time_ms
    whose = {"address": account, "parentSubaccountNumber": "0", "limit": "1000"}
    ids: list[str] = []
    for page in range(1, 1_000):
        body = venue.comlink.fetch("/v4/fills/parentSubaccountNumber", now_ms, {**whose, "page": str(page)}).body
        rows = json.loads(body)["fills"]
        ids += [row["id"] for row in rows]
        if not rows:
            break
    body = venue.comlink.fetch(f"/v4/addresses/{account}/parentSubaccountNumber/0", now_ms).body
    children = json.loads(body)["subaccount"]["childSubaccounts"]
    positions = {name: row["size"] for child in children for name, row in child["openPerpetualPositions"].items()}
    return {"ids": ids, "positions": positions}


# --- the run ----------------------------------------------------------------------------------------------------------


class _Child:
    """One of the two processes: a line is answered with a line of JSON. Its standard error goes to `errors`."""

    def __init__(self, *arguments: str, errors: Path, environment: dict[str, str] | None = None) -> None:
        self._errors = errors
        with errors.open("w") as told:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.soak", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
                env={**os.environ, **(environment or {})},
            )

    def hear(self) -> Any:
        """Return the next line. Exits where the process has ended."""
        line = "" if self.process.stdout is None else self.process.stdout.readline()
        if not line:
            self._give_up()
        return json.loads(line)

    def ask(self) -> Any:
        """Say a line and return the answer."""
        if self.process.stdin is None or self.process.poll() is not None:
            self._give_up()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.hear()

    def _give_up(self) -> NoReturn:
        words = self._errors.read_text()[-2_000:]
        raise SystemExit(f"a process ended with {self.process.wait()}: {words}")

    def end(self) -> int:
        """End it by signal; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        return self.process.wait()


@contextmanager
def _exchange(
    home: str, rate: int, reset_every_s: float, trades_per_minute: float
) -> Iterator[tuple[_Child, dict[str, str]]]:
    child = _Child("--exchange", f"{rate},{reset_every_s},{trades_per_minute}", errors=Path(home) / "exchange.log")
    try:
        yield child, child.hear()
    finally:
        child.process.kill()
        child.process.communicate()


def _started(venue: dict[str, str], home: str) -> _Child:
    config = Path(home) / "config.toml"
    config.write_text(
        f'network = "here"\naddress = "{venue["account"]}"\n[log]\nfile = "{home}/log"\n[networks.here]\n'
        f'chain_id = "{venue["chain_id"]}"\nindexer_rest = "{venue["rest"]}"\n'
        f'indexer_websocket = "{venue["websocket"]}"\nnodes = ["{venue["grpc"]}"]\n'
    )
    config.chmod(0o600)
    places = {"HOME": home, "XDG_STATE_HOME": f"{home}/state", "XDG_CONFIG_HOME": f"{home}/config"}
    watch = json.dumps(["watch", "--config", str(config), "--health", f"unix:{home}/health.sock"])
    return _Child("--engine", watch, errors=Path(home) / "engine.log", environment=places)


def _sample(engine: _Child, began: float) -> tuple[Sample, list[str], dict[str, str]] | None:
    figures = engine.ask()
    if figures is None:
        return None
    ids, positions = figures.pop("ids"), figures.pop("positions")
    return Sample(at_s=time.monotonic() - began, **figures), ids, positions


def _soak(engine: _Child, minutes: float, tell: Callable[[Sample], None]) -> tuple[list[Sample], set[str]]:
    """Sample for so long; returns the samples and every fill that was shown."""
    began = time.monotonic()
    samples: list[Sample] = []
    shown: set[str] = set()
    while time.monotonic() - began < minutes * 60:
        time.sleep(SAMPLE_S)
        taken = _sample(engine, began)
        if taken is not None:
            samples.append(taken[0])
            shown.update(taken[1])
            tell(taken[0])
    return samples, shown


def _settled(engine: _Child, truth: dict[str, Any], shown: set[str]) -> Verdict:
    """Return how the engine's fills and positions compare with the exchange's, once it has had time to agree."""
    deadline = time.monotonic() + SETTLE_S
    true = set(truth["ids"])
    while True:
        taken = _sample(engine, 0.0)
        known, ids, positions = (0, [], {}) if taken is None else (taken[0].fills, taken[1], taken[2])
        shown.update(ids)
        lost, invented = len(true - shown), len(shown - true)
        doubled = known - len(shown) + len(ids) - len(set(ids))
        agrees = not lost and not invented and not doubled and positions == truth["positions"]
        if agrees or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    text = f"{len(true):,} at the venue: {lost} lost, {doubled} twice, {invented} of nowhere; positions "
    return Verdict("fills", agrees, text + ("equal" if positions == truth["positions"] else "differ"))


def _journal(home: str, truth: dict[str, Any]) -> Verdict:
    """Return how the fills on the disk compare with the exchange's, after the engine has ended."""
    files = sorted(Path(home, "state").rglob("*.db"))
    if len(files) != 1:
        return Verdict("journal", False, f"{len(files)} journals")
    with closing(sqlite3.connect(f"file:{files[0]}?mode=ro", uri=True)) as database:
        ids = [row[0] for row in database.execute("SELECT id FROM fills")]
        state = database.execute("PRAGMA integrity_check").fetchone()[0]
    lost, doubled = len(set(truth["ids"]) - set(ids)), len(ids) - len(set(ids))
    text = f"{len(ids):,} fills: {lost} lost, {doubled} twice; integrity_check {state}; "
    size_mb = sum(file.stat().st_size for file in files[0].parent.glob(f"{files[0].name}*")) / MEGABYTE
    return Verdict("journal", not lost and not doubled and state == "ok", text + f"{size_mb:.1f} MB")


def _steady(name: str, samples: list[Sample]) -> Verdict:
    lowest: dict[int, int] = {}
    counts = [getattr(sample, name) for sample in samples]
    for sample, value in zip(samples, counts, strict=True):
        minute = int(sample.at_s // 60)
        lowest[minute] = min(value, lowest.get(minute, value))
    drift = max(lowest.values()) - min(lowest.values())
    text = f"lowest of a minute {min(lowest.values())} to {max(lowest.values())}, at any instant up to {max(counts)}"
    return Verdict(name, drift <= MOST_DRIFT, text)


def _slope(samples: list[Sample]) -> Verdict:
    """Return the slope of resident memory in megabytes an hour."""
    hours = [sample.at_s / 3600 for sample in samples]
    sizes = [sample.resident_mb for sample in samples]
    slope, intercept = statistics.linear_regression(hours, sizes)
    rest = sum((size - slope * hour - intercept) ** 2 for hour, size in zip(hours, sizes, strict=True))
    spread = sum((hour - statistics.fmean(hours)) ** 2 for hour in hours)
    margin = 1.96 * (rest / max(len(samples) - 2, 1) / spread) ** 0.5
    text = f"{slope:+.2f} MB/h, 95 % within ± {margin:.2f}; {sizes[0]:.1f} to {sizes[-1]:.1f} MB"
    grew = samples[-1].fills - samples[0].fills, samples[-1].orders - samples[0].orders
    text += f" while {grew[0]} fills and {grew[1]} orders were added"
    if hours[-1] - hours[0] < DECIDES_S / 3600:
        return Verdict("memory", None, text)
    if slope + margin <= MOST_SLOPE:
        return Verdict("memory", True, text)
    return Verdict("memory", False if slope - margin > MOST_SLOPE else None, text)


def _connected(samples: list[Sample], resets: int) -> Verdict:
    live = sum(sample.state == "LIVE" for sample in samples) / len(samples)
    reconnects = samples[-1].reconnects
    text = f"{resets} resets, {reconnects} reconnects, LIVE in {live:.0%} of the samples"
    return Verdict("stream", reconnects >= resets * 0.9 - 1 and live >= 0.8, text)


def _row(sample: Sample) -> str:
    return (
        f"  {sample.at_s:7.0f} {sample.fds:5} {sample.threads:8} {sample.tasks:6} {sample.resident_mb:7.1f}"
        f" {sample.late_ms:8.1f} {sample.applied:10,} {sample.reconnects:11} {sample.fills:6} {sample.orders:7}"
        f"  {sample.state}"
    )


def _judged(samples: list[Sample], minutes: float, resets: int) -> list[Verdict]:
    warm_up_s = min(WARM_UP_S, minutes * 30)
    warm = [sample for sample in samples if sample.at_s >= warm_up_s]
    if len(warm) < 3:
        raise SystemExit("too short: no three samples after the warm-up")
    seconds = warm[-1].at_s - warm[0].at_s
    rate = (warm[-1].applied - warm[0].applied) / seconds
    late = sorted(sample.late_ms for sample in warm)
    print(f"after a warm-up of {warm_up_s:.0f} s: {len(warm)} samples in {seconds:.0f} s, {rate:.0f} events/s taken,")
    print(f"  the loop answered after {statistics.median(late):.1f} ms (median), {late[-1]:.1f} ms at the latest")
    return [_slope(warm), *(_steady(name, warm) for name in COUNTS), _connected(warm, resets)]


def main() -> None:
    """Run, print and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--reset-every", type=float, default=60.0)
    parser.add_argument("--trades-per-minute", type=float, default=2.0)
    parser.add_argument("--exchange", help=argparse.SUPPRESS)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.exchange:
        rate, reset_every, trades = options.exchange.split(",")
        asyncio.run(_run_exchange(int(rate), float(reset_every), float(trades)))
        return
    if options.engine:
        _run_engine(json.loads(options.engine))
        return
    print(
        f"{options.minutes:g} minutes, {options.rate} messages/s, a reset every {options.reset_every:g} s", flush=True
    )
    print("  seconds   fds  threads  tasks      MB  late ms     events  reconnects  fills  orders  stream", flush=True)
    every = max(1, int(options.minutes * 60 / SAMPLE_S / SHOWN))
    heard = 0

    def tell(sample: Sample) -> None:
        nonlocal heard
        if heard % every == 0:
            print(_row(sample), flush=True)
        heard += 1

    with (
        tempfile.TemporaryDirectory() as home,
        _exchange(home, options.rate, options.reset_every, options.trades_per_minute) as (exchange, venue),
    ):
        engine = _started(venue, home)
        try:
            samples, shown = _soak(engine, options.minutes, tell)
            truth = exchange.ask()
            verdicts = [*_judged(samples, options.minutes, truth["resets"]), _settled(engine, truth, shown)]
        finally:
            code = engine.end()
        verdicts.append(_journal(home, truth))
    verdicts.append(Verdict("end", code == 0, f"exit code {code}"))
    for verdict in verdicts:
        word = {True: "holds", False: "FAILS", None: "open"}[verdict.holds]
        print(f"  {verdict.name:8} {word:6} {verdict.text}")
    if any(verdict.holds is False for verdict in verdicts):
        sys.exit(1)


if __name__ == "__main__":
    main()

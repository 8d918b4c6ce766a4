"""`run`, `demo` and `record`: the live engine, with a screen or without."""

import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.watching import Watching, open_log, reach
from dydx_console.config.settings import Settings
from dydx_console.engine.compose import live_engine
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.runtime import Engine
from dydx_console.ports.network import NetworkView
from dydx_console.safety.networks import SIM_CHAIN_ID

__all__ = ["ScreenOptions", "demo", "record", "run", "show"]

PROGRESS_S = 1.0


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """What the command line asks of a screen."""

    for_seconds: float | None = None
    screenshot: Path | None = None
    bell: bool = True


def run(watching: Watching, options: ScreenOptions, record_to: Path | None) -> int:
    """Open the console on a network's Indexer; returns the exit code."""
    log_path = open_log(watching.settings)
    reach(watching.network.indexer_rest, log_path)
    return show(_live(watching, record_to), watching.settings, options, log_path)


def demo(settings: Settings, options: ScreenOptions, seed: int | None) -> int:
    """Open the console on an exchange of its own; returns the exit code. The screen does not wait for the exchange."""
    from dydx_console.engine.child import SimChild
    from dydx_console.sim.core.addresses import DEMO_ADDRESS

    log_path = open_log(settings)
    child = SimChild(("--account", DEMO_ADDRESS, *(() if seed is None else ("--seed", str(seed)))))
    try:
        view = NetworkView("demo", "sim", SIM_CHAIN_ID, None, None, confirmed=True, read_only=True)
        return show(live_engine(LivePlan("", "", DEMO_ADDRESS, 0), view, child), settings, options, log_path)
    finally:
        child.stop()


def show(engine: Engine, settings: Settings, options: ScreenOptions, log_path: Path) -> int:
    """Run an engine under the screen, which starts it; returns the exit code when the screen has been left."""
    from dydx_console.tui.run import UiOptions, run_console

    try:
        return run_console(
            engine,
            UiOptions(
                for_seconds=options.for_seconds,
                screenshot=options.screenshot,
                theme=settings.ui.theme,
                bell=settings.ui.bell and options.bell,
                keymap=settings.ui.keys,
                unmasked_screenshots=settings.ui.unmasked_screenshots,
                log_path=log_path,
            ),
        )
    finally:
        engine.stop()


def record(watching: Watching, path: Path, for_seconds: float | None) -> int:
    """Write a recording until a signal, Ctrl-C or the given time ends it; returns the exit code."""
    log_path = open_log(watching.settings)
    reach(watching.network.indexer_rest, log_path)
    engine = _live(watching, path)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    sys.stderr.write(f"recording {watching.network.name} to {path}; Ctrl-C ends it\n")
    engine.start()
    started = time.monotonic()
    try:
        while not ended.wait(PROGRESS_S) and engine.failure is None:
            elapsed_s = time.monotonic() - started
            _progress(engine, elapsed_s)
            if for_seconds is not None and elapsed_s >= for_seconds:
                break
    finally:
        engine.stop()
        if sys.stderr.isatty():
            sys.stderr.write("\n")
    if engine.failure is not None:
        fail(Exit.UNEXPECTED, f"{engine.failure} (log: {log_path})")
    sys.stderr.write(f"recorded {engine.applied} events in {path}\n")
    return Exit.OK


def _progress(engine: Engine, elapsed_s: float) -> None:
    if sys.stderr.isatty():
        snapshot = engine.mailbox.latest()
        state = "…" if snapshot is None else snapshot.stream.state
        sys.stderr.write(f"\r{elapsed_s:6.0f} s  {engine.applied:>9,} events  {state:<12}")
        sys.stderr.flush()


def _live(watching: Watching, record_to: Path | None) -> Engine:
    network = watching.network
    plan = LivePlan(
        network.indexer_rest,
        network.indexer_websocket,
        watching.address,
        watching.parent,
        record_to,
        watching.settings.record.max_megabytes,
    )
    try:
        return live_engine(plan, watching.view)
    except FileExistsError:
        fail(Exit.USAGE, f"{record_to} exists already; a recording is never written over")
    except OSError as error:
        fail(Exit.USAGE, f"cannot write {record_to}: {error.strerror or error}")

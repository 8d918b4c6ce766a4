"""`run`, `demo`, `record` and `watch`: the live engine, with a screen or without."""

import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dydx_console.cli.admission import Admission
from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.preflighting import demo_plan, plan_of
from dydx_console.cli.waiting import wait_for_end
from dydx_console.config.load import default_journal_path
from dydx_console.config.settings import Settings
from dydx_console.engine.compose import live_engine
from dydx_console.engine.gate import Gate
from dydx_console.engine.plan import JournalPlan, LivePlan
from dydx_console.engine.runtime import Engine
from dydx_console.journal.looking import newer_refusal
from dydx_console.ports.network import NetworkView
from dydx_console.safety.networks import SIM, SIM_CHAIN_ID, Network
from dydx_console.safety.policy import Entry, Environment, Purpose, Request, decide

if TYPE_CHECKING:
    from dydx_console.health.token import ApiToken

__all__ = ["DemoOptions", "ScreenOptions", "demo", "journal_plan", "reach", "record", "run", "show", "watch"]

REACH_TIMEOUT_S = 5.0
RUN_ID_BYTES = 3
HAS_JOURNALS = os.name == "posix"
"""Whether files can be locked and sockets have names in the file system, as the ownership of a journal needs."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """What the command line asks of a screen."""

    for_seconds: float | None = None
    screenshot: Path | None = None
    bell: bool = True


def run(
    admission: Admission, options: ScreenOptions, record_to: Path | None, health: str | None, log_path: Path
) -> int:
    """Open the console on a network; returns the exit code."""
    token = None if health is None else _api_token(admission.settings)
    if admission.gate.decision.runs:
        reach(admission, log_path)
    engine = _live(admission, "run", record_to, log_path)
    with _served_health(engine, admission, health, token):
        return show(engine, admission.settings, options, log_path)


def watch(admission: Admission, health: str, for_seconds: float | None, log_path: Path) -> int:
    """Run the engine without a screen, with the health server, until a signal ends it; returns the exit code."""
    token = _api_token(admission.settings)
    reach(admission, log_path)
    engine = _live(admission, "watch", None, log_path)
    with _served_health(engine, admission, health, token):
        engine.start()
        log.info("watching %s", admission.network.name)
        try:
            wait_for_end(engine, for_seconds, _told_states(engine))
        finally:
            engine.stop()
    return _ended(engine, log_path)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asks of the exchange: `faults` names the schedule by which it misbehaves.

    `shocks` are price jumps as `sim --shock` takes them; `risky` has the account hold what they liquidate.
    """

    seed: int | None = None
    faults: str | None = None
    shocks: tuple[str, ...] = ()
    risky: bool = False

    def arguments(self) -> tuple[str, ...]:
        """The same as `sim` reads it. Ends the command where something is not to be understood."""
        from dydx_console.sim.actors.shocks import parse_shock
        from dydx_console.sim.faults.schedules import SCHEDULES

        if self.faults is not None and self.faults not in SCHEDULES:
            fail(Exit.USAGE, f"--faults {self.faults}: no such schedule; there are {', '.join(SCHEDULES)}")
        for shock in self.shocks:
            try:
                parse_shock(shock)
            except ValueError as error:
                fail(Exit.USAGE, f"--shock {error}")
        seeded = () if self.seed is None else ("--seed", str(self.seed))
        faulty = () if self.faults is None else ("--faults", self.faults)
        shocking = tuple(argument for shock in self.shocks for argument in ("--shock", shock))
        return (*seeded, *faulty, *shocking, *(("--risky",) if self.risky else ()))


def demo(settings: Settings, options: ScreenOptions, exchange: DemoOptions, log_path: Path) -> int:
    """Open the console on an exchange of its own; returns the exit code. The screen does not wait for the exchange."""
    from dydx_console.engine.child import SimChild
    from dydx_console.sim.core.addresses import DEMO_ADDRESS

    asked = exchange.arguments()
    network = Network("demo", SIM, f"{SIM_CHAIN_ID}-{secrets.token_hex(RUN_ID_BYTES)}", "", "")
    # the environment says nothing about an exchange of one's own
    decision = decide(Request(Environment.DEVELOPMENT, network, Entry.SCREEN, has_terminal=True, purpose=Purpose.READ))
    child = SimChild(("--account", DEMO_ADDRESS, "--chain-id", network.chain_id, *asked))
    try:
        view = NetworkView("demo", SIM, network.chain_id, None, None, confirmed=True, read_only=True)
        checks = demo_plan(network, decision, DEMO_ADDRESS)
        # the chain is a new one each time, so what is kept of it is worth nothing afterwards
        with tempfile.TemporaryDirectory(prefix="dydx-demo-", ignore_cleanup_errors=True) as folder:
            journal = JournalPlan(Path(folder), "demo") if HAS_JOURNALS else None
            plan = LivePlan(network, DEMO_ADDRESS, 0, journal=journal, risk=settings.risk.limits)
            engine = live_engine(plan, checks, Gate(decision), view, child)
            return show(engine, settings, options, log_path)
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


def record(admission: Admission, path: Path, for_seconds: float | None, log_path: Path) -> int:
    """Write a recording until a signal, Ctrl-C or the given time ends it; returns the exit code."""
    reach(admission, log_path)
    engine = _live(admission, "record", path, log_path)
    sys.stderr.write(f"recording {admission.network.name} to {path}; Ctrl-C ends it\n")
    engine.start()
    try:
        wait_for_end(engine, for_seconds, _progress(engine))
    finally:
        engine.stop()
        if sys.stderr.isatty():
            sys.stderr.write("\n")
    code = _ended(engine, log_path)
    sys.stderr.write(f"recorded {engine.applied} events in {path}\n")
    return code


def reach(admission: Admission, log_path: Path) -> None:
    """End the command with one line where the Indexer's host cannot be reached at all; a proxy is not gone round."""
    if admission.settings.proxy.allow:
        return
    split = urlsplit(admission.network.indexer_rest)
    port = split.port or (443 if split.scheme in ("https", "wss") else 80)
    host = split.hostname or ""
    try:
        socket.create_connection((host, port), REACH_TIMEOUT_S).close()
    except OSError as error:
        log.error("cannot reach %s:%d: %s", host, port, error.strerror or error)
        fail(Exit.UNREACHABLE, f"cannot reach {host}:{port}: {error.strerror or error} (log: {log_path})")


def _ended(engine: Engine, log_path: Path) -> int:
    if engine.failure is not None:
        fail(Exit.UNEXPECTED, f"{engine.failure} (log: {log_path})")
    return Exit.OK


def _progress(engine: Engine) -> Iterator[None]:
    """Write a line of progress at every step, where a person can see it."""
    elapsed_s = 0
    while True:
        yield
        elapsed_s += 1
        if sys.stderr.isatty():
            snapshot = engine.mailbox.latest()
            state = "…" if snapshot is None else snapshot.stream.state
            sys.stderr.write(f"\r{elapsed_s:6.0f} s  {engine.applied:>9,} events  {state:<12}")
            sys.stderr.flush()


def _told_states(engine: Engine) -> Iterator[None]:
    """Log the stream's state and the node's contradiction at every step where they have changed."""
    told: tuple[str | None, str | None] = (None, None)
    while True:
        yield
        snapshot = engine.mailbox.latest()
        if snapshot is None:
            continue
        state, _ = snapshot.stream.later(max(engine.monotonic() - snapshot.at, 0.0))
        now = (str(state), snapshot.node.contradiction)
        if now != told:
            log.info("stream %s at #%s", now[0], snapshot.height)
            if now[1] is not None:
                log.error("%s", now[1])
            told = now


def _api_token(settings: Settings) -> "ApiToken | None":
    """Return the token of the account's API, None where it is off; ends the command (78) where its file is no good."""
    from dydx_console.health.token import TokenFileError, read_token

    path = settings.health.api_token_file
    try:
        return None if path is None else read_token(path.expanduser())
    except TokenFileError as error:
        fail(Exit.CONFIGURATION, str(error))


@contextmanager
def _served_health(
    engine: Engine, admission: Admission, listen: str | None, token: "ApiToken | None" = None
) -> Iterator[None]:
    """Serve an engine's health while something runs, its account where there is a token.

    Where `listen` is None, nothing listens.
    """
    if listen is None:
        yield
        return
    from dydx_console.engine.health import EngineHealth
    from dydx_console.health.api import Api
    from dydx_console.health.listen import parse_listen
    from dydx_console.health.server import HealthServer
    from dydx_console.ports.clock import SystemClock

    try:
        api = None if token is None else Api(engine, token)
        server = HealthServer(EngineHealth(engine, admission.network, SystemClock()), parse_listen(listen), api=api)
        at = server.start()
    except ValueError as error:
        fail(Exit.USAGE, str(error))
    except OSError as error:
        fail(Exit.UNREACHABLE, f"health: {error.strerror or error}")
    log.info("health at %s", at)
    try:
        yield
    finally:
        server.stop()


def journal_plan(admission: Admission, program: str) -> JournalPlan | None:
    """Return where the history is kept; ends the command (78) where a newer version has written it."""
    settings, address = admission.settings, admission.address
    if not settings.journal.keep or address is None or not HAS_JOURNALS:
        return None
    folder = settings.journal.folder
    root = default_journal_path() if folder is None else folder.expanduser()
    refusal = newer_refusal(root, admission.network.name, admission.network.chain_id, address)
    if refusal is not None:
        fail(Exit.CONFIGURATION, refusal)
    return JournalPlan(root, program)


def _live(admission: Admission, program: str, record_to: Path | None, log_path: Path) -> Engine:
    settings = admission.settings
    plan = LivePlan(
        network=admission.network,
        address=admission.address,
        parent=admission.parent,
        record_to=record_to,
        record_megabytes=settings.record.max_megabytes,
        allow_proxy=settings.proxy.allow,
        journal=journal_plan(admission, program),
        risk=settings.risk.limits,
        leverage=settings.leverage,
    )
    checks = plan_of(admission.loaded, admission.network, admission.gate.decision, log_path)
    try:
        return live_engine(plan, checks, admission.gate, admission.view)
    except FileExistsError:
        fail(Exit.USAGE, f"{record_to} exists already; a recording is never written over")
    except OSError as error:
        fail(Exit.USAGE, f"cannot write {record_to}: {error.strerror or error}")

"""Commands as they are run: in a terminal that is theirs, so that Ctrl-C reaches them, or with no terminal at all."""

import contextlib
import fcntl
import json
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tui.pty_harness import Terminal
from venues import console, written

from dydx_console.cli.scrub import scrub
from dydx_console.engine.child import SimUrls

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60.0
OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
)
"""Takes the terminal for its own before it becomes the command: only then does Ctrl-C in it mean a signal."""

Told = TypeVar("Told")
Ran = subprocess.CompletedProcess[str]


@contextmanager
def short_home() -> Iterator[Path]:
    """Make a home whose path is short enough for a unix socket in it."""
    with tempfile.TemporaryDirectory(prefix="dx") as folder:
        yield Path(folder)


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return variables under which nothing of the user's counts."""
    dropped = ("DYDX_CONSOLE", "XDG_", "NO_COLOR", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    scrub(kept)
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONPATH": f"{ROOT}:{ROOT}/tests",
        "TERM": "xterm-256color",
        **(more or {}),
    }


def ran(home: Path, *arguments: str, more: Mapping[str, str] | None = None, typed: str | None = None) -> Ran:
    """Run the console without a terminal; `typed` is piped into it."""
    return ended(console(*arguments), environment(home, more), typed)


def asked(home: Path, *arguments: str) -> Ran:
    """Give the command line words that it refuses before it looks at anything else, in this process and `home`."""
    from typer.testing import CliRunner

    from dydx_console.cli.app import app

    with chdir(home):
        told = CliRunner().invoke(app, list(arguments))
    return Ran(arguments, told.exit_code, told.stdout, told.stderr)


def together(jobs: Mapping[str, Callable[[], Told]]) -> dict[str, Told]:
    """Do things at the same time, and return what each returned."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        doing = {name: pool.submit(job) for name, job in jobs.items()}
        return {name: job.result() for name, job in doing.items()}


def ended(command: list[str], variables: Mapping[str, str], typed: str | None = None) -> Ran:
    """Run any command without a terminal, to its end."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if typed is None else {"input": typed}
    return subprocess.run(
        command, capture_output=True, text=True, env=dict(variables), timeout=WITHIN_S, cwd=variables["HOME"], **given
    )


@contextmanager
def in_terminal(
    home: Path, command: list[str], more: Mapping[str, str] | None = None, size: tuple[int, int] = (120, 40)
) -> Iterator[Terminal]:
    """Run a command in a terminal of its own."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", OWN_TERMINAL, *command],
        stdin=slave, stdout=slave, stderr=slave, env=environment(home, more), cwd=home, start_new_session=True,
    )  # fmt: skip
    shown = Terminal(process, master, slave, size)
    try:
        yield shown
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def said(shown: Terminal) -> str:
    """Return everything that a command wrote to its terminal, in one line."""
    return " ".join(bytes(shown.raw).decode("utf-8", "replace").split())


@dataclass(frozen=True, slots=True)
class Venue:
    """A running exchange that a test can stop or hold."""

    urls: SimUrls
    process: subprocess.Popen[str]


@contextmanager
def venue(*arguments: str) -> Iterator[Venue]:
    """Run an exchange of its own."""
    command = console("sim", "--port", "0", "--block-ms", "200", "--history-hours", "1", *arguments)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Venue(SimUrls(told["rest"], told["websocket"], told["chain_id"], told["account"], told["grpc"]), process)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def serving(*arguments: str, home: Path, more: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run the console without a terminal, beside the test; standard error goes to the file `stderr` in its home."""
    with (home / "stderr").open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            console(*arguments), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, text=True, cwd=home,
            env=environment(home, more),
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(holds: Callable[[], Any], why: Callable[[], object] = str, within_s: float = WITHIN_S) -> Any:
    """Wait until something holds, and return it; fails saying `why` where it never does."""
    end = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < end, why()
        time.sleep(0.05)
    return found


class Trap:
    """A listening socket that nothing may touch: it counts whoever connects, and hears what they say first."""

    def __init__(self, listener: socket.socket) -> None:
        self.at = f"127.0.0.1:{listener.getsockname()[1]}"
        self.heard: list[bytes] = []
        self._listener = listener
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._count, name="trap")

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ending.set()
        self._thread.join()

    def _count(self) -> None:
        while True:
            is_ending = self._ending.is_set()
            if select.select([self._listener], [], [], 0.02)[0]:
                caller, _ = self._listener.accept()
                caller.settimeout(0.5)
                with caller, contextlib.suppress(OSError):
                    self.heard.append(caller.recv(4096))
            elif is_ending:
                return


@contextmanager
def trap() -> Iterator[Trap]:
    """Listen on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        counting = Trap(listener)
        counting.start()
        try:
            yield counting
        finally:
            counting.stop()


ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
SENDERS: Mapping[str, tuple[str, ...]] = {
    "place": ("order", "place", "buy", "0.01", "BTC-USD"),
    "amend": ("order", "amend", "0f3a"),
    "cancel": ("order", "cancel", "0f3a"),
    "cancel-all": ("cancel-all",),
    "close": ("close", "BTC-USD"),
}
"""Every command that sends."""


def networks_file(home: Path, urls: Mapping[str, SimUrls], chosen: str | None = None, more: str = "") -> Path:
    """Write a configuration with a network for each name, and return it."""
    lines = [f"network = {json.dumps(chosen)}"] if chosen is not None else []
    lines += [f"address = {json.dumps(next(iter(urls.values())).account)}", more]
    for name, at in urls.items():
        lines += [
            f"[networks.{name}]",
            f"chain_id = {json.dumps(at.chain_id)}",
            f"indexer_rest = {json.dumps(at.rest)}",
            f"indexer_websocket = {json.dumps(at.websocket)}",
            f"nodes = {json.dumps([at.grpc])}",
        ]
    return written(home / "config.toml", "\n".join(lines) + "\n")


def urls_at(place: str, chain_id: str) -> SimUrls:
    """Return the addresses of a network all of which is at one `host:port`."""
    return SimUrls(f"http://{place}", f"ws://{place}/v4/ws", chain_id, ADDRESS, f"http://{place}")

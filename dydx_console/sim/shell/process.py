"""The simulator as a process: options, the one line of JSON, signals, exit codes.

Exit codes: 0 ended as asked, 2 bad options, 69 a port is taken.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TextIO

from dydx_console.sim.shell.server import running
from dydx_console.sim.venue import VenueOptions

EXIT_UNAVAILABLE = 69
EXIT_USAGE = 2
MAX_PORT = 65_535
PR_SET_PDEATHSIG = 1
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How the process runs. `port` 0 = any; `websocket_port` None = the port after `port` (any, when that is 0).

    `child` makes it a helper of a parent process: deaf to terminal signals, over when stdin ends or the parent dies.
    """

    venue: VenueOptions = field(default_factory=VenueOptions)
    host: str = "127.0.0.1"
    port: int = 0
    websocket_port: int | None = None
    child: bool = False
    verbose: bool = False


def run(options: ProcessOptions) -> int:
    """Serve until told to end; returns the exit code. Prints one JSON line on stdout when both listeners accept."""
    if options.host not in LOOPBACK:
        _say(f"the simulator listens on loopback only, not on {options.host}")
        return EXIT_USAGE
    if options.verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    if options.child:
        _become_child()
    websocket_port = options.websocket_port
    if websocket_port is None:
        websocket_port = options.port + 1 if 0 < options.port < MAX_PORT else 0
    try:
        asyncio.run(_serve(options, websocket_port))
    except OSError as error:
        _say(f"cannot listen on 127.0.0.1, ports {options.port} and {websocket_port}: {error.strerror or error}")
        return EXIT_UNAVAILABLE
    return 0


async def _serve(options: ProcessOptions, websocket_port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = [signal.SIGTERM] if options.child else [signal.SIGTERM, signal.SIGINT]
    for number in signals:
        loop.add_signal_handler(number, ended.set)
    if options.child:
        try:
            loop.add_reader(sys.stdin.fileno(), _read_stdin, ended)
        except PermissionError:
            ended.set()  # stdin is a file: it has nothing to wait for, as if it had ended
    async with running(options.venue, rest_port=options.port, websocket_port=websocket_port) as served:
        _print_line(sys.stdout, {**served.facts(), "pid": os.getpid()})
        logging.getLogger("dydx_console.sim").info("serving %s", served.rest_url)
        await ended.wait()
    if options.child:
        loop.remove_reader(sys.stdin.fileno())


def _read_stdin(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        ended.set()


def _become_child() -> None:
    """Ignore the terminal's signals; on Linux, die with the parent."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _print_line(stream: TextIO, facts: dict[str, object]) -> None:
    stream.write(json.dumps(facts) + "\n")
    stream.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"dydx-console sim: {text}\n")

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
from dataclasses import dataclass, field, replace
from typing import TextIO

from dydx_console.sim.shell.server import new_run_id, running
from dydx_console.sim.venue import VenueOptions

EXIT_UNAVAILABLE = 69
EXIT_USAGE = 2
MAX_PORT = 65_535
PR_SET_PDEATHSIG = 1
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; 0 = any."""

    rest: int
    websocket: int
    grpc: int


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How the process runs. `port` 0 = any; `websocket_port` and `grpc_port` None = the first and the second port after
    `port` (any, when that is 0). `chain_id` None = the venue's own, followed by the run id.

    `child` makes it a helper of a parent process: deaf to terminal signals, over when stdin ends or the parent dies.
    """

    venue: VenueOptions = field(default_factory=VenueOptions)
    host: str = "127.0.0.1"
    port: int = 0
    websocket_port: int | None = None
    child: bool = False
    verbose: bool = False
    grpc_port: int | None = None
    chain_id: str | None = None


def run(options: ProcessOptions) -> int:
    """Serve until told to end; returns the exit code. Prints one JSON line on stdout when all listeners accept."""
    if options.host not in LOOPBACK:
        _say(f"the simulator listens on loopback only, not on {options.host}")
        return EXIT_USAGE
    if options.verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    if options.child:
        _become_child()
    ports = Ports(
        options.port,
        _near(options.port, 1) if options.websocket_port is None else options.websocket_port,
        _near(options.port, 2) if options.grpc_port is None else options.grpc_port,
    )
    try:
        asyncio.run(_serve(options, ports))
    except OSError as error:
        wanted = f"{ports.rest}, {ports.websocket} and {ports.grpc}"
        _say(f"cannot listen on 127.0.0.1, ports {wanted}: {error.strerror or error}")
        return EXIT_UNAVAILABLE
    return 0


def _near(port: int, distance: int) -> int:
    return port + distance if 0 < port <= MAX_PORT - distance else 0


async def _serve(options: ProcessOptions, ports: Ports) -> None:
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
    run_id = new_run_id()
    venue = replace(options.venue, chain_id=options.chain_id or f"{options.venue.chain_id}-{run_id}")
    async with running(
        venue, rest_port=ports.rest, websocket_port=ports.websocket, grpc_port=ports.grpc, run_id=run_id
    ) as served:
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

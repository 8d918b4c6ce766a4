"""The embedded exchange as a child process."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

__all__ = ["ChildError", "SimChild", "SimUrls"]

START_S = 20.0
STOP_S = 2.0
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")


class ChildError(Exception):
    """The exchange did not start; the message has its last words."""


@dataclass(frozen=True, slots=True)
class SimUrls:
    """Where a started exchange listens (`grpc` is its node), and the account that trades on it."""

    rest: str
    websocket: str
    chain_id: str
    account: str
    grpc: str


class SimChild:
    """A running embedded exchange. It ends with its standard input, so it cannot outlive this process.

    Args:
        arguments: further options of `dydx-console sim`.
    """

    def __init__(self, arguments: tuple[str, ...] = ()) -> None:
        command = [sys.executable, "-m", "dydx_console.sim", "--child", "--port", "0", *arguments]
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 - a fixed command, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=True,
            env=environment,
        )

    def urls(self) -> SimUrls:
        """Wait for the exchange to listen and return where. Raises ChildError."""
        line = self._first_line()
        try:
            said = json.loads(line)
            return SimUrls(said["rest"], said["websocket"], said["chain_id"], said["account"], said["grpc"])
        except (ValueError, KeyError, TypeError):
            words = self._last_words()
            self.stop()
            raise ChildError(f"the embedded exchange did not start: {words}") from None

    def stop(self) -> None:
        """End the exchange."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _first_line(self) -> bytes:
        stdout = self._process.stdout
        deadline = time.monotonic() + START_S
        line = b""
        while stdout is not None and time.monotonic() < deadline and not line.endswith(b"\n"):
            ready, _, _ = select.select([stdout], [], [], 0.1)
            if ready:
                part = os.read(stdout.fileno(), 65536)
                if not part:
                    break
                line += part
        return line

    def _last_words(self) -> str:
        stderr = self._process.stderr
        if stderr is None or not select.select([stderr], [], [], 0.5)[0]:
            return "it said nothing"
        return os.read(stderr.fileno(), 4000).decode("utf-8", "replace").strip()[-400:] or "it said nothing"

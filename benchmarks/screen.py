"""The screen under load, in a real pty: key → screen, message → screen, CPU.

usage: python -m benchmarks.screen [--rates 0,1000,5000] [--keys 100] [--marks 100] [--size 160x50] [--half-open 0]

The real program runs in a pseudo-terminal against a venue that sends that many messages a second. A key is a letter
typed into a pane's filter, answered when its echo leaves the program; a message is a balance with a number of its own,
answered when that number leaves the program. CPU is the program's own user and system time. With --half-open the
console serves health too, and so many clients hold connections to it on which a request never ends.
"""

import argparse
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import socket
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

from benchmarks.venue import ADDRESS, LoadVenue

ESCAPES = re.compile(rb"\x1b\[[0-9;?<>=]*[ -/]*[@-~]")
LETTER = "ж"
FIRST_MARK = 700_001
SETTLE_S = 8.0
"""After this the reads that complete a start are over."""


class Terminal:
    """The program in a pty; everything that it writes is kept, without escape sequences, with the time it came."""

    def __init__(self, command: list[str], size: tuple[int, int], home: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", HOME=home, XDG_CONFIG_HOME=home)
            os.execvp(command[0], command)
        columns, rows = size
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.bytes = 0
        self._tail = b""
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return
            if not data:
                return
            with self._changed:
                self.bytes += len(data)
                self._tail = (self._tail + data)[-262_144:]
                self._changed.notify_all()

    def type(self, text: str) -> None:
        """Send keys."""
        os.write(self.fd, text.encode())

    def forget(self) -> None:
        """Forget what was written so far."""
        with self._changed:
            self._tail = b""

    def wait_for(self, text: str, within_s: float) -> float | None:
        """Return the monotonic time when `text` has been written, or None where it was not in time."""
        wanted, deadline = text.encode(), time.monotonic() + within_s
        with self._changed:
            while wanted not in ESCAPES.sub(b"", self._tail):
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    return None
            return time.monotonic()

    def cpu_s(self) -> float:
        """Return user and system seconds of the program so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Return resident memory in megabytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def end(self) -> None:
        """End the program."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            select.select([], [], [], 0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class HalfOpen:
    """Clients of the health server that begin a request and never end it; what is cut is begun again.

    Args:
        port: where health is served.
        count: how many connections are held.
    """

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._held: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(count,), daemon=True)
        self._thread.start()

    def _hold(self, count: int) -> None:
        while not self._ended.wait(0.5):
            self._held = [sock for sock in self._held if self._is_open(sock)]
            for _ in range(count - len(self._held)):
                with contextlib.suppress(OSError):
                    sock = socket.create_connection(("127.0.0.1", self._port), 0.2)
                    sock.sendall(b"GET /health/live HTTP/1.1\r\nHost: ")
                    self._held.append(sock)

    @staticmethod
    def _is_open(sock: socket.socket) -> bool:
        try:
            return bool(sock.recv(1, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def end(self) -> None:
        """Let go of all of them."""
        self._ended.set()
        self._thread.join(5)
        for sock in self._held:
            sock.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _started(venue: LoadVenue, size: tuple[int, int], home: str, health_port: int) -> Terminal:
    config = Path(home) / "config.toml"
    config.write_text(
        f'network = "load"\naddress = "{ADDRESS}"\n[ui]\nbell = false\n[log]\nfile = "{home}/log"\n'
        f'[networks.load]\nchain_id = "localdydxprotocol"\nindexer_rest = "http://127.0.0.1:{venue.rest_port}"\n'
        f'indexer_websocket = "ws://127.0.0.1:{venue.websocket_port}/v4/ws"\n'
    )
    config.chmod(0o600)
    health = ["--health", f"127.0.0.1:{health_port}"]
    command = [sys.executable, "-m", "dydx_console", "run", "--config", str(config), *health]
    terminal = Terminal(command, size, home)
    if terminal.wait_for("Balances", 15) is None or not venue.subscribed.wait(15):
        terminal.end()
        raise SystemExit("the console did not start")
    time.sleep(SETTLE_S)
    return terminal


def _marks(terminal: Terminal, venue: LoadVenue, count: int) -> list[float]:
    found: list[float] = []
    for number in range(count):
        value = FIRST_MARK + number * 137
        terminal.forget()
        sent_at = venue.mark(value)
        seen_at = terminal.wait_for(f"{value:,}", 2.0)
        found.append(2_000.0 if seen_at is None else (seen_at - sent_at) * 1e3)
        time.sleep(0.083 + (number % 7) * 0.011)
    return found


def _keys(terminal: Terminal, count: int) -> list[float]:
    terminal.type("3/")
    time.sleep(0.5)
    found: list[float] = []
    for number in range(count):
        terminal.forget()
        sent_at = time.monotonic()
        terminal.type(LETTER)
        seen_at = terminal.wait_for(LETTER, 2.0)
        found.append(2_000.0 if seen_at is None else (seen_at - sent_at) * 1e3)
        terminal.type("\x7f")
        time.sleep(0.083 + (number % 7) * 0.011)
    terminal.type("\x1b")
    time.sleep(0.3)
    return found


def _percent(terminal: Terminal, seconds: float) -> float:
    before = terminal.cpu_s()
    time.sleep(seconds)
    return (terminal.cpu_s() - before) / seconds * 100


def _quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    p90, p99 = (ordered[min(int(len(ordered) * q), len(ordered) - 1)] for q in (0.90, 0.99))
    return f"{statistics.median(ordered):6.1f} {p90:6.1f} {p99:6.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rates", default="0,1000,5000")
    parser.add_argument("--keys", type=int, default=100)
    parser.add_argument("--marks", type=int, default=100)
    parser.add_argument("--size", default="160x50")
    parser.add_argument("--half-open", type=int, default=0)
    options = parser.parse_args()
    columns, rows = (int(part) for part in options.size.split("x"))
    print(f"real pty {options.size}, {options.half_open:,} half-open health clients; milliseconds p50 p90 p99")
    print("   sent/s   CPU %   key → screen           message → screen       kB/s    MB")
    for rate in (int(part) for part in options.rates.split(",")):
        venue = LoadVenue(rate)
        with tempfile.TemporaryDirectory() as home:
            health_port = _free_port()
            terminal = _started(venue, (columns, rows), home, health_port)
            half_open = HalfOpen(health_port, options.half_open)
            try:
                written, sent, began = terminal.bytes, venue.sent, time.monotonic()
                cpu = _percent(terminal, 10.0)
                elapsed_s = time.monotonic() - began
                volume = (terminal.bytes - written) / elapsed_s / 1e3
                real = (venue.sent - sent) / elapsed_s
                marks = _marks(terminal, venue, options.marks)
                keys = _keys(terminal, options.keys)
                memory = terminal.resident_mb()
            finally:
                half_open.end()
                terminal.end()
                venue.close()
        print(f"  {real:7,.0f} {cpu:7.1f}   {_quantiles(keys)}   {_quantiles(marks)}   {volume:7.1f} {memory:5.0f}")


if __name__ == "__main__":
    main()

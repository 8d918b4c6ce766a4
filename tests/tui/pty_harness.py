"""A real pseudo-terminal with a program in it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte

CHILD = Path(__file__).with_name("child.py")
ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0


class Terminal:
    """What the program wrote, as bytes and as a screen; and the hands that type into it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, slave: int, size: tuple[int, int]) -> None:
        self.process = process
        self.raw = bytearray()
        self.attrs_before = termios.tcgetattr(slave)
        self._master = master
        self._slave = slave
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        """The screen as lines; the second cell of a wide character is empty."""
        rows, columns = range(self._screen.lines), range(self._screen.columns)
        return "\n".join("".join(self._screen.buffer[y][x].data for x in columns) for y in rows)

    @property
    def attrs(self) -> list[Any]:
        """The terminal's modes now."""
        return termios.tcgetattr(self._slave)

    def pump(self, seconds: float) -> None:
        """Read for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read(0.02)

    def until(self, holds: Callable[[], Any], deadline_s: float = DEADLINE_S) -> None:
        """Read until something holds; fails with the screen's text where it never does."""
        end = time.monotonic() + deadline_s
        while not holds():
            assert time.monotonic() < end, f"{self.text}\nexit code {self.process.poll()}"
            self._read(0.02)

    def keys(self, text: str) -> None:
        """Type."""
        os.write(self._master, text.encode())

    def resize(self, width: int, height: int) -> None:
        """Change the size, as a window manager does."""
        self._screen.resize(height, width)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def exit_code(self) -> int:
        """Read to the end of the program."""
        self.until(lambda: self.process.poll() is not None)
        self.pump(0.1)
        return self.process.returncode

    def assert_restored(self) -> None:
        """Assert that the program left the terminal as it found it."""
        raw = bytes(self.raw)
        for sequence in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[<u", b"\x1b[?1000l"):
            assert sequence in raw, sequence
        for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
            assert raw.rfind(off) > raw.rfind(on)
        assert self.attrs == self.attrs_before

    def _read(self, wait_s: float) -> None:
        if select.select([self._master], [], [], wait_s)[0]:
            data = os.read(self._master, 65536)
            self.raw += data
            self._stream.feed(data)


@contextmanager
def terminal(
    mode: str, folder: Path, size: tuple[int, int] = (120, 40), environ: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run child.py in a terminal of its own; `folder` takes its log and counters."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    settings = {
        **inherited,
        **(environ or {}),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PYTHONPATH": f"{ROOT}:{ROOT}/tests",
    }
    process = subprocess.Popen(
        [sys.executable, str(CHILD), mode, str(folder)],
        stdin=slave, stdout=slave, stderr=slave, env=settings, start_new_session=True,
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

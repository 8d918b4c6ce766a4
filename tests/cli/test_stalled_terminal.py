"""The real console on the embedded exchange, in a terminal that stops reading: the stream goes on."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from itertools import pairwise
from pathlib import Path

STALL_S = 8.0


def test_a_terminal_that_stops_reading_does_not_stop_the_engine(tmp_path: Path) -> None:
    sim = subprocess.Popen(
        [sys.executable, "-m", "dydx_console", "sim", "--port", "0", "--block-ms", "200", "--history-hours", "1"],
        stdout=subprocess.PIPE,
    )
    try:
        assert sim.stdout is not None
        urls = json.loads(sim.stdout.readline())
        config = tmp_path / "config.toml"
        config.write_text(
            f'network = "mine"\naddress = "{urls["account"]}"\n[log]\nfile = "{tmp_path}/log"\n'
            f'[journal]\nfolder = "{tmp_path}/journal"\n[networks.mine]\nchain_id = "dydx-sim-1"\n'
            f'indexer_rest = "{urls["rest"]}"\nindexer_websocket = "{urls["websocket"]}"\n'
        )
        config.chmod(0o600)
        watch_in_a_stalled_terminal(config, tmp_path / "day.jsonl")
    finally:
        sim.terminate()
        sim.communicate(timeout=10)


def watch_in_a_stalled_terminal(config: Path, recording: Path) -> None:
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        command = ["-m", "dydx_console", "run", "--config", str(config), "--record", str(recording)]
        os.execv(sys.executable, [sys.executable, *command])
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    deadline = time.monotonic() + 20
    shown = b""
    while b"LIVE" not in shown:
        assert time.monotonic() < deadline
        if select.select([master], [], [], 0.1)[0]:
            shown = (shown + os.read(master, 65_536))[-200_000:]
    ends = time.monotonic() + STALL_S
    sizes = [recording.stat().st_size]
    while time.monotonic() < ends:
        time.sleep(1.0)
        sizes.append(recording.stat().st_size)
    assert all(later > earlier for earlier, later in pairwise(sizes)), sizes
    os.kill(pid, signal.SIGTERM)
    while select.select([master], [], [], 3.0)[0]:
        try:
            os.read(master, 65_536)
        except OSError:
            break
    _, status = os.waitpid(pid, 0)
    os.close(master)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGTERM

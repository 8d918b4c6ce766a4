"""From start to the first painted screen, against a bare Textual app, in the same run; `--help` and `check-network`.

usage: python -m benchmarks.start [--rounds N]
"""

import argparse
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("FIRST-PAINT")
Bare().run()
"""
RECORDING = (
    '{"t":1.0,"ev":"open","c":"c0","status":101}\n'
    '{"t":1.1,"ev":">","c":"c0","text":"{\\"type\\":\\"subscribe\\",\\"channel\\":\\"v4_block_height\\"}"}\n'
)


def _first_paint_s(command: list[str], wanted: bytes, home: str) -> float:
    started = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", HOME=home, LINES="50", COLUMNS="160")
        os.execvp(command[0], command)
    seen = b""
    while wanted not in seen:
        try:
            seen += os.read(fd, 65536)
        except OSError:
            raise SystemExit(f"{command} ended before it painted") from None
    elapsed_s = time.monotonic() - started
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(fd)
    return elapsed_s


def _help_s() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "dydx_console", "--help"], check=True, capture_output=True)
    return time.monotonic() - started


def _check_s(config: Path) -> float:
    started = time.monotonic()
    command = [sys.executable, "-m", "dydx_console", "check-network", "--config", str(config)]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def _local_config(urls: dict[str, str], home: str) -> Path:
    config = Path(home) / "config.toml"
    config.write_text(
        f'network = "here"\naddress = "{urls["account"]}"\n[networks.here]\nchain_id = "{urls["chain_id"]}"\n'
        f'indexer_rest = "{urls["rest"]}"\nindexer_websocket = "{urls["websocket"]}"\nnodes = ["{urls["grpc"]}"]\n'
    )
    config.chmod(0o600)
    return config


@contextmanager
def _venue() -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "dydx_console.sim", "--child", "--port", "0", "--history-hours", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home, _venue() as urls:
        config = _local_config(urls, home)
        recording = Path(home) / "r.jsonl"
        recording.write_text(RECORDING)
        ours = [sys.executable, "-m", "dydx_console", "replay", str(recording), "--speed", "0"]
        bare = [sys.executable, "-c", BARE]
        figures: dict[str, list[float]] = {"bare": [], "ours": [], "help": [], "check": []}
        for _ in range(rounds):
            figures["bare"].append(_first_paint_s(bare, b"FIRST-PAINT", home))
            figures["ours"].append(_first_paint_s(ours, b"Balances", home))
            figures["help"].append(_help_s())
            figures["check"].append(_check_s(config))
    ratios = [ours / bare for ours, bare in zip(figures["ours"], figures["bare"], strict=True)]
    print(f"start → first painted screen, median of {rounds}")
    print(f"  bare Textual app   {statistics.median(figures['bare']) * 1e3:6.0f} ms")
    print(f"  dydx-console       {statistics.median(figures['ours']) * 1e3:6.0f} ms", end="")
    print(f"   {statistics.median(ratios):.2f} × bare")
    print(f"  --help             {statistics.median(figures['help']) * 1e3:6.0f} ms")
    print(f"  check-network      {statistics.median(figures['check']) * 1e3:6.0f} ms, against a venue on this machine")


if __name__ == "__main__":
    main()

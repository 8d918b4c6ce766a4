"""The simulator as a process: the one line, signals, ports, exit codes, and independent clients against it."""

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dydx_console.sim.__main__ import parse
from dydx_console.sim.core.addresses import DEMO_ADDRESS
from dydx_console.sim.shell.process import ProcessOptions, run

ROOT = Path(__file__).resolve().parents[2]
BASE = [sys.executable, "-W", "error", "-m", "dydx_console.sim"]
FAST = ["--history-hours", "0", "--block-ms", "200"]


def start(*arguments: str, **kwargs: Any) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A running simulator and its line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*BASE, *FAST, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env=environment,
        **kwargs,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code and what was said after the line."""
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


def test_one_line_then_a_clean_end() -> None:
    process, line = start("--port", "0", "--seed", "9")
    assert line["pid"] == process.pid
    assert (line["account"], line["parent_subaccount"], line["seed"]) == (DEMO_ADDRESS, 0, 9)
    assert re.fullmatch("[a-z2-7]{6}", line["run_id"])
    assert line["chain_id"] == f"dydx-sim-1-{line['run_id']}"
    assert line["websocket"].startswith("ws://127.0.0.1:")
    assert line["grpc"].startswith("http://127.0.0.1:")
    assert httpx.get(line["rest"] + "/v4/height").status_code == 200
    process.send_signal(signal.SIGTERM)
    assert end(process) == (0, "", "")


def test_ctrl_c_ends_it_when_it_runs_alone() -> None:
    process, _ = start()
    process.send_signal(signal.SIGINT)
    assert end(process) == (0, "", "")


def test_a_child_ignores_the_terminal_and_ends_with_stdin() -> None:
    process, line = start("--child")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
        process.send_signal(number)
    assert httpx.get(line["rest"] + "/v4/height").status_code == 200
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    assert end(process) == (0, "", "")


def test_no_two_runs_have_one_chain_id() -> None:
    found = set()
    for _ in range(2):
        process, line = start("--seed", "9")
        found.add(line["chain_id"])
        process.terminate()
        assert end(process) == (0, "", "")
    assert len(found) == 2


@pytest.mark.parametrize("option", ["--port", "--ws-port", "--grpc-port"])
def test_a_taken_port_is_one_line_and_69(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*BASE, *FAST, "--ws-port", "0", "--grpc-port", "0", option, str(port)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=20,
        )
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.count("\n") == 1
    assert str(port) in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "70000"],
        ["--block-ms", "1"],
        ["--account", "dydx1nope"],
        ["--nonsense"],
        ["--chain-id", "two words"],
        ["--chain-id", ""],
        ["--indexer-lag-blocks", "-1"],
        ["--clock-skew-ms", "99999999999"],
    ],
)
def test_bad_options_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_other_hosts_are_refused_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ProcessOptions(host="0.0.0.0")) == 2
    assert capsys.readouterr().err == "dydx-console sim: the simulator listens on loopback only, not on 0.0.0.0\n"


@pytest.fixture(scope="module")
def simulator() -> Iterator[dict[str, Any]]:
    """A simulator with a little history."""
    process, line = start("--history-hours", "4", "--no-rate-limits")
    yield line
    process.terminate()
    end(process)


def client_script(name: str, line: dict[str, Any], directory: Path, *arguments: str) -> dict[str, Any]:
    """Run a script of the official client in a process of its own; its last line is JSON."""
    if importlib.util.find_spec("dydx_v4_client") is None:
        pytest.skip("dydx-v4-client does not install on this Python")
    script = Path(__file__).with_name(name)
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(line), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=directory,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_official_rest_client(simulator: dict[str, Any], tmp_path: Path) -> None:
    found = client_script("official_rest.py", simulator, tmp_path)
    failed = {name: outcome for name, outcome in found.items() if outcome != "ok"}
    assert failed == {}
    assert len(found) >= 30


def test_the_official_websocket_client(simulator: dict[str, Any], tmp_path: Path) -> None:
    found = client_script("official_socket.py", simulator, tmp_path)
    channels = {"v4_orderbook", "v4_trades", "v4_markets", "v4_candles", "v4_subaccounts"}
    assert set(found["subscribed"]) == channels
    assert set(found["updated"]) == channels
    assert found["errors"] == []
    assert set(found["unsubscribed"]) == channels

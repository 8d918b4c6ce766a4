"""A process that misbehaves on request, and the demo that passes the request on."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.terminals import in_terminal, ran
from test_process import end, start
from venues import console
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from dydx_console.sim.__main__ import parse
from dydx_console.sim.faults.schedules import SCHEDULES, FaultPlan

END_MS = 3_000
CHAOS = ("--faults", "chaos", "--fault-every-ms", "50", "--faults-end-after-ms", str(END_MS))


async def suffer(line: dict[str, Any], until_s: float) -> int:
    """Connect again and again, and ask REST; returns how often something went wrong."""
    troubles = 0
    async with httpx.AsyncClient(base_url=line["rest"], timeout=0.3) as rest:
        while time.monotonic() < until_s:
            try:
                (await rest.get("/v4/height")).raise_for_status()
                async with asyncio.timeout(0.5), connect(line["websocket"], open_timeout=0.3, close_timeout=0.1) as one:
                    await one.send('{"type":"subscribe","channel":"v4_block_height"}')
                    for _ in range(4):
                        await one.recv()
            except (httpx.HTTPError, WebSocketException, OSError, TimeoutError):
                troubles += 1
                await asyncio.sleep(0.02)
    return troubles


async def four_frames(line: dict[str, Any]) -> list[int]:
    async with asyncio.timeout(20), connect(line["websocket"]) as websocket:
        await websocket.send('{"type":"subscribe","channel":"v4_block_height"}')
        return [json.loads(await websocket.recv())["message_id"] for _ in range(4)]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_process_misbehaves_until_its_time_is_over(verbose: bool) -> None:
    process, line = start(*CHAOS, *(["--verbose"] if verbose else []))
    troubles = asyncio.run(suffer(line, time.monotonic() + END_MS / 1_000 + 0.5))
    assert troubles > 3
    assert httpx.get(line["rest"] + "/v4/height").status_code == 200
    assert asyncio.run(four_frames(line)) == [0, 1, 2, 3]
    process.terminate()
    code, out, err = end(process)
    assert (code, out) == (0, "")
    if verbose:
        assert err.count("fault begins: ") > 20
        assert "fault ends: " in err
        assert "Traceback" not in err
    else:
        assert err == "", "a parent that does not read it is not blocked"


def test_the_options_of_a_process() -> None:
    assert parse([]).venue.fault_plan == FaultPlan()
    assert parse(["--faults", "rough"]).venue.fault_plan == FaultPlan(SCHEDULES["rough"])
    assert parse(CHAOS).venue.fault_plan == FaultPlan(SCHEDULES["chaos"], 50, END_MS)


@pytest.mark.parametrize(
    "arguments",
    [["--faults", "gentle"], ["--faults", "rough", "--fault-every-ms", "0"], ["--faults-end-after-ms", "-1"]],
)
def test_bad_options_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_demo_knows_the_names(tmp_path: Path) -> None:
    done = ran(tmp_path, "demo", "--faults", "gentle")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "gentle" in done.stderr
    assert ", ".join(SCHEDULES) in done.stderr


def children(process_id: int) -> list[str]:
    """The command lines of a process's children, as the kernel knows them."""
    found = []
    for task in Path(f"/proc/{process_id}/task").iterdir():
        for child in (task / "children").read_text().split():
            found.append(Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_demo_misbehaves_on_request(tmp_path: Path) -> None:
    with in_terminal(tmp_path, console("demo", "--seed", "7", "--faults", "rough")) as shown:
        shown.until(lambda: "SIMULATOR" in shown.text and "BTC-USD" in shown.text)
        assert any("--faults rough" in command for command in children(shown.process.pid))
        shown.keys("q")
        assert shown.exit_code() == 0

"""The server's life: it starts, stops in time with hanging clients, and leaves signals and the terminal alone."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from health_help import ANY_PORT, FakeEngine, connected, get, request, serving, until

from dydx_console.health.listen import UnixListen
from dydx_console.health.server import HealthServer


def test_it_has_a_thread_of_its_own_which_ends() -> None:
    engine = FakeEngine()
    with serving(engine) as at:
        assert get(at, "/health/live").status == 200
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("health") == 1
    assert "health" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(OSError, match="refused"):
        connected(at)


def test_stopping_twice_or_before_the_start_is_nothing() -> None:
    server = HealthServer(FakeEngine(), ANY_PORT)
    assert server.stop()
    server.start()
    assert server.stop()
    assert server.stop()


def test_the_place_is_free_again_afterwards() -> None:
    with serving(FakeEngine()) as at:
        assert get(at, "/health/live").status == 200
    with serving(FakeEngine(), at) as again:
        assert again == at


def test_a_place_that_is_taken_starts_nothing() -> None:
    with serving(FakeEngine()) as at:
        server = HealthServer(FakeEngine(), at)
        with pytest.raises(OSError, match="cannot listen on"):
            server.start()
        assert server.stop()
        assert get(at, "/health/live").status == 200


def test_it_stops_within_two_seconds_while_clients_hang(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = FakeEngine()
    server = HealthServer(engine, UnixListen(tmp_path / "h"))
    at = server.start()
    hanging = [connected(at) for _ in range(40)]
    try:
        for number, sock in enumerate(hanging):
            whole = request(at, "/health/network?probe=1") if number % 4 == 0 else request(at, "/health/live")
            sock.sendall(whole if number % 2 == 0 else whole[:10])
        _stuff(connected(at), request(at, "/openapi.json") * 20, hanging)
        until(lambda: len(engine.probes) == 1)
        began = time.monotonic()
        assert server.stop()
        assert time.monotonic() - began <= 2.0
        assert not (tmp_path / "h").exists()
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    finally:
        for sock in hanging:
            sock.close()


def _stuff(sock: socket.socket, data: bytes, kept: list[socket.socket]) -> None:
    """Send without reading until no more is taken."""
    kept.append(sock)
    sock.settimeout(0.2)
    while True:
        try:
            sock.send(data)
        except TimeoutError:
            return


def test_no_signal_handler_changes() -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    with serving(FakeEngine()) as at:
        assert get(at, "/health/live").status == 200
        during = {number: signal.getsignal(number) for number in signal.valid_signals()}
    assert before == during == {number: signal.getsignal(number) for number in signal.valid_signals()}


SCRIPT = """
import sys
from health_help import FakeEngine, exchange, get, request, serving
class Broken(FakeEngine):
    def health(self):
        raise LookupError("canary")
with serving(Broken()) as at:
    assert get(at, "/health/live").status == 500
    assert get(at, "/nope", "Upgrade: websocket", "Connection: upgrade").status == 404
    assert exchange(at, b"nonsense" * 5000).status in (400, 431)
    assert exchange(at, request(at, "/", "GET", "Host: evil")).status == 421
"""


@pytest.mark.parametrize("variable", ["", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "UVICORN_PORT"])
def test_nothing_reaches_the_terminal_and_no_variable_of_the_library_counts(variable: str) -> None:
    here = Path(__file__).parent
    environment = {"PYTHONPATH": f"{here}:{here.parent.parent}", "PATH": "", **({variable: "x"} if variable else {})}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)

"""The health endpoints on loopback, each beside a bare starlette application that returns a constant.

Server and client are processes of their own; requests go over one kept connection, the endpoints taking turns.

usage: python -m benchmarks.health [--requests N] [--unix]
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

PATHS = (
    "/health/",
    "/health/network",
    "/health/network?probe=1",
    "/health/config",
    "/health/ready",
    "/health/live",
    "/metrics",
    "/openapi.json",
)
FLOOR = "bare starlette"
BUDGET_MS = 10.0
WARM_UP = 20


def _serve(listen: str) -> None:
    """Serve made-up facts until stdin ends; print where."""
    from dydx_console.health.listen import parse_listen
    from dydx_console.health.server import HealthServer
    from dydx_console.ports.health import HealthFacts, HealthStatus, ServedNetwork

    network = ServedNetwork(
        name="testnet",
        kind="testnet",
        chain_id="dydx-testnet-4",
        ethereum_chain_id=11155111,
        indexer_rest="https://indexer.v4testnet.dydx.exchange",
        indexer_websocket="wss://indexer.v4testnet.dydx.exchange/v4/ws",
        nodes=("one.example:443", "two.example:443", "three.example:443"),
        environment="development",
        environment_from="default",
        read_only=True,
    )

    class Engine:
        def health(self) -> HealthFacts:
            return HealthFacts(
                status=HealthStatus.OK,
                running=True,
                ready=True,
                confirmed=True,
                network=network,
                at=datetime.now(UTC),
                stream_state="LIVE",
                stream_age_s=0.5,
                indexer_height=41_000_000,
                node_height=41_000_002,
                lag_blocks=2,
                warnings=("the clock is 1.2 s off",),
                counters={f"counter_{number}": number for number in range(20)},
            )

        def probe(self, deadline_s: float) -> "Future[HealthFacts]":
            future: Future[HealthFacts] = Future()
            future.set_result(self.health())
            return future

    server = HealthServer(Engine(), parse_listen(listen))
    print(json.dumps(str(server.start())), flush=True)
    sys.stdin.read()
    server.stop()


def _serve_floor() -> None:
    """Serve a constant on a free port; print where."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def constant(_request: Request) -> Response:
        return Response(b"{}", media_type="application/json")

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    print(json.dumps(f"127.0.0.1:{listener.getsockname()[1]}"), flush=True)
    app = Starlette(routes=[Route("/", constant)])
    config = uvicorn.Config(app, http="h11", log_config=None, access_log=False, lifespan="off", timeout_keep_alive=600)
    uvicorn.Server(config).run([listener])


class _Client:
    """One kept connection, opened again where the server ended it."""

    def __init__(self, place: str) -> None:
        self._unix = place.startswith("unix:")
        self._place = place.removeprefix("unix:")
        self._sock = self._connected()

    def _connected(self) -> socket.socket:
        if self._unix:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self._place)
            return sock
        host, _, port = self._place.rpartition(":")
        return socket.create_connection((host, int(port)))

    def took_ms(self, path: str) -> float:
        """Ask once; return how long the whole answer took."""
        host = "localhost" if self._unix else self._place
        data = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        began = time.perf_counter()
        self._sock.sendall(data)
        received = self._sock.recv(65_536)
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += self._sock.recv(65_536)
        took_ms = (time.perf_counter() - began) * 1e3
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{path}: {head.decode()}")
        return took_ms


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def _row(name: str, values: list[float], floor: list[float]) -> str:
    p50, p90, p99 = (_percentile(values, part) for part in (0.5, 0.9, 0.99))
    ratio = p50 / _percentile(floor, 0.5)
    return f"  {name:24} {p50:7.2f} {p90:7.2f} {p99:7.2f}   {ratio:5.2f} ×"


def _started(*options: str) -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.health", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise SystemExit("no server")
    return process, json.loads(process.stdout.readline())


def _measure(listen: str, requests: int) -> dict[str, list[float]]:
    ours, ours_at = _started("--serve", listen)
    floor, floor_at = _started("--serve-floor")
    figures: dict[str, list[float]] = {FLOOR: [], **{path: [] for path in PATHS}}
    try:
        client, bare = _Client(ours_at), _Client(floor_at)
        for number in range(requests + WARM_UP):
            turn = {FLOOR: bare.took_ms("/"), **{path: client.took_ms(path) for path in PATHS}}
            if number >= WARM_UP:
                for name, took_ms in turn.items():
                    figures[name].append(took_ms)
    finally:
        for process in (ours, floor):
            process.kill()
            process.communicate()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--unix", action="store_true", help="a unix socket in place of a port")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--serve-floor", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(options.serve)
        return
    if options.serve_floor:
        _serve_floor()
        return
    with tempfile.TemporaryDirectory() as folder:
        listen = f"unix:{Path(folder) / 'health.sock'}" if options.unix else "127.0.0.1:0"
        figures = _measure(listen, options.requests)
    kind = "unix socket" if options.unix else "loopback"
    print(f"milliseconds from request to whole answer, {options.requests} each, {kind}")
    print(f"  {'':24} {'p50':>7} {'p90':>7} {'p99':>7}   p50 ÷ bare")
    for name, values in figures.items():
        print(_row(name, values, figures[FLOOR]))
    worst = max(_percentile(values, 0.99) for name, values in figures.items() if name != FLOOR)
    print(f"worst p99 {worst:.2f} ms (budget {BUDGET_MS:.0f} ms)")


if __name__ == "__main__":
    main()

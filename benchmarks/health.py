"""The health endpoints on loopback, each beside a bare starlette application that returns a constant.

Server and client are processes of their own; requests go over one kept connection, the endpoints taking turns.

usage: python -m benchmarks.health [--requests N] [--unix]
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.domain.order import Order
from dydx_console.domain.position import Position
from dydx_console.journal.writer import Journal, open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.history import NO_PROGRESS
from dydx_console.ports.journal import HistoryPort, JournalId, OrderNote
from dydx_console.ports.mailbox import Mailbox
from dydx_console.state.accounting import Ledger
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.margin import PositionMargin
from dydx_console.state.pnl import MarketPnl, PnlTotals
from dydx_console.state.snapshot import PositionView, Snapshot, snapshot_of

API_PATHS = ("/api/account", "/api/positions/summary", "/api/positions/0-ETH-USD/pnl", "/api/orders",
             "/api/orders/order-1")  # fmt: skip
TOKEN = "a-token-that-guards-figures-made-up"
PATHS = (
    "/health/",
    "/health/network",
    "/health/network?probe=1",
    "/health/config",
    "/health/ready",
    "/health/live",
    "/metrics",
    "/openapi.json",
    *API_PATHS,
)
FLOOR = "bare starlette"
BUDGET_MS = 10.0
WARM_UP = 20
ORDERS = 20_000
MARKETS = 20
ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
AT = datetime(2026, 11, 1, tzinfo=UTC)


def _serve(listen: str) -> None:
    """Serve made-up facts until stdin ends; print where."""
    from dydx_console.health.api import Api
    from dydx_console.health.listen import parse_listen
    from dydx_console.health.server import HealthServer
    from dydx_console.health.token import ApiToken
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

    with tempfile.TemporaryDirectory() as folder, _account(Path(folder)) as source:
        server = HealthServer(Engine(), parse_listen(listen), api=Api(source, ApiToken(TOKEN)))
        print(json.dumps(str(server.start())), flush=True)
        sys.stdin.read()
        server.stop()


class _Source:
    """An engine's side of the account's API over a real journal, on a loop of its own."""

    def __init__(self, mailbox: Mailbox, history: HistoryPort, loop: asyncio.AbstractEventLoop) -> None:
        self.mailbox = mailbox
        self.history = self
        self.progress = NO_PROGRESS
        self._port = history
        self._loop = loop

    def monotonic(self) -> float:
        return 0.0

    def ask(self, question: Callable[[HistoryPort], Coroutine[Any, Any, Any]]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(question(self._port), self._loop)


@contextmanager
def _account(folder: Path) -> Iterator[_Source]:
    """Yield an account with positions in 20 markets, and 20,000 orders in its journal."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def done(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    journal = done(_filled(folder))
    try:
        mailbox = Mailbox()
        mailbox.publish(_snapshot(), ())
        yield _Source(mailbox, journal.history, loop)
    finally:
        done(journal.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _filled(folder: Path) -> Journal:
    identity = JournalId("testnet", "dydx-testnet-4", ADDRESS)
    journal = await open_journal(folder, identity, SystemClock())
    running = asyncio.create_task(journal.run())
    for number in range(ORDERS):
        at = AT - timedelta(seconds=number)
        order = Order(f"order-{number}", subaccount=0, market=f"M{number % MARKETS}-USD", side="BUY", type="LIMIT",
                      status="OPEN", size=Decimal(1), price=Decimal(100), created_at=at, updated_at=at)  # fmt: skip
        journal.write([OrderNote(order, "OPEN", at, number, "REST", number + 1)])
        if number % 1_000 == 0:
            await journal.flush()
    await journal.flush()
    running.cancel()
    await asyncio.wait({running})
    return journal


def _snapshot() -> Snapshot:
    tickers = ["ETH-USD", *(f"M{number}-USD" for number in range(1, MARKETS))]
    figure = Decimal("123.45")
    rows = tuple(MarketPnl(PositionKey(0, ticker), figure, figure, figure, figure, figure, AT) for ticker in tickers)
    held = PositionMargin(figure, figure, figure, figure, figure, None)
    positions = tuple(
        PositionView(Position(0, ticker, figure, "OPEN", 1), figure, "FILLS", figure, figure, figure, figure,
                     Ledger(), held)
        for ticker in tickers
    )  # fmt: skip
    state = ConsoleState(Watched(ADDRESS, 0))
    return replace(
        snapshot_of(state, 0.0, 1),
        positions=positions,
        pnl=PnlTotals(figure, figure, figure, figure, figure, AT, rows),
        markets={ticker: Market(ticker, oracle_price=figure) for ticker in tickers},
        block_time=AT,
    )


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
        token = f"Authorization: Bearer {TOKEN}\r\n" if path in API_PATHS else ""
        data = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{token}\r\n".encode()
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

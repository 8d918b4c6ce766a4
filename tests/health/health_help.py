"""An engine's side of the health port that a test moves by hand, and clients that say exactly what they mean to."""

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.health.listen import Listen, TcpListen, UnixListen
from dydx_console.health.server import HealthServer
from dydx_console.ports.health import HealthFacts, HealthStatus, ServedNetwork

ANY_PORT = TcpListen("127.0.0.1", 0)
NETWORK = ServedNetwork(
    name="testnet",
    kind="testnet",
    chain_id="dydx-testnet-4",
    ethereum_chain_id=11155111,
    indexer_rest="https://indexer.v4testnet.dydx.exchange",
    indexer_websocket="wss://indexer.v4testnet.dydx.exchange/v4/ws",
    nodes=("node-one.example:443", "node-two.example:443"),
    environment="staging",
    environment_from="variable DYDX_CONSOLE_ENVIRONMENT",
    read_only=True,
)
AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
BUDGET = Budget("indexer.example", "get", 100, 3, 108.0, AT + timedelta(seconds=8), 4, 8.25)
BREAKERS = (
    BreakerStatus("fills", BreakerState.OPEN, 5, 107.5, "HTTP 503: upstream"),
    BreakerStatus("orders", BreakerState.CLOSED, 0, None, ""),
)
FAULTS = (
    FaultCount(FaultKind.SERVER, FaultSource.REST, "indexer.example/v4/fills", 5, AT, "HTTP 503: upstream",
               AT - timedelta(minutes=3)),
    FaultCount(FaultKind.TIMEOUT, FaultSource.GRPC, "node-one.example:443/GetLatestBlock", 2, AT + timedelta(seconds=1),
               "no answer within 3.0 s", AT),
)  # fmt: skip
FINE = HealthFacts(
    status=HealthStatus.OK,
    running=True,
    ready=True,
    confirmed=True,
    network=NETWORK,
    at=AT,
    stream_state="LIVE",
    stream_age_s=0.75,
    indexer_height=41_000_000,
    node_height=41_000_003,
    node_endpoint="node-one.example:443",
    node_chain_id="dydx-testnet-4",
    node_version="9.5.1",
    lag_blocks=3,
    binding="bound at height 40999998",
    warnings=("the clock is 1.2 s off",),
    counters={"reconnects": 2, "frames": 123_456},
)
TROUBLED = replace(
    FINE,
    stream_state="SUSPECT",
    stream_trouble="GAP",
    open_gaps=2,
    monotonic_s=100.0,
    budgets=(BUDGET,),
    breakers=BREAKERS,
    faults=FAULTS,
)
DEGRADED = replace(FINE, status=HealthStatus.DEGRADED, stream_state="DELAYED", node_height=None, lag_blocks=None)
UNREACHABLE = replace(
    FINE, status=HealthStatus.UNREACHABLE, ready=False, stream_state="OFFLINE", errors=("node-one: refused", "timeout")
)
MISCONFIGURED = replace(
    FINE,
    status=HealthStatus.MISCONFIGURED,
    errors=("the node reports dydx-mainnet-1, the configuration says dydx-testnet-4",),
)
STOPPED = replace(FINE, running=False)


@dataclass
class FakeEngine:
    """A `HealthPort`. `answer` makes what a probe ends with; None leaves probes without an end."""

    facts: HealthFacts = FINE
    answer: Callable[[], HealthFacts] | None = None
    probes: list["Future[HealthFacts]"] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)

    def health(self) -> HealthFacts:
        return self.facts

    def probe(self, deadline_s: float) -> "Future[HealthFacts]":
        future: Future[HealthFacts] = Future()
        self.deadlines.append(deadline_s)
        self.probes.append(future)
        if self.answer is not None:
            threading.Thread(target=self._end, args=(future, self.answer)).start()
        return future

    @staticmethod
    def _end(future: "Future[HealthFacts]", answer: Callable[[], HealthFacts]) -> None:
        try:
            future.set_result(answer())
        except ValueError as error:
            future.set_exception(error)


@dataclass(frozen=True)
class Answer:
    """A response as it came: the names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: str


class _Bytes:
    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._received)


@contextmanager
def serving(engine: Any, listen: Listen = ANY_PORT, **options: float) -> Iterator[Listen]:
    """Serve an engine; yields where. Stopping must succeed."""
    server = HealthServer(engine, listen, **options)
    at = server.start()
    try:
        yield at
    finally:
        assert server.stop()


def connected(at: Listen, timeout_s: float = 10.0) -> socket.socket:
    """A connection to a server, closed by `with`."""
    if isinstance(at, TcpListen):
        return socket.create_connection((at.host, at.port), timeout_s)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout_s)
    sock.connect(str(at.path))
    return sock


def host_of(at: Listen) -> str:
    """The right Host."""
    return "localhost" if isinstance(at, UnixListen) else str(at)


def request(at: Listen, target: str, method: str = "GET", *headers: str, version: str = "1.1") -> bytes:
    """The bytes of a request; without a header that begins with Host, the right one is added."""
    given = headers if any(line.lower().startswith("host") for line in headers) else (f"Host: {host_of(at)}", *headers)
    return "\r\n".join([f"{method} {target} HTTP/{version}", *given, "", ""]).encode("latin-1")


def received(sock: socket.socket, method: str = "GET") -> Answer:
    """The next response; an empty connection is status 0."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = _some(sock)
        if not chunk:
            break
        data += chunk
    if not data:
        return Answer(0, {}, "")
    head, _, body = data.partition(b"\r\n\r\n")
    while method != "HEAD" and len(body) < _length(head):
        chunk = _some(sock)
        if not chunk:
            break
        body += chunk
    response = http.client.HTTPResponse(_Bytes(head + b"\r\n\r\n" + body), method=method)  # type: ignore[arg-type]
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read().decode())


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _some(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65_536)
    except ConnectionResetError:
        return b""


def exchange(at: Listen, data: bytes, method: str = "GET") -> Answer:
    """Send bytes on a connection of their own and return the response."""
    with connected(at) as sock:
        sock.sendall(data)
        return received(sock, method)


def get(at: Listen, target: str, *headers: str) -> Answer:
    """An honest GET."""
    return exchange(at, request(at, target, "GET", *headers))


def until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def seconds_to_the_end(sock: socket.socket, began: float, within_s: float = 20.0) -> float:
    """Seconds from `began` until the server ends the connection."""
    sock.settimeout(within_s)
    while _some(sock):
        pass
    return time.monotonic() - began

"""Clients that hold connections open: each is cut in time, and none keeps the others from their answers."""

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from health_help import FakeEngine, connected, get, received, request, seconds_to_the_end, serving, until

from dydx_console.health.guard import MAX_CONNECTIONS
from dydx_console.health.listen import Listen
from dydx_console.health.sockets import BACKLOG
from dydx_console.ports.health import HealthFacts

HALF_OPEN = 1_000


def _silent(at: Listen) -> float:
    with connected(at) as sock:
        return seconds_to_the_end(sock, time.monotonic())


def _half(at: Listen) -> float:
    with connected(at) as sock:
        sock.sendall(request(at, "/health/live")[:-2])
        return seconds_to_the_end(sock, time.monotonic())


def _drip(at: Listen) -> float:
    with connected(at) as sock:
        return _dripped(sock, request(at, "/health/live", "GET", "X: " + "x" * 200), 0.2)


def _slow_drip(at: Listen) -> float:
    with connected(at) as sock:
        return _dripped(sock, request(at, "/health/live"), 1.0)


def _drip_after_an_answer(at: Listen) -> float:
    with connected(at) as sock:
        sock.sendall(request(at, "/health/live"))
        assert received(sock).status == 200
        return _dripped(sock, request(at, "/health/live", "GET", "X: " + "x" * 200), 0.2)


def _half_behind_a_whole(at: Listen) -> float:
    with connected(at) as sock:
        began = time.monotonic()
        sock.sendall(request(at, "/health/live") + request(at, "/health/live")[:-2])
        assert received(sock).status == 200
        return seconds_to_the_end(sock, began)


def _dripped(sock: socket.socket, data: bytes, every_s: float) -> float:
    """Send a byte at a time; return the seconds until the server ended it."""
    began = time.monotonic()
    sock.settimeout(every_s)
    for byte in data:
        try:
            sock.sendall(bytes([byte]))
            if sock.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


def test_a_head_that_never_ends_is_cut_after_two_seconds() -> None:
    clients: list[Callable[[Listen], float]] = [
        _silent,
        _half,
        _drip,
        _slow_drip,
        _drip_after_an_answer,
        _half_behind_a_whole,
    ]
    with serving(FakeEngine()) as at, ThreadPoolExecutor(len(clients)) as pool:
        running = {client.__name__: pool.submit(client, at) for client in clients}
        took_s = {name: each.result() for name, each in running.items()}
    assert {name: seconds for name, seconds in took_s.items() if not 1.5 <= seconds <= 4.5} == {}


def test_an_idle_connection_and_one_that_takes_no_answers_are_ended() -> None:
    with serving(FakeEngine()) as at, ThreadPoolExecutor(2) as pool:
        idle, deaf = pool.submit(_idle, at), pool.submit(_deaf, at)
        while not (idle.done() and deaf.done()):
            assert get(at, "/health/live").status == 200
            time.sleep(0.05)
        assert 4.0 <= idle.result() <= 15.0
        assert deaf.result() <= 20.0


def _idle(at: Listen) -> float:
    with connected(at) as sock:
        sock.sendall(request(at, "/health/live"))
        assert received(sock).status == 200
        return seconds_to_the_end(sock, time.monotonic())


def _deaf(at: Listen) -> float:
    """Ask for the longest answer again and again, and read nothing."""
    asking = request(at, "/openapi.json") * 20
    began = time.monotonic()
    with connected(at, 0.2) as sock:
        while time.monotonic() - began < 30:
            try:
                sock.send(asking)
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return time.monotonic() - began


def _open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Room for both ends of the connections, which live in this one process."""
    wanted = HALF_OPEN * 2 + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} descriptors, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_a_thousand_half_open_connections_keep_nobody_out() -> None:
    with serving(FakeEngine()) as at:
        assert get(at, "/health/live").status == 200
        before = _open_descriptors()
        with contextlib.ExitStack() as clients:
            for number in range(HALF_OPEN):
                sock = clients.enter_context(connected(at))
                with contextlib.suppress(ConnectionError):
                    sock.sendall(b"GET /health/live HT")
                if number % 50 == 0:
                    assert get(at, "/health/live").status == 200
                    held = _open_descriptors() - before - number - 1
                    assert held <= MAX_CONNECTIONS + BACKLOG
            assert get(at, "/health/network").status == 200
        until(lambda: _open_descriptors() <= before)


class HeldEngine(FakeEngine):
    """An engine whose answers wait for a gate, and with them the server's loop."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.asked = 0

    def health(self) -> HealthFacts:
        self.asked += 1
        self.gate.wait(20)
        return super().health()


def _asking(at: Listen, clients: contextlib.ExitStack) -> socket.socket:
    sock = clients.enter_context(connected(at, 20.0))
    sock.sendall(request(at, "/health/live"))
    return sock


def test_clients_that_wait_in_the_backlog_are_all_answered() -> None:
    engine = HeldEngine()
    with serving(engine) as at, contextlib.ExitStack() as clients:
        began = time.monotonic()
        waiting = [_asking(at, clients)]
        until(lambda: engine.asked > 0)
        waiting += [_asking(at, clients) for _ in range(BACKLOG - 20)]
        engine.gate.set()
        assert [received(sock).status for sock in waiting] == [200] * len(waiting)
        assert time.monotonic() - began < 15.0

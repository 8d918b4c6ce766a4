"""The client's side against the server and against servers that misbehave."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from health_help import STOPPED, UNREACHABLE, FakeEngine, serving, until

from dydx_console.health.asking import MAX_ANSWER_BYTES, ask
from dydx_console.health.listen import Listen, TcpListen, UnixListen


@pytest.mark.parametrize("place", ["127.0.0.1", "::1", "unix"])
def test_status_and_body_are_told(place: str, tmp_path: Path) -> None:
    listen = UnixListen(tmp_path / "h") if place == "unix" else TcpListen(place, 0)
    engine = FakeEngine()
    with serving(engine, listen) as at:
        assert ask(at, "/health/ready", 5) == (
            200,
            '{"ready":true,"stream_state":"LIVE","stream_age_s":0.75}',
        )
        engine.facts = UNREACHABLE
        status, body = ask(at, "/health/ready", 5)
        assert (status, json.loads(body)["error"]) == (503, "not_ready")
        engine.facts = STOPPED
        assert ask(at, "/health/live", 5)[0] == 503
        assert ask(at, "/nope", 5)[0] == 404


def test_nobody_there_is_an_oserror(tmp_path: Path) -> None:
    with serving(FakeEngine()) as at:
        pass
    with pytest.raises(ConnectionRefusedError):
        ask(at, "/health/live", 5)
    with pytest.raises(FileNotFoundError):
        ask(UnixListen(tmp_path / "h"), "/health/live", 5)


@contextmanager
def answering(write: Callable[[socket.socket], None]) -> Iterator[Listen]:
    """A server that does `write` with its one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.settimeout(10)
                sock.recv(65_536)
                write(sock)

        thread = threading.Thread(target=serve)
        thread.start()
        yield TcpListen("127.0.0.1", listener.getsockname()[1])
        thread.join(20)
        assert not thread.is_alive()


def _drip(sock: socket.socket) -> None:
    try:
        for _ in range(200):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            time.sleep(0.05)
    except ConnectionError:
        return


def _hang(sock: socket.socket) -> None:
    until(lambda: sock.recv(1) == b"")


def _flood(sock: socket.socket) -> None:
    try:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 4 * MAX_ANSWER_BYTES)
    except ConnectionError:
        return


@pytest.mark.parametrize("write", [_drip, _hang])
def test_the_deadline_covers_all_of_it(write: Callable[[socket.socket], None]) -> None:
    with answering(write) as at:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            ask(at, "/health/live", 0.5)
        assert 0.4 <= time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no HTTP"),
        (b"220 smtp.example ESMTP\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "no HTTP"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "no HTTP"),
    ],
)
def test_what_is_no_answer_is_an_oserror(data: bytes, words: str) -> None:
    with answering(lambda sock: sock.sendall(data)) as at, pytest.raises(OSError, match=words):
        ask(at, "/health/live", 5)


def test_an_endless_answer_is_not_taken() -> None:
    with answering(_flood) as at, pytest.raises(OSError, match="longer than"):
        ask(at, "/health/live", 10)


@pytest.mark.parametrize("path", ["", "health", "/a b", "/a\r\nHost: x", "/é"])
def test_an_impossible_path_is_refused_before_anything_is_sent(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        ask(TcpListen("127.0.0.1", 9), path, 1)

"""Who is answered: a plain GET for this very server, from no web page; and what a query may ask."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from health_help import FakeEngine, connected, exchange, get, received, request, serving

from dydx_console.health.guard import MAX_CONNECTIONS, MAX_HEAD_BYTES
from dydx_console.health.listen import TcpListen, UnixListen
from dydx_console.ports.health import HealthFacts


@pytest.fixture(scope="module")
def at() -> Iterator[TcpListen]:
    """One server for all that is said to it."""
    with serving(FakeEngine()) as place:
        assert isinstance(place, TcpListen)
        yield place


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_the_names_of_this_server_are_answered(at: TcpListen, host: str) -> None:
    assert get(at, "/health/live", "Host: " + host.format(port=at.port)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "localhost.:{port}",
        "::1:{port}",
        "user@127.0.0.1:{port}",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/health/live", "/nope"])
def test_any_other_host_is_misdirected(at: TcpListen, host: str, path: str) -> None:
    answer = get(at, path, "Host: " + host.format(port=at.port))
    assert (answer.status, json.loads(answer.body)["error"]) == (421, "misdirected")


def test_no_host_at_all_is_misdirected_and_two_are_no_request(at: TcpListen) -> None:
    assert exchange(at, b"GET /health/live HTTP/1.0\r\n\r\n").status == 421
    assert exchange(at, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 421
    assert exchange(at, b"GET /health/live HTTP/1.1\r\n\r\n").status == 400
    assert get(at, "/health/live", f"Host: {at}", "Host: evil.example").status == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /health/live HTTP/1.1\r\nHost:\r\n\r\n", 200),
        (b"GET /health/live HTTP/1.0\r\n\r\n", 200),
        (b"GET /health/live HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 421),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", 403),
    ],
)
def test_a_unix_socket_is_called_localhost_or_nothing(data: bytes, status: int, tmp_path: Path) -> None:
    with serving(FakeEngine(), UnixListen(tmp_path / "h")) as at:
        assert exchange(at, data).status == status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Origin: https://evil.example", 403),
        ("Origin: null", 403),
        ("Origin:", 403),
        ("origin: http://127.0.0.1:8788", 403),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Sec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: none", 200),
        ("Upgrade: websocket", 200),
        ("Expect: 100-continue", 200),
        ("X-Forwarded-Host: evil.example", 200),
    ],
)
def test_web_pages_are_not_answered(at: TcpListen, header: str, status: int) -> None:
    answer = get(at, "/health/live", header)
    assert answer.status == status
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "X"]
)
@pytest.mark.parametrize("target", ["/health/network", "/nope", "*"])
def test_get_is_the_only_method(at: TcpListen, method: str, target: str) -> None:
    answer = exchange(at, request(at, target, method), method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert (answer.body == "") == (method == "HEAD")


@pytest.mark.parametrize("header", ["Content-Length: 1", "Content-Length: 99999999999", "Transfer-Encoding: chunked"])
def test_a_body_is_refused_before_it_comes(at: TcpListen, header: str) -> None:
    answer = get(at, "/health/live", header)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert get(at, "/health/live", "Content-Length: 0").status == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/health", "/health/network/", "//health/", "/HEALTH/", "/health/%00", "/metrics/x", "http://x/health/"],
)
def test_an_unknown_path_is_told_the_known_ones(at: TcpListen, path: str) -> None:
    answer = get(at, path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    problem = json.loads(answer.body)
    assert problem["error"] == "not_found"
    assert "/health/network" in problem["detail"]
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/health/network?probe=0", "probe=1"),
        ("/health/network?probe=true", "probe=1"),
        ("/health/network?probe", "probe=1"),
        ("/health/network?probe=1&probe=1", "probe=1"),
        ("/health/network?probe=1&x=2", "probe=1"),
        ("/health/network?deadline=1", "probe=1"),
        ("/health/?probe=1", "no query"),
        ("/health/config?x", "no query"),
        ("/health/ready?probe=1", "no query"),
        ("/health/live?=", "no query"),
        ("/metrics?name[]=up", "no query"),
        ("/openapi.json?v=3", "no query"),
    ],
)
def test_another_query_is_told_what_is_allowed(target: str, words: str) -> None:
    engine = FakeEngine()
    with serving(engine) as at:
        answer = get(at, target)
        assert get(at, target.partition("?")[0] + "?").status == 200
    problem = json.loads(answer.body)
    assert (answer.status, problem["error"]) == (400, "bad_query")
    assert words in problem["detail"]
    assert engine.probes == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET /health/live\r\n\r\n",
        b"GET /h\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_what_is_no_request_is_told_so_and_not_logged(
    at: TcpListen, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = exchange(at, data)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "bad_request")
    assert get(at, "/health/live").status == 200
    assert caplog.records == []


@pytest.mark.parametrize("ending", ["\r\n\r\n", ""])
@pytest.mark.parametrize("start", ["GET /{long} HTTP/1.1", "GET /health/live HTTP/1.1\r\nX: {long}"])
def test_a_head_that_is_too_long_is_refused(at: TcpListen, start: str, ending: str) -> None:
    data = start.format(long="x" * 2 * MAX_HEAD_BYTES) + f"\r\nHost: {at}" + ending
    answer = exchange(at, data.encode())
    assert (answer.status, json.loads(answer.body)["error"]) == (431, "head_too_long")
    assert get(at, "/health/live", "X: " + "x" * (MAX_HEAD_BYTES // 2)).status == 200


def test_many_requests_go_over_one_connection(at: TcpListen) -> None:
    with connected(at) as sock:
        for path, status in [("/health/live", 200), ("/nope", 404), ("/health/live?x", 400), ("/metrics", 200)] * 3:
            sock.sendall(request(at, path))
            assert received(sock).status == status
        sock.sendall(request(at, "/health/live", "GET", "Connection: close"))
        assert received(sock).status == 200
        assert sock.recv(1) == b""


def test_no_answer_waits_for_an_acknowledgement(at: TcpListen) -> None:
    began = time.monotonic()
    with connected(at) as sock:
        for _ in range(100):
            sock.sendall(request(at, "/health/live"))
            assert received(sock).status == 200
    assert time.monotonic() - began < 3.0, "40 ms each: what a delayed acknowledgement costs"


def test_requests_that_are_sent_at_once_are_answered_in_turn(at: TcpListen) -> None:
    with connected(at) as sock:
        sock.sendall(request(at, "/health/live") * 20 + request(at, "/health/ready", "GET", "Connection: close"))
        text = b""
        while chunk := sock.recv(65_536):
            text += chunk
    assert text.count(b"HTTP/1.1 200 OK") == 21
    assert text.count(b'{"live":true}') == 20


def test_rubbish_after_a_request_ends_the_connection_after_the_answer(at: TcpListen) -> None:
    with connected(at) as sock:
        sock.sendall(request(at, "/health/live") + b"\x00\x01\x02\r\n\r\n")
        text = b""
        while chunk := sock.recv(65_536):
            text += chunk
        assert text.startswith(b"HTTP/1.1 200 OK")
        assert b"HTTP/1.1 400 Bad Request" in text
        assert get(at, "/health/live").status == 200


def test_a_broken_body_behind_a_refused_head_harms_nobody(at: TcpListen) -> None:
    with connected(at) as sock:
        sock.sendall(request(at, "/health/live", "GET", "Transfer-Encoding: chunked") + b"nonsense\r\n\r\n")
        assert received(sock).status == 413
        assert sock.recv(1) == b""
    assert get(at, "/health/live").status == 200


class BrokenEngine(FakeEngine):
    """An engine whose evidence cannot be had."""

    def health(self) -> HealthFacts:
        raise LookupError("canary")


def test_an_engine_that_fails_is_a_500_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    with serving(BrokenEngine()) as at:
        answers = [get(at, path) for path in ("/health/network", "/metrics") for _ in range(MAX_CONNECTIONS)]
        assert get(at, "/openapi.json").status == 200
    assert {answer.status for answer in answers} == {500}
    assert {json.loads(answer.body)["error"] for answer in answers} == {"failed"}
    assert not [answer for answer in answers if "canary" in answer.body]
    assert "canary" in caplog.text

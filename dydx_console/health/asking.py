"""The client's side: one question to a health server, with one deadline for all of it."""

import http.client
import io
import socket
import time
from typing import IO, cast

from dydx_console.health.listen import Listen, UnixListen

__all__ = ["MAX_ANSWER_BYTES", "ask"]

MAX_ANSWER_BYTES = 1_048_576
CHUNK_BYTES = 65_536


class _Heard:
    """What was received, in the shape in which the standard library's parser reads it."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, _mode: str) -> IO[bytes]:
        return io.BytesIO(self._received)


def ask(listen: Listen, path: str, timeout_s: float) -> tuple[int, str]:
    """Return status and body of `GET path`; `path` begins with a slash and may carry a query.

    `timeout_s` covers connecting, asking and reading to the end, however slowly the answer comes. Raises TimeoutError
    when it is over, OSError where nobody answers or the answer is no HTTP, ValueError for an impossible path.
    """
    if not (path.startswith("/") and path.isascii() and path.isprintable() and " " not in path):
        raise ValueError(f"{path[:80]!r} is no path of a request")
    ends_at = time.monotonic() + timeout_s
    host = "localhost" if isinstance(listen, UnixListen) else str(listen)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with _connected(listen, timeout_s) as sock:
        sock.settimeout(_left_s(ends_at))
        sock.sendall(request.encode("ascii"))
        received = _to_the_end(sock, ends_at)
    return _parsed(received)


def _connected(listen: Listen, timeout_s: float) -> socket.socket:
    if not isinstance(listen, UnixListen):
        return socket.create_connection((listen.host, listen.port), timeout_s)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect(str(listen.path))
    except OSError:
        sock.close()
        raise
    return sock


def _to_the_end(sock: socket.socket, ends_at: float) -> bytes:
    received = bytearray()
    while len(received) <= MAX_ANSWER_BYTES:
        sock.settimeout(_left_s(ends_at))
        chunk = sock.recv(CHUNK_BYTES)
        if not chunk:
            return bytes(received)
        received += chunk
    raise ConnectionError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")


def _left_s(ends_at: float) -> float:
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("no complete answer in time")
    return left_s


def _parsed(received: bytes) -> tuple[int, str]:
    response = http.client.HTTPResponse(cast(socket.socket, _Heard(received)), method="GET")
    try:
        response.begin()
        return response.status, response.read().decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ConnectionError(f"the answer is no HTTP: {type(error).__name__}") from error

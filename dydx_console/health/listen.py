"""Where the health server listens: loopback or a unix socket, nothing else."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["MAX_SOCKET_PATH", "Listen", "TcpListen", "UnixListen", "parse_listen"]

MAX_SOCKET_PATH = 103
"""Longest path of a unix socket in bytes: what macOS takes; Linux takes four more."""

MAX_PORT = 65_535
HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "[::1]": "::1"}
FORMS = "127.0.0.1:8788, [::1]:8788, localhost:8788 or unix:/absolute/path"


@dataclass(frozen=True, slots=True)
class TcpListen:
    """A loopback address, 127.0.0.1 or ::1, and a port; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixListen:
    """A unix socket by its absolute path."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


Listen = TcpListen | UnixListen
"""Where to listen, or where it is listened."""


def parse_listen(text: str) -> Listen:
    """Return the place that a text names; `localhost` is 127.0.0.1, whatever the resolver says.

    Raises ValueError with a sentence that says what is wrong and what is allowed.
    """
    if text.startswith("unix:"):
        return UnixListen(_socket_path(text.removeprefix("unix:")))
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"{_quoted(text)} names no host and port; write {FORMS}")
    if host == "::1":
        raise ValueError(f"the host of {_quoted(text)} needs brackets: [::1]:{port[:5]}")
    address = HOSTS.get(host.lower())
    if address is None:
        raise ValueError(f"{_quoted(text)} is not on this machine's loopback, which alone is served; write {FORMS}")
    return TcpListen(address, _port(port, text))


def _port(port: str, text: str) -> int:
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= MAX_PORT):
        raise ValueError(f"the port of {_quoted(text)} must be a number from 0 (any free port) to {MAX_PORT}")
    return int(port)


def _socket_path(path: str) -> Path:
    if not path.startswith("/"):
        raise ValueError(f"the path of {_quoted('unix:' + path)} must be absolute; write unix:/absolute/path")
    if not path.isprintable():
        raise ValueError(f"the path of {_quoted('unix:' + path)} holds characters that cannot be shown")
    if path.endswith("/"):
        raise ValueError(f"{_quoted('unix:' + path)} names a folder; name the socket's file in it")
    if len(path.encode()) > MAX_SOCKET_PATH:
        raise ValueError(f"the path of {_quoted('unix:' + path)} is longer than {MAX_SOCKET_PATH} bytes")
    return Path(path)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")

"""Which addresses a network may have: the rules for Indexer, nodes and faucet, each broken one as a sentence.

An address that may be used comes back in one spelling, so that the same place is always the same text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dydx_console.safety.hosts import belongs_to, host_reasons, is_loopback, normal_host
from dydx_console.safety.networks import catalogued, kind_of

__all__ = [
    "CheckedUrl",
    "check_faucet",
    "check_listen",
    "check_node",
    "check_rest",
    "check_websocket",
    "mixed_network_reasons",
]

MAX_URL: Final = 300
MAX_PORT: Final = 65_535
MAX_SOCKET_PATH: Final = 100
"""Bytes of a unix socket's path that fit everywhere, the ending zero aside."""
WEBSOCKET_PATH: Final = "/v4/ws"
_DEFAULT_PORTS: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#]+)(:(?P<port>[0-9]{1,9}))?")
_PORT_AT_END: Final = re.compile(r":[0-9]+/?$")


@dataclass(frozen=True, slots=True)
class CheckedUrl:
    """An address that was looked at.

    `text` is its one spelling, empty where it cannot be used, and then `reasons` say why. `plaintext` tells that
    nothing encrypts it.
    """

    text: str
    host: str = ""
    port: int = 0
    plaintext: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one kind of address must look like: its schemes, the paths it may be given with, and the one it keeps."""

    secure: str
    plain: str
    paths: tuple[str, ...]
    path: str
    path_rule: str


@dataclass(frozen=True, slots=True)
class _Parts:
    scheme: str
    host: str
    port: int | None
    path: str
    has_more: bool


_REST: Final = _Rule(
    "https", "http", ("", "/", "/v4", "/v4/"), "", "it is scheme and host alone, /v4 is added by itself"
)
_WEBSOCKET: Final = _Rule("wss", "ws", (WEBSOCKET_PATH,), WEBSOCKET_PATH, f"it ends in {WEBSOCKET_PATH}")
_FAUCET: Final = _Rule("https", "http", ("", "/"), "", "it is scheme and host alone")
_NODE: Final = _Rule("https", "http", ("", "/"), "", "it is host:port")


def check_rest(url: str) -> CheckedUrl:
    """Check the Indexer's REST address: https://host, or http:// on this machine; /v4 is taken off."""
    return _checked(url, _REST)


def check_websocket(url: str) -> CheckedUrl:
    """Check the Indexer's WebSocket: wss://host/v4/ws, or ws:// on this machine."""
    return _checked(url, _WEBSOCKET)


def check_faucet(url: str) -> CheckedUrl:
    """Check a faucet's address: https://host, or http:// on this machine."""
    return _checked(url, _FAUCET)


def check_node(text: str) -> CheckedUrl:
    """Check a node: `host:port` or `https://host:port` speak TLS, `http://host:port` is for this machine alone.

    The one spelling is `host:port`, and `http://host:port` for plaintext. The port has to be there.
    """
    checked = _checked(text if "://" in text else f"https://{text}", _NODE)
    if checked.reasons:
        return checked
    if not _PORT_AT_END.search(text):
        return CheckedUrl("", checked.host, reasons=("the port is missing: write host:port",))
    place = f"{_written(checked.host)}:{checked.port}"
    return replace(checked, text=f"http://{place}" if checked.plaintext else place)


def check_listen(text: str) -> tuple[str, ...]:
    """Return why a server of ours may not listen there; it may on this machine's `host:port`, or at `unix:/path`.

    Port 0 takes one that is free.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        usable = path.startswith("/") and path.isprintable() and len(path.encode()) <= MAX_SOCKET_PATH
        return () if usable else (f"unix: takes a path that begins with / and has at most {MAX_SOCKET_PATH} bytes",)
    place = _PLACE.fullmatch(text)
    if place is None or place["port"] is None or not is_loopback(normal_host(place["host"])):
        return ("it is for this machine alone: 127.0.0.1:port, localhost:port, [::1]:port or unix:/path",)
    return () if int(place["port"]) <= MAX_PORT else (f"a port is a number up to {MAX_PORT}",)


def mixed_network_reasons(chain_id: str, hosts: Mapping[str, str]) -> dict[str, str]:
    """Return why hosts do not belong to a chain, by the key under which the wrong one stands.

    `hosts` has a normalised host by key. A host of the catalogue belongs to its network's chain, any other may be of
    any. So addresses of two networks never pass together, whatever the chain id is.
    """
    reasons = {}
    for key, host in hosts.items():
        home = belongs_to(host)
        network = None if home is None else catalogued(home)
        if network is not None and network.chain_id != chain_id:
            reasons[key] = (
                f"{host} belongs to {network.name} ({network.chain_id}), and the chain id is {chain_id!r}"
                f" ({kind_of(chain_id)})"
            )
    return reasons


def _checked(url: str, rule: _Rule) -> CheckedUrl:
    reasons = _text_reasons(url) or _scheme_reasons(url, rule)
    parts = None if reasons else _taken_apart(url)
    if parts is None:
        return CheckedUrl("", reasons=reasons or (f"it is not {rule.secure}://host or {rule.secure}://host:port",))
    host = normal_host(parts.host)
    port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    plaintext = parts.scheme == rule.plain
    reasons = host_reasons(host) + _part_reasons(parts, port, rule)
    if plaintext and not is_loopback(host):
        reasons = (f"{rule.plain}:// is not encrypted and for this machine only; write {rule.secure}://", *reasons)
    if reasons:
        return CheckedUrl("", host, port, plaintext, reasons)
    shown = "" if port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return CheckedUrl(f"{parts.scheme}://{_written(host)}{shown}{rule.path}", host, port, plaintext)


def _text_reasons(url: str) -> tuple[str, ...]:
    """Return what forbids to take an address apart at all: programs disagree about such texts."""
    if not url or len(url) > MAX_URL:
        return (f"it has {len(url)} characters; 1 to {MAX_URL} are allowed",)
    if not url.isascii():
        return ("it has letters beyond ASCII, which can look like others; write the host in plain letters",)
    if not url.isprintable() or " " in url:
        return ("it has white space or control characters",)
    if "@" in url:
        # the sentence must not repeat the address: what stands before the @ may be a password
        return ("it carries a user name or password; an address here has none",)
    found = [mark for mark in '\\%"<>^`{|}' if mark in url]
    return (f"it has {' '.join(found)}, which no address here needs",) if found else ()


def _scheme_reasons(url: str, rule: _Rule) -> tuple[str, ...]:
    scheme, separator, _ = url.partition("://")
    if separator and scheme.lower() in (rule.secure, rule.plain):
        return ()
    return (f"it must begin with {rule.secure}://, or with {rule.plain}:// for this machine only",)


def _taken_apart(url: str) -> _Parts | None:
    """Return the parts of an address, None where they are not plain to see."""
    scheme, _, rest = url.partition("://")
    place = _PLACE.match(rest)
    if place is None:
        return None
    path = rest[place.end() :]
    if path[:1] not in ("", "/", "?", "#"):
        return None
    bare = re.split("[?#]", path, maxsplit=1)[0]
    port = None if place["port"] is None else int(place["port"])
    return _Parts(scheme.lower(), place["host"], port, bare, bare != path)


def _part_reasons(parts: _Parts, port: int, rule: _Rule) -> tuple[str, ...]:
    reasons = []
    if not 1 <= port <= MAX_PORT:
        reasons.append(f"its port is {port}; 1 to {MAX_PORT} are allowed")
    if parts.has_more:
        reasons.append("it has a query or a fragment; an address here has none")
    if parts.path not in rule.paths:
        reasons.append(f"it has the path {parts.path or '/'!r}; {rule.path_rule}")
    return tuple(reasons)


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host

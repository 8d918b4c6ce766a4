"""Where a node listens, read from text."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

__all__ = ["Endpoint", "parse_endpoint"]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
FORMS = "host:port, https://host:port, or http://host:port on this machine"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node's address. `plaintext` is without TLS, which only this machine's own addresses may be."""

    host: str
    port: int
    plaintext: bool = False

    @property
    def label(self) -> str:
        """The address as `host:port`, by which it is named everywhere."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint that `text` names.

    Raises ValueError, with the reason, for any other form, for plaintext to another machine, and for a host that is
    neither a plain ASCII name nor an IP address.
    """
    scheme, _, rest = text.rpartition("://")
    if scheme not in ("", "http", "https"):
        raise _refused(text, f"the scheme {scheme!r} is not one of nodes")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(text, str(error)) from None
    if port is None or port == 0 or _says_more(parts, rest):
        raise _refused(text, "host and port are needed, and nothing else is allowed")
    if not _is_host(host):
        raise _refused(text, "the host is neither a plain name nor an IP address")
    if scheme == "http" and not _is_loopback(host):
        raise _refused(text, "without TLS only this machine itself can be reached")
    return Endpoint(host, port, plaintext=scheme == "http")


def _refused(text: str, reason: str) -> ValueError:
    # what stands before an @ may be a password
    shown = "…@" + text.rpartition("@")[2] if "@" in text else text
    return ValueError(f"node endpoint {shown[:100]!r}: {reason} (allowed: {FORMS})")


def _says_more(parts: SplitResult, rest: str) -> bool:
    """Return whether there is a path, a query, user info, or anything that the parser has dropped on its way."""
    return parts.netloc != rest or "@" in rest or rest.rpartition(":")[2] != str(parts.port)


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        # a name whose last part is a number would be read as an address by some resolvers
        return _NAME.fullmatch(host) is not None and not host.rpartition(".")[2].isdecimal()
    return "%" not in host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""Host names: how they are written, and which ones only look like a host of the catalogue."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from dydx_console.safety.networks import KNOWN_NETWORKS, Network

__all__ = ["belongs_to", "host_reasons", "is_loopback", "known_hosts", "look_alike_reasons", "normal_host"]

NEAR: Final = 2
"""Up to so many changed, added, lost or swapped letters a host name is taken for a misspelt one."""
NEAR_DOMAIN: Final = 1
"""The same for a registered domain alone, which is too short for two."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DIGITS = re.compile(r"[0-9]+")
_LOOKS_LIKE: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_LOOPBACK_V6: Final = IPv6Address("::1")
_SAME_SHAPE: Final = str.maketrans("01i234568", "ollzeasgb")
_ALSO_OF_A_NETWORK: Final = {"dydx-testnet-grpc.polkachu.com": "testnet"}
"""Hosts of a network that are in no catalogue, because they speak no TLS."""


def _hosts_of(network: Network) -> frozenset[str]:
    urls = (network.indexer_rest, network.indexer_websocket, *(f"//{node.split('://')[-1]}" for node in network.nodes))
    given = (urlsplit(url).hostname for url in (*urls, network.faucet or ""))
    return frozenset(host for host in given if host and not is_loopback(host))


def normal_host(host: str) -> str:
    """Return a host as it is compared: lower case, without the root's dot; an IPv6 address short, without brackets."""
    bare = host.lower().removesuffix(".").removeprefix("[").removesuffix("]")
    address = _address(bare)
    return bare if address is None else address.compressed


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: localhost, 127.0.0.0/8 or ::1, and no other spelling."""
    address = _address(host)
    if address is None:
        return host == "localhost"
    return address == _LOOPBACK_V6 if isinstance(address, IPv6Address) else address.is_loopback


def host_reasons(host: str) -> tuple[str, ...]:
    """Return why a normalised host cannot be used, nothing where it can."""
    if not host:
        return ("there is no host",)
    address = _address(host)
    if address is not None:
        return _address_reasons(host, address)
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        return (f"{host!r} is no host name: letters a–z, digits, - and . are allowed",)
    if _NUMBER.fullmatch(labels[-1]):
        return (f"{host!r} is no host name and no IP address in its usual writing",)
    if any(label.startswith("xn--") for label in labels):
        return (f"{host!r} is written in punycode, which can look like another host; use a host in plain letters",)
    return look_alike_reasons(host)


def belongs_to(host: str) -> str | None:
    """Return the name of the catalogue's network that a host belongs to, None for any other host."""
    return _HOME.get(host)


def known_hosts() -> frozenset[str]:
    """Return the catalogue's hosts, this machine's left out."""
    return frozenset(_HOME)


def look_alike_reasons(host: str) -> tuple[str, ...]:
    """Return why a normalised host is taken for an imitation of a host in the catalogue, nothing where it is not."""
    if host in _HOME:
        return ()
    for known, domain in _KNOWN_AND_DOMAIN:
        if _carries(host, domain) or _is_near(host, known, domain):
            return (f"{host!r} looks like {known!r} and is not; write the host itself, or use one of another name",)
    return ()


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _address_reasons(host: str, address: IPv4Address | IPv6Address) -> tuple[str, ...]:
    if isinstance(address, IPv6Address) and (address.scope_id or address.ipv4_mapped):
        return (f"{host!r}: write an IPv4 address as such, and an IPv6 address without a zone",)
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        return (f"{host!r} is not the address of one machine",)
    return ()


def _domain_of(host: str) -> str:
    """Return the registered domain, which for every host of the catalogue is its last two labels."""
    return ".".join(host.split(".")[-2:])


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _carries(host: str, domain: str) -> bool:
    """Return whether a host carries a known domain in front of its own, spelt with dots, hyphens or nothing between."""
    if _within(host, domain):
        return False
    words, wanted = re.split(r"[.-]", host), re.split(r"[.-]", domain)
    runs = (words[start : start + len(wanted)] for start in range(len(words)))
    together = "".join(wanted)
    return wanted in list(runs) or any(label.replace("-", "") == together for label in host.split("."))


def _is_near(host: str, known: str, domain: str) -> bool:
    if _within(host, domain):
        # a provider numbers its machines: a sibling that differs in digits alone is the provider's too
        return _DIGITS.sub("", host) != _DIGITS.sub("", known) and _apart(host, known) <= NEAR
    return _apart(host, known) <= NEAR or _apart(_domain_of(host), domain) <= NEAR_DOMAIN


def _apart(one: str, other: str) -> int:
    """Return how many letters two names are apart, read as written or by the shapes of their letters."""
    return min(_distance(one, other), _distance(_shape(one), _shape(other)))


def _shape(name: str) -> str:
    for pair, letter in _LOOKS_LIKE:
        name = name.replace(pair, letter)
    return name.translate(_SAME_SHAPE)


def _distance(one: str, other: str) -> int:
    """Return the number of letters to change, add, drop or swap with the next to come from one to the other."""
    if abs(len(one) - len(other)) > NEAR:
        return NEAR + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        below = [i]
        for j, wanted in enumerate(other, start=1):
            least = min(row[j] + 1, below[-1] + 1, row[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                least = min(least, before[j - 2] + 1)
            below.append(least)
        before, row = row, below
    return row[-1]


_HOME: Final = {host: network.name for network in KNOWN_NETWORKS for host in _hosts_of(network)} | _ALSO_OF_A_NETWORK
_KNOWN_AND_DOMAIN: Final = tuple((host, _domain_of(host)) for host in sorted(_HOME))

"""Names of things: addresses, subaccounts, channels, versions of stream rows."""

import re
from typing import NamedTuple

from bech32 import CHARSET, bech32_decode

__all__ = [
    "ADDRESS_PREFIX",
    "PARENTS",
    "AddressError",
    "PositionKey",
    "StreamVersion",
    "is_isolated",
    "parent_of",
    "parse_address",
    "short_address",
    "subaccount_number",
]

ADDRESS_PREFIX = "dydx"
PARENTS = 128
"""Subaccounts 0…127 are parents; child k of parent p is p + 128 k (dYdX docs: concepts, isolated subaccounts)."""

_ADDRESS_LENGTH = 43
"""Prefix, separator, the 32 words of a 20-byte account, and six of checksum."""
_SUBACCOUNT = re.compile(r"[0-9]{1,9}")


class AddressError(ValueError):
    """A text that is not a dYdX Chain account address; the message says what is wrong with it."""


class StreamVersion(NamedTuple):
    """Where a row stood in the stream: which connection of this run, its `message_id`, its place in the message.

    Versions of one connection order what the Indexer sent; a later connection is newer than an earlier one.
    """

    connection: int
    message_id: int
    place: int = 0


class PositionKey(NamedTuple):
    """A position's identity: at most one is open per subaccount and market."""

    subaccount: int
    market: str


def parse_address(text: str) -> str:
    """Return `text` if it is a bech32 account address of dYdX Chain, else raise AddressError saying why not."""
    if not text:
        raise AddressError("the address is empty; it should look like dydx1…")
    if text != text.strip():
        raise AddressError("the address has white space around it")
    if text.lower() != text:
        raise AddressError("the address has upper-case letters; dYdX addresses are lower case")
    prefix, separator, data = text.rpartition("1")
    if not separator or prefix != ADDRESS_PREFIX:
        raise AddressError(f"the address begins with {(prefix or text)[:12]!r}; a dYdX address begins with 'dydx1'")
    wrong = next((char for char in data if char not in CHARSET), None)
    if wrong is not None:
        raise AddressError(f"the address has the character {wrong!r}, which bech32 does not use")
    if len(text) != _ADDRESS_LENGTH:
        raise AddressError(f"the address has {len(text)} characters; a dYdX account address has {_ADDRESS_LENGTH}")
    _, words = bech32_decode(text)
    if words is None:
        raise AddressError("the address's checksum does not fit: a character is mistyped or missing")
    return text


def short_address(address: str) -> str:
    """Return the first and last characters of an address, for places without room."""
    return address if len(address) <= 18 else f"{address[:9]}…{address[-6:]}"


def subaccount_number(text: str) -> int | None:
    """Return the subaccount number that a text of decimal digits holds, None where it holds none."""
    return int(text) if _SUBACCOUNT.fullmatch(text) is not None else None


def parent_of(subaccount: int) -> int:
    """Return the parent (0…127) that a subaccount number belongs to."""
    return subaccount % PARENTS


def is_isolated(subaccount: int) -> bool:
    """Return whether a subaccount number is a child, which holds isolated positions."""
    return subaccount >= PARENTS

"""Valid `dydx1…` addresses that nobody holds a key to: a hash of a name, bech32-encoded."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import bech32

PREFIX = "dydx"
VALIDATOR_PREFIX = "dydxvalcons"


@lru_cache(maxsize=256)
def address_of(name: str) -> str:
    """The address of the 20 bytes that a name hashes to; the same name always gives the same one."""
    return encode(PREFIX, hashlib.sha256(f"dydx-console sim {name}".encode()).digest()[:20])


def encode(prefix: str, payload: bytes) -> str:
    """An address from its bytes."""
    words = bech32.convertbits(payload, 8, 5)
    if words is None:
        raise ValueError("whole bytes always convert")
    return str(bech32.bech32_encode(prefix, words))


def is_address(text: str) -> bool:
    """A bech32 address of this chain with a right checksum and 20 or 32 bytes."""
    prefix, words = bech32.bech32_decode(text)
    if prefix != PREFIX or words is None:
        return False
    payload = bech32.convertbits(words, 5, 8, False)
    return payload is not None and len(payload) in (20, 32)


DEMO_ADDRESS = address_of("demo account")

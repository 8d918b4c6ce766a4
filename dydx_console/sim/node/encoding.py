"""Values in the forms that the chain's messages have."""

from __future__ import annotations

import hashlib

POSITIVE, NEGATIVE = b"\x02", b"\x03"
NANOS_PER_MS = 1_000_000


def serializable_int(value: int) -> bytes:
    """An integer of any size: a byte for the sign, then the magnitude, big-endian and without leading zeros.

    Source: dydxprotocol/v4-chain protocol/dtypes/serializable_int.go (Go's GobEncode of a big.Int).
    """
    magnitude = abs(value)
    return (NEGATIVE if value < 0 else POSITIVE) + magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")


def digest(text: str) -> bytes:
    """32 bytes that stand for something; the same text always gives the same ones."""
    return hashlib.sha256(f"dydx-console sim {text}".encode()).digest()


def header_time(height: int, time_ms: int) -> dict[str, int]:
    """A block's time as its header has it, as a Timestamp's fields: what the Indexer tells, and nanoseconds below."""
    below_ms = int.from_bytes(digest(f"nanoseconds {height}")[:4], "big") % NANOS_PER_MS
    seconds, rest_ms = divmod(time_ms, 1_000)
    return {"seconds": seconds, "nanos": rest_ms * NANOS_PER_MS + below_ms}

"""secp256k1 signatures over SHA-256, and the addresses of public keys.

An address is bech32 of ripemd160(sha256(compressed public key)); signatures are 64 bytes r‖s with a low s
(cometbft/cometbft crypto/secp256k1/secp256k1.go). RIPEMD-160 is written out here, after "RIPEMD-160: A Strengthened
Version of RIPEMD" (Dobbertin, Bosselaers, Preneel): not every build of OpenSSL has it.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from dydx_console.sim.core.addresses import PREFIX, encode

KEY_BYTES = 33
SIGNATURE_BYTES = 64
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_LEFT_CONSTANTS = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)
_RHO = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
_SHIFTS = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)


def verify(public_key: bytes, signed: bytes, signature: bytes) -> bool:
    """Whether a compressed key made the signature of these bytes, in the one form that the chain takes."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < ORDER and 0 < s <= ORDER // 2):
        return False
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key)
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


@lru_cache(maxsize=256)
def address_of_key(public_key: bytes) -> str:
    """The `dydx1…` address of a compressed public key."""
    return encode(PREFIX, ripemd160(hashlib.sha256(public_key).digest()))


def ripemd160(data: bytes) -> bytes:
    """The 20-byte RIPEMD-160 digest."""
    padded = data + b"\x80" + b"\x00" * (-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    state = _START
    for start in range(0, len(padded), 64):
        state = _compress(state, struct.unpack("<16I", padded[start : start + 64]))
    return struct.pack("<5I", *state)


_State = tuple[int, int, int, int, int]


def _compress(state: _State, words: tuple[int, ...]) -> _State:
    left_order = tuple(range(16))
    right_order = tuple((9 * index + 5) % 16 for index in range(16))
    left, right = state, state
    for turn in range(5):
        left = _turn(left, words, left_order, (turn, turn, _LEFT_CONSTANTS[turn]))
        right = _turn(right, words, right_order, (turn, 4 - turn, _RIGHT_CONSTANTS[turn]))
        left_order = tuple(_RHO[index] for index in left_order)
        right_order = tuple(_RHO[index] for index in right_order)
    a, b, c, d, e = state
    return (
        (b + left[2] + right[3]) & _MASK,
        (c + left[3] + right[4]) & _MASK,
        (d + left[4] + right[0]) & _MASK,
        (e + left[0] + right[1]) & _MASK,
        (a + left[1] + right[2]) & _MASK,
    )


def _turn(state: _State, words: tuple[int, ...], order: tuple[int, ...], how: tuple[int, int, int]) -> _State:
    turn, function, constant = how
    a, b, c, d, e = state
    for index in order:
        mixed = (a + _mix(function, b, c, d) + words[index] + constant) & _MASK
        a, b, c, d, e = e, (_rotate(mixed, _SHIFTS[turn][index]) + e) & _MASK, b, _rotate(c, 10), d
    return a, b, c, d, e


def _mix(function: int, x: int, y: int, z: int) -> int:
    match function:
        case 0:
            return x ^ y ^ z
        case 1:
            return (x & y) | (~x & z & _MASK)
        case 2:
            return (x | (~y & _MASK)) ^ z
        case 3:
            return (x & z) | (y & ~z & _MASK)
    return x ^ (y | (~z & _MASK))


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _MASK

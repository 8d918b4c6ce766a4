"""Laws of sequences and timestamp nonces, of seen bytes, and of signatures."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signing_help import ORDER, Key
from sim_help import NOW

from dydx_console.sim.core.signatures import ripemd160, verify
from dydx_console.sim.core.signers import KEPT_NONCES, NONCE_FROM, NONCE_WINDOW_MS, Replay, Signers
from dydx_console.sim.core.transactions import Ledger

STEPS = st.lists(st.tuples(st.integers(0, 20_000), st.integers(-32_000, 32_000)), max_size=80)
"""(milliseconds to the next block, nonce relative to that block's time)"""


@given(STEPS)
def test_a_nonce_is_taken_once_within_its_window_and_a_fresh_greatest_one_always(steps: list[tuple[int, int]]) -> None:
    replay, block_ms, taken = Replay(sequence=5), NOW, set[int]()
    for later, away in steps:
        block_ms += later
        nonce = block_ms + away
        used = replay.use(nonce, block_ms)
        if isinstance(used, Replay):
            assert abs(away) <= NONCE_WINDOW_MS
            assert nonce not in taken
            assert len(used.nonces) <= KEPT_NONCES
            assert used.sequence == 5
            taken.add(nonce)
            replay = used
        else:
            assert (used.codespace, used.code) == ("sdk", 32)
            assert abs(away) > NONCE_WINDOW_MS or nonce <= max(taken)
            assert replay.use(nonce, block_ms) == used, "a refusal changes nothing"


@given(st.lists(st.integers(0, 12), max_size=40))
def test_sequences_are_taken_in_order_and_never_twice(offered: list[int]) -> None:
    signers, expected = Signers(), 0
    for sequence in offered:
        answer = signers.check("me", sequence, NOW)
        assert answer.ok == (sequence == expected)
        if answer.ok:
            signers.accept("me", sequence, NOW)
            expected += 1
        assert signers.sequence("me") == 0, "until a block has it"
    signers.end_block()
    assert signers.check("me", 0, NOW).ok, "what no block took is free again"


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_what_a_block_takes_is_used_up(signs: list[bool]) -> None:
    signers = Signers()
    for sequence, with_key in enumerate(signs):
        assert signers.deliver("me", sequence, NOW, b"key" if with_key else b"").ok
        assert signers.deliver("me", sequence, NOW, b"other").code == 32
        assert signers.sequence("me") == sequence + 1
    assert signers.public_key("me") == (b"key" if any(signs) else b"")


@given(st.integers(0, NONCE_FROM - 1), st.integers(0, NONCE_FROM - 1))
def test_numbers_below_two_to_the_fortieth_are_sequences(held: int, offered: int) -> None:
    used = Replay(sequence=held).use(offered, NOW)
    assert isinstance(used, Replay) == (held == offered)


@given(st.lists(st.sampled_from("ABCDEF"), max_size=30))
def test_bytes_are_seen_for_the_first_time_once(names: list[str]) -> None:
    ledger = Ledger()
    assert [ledger.first_sight(name) for name in names] == [name not in names[:n] for n, name in enumerate(names)]
    assert all(ledger.result(name) is None for name in names)


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 63), st.integers(0, 255))
def test_a_signature_is_good_for_its_key_and_bytes_alone(data: bytes, other: bytes, place: int, value: int) -> None:
    key, stranger = Key("law"), Key("stranger to the law")
    signature = key.sign(data)
    assert verify(key.public, data, signature)
    assert not verify(stranger.public, data, signature)
    assert verify(key.public, other, signature) == (other == data)
    changed = signature[:place] + bytes([value]) + signature[place + 1 :]
    assert verify(key.public, data, changed) == (changed == signature)
    assert not verify(key.public, data, key.sign(data, high=True)), "the other of the two forms"


@pytest.mark.parametrize(
    "signature", [b"", bytes(64), b"\x01" * 63, b"\x01" * 65, ORDER.to_bytes(32, "big") + (1).to_bytes(32, "big")]
)
def test_bytes_that_are_no_signature(signature: bytes) -> None:
    key = Key("law")
    assert not verify(key.public, b"data", signature)
    assert not verify(b"\x02" + b"\xff" * 32, b"data", key.sign(b"data"))
    assert not verify(key.public[1:], b"data", key.sign(b"data"))


VECTORS = {
    b"": "9c1185a5c5e9fc54612808977ee8f548b2258d31",
    b"abc": "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
    b"message digest": "5d0689ef49d2fae572b881b123a85ffa21595f36",
    b"1234567890" * 8: "9b752e45573d4b39f4dbd3323cab82bf63326bfb",
    b"a" * 1_000_000: "52783243c1697bdbe16d37f97f68f08325dc1528",
}
"""Of the algorithm's authors."""


@pytest.mark.parametrize(("data", "digest"), VECTORS.items(), ids=lambda value: str(value)[:20])
def test_ripemd160_by_its_authors(data: bytes, digest: str) -> None:
    assert ripemd160(data).hex() == digest


@given(st.binary(max_size=200))
def test_ripemd160_is_openssl_s_where_that_has_it(data: bytes) -> None:
    try:
        theirs: Any = hashlib.new("ripemd160", data)
    except ValueError:
        pytest.skip("not in this build of OpenSSL")
    assert ripemd160(data) == theirs.digest()

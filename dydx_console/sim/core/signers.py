"""Replay protection: an account's sequence, and the timestamp nonces that may stand in for it.

Sources: dydxprotocol/v4-chain protocol/x/accountplus/keeper/timestampnonce.go, protocol/app/ante/replay_protection.go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dydx_console.sim.core.orders import OK, TxAnswer
from dydx_console.sim.core.transactions import sdk_error

NONCE_FROM = 1 << 40
NONCE_WINDOW_MS = 30_000
KEPT_NONCES = 20


def is_nonce(sequence: int) -> bool:
    """Whether a sequence is a time in Unix milliseconds."""
    return sequence >= NONCE_FROM


@dataclass(frozen=True, slots=True)
class Replay:
    """What an account has used up: its next sequence, the nonces still kept and the highest one dropped."""

    sequence: int = 0
    nonces: tuple[int, ...] = ()
    dropped: int = 0

    def use(self, sequence: int, block_ms: int) -> Replay | TxAnswer:
        """What is used up after a transaction with this sequence at a block time, or the refusal."""
        if is_nonce(sequence):
            return self._use_nonce(sequence, block_ms)
        if sequence != self.sequence:
            return sdk_error(
                32,
                f"account sequence mismatch, expected {self.sequence}, got {sequence}: incorrect account sequence",
            )
        return replace(self, sequence=sequence + 1)

    def _use_nonce(self, nonce: int, block_ms: int) -> Replay | TxAnswer:
        if not block_ms - NONCE_WINDOW_MS <= nonce <= block_ms + NONCE_WINDOW_MS:
            return sdk_error(32, f"timestamp nonce {nonce} not within valid time window: incorrect account sequence")
        kept = [held for held in self.nonces if held >= block_ms - NONCE_WINDOW_MS]
        dropped = max([self.dropped, *(held for held in self.nonces if held < block_ms - NONCE_WINDOW_MS)])
        full = len(kept) >= KEPT_NONCES
        if nonce <= dropped or nonce in kept or (full and nonce <= min(kept)):
            return sdk_error(32, f"timestamp nonce {nonce} rejected: incorrect account sequence")
        if full:
            dropped = min(kept)
            kept.remove(dropped)
        return replace(self, nonces=(*kept, nonce), dropped=dropped)


class Signers:
    """Every account's replay protection, twice: as of the last block, and as the node sees it between blocks."""

    def __init__(self) -> None:
        self._committed: dict[str, Replay] = {}
        self._checked: dict[str, Replay] = {}
        self._keys: dict[str, bytes] = {}

    def sequence(self, address: str) -> int:
        """The next sequence as of the last block, as queries tell it."""
        return self._committed.get(address, Replay()).sequence

    def public_key(self, address: str) -> bytes:
        """The key that an account has signed with in a block; empty before it has."""
        return self._keys.get(address, b"")

    def check(self, address: str, sequence: int, block_ms: int) -> TxAnswer:
        """Whether the node would take a sequence now; nothing is used up."""
        used = self._now(address).use(sequence, block_ms)
        return used if isinstance(used, TxAnswer) else OK

    def accept(self, address: str, sequence: int, block_ms: int) -> None:
        """Use up a sequence that was checked, until the next block."""
        used = self._now(address).use(sequence, block_ms)
        if isinstance(used, Replay):
            self._checked[address] = used

    def deliver(self, address: str, sequence: int, block_ms: int, public_key: bytes) -> TxAnswer:
        """Use up a sequence for good, in a block of that time. It is used up too when the messages fail."""
        used = self._committed.get(address, Replay()).use(sequence, block_ms)
        if isinstance(used, TxAnswer):
            return used
        self._committed[address] = used
        if public_key:
            self._keys.setdefault(address, public_key)
        return OK

    def end_block(self) -> None:
        """Begin anew from what the block has committed."""
        self._checked.clear()

    def _now(self, address: str) -> Replay:
        return self._checked.get(address) or self._committed.get(address, Replay())

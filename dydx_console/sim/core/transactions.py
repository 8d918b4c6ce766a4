"""Transactions as a block holds them: one or more messages that take effect together, or none of them.

Sources: dydxprotocol/v4-chain protocol/x/clob/ante/clob.go, cosmos/cosmos-sdk baseapp/baseapp.go.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from dydx_console.sim.core.orders import OK, Cancel, Place, Transfer, Tx, TxAnswer

SEEN_TRANSACTIONS = 100_000
KEPT_RESULTS = 50_000


@dataclass(frozen=True, slots=True)
class AddAuthenticator:
    """Register a permission of `owner`: a kind of authenticator and its configuration."""

    owner: str
    kind: str
    config: bytes


@dataclass(frozen=True, slots=True)
class RemoveAuthenticator:
    """Revoke a permission of `owner` by its number."""

    owner: str
    authenticator_id: int


Message = Tx | AddAuthenticator | RemoveAuthenticator


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signature of a transaction says, besides its messages.

    `hash` is upper-case hex of the SHA-256 of `raw`, the bytes as sent. `sequence` is the signer's: a number of the
    account's own or, from 2^40 on, Unix milliseconds. `fee` is micro-USDC, 0 for what the order book's messages cost.
    `authenticators` has the numbers of the permissions that the transaction was sent under, one for each message.
    """

    hash: str
    raw: bytes
    signer: str
    sequence: int
    fee: int = 0
    gas_wanted: int = 0
    gas_used: int = 0
    public_key: bytes = b""
    authenticators: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """Messages of one transaction; `signed` is None for what the exchange's own actors send."""

    messages: tuple[Message, ...]
    signed: Signed | None = None

    @property
    def of_orders(self) -> bool:
        """Whether the order book's own checks hold for it: it places or cancels something."""
        return any(isinstance(message, Place | Cancel) for message in self.messages)

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """The transfers among the messages."""
        return tuple(message for message in self.messages if isinstance(message, Transfer))


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a signed transaction in its block; times are Unix milliseconds."""

    signed: Signed
    answer: TxAnswer
    height: int
    time_ms: int


class Ledger:
    """The transactions that a node has seen, whatever it made of them, and the results of those in blocks."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._results: OrderedDict[str, Result] = OrderedDict()

    def first_sight(self, hash: str) -> bool:
        """Note a transaction's hash; False when it was known."""
        if hash in self._seen:
            return False
        self._seen[hash] = None
        if len(self._seen) > SEEN_TRANSACTIONS:
            self._seen.popitem(last=False)
        return True

    def keep(self, result: Result) -> None:
        """Keep what became of a transaction."""
        self._results[result.signed.hash] = result
        if len(self._results) > KEPT_RESULTS:
            self._results.popitem(last=False)

    def result(self, hash: str) -> Result | None:
        """What became of a transaction; None when no kept block has it, which is always so for short-term ones."""
        return self._results.get(hash)


def sdk_error(code: int, log: str) -> TxAnswer:
    """A refusal of codespace sdk (cosmos/cosmos-sdk types/errors/errors.go)."""
    return TxAnswer(code, "sdk", log)


def in_block(index: int, answer: TxAnswer) -> TxAnswer:
    """How a block words the failure of the message at `index`."""
    if answer.ok:
        return OK
    return TxAnswer(answer.code, answer.codespace, f"failed to execute message; message index: {index}: {answer.log}")

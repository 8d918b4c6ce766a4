"""Permissions that an account gives to other keys, and the question whether they cover a message.

Sources: dydxprotocol/v4-chain protocol/x/accountplus/{authenticator/*.go,keeper/authenticators.go}. The filters for
subaccounts and order books let every message pass that is not a placement or a cancel, as on the chain.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import cast

from dydx_console.sim.core.orders import OK, BatchCancel, Cancel, Place, TxAnswer
from dydx_console.sim.core.signatures import KEY_BYTES, verify
from dydx_console.sim.core.transactions import Message, sdk_error

SIGNATURE, MESSAGES, SUBACCOUNTS, PAIRS = (
    "SignatureVerification",
    "MessageFilter",
    "SubaccountFilter",
    "ClobPairIdFilter",
)
ALL_OF, ANY_OF = "AllOf", "AnyOf"
COMPOSITES = (ALL_OF, ANY_OF)
KINDS = (SIGNATURE, MESSAGES, SUBACCOUNTS, PAIRS, ALL_OF, ANY_OF)
MAX_CONFIG_BYTES = 1_024
MAX_NUMBER = 2**32


@dataclass(frozen=True, slots=True)
class Authenticator:
    """One permission; `config` is as it was registered."""

    id: int
    kind: str
    config: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """A message with the signature that is to cover it; `signed` are the bytes that were signed."""

    message: Message
    type_url: str
    signed: bytes
    signature: bytes
    simulated: bool = False


class Authenticators:
    """Every account's permissions; numbers are given out once for the whole chain, from 0 on."""

    def __init__(self) -> None:
        self._held: dict[str, dict[int, Authenticator]] = {}
        self._next_id = 0

    def of(self, owner: str) -> tuple[Authenticator, ...]:
        """An account's permissions, oldest first."""
        return tuple(self._held.get(owner, {}).values())

    def find(self, owner: str, authenticator_id: int) -> Authenticator | None:
        """One of an account's permissions."""
        return self._held.get(owner, {}).get(authenticator_id)

    def add(self, owner: str, kind: str, config: bytes) -> TxAnswer:
        """Register a permission, unless it is malformed or does not need a signature on every path."""
        if kind not in KINDS:
            return _uncoded(f"authenticator type {kind} is not registered")
        try:
            safe = _needs_signature(kind, config)
        except _BadConfigError as error:
            return error.answer
        if not safe:
            return _uncoded(
                f"unsafe: authenticator tree does not require signature verification all possible paths, type = {kind}"
            )
        self._held.setdefault(owner, {})[self._next_id] = Authenticator(self._next_id, kind, config)
        self._next_id += 1
        return OK

    def remove(self, owner: str, authenticator_id: int) -> TxAnswer:
        """Revoke a permission."""
        if self._held.get(owner, {}).pop(authenticator_id, None) is None:
            log = f"RemoveAuthenticator: failed to get authenticator {authenticator_id} for address {owner}"
            return not_found(log)
        return OK

    def copy(self) -> Authenticators:
        """The same permissions, to be changed apart."""
        other = Authenticators()
        other._held = {owner: dict(held) for owner, held in self._held.items()}
        other._next_id = self._next_id
        return other


def not_found(log: str) -> TxAnswer:
    """There is no such permission."""
    return TxAnswer(1, "accountplus", f"{log}: Authenticator is not found")


def authenticate(authenticator: Authenticator, claim: Claim) -> TxAnswer:
    """Whether a permission covers a message."""
    try:
        return _authenticate(authenticator.kind, authenticator.config, claim)
    except _BadConfigError as error:
        return error.answer


class _BadConfigError(Exception):
    def __init__(self, answer: TxAnswer) -> None:
        super().__init__(answer.log)
        self.answer = answer


def _uncoded(log: str) -> TxAnswer:
    """An error that the chain's software gave no code of its own."""
    return TxAnswer(1, "undefined", log)


def _accountplus(code: int, log: str) -> TxAnswer:
    return TxAnswer(code, "accountplus", log)


def _parts(config: bytes) -> list[tuple[str, bytes]]:
    """The parts of a composite: a JSON list of {"type", "config"}, with the config in base64."""
    try:
        parts = [(part["type"], base64.b64decode(part["config"], validate=True)) for part in json.loads(config)]
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError) as error:
        raise _BadConfigError(_uncoded(f"failed to parse sub-authenticators initialization data: {error}")) from None
    if len(parts) < 2:
        raise _BadConfigError(sdk_error(18, "no sub-authenticators provided: invalid request"))
    for kind, _ in parts:
        if kind not in KINDS:
            raise _BadConfigError(sdk_error(18, "sub-authenticator type is not registered in manager: invalid request"))
    return cast("list[tuple[str, bytes]]", parts)


def _needs_signature(kind: str, config: bytes) -> bool:
    if kind == SIGNATURE:
        if len(config) != KEY_BYTES:
            log = f"invalid secp256k1 public key size, expected {KEY_BYTES}, got {len(config)}"
            raise _BadConfigError(_uncoded(log))
        return True
    if kind not in COMPOSITES:
        return False
    needs = [_needs_signature(*part) for part in _parts(config)]
    return any(needs) if kind == ALL_OF else all(needs)


def _authenticate(kind: str, config: bytes, claim: Claim) -> TxAnswer:
    match kind:
        case "SignatureVerification":
            if claim.simulated or verify(config, claim.signed, claim.signature):
                return OK
            return _accountplus(100, "signature verification failed: Signature verification failed")
        case "MessageFilter":
            if claim.type_url in config.decode(errors="replace").split(","):
                return OK
            log = f"message types do not match. Got {claim.type_url}: Message type verification failed"
            return _accountplus(101, log)
        case "AllOf":
            return _all_of(config, claim)
        case "AnyOf":
            return _any_of(config, claim)
    return _filter(kind, _numbers(config), claim.message)


def _filter(kind: str, allowed: frozenset[int], message: Message) -> TxAnswer:
    if kind == SUBACCOUNTS:
        asked, code, name = _subaccounts(message), 103, "subaccount number"
        described = "Subaccount verification failed"
    else:
        asked, code, name = _pairs(message), 102, "order id"
        described = "Clob pair id verification failed"
    for number in asked:
        if number not in allowed:
            return _accountplus(code, f"{name} {number} not in whitelist {sorted(allowed)}: {described}")
    return OK


def _subaccounts(message: Message) -> tuple[int, ...]:
    match message:
        case Place(order):
            return (order.id.subaccount.number,)
        case Cancel(order_id):
            return (order_id.subaccount.number,)
        case BatchCancel(subaccount):
            return (subaccount.number,)
    return ()


def _pairs(message: Message) -> tuple[int, ...]:
    match message:
        case Place(order):
            return (order.id.clob_pair_id,)
        case Cancel(order_id):
            return (order_id.clob_pair_id,)
        case BatchCancel(_, client_ids_by_pair):
            return tuple(pair for pair, _ in client_ids_by_pair)
    return ()


def _numbers(config: bytes) -> frozenset[int]:
    texts = config.decode(errors="replace").split(",")
    if any(not (text.isascii() and text.isdigit() and int(text) < MAX_NUMBER) for text in texts):
        raise _BadConfigError(_uncoded("authenticator failed to initialize: invalid syntax"))
    return frozenset(map(int, texts))


def _all_of(config: bytes, claim: Claim) -> TxAnswer:
    for part in _parts(config):
        answer = _authenticate(*part, claim)
        if not answer.ok:
            return _accountplus(104, f"{answer.log}: AllOf verification failed")
    return OK


def _any_of(config: bytes, claim: Claim) -> TxAnswer:
    texts = []
    for kind, part in _parts(config):
        answer = _authenticate(kind, part, claim)
        if answer.ok:
            return OK
        texts.append(f"[{kind}] {answer.log}")
    told = "; ".join(texts)
    return _accountplus(105, f"all sub-authenticators failed to authenticate: {told}: AnyOf verification failed")

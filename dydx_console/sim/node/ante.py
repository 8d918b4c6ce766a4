"""From the bytes of a transaction to what the exchange may be asked: decoding, signature, sequence, fee.

The order of the checks is the chain's: dydxprotocol/v4-chain protocol/app/ante.go, protocol/x/accountplus/ante/ante.go;
their texts cosmos/cosmos-sdk x/auth/ante/{basic,fee,sigverify}.go. One signer, SIGN_MODE_DIRECT only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError
from v4_proto.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from v4_proto.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_DIRECT
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, SignDoc, TxBody, TxRaw
from v4_proto.dydxprotocol.accountplus.tx_pb2 import TxExtension

from dydx_console.sim.core.authenticators import Claim, authenticate, not_found
from dydx_console.sim.core.checktx import is_short_term
from dydx_console.sim.core.orders import BatchCancel, Cancel, Place, Transfer
from dydx_console.sim.core.signatures import address_of_key, verify
from dydx_console.sim.core.transactions import Bundle, Signed, sdk_error
from dydx_console.sim.node.account_answers import USDC_DENOM
from dydx_console.sim.node.messages import Decoded, TxRefusedError, decode
from dydx_console.sim.venue import Venue

MAX_MEMO = 256
MAX_BYTES = 1_048_576
KEY_TYPE = "/cosmos.crypto.secp256k1.PubKey"
EXTENSION_TYPE = "/dydxprotocol.accountplus.TxExtension"
USDC_PER_GAS = (25, 1_000)
"""Micro-USDC for so much gas."""
ANTE_GAS, GAS_PER_BYTE, GAS_PER_MESSAGE = 45_000, 10, 30_000
"""What a transaction costs, about as on the chain."""


@dataclass(frozen=True, slots=True)
class Received:
    """A decoded transaction; `body_bytes` and `auth_bytes` are those that were signed."""

    raw: bytes
    hash: str
    body_bytes: bytes
    auth_bytes: bytes
    body: Any
    auth: Any
    signatures: tuple[bytes, ...]
    messages: tuple[Decoded, ...]
    authenticators: tuple[int, ...]

    @property
    def signer(self) -> str:
        """Who must sign: the first message's signer, whom the others must share."""
        return self.messages[0].signer

    @property
    def sequence(self) -> int:
        """The signer's sequence or timestamp nonce."""
        return int(self.auth.signer_infos[0].sequence)

    @property
    def of_orders(self) -> bool:
        """Whether it has a message to the order book, and with it neither gas nor fee."""
        return any(isinstance(held.message, Place | Cancel | BatchCancel) for held in self.messages)

    @property
    def short_term(self) -> bool:
        """Whether its good-til-blocks alone protect it from being sent again."""
        return all(is_short_term(held.message) for held in self.messages)

    @property
    def gas_used(self) -> int:
        """Gas that it costs; nothing where the order book has a part in it."""
        if self.of_orders:
            return 0
        return ANTE_GAS + GAS_PER_BYTE * len(self.raw) + GAS_PER_MESSAGE * len(self.messages)


def receive(raw: bytes) -> Received:
    """Decode a transaction; TxRefusedError when the chain would not even look at its signature."""
    if len(raw) > MAX_BYTES:
        raise TxRefusedError(sdk_error(21, f"tx too large: max {MAX_BYTES}, got {len(raw)}"))
    tx, body, auth = TxRaw(), TxBody(), AuthInfo()
    try:
        tx.ParseFromString(raw)
        body.ParseFromString(tx.body_bytes)
        auth.ParseFromString(tx.auth_info_bytes)
    except DecodeError as error:
        raise TxRefusedError(sdk_error(2, f"{error}: tx parse error")) from None
    if not body.messages:
        raise TxRefusedError(sdk_error(18, "must contain at least one message: invalid request"))
    messages = tuple(decode(packed) for packed in body.messages)
    return Received(
        raw,
        tx_hash(raw),
        tx.body_bytes,
        tx.auth_info_bytes,
        body,
        auth,
        tuple(tx.signatures),
        messages,
        _selected(body),
    )


def tx_hash(raw: bytes) -> str:
    """The name that a transaction goes by."""
    return hashlib.sha256(raw).hexdigest().upper()


def admit(venue: Venue, tx: Received, *, simulated: bool = False) -> Bundle:
    """Check everything that comes before the messages; TxRefusedError with the chain's answer.

    A simulation needs no fee and no right signature, only everything else.
    """
    _check_form(venue, tx)
    if not tx.of_orders and not simulated:
        _check_fee(venue, tx)
    number = venue.exchange.committed.account_number(tx.signer)
    if number is None:
        raise TxRefusedError(sdk_error(9, f"account {tx.signer} does not exist: unknown address"))
    if not tx.short_term:
        answer = venue.exchange.signers.check(tx.signer, tx.sequence, venue.exchange.time_ms)
        if not answer.ok:
            raise TxRefusedError(answer)
    signed = sign_bytes(tx, venue.options.chain_id, number)
    if tx.authenticators:
        key = b""
        _check_permissions(venue, tx, signed, simulated=simulated)
    else:
        key = _check_signature(venue, tx, signed, number, simulated=simulated)
    _check_company(tx)
    return Bundle(tuple(held.message for held in tx.messages), _signed(tx, key))


def sign_bytes(tx: Received, chain_id: str, account_number: int) -> bytes:
    """What the signer has signed, if everything is as the chain has it."""
    document = SignDoc(
        body_bytes=tx.body_bytes, auth_info_bytes=tx.auth_bytes, chain_id=chain_id, account_number=account_number
    )
    return bytes(document.SerializeToString(deterministic=True))


def _signed(tx: Received, key: bytes) -> Signed:
    free = tx.of_orders
    return Signed(
        hash=tx.hash,
        raw=tx.raw,
        signer=tx.signer,
        sequence=tx.sequence,
        fee=0 if free else _offered(tx),
        gas_wanted=0 if free else tx.auth.fee.gas_limit,
        gas_used=tx.gas_used,
        public_key=key,
        authenticators=tx.authenticators,
    )


def _selected(body: Any) -> tuple[int, ...]:
    for option in body.non_critical_extension_options:
        if option.type_url == EXTENSION_TYPE:
            try:
                return tuple(TxExtension.FromString(option.value).selected_authenticators)
            except DecodeError as error:
                raise TxRefusedError(sdk_error(2, f"{error}: tx parse error")) from None
    return ()


def _check_form(venue: Venue, tx: Received) -> None:
    if tx.body.extension_options:
        raise TxRefusedError(sdk_error(31, "unknown extension options"))
    if not tx.signatures:
        raise TxRefusedError(sdk_error(15, "no signatures supplied"))
    signers = len({held.signer for held in tx.messages})
    if not signers == len(tx.signatures) == len(tx.auth.signer_infos) == 1:
        given = len(tx.signatures)
        raise TxRefusedError(sdk_error(4, f"wrong number of signers; expected {signers}, got {given}: unauthorized"))
    height, timeout = venue.exchange.height, tx.body.timeout_height
    if 0 < timeout < height:
        raise TxRefusedError(sdk_error(30, f"block height: {height}, timeout height: {timeout}: tx timeout height"))
    memo = len(tx.body.memo.encode())
    if memo > MAX_MEMO:
        log = f"maximum number of characters is {MAX_MEMO} but received {memo} characters: memo too large"
        raise TxRefusedError(sdk_error(12, log))


def _offered(tx: Received) -> int:
    return sum(int(coin.amount) for coin in tx.auth.fee.amount if coin.denom == USDC_DENOM and coin.amount.isdigit())


def _check_fee(venue: Venue, tx: Received) -> None:
    gas, offered = tx.auth.fee.gas_limit, _offered(tx)
    numerator, denominator = USDC_PER_GAS
    required = -(-gas * numerator // denominator)
    if offered < required:
        log = f"insufficient fees; got: {offered}{USDC_DENOM} required: {required}{USDC_DENOM}: insufficient fee"
        raise TxRefusedError(sdk_error(13, log))
    if gas < ANTE_GAS:
        log = f"out of gas in location: ReadFlat; gasWanted: {gas}, gasUsed: {ANTE_GAS}: out of gas"
        raise TxRefusedError(sdk_error(11, log))
    held = venue.exchange.spendable(tx.signer)
    if held < offered:
        log = f"spendable balance {held}{USDC_DENOM} is smaller than {offered}{USDC_DENOM}: insufficient funds"
        raise TxRefusedError(sdk_error(5, log))


def _check_signature(venue: Venue, tx: Received, signed: bytes, number: int, *, simulated: bool) -> bytes:
    """The public key that signed; it must be the account's own."""
    info = tx.auth.signer_infos[0]
    key = _key(info) or venue.exchange.signers.public_key(tx.signer)
    if simulated:
        return key
    if not key:
        raise TxRefusedError(sdk_error(8, "pubkey on account is not set: invalid pubkey"))
    if address_of_key(key) != tx.signer:
        log = f"pubKey does not match signer address {tx.signer} with signer index: 0: invalid pubkey"
        raise TxRefusedError(sdk_error(8, log))
    if info.mode_info.single.mode != SIGN_MODE_DIRECT or not verify(key, signed, tx.signatures[0]):
        log = (
            f"signature verification failed; please verify account number ({number}) and chain-id"
            f" ({venue.options.chain_id}): (unable to verify single signer signature): unauthorized"
        )
        raise TxRefusedError(sdk_error(4, log))
    return key


def _key(info: Any) -> bytes:
    if info.public_key.type_url != KEY_TYPE:
        return b""
    try:
        return bytes(PubKey.FromString(info.public_key.value).key)
    except DecodeError:
        return b""


def _check_permissions(venue: Venue, tx: Received, signed: bytes, *, simulated: bool) -> None:
    if len(tx.authenticators) != len(tx.messages):
        log = (
            "Mismatch between the number of selected authenticators and messages,"
            f" msg count {len(tx.messages)}, got {len(tx.authenticators)} selected authenticators: invalid request"
        )
        raise TxRefusedError(sdk_error(18, log))
    for index, (held, number) in enumerate(zip(tx.messages, tx.authenticators, strict=True)):
        authenticator = venue.exchange.state.authenticators.find(held.signer, number)
        if authenticator is None:
            raise TxRefusedError(not_found(f"authenticator {number} not found for account {held.signer}"))
        claim = Claim(held.message, held.type_url, signed, tx.signatures[0], simulated)
        answer = authenticate(authenticator, claim)
        if not answer.ok:
            log = f"authentication failed for message {index}, authenticator id {number}, type {authenticator.kind}"
            raise TxRefusedError(type(answer)(answer.code, answer.codespace, f"{log}: {answer.log}"))


def _check_company(tx: Received) -> None:
    """Which messages may travel together."""
    if not tx.of_orders or len(tx.messages) == 1:
        _check_timeout(tx)
        return
    messages = [held.message for held in tx.messages]
    problem = None
    if any(is_short_term(message) for message in messages):
        problem = "a transaction containing short term order may not contain more than one message"
    elif sum(_between_subaccounts(held) for held in tx.messages) > 1:
        problem = "a transaction containing stateful orders can only be accompanied by 1 transfer msg"
    elif not all(isinstance(held.message, Place | Cancel) or _between_subaccounts(held) for held in tx.messages):
        problem = "a transaction containing stateful orders cannot be accompanied by non transfer msgs"
    if problem is not None:
        raise TxRefusedError(sdk_error(18, f"{problem}: invalid request"))


def _between_subaccounts(held: Decoded) -> bool:
    return isinstance(held.message, Transfer) and held.type_url.endswith("MsgCreateTransfer")


def _check_timeout(tx: Received) -> None:
    first, timeout = tx.messages[0].message, tx.body.timeout_height
    if isinstance(first, Place) and first.order.id.short_term and 0 < timeout < (first.order.good_til_block or 0):
        log = "timeout height (if non-zero) may not be less than `goodTilBlock` for a short-term place order"
        raise TxRefusedError(sdk_error(18, f"{log}: invalid request"))

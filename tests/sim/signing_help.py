"""A key that signs transactions, written apart from the simulator's own way of reading them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from google.protobuf.any_pb2 import Any as AnyMessage
from v4_proto.cosmos.base.v1beta1.coin_pb2 import Coin
from v4_proto.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from v4_proto.cosmos.tx.signing.v1beta1.signing_pb2 import SIGN_MODE_DIRECT
from v4_proto.cosmos.tx.v1beta1.tx_pb2 import AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, TxBody, TxRaw
from v4_proto.dydxprotocol.accountplus.tx_pb2 import TxExtension

from dydx_console.sim.core.signatures import address_of_key

USDC_DENOM = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
ORDER = HALF_ORDER * 2 + 1


@dataclass
class Key:
    """A private key from a name; the same name gives the same key."""

    name: str
    private: ec.EllipticCurvePrivateKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.secret = hashlib.sha256(f"a test's key {self.name}".encode()).digest()
        self.private = ec.derive_private_key(int.from_bytes(self.secret, "big"), ec.SECP256K1())

    @property
    def public(self) -> bytes:
        form = serialization.PublicFormat.CompressedPoint
        return self.private.public_key().public_bytes(serialization.Encoding.X962, form)

    @property
    def address(self) -> str:
        return address_of_key(self.public)

    def sign(self, data: bytes, *, high: bool = False) -> bytes:
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        s = min(s, ORDER - s)
        return r.to_bytes(32, "big") + (ORDER - s if high else s).to_bytes(32, "big")


@dataclass(frozen=True)
class Signing:
    """What a transaction is signed for; tests change one thing at a time."""

    chain_id: str
    account_number: int
    sequence: int = 0
    memo: str = ""
    timeout_height: int = 0
    gas: int = 1_000_000
    fee: int = 0
    fee_denom: str = USDC_DENOM
    authenticators: tuple[int, ...] = ()
    mode: int = SIGN_MODE_DIRECT
    high_s: bool = False
    public_key: bytes | None = None
    extension: bool = False


def packed(message: Any) -> AnyMessage:
    found = AnyMessage()
    found.Pack(message, type_url_prefix="/")
    return found


def signed_bytes(key: Key, signing: Signing, *messages: Any) -> bytes:
    """A transaction as it is broadcast."""
    options = [packed(TxExtension(selected_authenticators=signing.authenticators))] if signing.authenticators else []
    body = TxBody(
        messages=[message if isinstance(message, AnyMessage) else packed(message) for message in messages],
        memo=signing.memo,
        timeout_height=signing.timeout_height,
        non_critical_extension_options=options,
        extension_options=[packed(TxExtension())] if signing.extension else [],
    ).SerializeToString()
    coins = [Coin(denom=signing.fee_denom, amount=str(signing.fee))] if signing.fee else []
    public = key.public if signing.public_key is None else signing.public_key
    info = SignerInfo(
        public_key=packed(PubKey(key=public)) if public else None,
        mode_info=ModeInfo(single=ModeInfo.Single(mode=signing.mode)),
        sequence=signing.sequence,
    )
    auth = AuthInfo(signer_infos=[info], fee=Fee(amount=coins, gas_limit=signing.gas)).SerializeToString()
    document = SignDoc(
        body_bytes=body, auth_info_bytes=auth, chain_id=signing.chain_id, account_number=signing.account_number
    )
    signature = key.sign(document.SerializeToString(), high=signing.high_s)
    return TxRaw(body_bytes=body, auth_info_bytes=auth, signatures=[signature]).SerializeToString()

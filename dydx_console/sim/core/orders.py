"""Orders, cancels and transfers as the chain knows them, and the answers it gives.

Field rules follow dydxprotocol/v4-chain protocol/x/clob/types/{order.go,message_place_order.go} and
proto/dydxprotocol/clob/order.proto.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

SHORT_TERM = 0
CONDITIONAL = 32
LONG_TERM = 64
TWAP = 128


class Side(IntEnum):
    """Order side, numbered as on the wire."""

    BUY = 1
    SELL = 2

    @property
    def sign(self) -> int:
        """+1 for a buy, −1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class TimeInForce(IntEnum):
    """Time in force; FILL_OR_KILL is deprecated and always refused (clob 48)."""

    UNSPECIFIED = 0
    IOC = 1
    POST_ONLY = 2
    FILL_OR_KILL = 3


class ConditionType(IntEnum):
    """When a conditional order comes alive."""

    UNSPECIFIED = 0
    STOP_LOSS = 1
    TAKE_PROFIT = 2


class RemovalReason(StrEnum):
    """Why an order left a book; the names of proto/dydxprotocol/indexer/shared/removal_reason.proto."""

    EXPIRED = "EXPIRED"
    USER_CANCELED = "USER_CANCELED"
    UNDERCOLLATERALIZED = "UNDERCOLLATERALIZED"
    SELF_TRADE_ERROR = "SELF_TRADE_ERROR"
    POST_ONLY = "POST_ONLY_WOULD_CROSS_MAKER_ORDER"
    IOC = "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
    REDUCE_ONLY_RESIZE = "REDUCE_ONLY_RESIZE"
    REPLACED = "REPLACED"
    FULLY_FILLED = "FULLY_FILLED"
    FINAL_SETTLEMENT = "FINAL_SETTLEMENT"
    ISOLATED = "VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS"


@dataclass(frozen=True, slots=True)
class SubaccountId:
    """An owner's address and a subaccount number (0–127 parents, children = parent + 128·k)."""

    owner: str
    number: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.owner, self.number)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class OrderId:
    """What makes an order unique on the chain; a client id may be used again under another market or flag."""

    subaccount: SubaccountId
    client_id: int
    flags: int
    clob_pair_id: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.subaccount, self.client_id, self.flags, self.clob_pair_id)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def short_term(self) -> bool:
        """Lives in validators' memory only."""
        return self.flags == SHORT_TERM


@dataclass(frozen=True, slots=True)
class Twap:
    """How a TWAP parent is to be cut up: seconds in all and between parts, tolerance in ppm of the oracle price."""

    duration_s: int
    interval_s: int
    tolerance_ppm: int

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return self.duration_s // self.interval_s


@dataclass(frozen=True, slots=True)
class Order:
    """An order as sent; sizes in quantums, prices in subticks, good-til time in whole seconds."""

    id: OrderId
    side: Side
    quantums: int
    subticks: int
    good_til_block: int | None = None
    good_til_block_time_s: int | None = None
    time_in_force: TimeInForce = TimeInForce.UNSPECIFIED
    reduce_only: bool = False
    client_metadata: int = 0
    condition: ConditionType = ConditionType.UNSPECIFIED
    trigger_subticks: int = 0
    builder_address: str | None = None
    builder_fee_ppm: int | None = None
    twap: Twap | None = None

    @property
    def hash(self) -> bytes:
        """What decides between two orders with one id and one good-til-block: as good as a toss of a coin."""
        return hashlib.sha256(repr(self).encode()).digest()


@dataclass(frozen=True, slots=True)
class Place:
    """Place (or, short-term with a later good-til-block, replace) one order."""

    order: Order


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel one order; the good-til field that fits its kind must not be below the order's own."""

    order_id: OrderId
    good_til_block: int | None = None
    good_til_block_time_s: int | None = None


@dataclass(frozen=True, slots=True)
class BatchCancel:
    """Cancel many short-term orders of one subaccount; answers code 0 whatever becomes of each."""

    subaccount: SubaccountId
    client_ids_by_pair: tuple[tuple[int, tuple[int, ...]], ...]
    good_til_block: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Move micro-USDC. An end that is a plain address is a wallet: from one = deposit, to one = withdrawal, both = a
    payment between wallets, of which the Indexer hears nothing."""

    sender: SubaccountId | str
    recipient: SubaccountId | str
    quote_quantums: int


Tx = Place | Cancel | BatchCancel | Transfer


@dataclass(frozen=True, slots=True)
class TxAnswer:
    """What a node answers to a broadcast (mode SYNC): code 0 means that it took the transaction, no more."""

    code: int = 0
    codespace: str = ""
    log: str = ""

    @property
    def ok(self) -> bool:
        """The node took it."""
        return self.code == 0


OK = TxAnswer()


def clob_error(code: int, log: str) -> TxAnswer:
    """A refusal of codespace clob (protocol/x/clob/types/errors.go)."""
    return TxAnswer(code, "clob", log)

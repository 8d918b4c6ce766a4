"""What a validator node says of its chain and of an account, as plain values.

Amounts are what the chain counts in: quantums, subticks, parts per million. Times are UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dydx_console.domain.numbers import MATH

__all__ = [
    "Authenticator",
    "BlockHead",
    "BlockRateLimit",
    "BlockRateLimits",
    "ChosenLeverage",
    "EquityTier",
    "EquityTierLimits",
    "FeeTier",
    "NodeAccount",
    "NodeAsset",
    "NodeInfo",
    "NodePosition",
    "NodeSubaccount",
    "OraclePrice",
]

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class BlockHead:
    """A committed block: its height and header time, to the microsecond.

    `source` is the endpoint that told; `chain_id` is in a node's answer only, the Indexer has none.
    """

    height: int
    time: datetime
    source: str
    chain_id: str | None = None


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What a node is: the chain id that it reports, and the version of the software that it runs."""

    endpoint: str
    chain_id: str
    version: str


@dataclass(frozen=True, slots=True)
class NodeAccount:
    """An account as transactions need it: its number and the next sequence."""

    address: str
    number: int
    sequence: int


@dataclass(frozen=True, slots=True)
class NodeAsset:
    """An asset held in a subaccount; id 0 is USDC with 6 decimals. `quantums` is signed."""

    asset_id: int
    quantums: int


@dataclass(frozen=True, slots=True)
class NodePosition:
    """A perpetual position; `quantums` is signed, `quote_balance` is in micro-USDC."""

    perpetual_id: int
    quantums: int
    funding_index: int
    quote_balance: int


@dataclass(frozen=True, slots=True)
class NodeSubaccount:
    """A subaccount as committed. One that was never funded has neither assets nor positions."""

    address: str
    number: int
    assets: tuple[NodeAsset, ...]
    positions: tuple[NodePosition, ...]


@dataclass(frozen=True, slots=True)
class OraclePrice:
    """An oracle price: `price` × 10^`exponent` USD."""

    market_id: int
    price: int
    exponent: int

    @property
    def value(self) -> Decimal:
        """The price in USD."""
        return Decimal(self.price).scaleb(self.exponent)


@dataclass(frozen=True, slots=True)
class BlockRateLimit:
    """At most `limit` in `blocks` blocks, by owner address."""

    blocks: int
    limit: int


@dataclass(frozen=True, slots=True)
class BlockRateLimits:
    """How many orders a node takes; an empty tuple is no limit."""

    short_term_orders_and_cancels: tuple[BlockRateLimit, ...]
    stateful_orders: tuple[BlockRateLimit, ...]
    leverage_updates: tuple[BlockRateLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class EquityTier:
    """From `usd_equity` USD on, so many open orders are allowed in a subaccount."""

    usd_equity: Decimal
    limit: int


@dataclass(frozen=True, slots=True)
class EquityTierLimits:
    """Open orders by equity; an empty tuple is no limit. The chain does not enforce the short-term tiers."""

    short_term_orders: tuple[EquityTier, ...]
    stateful_orders: tuple[EquityTier, ...]


@dataclass(frozen=True, slots=True)
class FeeTier:
    """An address's trading fees in parts per million of the notional; a negative maker fee is a rebate."""

    index: int
    name: str
    maker_fee_ppm: int
    taker_fee_ppm: int


@dataclass(frozen=True, slots=True)
class ChosenLeverage:
    """The leverage that an owner chose for a market, as the chain keeps it: an initial margin fraction above zero."""

    clob_pair_id: int
    imf_ppm: int

    @property
    def leverage(self) -> Decimal:
        """1 ÷ that fraction."""
        return MATH.divide(Decimal(_MILLION), Decimal(self.imf_ppm))


@dataclass(frozen=True, slots=True)
class Authenticator:
    """A permission that an account gave to another key: type and configuration as the chain has them."""

    id: int
    type: str
    config: bytes

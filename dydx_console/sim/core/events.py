"""What the chain tells the Indexer: off-chain updates of one node's memory, and the events of each block.

Mempool events go out the moment they happen (to vulcan); block events come together when a block is committed (to
ender), in the order (transaction index, event index).
"""

from __future__ import annotations

from dataclasses import dataclass

from dydx_console.sim.core.orders import Order, OrderId, RemovalReason, Side, SubaccountId


@dataclass(frozen=True, slots=True)
class OrderOpened:
    """A node accepted an order into its memory (short-term: BEST_EFFORT_OPENED)."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderRemoved:
    """A node dropped an order. `final` tells CANCELED from BEST_EFFORT_CANCELED; `filled_quantums` is optimistic."""

    order_id: OrderId
    order: Order | None
    reason: RemovalReason
    filled_quantums: int
    final: bool


@dataclass(frozen=True, slots=True)
class LevelChanged:
    """The total at one price of one book side is now `quantums`."""

    clob_pair_id: int
    side: Side
    subticks: int
    quantums: int


MempoolEvent = OrderOpened | OrderRemoved | LevelChanged


@dataclass(frozen=True, slots=True)
class PositionState:
    """A perpetual position after an update; `funding_quote_quantums` > 0 was paid by the account just now."""

    perpetual_id: int
    quantums: int
    funding_quote_quantums: int


@dataclass(frozen=True, slots=True)
class SubaccountUpdated:
    """The authoritative state of a subaccount; `positions` holds the ones that changed, in full."""

    subaccount: SubaccountId
    usdc_quantums: int
    positions: tuple[PositionState, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """One match: maker's price, both fees in micro-USDC (negative = rebate), both cumulative filled quantums."""

    maker: Order
    taker: Order
    quantums: int
    subticks: int
    quote_quantums: int
    maker_fee: int
    taker_fee: int
    maker_filled_quantums: int
    taker_filled_quantums: int


@dataclass(frozen=True, slots=True)
class Liquidated:
    """One fill of a liquidation order, which is the taker of `side` and not an order of anybody's.

    Fees in micro-USDC: what the maker pays, and what the liquidated account pays to the fund (negative: gets).
    """

    maker: Order
    subaccount: SubaccountId
    side: Side
    clob_pair_id: int
    quantums: int
    subticks: int
    quote_quantums: int
    maker_fee: int
    insurance_quantums: int
    maker_filled_quantums: int


@dataclass(frozen=True, slots=True)
class Deleveraged:
    """A bankrupt account's trade of `side` against an account that holds the other side, for so many micro-USDC."""

    bankrupt: SubaccountId
    offsetting: SubaccountId
    perpetual_id: int
    side: Side
    quantums: int
    quote_quantums: int


@dataclass(frozen=True, slots=True)
class StatefulPlaced:
    """A long-term order entered state, or a conditional one waits for its trigger."""

    order: Order


@dataclass(frozen=True, slots=True)
class ConditionalTriggered:
    """A conditional order's trigger was met; it goes to the book after this block."""

    order: Order


@dataclass(frozen=True, slots=True)
class StatefulRemoved:
    """A stateful order left state; `filled_quantums` is final."""

    order: Order
    reason: RemovalReason
    filled_quantums: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """USDC moved between subaccounts, or between a subaccount and a wallet (a plain address)."""

    sender: SubaccountId | str
    recipient: SubaccountId | str
    quote_quantums: int


@dataclass(frozen=True, slots=True)
class OracleUpdated:
    """A new oracle price (integer at the market's oracle exponent)."""

    market_id: int
    oracle_value: int


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """An order book's status, by the name that the Indexer gives it."""

    clob_pair_id: int
    status: str


@dataclass(frozen=True, slots=True)
class FundingUpdated:
    """The hourly funding: 1-hour rate in 10⁻⁹ and the cumulative index after it."""

    perpetual_id: int
    rate_e9: int
    index: int
    oracle_value: int


@dataclass(frozen=True, slots=True)
class FundingEstimated:
    """The premium-based estimate of the next hourly rate changed (10⁻⁹)."""

    perpetual_id: int
    rate_e9: int


@dataclass(frozen=True, slots=True)
class Rewarded:
    """Trading rewards of a block per owner, in 10⁻¹⁸ native tokens."""

    amounts: tuple[tuple[str, int], ...]


ChainEvent = (
    SubaccountUpdated
    | Filled
    | Liquidated
    | Deleveraged
    | StatefulPlaced
    | ConditionalTriggered
    | StatefulRemoved
    | Transferred
    | OracleUpdated
    | StatusChanged
    | FundingUpdated
    | FundingEstimated
    | Rewarded
)


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """One chain event with its place in the block."""

    transaction_index: int
    event_index: int
    transaction_hash: str
    event: ChainEvent

    def event_id(self, height: int) -> str:
        """The Indexer's event id: 24 hex digits (height, transaction index, event index, 4 bytes each)."""
        return f"{height:08x}{self.transaction_index:08x}{self.event_index:08x}"


@dataclass(frozen=True, slots=True)
class Block:
    """A committed block; `time_ms` is Unix milliseconds (UTC)."""

    height: int
    time_ms: int
    events: tuple[BlockEvent, ...]


Event = MempoolEvent | Block

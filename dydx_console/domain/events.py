"""What the venue told, decoded: the only input of the reducers in `state/`.

`at` and the like are seconds of the run's monotonic clock (of the recording's, in replay). Every stream event carries
its `StreamVersion`; REST reads carry when they were asked and answered, and the newest connection of that moment.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from dydx_console.domain.chain import BlockHead, ChosenLeverage, FeeTier, NodeInfo
from dydx_console.domain.faults import FaultCount, FaultKind
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.journal import JournalView
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.domain.market import Market, MarketPatch, OraclePrice
from dydx_console.domain.nodeaccount import ToldAccount
from dydx_console.domain.order import OrderPatch
from dydx_console.domain.position import Balance, ChildState, Position
from dydx_console.domain.stream import StreamCondition
from dydx_console.domain.tape import Candle, Level, Trade
from dydx_console.domain.venue_pnl import HistoricalPnlRead, PnlRead, TradeHistoryRead

__all__ = [
    "AccountRead",
    "AccountSnapshot",
    "AccountUpdate",
    "AddressRead",
    "BlockHeight",
    "BookRead",
    "BookSnapshot",
    "BookUpdate",
    "BreakerChanged",
    "BudgetsTold",
    "CandleUpdate",
    "CandlesRead",
    "ChannelDropped",
    "ChannelKey",
    "ConnectionClosed",
    "ConnectionOpened",
    "ConnectionReady",
    "Event",
    "Fact",
    "FaultsCounted",
    "FeeTierRead",
    "FillsRead",
    "Frame",
    "FundingRead",
    "HeightRead",
    "JournalTold",
    "LeveragesRead",
    "MarketsRead",
    "MarketsUpdate",
    "MessageRejected",
    "NodeAccountFailed",
    "NodeAccountLeft",
    "NodeAccountRead",
    "NodeBlockRead",
    "NodeChecked",
    "NodeFailed",
    "NodeHead",
    "OracleUpdate",
    "OrdersRead",
    "Polled",
    "PollingChanged",
    "ReadFailed",
    "Recalled",
    "Resynced",
    "RewardsRead",
    "StreamChanged",
    "SubscribeSent",
    "Subscribed",
    "SubscriptionDenied",
    "TimeRead",
    "TradesRead",
    "TradesUpdate",
    "TransfersRead",
    "Unsubscribed",
    "VenueRefusal",
]


ACCOUNT_CHANNELS = frozenset({"v4_subaccounts", "v4_parent_subaccounts"})
BLOCK_HEIGHT_CHANNEL = "v4_block_height"
BOOK_CHANNEL = "v4_orderbook"


class ChannelKey(NamedTuple):
    """A subscription's identity: the channel, and its id ("" for the channels that have none)."""

    channel: str
    id: str = ""

    @property
    def is_account(self) -> bool:
        """Whether the channel tells of an account."""
        return self.channel in ACCOUNT_CHANNELS

    @property
    def is_block_height(self) -> bool:
        """Whether the channel tells of blocks; every connection has one of its own."""
        return self.channel == BLOCK_HEIGHT_CHANNEL

    @property
    def is_book(self) -> bool:
        """Whether the channel tells of an order book."""
        return self.channel == BOOK_CHANNEL

    @property
    def needs_read(self) -> bool:
        """Whether its first contents have to be completed by REST.

        What changes between them and the registration comes by no message, and later ones tell of changes alone.
        """
        return self.is_account or self.is_book


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A socket was opened, or tried in vain; `connection` counts the run's connections from 1.

    Lane 0 carries the account and what belongs to it; further lanes carry channels that one connection has no room
    for. A lane has one connection at a time.
    """

    connection: int
    at: float
    lane: int = 0


@dataclass(frozen=True, slots=True)
class ConnectionReady:
    """The Indexer greeted the connection."""

    connection: int
    connection_id: str
    at: float


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """A socket ended."""

    connection: int
    code: int | None
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class SubscribeSent:
    """A subscription was asked for; its answer reserves a message id that arrives late."""

    connection: int
    key: ChannelKey
    batched: bool
    at: float


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription was answered with its first contents."""

    version: StreamVersion
    key: ChannelKey
    at: float


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """A subscription ended; what was known of it stays."""

    version: StreamVersion
    key: ChannelKey
    at: float


@dataclass(frozen=True, slots=True)
class ChannelDropped:
    """Nobody wants a channel any more, and no answer to leaving it will come: its connection, the last of its lane, is
    over. What was known of it stays."""

    connection: int
    key: ChannelKey
    at: float


@dataclass(frozen=True, slots=True)
class VenueRefusal:
    """The Indexer answered with an error message.

    `message_id` is a refused subscription's own number, or repeats the number of another message.
    """

    connection: int
    key: ChannelKey | None
    text: str
    at: float
    message_id: int | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionDenied:
    """A subscription was refused for good on this connection; it is not asked for again."""

    connection: int
    key: ChannelKey
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class MessageRejected:
    """A message could not be read and was left out whole; `sample` is clipped and cleaned.

    `key` is the channel it belonged to, None where that is unknown; `source` names connection or REST path.
    """

    source: str
    key: ChannelKey | None
    reason: str
    sample: str
    at: float


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """First contents of an account channel: what is not in it has ended.

    `parent` is the parent number for the parent channel and None for a single subaccount; `subaccount` is then its
    number. `exists` is False for an account that was never funded. `children` hold positions and balances.
    """

    version: StreamVersion
    address: str
    parent: int | None
    subaccount: int | None
    exists: bool
    children: tuple[ChildState, ...]
    orders: tuple[OrderPatch, ...]
    block_height: int | None


@dataclass(frozen=True, slots=True)
class AccountUpdate:
    """One update of a subaccount. Positions with a status other than OPEN have ended."""

    version: StreamVersion
    address: str
    subaccount: int
    positions: tuple[Position, ...] = ()
    balances: tuple[Balance, ...] = ()
    orders: tuple[OrderPatch, ...] = ()
    fills: tuple[Fill, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    reward: Reward | None = None
    block_height: int | None = None


@dataclass(frozen=True, slots=True)
class MarketsUpdate:
    """Market rows: whole ones in the first contents, partial ones later."""

    version: StreamVersion
    markets: tuple[MarketPatch, ...]
    is_snapshot: bool


@dataclass(frozen=True, slots=True)
class OracleUpdate:
    """New oracle prices."""

    version: StreamVersion
    prices: tuple[OraclePrice, ...]


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """First contents of a book: at most 100 levels a side, best first."""

    version: StreamVersion
    market: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class BookUpdate:
    """Absolute sizes of single levels; zero removes."""

    version: StreamVersion
    market: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class TradesUpdate:
    """Public trades of a market: the first contents (newest first) or a block's (oldest first)."""

    version: StreamVersion
    market: str
    trades: tuple[Trade, ...]
    is_snapshot: bool


@dataclass(frozen=True, slots=True)
class CandleUpdate:
    """Candles of a market and resolution; each replaces the one that started at the same time."""

    version: StreamVersion
    market: str
    resolution: str
    candles: tuple[Candle, ...]
    is_snapshot: bool


@dataclass(frozen=True, slots=True)
class BlockHeight:
    """A block that the Indexer has processed."""

    version: StreamVersion
    height: int
    time: datetime
    at: float


@dataclass(frozen=True, slots=True)
class AccountRead:
    """Subaccounts as REST gave them; `exists` is False for the 404 of an account that was never funded.

    `parent` is set where all children of a parent were asked for, `subaccount` where one was.
    """

    address: str
    parent: int | None
    subaccount: int | None
    exists: bool
    children: tuple[ChildState, ...]
    connection: int
    asked_at: float
    at: float


@dataclass(frozen=True, slots=True)
class AddressRead:
    """Numbers of every subaccount of an address that was ever funded."""

    address: str
    subaccounts: tuple[int, ...]
    at: float


@dataclass(frozen=True, slots=True)
class OrdersRead:
    """Order rows as REST gave them; `address` is None for an order asked for by id. Absence proves nothing."""

    address: str | None
    orders: tuple[OrderPatch, ...]
    connection: int
    asked_at: float
    at: float


@dataclass(frozen=True, slots=True)
class FillsRead:
    """Fills as REST gave them.

    `in_chain_order` is true for answers to `page=`, which are sorted by event; `offset` is then the place of the first
    among all fills that the question covers, and `total` how many these are.
    """

    address: str | None
    fills: tuple[Fill, ...]
    in_chain_order: bool
    at: float
    offset: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class TransfersRead:
    """Transfers as REST gave them, newest first; `total` is how many there are, told in answers to `page=` alone."""

    address: str | None
    transfers: tuple[Transfer, ...]
    at: float
    total: int | None = None


@dataclass(frozen=True, slots=True)
class FundingRead:
    """Funding payments as REST gave them, newest first; `subaccount` where those of one were asked for.

    `total` is how many there are, told in answers to `page=` alone.
    """

    address: str | None
    payments: tuple[FundingPayment, ...]
    asked_at: float
    at: float
    subaccount: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class RewardsRead:
    """Trading rewards of an address as REST gave them, newest first."""

    address: str
    rewards: tuple[Reward, ...]
    at: float


@dataclass(frozen=True, slots=True)
class MarketsRead:
    """All markets as REST gave them."""

    markets: tuple[Market, ...]
    at: float


@dataclass(frozen=True, slots=True)
class BookRead:
    """A book as REST gave it, up to 100 levels a side; one that does not say when it was asked for proves nothing."""

    market: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at: float
    asked_at: float | None = None


@dataclass(frozen=True, slots=True)
class TradesRead:
    """Trades as REST gave them."""

    market: str
    trades: tuple[Trade, ...]
    at: float


@dataclass(frozen=True, slots=True)
class CandlesRead:
    """Candles as REST gave them."""

    market: str
    resolution: str
    candles: tuple[Candle, ...]
    at: float


@dataclass(frozen=True, slots=True)
class HeightRead:
    """The Indexer's height by REST."""

    height: int
    time: datetime
    at: float


@dataclass(frozen=True, slots=True)
class TimeRead:
    """The Indexer's clock by REST, between `asked_at` and `at`."""

    venue_time: datetime
    asked_at: float
    at: float


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """A REST read that brought no data: `status` is None where no answer came.

    `kind` is what failed, `advice` one sentence on what can be done, `retry_after_s` how long our queue, a breaker or
    the venue asks to wait; a recording has none of them.
    """

    path: str
    status: int | None
    text: str
    at: float
    kind: FaultKind | None = None
    advice: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Resynced:
    """The REST re-read that completes an account subscription is done."""

    connection: int
    at: float


@dataclass(frozen=True, slots=True)
class PollingChanged:
    """Reading by HTTP in place of the stream began or ended."""

    is_on: bool
    at: float


@dataclass(frozen=True, slots=True)
class Polled:
    """What these channels tell was read whole by HTTP, all of it after the block of `block_time` was known."""

    keys: tuple[ChannelKey, ...]
    block_time: datetime
    at: float


@dataclass(frozen=True, slots=True)
class StreamChanged:
    """Something befell a lane of the stream, told once; `text` is a sentence for a trader.

    `over` is what was told before and is over with this.
    """

    what: StreamCondition
    text: str
    at: float
    lane: int = 0
    over: tuple[StreamCondition, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetsTold:
    """What the Indexer still allows, all buckets that were used."""

    budgets: tuple[Budget, ...]
    at: float


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A circuit breaker went over to another state from `before`."""

    status: BreakerStatus
    before: BreakerState
    at: float


@dataclass(frozen=True, slots=True)
class FaultsCounted:
    """Every kind of failure of this run, and how often it was seen where."""

    counts: tuple[FaultCount, ...]
    at: float


@dataclass(frozen=True, slots=True)
class NodeHead:
    """The newest block of the node in use."""

    head: BlockHead
    at: float


@dataclass(frozen=True, slots=True)
class NodeBlockRead:
    """A node that is proven to be on the Indexer's chain told an older block of it."""

    head: BlockHead
    at: float


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """No node answered; `text` is one line."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class NodeChecked:
    """What the node in use says of itself, None where it did not, and how its chain compares with the Indexer's.

    `binding` is BOUND, MISMATCH or UNKNOWN and its reason; `contradiction` says what contradicts the configuration.
    """

    info: NodeInfo | None
    syncing: bool | None
    binding: tuple[str, str]
    contradiction: str | None
    at: float


@dataclass(frozen=True, slots=True)
class NodeAccountRead:
    """What a node told of the watched account while the Indexer does not.

    `age_s` is how old its block was then by this machine's clock, which is all there is to hold it against until the
    Indexer has told its own.
    """

    told: ToldAccount
    age_s: float
    at: float


@dataclass(frozen=True, slots=True)
class NodeAccountFailed:
    """No node told the account although it should; `text` is one line. `is_first` is the first of several in a row."""

    text: str
    is_first: bool
    at: float


@dataclass(frozen=True, slots=True)
class NodeAccountLeft:
    """The account's figures are the Indexer's again."""

    at: float


@dataclass(frozen=True, slots=True)
class LeveragesRead:
    """A node told every leverage that the owner chose for a subaccount."""

    address: str
    subaccount: int
    chosen: tuple[ChosenLeverage, ...]
    at: float


@dataclass(frozen=True, slots=True)
class FeeTierRead:
    """A node told what the owner pays for trades."""

    address: str
    tier: FeeTier
    at: float


@dataclass(frozen=True, slots=True)
class Recalled:
    """What an earlier run of the console has written down of the account.

    `fills` come with their places in the venue's order, None where that is not known; `orders` are those that had not
    ended. Whoever asks the venue may be told more, and of orders the contrary.
    """

    address: str
    fills: tuple[tuple[Fill, int | None], ...]
    orders: tuple[OrderPatch, ...]
    transfers: tuple[Transfer, ...]
    payments: tuple[FundingPayment, ...]
    at: float


@dataclass(frozen=True, slots=True)
class JournalTold:
    """Whether the console's own history is being written down is another now."""

    view: JournalView
    at: float


Fact = (
    ConnectionOpened
    | ConnectionReady
    | ConnectionClosed
    | SubscribeSent
    | Subscribed
    | Unsubscribed
    | ChannelDropped
    | VenueRefusal
    | SubscriptionDenied
    | MessageRejected
    | AccountSnapshot
    | AccountUpdate
    | MarketsUpdate
    | OracleUpdate
    | BookSnapshot
    | BookUpdate
    | TradesUpdate
    | CandleUpdate
    | BlockHeight
    | AccountRead
    | AddressRead
    | OrdersRead
    | FillsRead
    | TransfersRead
    | FundingRead
    | RewardsRead
    | MarketsRead
    | BookRead
    | TradesRead
    | CandlesRead
    | HeightRead
    | TimeRead
    | ReadFailed
    | Resynced
    | PollingChanged
    | Polled
    | StreamChanged
    | BudgetsTold
    | BreakerChanged
    | FaultsCounted
    | NodeHead
    | NodeBlockRead
    | NodeFailed
    | NodeChecked
    | Recalled
    | JournalTold
    | NodeAccountRead
    | NodeAccountFailed
    | NodeAccountLeft
    | LeveragesRead
    | FeeTierRead
    | TradeHistoryRead
    | PnlRead
    | HistoricalPnlRead
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a connection and what it told, taken whole or not at all.

    `message_id` is None where the message has none or its number proves nothing (error messages repeat numbers).
    """

    connection: int
    message_id: int | None
    key: ChannelKey | None
    facts: tuple[Fact, ...]
    at: float


Event = Frame | Fact
"""What `state` takes: messages of a connection, or single facts."""

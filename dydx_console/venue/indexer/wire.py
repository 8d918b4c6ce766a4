"""JSON of the Indexer as typed structs: what is on the wire, nothing interpreted.

Numbers are strings there and stay strings here; fields that the console does not use are skipped, unknown ones are
ignored. Sources: dydxprotocol/v4-chain indexer/packages/postgres/src/types/websocket-message-types.ts,
indexer/services/comlink/src/types.ts and indexer/services/socks/src/types.ts.
"""

import msgspec
from msgspec import Raw, Struct, field

__all__ = [
    "UNREADABLE",
    "AccountContents",
    "AssetRow",
    "BlockHeightContents",
    "BookContents",
    "CandleRow",
    "CandlesContents",
    "Envelope",
    "FillRow",
    "FundingRow",
    "HeightContents",
    "MarketRow",
    "MarketsContents",
    "OracleRow",
    "OrderRow",
    "PositionRow",
    "RewardRow",
    "SubaccountContents",
    "SubaccountRow",
    "TradeRow",
    "TradesContents",
    "TransferEnd",
    "TransferRow",
]

Height = str | int
Flag = bool | None
Text = str | None


class Camel(Struct, rename="camel", frozen=True):
    """Base of rows whose fields are named in camel case on the wire."""


class Envelope(Struct, frozen=True):
    """Any message of the WebSocket. `contents` stays undecoded until the channel is known."""

    type: str
    connection_id: Text = None
    message_id: int | None = None
    channel: Text = None
    id: Text = None
    version: Text = None
    message: Text = None
    contents: Raw = field(default_factory=Raw)
    subaccount_number: int | None = field(name="subaccountNumber", default=None)


class PositionRow(Camel, frozen=True):
    """A perpetual position: stream rows carry `positionId`, REST rows the times and, on request, the subaccount."""

    market: str
    side: str
    size: str
    status: str = "OPEN"
    subaccount_number: int | None = None
    position_id: Text = None
    max_size: Text = None
    entry_price: Text = None
    exit_price: Text = None
    realized_pnl: Text = None
    net_funding: Text = None
    sum_open: Text = None
    sum_close: Text = None
    created_at: Text = None
    created_at_height: Height | None = None


class AssetRow(Camel, frozen=True):
    """An asset of a subaccount; `size` is absolute, the side is its sign."""

    symbol: str
    side: str
    size: str
    subaccount_number: int | None = None


class OrderRow(Camel, frozen=True):
    """An order in any of its shapes; only `id` and `status` are always there."""

    id: str
    status: Text = None
    subaccount_number: int | None = None
    client_id: Text = None
    clob_pair_id: Text = None
    ticker: Text = None
    side: Text = None
    type: Text = None
    time_in_force: Text = None
    post_only: Flag = None
    reduce_only: Flag = None
    order_flags: Text = None
    price: Text = None
    trigger_price: Text = None
    size: Text = None
    total_filled: Text = None
    removal_reason: Text = None
    good_til_block: Height | None = None
    good_til_block_time: Text = None
    client_metadata: Text = None
    created_at: Text = None
    created_at_height: Height | None = None
    updated_at: Text = None
    updated_at_height: Height | None = None


class FillRow(Camel, frozen=True):
    """A fill: `ticker` on the stream, `market` by REST."""

    id: str
    side: str
    liquidity: str
    type: str
    price: str
    size: str
    fee: str
    created_at: str
    created_at_height: Height
    ticker: Text = None
    market: Text = None
    order_id: Text = None
    subaccount_number: int | None = None
    builder_fee: Text = None
    client_metadata: Text = None
    event_id: Text = None
    transaction_hash: Text = None
    position_size_before: Text = None
    entry_price_before: Text = None
    position_side_before: Text = None


class TransferEnd(Camel, frozen=True):
    """One end of a transfer; without a subaccount it is a bank account."""

    address: str
    subaccount_number: int | None = None
    parent_subaccount_number: int | None = None


class TransferRow(Camel, frozen=True):
    """A transfer; `id` by REST only."""

    sender: TransferEnd
    recipient: TransferEnd
    size: str
    symbol: str
    type: str
    created_at: str
    created_at_height: Height
    transaction_hash: Text = None
    id: Text = None


class RewardRow(Camel, frozen=True):
    """A block's trading reward."""

    trading_reward: str
    created_at: str
    created_at_height: Height


class AccountContents(Camel, frozen=True):
    """An update of a subaccount; every part is optional."""

    perpetual_positions: tuple[PositionRow, ...] = ()
    asset_positions: tuple[AssetRow, ...] = ()
    orders: tuple[OrderRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    transfers: TransferRow | None = None
    trading_reward: RewardRow | None = None
    block_height: Height | None = None


class SubaccountRow(Camel, frozen=True):
    """A subaccount of REST and of first contents, or a parent with its children."""

    address: str
    subaccount_number: int | None = None
    parent_subaccount_number: int | None = None
    open_perpetual_positions: dict[str, PositionRow] = {}
    asset_positions: dict[str, AssetRow] = {}
    child_subaccounts: tuple["SubaccountRow", ...] | None = None
    updated_at_height: Height | None = None
    latest_processed_block_height: Height | None = None


class SubaccountContents(Camel, frozen=True):
    """First contents of an account channel; all absent for an account that was never funded."""

    subaccount: SubaccountRow | None = None
    orders: tuple[OrderRow, ...] = ()
    block_height: Height | None = None


class MarketRow(Camel, frozen=True):
    """A market, whole or partial."""

    ticker: Text = None
    clob_pair_id: Text = None
    status: Text = None
    market_type: Text = None
    oracle_price: Text = None
    price_change24h: Text = field(name="priceChange24H", default=None)
    volume24h: Text = field(name="volume24H", default=None)
    trades24h: int | None = field(name="trades24H", default=None)
    next_funding_rate: Text = None
    initial_margin_fraction: Text = None
    maintenance_margin_fraction: Text = None
    open_interest: Text = None
    open_interest_lower_cap: Text = None
    open_interest_upper_cap: Text = None
    base_open_interest: Text = None
    default_funding_rate1h: Text = field(name="defaultFundingRate1H", default=None)
    atomic_resolution: int | None = None
    quantum_conversion_exponent: int | None = None
    tick_size: Text = None
    step_size: Text = None
    step_base_quantums: int | None = None
    subticks_per_tick: int | None = None


class OracleRow(Camel, frozen=True):
    """An oracle price of a market pair."""

    oracle_price: str
    effective_at: Text = None
    effective_at_height: Height | None = None
    market_id: int | None = None


class MarketsContents(Camel, frozen=True):
    """Contents of the markets channel: `markets` first, then either of the others."""

    markets: dict[str, MarketRow] | None = None
    trading: dict[str, MarketRow] | None = None
    oracle_prices: dict[str, OracleRow] | None = None


class LevelRow(Struct, frozen=True):
    """A book level of first contents and of REST."""

    price: str
    size: str


class BookSnapshotContents(Struct, frozen=True):
    """First contents of a book, and the REST book."""

    bids: tuple[LevelRow, ...] = ()
    asks: tuple[LevelRow, ...] = ()


class BookContents(Struct, frozen=True):
    """An update of a book: [price, absolute size], sometimes followed by what is not used."""

    bids: tuple[tuple[str, ...], ...] = ()
    asks: tuple[tuple[str, ...], ...] = ()


class TradeRow(Camel, frozen=True):
    """A public trade."""

    id: str
    side: str
    size: str
    price: str
    created_at: str
    type: str = "LIMIT"
    created_at_height: Height | None = None


class TradesContents(Struct, frozen=True):
    """Trades of a market."""

    trades: tuple[TradeRow, ...]


class CandleRow(Camel, frozen=True):
    """A candle."""

    started_at: str
    ticker: str
    resolution: str
    low: str
    high: str
    open: str
    close: str
    base_token_volume: str
    usd_volume: str
    trades: int
    starting_open_interest: Text = None
    orderbook_mid_price_open: Text = None
    orderbook_mid_price_close: Text = None


class CandlesContents(Struct, frozen=True):
    """First contents of a candle channel, and the REST candles."""

    candles: tuple[CandleRow, ...]


class HeightContents(Struct, frozen=True):
    """First contents of the block height channel, and the REST height."""

    height: Height
    time: str


class BlockHeightContents(Camel, frozen=True):
    """An update of the block height channel, whose key differs from the first contents'."""

    block_height: Height
    time: str


class FundingRow(Camel, frozen=True):
    """A funding payment; the subaccount number is text here."""

    subaccount_number: str | int
    created_at: str
    created_at_height: Height
    ticker: str
    oracle_price: str
    size: str
    rate: str
    payment: str


class TimeContents(Struct, frozen=True):
    """The Indexer's clock; `epoch` is not used, it is a float."""

    iso: str


class ErrorEntry(Struct, frozen=True):
    """One entry of an error body."""

    msg: Text = None
    code: Text = None
    param: Text = None


class ErrorBody(Camel, frozen=True):
    """The three error bodies of REST."""

    errors: tuple[ErrorEntry, ...] = ()
    error: Text = None
    error_code: int | None = None


UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What a decoder raises for text that is no JSON of the expected form, is no text at all, or nests too deeply."""

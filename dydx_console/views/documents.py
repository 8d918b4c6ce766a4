"""The JSON document: what every `--json` prints. docs/document.md describes it, `dydx-console schema` its schema.

Decimals are strings in plain notation, `null` is unknown, enums are upper case, times ISO-8601 UTC, ratios fractions.
Every section carries the state of its figures and their age.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

__all__ = [
    "SCHEMA_VERSION",
    "AccountSection",
    "AsOf",
    "BalanceItem",
    "BreakerItem",
    "ChannelItem",
    "CheckItem",
    "Document",
    "DriftItem",
    "ErrorItem",
    "FillItem",
    "Held",
    "JournalSection",
    "MarketItem",
    "MarketPnlItem",
    "NearestItem",
    "NetworkSection",
    "OrderItem",
    "Part",
    "PnlSection",
    "PositionItem",
    "PreflightDocument",
    "RateLimitItem",
    "ReasonItem",
    "RiskItem",
    "SpanItem",
    "SpanMarketItem",
    "StreamSection",
    "SubaccountItem",
    "Time",
    "TransferItem",
    "plain",
]

SCHEMA_VERSION = 1


def plain(value: Decimal) -> str:
    """Return a number exactly, without an exponent and without trailing zeros after the point."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _utc(value: datetime) -> str:
    text = value.isoformat(timespec="milliseconds" if value.microsecond % 1000 == 0 else "microseconds")
    return text.replace("+00:00", "Z")


Number = Annotated[Decimal, PlainSerializer(plain, return_type=str)]
Time = Annotated[datetime, PlainSerializer(_utc, return_type=str)]


class Part(BaseModel):
    """Base of every object of the document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Aged(Part):
    """An object that says how good its figures are."""

    state: str = Field(description="SYNCING LIVE DELAYED STALE OFFLINE SUSPECT POLLING or CHAIN HALTED")
    age_s: float | None = Field(description="Seconds since the newest block that the figures rest on")


class Held(Aged):
    """State and age of positions or balances, and who told them."""

    source: str = Field(description="INDEXER, or NODE while a node stands in for it")


class ErrorItem(Part):
    """Something that makes a section incomplete."""

    section: str
    text: str


class AsOf(Aged):
    """The chain's moment that the document shows."""

    height: int | None
    time: Time | None
    node_height: int | None
    clock_skew_ms: int | None


class NetworkSection(Part):
    """Where the figures come from."""

    name: str
    chain_id: str | None
    environment: str | None
    environment_from: str | None
    confirmed: bool
    read_only: bool
    warnings: tuple[str, ...]


class SubaccountItem(Part):
    """One subaccount's margin figures."""

    number: int
    usdc: Number
    equity: Number | None
    free_collateral: Number | None
    raw_free_collateral: Number | None
    margin_usage: Number | None
    effective_leverage: Number | None
    initial_margin: Number | None
    maintenance_margin: Number | None


class NearestItem(Part):
    """The position that the smallest move of its own price would liquidate; `distance` is that move, with its sign."""

    subaccount: int
    market: str
    distance: Number = Field(description="Part of the oracle price that it would move by, below zero downwards")


class RiskItem(Part):
    """How much the account is at risk, by the levels of the configuration. Levels are NONE WARN or ALARM."""

    level: str = Field(description="The worse of the two below")
    margin_usage_level: str
    liquidation_level: str
    nearest: NearestItem | None = Field(description="Null where none is known or no price would do it")
    liquidatable: tuple[int, ...] = Field(description="Subaccounts that the chain may liquidate already")


class AccountSection(Held):
    """The account: equity is the sum over its subaccounts, the other figures are the parent subaccount's own."""

    address: str | None
    parent_subaccount: int | None
    exists: bool | None = Field(description="False for an address that this network has never seen funded")
    equity: Number | None
    free_collateral: Number | None
    raw_free_collateral: Number | None
    margin_usage: Number | None
    effective_leverage: Number | None
    risk: RiskItem | None
    subaccounts: tuple[SubaccountItem, ...]


class BalanceItem(Part):
    """One asset of a subaccount; the amount is signed."""

    subaccount: int
    asset: str
    amount: Number


class PositionItem(Part):
    """An open position. `net_size` is signed; realized, fees and funding are those of this life of the position.

    `funding` is the venue's figure: settled funding, and at a re-read the unsettled part too.
    """

    subaccount: int
    market: str
    net_size: Number
    venue_entry_price: Number | None
    average_cost: Number | None
    cost_basis: str
    oracle_price: Number | None
    notional: Number | None
    effective_leverage: Number | None
    selected_leverage: Number | None
    initial_margin: Number | None
    maintenance_margin: Number | None
    liquidation_price: Number | None
    unrealized_pnl: Number | None
    unrealized_pnl_pct: Number | None
    realized_pnl: Number | None
    fees: Number | None
    funding: Number | None
    opened_at: Time | None


class ReasonItem(Part):
    """Why an order ended: VENUE told it, or SNAPSHOT where it was gone after a reconnect."""

    source: str
    code: str
    text: str


class OrderItem(Part):
    """An order; `filled` counts all known fills of its id."""

    id: str
    client_id: str | None
    subaccount: int | None
    market: str | None
    side: str | None
    type: str | None
    time_in_force: str | None
    post_only: bool | None
    reduce_only: bool | None
    lifetime: str | None
    price: Number | None
    trigger_price: Number | None
    size: Number | None
    filled: Number
    remaining: Number | None
    average_fill_price: Number | None
    status: str | None
    reason: ReasonItem | None
    good_til_block: int | None
    good_til_time: Time | None
    updated_at_height: int | None


class FillItem(Part):
    """A fill; `seq` is its place in chain order among the fills that are known."""

    id: str
    seq: int
    order_id: str | None
    subaccount: int
    market: str
    side: str
    liquidity: str
    type: str
    price: Number
    size: Number
    fee: Number
    builder_fee: Number | None
    closed_pnl: Number | None
    created_at: Time
    height: int


class MarketPnlItem(Part):
    """PNL of one subaccount and market in USDC."""

    subaccount: int
    market: str
    realized: Number | None
    unrealized: Number | None
    fees: Number | None
    funding: Number | None
    funding_estimate: Number | None
    net: Number | None
    since: Time | None


class DriftItem(Part):
    """A figure that differs from the Indexer's, and why where that is known."""

    subaccount: int | None = Field(description="Null for a figure of the whole account")
    market: str | None
    source: str = Field(description="POSITIONS TRADE_HISTORY PNL or HISTORICAL_PNL")
    what: str = Field(description="Which of its figures")
    at: Time | None = Field(description="The moment of the figure, where it has one of its own")
    ours: Number | None
    indexer: Number | None
    why: str | None = Field(description="Null where no known reason accounts for it")
    reasons: tuple[str, ...] = Field(description="The known reasons as words for machines")
    alarm: bool = Field(description="Whether something remains that no known reason accounts for")


class SpanMarketItem(Part):
    """What a range of days brought in one subaccount and market: what is booked for good."""

    subaccount: int
    market: str
    realized: Number | None
    fees: Number
    funding: Number
    volume: Number
    fills: int


class SpanItem(Part):
    """PNL of a range of days that ends today.

    `unrealized` is how much the open positions' unrealized PNL changed; that and net are null where the net PNL of
    when the range began is not known.
    """

    span: str = Field(description="TODAY, WEEK (7 days), MONTH (30 days) or ALL")
    start: Time | None = Field(description="The first moment of it, null for everything that is known")
    realized: Number | None
    unrealized: Number | None
    fees: Number
    funding: Number
    net: Number | None
    marked_at: Time | None = Field(description="When the net PNL that the range is measured from was taken")
    by_market: tuple[SpanMarketItem, ...]


class PnlSection(Aged):
    """PNL: net = realized + unrealized − fees + funding; rewards and the running hour's estimate are apart."""

    realized: Number | None
    unrealized: Number | None
    fees: Number | None
    funding: Number | None
    funding_estimate: Number | None
    net: Number | None
    since: Time | None
    by_market: tuple[MarketPnlItem, ...]
    spans: tuple[SpanItem, ...] = Field(description="Empty before fills and funding payments have been read")
    drift: tuple[DriftItem, ...]
    drift_at: Time | None = Field(description="When it was compared with the Indexer's figures, null before that")
    drift_problem: str | None = Field(description="Why not everything was compared")


class TransferItem(Part):
    """A deposit, withdrawal or transfer."""

    type: str
    size: Number
    asset: str
    sender: str
    recipient: str
    created_at: Time
    height: int


class MarketItem(Part):
    """A market."""

    ticker: str
    status: str | None
    oracle_price: Number | None
    change_24h: Number | None
    change_24h_pct: Number | None
    volume_24h: Number | None
    open_interest: Number | None
    funding_rate_1h: Number | None
    max_leverage: Number | None
    tick_size: Number | None
    step_size: Number | None


class ChannelItem(Aged):
    """A subscription."""

    channel: str
    id: str
    messages: int


class RateLimitItem(Part):
    """What a request budget has left."""

    host: str
    bucket: str
    remaining: int | None
    limit: int | None
    reset_at: Time | None
    waiting: int = Field(description="Reads that queue for it")
    expected_wait_s: float = Field(description="About how long a further read would wait; orders never queue")


class BreakerItem(Part):
    """A circuit breaker's state: an endpoint group that keeps failing is left alone until its next probe."""

    group: str
    state: str = Field(description="CLOSED OPEN or HALF_OPEN")
    failures: int = Field(description="Failures in a row")
    next_probe_in_s: float | None = Field(description="Seconds until it is tried again, null while it is closed")
    text: str = Field(description="The last failure, empty where there is none")


class StreamSection(Aged):
    """The stream: counters of the run, and every channel."""

    connected_since: float | None = Field(description="Seconds since the connection in use was greeted")
    reconnects: int
    gaps: int
    resyncs: int
    rejected: int = Field(description="Messages that could not be read")
    fallback: str | None = Field(description="POLLING while the picture is read by HTTP")
    trouble: str | None = Field(description="The newest thing that befell the stream and is not over")
    channels: tuple[ChannelItem, ...]
    rate_limits: tuple[RateLimitItem, ...]
    breakers: tuple[BreakerItem, ...]


class JournalSection(Part):
    """Whether the console's own history is being written down."""

    mode: str = Field(description="KEPT, LOOKING while another console keeps it, OFF, OPENING, or NONE for a recording")
    text: str | None = Field(description="Why it is off, or whose it is")
    since: Time | None
    owner_pid: int | None = Field(description="The process that keeps it, where that is another one")
    missed: int = Field(description="Facts that could not wait for the disk")
    rejected: int = Field(description="Facts that could not be kept as they were")


class SectionStates(Part):
    """State and age of the sections that are plain lists."""

    balances: Held
    positions: Held
    orders: Aged
    fills: Aged
    transfers: Aged
    markets: Aged


class Document(Part):
    """Everything that is known at a moment."""

    schema_version: int
    errors: tuple[ErrorItem, ...]
    as_of: AsOf
    network: NetworkSection
    account: AccountSection
    balances: tuple[BalanceItem, ...]
    positions: tuple[PositionItem, ...]
    orders: tuple[OrderItem, ...]
    fills: tuple[FillItem, ...]
    pnl: PnlSection
    transfers: tuple[TransferItem, ...]
    markets: tuple[MarketItem, ...]
    stream: StreamSection
    journal: JournalSection
    sections: SectionStates


class CheckItem(Part):
    """One check of a network."""

    name: str
    verdict: str = Field(description="OK WARN FAIL or SKIP")
    text: str
    remedy: str | None = Field(description="What to do about it, null where there is nothing to be done")
    took_ms: float


class PreflightDocument(Part):
    """What `check-network` found; the checks stand in their order."""

    schema_version: int
    network: NetworkSection | None = Field(description="Null where the configuration names none that could be used")
    checks: tuple[CheckItem, ...]
    exit_code: int = Field(
        description="0 fine, 2 usage, 69 unreachable, 75 temporary, 76 the venue refused, 77 policy, 78 configuration"
    )
    took_ms: float

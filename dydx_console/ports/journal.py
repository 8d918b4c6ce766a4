"""The console's own history of one address on one chain: what is kept, how it is asked for, and what can go wrong.

Amounts are exact decimals, times UTC to the microsecond, None is unknown. What the venue also knows can be read from
it again; intents are known here alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.order import Order
from dydx_console.domain.position import Position

__all__ = [
    "BookedFill",
    "BooksNote",
    "BooksPort",
    "Cursor",
    "EquityPoint",
    "FillBooking",
    "FundingBooked",
    "History",
    "HistoryPort",
    "HistoryQuery",
    "Intent",
    "IntentEntry",
    "IntentRecord",
    "IntentState",
    "IntentStep",
    "JournalError",
    "JournalFact",
    "JournalId",
    "JournalMigrationError",
    "JournalNewerError",
    "JournalOffError",
    "JournalOwnedError",
    "JournalPort",
    "JournalRejectedError",
    "JournalStatus",
    "JournalUnavailableError",
    "LivesForgotten",
    "OrderHop",
    "OrderNote",
    "OrderRecord",
    "Page",
    "PageMark",
    "PlacedFill",
    "PositionLife",
    "PositionNote",
    "Recovery",
    "Unbooked",
]

T = TypeVar("T")


class JournalId(NamedTuple):
    """Whose history it is."""

    network: str
    chain_id: str
    address: str


# What is written


@dataclass(frozen=True, slots=True)
class PlacedFill:
    """A fill and its place among all of the account's in chain order, as an answer to `page=` tells it."""

    fill: Fill
    place: int | None = None


@dataclass(frozen=True, slots=True)
class OrderNote:
    """A merged order as it stands from now on.

    `shown` is its displayed status; `at` and `height` are when the console learnt of it, `source` from whom.
    `revision` counts the notes of one run of the console: of two notes the one with the higher number is newer.
    """

    order: Order
    shown: str | None
    at: datetime
    height: int | None
    source: str
    revision: int


@dataclass(frozen=True, slots=True)
class PositionNote:
    """A position as it stands from now on, with the PNL of its running life; a closed one has the net size zero.

    `fees` positive when paid, `funding` positive when received; the four figures are in USDC but for `average_cost`.
    `revision` is counted as that of `OrderNote`.
    """

    position: Position
    average_cost: Decimal | None
    realized: Decimal | None
    fees: Decimal | None
    funding: Decimal | None
    life_opened_at: datetime | None
    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class PositionLife:
    """A position from flat to flat, derived from fills.

    `opened_by` is the id of the fill that opened it and, with subaccount and market, its name; None for the one life
    that began before the known fills, whose `opened_at` is then the first of these. `side` is LONG or SHORT,
    `max_size` in base units, prices are averages in USD, the other amounts in USDC.
    """

    subaccount: int
    market: str
    opened_by: str | None
    side: str
    opened_at: datetime
    opened_height: int | None
    closed_at: datetime | None
    closed_height: int | None
    max_size: Decimal
    entry_price: Decimal | None
    exit_price: Decimal | None
    realized: Decimal
    fees: Decimal
    funding: Decimal | None
    fills: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class LivesForgotten:
    """The lives of a subaccount and market are derived anew: those written before this are dropped.

    With `since` only those that had not ended before that moment.
    """

    subaccount: int
    market: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FillBooking:
    """What a fill did, derived from all fills up to it.

    `closed_pnl` is price PNL alone, in USDC, and None where the cost of what it closed is not known; `net_size` and
    `average_cost` are the position's after it.

    `event_id` and `place` are those of the row that was booked: where it knows better by now, it has to be booked anew.
    """

    fill_id: str
    event_id: str | None
    place: int | None
    closed_pnl: Decimal | None
    net_size: Decimal
    average_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class FundingBooked:
    """The payment of a subaccount and market in a block is in the funding of its life."""

    subaccount: int
    market: str
    height: int


@dataclass(frozen=True, slots=True)
class BooksNote:
    """The books of a subaccount and market as they stood at the cursor that is written with this, as a text."""

    subaccount: int
    market: str
    text: str


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """Equity of a parent subaccount at a moment, in USDC. Under pressure points are left out.

    `since` is from when the figures of `net_pnl` held: it can be compared with that of a point of the same `since`.
    """

    parent: int
    at: datetime
    height: int | None
    equity: Decimal | None
    free_collateral: Decimal | None
    net_pnl: Decimal | None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source of the venue has been read without a hole: everything from `oldest_*` to `newest_*`.

    `source` names what was read and of which subaccounts. The newest is the row number `read` of the venue's `total`,
    counted in the venue's order; `is_complete` says that nothing older exists than is here. It is committed together
    with the rows that it counts, so it never claims more than the journal has; where it is behind, reading on from it
    merges by id.
    """

    source: str
    at: datetime
    read: int | None = None
    total: int | None = None
    newest_id: str | None = None
    newest_at: datetime | None = None
    newest_height: int | None = None
    oldest_at: datetime | None = None
    oldest_height: int | None = None
    is_complete: bool = False


JournalFact = (
    Fill
    | PlacedFill
    | OrderNote
    | PositionNote
    | PositionLife
    | LivesForgotten
    | FillBooking
    | FundingBooked
    | BooksNote
    | Transfer
    | FundingPayment
    | Reward
    | EquityPoint
    | FaultCount
    | Cursor
)
"""What `JournalPort.write` takes."""


class IntentState(StrEnum):
    """How far a command has come."""

    WRITTEN = "WRITTEN"
    """In the journal, not signed."""
    SIGNED = "SIGNED"
    """Bytes exist; from here on they may have left."""
    SENT = "SENT"
    """The bytes were handed to a node."""
    ACCEPTED = "ACCEPTED"
    """A node took it, which is not yet its effect."""
    UNKNOWN = "UNKNOWN"
    """No answer: it may or may not take effect."""
    SETTLED = "SETTLED"
    """Its effect, or that it can have none any more, is proven."""
    REJECTED = "REJECTED"
    """Refused, by the console or by the chain."""
    VOID = "VOID"
    """Given up before it was signed."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more can come of it."""
        return self in (IntentState.SETTLED, IntentState.REJECTED, IntentState.VOID)


@dataclass(frozen=True, slots=True)
class Intent:
    """A command before anything is done about it. `payload` is its JSON; it never holds a key."""

    id: str
    created_at: datetime
    kind: str
    payload: str


@dataclass(frozen=True, slots=True)
class IntentStep:
    """One step of an intent, numbered from 1 by its owner; the highest number is its state.

    `bytes_hash` is the transaction hash of the signed bytes, `code` the chain's answer.
    """

    intent_id: str
    number: int
    state: IntentState
    at: datetime
    height: int | None = None
    source: str | None = None
    bytes_hash: str | None = None
    code: int | None = None
    text: str | None = None


IntentEntry = Intent | IntentStep
"""What `JournalPort.record` takes."""


# What is read


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """An intent with its steps in order; `state` is that of the last one, WRITTEN before the first."""

    intent: Intent
    state: IntentState
    bytes_hash: str | None
    settled_at: datetime | None
    steps: tuple[IntentStep, ...]


@dataclass(frozen=True, slots=True)
class OrderHop:
    """A standing that an order came to, and when and from whom the console first learnt of it."""

    at: datetime
    height: int | None
    source: str
    shown: str | None
    status: str | None
    removal_reason: str | None
    reason_source: str | None
    filled: Decimal
    size: Decimal | None
    price: Decimal | None
    good_til_block: int | None
    good_til_time: datetime | None
    updated_at_height: int | None


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order as last noted. `placed_at` is the earliest moment at which it is known to have existed."""

    order: Order
    shown: str | None
    placed_at: datetime
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill and what it did, as `FillBooking` tells it; None while that is not known."""

    fill: Fill
    closed_pnl: Decimal | None = None
    net_size: Decimal | None = None
    average_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Unbooked:
    """What derived rows do not know yet: `since` is the oldest such fill, `payments` the lowest block of such payments
    by subaccount and market. `booked_at` is the newest fill that is booked.
    """

    since: datetime | None
    payments: tuple[tuple[int, str, int], ...]
    booked_at: datetime | None = None


class PageMark(NamedTuple):
    """Where a page ended: the time and name of its last row."""

    at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows in the order that was asked for; `next` is None where there are no more."""

    rows: tuple[T, ...]
    next: PageMark | None


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which rows of a history, and which page of them; an empty filter lets everything through.

    `since` is included, `until` is not. `statuses` are displayed ones, `types` a trader's. `text` is looked for in
    names and ids, ignoring the case of ASCII letters. `after` is the mark of the page before. A filter that the kind
    of row does not have raises ValueError.
    """

    markets: tuple[str, ...] = ()
    subaccounts: tuple[int, ...] = ()
    sides: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    order_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    oldest_first: bool = False
    limit: int = 50
    after: PageMark | None = None

    def beyond(self, mark: PageMark | None) -> "HistoryQuery":
        """Return the same question for the page after `mark`."""
        return replace(self, after=mark)


class History(StrEnum):
    """The kinds of row that can be counted and paged."""

    FILLS = "FILLS"
    ORDERS = "ORDERS"
    TRANSFERS = "TRANSFERS"
    FUNDING = "FUNDING"
    REWARDS = "REWARDS"
    LIVES = "LIVES"
    EQUITY = "EQUITY"


# What can go wrong


class JournalError(Exception):
    """Something is wrong with the journal; the message is a sentence for people."""


class JournalOwnedError(JournalError):
    """Another process owns the journal of this network and address; `pid` is None where it cannot be read."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        whose = "another console" if pid is None else f"the console with process id {pid}"
        super().__init__(f"the journal in {folder} is in use by {whose}; this one can only read it")
        self.pid = pid


class JournalNewerError(JournalError):
    """The file was written by a newer version of the console."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"the journal {path} has schema {found} and this version knows schemas up to {known}; "
            "use the newer version, or go back as docs/rollback.md says"
        )
        self.found = found
        self.known = known


class JournalMigrationError(JournalError):
    """An older file could not be brought up to date; it is as it was. `backup` is the copy that was made, if any."""

    def __init__(self, path: Path, reason: str, backup: Path | None) -> None:
        kept = "" if backup is None else f"; a copy is in {backup}"
        super().__init__(f"the journal {path} could not be upgraded and is unchanged: {reason}{kept}")
        self.backup = backup


class JournalUnavailableError(JournalError):
    """The journal cannot be used as things are: the disk, its permissions, or the file says no."""


class JournalOffError(JournalError):
    """Nothing can be written now, so nothing may be sent that would have to be written first."""


class JournalRejectedError(JournalError):
    """An entry cannot be kept as it is: a mistake of its writer, not of the disk."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening the journal found and did.

    `run` counts the runs of the console that wrote here. `damaged` is where an unreadable file was moved, `damage` why;
    the history is then empty and has to be read again. `backup` is the copy made before an upgrade from schema
    `migrated_from`.
    """

    path: Path
    epoch: int
    run: int
    is_new: bool = False
    migrated_from: int | None = None
    backup: Path | None = None
    damaged: Path | None = None
    damage: str | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a person should be told; empty where nothing special happened."""
        told = []
        if self.damaged is not None:
            told.append(
                f"the journal was damaged ({self.damage}) and is kept as {self.damaged}; "
                "a new one is filled from the venue, but commands sent earlier are not in it"
            )
        if self.migrated_from is not None:
            told.append(
                f"the journal was upgraded from schema {self.migrated_from}; a copy from before is {self.backup}"
            )
        return tuple(told)


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """Whether the journal keeps what it is given.

    Off: `reason` is one line, intents are refused, facts wait in memory up to a bound. `missed` facts went beyond it
    since the journal was last on; then, as after `recovery` from damage while running, what the cursors do not count
    has to be read again, and cursors are not taken until they have been asked for. `rejected` facts could not be kept
    as they were, the last because of `rejection`.
    """

    is_on: bool
    since: datetime
    reason: str | None = None
    missed: int = 0
    rejected: int = 0
    rejection: str | None = None
    recovery: Recovery | None = None

    @property
    def must_read_again(self) -> bool:
        """Whether the venue has to be read again from the cursors."""
        return self.missed > 0 or (self.recovery is not None and self.recovery.is_new)


class HistoryPort(Protocol):
    """Reads a journal without holding up its writer. Methods raise JournalUnavailableError where it cannot be read."""

    async def fills(self, query: HistoryQuery) -> Page[PlacedFill]:
        """Return fills by time; those of one block stand by id, their chain order is for accounting to find."""
        ...

    async def booked_fills(self, query: HistoryQuery) -> Page[BookedFill]:
        """Return fills as `fills` does, each with what it did."""
        ...

    async def orders(self, query: HistoryQuery) -> Page[OrderRecord]:
        """Return orders by the time of their placement."""
        ...

    async def order(self, order_id: str) -> tuple[OrderRecord, tuple[OrderHop, ...]] | None:
        """Return an order and its standings in the order of learning, None where it is not known."""
        ...

    async def transfers(self, query: HistoryQuery) -> Page[Transfer]:
        """Return transfers by time."""
        ...

    async def funding(self, query: HistoryQuery) -> Page[FundingPayment]:
        """Return funding payments by time."""
        ...

    async def rewards(self, query: HistoryQuery) -> Page[Reward]:
        """Return trading rewards by time."""
        ...

    async def lives(self, query: HistoryQuery) -> Page[PositionLife]:
        """Return position lives by the time of their opening; the statuses are OPEN and CLOSED."""
        ...

    async def equity(self, query: HistoryQuery) -> Page[EquityPoint]:
        """Return equity points by time; `subaccounts` are the parents."""
        ...

    async def count(self, kind: History, query: HistoryQuery) -> int:
        """Return how many rows the query's filters let through."""
        ...

    async def positions(self) -> tuple[PositionNote, ...]:
        """Return every position as last noted, closed ones too; `revision` is as it was written."""
        ...

    async def intents(self, *, only_open: bool) -> tuple[IntentRecord, ...]:
        """Return intents, oldest first: those that nothing has settled, or all."""
        ...

    async def cursors(self) -> dict[str, Cursor]:
        """Return how far each source has been read, by its name."""
        ...

    async def faults(self) -> tuple[FaultCount, ...]:
        """Return counted failures, each run's own, the newest first."""
        ...


class BooksPort(HistoryPort, Protocol):
    """What is needed besides to derive bookings and lives from a journal."""

    async def unbooked(self) -> Unbooked:
        """Return what has come since bookings, lives and their funding were derived."""
        ...

    async def books(self) -> tuple[BooksNote, ...]:
        """Return the books that were noted last."""
        ...

    async def lives_after(
        self, key: PositionKey, height: int, after: PageMark | None, limit: int
    ) -> Page[PositionLife]:
        """Return a position's lives that had not ended before a block, oldest first."""
        ...

    async def payments(self, key: PositionKey, first: int, last: int | None) -> tuple[FundingPayment, ...]:
        """Return a position's funding payments from one block to another, oldest first; None for the newest."""
        ...


class JournalPort(Protocol):
    """Writes the journal. One process owns it; all methods are called on its event loop."""

    @property
    def status(self) -> JournalStatus:
        """Whether the journal keeps what it is given, and why not."""
        ...

    @property
    def history(self) -> HistoryPort:
        """The same journal for reading; what was just written is there after `flush`."""
        ...

    def write(self, facts: Iterable[JournalFact]) -> None:
        """Take facts without waiting; never raises. They are committed together, soon, and merged by id."""
        ...

    async def record(self, *entries: IntentEntry) -> None:
        """Write intents and their steps; done when they are on the disk. All of a call are kept, or none.

        Writing an entry again changes nothing. Raises JournalOffError while nothing can be written, and
        JournalRejectedError for a step of an unknown intent or an entry that says otherwise than the one that is kept.
        """
        ...

    async def flush(self) -> None:
        """Return when everything written so far is committed. Raises JournalOffError."""
        ...

    async def cursors(self) -> dict[str, Cursor]:
        """Return how far each source has been read, to read on from there."""
        ...

    async def begin_epoch(self, reason: str) -> Recovery:
        """Keep the history of a chain that has begun anew as a read-only file, and begin another.

        Cursors are taken again when they have been asked for. Raises JournalOffError.
        """
        ...

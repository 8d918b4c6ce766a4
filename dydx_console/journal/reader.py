"""Reading a journal by pages, over a connection that can only read and holds up no writer."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, TypeVar

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.ids import PositionKey
from dydx_console.journal.columns import Columns, Row, micros, time_at
from dydx_console.journal.files import Place
from dydx_console.journal.opening import BUSY_S, reason_of, uri_of
from dydx_console.journal.schema import APPLICATION_ID, MIGRATIONS
from dydx_console.journal.statements import (
    BOOKS_COLUMNS,
    CURSOR_COLUMNS,
    EQUITY_COLUMNS,
    FAULT_COLUMNS,
    FILL_COLUMNS,
    FUNDING_COLUMNS,
    INTENT_COLUMNS,
    LIFE_COLUMNS,
    ORDER_COLUMNS,
    POSITION_COLUMNS,
    REWARD_COLUMNS,
    RUN_BITS,
    STEP_COLUMNS,
    TRANSFER_COLUMNS,
)
from dydx_console.ports.journal import (
    BookedFill,
    BooksNote,
    Cursor,
    EquityPoint,
    History,
    HistoryQuery,
    IntentRecord,
    IntentState,
    JournalNewerError,
    JournalUnavailableError,
    OrderHop,
    OrderRecord,
    Page,
    PageMark,
    PlacedFill,
    PositionLife,
    PositionNote,
    Unbooked,
)

__all__ = ["MOST_ROWS", "JournalReader", "open_reader"]

T = TypeVar("T")

MOST_ROWS = 10_000
"""Longest page."""
MOST_HEIGHT = (1 << 63) - 1
MOST_NAMES = 500
"""Names that are asked for at once; an older SQLite binds no more than 999 values."""

# ruff: noqa: S608 - statements are put together from names that stand in this file and the values'; texts are bound


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How a kind of row is paged.

    `at` and `key` give the order; `filters` name the column of each filter that the rows have, `texts` what a text is
    looked for in.
    """

    table: str
    columns: tuple[str, ...]
    decode: Callable[[Row], T]
    at: str
    filters: Mapping[str, str]
    texts: tuple[str, ...]
    key: str = "key"
    conditions: tuple[str, ...] = field(default=())


def _order_of(row: Row) -> OrderRecord:
    count = len(ORDER_COLUMNS)
    shown, placed_at, noted_at = row[count:]
    return OrderRecord(ORDER_COLUMNS.decode(row[:count]), shown, time_at(placed_at), time_at(noted_at))


BOOKING = ("closed_pnl", "net_size", "average_cost")
FILLS = Listing(
    "fills",
    (*FILL_COLUMNS, "place"),
    lambda row: PlacedFill(FILL_COLUMNS.decode(row[:-1]), row[-1]),
    at="created_at",
    filters={"markets": "market", "subaccounts": "subaccount", "sides": "side", "types": "type"},
    texts=("market", "type", "liquidity", "id", "order_id"),
    key="id",
)
BOOKED = Listing(
    FILLS.table,
    (*FILL_COLUMNS, *BOOKING),
    lambda row: BookedFill(FILL_COLUMNS.decode(row[:-3]), *map(_amount, row[-3:])),
    at=FILLS.at,
    filters=FILLS.filters,
    texts=FILLS.texts,
    key=FILLS.key,
)
ORDERS = Listing(
    "orders",
    (*ORDER_COLUMNS, "shown", "placed_at", "noted_at"),
    _order_of,
    at="placed_at",
    filters={
        "markets": "market", "subaccounts": "subaccount", "sides": "side", "types": "shown_type", "statuses": "shown",
    },
    texts=("market", "shown_type", "shown", "id", "client_id", "removal_reason"),
    key="id",
)  # fmt: skip
TRANSFERS = Listing(
    "transfers",
    TRANSFER_COLUMNS.names,
    TRANSFER_COLUMNS.decode,
    at="created_at",
    filters={"types": "type"},
    texts=("type", "asset", "sender", "recipient", "transaction_hash"),
    conditions=("is_shown",),
)
FUNDING = Listing(
    "funding",
    FUNDING_COLUMNS.names,
    FUNDING_COLUMNS.decode,
    at="created_at",
    filters={"markets": "market", "subaccounts": "subaccount"},
    texts=("market",),
)
REWARDS = Listing("rewards", REWARD_COLUMNS.names, REWARD_COLUMNS.decode, at="created_at", filters={}, texts=())
LIVES = Listing(
    "lives",
    LIFE_COLUMNS.names,
    LIFE_COLUMNS.decode,
    at="opened_at",
    filters={
        "markets": "market", "subaccounts": "subaccount", "sides": "side",
        "statuses": "CASE WHEN closed_at IS NULL THEN 'OPEN' ELSE 'CLOSED' END",
    },
    texts=("market", "side"),
)  # fmt: skip
EQUITY = Listing(
    "equity", EQUITY_COLUMNS.names, EQUITY_COLUMNS.decode, at="at", filters={"subaccounts": "parent"}, texts=()
)

LISTINGS: Mapping[History, Listing[Any]] = {
    History.FILLS: FILLS,
    History.ORDERS: ORDERS,
    History.TRANSFERS: TRANSFERS,
    History.FUNDING: FUNDING,
    History.REWARDS: REWARDS,
    History.LIVES: LIVES,
    History.EQUITY: EQUITY,
}

HOP_COLUMNS = Columns(OrderHop)
POSITION_EXTRA = ("average_cost", "realized", "fees", "funding", "life_opened_at", "noted_at", "revision")
REVISIONS = (1 << RUN_BITS) - 1


@dataclass(frozen=True, slots=True)
class Where:
    """A condition and the values that it is bound to."""

    sql: str
    values: tuple[Any, ...]


def _filters(listing: Listing[Any], query: HistoryQuery) -> list[Where]:
    """Return the conditions of a query's filters. Raises ValueError for one that the rows do not have."""
    found = [Where(condition, ()) for condition in listing.conditions]
    for name in ("markets", "subaccounts", "sides", "statuses", "types"):
        wanted = getattr(query, name)
        if wanted:
            if name not in listing.filters:
                raise ValueError(f"{listing.table} cannot be filtered by {name}")
            found.append(Where(f"{listing.filters[name]} IN ({', '.join('?' * len(wanted))})", tuple(wanted)))
    if query.order_id is not None:
        if listing.table != FILLS.table:
            raise ValueError(f"{listing.table} cannot be filtered by an order")
        found.append(Where("order_id = ?", (query.order_id,)))
    if query.since is not None:
        found.append(Where(f"{listing.at} >= ?", (micros(query.since),)))
    if query.until is not None:
        found.append(Where(f"{listing.at} < ?", (micros(query.until),)))
    if query.text:
        found.append(_text_filter(listing, query.text))
    return found


def _text_filter(listing: Listing[Any], text: str) -> Where:
    if not listing.texts:
        raise ValueError(f"{listing.table} have no text")
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    each = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in listing.texts)
    return Where(f"({each})", (f"%{escaped}%",) * len(listing.texts))


def _after(listing: Listing[Any], query: HistoryQuery, mark: PageMark) -> Where:
    compare = ">" if query.oldest_first else "<"
    return Where(f"({listing.at}, {listing.key}) {compare} (?, ?)", (micros(mark.at), mark.key))


def _joined(conditions: Iterable[Where]) -> Where:
    listed = tuple(conditions)
    sql = " WHERE " + " AND ".join(where.sql for where in listed) if listed else ""
    return Where(sql, tuple(value for where in listed for value in where.values))


def _page_question(listing: Listing[Any], query: HistoryQuery, *more: Where) -> Where:
    """Return the statement of a page: its rows and one more, each with its time and name behind it."""
    conditions = [*_filters(listing, query), *more]
    if query.after is not None:
        conditions.append(_after(listing, query, query.after))
    where = _joined(conditions)
    way = "ASC" if query.oldest_first else "DESC"
    return Where(
        f"SELECT {', '.join(listing.columns)}, {listing.at}, {listing.key} FROM {listing.table}{where.sql} "
        f"ORDER BY {listing.at} {way}, {listing.key} {way} LIMIT ?",
        (*where.values, query.limit + 1),
    )


class Connected:
    """A read-only connection that threads take turns in using; it is made with the first question."""

    def __init__(self, path: Path, newest_schema: int) -> None:
        self.path = path
        self._newest_schema = newest_schema
        self._connection: sqlite3.Connection | None = None
        self._turn = threading.Lock()

    def ask(self, sql: str, values: tuple[Any, ...], decode: Callable[[Row], T]) -> list[T]:
        """Return the rows of a question. Raises JournalUnavailableError and JournalNewerError."""
        with self._turn:
            try:
                return [decode(row) for row in self._open().execute(sql, values)]
            except sqlite3.Error as error:
                self._disconnect()
                raise JournalUnavailableError(f"the journal cannot be read: {reason_of(error)}") from error
            except (ArithmeticError, ValueError, TypeError) as error:
                raise JournalUnavailableError(f"a row of the journal cannot be read: {error}") from error

    def interrupt(self) -> None:
        """End the question that is being answered, if there is one."""
        connection = self._connection
        if connection is not None:
            with suppress(sqlite3.ProgrammingError):
                connection.interrupt()

    def move_to(self, path: Path) -> None:
        """Read another file from now on."""
        with self._turn:
            self._disconnect()
            self.path = path

    def close(self) -> None:
        """Close the connection; the next question makes a new one."""
        with self._turn:
            self._disconnect()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            made = sqlite3.connect(
                uri_of(self.path, "ro"), uri=True, isolation_level=None, timeout=BUSY_S, check_same_thread=False
            )
            try:
                self._check(made)
            except BaseException:
                made.close()
                raise
            self._connection = made
        return self._connection

    def _check(self, connection: sqlite3.Connection) -> None:
        ((application,),) = connection.execute("PRAGMA application_id")
        ((schema,),) = connection.execute("PRAGMA user_version")
        if application != APPLICATION_ID:
            raise JournalUnavailableError(f"{self.path} is not a journal of this console")
        if schema > self._newest_schema:
            raise JournalNewerError(self.path, schema, self._newest_schema)
        if schema < self._newest_schema:
            raise JournalUnavailableError(
                f"the journal {self.path} has the older schema {schema}; its owner brings it up to date"
            )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class JournalReader:
    """Reads one journal file. Implements `BooksPort`; questions are answered, and rows made, in another thread.

    Args:
        path: the file.
        newest_schema: the schema that it must have.
    """

    def __init__(self, path: Path, newest_schema: int = MIGRATIONS[-1].number) -> None:
        self._connected = Connected(path, newest_schema)
        self._turn = asyncio.Lock()

    @property
    def path(self) -> Path:
        """The file that is read."""
        return self._connected.path

    async def fills(self, query: HistoryQuery) -> Page[PlacedFill]:
        """Return fills by time; those of one block stand by id."""
        return await self._page(FILLS, query)

    async def booked_fills(self, query: HistoryQuery) -> Page[BookedFill]:
        """Return fills as `fills` does, each with what it did."""
        return await self._page(BOOKED, query)

    async def unbooked(self) -> Unbooked:
        """Return what has come since bookings, lives and their funding were derived."""
        oldest = "SELECT created_at FROM fills WHERE is_booked = 0 ORDER BY created_at, id LIMIT 1"
        lowest = "SELECT subaccount, market, min(height) FROM funding WHERE is_booked = 0 GROUP BY subaccount, market"
        newest = "SELECT created_at FROM fills WHERE is_booked ORDER BY created_at DESC, id DESC LIMIT 1"
        since = await self._rows(oldest, (), lambda row: time_at(row[0]))
        booked = await self._rows(newest, (), lambda row: time_at(row[0]))
        payments = await self._rows(lowest, (), lambda row: (int(row[0]), str(row[1]), int(row[2])))
        return Unbooked(since[0] if since else None, tuple(payments), booked[0] if booked else None)

    async def books(self) -> tuple[BooksNote, ...]:
        """Return the books that were noted last."""
        question = f"SELECT {', '.join(BOOKS_COLUMNS)} FROM books ORDER BY subaccount, market"
        return tuple(await self._rows(question, (), BOOKS_COLUMNS.decode))

    async def lives_after(
        self, key: PositionKey, height: int, after: PageMark | None, limit: int
    ) -> Page[PositionLife]:
        """Return a position's lives that had not ended before a block, oldest first."""
        query = HistoryQuery(markets=(key.market,), subaccounts=(key.subaccount,), oldest_first=True, limit=limit)
        is_left = Where("(closed_height IS NULL OR closed_height >= ?)", (height,))
        return await self._page(LIVES, query.beyond(after), is_left)

    async def payments(self, key: PositionKey, first: int, last: int | None) -> tuple[FundingPayment, ...]:
        """Return a position's funding payments from one block to another, oldest first."""
        question = (
            f"SELECT {', '.join(FUNDING_COLUMNS)} FROM funding "
            "WHERE subaccount = ? AND market = ? AND height >= ? AND height <= ? ORDER BY height"
        )
        values = (key.subaccount, key.market, first, MOST_HEIGHT if last is None else last)
        return tuple(await self._rows(question, values, FUNDING_COLUMNS.decode))

    async def orders(self, query: HistoryQuery) -> Page[OrderRecord]:
        """Return orders by the time of their placement."""
        return await self._page(ORDERS, query)

    async def transfers(self, query: HistoryQuery) -> Page[Transfer]:
        """Return transfers by time, each once: a REST row stands for the stream's row of the same transfer."""
        return await self._page(TRANSFERS, query)

    async def funding(self, query: HistoryQuery) -> Page[FundingPayment]:
        """Return funding payments by time."""
        return await self._page(FUNDING, query)

    async def rewards(self, query: HistoryQuery) -> Page[Reward]:
        """Return trading rewards by time."""
        return await self._page(REWARDS, query)

    async def lives(self, query: HistoryQuery) -> Page[PositionLife]:
        """Return position lives by the time of their opening."""
        return await self._page(LIVES, query)

    async def equity(self, query: HistoryQuery) -> Page[EquityPoint]:
        """Return equity points by time."""
        return await self._page(EQUITY, query)

    async def count(self, kind: History, query: HistoryQuery) -> int:
        """Return how many rows the query's filters let through."""
        listing = LISTINGS[kind]
        where = _joined(_filters(listing, query))
        rows = await self._rows(f"SELECT count(*) FROM {listing.table}{where.sql}", where.values, int_of)
        return rows[0]

    async def order(self, order_id: str) -> tuple[OrderRecord, tuple[OrderHop, ...]] | None:
        """Return an order and its standings in the order of learning, None where it is not known."""
        columns = ", ".join(ORDERS.columns)
        found = await self._rows(f"SELECT {columns} FROM orders WHERE id = ?", (order_id,), ORDERS.decode)
        if not found:
            return None
        hops = f"SELECT {', '.join(HOP_COLUMNS)} FROM order_hops WHERE order_id = ? ORDER BY revision, standing"
        return found[0], tuple(await self._rows(hops, (order_id,), HOP_COLUMNS.decode))

    async def known_orders(self, order_ids: Sequence[str]) -> frozenset[str]:
        """Return which of some orders have ever been noted."""
        found: set[str] = set()
        for first in range(0, len(order_ids), MOST_NAMES):
            some = tuple(order_ids[first : first + MOST_NAMES])
            question = f"SELECT id FROM orders WHERE id IN ({', '.join('?' * len(some))})"
            found.update(await self._rows(question, some, _name_of))
        return frozenset(found)

    async def positions(self) -> tuple[PositionNote, ...]:
        """Return every position as last noted, closed ones too."""
        columns = ", ".join((*POSITION_COLUMNS, *POSITION_EXTRA))
        return tuple(await self._rows(f"SELECT {columns} FROM positions ORDER BY subaccount, market", (), _position_of))

    async def intents(self, *, only_open: bool) -> tuple[IntentRecord, ...]:
        """Return intents, oldest first: those that nothing has settled, or all."""
        some = " WHERE intents.settled_at IS NULL" if only_open else ""
        columns = [f"intents.{name}" for name in (*INTENT_COLUMNS, "state", "settled_at")]
        columns += [f"intent_steps.{name}" for name in STEP_COLUMNS]
        question = (
            f"SELECT {', '.join(columns)} FROM intents LEFT JOIN intent_steps ON intent_steps.intent_id = intents.id"
            f"{some} ORDER BY intents.created_at, intents.id, intent_steps.number"
        )
        rows = await self._rows(question, (), _intent_row)
        grouped = groupby(rows, key=lambda row: row.intent.id)
        return tuple(_with_steps(list(group)) for _, group in grouped)

    async def cursors(self) -> dict[str, Cursor]:
        """Return how far each source has been read, by its name."""
        rows = await self._rows(f"SELECT {', '.join(CURSOR_COLUMNS)} FROM cursors", (), CURSOR_COLUMNS.decode)
        return {cursor.source: cursor for cursor in rows}

    async def faults(self) -> tuple[FaultCount, ...]:
        """Return counted failures, each run's own, the newest first."""
        columns = ", ".join(FAULT_COLUMNS)
        question = f"SELECT {columns} FROM error_metrics ORDER BY last_at DESC, run DESC, kind, source, endpoint"
        return tuple(await self._rows(question, (), FAULT_COLUMNS.decode))

    async def move_to(self, path: Path) -> None:
        """Read another file from now on."""
        await asyncio.to_thread(self._connected.move_to, path)

    async def close(self) -> None:
        """Close the connection; the next question makes a new one."""
        await asyncio.to_thread(self._connected.close)

    async def _page(self, listing: Listing[T], query: HistoryQuery, *more: Where) -> Page[T]:
        if not 0 < query.limit <= MOST_ROWS:
            raise ValueError(f"a page has 1 to {MOST_ROWS} rows, not {query.limit}")
        question = _page_question(listing, query, *more)
        rows = await self._rows(question.sql, question.values, partial(_marked, listing))
        shown = rows[: query.limit]
        return Page(tuple(row for row, _ in shown), shown[-1][1] if len(rows) > query.limit else None)

    async def _rows(self, sql: str, values: tuple[Any, ...], decode: Callable[[Row], T]) -> list[T]:
        async with self._turn:
            try:
                return await asyncio.to_thread(self._connected.ask, sql, values, decode)
            except asyncio.CancelledError:
                self._connected.interrupt()
                raise


def open_reader(place: Place, epoch: int | None = None) -> JournalReader:
    """Return a reader of a place's epoch, the newest by default; no lock is needed.

    Raises JournalUnavailableError where there is no such journal.
    """
    epochs = place.epochs()
    wanted = epoch if epoch is not None else epochs[-1] if epochs else None
    if wanted not in epochs or wanted is None:
        raise JournalUnavailableError(f"there is no journal in {place.folder} yet")
    return JournalReader(place.path(wanted))


def _name_of(row: Row) -> str:
    return str(row[0])


def int_of(row: Row) -> int:
    """Return the only value of a row."""
    return int(row[0])


def _marked(listing: Listing[T], row: Row) -> tuple[T, PageMark]:
    return listing.decode(row[:-2]), PageMark(time_at(row[-2]), row[-1])


def _position_of(row: Row) -> PositionNote:
    count = len(POSITION_COLUMNS)
    cost, realized, fees, funding, opened_at, noted_at, revision = row[count:]
    return PositionNote(
        position=POSITION_COLUMNS.decode(row[:count]),
        average_cost=_amount(cost),
        realized=_amount(realized),
        fees=_amount(fees),
        funding=_amount(funding),
        life_opened_at=None if opened_at is None else time_at(opened_at),
        at=time_at(noted_at),
        revision=revision & REVISIONS,
    )


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _intent_row(row: Row) -> IntentRecord:
    """Return an intent with at most one of its steps."""
    count = len(INTENT_COLUMNS)
    state, settled_at = row[count : count + 2]
    step = row[count + 2 :]
    steps = () if step[0] is None else (STEP_COLUMNS.decode(step),)
    at = None if settled_at is None else time_at(settled_at)
    return IntentRecord(INTENT_COLUMNS.decode(row[:count]), IntentState(state), None, at, steps)


def _with_steps(rows: list[IntentRecord]) -> IntentRecord:
    steps = tuple(step for row in rows for step in row.steps)
    hashes = [step.bytes_hash for step in steps if step.bytes_hash is not None]
    return replace(rows[0], steps=steps, bytes_hash=hashes[-1] if hashes else None)

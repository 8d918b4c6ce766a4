"""Histories are read by pages, filtered and counted, without a hole and without waiting for the writer."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import START, D, at_height, fill
from hypothesis import given
from hypothesis import strategies as st
from journal_help import ME, database, life, note, payment, running, transfer

from dydx_console.domain.fill import Fill
from dydx_console.journal.files import Place
from dydx_console.journal.reader import MOST_ROWS, JournalReader, open_reader
from dydx_console.journal.schema import MIGRATIONS
from dydx_console.ports.journal import (
    EquityPoint,
    History,
    HistoryQuery,
    JournalNewerError,
    JournalUnavailableError,
    OrderRecord,
    PlacedFill,
)

MARKETS = ("BTC-USD", "ETH-USD", "SOL-USD")
FILLS: list[Fill] = [
    fill(
        f"id{number:03}",
        side="BUY" if number % 2 else "SELL",
        height=number // 3,
        market=MARKETS[number % 3],
        subaccount=128 * (number % 2),
        type="LIQUIDATED" if number % 10 == 0 else "LIMIT",
        order_id=f"o{number // 10}",
    )
    for number in range(100)
]


async def paged(history: JournalReader, query: HistoryQuery) -> list[Fill]:
    found: list[PlacedFill] = []
    while True:
        page = await history.fills(query)
        assert len(page.rows) <= query.limit
        found += page.rows
        if page.next is None:
            return [placed.fill for placed in found]
        query = query.beyond(page.next)


def by_time(one: Fill) -> tuple[Any, ...]:
    return one.created_at, one.id


QUERIES: list[tuple[HistoryQuery, Callable[[Fill], bool]]] = [
    (HistoryQuery(), lambda _: True),
    (HistoryQuery(markets=("BTC-USD",)), lambda one: one.market == "BTC-USD"),
    (HistoryQuery(markets=MARKETS[:2], sides=("BUY",)), lambda one: one.market != "SOL-USD" and one.side == "BUY"),
    (HistoryQuery(subaccounts=(128,)), lambda one: one.subaccount == 128),
    (HistoryQuery(types=("LIQUIDATED",)), lambda one: one.type == "LIQUIDATED"),
    (HistoryQuery(order_id="o3"), lambda one: one.order_id == "o3"),
    (HistoryQuery(since=at_height(5), until=at_height(9)), lambda one: 5 <= one.height < 9),
    (HistoryQuery(text="eth"), lambda one: one.market == "ETH-USD"),
    (HistoryQuery(text="ID09"), lambda one: one.id.startswith("id09")),
    (HistoryQuery(text="100%"), lambda _: False),
    (HistoryQuery(text="id_9"), lambda _: False),
    (HistoryQuery(markets=("nothing",)), lambda _: False),
]  # fmt: skip


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_pages_hold_every_row_that_a_filter_lets_through_once(
    tmp_path: Path, limit: int, oldest_first: bool
) -> None:
    async with running(tmp_path) as journal:
        journal.write(FILLS)
        await journal.flush()
        for query, lets_through in QUERIES:
            asked = HistoryQuery(**{**_fields(query), "limit": limit, "oldest_first": oldest_first})
            wanted = sorted(filter(lets_through, FILLS), key=by_time, reverse=not oldest_first)
            assert await paged(journal.history, asked) == wanted, query
            assert await journal.history.count(History.FILLS, asked) == len(wanted)


def _fields(query: HistoryQuery) -> dict[str, Any]:
    return {name: getattr(query, name) for name in HistoryQuery.__dataclass_fields__}


async def test_rows_that_come_while_paging_shift_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write(FILLS[:60])
        await journal.flush()
        query = HistoryQuery(limit=10)
        first = await journal.history.fills(query)
        journal.write(FILLS[60:])
        await journal.flush()
        rest = await paged(journal.history, query.beyond(first.next))
    found = [placed.fill for placed in first.rows] + rest
    assert found == sorted(FILLS[:60], key=by_time, reverse=True)


async def test_orders_by_status_type_and_time(tmp_path: Path) -> None:
    early, late = START - timedelta(days=1), at_height(100)
    notes = [
        note("a", 1, "OPEN", created_at=early, client_metadata="1"),
        note("b", 2, "FILLED", updated_at=late, market="ETH-USD"),
        note("c", 3, "CANCELLED", removal_reason="USER_CANCELED"),
        note("a", 4, "PARTIALLY_FILLED", created_at=early, client_metadata="1"),
    ]

    def ids(rows: tuple[OrderRecord, ...]) -> list[str]:
        return [record.order.id for record in rows]

    async with running(tmp_path) as journal:
        journal.write(notes)
        await journal.flush()
        history = journal.history
        assert ids((await history.orders(HistoryQuery(statuses=("OPEN",)))).rows) == []
        assert ids((await history.orders(HistoryQuery(statuses=("PARTIALLY_FILLED", "FILLED")))).rows) == ["b", "a"]
        assert ids((await history.orders(HistoryQuery(types=("MARKET",)))).rows) == ["a"]
        assert ids((await history.orders(HistoryQuery(text="user_c"))).rows) == ["c"]
        assert ids((await history.orders(HistoryQuery(oldest_first=True, limit=2))).rows) == ["a", "b"]
        assert ids((await history.orders(HistoryQuery(since=START))).rows) == ["c", "b"]
        assert await history.order("nobody") is None


async def test_an_order_stands_where_it_is_first_known_to_have_existed(tmp_path: Path) -> None:
    long_ago = START - timedelta(days=90)
    async with running(tmp_path) as journal:
        journal.write([note("old", 2, created_at=long_ago), note("new", 1)])
        await journal.flush()
        rows = (await journal.history.orders(HistoryQuery())).rows
    assert [(record.order.id, record.placed_at) for record in rows] == [("new", note("new", 1).at), ("old", long_ago)]


async def test_lives_are_open_or_closed(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([life(1), life(2, closed_at=at_height(9), side="SHORT")])
        await journal.flush()
        closed = (await journal.history.lives(HistoryQuery(statuses=("CLOSED",)))).rows
        assert [row.opened_by for row in closed] == ["f2"]
        assert [row.opened_by for row in (await journal.history.lives(HistoryQuery(sides=("LONG",)))).rows] == ["f1"]


async def test_equity_of_one_parent(tmp_path: Path) -> None:
    points = [
        EquityPoint(parent, at_height(height), height, D(height), None, None)
        for parent in (0, 1)
        for height in range(5)
    ]
    async with running(tmp_path) as journal:
        journal.write(points)
        await journal.flush()
        found = await journal.history.equity(HistoryQuery(subaccounts=(1,), oldest_first=True))
    assert list(found.rows) == points[5:]


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        (History.FILLS, HistoryQuery(statuses=("OPEN",))),
        (History.FUNDING, HistoryQuery(sides=("BUY",))),
        (History.REWARDS, HistoryQuery(text="x")),
        (History.TRANSFERS, HistoryQuery(markets=("BTC-USD",))),
        (History.ORDERS, HistoryQuery(order_id="o")),
    ],
)
async def test_a_filter_that_rows_do_not_have_is_refused(tmp_path: Path, kind: History, query: HistoryQuery) -> None:
    async with running(tmp_path) as journal:
        with pytest.raises(ValueError, match=str(kind).lower()):
            await journal.history.count(kind, query)


@pytest.mark.parametrize("limit", [0, -1, MOST_ROWS + 1])
async def test_a_page_has_a_size(tmp_path: Path, limit: int) -> None:
    async with running(tmp_path) as journal:
        with pytest.raises(ValueError, match="a page has"):
            await journal.history.fills(HistoryQuery(limit=limit))


hostile = st.text(max_size=12) | st.sampled_from(["'", '"', "%", "_", "\\", "\\%", "';--", "\x00", "OR 1=1"])


@given(hostile)
def test_any_text_is_looked_for_as_it_is(text: str) -> None:
    """The reader is asked with every text; what it finds is what contains it."""
    from dydx_console.journal.reader import FILLS as LISTING
    from dydx_console.journal.reader import _page_question

    stored = ["BTC-USD", "%", "_", "\\", "'", "a\\%b"]
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in MIGRATIONS[0].statements:
            connection.execute(statement)
        columns = "id, subaccount, market, side, liquidity, type, price, size, fee, height, created_at"
        for number, market in enumerate(stored):
            row = (f"#{number}", 0, market, "", "", "", "1", "1", "0", 0, 0)
            connection.execute(f"INSERT INTO fills ({columns}) VALUES ({', '.join('?' * len(row))})", row)
        if any("\ud800" <= char <= "\udfff" for char in text):
            return
        question = _page_question(LISTING, HistoryQuery(text=text))
        found = {LISTING.decode(row[:-2]).fill.market for row in connection.execute(question.sql, question.values)}
    folded = _folded(text)
    if "\x00" not in text:
        assert found == {
            market for number, market in enumerate(stored) if folded in _folded(market) or folded in f"#{number}"
        }


def _folded(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


# Readers of their own


async def test_another_reader_sees_what_is_committed_while_the_owner_writes(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        reader = open_reader(Place(tmp_path, ME))
        try:
            for number in range(5):
                journal.write([payment(number), transfer(f"t{number}")])
                await journal.flush()
                assert await reader.count(History.FUNDING, HistoryQuery()) == number + 1
        finally:
            await reader.close()


async def test_a_slow_reader_holds_up_no_commit(tmp_path: Path) -> None:
    """A read transaction stays open meanwhile, as that of a reader that has stopped in its middle."""
    async with running(tmp_path) as journal:
        journal.write(FILLS)
        await journal.flush()
        with closing(sqlite3.connect(f"{database(tmp_path).as_uri()}?mode=ro", uri=True, isolation_level=None)) as slow:
            slow.execute("BEGIN")
            slow.execute("SELECT count(*) FROM fills").fetchone()
            async with asyncio.timeout(5):
                for number in range(50):
                    journal.write([payment(number)])
                    await journal.flush()
        assert await journal.history.count(History.FUNDING, HistoryQuery()) == 50


async def test_a_question_that_is_given_up_leaves_the_reader_usable(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write([fill(f"f{number}", height=number) for number in range(20_000)])
        await journal.flush()
        for delay_s in (0, 0, 0.001, 0.002, 0.005):
            asked = asyncio.ensure_future(journal.history.fills(HistoryQuery(text="nothing like it")))
            await asyncio.sleep(delay_s)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        assert await journal.history.count(History.FILLS, HistoryQuery()) == 20_000


async def test_a_question_that_would_never_end_ends_when_it_is_given_up(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    async with running(tmp_path) as journal:
        assert await journal.history.cursors() == {}
        asked = asyncio.ensure_future(journal.history._rows(endless, (), tuple))
        await asyncio.sleep(0.05)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        async with asyncio.timeout(20):
            assert await journal.history.cursors() == {}


async def test_reading_where_nothing_was_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailableError, match="no journal"):
        open_reader(Place(tmp_path, ME))


@pytest.mark.parametrize(("schema", "error"), [(99, JournalNewerError), (0, JournalUnavailableError)])
async def test_a_reader_of_another_schema_says_so(tmp_path: Path, schema: int, error: type[Exception]) -> None:
    async with running(tmp_path):
        pass
    with closing(sqlite3.connect(database(tmp_path))) as connection:
        connection.execute(f"PRAGMA user_version={schema}")
    reader = JournalReader(database(tmp_path))
    with pytest.raises(error):
        await reader.cursors()
    await reader.close()


async def test_a_row_that_cannot_be_read_is_an_error_with_a_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as journal:
        journal.write(FILLS[:1])
    with closing(sqlite3.connect(database(tmp_path))) as connection:
        connection.execute("UPDATE fills SET price = '1x'")
        connection.commit()
    reader = open_reader(Place(tmp_path, ME))
    with pytest.raises(JournalUnavailableError, match="cannot be read"):
        await reader.fills(HistoryQuery())
    await reader.close()

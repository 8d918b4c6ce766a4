"""Journals for tests: opened, committed by a task, closed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from builders import ADDRESS, START, D, at_height

from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.order import Order
from dydx_console.journal.files import Place
from dydx_console.journal.writer import Journal, JournalLimits, open_journal
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.journal import Intent, IntentState, IntentStep, JournalId, OrderNote, PositionLife

ME = JournalId("testnet", "dydx-testnet-4", ADDRESS)
QUICK = JournalLimits(commit_s=0.005, first_delay_s=0.01, last_delay_s=0.05)


@asynccontextmanager
async def running(root: Path, identity: JournalId = ME, **given: Any) -> AsyncIterator[Journal]:
    """Yield a journal whose commits are made by a task."""
    journal = await open_journal(root, identity, ManualClock(utc=START), **{"limits": QUICK, **given})
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(journal.run())
            try:
                yield journal
            finally:
                task.cancel()
    finally:
        await journal.close()


def database(root: Path, identity: JournalId = ME, epoch: int = 1) -> Path:
    return Place(root, identity).path(epoch)


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table of a file, sorted."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return rows_of(connection)


def rows_of(connection: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


def check(path: Path) -> str:
    """Return what SQLite's own whole check says."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


async def until(condition: Any, within_s: float = 20.0) -> None:
    """Wait until `condition()` holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - it is not told of by an event
            await asyncio.sleep(0.005)


def note(order_id: str = "o", revision: int = 1, shown: str | None = "OPEN", **given: Any) -> OrderNote:
    fields: dict[str, Any] = {"subaccount": 0, "market": "BTC-USD", "side": "BUY", "type": "LIMIT", "size": D(1)}
    fields.update({"price": D(100), "status": shown, "filled": D(0), **given})
    at: datetime = START + timedelta(milliseconds=revision)
    return OrderNote(Order(order_id, **fields), shown, at, revision, "STREAM", revision)


def transfer(transfer_id: str | None = "t", **given: Any) -> Transfer:
    row = Transfer(transfer_id, "DEPOSIT", D("10.50"), "USDC", "a", None, ADDRESS, 0, at_height(5), 5, "hash")
    return replace(row, **given)


def payment(height: int = 1, **given: Any) -> FundingPayment:
    row = FundingPayment(0, "BTC-USD", D("-0.10"), D("1E-7"), D("0.5"), D(64_000), at_height(height), height)
    return replace(row, **given)


def reward(height: int = 1) -> Reward:
    return Reward(D("0.000000000000000001"), at_height(height), height)


def life(number: int = 1, **given: Any) -> PositionLife:
    row = PositionLife(
        subaccount=0,
        market="BTC-USD",
        opened_by=f"f{number}",
        side="LONG",
        opened_at=at_height(number),
        opened_height=number,
        closed_at=None,
        closed_height=None,
        max_size=D("0.5"),
        entry_price=D("64000.10"),
        exit_price=None,
        realized=D("-0"),
        fees=D("0.32"),
        funding=None,
        fills=1,
        is_complete=True,
    )
    return replace(row, **given)


def intent(intent_id: str = "i", payload: str = '{"side":"BUY"}') -> Intent:
    return Intent(intent_id, START, "PLACE", payload)


def step(number: int = 1, state: IntentState = IntentState.SIGNED, intent_id: str = "i", **given: Any) -> IntentStep:
    return IntentStep(intent_id, number, state, START + timedelta(milliseconds=number), **given)

"""The history as a screen asks for it, through the desk of a running engine: first page, deep page, count, filters.

usage: python -m benchmarks.history [--orders N]
"""

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from dydx_console.domain.order import Order
from dydx_console.engine.history import Desk, HistoryKeeper
from dydx_console.journal.reader import JournalReader, open_reader
from dydx_console.journal.writer import Journal, open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.history import HistoryDesk
from dydx_console.ports.journal import History, HistoryPort, HistoryQuery, JournalId, OrderNote, PageMark

IDENTITY = JournalId("sim", "dydx-sim-1", "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf")
START = datetime(2026, 1, 1, tzinfo=UTC)
BUDGET_FIRST_MS = 200
MARKETS = tuple(f"M{number:02}-USD" for number in range(40))
SHOWN = ("FILLED", "CANCELLED", "EXPIRED", "CANCELLED", "OPEN")
ANSWER_S = 60.0

Question = Callable[[HistoryPort], Coroutine[Any, Any, Any]]


def note(number: int) -> OrderNote:
    at = START + timedelta(seconds=number * 7)
    order = Order(
        id=f"{number * 2_654_435_761 % 2**32:08x}-0000-5000-8000-{number:012x}",
        subaccount=number % 3 * 128,
        client_id=str(number),
        market=MARKETS[number * 7 % len(MARKETS)],
        side="BUY" if number % 2 else "SELL",
        type="LIMIT",
        price=Decimal(64_000 + number % 97),
        size=Decimal("0.0010"),
        total_filled=Decimal("0.0010"),
        status="FILLED",
        good_til_block=number,
        created_at=at,
        created_at_height=number,
        updated_at=at,
        updated_at_height=number,
        filled=Decimal("0.0010"),
    )
    return OrderNote(order, SHOWN[number % len(SHOWN)], at, number, "HISTORY", 0)


async def fill(root: Path, orders: int) -> None:
    """Write a journal of so many orders."""
    journal: Journal = await open_journal(root, IDENTITY, SystemClock())
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(journal.run())
        for first in range(0, orders, 5_000):
            journal.write(note(number) for number in range(first, min(first + 5_000, orders)))
            await journal.flush()
        running.cancel()
    await journal.close()


class Served:
    """A desk over a journal, on a loop in a thread of its own, as an engine has it."""

    def __init__(self, reader: JournalReader) -> None:
        self.handlers: dict[str, Any] = {}
        self._reader = reader
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._keeper: HistoryKeeper | None = None
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self.desk: HistoryDesk = Desk(lambda: (self._loop, self._keeper))

    def __enter__(self) -> HistoryDesk:
        self._thread.start()
        self._ready.wait()
        return self.desk

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    @property
    def history(self) -> HistoryPort:
        return self._reader

    async def recovered(self) -> None:
        return

    async def _run(self) -> None:
        from dydx_console.state.console import Watched

        owner: Any = self
        rest: Any = None
        async with asyncio.TaskGroup() as tasks:
            keeper = HistoryKeeper(owner, rest, Watched(IDENTITY.address), clock=SystemClock())
            running = tasks.create_task(keeper.run())
            await asyncio.sleep(0)
            self._keeper = keeper
            self._ready.set()
            await self._stop.wait()
            running.cancel()
        await self._reader.close()


def measured(desk: HistoryDesk, name: str, question: Question, budget_ms: float | None = None) -> Any:
    began = time.perf_counter()
    answer = desk.ask(question).result(ANSWER_S)
    took = (time.perf_counter() - began) * 1000
    limit = "" if budget_ms is None else f"   (budget {budget_ms:g} ms)"
    print(f"{name:<44} {took:8.1f} ms{limit}")
    return answer


def plans(path: Path) -> None:
    """Print which of the questions walk an index."""
    import sqlite3

    questions = {
        "all, newest first": "SELECT * FROM orders ORDER BY placed_at DESC, id DESC LIMIT 51",
        "a market": "SELECT * FROM orders WHERE market IN ('M01-USD') ORDER BY placed_at DESC, id DESC LIMIT 51",
        "a status": "SELECT * FROM orders WHERE shown IN ('OPEN') ORDER BY placed_at DESC, id DESC LIMIT 51",
        "its fills": "SELECT * FROM fills WHERE order_id = 'x' ORDER BY created_at DESC, id DESC LIMIT 51",
    }
    with closing(sqlite3.connect(path)) as connection:
        for name, question in questions.items():
            steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}")]
            print(f"  {name:<20} {'; '.join(steps)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        from dydx_console.journal.files import Place

        root, place = Path(folder), Place(Path(folder), IDENTITY)
        asyncio.run(fill(root, options.orders))
        print(f"{options.orders:,} orders")
        plans(place.path(1))
        with Served(open_reader(place)) as desk:
            ask(desk, options.orders)


def ask(desk: HistoryDesk, orders: int) -> None:
    middle = START + timedelta(seconds=orders // 2 * 7)
    measured(desk, "first page, the journal opened with it", lambda h: h.orders(HistoryQuery()), BUDGET_FIRST_MS)
    measured(desk, "first page again", lambda h: h.orders(HistoryQuery()))
    measured(desk, "a page in the middle", lambda h: h.orders(HistoryQuery(after=PageMark(middle, ""))))
    measured(desk, "the last page, oldest first", lambda h: h.orders(HistoryQuery(oldest_first=True)))
    measured(desk, "count of all", lambda h: h.count(History.ORDERS, HistoryQuery()))
    filters = {
        "market": HistoryQuery(markets=("M01-USD",)),
        "status": HistoryQuery(statuses=("OPEN",)),
        "three statuses": HistoryQuery(statuses=("FILLED", "CANCELLED", "EXPIRED")),
        "market, side and status": HistoryQuery(markets=("M01-USD",), sides=("BUY",), statuses=("FILLED",)),
        "a day": HistoryQuery(since=middle, until=middle + timedelta(days=1)),
        "text found often": HistoryQuery(text="m01"),
        "text found never": HistoryQuery(text="nowhere"),
    }
    for name, query in filters.items():
        measured(desk, f"page by {name}", lambda h, query=query: h.orders(query))  # type: ignore[misc]
        measured(desk, f"count by {name}", lambda h, query=query: h.count(History.ORDERS, query))  # type: ignore[misc]


if __name__ == "__main__":
    main()

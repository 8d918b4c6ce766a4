"""A desk over a real journal: questions are answered by an event loop in a thread of its own, as the engine does it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from tui.history_help import booked, hop, record

from dydx_console.journal.reader import JournalReader
from dydx_console.journal.writer import open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.history import NO_PROGRESS, HistoryProgress
from dydx_console.ports.journal import HistoryPort, JournalFact, JournalId, OrderNote

ME = JournalId("testnet", "dydx-testnet-4", "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf")


class ThreadDesk:
    """A `HistoryDesk` over a journal file; it fetches nothing."""

    progress: HistoryProgress = NO_PROGRESS

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._history = JournalReader(path)
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def fetch(self) -> None:
        raise AssertionError("there is no venue")

    def interrupt(self) -> None:
        raise AssertionError("there is no venue")

    def ask(self, question: Callable[[HistoryPort], Coroutine[Any, Any, Any]]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(question(self._history), self._loop)


def past(orders: int) -> list[JournalFact]:
    """Return orders of so many hours, each third with a fill."""
    found: list[JournalFact] = []
    for number in range(orders):
        row = record(number)
        standing = hop(row.placed_at, row.shown or "")
        found.append(OrderNote(row.order, row.shown, standing.at, standing.height, "STREAM", orders - number))
        if number % 3 == 0:
            found.append(booked(number, order_id=row.order.id, market="BTC-USD").fill)
    return found


async def fill_journal(folder: Path, facts: list[JournalFact]) -> None:
    """Write facts into a new journal, and close it."""
    journal = await open_journal(folder, ME, SystemClock())
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(journal.run())
            journal.write(facts)
            await journal.flush()
            running.cancel()
    finally:
        await journal.close()

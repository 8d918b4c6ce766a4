"""The History screen over a long journal, in a real pty: key → first rows, deep pages, filters.

usage: python -m benchmarks.history_screen [--orders 100000] [--size 160x50] [--rounds 5]

The real program runs in a pseudo-terminal against a venue of this process, on a journal that holds so many orders of
one market that nothing else names. Each time is from the key until the row that answers it leaves the program.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.screen import Terminal, _free_port, _started
from benchmarks.venue import ADDRESS, ORDERS, LoadVenue
from dydx_console.domain.order import Order
from dydx_console.journal.writer import open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.journal import JournalId, OrderNote

IDENTITY = JournalId("load", "localdydxprotocol", ADDRESS)
MARKET = "QQQ-USD"
BATCH = 5_000
BUDGET_MS = 200
GUARD_S = 0.5


def note(number: int, count: int, now: datetime) -> OrderNote:
    """Return an order of so many minutes ago; its price tells its number."""
    at = now - timedelta(minutes=count - number)
    order = Order(
        id=f"{number:08x}-0000-4000-8000-000000000000",
        subaccount=0,
        client_id=str(number),
        market=MARKET,
        side="SELL" if number % 2 else "BUY",
        type="LIMIT",
        flags="64",
        price=Decimal(1_000_000 + number),
        size=Decimal("0.001"),
        status="FILLED" if number % 3 else "CANCELED",
        created_at=at,
        updated_at=at,
        filled=Decimal("0.001") if number % 3 else Decimal(0),
    )
    return OrderNote(order, "FILLED" if number % 3 else "CANCELLED", at, None, "REST", number + 1)


async def fill_journal(folder: Path, count: int) -> None:
    """Write the orders."""
    now = datetime.now(UTC)
    journal = await open_journal(folder, IDENTITY, SystemClock())
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(journal.run())
            for first in range(0, count, BATCH):
                journal.write(note(number, count, now) for number in range(first, min(first + BATCH, count)))
                await journal.flush()
            running.cancel()
    finally:
        await journal.close()


def timed(terminal: Terminal, keys: str, wanted: str) -> float:
    """Type, and return the milliseconds until a text has left the program."""
    terminal.forget()
    began = time.monotonic()
    terminal.type(keys)
    seen_at = terminal.wait_for(wanted, 10.0)
    return float("inf") if seen_at is None else (seen_at - began) * 1e3


def rounds(terminal: Terminal, orders: int, count: int) -> dict[str, list[float]]:
    """Open the screen, walk, filter and close it, again and again."""

    def price(number: int) -> str:
        return f"{1_000_000 + number:,}"

    found: dict[str, list[float]] = {}
    last = (orders + ORDERS - 1) % 50
    for _ in range(count):
        steps = (
            ("H → first rows", "H", price(orders - 1)),
            ("n → next page", "n", price(orders - 20)),
            ("G → the journal's first page", "G", price(0)),
            ("p → the page before", "p", price(last + 40)),
            ("g → first page", "g", price(orders - 1)),
            ("2 → another tab", "2", "no fills"),
            ("1 → back", "1", price(orders - 1)),
        )
        for name, keys, wanted in steps:
            found.setdefault(name, []).append(timed(terminal, keys, wanted))
            time.sleep(GUARD_S)
        terminal.type("f")
        time.sleep(GUARD_S)
        found.setdefault("filter by status, counted", []).append(
            timed(terminal, "status:cancelled", "status:CANCELLED")
        )
        terminal.type("\x1b")
        time.sleep(GUARD_S)
        terminal.type("/")
        time.sleep(GUARD_S)
        wanted = f"{orders // 2:08x}"
        found.setdefault("text of one order", []).append(timed(terminal, wanted, price(orders // 2)))
        terminal.type("\x1b")
        time.sleep(GUARD_S)
        terminal.type("q")
        time.sleep(GUARD_S)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--size", default="160x50")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    columns, rows = (int(part) for part in options.size.split("x"))
    venue = LoadVenue(0)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / ".local" / "state" / "dydx-console" / "journal"
        asyncio.run(fill_journal(folder, options.orders))
        terminal = _started(venue, (columns, rows), home, _free_port())
        try:
            found = rounds(terminal, options.orders, options.rounds)
            memory = terminal.resident_mb()
        finally:
            terminal.end()
            venue.close()
    print(
        f"{options.orders:,} orders in the journal, pty {options.size}, {options.rounds} rounds; budget {BUDGET_MS} ms"
    )
    for name, values in found.items():
        print(f"  {name:<32} median {statistics.median(values):7.1f} ms   most {max(values):7.1f} ms")
    print(f"  resident {memory:.0f} MB")


if __name__ == "__main__":
    main()

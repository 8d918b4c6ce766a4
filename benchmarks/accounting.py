"""Accounting: all fills from cold, one fill more at 100 and at all of them known, and the memory that it keeps; with
`--journal` the same fills through the journal: written, derived (bookings and lives), and read back by a start.

usage: python -m benchmarks.accounting [--fills N] [--journal]
"""

import argparse
import asyncio
import random
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.engine.bookkeeping import Bookkeeper
from dydx_console.engine.recover import recall, resume
from dydx_console.journal.writer import open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.journal import JournalId
from dydx_console.state.accounting import Book
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.fills import Fills
from dydx_console.state.ledgers import Ledgers

KEY = PositionKey(0, "BTC-USD")
START = datetime(2026, 11, 21, tzinfo=UTC)
FEW = 100
ADDED = 500
CHUNK = 10_000
BUDGET_GROWTH = 1.2
PARTS = 4
WATCHED = Watched("dydx1benchmark")
IDENTITY = JournalId("here", "chain-1", WATCHED.address)


def fills(first: int, count: int) -> Iterator[Fill]:
    """Yield fills of one market, ten to a block, whose position goes through zero now and then."""
    rng = random.Random(first)
    for number in range(first, first + count):
        height = number // 10
        yield Fill(
            id=f"fill-{number:09}",
            subaccount=0,
            market="BTC-USD",
            side=rng.choice(("BUY", "SELL")),
            liquidity="TAKER",
            type="LIMIT",
            price=Decimal(640_000 + rng.randint(-999, 999)).scaleb(-1),
            size=Decimal(rng.randint(1, 500)).scaleb(-4),
            fee=Decimal(rng.randint(-99, 999)).scaleb(-6),
            height=height,
            created_at=START + timedelta(seconds=height),
            order_id=f"order-{number // 3:09}",
            event_id=f"{height:08x}{number:016x}",
        )


def from_cold(count: int) -> tuple[float, float, int]:
    """Return the seconds that `count` fills took, those of the same run's floor (one product a fill), and the lives."""
    book, ended, took, floor = Book(KEY), 0, 0.0, 0.0
    for first in range(0, count, CHUNK):
        made = list(fills(first, min(CHUNK, count - first)))
        began = time.perf_counter()
        moved = sum((fill.price * fill.size for fill in made), start=Decimal(0))
        between = time.perf_counter()
        ended += len(book.take_all(made))
        took += time.perf_counter() - between
        floor += between - began
        if not moved:
            raise RuntimeError("nothing was made")
    return took, floor, ended


def one_more(known: int) -> float:
    """Return the microseconds that a fill takes to be merged and booked where `known` are known."""
    kept = Fills()
    ledgers = Ledgers(kept)
    kept.take(fills(0, known))
    ledgers.of(KEY)
    more = list(fills(known, ADDED))
    best = float("inf")
    for part in range(5):
        chunk = more[part * ADDED // 5 : (part + 1) * ADDED // 5]
        began = time.perf_counter()
        for fill in chunk:
            ledgers.forget(kept.take((fill,))[1])
            ledgers.of(KEY)
        best = min(best, (time.perf_counter() - began) / len(chunk))
    return best * 1e6


def kept_bytes(count: int) -> int:
    """Return the bytes that the books hold after `count` fills were streamed through them."""
    tracemalloc.start()
    book = Book(KEY)
    for fill in fills(0, count):
        book.take(fill)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held


async def through_journal(count: int) -> None:
    """Write fills, derive what is kept of them, and start anew; print times and the memory at each quarter."""
    with tempfile.TemporaryDirectory() as root:
        journal = await open_journal(Path(root), IDENTITY, SystemClock())
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(journal.run())
            keeper = Bookkeeper(journal, journal.history, SystemClock())
            for part in range(PARTS):
                began = time.perf_counter()
                for first in range(part * count // PARTS, (part + 1) * count // PARTS, CHUNK):
                    journal.write(fills(first, min(CHUNK, (part + 1) * count // PARTS - first)))
                    await journal.flush()
                written = time.perf_counter()
                await keeper.catch_up()
                derived = time.perf_counter()
                each = PARTS / count * 1e6
                print(
                    f"{(part + 1) * count // PARTS:10,} fills: {(written - began) * each:6.1f} µs to write, "
                    f"{(derived - written) * each:6.1f} µs to derive, {resident_mb():5.0f} MB resident",
                    flush=True,
                )
            task.cancel()
        cursors = await journal.cursors()
        began = time.perf_counter()
        known = await recall(journal.history, cursors, WATCHED)
        state = ConsoleState(WATCHED)
        resume(state, known, WATCHED)
        state.apply(known.event(WATCHED.address, 0.0))
        ledger = state.ledger(KEY)
        took = time.perf_counter() - began
        print(
            f"a start with {len(state.fills):,} fills, {state.fills.held:,} of them held: {took:5.2f} s, "
            f"{resident_mb():5.0f} MB resident, net size {ledger.net_size}"
        )
        await journal.close()


def resident_mb() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what accounting costs")
    parser.add_argument("--fills", type=int, default=100_000, help="how many fills (1000000 is the size to prove)")
    parser.add_argument("--journal", action="store_true", help="through the journal")
    options = parser.parse_args()
    count = max(options.fills, 1_000)
    if options.journal:
        asyncio.run(through_journal(count))
        return
    took, floor, ended = from_cold(count)
    print(f"{count:,} fills from cold: {took:6.2f} s ({took / count * 1e6:.2f} µs a fill, {ended:,} lives ended)")
    print(f"{'':22} {took / floor:6.2f} × a product a fill ({floor:.2f} s)")
    few, many = one_more(FEW), one_more(count)
    verdict = "ok" if many <= BUDGET_GROWTH * few else "OVER"
    print(f"one fill more: {few:6.1f} µs at {FEW} known, {many:6.1f} µs at {count:,} ({many / few:.2f} ×: {verdict})")
    small, large = kept_bytes(1_000), kept_bytes(count // 10)
    print(f"books streamed: {small / 1024:6.1f} KiB after 1,000 fills, {large / 1024:6.1f} KiB after {count // 10:,}")


if __name__ == "__main__":
    main()

"""The journal: what a stream of facts costs the engine's thread, how long an intent waits, how fast history opens.

usage: python -m benchmarks.journal [--seconds N] [--rate N] [--orders N]
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from dydx_console.domain.fill import Fill
from dydx_console.domain.order import Order
from dydx_console.journal.writer import Journal, open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.journal import HistoryQuery, Intent, JournalFact, JournalId, OrderNote

IDENTITY = JournalId("sim", "dydx-sim-1", "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf")
START = datetime(2026, 11, 21, tzinfo=UTC)
TICK_S = 0.025
BUDGET_SHARE = 0.05
BUDGET_PAGE_MS = 200


def facts(first: int, count: int) -> Iterator[JournalFact]:
    """Yield fills and notes of their orders, half of each."""
    for number in range(first, first + count):
        at = START + timedelta(milliseconds=number)
        order_id = f"order-{number // 2:09}"
        yield _fill(number, at, order_id) if number % 2 else _note(number, at, order_id)


def _fill(number: int, at: datetime, order_id: str) -> Fill:
    return Fill(
        id=f"fill-{number:09}",
        subaccount=0,
        market="BTC-USD",
        side="BUY",
        liquidity="TAKER",
        type="LIMIT",
        price=Decimal(64_000 + number % 97),
        size=Decimal("0.0010"),
        fee=Decimal("0.032"),
        height=number // 40,
        created_at=at,
        order_id=order_id,
        transaction_hash="AB" * 32,
        event_id=f"{number:024x}",
    )


def _note(number: int, at: datetime, order_id: str) -> OrderNote:
    order = Order(
        id=order_id,
        subaccount=0,
        client_id=str(number),
        market="BTC-USD",
        side="BUY",
        type="LIMIT",
        price=Decimal(64_000 + number % 97),
        size=Decimal("0.0010"),
        status="OPEN",
        good_til_block=number,
        updated_at=at,
        updated_at_height=number // 40,
    )
    return OrderNote(order, "OPEN", at, number // 40, "STREAM", number)


async def stream(journal: Journal, rate: int, seconds: float) -> tuple[float, float, float]:
    """Write at a rate; returns the share of a core that this thread, and the whole process, spent, and the seconds."""
    each = int(rate * TICK_S)
    batches = [tuple(facts(first, each)) for first in range(0, int(rate * seconds), each)]
    began, thread, process = time.monotonic(), time.thread_time(), time.process_time()
    for number, batch in enumerate(batches):
        journal.write(batch)
        await asyncio.sleep(max(began + (number + 1) * TICK_S - time.monotonic(), 0))
    await journal.flush()
    elapsed = time.monotonic() - began
    return (time.thread_time() - thread) / elapsed, (time.process_time() - process) / elapsed, elapsed


async def intents(journal: Journal, count: int) -> list[float]:
    """Return how many milliseconds each of `count` intents waited for the disk."""
    waited = []
    for number in range(count):
        began = time.perf_counter()
        await journal.record(Intent(f"intent-{number}", START, "PLACE", '{"side":"BUY","size":"0.1"}'))
        waited.append((time.perf_counter() - began) * 1000)
    return sorted(waited)


async def _measure(root: Path, rate: int, seconds: float, orders: int) -> None:
    clock = SystemClock()
    journal = await open_journal(root, IDENTITY, clock)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(journal.run())
        share, whole, _ = await stream(journal, rate, seconds)
        verdict = "ok" if share <= BUDGET_SHARE else "OVER"
        print(f"{rate} facts/s: engine's thread {share:7.2%} of a core (budget {BUDGET_SHARE:.0%}: {verdict})")
        print(f"{'':14} whole process  {whole:7.2%}")
        waited = await intents(journal, 200)
        print(f"an intent on the disk: p50 {waited[100]:.2f} ms  p99 {waited[198]:.2f} ms")
        began = time.perf_counter()
        for first in range(0, orders * 2, 20_000):
            journal.write(facts(first, 20_000))
            await journal.flush()
        took = time.perf_counter() - began
        print(f"{orders} orders and as many fills: {orders * 2 / took:,.0f} facts/s as fast as they go")
        task.cancel()
    await journal.close()
    size = journal.recovery.path.stat().st_size / 1e6
    began = time.perf_counter()
    journal = await open_journal(root, IDENTITY, clock)
    print(f"open and check a journal of {size:.0f} MB: {(time.perf_counter() - began) * 1000:.0f} ms")
    queries = {
        "first rows of the orders": HistoryQuery(),
        "of one status": HistoryQuery(statuses=("OPEN",)),
        "of a status that none has": HistoryQuery(statuses=("EXPIRED",)),
        "with a text that none has": HistoryQuery(text="nothing"),
        "a year ago": HistoryQuery(until=START - timedelta(days=365)),
    }
    for name, query in queries.items():
        began = time.perf_counter()
        await journal.history.orders(query)
        print(f"{name:28} {(time.perf_counter() - began) * 1000:7.1f} ms (budget of the first: {BUDGET_PAGE_MS} ms)")
    await journal.close()


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--orders", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(_measure(Path(root), given.rate, given.seconds, given.orders))


if __name__ == "__main__":
    main()

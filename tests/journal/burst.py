"""A process that writes fills into a journal and says how many are committed, to be killed at any moment.

usage: python -m tests.journal.burst ROOT COUNT [--die]

It goes on from the cursor, less an overlap. Each line of its output is the number of fills that are committed. With
all written it waits for the end of its standard input; with --die it kills itself instead, without closing anything.
"""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from dydx_console.domain.fill import Fill
from dydx_console.journal.writer import JournalLimits, open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.journal import Cursor, JournalId

IDENTITY = JournalId("testnet", "dydx-testnet-4", "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf")
START = datetime(2026, 11, 21, tzinfo=UTC)
OVERLAP = 200
BATCH = 20


def burst_fill(number: int) -> Fill:
    """Return the fill of a number, always the same."""
    return Fill(
        id=f"fill-{number:08}",
        subaccount=0,
        market="BTC-USD",
        side="BUY" if number % 2 else "SELL",
        liquidity="TAKER",
        type="LIMIT",
        price=Decimal(64_000) + number,
        size=Decimal("0.0010") * (number % 7 + 1),
        fee=Decimal("0.032"),
        height=number // 4,
        created_at=START + timedelta(seconds=number // 4),
    )


async def _write(root: Path, count: int) -> None:
    journal = await open_journal(root, IDENTITY, SystemClock(), limits=JournalLimits(commit_s=0.001))
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(journal.run())
        cursor = (await journal.cursors()).get("fills")
        first = max((cursor.read or 0) - OVERLAP, 0) if cursor is not None else 0
        print("open", flush=True)
        for begin in range(first, count, BATCH):
            end = min(begin + BATCH, count)
            journal.write(map(burst_fill, range(begin, end)))
            journal.write([Cursor("fills", START, read=end, total=count)])
            if begin // BATCH % 5 == 4 or end == count:
                await journal.flush()
                print(end, flush=True)
        if "--die" in sys.argv:
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.to_thread(sys.stdin.read)
        task.cancel()
    await journal.close()


if __name__ == "__main__":
    asyncio.run(_write(Path(sys.argv[1]), int(sys.argv[2])))

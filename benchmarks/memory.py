"""Resident memory of the console by what its account holds, in a real pty.

usage: python -m benchmarks.memory [--holdings 0x0,10000x500] [--rate 200] [--seconds 30]

The real program runs in a pseudo-terminal against an embedded exchange whose account has so many fills and open orders,
while so many messages a second come. Memory is read when the start is over, and again at the end. Budget: 150 MB with
10,000 fills and 500 open orders.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.screen import Terminal

BUDGET_MB = 150
BLOCK_MS = 1_000
SERVED_BLOCK_MS = 20_000
TRADES_A_BLOCK = 300
ORDERS_A_BLOCK = 250
START_S = 60.0
SETTLE_S = 12.0


async def _serve(fills: int, orders: int, rate: int) -> None:
    """Let the account trade in blocks that pass at once, then serve until the input ends."""
    from benchmarks.busy import BusyVenue, Hand
    from dydx_console.sim.shell.server import running, wall_ms
    from dydx_console.sim.venue import VenueOptions

    options = VenueOptions(trader=False, history_hours=0, block_ms=BLOCK_MS, rate_limits=False)
    blocks = fills // TRADES_A_BLOCK + orders // ORDERS_A_BLOCK + 3
    venue = BusyVenue(options, wall_ms() - blocks * BLOCK_MS, rate)
    hand = Hand(venue, lambda tx: venue.submit(tx, venue.exchange.time_ms))
    traded = rested = 0
    while traded < fills or rested < orders:
        venue.advance(venue.exchange.next_block_ms)
        for _ in range(min(TRADES_A_BLOCK, fills - traded)):
            traded += hand.take(-1 if hand.position > 0 else 1)
        for _ in range(min(ORDERS_A_BLOCK, orders - rested) if traded == fills else 0):
            rested += 1
            hand.rest(200 + rested)
    venue.exchange.block_ms = SERVED_BLOCK_MS
    async with running(options, venue=venue) as served:
        print(json.dumps(served.facts()), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def _venue(fills: int, orders: int, rate: int) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-m", "benchmarks.memory", "--exchange", f"{fills},{orders},{rate}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise SystemExit("no exchange")
        yield json.loads(process.stdout.readline())
        process.kill()


def _measured(venue: dict[str, str], fills: int, orders: int, seconds: float) -> tuple[float, float]:
    """Return resident megabytes after the start and so many seconds later."""
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "config.toml"
        config.write_text(
            f'network = "here"\naddress = "{venue["account"]}"\n[log]\nfile = "{home}/log"\n[networks.here]\n'
            f'chain_id = "{venue["chain_id"]}"\nindexer_rest = "{venue["rest"]}"\n'
            f'indexer_websocket = "{venue["websocket"]}"\nnodes = ["{venue["grpc"]}"]\n'
        )
        config.chmod(0o600)
        command = [sys.executable, "-m", "dydx_console", "run", "--config", str(config)]
        terminal = Terminal(command, (160, 60), home)
        try:
            for wanted in (f"{fills:,} known", f"{orders} working"):
                if terminal.wait_for(wanted, START_S) is None:
                    raise SystemExit(f"the console did not come to show {wanted!r}")
            time.sleep(SETTLE_S)
            first = terminal.resident_mb()
            time.sleep(seconds)
            return first, terminal.resident_mb()
        finally:
            terminal.end()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--holdings", default="0x0,10000x500")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--exchange", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.exchange:
        asyncio.run(_serve(*(int(part) for part in options.exchange.split(","))))
        return
    print(f"resident memory, real pty 160x60, {options.rate} messages/s")
    print(f"   fills  orders   after the start   {options.seconds:.0f} s later", flush=True)
    for holding in options.holdings.split(","):
        fills, orders = (int(part) for part in holding.split("x"))
        with _venue(fills, orders, options.rate) as venue:
            first, last = _measured(venue, fills, orders, options.seconds)
        print(f"  {fills:6,} {orders:7,} {first:14.0f} MB {last:9.0f} MB", flush=True)
    print(f"budget: {BUDGET_MB} MB with 10,000 fills and 500 open orders")


if __name__ == "__main__":
    main()

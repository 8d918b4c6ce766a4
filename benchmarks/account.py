"""Account change at the venue → its row on the screen, in a real pty.

usage: python -m benchmarks.account [--rates 0,500] [--changes 100] [--size 160x50]

The real program runs in a pseudo-terminal against an embedded exchange, which sends that many messages a second besides
its own. The account trades, which ends when the position's new size leaves the program for the Positions pane; and an
order is left in the book, which ends when its price leaves the program for the Orders pane. Both begin when the
exchange publishes the change, before anything is sent. Budget on loopback: p99 ≤ 100 ms, all changes together.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.busy import BusyVenue, Hand
from benchmarks.screen import SETTLE_S, Terminal
from dydx_console.sim.shell.server import Served, running, wall_ms
from dydx_console.sim.venue import VenueOptions

if TYPE_CHECKING:
    from dydx_console.sim.indexer.rows import Message

BUDGET_MS = 100.0
LOST_MS = 2_000.0
BLOCK_MS = 400
FIRST_TICKS = 400
LIFE = 2
ORDER_PAUSE_S = 0.4
"""Few orders work at a time, so that the newest is in sight without scrolling."""
ADDRESS = VenueOptions().account


class Exchange:
    """An exchange in a thread of its own, whose publications are stamped."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._started: Future[tuple[Served, Hand]] = Future()
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._wanted = ""
        self._last: tuple[float, str] | None = None
        self._published: Future[tuple[float, str]] = Future()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        self.served, self._hand = self._started.result(30)
        self._ticks = FIRST_TICKS

    async def _serve(self) -> None:
        options = VenueOptions(trader=False, history_hours=0, block_ms=BLOCK_MS)
        venue = BusyVenue(options, wall_ms(), self._rate)
        venue.sink = self._heard
        async with running(options, venue=venue, grpc_port=None) as served:
            self._started.set_result((served, Hand(venue, served.submit)))
            await self._stop.wait()

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def order(self) -> tuple[float, str]:
        """Leave an order in the book; returns when that was published, and its price."""
        return self._done("orders", self._rest)

    def trade(self, size: int) -> tuple[float, str]:
        """Trade so many of the smallest sizes, a sale below 0; returns when the position was published, and its size.

        Where makers share the trade, it is the last part's.
        """
        return self._done("perpetualPositions", lambda: self._hand.take(size))

    def _rest(self) -> None:
        self._ticks += 3
        self._hand.rest(self._ticks, LIFE)

    def _done(self, wanted: str, change: Callable[[], object]) -> tuple[float, str]:
        async def begin() -> None:
            self._wanted, self._published = wanted, Future()
            change()

        asyncio.run_coroutine_threadsafe(begin(), self._loop).result(10)
        return self._published.result(10)

    def _heard(self, message: Message) -> None:
        rows = message.contents.get(self._wanted) if self._wanted else None
        if not isinstance(rows, list) or message.address != ADDRESS:
            return
        row = rows[0]
        if self._wanted == "orders" and row.get("status") != "BEST_EFFORT_OPENED":
            return
        market = self._hand.market
        name, step = ("price", market.tick_size) if self._wanted == "orders" else ("size", market.step_size)
        if self._last is None:
            self._loop.call_soon(self._tell)
        self._last = time.monotonic(), f"{abs(Decimal(row[name])).quantize(step.normalize()):,f}"

    def _tell(self) -> None:
        last, self._last, self._wanted = self._last, None, ""
        if last is not None:
            self._published.set_result(last)


def _started(exchange: Exchange, size: tuple[int, int], home: str) -> Terminal:
    served, config = exchange.served, Path(home) / "config.toml"
    config.write_text(
        f'network = "here"\naddress = "{ADDRESS}"\n[ui]\nbell = false\n[log]\nfile = "{home}/log"\n'
        f'[networks.here]\nchain_id = "{served.venue.options.chain_id}"\nindexer_rest = "{served.rest_url}"\n'
        f'indexer_websocket = "{served.websocket_url}"\n'
    )
    config.chmod(0o600)
    command = [sys.executable, "-m", "dydx_console", "run", "--config", str(config)]
    terminal = Terminal(command, size, home)
    if terminal.wait_for("Balances", 15) is None:
        terminal.end()
        raise SystemExit("the console did not start")
    time.sleep(SETTLE_S)
    return terminal


def _measured(terminal: Terminal, exchange: Exchange, count: int) -> dict[str, list[float]]:
    exchange.trade(700)
    time.sleep(1.0)
    sizes = [(101 + number % 97) * (-1 if number % 2 else 1) for number in range(count)]
    trades = [_took_ms(terminal, place, partial(exchange.trade, size)) for place, size in enumerate(sizes)]
    orders = [_took_ms(terminal, place, exchange.order, pause_s=ORDER_PAUSE_S) for place in range(count)]
    return {"order": orders, "trade": trades}


def _took_ms(
    terminal: Terminal, number: int, change: Callable[[], tuple[float, str]], *, pause_s: float = 0.083
) -> float:
    """Return how long a change took to the screen, spread over the phases of its clocks."""
    time.sleep(pause_s + (number % 7) * 0.011)
    terminal.forget()
    published_at, text = change()
    seen_at = terminal.wait_for(text, LOST_MS / 1e3)
    return LOST_MS if seen_at is None else (seen_at - published_at) * 1e3


def _quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    p90, p99 = (ordered[min(int(len(ordered) * q), len(ordered) - 1)] for q in (0.90, 0.99))
    return f"{statistics.median(ordered):6.1f} {p90:6.1f} {p99:6.1f} {ordered[-1]:7.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rates", default="0,500")
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--size", default="160x50")
    options = parser.parse_args()
    columns, rows = (int(part) for part in options.size.split("x"))
    print(
        f"account change → its row, real pty {options.size}; milliseconds p50 p90 p99 worst, {options.changes} of each"
    )
    print("   sent/s   order → Orders pane              trade → Positions pane           both", flush=True)
    for rate in (int(part) for part in options.rates.split(",")):
        exchange = Exchange(rate)
        with tempfile.TemporaryDirectory() as home:
            terminal = _started(exchange, (columns, rows), home)
            try:
                found = _measured(terminal, exchange, options.changes)
            finally:
                terminal.end()
                exchange.close()
        both = [value for values in found.values() for value in values]
        parts = "   ".join(_quantiles(values) for values in (*found.values(), both))
        lost = sum(value >= LOST_MS for value in both)
        print(f"  {rate:7,}   {parts}" + (f"   {lost} not seen" if lost else ""), flush=True)
    print(f"budget: p99 of both ≤ {BUDGET_MS:.0f} ms")


if __name__ == "__main__":
    main()

"""A venue with its listeners on an asyncio loop: for the process and for tests.

async with running(VenueOptions(), rest_port=0, websocket_port=0) as served:
    served.rest_url, served.websocket_url, served.venue
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from dydx_console.sim.core.orders import Tx, TxAnswer
from dydx_console.sim.indexer.comlink import Answer, Request
from dydx_console.sim.shell.rest import listen, server
from dydx_console.sim.shell.websocket import WebSocketShell
from dydx_console.sim.venue import CHAIN_ID, Venue, VenueOptions

MAX_SLEEP_S = 0.25
SLEPT_BLOCKS = 60


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Served:
    """A running venue. `submit` is the door for transactions from the loop's own thread."""

    venue: Venue
    rest_url: str
    websocket_url: str
    run_id: str
    submit: Callable[[Tx], TxAnswer]

    def facts(self) -> dict[str, object]:
        """What the start line says."""
        options = self.venue.options
        return {
            "rest": self.rest_url,
            "websocket": self.websocket_url,
            "chain_id": CHAIN_ID,
            "run_id": self.run_id,
            "account": options.account,
            "parent_subaccount": 0,
            "seed": options.seed,
        }


class _Driver:
    """Turns the venue's clock with the wall's and wakes the sockets."""

    def __init__(self, venue: Venue, clock: Callable[[], int]) -> None:
        self.venue = venue
        self.clock = clock
        self._changed = asyncio.Event()
        self.websockets = WebSocketShell(venue.socks, self.now_ms, self.catch_up, self.changed)

    def now_ms(self) -> int:
        """The wall clock, never behind the chain."""
        return max(self.clock(), self.venue.exchange.time_ms)

    def catch_up(self) -> None:
        """Bring the venue to the present; after a sleep of the machine, without the blocks in between."""
        now_ms = self.now_ms()
        exchange = self.venue.exchange
        if now_ms - exchange.next_block_ms > SLEPT_BLOCKS * max(exchange.block_ms, 1_000):
            self.venue.skip_to(now_ms)
        self.venue.advance(now_ms)
        self.websockets.wake()

    def changed(self) -> None:
        """Something new may be due earlier than the timer thinks."""
        self._changed.set()

    def answer(self, request: Request) -> Answer:
        """REST."""
        self.catch_up()
        return self.venue.answer(request, self.now_ms())

    def submit(self, tx: Tx) -> TxAnswer:
        """A transaction from outside."""
        self.catch_up()
        answer = self.venue.submit(tx, self.now_ms())
        self.websockets.wake()
        self.changed()
        return answer

    async def run(self) -> None:
        """Sleep until something is due, do it, again."""
        while True:
            self.catch_up()
            wait_s = min(MAX_SLEEP_S, max(0.001, (self.venue.next_due_ms - self.now_ms()) / 1_000))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
            self._changed.clear()


@contextlib.asynccontextmanager
async def running(
    options: VenueOptions,
    *,
    rest_port: int = 0,
    websocket_port: int = 0,
    clock: Callable[[], int] = wall_ms,
    venue: Venue | None = None,
) -> AsyncIterator[Served]:
    """Serve a venue on loopback until the block is left. OSError when a port is taken."""
    with contextlib.ExitStack() as stack:
        rest_socket = stack.enter_context(contextlib.closing(listen(rest_port)))
        websocket_socket = stack.enter_context(contextlib.closing(listen(websocket_port)))
        driver = _Driver(venue or Venue(options, clock()), clock)
        rest = server(driver.answer)
        websockets = await driver.websockets.listen(websocket_socket)
        async with asyncio.TaskGroup() as tasks:
            timer = tasks.create_task(driver.run())
            serving = tasks.create_task(rest.serve([rest_socket]))
            try:
                await rest.ready.wait()
                yield Served(
                    driver.venue,
                    f"http://127.0.0.1:{_port(rest_socket)}",
                    f"ws://127.0.0.1:{_port(websocket_socket)}/v4/ws",
                    secrets.token_hex(8),
                    driver.submit,
                )
            finally:
                timer.cancel()
                driver.venue.socks.shut_down()
                driver.websockets.wake()
                await asyncio.sleep(0)
                websockets.close(code=1012, reason='{"message":"Service restarting"}')
                rest.should_exit = True
                await websockets.wait_closed()
                await serving


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])

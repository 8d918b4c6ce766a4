"""A venue with its listeners on an asyncio loop: for the process and for tests.

async with running(VenueOptions(), rest_port=0, websocket_port=0, grpc_port=0) as served:
    served.rest_url, served.websocket_url, served.grpc_url, served.venue
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from dydx_console.sim.core.orders import Tx, TxAnswer
from dydx_console.sim.faults.director import Note
from dydx_console.sim.faults.outcomes import Reset, Unanswered
from dydx_console.sim.indexer.comlink import Answer, Request
from dydx_console.sim.shell.rest import listen, server
from dydx_console.sim.shell.websocket import WebSocketShell
from dydx_console.sim.venue import Venue, VenueOptions

MAX_SLEEP_S = 0.25
RUN_ID_LENGTH = 6
SLEPT_BLOCKS = 60

log = logging.getLogger(__name__)


def wall_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def new_run_id() -> str:
    """Six characters (a–z, 2–7) that tell one run from the others; no seed has a part in it."""
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()[:RUN_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Served:
    """A running venue. `submit` is the door for transactions from the loop's own thread.

    `grpc_url` is None where the node was left out.
    """

    venue: Venue
    rest_url: str
    websocket_url: str
    grpc_url: str | None
    run_id: str
    submit: Callable[[Tx], TxAnswer]

    def facts(self) -> dict[str, object]:
        """What the start line says."""
        options = self.venue.options
        return {
            "rest": self.rest_url,
            "websocket": self.websocket_url,
            "grpc": self.grpc_url,
            "chain_id": options.chain_id,
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
        venue.director.told = _log_fault
        self.websockets = WebSocketShell(venue, self.now_ms, self.catch_up, self.changed)

    def now_ms(self) -> int:
        """The wall clock with the venue's error, never behind the chain."""
        return max(self.clock() + self.venue.faults.clock_skew_ms, self.venue.exchange.time_ms)

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

    def answer(self, request: Request) -> Answer | Unanswered | Reset:
        """REST."""
        self.catch_up()
        return self.venue.respond(request, self.now_ms())

    def submit(self, tx: Tx) -> TxAnswer:
        """A transaction from outside."""
        self.catch_up()
        answer = self.venue.submit(tx, self.now_ms())
        self.websockets.wake()
        self.changed()
        return answer

    def present(self) -> Venue:
        """The venue as it is now."""
        self.catch_up()
        return self.venue

    def shut_down(self) -> None:
        """End the faults, so that nobody waits for one, and tell every client that the service restarts."""
        self.venue.director.stop(self.now_ms())
        self.venue.socks.shut_down()
        self.websockets.wake()

    async def run(self) -> None:
        """Sleep until something is due, do it, again."""
        while True:
            self.catch_up()
            wait_s = min(MAX_SLEEP_S, max(0.001, (self.venue.next_due_ms - self.now_ms()) / 1_000))
            # not wait_for, which up to 3.11 loses a cancellation that comes together with the event
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            self._changed.clear()


@contextlib.asynccontextmanager
async def running(
    options: VenueOptions,
    *,
    rest_port: int = 0,
    websocket_port: int = 0,
    grpc_port: int | None = 0,
    run_id: str | None = None,
    clock: Callable[[], int] = wall_ms,
    venue: Venue | None = None,
) -> AsyncIterator[Served]:
    """Serve a venue on loopback until the block is left. OSError when a port is taken.

    `grpc_port` None leaves the node out, whose library takes a moment to load.
    """
    async with contextlib.AsyncExitStack() as stack:
        rest_socket = stack.enter_context(contextlib.closing(listen(rest_port)))
        websocket_socket = stack.enter_context(contextlib.closing(listen(websocket_port)))
        node = None
        if grpc_port is not None:
            from dydx_console.sim.shell.node import node_listener

            node = await stack.enter_async_context(node_listener(grpc_port))
        driver = _Driver(venue or Venue(options, clock() + options.faults.clock_skew_ms), clock)
        rest = server(driver.answer)
        websockets = await driver.websockets.listen(websocket_socket)
        if node is not None:
            await node.serve(driver.present, driver.changed)
        async with asyncio.TaskGroup() as tasks:
            timer = tasks.create_task(driver.run())
            serving = tasks.create_task(rest.serve([rest_socket]))
            try:
                await rest.ready.wait()
                yield Served(
                    driver.venue,
                    f"http://127.0.0.1:{_port(rest_socket)}",
                    f"ws://127.0.0.1:{_port(websocket_socket)}/v4/ws",
                    None if node is None else node.url,
                    run_id or new_run_id(),
                    driver.submit,
                )
            finally:
                timer.cancel()
                driver.shut_down()
                await asyncio.sleep(0)
                websockets.close(code=1012, reason='{"message":"Service restarting"}')
                rest.should_exit = True
                await websockets.wait_closed()
                await serving


def _log_fault(note: Note) -> None:
    log.info("%s", note)


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])

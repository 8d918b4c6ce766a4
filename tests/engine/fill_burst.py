"""An exchange in a thread of its own, on which the account's fills come in bursts, as many as are asked for at once.

Nobody else trades: each block strangers leave small orders at one price and the account takes them all, or the account
leaves one order and strangers take it piece by piece. Sizes and prices are drawn by a seed.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from decimal import Decimal
from random import Random
from typing import NamedTuple, TypeVar

from dydx_console.engine.child import SimUrls
from dydx_console.sim.actors.party import short_term
from dydx_console.sim.actors.takers import taker_owners
from dydx_console.sim.core.orders import Order, Place, Side, SubaccountId, TimeInForce
from dydx_console.sim.shell.server import Served, running
from dydx_console.sim.venue import VenueOptions

T = TypeVar("T")
BLOCK_MS = 100
A_BLOCK = 100
"""Fills of the account that a block brings while a burst goes on."""
LIFE = 5
MARKET = "BTC-USD"
START_S = 30.0


class Truth(NamedTuple):
    """What the exchange has committed: price and size of each fill by its id, and the signed position."""

    fills: Mapping[str, tuple[Decimal, Decimal]]
    position: Decimal


class BurstingExchange:
    """A running exchange; `close` ends it.

    Args:
        seed: of sizes and prices.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._wanted = 0
        self._client_id = 0
        self._started: Future[Served] = Future()
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(seed),), daemon=True)
        self._thread.start()
        self._served = self._started.result(START_S)
        options = self._served.venue.options
        self.urls = SimUrls(
            self._served.rest_url,
            self._served.websocket_url,
            options.chain_id,
            options.account,
            str(self._served.grpc_url),
        )

    def burst(self, fills: int) -> None:
        """Have so many more fills come, from the next block on."""
        self._done(lambda: self._want(fills))

    def truth(self) -> tuple[Truth, bool]:
        """Return what is committed, and whether that is all which was asked for."""
        return self._done(lambda: (self._committed(), self._is_quiet()))

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, seed: int) -> None:
        options = VenueOptions(seed=seed, trader=False, makers=False, history_hours=0, block_ms=BLOCK_MS)
        async with running(options) as served, asyncio.TaskGroup() as tasks:
            self._started.set_result(served)
            playing = tasks.create_task(self._play(served))
            await self._stop.wait()
            playing.cancel()

    async def _play(self, served: Served) -> None:
        height = served.venue.exchange.height
        while True:
            await asyncio.sleep(BLOCK_MS / 4_000)
            if self._wanted and served.venue.exchange.height > height:
                height = served.venue.exchange.height
                count = min(self._wanted, A_BLOCK)
                self._wanted -= count
                self._trade(served, count)

    def _trade(self, served: Served, count: int) -> None:
        exchange, draw = served.venue.exchange, self._random
        market = exchange.market(MARKET)
        ticks = market.oracle_subticks(exchange.oracle_value(market)) // market.subticks_per_tick
        subticks = (ticks + draw.randrange(-50, 51)) * market.subticks_per_tick
        side = draw.choice((Side.BUY, Side.SELL))
        sizes = [draw.randrange(1, 10) for _ in range(count)]
        account, stranger = (SubaccountId(owner, 0) for owner in (served.venue.options.account, taker_owners()[0]))

        def place(who: SubaccountId, which: Side, size: int, kind: TimeInForce) -> None:
            self._client_id += 1
            order = Order(
                short_term(who, market, self._client_id),
                which,
                size * market.step_base_quantums,
                subticks,
                good_til_block=exchange.height + LIFE,
                time_in_force=kind,
            )
            answer = served.submit(Place(order))
            if not answer.ok:
                raise RuntimeError(f"the exchange refused an order: {answer}")

        if draw.random() < 0.5:
            for size in sizes:
                place(stranger, side.opposite, size, TimeInForce.UNSPECIFIED)
            place(account, side, sum(sizes), TimeInForce.IOC)
        else:
            place(account, side, sum(sizes), TimeInForce.UNSPECIFIED)
            for size in sizes:
                place(stranger, side.opposite, size, TimeInForce.IOC)

    def _want(self, fills: int) -> None:
        self._wanted += fills

    def _committed(self) -> Truth:
        venue = self._served.venue
        account = SubaccountId(venue.options.account, 0)
        market = venue.exchange.market(MARKET)
        row = venue.indexer.store.subaccounts[account.owner, account.number]
        held = venue.exchange.position_quantums(account, market)
        position = market.step_size * held / market.step_base_quantums
        return Truth({fill.id: (fill.price, fill.size) for fill in row.fills}, position)

    def _is_quiet(self) -> bool:
        return not self._wanted and not self._served.venue.exchange.state.pending_operations

    def _done(self, action: Callable[[], T]) -> T:
        async def act() -> T:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(START_S)

"""Market makers: a ladder of short-term orders on a price grid around the oracle, moved, renewed and resized."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from dydx_console.sim.actors.party import deposit, short_term
from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import Exchange
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Cancel, Order, OrderId, Place, Side, SubaccountId, TimeInForce

LEVELS = 14
FUNDS_USDC = 200_000_000
LIFE_BLOCKS = 15
TICKS_PER_SPACING = 32_000


def maker_owner(market: Market) -> str:
    """The address that makes a market."""
    return address_of(f"maker {market.ticker}")


@dataclass(slots=True)
class _Quote:
    order: Order


class Maker:
    """Keeps one market's ladder."""

    def __init__(self, exchange: Exchange, market: Market, random: Random) -> None:
        self._exchange = exchange
        self.market = market
        self._random = random
        self._subaccount = SubaccountId(maker_owner(market), 0)
        self._quotes: dict[tuple[Side, int], _Quote] = {}
        self._client_id = 0
        ticks = market.subticks(market.start_price) // market.subticks_per_tick
        self._spacing = max(1, ticks // TICKS_PER_SPACING) * market.subticks_per_tick

    def fund(self, now_ms: int) -> None:
        """Deposit what the maker works with."""
        deposit(self._exchange, self._subaccount, FUNDS_USDC, now_ms)

    def step(self, now_ms: int, oracle_value: int, resized: int) -> None:
        """Move the ladder to a price: cancel what is off it, place what is missing, renew, resize a few."""
        fair = self.market.oracle_subticks(oracle_value)
        wanted = self._ladder(fair)
        self._forget_filled()
        for key in [key for key in self._quotes if key not in wanted]:
            self._cancel(key, now_ms)
        for key in wanted:
            quote = self._quotes.get(key)
            if quote is None:
                self._place(key, now_ms)
            elif (quote.order.good_til_block or 0) <= self._exchange.height + 3:
                self._replace(key, quote.order, now_ms)
        self.resize(now_ms, resized)

    def resize(self, now_ms: int, count: int) -> None:
        """Change the size of some quotes at random."""
        keys = list(self._quotes)
        for _ in range(min(count, len(keys))):
            key = keys[self._random.randrange(len(keys))]
            order = self._quotes[key].order
            if self._exchange.resting_quantums(order.id) == order.quantums:
                self._replace(key, order, now_ms)

    def _ladder(self, fair: int) -> dict[tuple[Side, int], None]:
        spacing = self._spacing
        bid = (fair - spacing // 2) // spacing * spacing
        ask = bid + 2 * spacing if (fair // self.market.subticks_per_tick) % 3 else bid + spacing
        wanted: dict[tuple[Side, int], None] = {}
        for level in range(LEVELS):
            wanted[Side.BUY, max(spacing, bid - level * spacing)] = None
            wanted[Side.SELL, ask + level * spacing] = None
        return wanted

    def _forget_filled(self) -> None:
        for key in [k for k, q in self._quotes.items() if not self._exchange.resting_quantums(q.order.id)]:
            del self._quotes[key]

    def _quantums(self) -> int:
        base = self.market.quantums(self.market.quote_size)
        step = self.market.step_base_quantums
        return max(step, base * self._random.randint(40, 250) // 100 // step * step)

    def _life(self) -> int:
        return self._exchange.height + LIFE_BLOCKS + self._random.randint(0, 5)

    def _place(self, key: tuple[Side, int], now_ms: int) -> None:
        self._client_id = (self._client_id + 1) % 2**32
        side, subticks = key
        self._send(key, self._order(short_term(self._subaccount, self.market, self._client_id), side, subticks), now_ms)

    def _replace(self, key: tuple[Side, int], order: Order, now_ms: int) -> None:
        good_til = max(self._life(), (order.good_til_block or 0) + 1)
        if good_til <= self._exchange.height + 40:
            self._send(key, self._order(order.id, order.side, order.subticks, good_til), now_ms)

    def _order(self, order_id: OrderId, side: Side, subticks: int, good_til: int | None = None) -> Order:
        return Order(
            id=order_id,
            side=side,
            quantums=self._quantums(),
            subticks=subticks,
            good_til_block=good_til or self._life(),
            time_in_force=TimeInForce.POST_ONLY,
        )

    def _send(self, key: tuple[Side, int], order: Order, now_ms: int) -> None:
        if self._exchange.submit(Place(order), now_ms).ok:
            self._quotes[key] = _Quote(order)
        else:
            self._quotes.pop(key, None)

    def _cancel(self, key: tuple[Side, int], now_ms: int) -> None:
        order = self._quotes.pop(key).order
        self._exchange.submit(Cancel(order.id, good_til_block=order.good_til_block), now_ms)


class Flood:
    """A load generator: `frames_per_second` book updates on one market, spread evenly, far from the touch.

    Each order placed and each one cancelled changes one level, so each is one update.
    """

    def __init__(self, exchange: Exchange, market: Market, frames_per_second: int) -> None:
        self._exchange = exchange
        self._market = market
        self._rate = frames_per_second
        self._subaccount = SubaccountId(flood_owner(), 0)
        self._started_ms: int | None = None
        self._sent = 0
        self._client_id = 0
        self._open: Order | None = None

    def run(self, now_ms: int) -> None:
        """Send what is due by `now_ms`."""
        if self._started_ms is None:
            self._started_ms = now_ms
        due = (now_ms - self._started_ms) * self._rate // 1_000
        while self._sent < due:
            self._sent += 1
            self._toggle(now_ms)

    def _toggle(self, now_ms: int) -> None:
        if self._open is not None:
            self._exchange.submit(Cancel(self._open.id, good_til_block=self._open.good_til_block), now_ms)
            self._open = None
            return
        self._client_id += 1
        market = self._market
        side = Side.BUY if self._client_id % 2 else Side.SELL
        offset = 30 + self._client_id % 40
        touch = self._exchange.best(market, side) or market.subticks(market.start_price)
        subticks = touch - side.sign * offset * market.subticks_per_tick
        order = Order(
            id=short_term(self._subaccount, market, self._client_id),
            side=side,
            quantums=market.step_base_quantums * (1 + self._client_id % 97),
            subticks=subticks,
            good_til_block=self._exchange.height + 2,
            time_in_force=TimeInForce.POST_ONLY,
        )
        if self._exchange.submit(Place(order), now_ms).ok:
            self._open = order


def flood_owner() -> str:
    """The address of the load generator."""
    return address_of("flood")

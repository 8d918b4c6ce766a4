"""Takers: IOC orders at random times, of random size, leaning against their own inventory."""

from __future__ import annotations

from random import Random

from dydx_console.sim.actors.party import beyond, deposit, short_term, take
from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import Exchange
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Side, SubaccountId

FUNDS_USDC = 50_000_000
TAKERS = 3
HIT_PERCENT = {"BTC-USD": 55, "ETH-USD": 40, "SOL-USD": 30, "EIGEN-USD": 12}


def taker_owners() -> list[str]:
    """The takers' addresses."""
    return [address_of(f"taker {taker}") for taker in range(TAKERS)]


class Takers:
    """A few accounts that trade every market; each market has a subaccount of its own (isolated ones need it)."""

    def __init__(self, exchange: Exchange, random: Random) -> None:
        self._exchange = exchange
        self._random = random
        self._client_id = 0

    def subaccount(self, taker: int, market: Market) -> SubaccountId:
        """Where a taker trades a market."""
        return SubaccountId(address_of(f"taker {taker}"), 128 if market.isolated else 0)

    def fund(self, now_ms: int) -> None:
        """Deposit what the takers work with."""
        for taker in range(TAKERS):
            for number in (0, 128):
                deposit(self._exchange, SubaccountId(address_of(f"taker {taker}"), number), FUNDS_USDC, now_ms)

    def step(self, now_ms: int, rate: int) -> None:
        """One chance per market and unit of `rate` to take."""
        for market in self._exchange.options.markets:
            for _ in range(rate):
                if self._random.randrange(100) < HIT_PERCENT.get(market.ticker, 30):
                    self.hit(market, now_ms)

    def hit(self, market: Market, now_ms: int) -> None:
        """Take some of the book."""
        subaccount = self.subaccount(self._random.randrange(TAKERS), market)
        base = market.quantums(market.quote_size)
        held = self._exchange.position_quantums(subaccount, market)
        lean = 50 + max(-40, min(40, -held * 40 // (base * 200)))
        side = Side.BUY if self._random.randrange(100) < lean else Side.SELL
        step = market.step_base_quantums
        quantums = max(step, base * self._random.randint(5, 160) // 100 // step * step)
        self.take(subaccount, market, side, quantums, now_ms)

    def take(self, subaccount: SubaccountId, market: Market, side: Side, quantums: int, now_ms: int) -> None:
        """An IOC order with a bound ten ticks beyond the best price."""
        best = self._exchange.best(market, side.opposite)
        if best is None:
            return
        self._client_id += 1
        order_id = short_term(subaccount, market, self._client_id)
        bound = beyond(market, best, side, 10)
        take(self._exchange, order_id, side, quantums=quantums, subticks=bound, now_ms=now_ms)

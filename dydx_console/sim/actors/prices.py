"""Oracle prices: a seeded random walk per market in integers, pulled gently back to where it began."""

from __future__ import annotations

from math import isqrt
from random import Random

from dydx_console.sim.core.exchange import Exchange
from dydx_console.sim.core.markets import ONE_MILLION, Market

_UNIFORM = 1_000
_DRAWS = 4
_DEVIATION = 1_155  # standard deviation of the sum of four draws from -1000..1000
_ROOT_SCALE = 1_000
_REVERSION_MS = 12 * 3_600_000


class PriceProcess:
    """One market's price as an integer at its oracle exponent."""

    def __init__(self, market: Market, random: Random) -> None:
        self.market = market
        self.value = market.start_oracle_value
        self._random = random

    def step(self, elapsed_ms: int) -> int:
        """Walk for `elapsed_ms`; the deviation grows with the root of time."""
        draw = sum(self._random.randint(-_UNIFORM, _UNIFORM) for _ in range(_DRAWS))
        root = isqrt(elapsed_ms * _ROOT_SCALE)  # 1000 for one second
        move = self.value * self.market.volatility_ppm_per_sqrt_second * draw * root
        self.value += move // (ONE_MILLION * _DEVIATION * _ROOT_SCALE)
        self.value += (self.market.start_oracle_value - self.value) * min(elapsed_ms, _REVERSION_MS) // _REVERSION_MS
        return self._bounded()

    def jump(self, ppm: int) -> int:
        """Change at once by parts per million; the walk goes on from there."""
        self.value += self.value * ppm // ONE_MILLION
        return self._bounded()

    def _bounded(self) -> int:
        self.value = max(self.value, self.market.start_oracle_value // 4)
        return self.value


class Oracle:
    """Feeds every market's price into each block."""

    def __init__(self, exchange: Exchange, random: Random) -> None:
        self._exchange = exchange
        self.processes = {market.market_id: PriceProcess(market, random) for market in exchange.options.markets}

    def step(self, elapsed_ms: int) -> None:
        """Set the prices that the coming block brings."""
        for market_id, process in self.processes.items():
            self._exchange.set_oracle(market_id, process.step(elapsed_ms))

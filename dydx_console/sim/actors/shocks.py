"""Shocks: an oracle price that jumps at a given time, so that accounts come to be liquidated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from dydx_console.sim.actors.prices import Oracle
from dydx_console.sim.core.exchange import Exchange
from dydx_console.sim.core.markets import MARKETS

PPM_PER_PERCENT = 10_000
LEAST_PPM, MOST_PPM = -700_000, 2_000_000
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000}
_TEXT = re.compile(r"([A-Z0-9-]+)=([+-]?\d{1,3}(?:\.\d{1,4})?)%@(\d{1,9})(ms|s|m)", re.ASCII)
FORM = "MARKET=PERCENT%@TIME, such as BTC-USD=-20%@30s"


@dataclass(frozen=True, slots=True)
class Shock:
    """A market's price changes by `ppm` parts per million, `after_ms` after the start."""

    ticker: str
    ppm: int
    after_ms: int


def parse_shock(text: str) -> Shock:
    """A shock from `MARKET=PERCENT%@TIME` (ms, s or m). Raises ValueError with a sentence that says what is wrong."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text}: not of the form {FORM}")
    ticker, percent, time, unit = found.groups()
    if ticker not in (market.ticker for market in MARKETS):
        raise ValueError(f"{text}: no such market; there are {', '.join(market.ticker for market in MARKETS)}")
    ppm = int(Decimal(percent) * PPM_PER_PERCENT)
    if not LEAST_PPM <= ppm <= MOST_PPM:
        raise ValueError(f"{text}: a price changes by -70 % to +200 %")
    return Shock(ticker, ppm, int(time) * _UNIT_MS[unit])


class Shocks:
    """Applies each shock with the first block after its time."""

    def __init__(self, exchange: Exchange, oracle: Oracle) -> None:
        self._exchange = exchange
        self._oracle = oracle
        self._waiting: list[tuple[int, Shock]] = []

    def add(self, shocks: Iterable[Shock], start_ms: int) -> None:
        """Have shocks, counted from `start_ms`."""
        self._waiting += [(start_ms + shock.after_ms, shock) for shock in shocks]

    def step(self, now_ms: int) -> None:
        """Apply what is due."""
        due = [shock for at_ms, shock in self._waiting if at_ms <= now_ms]
        if not due:
            return
        self._waiting = [waiting for waiting in self._waiting if waiting[0] > now_ms]
        for shock in due:
            market = self._exchange.market(shock.ticker)
            self._exchange.set_oracle(market.market_id, self._oracle.processes[market.market_id].jump(shock.ppm))

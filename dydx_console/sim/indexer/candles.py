"""Candles of the seven resolutions, made from trades as ender makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from dydx_console.sim.indexer.rows import ZERO
from dydx_console.sim.indexer.text import iso, number

MINUTE_MS = 60_000
RESOLUTIONS: dict[str, int] = {
    "1MIN": MINUTE_MS,
    "5MINS": 5 * MINUTE_MS,
    "15MINS": 15 * MINUTE_MS,
    "30MINS": 30 * MINUTE_MS,
    "1HOUR": 60 * MINUTE_MS,
    "4HOURS": 240 * MINUTE_MS,
    "1DAY": 1440 * MINUTE_MS,
}
KEPT = 2_000


@dataclass(slots=True)
class Candle:
    """One candle; times in Unix milliseconds."""

    started_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    base_volume: Decimal
    usd_volume: Decimal
    trades: int
    starting_open_interest: Decimal
    mid_open: Decimal | None
    mid_close: Decimal | None

    def contents(self, ticker: str, resolution: str) -> dict[str, object]:
        """The object that REST and the channel carry."""
        return {
            "startedAt": iso(self.started_ms),
            "ticker": ticker,
            "resolution": resolution,
            "low": number(self.low),
            "high": number(self.high),
            "open": number(self.open),
            "close": number(self.close),
            "baseTokenVolume": number(self.base_volume),
            "usdVolume": number(self.usd_volume),
            "trades": self.trades,
            "startingOpenInterest": number(self.starting_open_interest),
            "orderbookMidPriceOpen": None if self.mid_open is None else number(self.mid_open),
            "orderbookMidPriceClose": None if self.mid_close is None else number(self.mid_close),
        }

    def add(self, price: Decimal, size: Decimal, usd: Decimal) -> None:
        """Take a trade in."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.base_volume += size
        self.usd_volume += usd
        self.trades += 1


class CandleSeries:
    """All candles of one market."""

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self._series: dict[str, dict[int, Candle]] = {resolution: {} for resolution in RESOLUTIONS}

    def of(self, resolution: str) -> list[Candle]:
        """Candles of a resolution, oldest first."""
        return list(self._series[resolution].values())

    def update(
        self,
        time_ms: int,
        trades: Iterable[tuple[Decimal, Decimal]],
        open_interest: Decimal,
        mid: Decimal | None,
    ) -> list[tuple[str, Candle]]:
        """Take a block's trades (price, size); returns the candles that changed, those of the past first.

        In a new period there is a new candle even without a trade (OHLC = the last close), and the one before gets its
        last mid price.
        """
        taken = list(trades)
        changed: list[tuple[str, Candle]] = []
        for resolution, length in RESOLUTIONS.items():
            series = self._series[resolution]
            started = time_ms - time_ms % length
            candle = series.get(started)
            if candle is None:
                previous = next(reversed(series.values()), None)
                if previous is None and not taken:
                    continue
                if previous is not None:
                    previous.mid_close = mid
                    changed.append((resolution, previous))
                candle = self._open(series, started, taken, previous, open_interest=open_interest, mid=mid)
            elif not taken:
                continue
            for price, size in taken:
                candle.add(price, size, price * size)
            changed.append((resolution, candle))
        return changed

    def _open(
        self,
        series: dict[int, Candle],
        started: int,
        taken: list[tuple[Decimal, Decimal]],
        previous: Candle | None,
        *,
        open_interest: Decimal,
        mid: Decimal | None,
    ) -> Candle:
        first = taken[0][0] if taken else (previous.close if previous else ZERO)
        candle = Candle(started, first, first, first, first, ZERO, ZERO, 0, open_interest, mid, None)
        series[started] = candle
        if len(series) > KEPT:
            del series[next(iter(series))]
        return candle

    def seed(self, resolution: str, candles: Iterable[Candle]) -> None:
        """Lay older candles under the series (before any trade)."""
        self._series[resolution].update((candle.started_ms, candle) for candle in candles)

"""A past for the market data: candles and funding from before the run, walked backwards from the start prices.

Nothing of an account is made up; account history is what the demo trader really did.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

from dydx_console.sim.indexer.candles import RESOLUTIONS, Candle
from dydx_console.sim.indexer.rows import ZERO, FundingRow
from dydx_console.sim.indexer.service import Indexer
from dydx_console.sim.indexer.store import MarketRow

HOUR_MS = 3_600_000
HOURS = 7 * 24
STEPS_PER_HOUR = 4
SEEDED = ("1HOUR", "4HOURS", "1DAY")


def lay_history(indexer: Indexer, start_ms: int, random: Random) -> None:
    """Seed every market's long candles, hourly funding and 24-hour price before `start_ms`."""
    for ticker, row in indexer.store.markets.items():
        hours = _hours(row, start_ms - start_ms % HOUR_MS, random)
        for resolution in SEEDED:
            indexer.store.candles[ticker].seed(resolution, _merge(hours, RESOLUTIONS[resolution]))
        for hour in hours:
            row.fundings.append(_funding(row, hour, indexer.store.height, random))
        for hour in hours[-24:]:
            indexer.roundtable.seed_price(ticker, hour.started_ms, hour.open)


def _hours(row: MarketRow, end_ms: int, random: Random) -> list[Candle]:
    """Hourly candles up to `end_ms`, the last one closing at the start price."""
    market = row.market
    tick = market.subticks_per_tick
    close = market.subticks(market.start_price)
    hours: list[Candle] = []
    for hour in range(HOURS):
        path = [close]
        for _ in range(STEPS_PER_HOUR):
            move = path[-1] * market.volatility_ppm_per_sqrt_second * 30 * random.randint(-1_500, 1_500)
            path.append(max(tick, (path[-1] + move // 1_000_000_000) // tick * tick))
        prices = [market.price(subticks) for subticks in reversed(path)]
        volume = market.size(market.quantums(market.quote_size)) * random.randint(200, 900)
        hours.append(
            Candle(
                started_ms=end_ms - (hour + 1) * HOUR_MS,
                open=prices[0],
                high=max(prices),
                low=min(prices),
                close=prices[-1],
                base_volume=volume,
                usd_volume=volume * prices[-1],
                trades=random.randint(400, 2_000),
                starting_open_interest=ZERO,
                mid_open=prices[0],
                mid_close=prices[-1],
            )
        )
        close = path[-1]
    return hours[::-1]


def _merge(hours: list[Candle], length_ms: int) -> list[Candle]:
    merged: dict[int, Candle] = {}
    for hour in hours:
        started = hour.started_ms - hour.started_ms % length_ms
        held = merged.get(started)
        if held is None:
            merged[started] = Candle(
                started,
                hour.open,
                hour.high,
                hour.low,
                hour.close,
                hour.base_volume,
                hour.usd_volume,
                hour.trades,
                hour.starting_open_interest,
                hour.mid_open,
                hour.mid_close,
            )
            continue
        held.high, held.low = max(held.high, hour.high), min(held.low, hour.low)
        held.close, held.mid_close = hour.close, hour.mid_close
        held.base_volume += hour.base_volume
        held.usd_volume += hour.usd_volume
        held.trades += hour.trades
    return list(merged.values())


def _funding(row: MarketRow, hour: Candle, height: int, random: Random) -> FundingRow:
    rate = Decimal(random.randint(-400, 900)).scaleb(-8)
    return FundingRow(row.market, rate, hour.open, ZERO, height, hour.started_ms)

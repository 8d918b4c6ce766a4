"""Public market data: book levels, the trade tape, candles."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

__all__ = ["Candle", "Level", "Trade"]

Level = tuple[Decimal, Decimal]
"""A book level: price in USD, aggregated size in base units (zero removes the level)."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One public trade; `side` is the taker's. `height` is missing on the stream."""

    id: str
    market: str
    side: str
    size: Decimal
    price: Decimal
    type: str
    created_at: datetime
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle of a market and resolution. Volumes: base units and USD."""

    market: str
    resolution: str
    started_at: datetime
    low: Decimal
    high: Decimal
    open: Decimal
    close: Decimal
    base_volume: Decimal
    usd_volume: Decimal
    trades: int
    starting_open_interest: Decimal | None
    mid_price_open: Decimal | None
    mid_price_close: Decimal | None

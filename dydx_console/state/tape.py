"""The public tape and candles."""

from collections.abc import Iterable
from datetime import datetime

from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.tape import Candle, Trade

__all__ = ["MOST_TRADES", "Candles", "Tape"]

MOST_TRADES = 250
"""Trades that are kept of a market; older ones are read by REST."""
MOST_CANDLES = 1000


class Tape:
    """The newest trades of every subscribed market."""

    def __init__(self) -> None:
        self._trades: dict[str, dict[str, Trade]] = {}

    def take(self, market: str, trades: Iterable[Trade]) -> None:
        """Merge trades by id; the oldest beyond the cap are dropped."""
        held = self._trades.setdefault(market, {})
        for trade in trades:
            known = held.get(trade.id)
            if known is None or known.height is None:
                held[trade.id] = trade
        if len(held) > MOST_TRADES:
            kept = sorted(held.values(), key=_trade_order, reverse=True)[:MOST_TRADES]
            self._trades[market] = {trade.id: trade for trade in kept}

    def newest(self, market: str, count: int = MOST_TRADES) -> tuple[Trade, ...]:
        """Return the newest trades first. Ids of one length are event ids and sort as the chain did."""
        return tuple(sorted(self._trades.get(market, {}).values(), key=_trade_order, reverse=True)[:count])


def _trade_order(trade: Trade) -> tuple[datetime, int, str]:
    return trade.created_at, len(trade.id), trade.id


class Candles:
    """Candles by market, resolution and start."""

    def __init__(self) -> None:
        self._candles: dict[tuple[str, str], dict[datetime, tuple[tuple[int, ...], Candle]]] = {}

    def take(self, market: str, resolution: str, candles: Iterable[Candle], version: StreamVersion | None) -> None:
        """Merge candles; of one start the newest version stands, and REST (no version) gives way to the stream."""
        held = self._candles.setdefault((market, resolution), {})
        mark = () if version is None else tuple(version)
        for candle in candles:
            known = held.get(candle.started_at)
            if known is None or mark >= known[0]:
                held[candle.started_at] = (mark, candle)
        if len(held) > MOST_CANDLES:
            for started_at in sorted(held)[:-MOST_CANDLES]:
                del held[started_at]

    def of(self, market: str, resolution: str) -> tuple[Candle, ...]:
        """Return the candles of a market and resolution, oldest first."""
        held = self._candles.get((market, resolution), {})
        return tuple(held[started_at][1] for started_at in sorted(held))

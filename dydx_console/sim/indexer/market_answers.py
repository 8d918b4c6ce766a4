"""REST answers about markets, blocks and time."""

from __future__ import annotations

from typing import TypeVar

from dydx_console.sim.core.orders import Side
from dydx_console.sim.indexer import shapes
from dydx_console.sim.indexer.candles import RESOLUTIONS
from dydx_console.sim.indexer.rows import Level
from dydx_console.sim.indexer.shapes import Json
from dydx_console.sim.indexer.store import MarketRow, Store
from dydx_console.sim.indexer.text import iso, number
from dydx_console.sim.indexer.validation import Params, not_found

_Row = TypeVar("_Row")
BOOK_LEVELS = 100
SPARKLINES = {"ONE_DAY": ("1HOUR", 24), "SEVEN_DAYS": ("4HOURS", 42)}


def height(store: Store, _params: Params, _now_ms: int) -> object:
    """GET /height."""
    return {"height": str(store.height), "time": iso(store.time_ms)}


def time(_store: Store, _params: Params, now_ms: int) -> object:
    """GET /time: `epoch` is a number of seconds with milliseconds."""
    return {"iso": iso(now_ms), "epoch": now_ms / 1000}


def perpetual_markets(store: Store, params: Params, _now_ms: int) -> object:
    """GET /perpetualMarkets, one or all."""
    limit = params.limit()
    wanted = params.ticker("ticker", store.markets) or params.ticker("market", store.markets)
    params.check()
    rows = [store.markets[wanted]] if wanted else list(store.markets.values())[:limit]
    return {"markets": {row.market.ticker: shapes.market_rest(row) for row in rows}}


def orderbook(store: Store, params: Params, _now_ms: int) -> object:
    """GET /orderbooks/perpetualMarket/:ticker: 100 levels a side, uncrossed, best first."""
    ticker = params.text("ticker") or ""
    row = store.markets.get(ticker)
    if row is None:
        raise not_found(f"{ticker} not found in markets of type PERPETUAL")
    bids, asks = uncrossed(row)
    return {"bids": _levels(row, bids), "asks": _levels(row, asks)}


def uncrossed(row: MarketRow) -> tuple[list[tuple[int, Level]], list[tuple[int, Level]]]:
    """Both sides best first; while they cross, the older (on equal time the smaller) of the two best levels goes.

    packages/redis/src/caches/orderbook-levels-cache.ts.
    """
    bids = sorted(row.levels(Side.BUY).items(), reverse=True)
    asks = sorted(row.levels(Side.SELL).items())
    bid, ask = 0, 0
    while bid < len(bids) and ask < len(asks) and bids[bid][0] >= asks[ask][0]:
        left, right = bids[bid][1], asks[ask][1]
        if left.updated_ms > right.updated_ms or left.quantums > right.quantums:
            ask += 1
        else:
            bid += 1
    return bids[bid:], asks[ask:]


def _levels(row: MarketRow, levels: list[tuple[int, Level]]) -> list[Json]:
    market = row.market
    return [
        {"price": number(market.price(subticks)), "size": number(market.size(level.quantums))}
        for subticks, level in levels[:BOOK_LEVELS]
    ]


def trades(store: Store, params: Params, _now_ms: int) -> object:
    """GET /trades/perpetualMarket/:ticker: newest first, but oldest first with `page`."""
    ticker = params.ticker("ticker", store.markets, required=True)
    limit, page = params.limit(), params.page()
    at_height, at_ms = params.height("createdBeforeOrAtHeight"), params.moment("createdBeforeOrAt")
    params.check()
    rows = [
        row
        for row in store.markets[str(ticker)].trades
        if (at_height is None or row.height <= at_height) and (at_ms is None or row.created_ms <= at_ms)
    ]
    shown, extra = paged(rows, limit, page)
    return {"trades": [shapes.trade_rest(row) for row in shown], **extra}


def paged(rows: list[_Row], limit: int, page: int | None, *, flips: bool = True) -> tuple[list[_Row], Json]:
    """Rows (oldest first) as REST pages them: newest first, or with `page` the other way round when `flips`."""
    if page is None:
        return rows[: -limit - 1 : -1], {}
    offset = (page - 1) * limit
    ordered = rows if flips else rows[::-1]
    return ordered[offset : offset + limit], {"pageSize": limit, "totalResults": len(rows), "offset": offset}


def candles(store: Store, params: Params, _now_ms: int) -> object:
    """GET /candles/perpetualMarkets/:ticker: `fromISO` inclusive, `toISO` exclusive, newest first."""
    names = ",".join(RESOLUTIONS)
    ticker = params.ticker("ticker", store.markets, required=True)
    message = f"resolution must be a valid Candle Resolution, one of {names}"
    resolution = params.choice("resolution", list(RESOLUTIONS), message)
    limit = params.limit()
    since, until = params.moment("fromISO"), params.moment("toISO")
    params.check()
    rows = [
        candle
        for candle in store.candles[str(ticker)].of(resolution)
        if (since is None or candle.started_ms >= since) and (until is None or candle.started_ms < until)
    ]
    return {"candles": [candle.contents(str(ticker), resolution) for candle in rows[: -limit - 1 : -1]]}


def sparklines(store: Store, params: Params, _now_ms: int) -> object:
    """GET /sparklines: closes per ticker, newest first."""
    message = f"timePeriod must be a valid Time Period, one of {','.join(SPARKLINES)}"
    period = params.choice("timePeriod", list(SPARKLINES), message)
    params.check()
    resolution, count = SPARKLINES[period]
    return {
        ticker: [number(candle.close) for candle in series.of(resolution)[: -count - 1 : -1]]
        for ticker, series in store.candles.items()
    }


def historical_funding(store: Store, params: Params, _now_ms: int) -> object:
    """GET /historicalFunding/:ticker: 1-hour rates, newest first."""
    ticker = params.ticker("ticker", store.markets, required=True)
    limit = params.limit()
    at_height, at_ms = params.height("effectiveBeforeOrAtHeight"), params.moment("effectiveBeforeOrAt")
    params.check()
    rows = [
        row
        for row in store.markets[str(ticker)].fundings
        if (at_height is None or row.height <= at_height) and (at_ms is None or row.time_ms <= at_ms)
    ]
    return {"historicalFunding": [shapes.funding_rest(row) for row in rows[: -limit - 1 : -1]]}

"""The Indexer's periodic jobs: 24-hour figures of the markets, PNL ticks, stale orders.

Sources: dydxprotocol/v4-chain indexer/services/roundtable/src/tasks/{market-updater,create-pnl-ticks,
cancel-stale-orders}.ts.
"""

from __future__ import annotations

from collections import deque
from decimal import ROUND_HALF_UP, Decimal

from dydx_console.sim.indexer import shapes
from dydx_console.sim.indexer.outlet import MARKETS, Outlet
from dydx_console.sim.indexer.rows import CANCELED, OPEN, ZERO, PnlTick
from dydx_console.sim.indexer.store import MarketRow, Store

DAY_MS = 24 * 3_600_000
UPDATE_MS = 30_000
STALE_MS = 30_000
TRACKED = ("priceChange24H", "volume24H", "trades24H", "nextFundingRate", "openInterest", "baseOpenInterest")
_MICRO = Decimal("0.000001")
KEPT_TICKS = 5_000


class Roundtable:
    """Runs each job when it is due; `tick_ms` is the PNL interval (an hour, less with faster funding)."""

    def __init__(self, store: Store, outlet: Outlet, tick_ms: int) -> None:
        self._store = store
        self._outlet = outlet
        self._tick_ms = tick_ms
        self._next_tick_ms = 0
        self._next_update_ms = 0
        self._next_stale_ms = 0
        self._prices: dict[str, deque[tuple[int, Decimal]]] = {ticker: deque() for ticker in store.markets}
        self._published: dict[str, shapes.Json] = {}

    def run(self, now_ms: int) -> None:
        """Do what is due by `now_ms`."""
        if now_ms >= self._next_update_ms:
            self._next_update_ms = now_ms + UPDATE_MS
            self._update_markets(now_ms)
        if now_ms >= self._next_tick_ms:
            self._next_tick_ms = (now_ms // self._tick_ms + 1) * self._tick_ms
            self._create_ticks(now_ms)
        if now_ms >= self._next_stale_ms:
            self._next_stale_ms = now_ms + STALE_MS
            self._cancel_stale()

    def seed_price(self, ticker: str, time_ms: int, price: Decimal) -> None:
        """An oracle price from before the run, for the 24-hour change."""
        self._prices[ticker].append((time_ms, price))

    def _update_markets(self, now_ms: int) -> None:
        changes: shapes.Json = {}
        for ticker, row in self._store.markets.items():
            self._figures(row, now_ms)
            current = {key: value for key, value in shapes.market_rest(row).items() if key in TRACKED}
            previous = self._published.get(ticker, {})
            changed = {key: value for key, value in current.items() if previous.get(key) != value}
            self._published[ticker] = current
            if changed:
                changes[ticker] = changed
        if changes and self._outlet.wants(MARKETS, MARKETS):
            self._outlet.publish(MARKETS, MARKETS, {"trading": changes})

    def _figures(self, row: MarketRow, now_ms: int) -> None:
        prices = self._prices[row.market.ticker]
        prices.append((now_ms, row.oracle_price))
        while len(prices) > 1 and prices[1][0] <= now_ms - DAY_MS:
            prices.popleft()
        row.price_change_24h = row.oracle_price - prices[0][1]
        row.open_interest = sum(
            (p.size for _, p in self._store.open_rows() if p.market is row.market and p.size > 0), ZERO
        )
        candles = [
            c for c in self._store.candles[row.market.ticker].of("5MINS")[-300:] if c.started_ms > now_ms - DAY_MS
        ]
        forced = [trade for trade in row.forced if trade.created_ms > now_ms - DAY_MS]
        row.volume_24h = sum((candle.usd_volume for candle in candles), ZERO) - sum(t.size * t.price for t in forced)
        row.trades_24h = sum(candle.trades for candle in candles) - len(forced)

    def _create_ticks(self, now_ms: int) -> None:
        store = self._store
        for row in store.subaccounts.values():
            if not row.ever_transferred:
                continue
            equity, _ = store.equity(row)
            tick = PnlTick(
                equity=equity.quantize(_MICRO, ROUND_HALF_UP),
                total_pnl=(equity - row.net_transfers).quantize(_MICRO, ROUND_HALF_UP),
                transfers=row.net_transfers - row.pnl_transfers_seen,
                net_transfers=row.net_transfers,
                height=store.height,
                time_ms=now_ms,
            )
            row.pnl_transfers_seen = row.net_transfers
            ticks = store.pnl.setdefault(row.id, [])
            ticks.append(tick)
            if len(ticks) > KEPT_TICKS:
                del ticks[0]

    def _cancel_stale(self) -> None:
        """Partly filled short-term orders past their block become CANCELED in Postgres, without a message."""
        for row in self._store.subaccounts.values():
            for order in row.orders.values():
                limit = order.order.good_til_block
                if order.status == OPEN and limit is not None and limit < self._store.height:
                    order.status = CANCELED

"""REST answers about profit and rewards over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from dydx_console.sim.indexer.account_answers import scope
from dydx_console.sim.indexer.market_answers import paged
from dydx_console.sim.indexer.rows import ZERO, PnlTick, SubaccountRow
from dydx_console.sim.indexer.store import Store
from dydx_console.sim.indexer.text import iso, number, parse_iso
from dydx_console.sim.indexer.validation import Params

PERIODS = ("DAILY", "WEEKLY", "MONTHLY")
DAY_MS = 24 * 3_600_000


def historical_pnl(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /historical-pnl and its parent variant (hourly sums over children): newest first; `page` ignored there."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        limit, page = params.limit(), None if parent else params.page()
        window = _window(params)
        params.check()
        ticks = _ticks(store, where.required().rows, window)
        shown, extra = paged(ticks, limit, page, flips=False)
        return {
            "historicalPnl": [
                {
                    "equity": number(tick.equity),
                    "totalPnl": number(tick.total_pnl),
                    "netTransfers": number(tick.transfers),
                    "createdAt": iso(tick.time_ms),
                    "blockHeight": str(tick.height),
                    "blockTime": iso(tick.time_ms),
                }
                for tick in shown
            ],
            **extra,
        }

    return answer


def pnl(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /pnl and its parent variant; here `netTransfers` is cumulative. `daily=true` keeps each day's first."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        limit, page = params.limit(), None if parent else params.page()
        window = _window(params)
        params.check()
        ticks = _ticks(store, where.required().rows, window)
        daily = params.text("daily") == "true"
        if daily:
            ticks = list({tick.time_ms // DAY_MS: tick for tick in reversed(ticks)}.values())[::-1]
        unit = DAY_MS if daily else 3_600_000
        shown, extra = paged(ticks, limit, page, flips=False)
        return {
            "pnl": [
                {
                    "equity": number(tick.equity),
                    "netTransfers": number(tick.net_transfers),
                    "totalPnl": number(tick.total_pnl),
                    "createdAt": iso(tick.time_ms - tick.time_ms % unit),
                    "createdAtHeight": str(tick.height),
                }
                for tick in shown
            ],
            **extra,
        }

    return answer


@dataclass(frozen=True, slots=True)
class _Window:
    before_ms: int | None
    before_height: int | None
    after_ms: int | None
    after_height: int | None

    def holds(self, tick: PnlTick) -> bool:
        return (
            (self.before_ms is None or tick.time_ms <= self.before_ms)
            and (self.before_height is None or tick.height <= self.before_height)
            and (self.after_ms is None or tick.time_ms >= self.after_ms)
            and (self.after_height is None or tick.height >= self.after_height)
        )


def _window(params: Params) -> _Window:
    return _Window(
        params.moment("createdBeforeOrAt"),
        params.height("createdBeforeOrAtHeight"),
        params.moment("createdOnOrAfter"),
        params.height("createdOnOrAfterHeight"),
    )


def _ticks(store: Store, rows: Iterable[SubaccountRow], window: _Window) -> list[PnlTick]:
    """Ticks oldest first; those of several children at the same time are added up."""
    sums: dict[int, PnlTick] = {}
    for row in rows:
        for tick in store.pnl.get(row.id, ()):
            if not window.holds(tick):
                continue
            held = sums.get(tick.time_ms)
            sums[tick.time_ms] = tick if held is None else _added(held, tick)
    return [sums[time_ms] for time_ms in sorted(sums)]


def _added(left: PnlTick, right: PnlTick) -> PnlTick:
    return PnlTick(
        equity=left.equity + right.equity,
        total_pnl=left.total_pnl + right.total_pnl,
        transfers=left.transfers + right.transfers,
        net_transfers=left.net_transfers + right.net_transfers,
        height=right.height,
        time_ms=right.time_ms,
    )


def block_rewards(store: Store, params: Params, _now_ms: int) -> object:
    """GET /historicalBlockTradingRewards/:address."""
    address = params.address()
    limit = params.limit()
    at_height, at_ms = params.height("startingBeforeOrAtHeight"), params.moment("startingBeforeOrAt")
    params.check()
    rows = [
        row
        for row in store.rewards.get(address, ())
        if (at_height is None or row.height <= at_height) and (at_ms is None or row.time_ms <= at_ms)
    ]
    return {
        "rewards": [
            {
                "tradingReward": number(row.amount),
                "createdAt": iso(row.time_ms),
                "createdAtHeight": str(row.height),
            }
            for row in rows[: -limit - 1 : -1]
        ]
    }


def reward_aggregations(store: Store, params: Params, _now_ms: int) -> object:
    """GET /historicalTradingRewardAggregations/:address by day, ISO week or month (UTC)."""
    address = params.address()
    message = f"period must be a valid Trading Reward Aggregation Period, one of {','.join(PERIODS)}"
    period = params.choice("period", PERIODS, message)
    limit = params.limit()
    params.check()
    sums: dict[int, tuple[Decimal, int]] = {}
    for row in store.rewards.get(address, ()):
        started = _period_start(row.time_ms, period)
        total, height = sums.get(started, (ZERO, row.height))
        sums[started] = (total + row.amount, height)
    return {
        "rewards": [
            {
                "tradingReward": number(total),
                "startedAt": iso(started),
                "startedAtHeight": str(height),
                "period": period,
            }
            for started, (total, height) in sorted(sums.items(), reverse=True)[:limit]
        ]
    }


def _period_start(time_ms: int, period: str) -> int:
    day = time_ms - time_ms % DAY_MS
    if period == "DAILY":
        return day
    if period == "WEEKLY":
        return day - (day // DAY_MS + 3) % 7 * DAY_MS
    return parse_iso(iso(day)[:7] + "-01T00:00:00Z") or day

"""What is known of the Indexer's REST paths beforehand: their budget, their rank, and what their 404 means.

Source of paths and buckets: dydxprotocol/v4-chain indexer/services/comlink/src/controllers/api/v4 and
indexer/services/comlink/src/caches/rate-limiters.ts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dydx_console.venue.resilience.limiter import Rank

__all__ = ["BUDGETS", "Route", "route_of"]

BUDGETS: Mapping[str, int] = {"candles": 1_000}
"""Requests per 10 s of the buckets that allow other than 100, until the Indexer says what it allows."""


@dataclass(frozen=True, slots=True)
class Route:
    """A kind of read.

    `name` is its path without what is an account's or a market's own, so that it may be counted and shown; `group` has
    one circuit breaker; `absent` says what 404 means there.
    """

    name: str
    bucket: str
    group: str
    rank: Rank
    absent: str = "this Indexer does not offer it"


_NEVER_FUNDED = "the account was never funded on this network"
_NO_MARKET = "there is no such market"
_ROUTES: Mapping[str, Route] = {
    route.name: route
    for route in (
        Route("/addresses", "get", "account", Rank.RECOVERY, _NEVER_FUNDED),
        Route("/orders", "orders", "orders", Rank.RECOVERY),
        Route("/orders/:id", "order", "orders", Rank.RECOVERY, "the Indexer has no such order, which proves nothing"),
        Route("/fills", "fills", "fills", Rank.RECOVERY),
        Route("/transfers", "get", "transfers", Rank.RECOVERY, _NEVER_FUNDED),
        Route("/fundingPayments", "funding", "funding", Rank.RECOVERY),
        Route("/perpetualPositions", "get", "account", Rank.RECOVERY),
        Route("/assetPositions", "get", "account", Rank.RECOVERY, _NEVER_FUNDED),
        Route("/height", "get", "clock", Rank.RECOVERY),
        Route("/time", "get", "clock", Rank.RECOVERY),
        Route("/perpetualMarkets", "get", "markets", Rank.MARKET, _NO_MARKET),
        Route("/orderbooks", "get", "books", Rank.MARKET, _NO_MARKET),
        Route("/trades", "get", "trades", Rank.MARKET, _NO_MARKET),
        Route("/candles", "candles", "candles", Rank.CHART, _NO_MARKET),
        Route("/sparklines", "sparklines", "charts", Rank.CHART),
        Route("/historicalFunding", "get", "charts", Rank.CHART, _NO_MARKET),
        Route("/historicalBlockTradingRewards", "get", "history", Rank.CHART, "no rewards are known of this address"),
        Route("/tradeHistory", "fills", "history", Rank.CHART),
        Route("/historical-pnl", "historical-pnl", "history", Rank.CHART, _NEVER_FUNDED),
        Route("/pnl", "pnl", "history", Rank.CHART, _NEVER_FUNDED),
    )
}
_OTHER = Route("/other", "get", "other", Rank.CHART)
_LISTS_OF_ORDERS = ("", "parentSubaccountNumber")


def route_of(path: str) -> Route:
    """Return what is known of a path, given without the prefix `/v4` and without its query."""
    first, _, rest = path.removeprefix("/").partition("/")
    name = f"/{first}/:id" if first == "orders" and rest not in _LISTS_OF_ORDERS else f"/{first}"
    return _ROUTES.get(name, _OTHER)

"""What the venue knows itself, and in what a state differs from it."""

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from dydx_console.domain.enums import DisplayStatus, OrderStatus
from dydx_console.domain.order import Order, display_status, is_working
from dydx_console.sim.venue import Venue
from dydx_console.state.console import ConsoleState

WORKING = (OrderStatus.OPEN, OrderStatus.UNTRIGGERED, OrderStatus.BEST_EFFORT_OPENED)
GONE = {DisplayStatus.CANCELLED, DisplayStatus.EXPIRED}
Holding = tuple[int, str, Decimal]


def held_by_chain(venue: Venue) -> tuple[Holding, ...]:
    """Return the account's positions as of the last block: subaccount, market, size."""
    sizes = {market.ticker: market for market in venue.exchange.options.markets}
    return tuple(
        sorted(
            (subaccount.number, ticker, sizes[ticker].size(quantums))
            for subaccount, held in venue.exchange.truth().subaccounts
            if subaccount.owner == venue.options.account and subaccount.number % 128 == 0
            for ticker, quantums in held.positions
        )
    )


def held_by(state: ConsoleState) -> tuple[Holding, ...]:
    """Return the positions that a state shows."""
    return tuple(sorted((held.subaccount, held.market, held.net_size) for held in state.holdings.positions))


def differences(venue: Venue, state: ConsoleState, now_ms: int, books: Iterable[str]) -> dict[str, object]:
    """Return in what the state differs from the venue's own account; nothing may be on its way.

    Of the markets' books those are compared that are given.
    """
    ask = _Asker(venue, now_ms)
    truth = _account_truth(ask) | {"positions": held_by_chain(venue), "end of orders": set()}
    held = _account_held(state) | {"positions": held_by(state), "end of orders": set(_misjudged(ask, state))}
    for market in sorted(books):
        truth[f"book {market}"], held[f"book {market}"] = ask.book(market), _book_held(state, market)
    return {name: _unlike(held[name], truth[name]) for name in truth if held[name] != truth[name]}


class _Asker:
    """Asks the venue past its faults and limits."""

    def __init__(self, venue: Venue, now_ms: int) -> None:
        self._venue = venue
        self._now_ms = now_ms
        self._account = {"address": venue.options.account, "parentSubaccountNumber": "0"}

    def rows(self, path: str, **query: str) -> Any:
        """Return an answer about the account."""
        return json.loads(self._venue.comlink.fetch(path, self._now_ms, self._account | query).body)

    def whole(self) -> Any:
        """Return the parent subaccount."""
        path = f"/v4/addresses/{self._account['address']}/parentSubaccountNumber/0"
        return json.loads(self._venue.comlink.fetch(path, self._now_ms).body)["subaccount"]

    def book(self, market: str) -> tuple[set[tuple[Decimal, Decimal]], ...]:
        """Return bids and asks."""
        found = json.loads(self._venue.comlink.fetch(f"/v4/orderbooks/perpetualMarket/{market}", self._now_ms).body)
        return tuple(
            {(Decimal(row["price"]), Decimal(row["size"])) for row in found[side]} for side in ("bids", "asks")
        )


def _account_truth(ask: _Asker) -> dict[str, Any]:
    children = ask.whole()["childSubaccounts"]
    orders = ask.rows("/v4/orders/parentSubaccountNumber", limit="1000", status=",".join(WORKING))
    return {
        "balances": {
            (child["subaccountNumber"], asset["symbol"], _signed(asset["size"], asset["side"]))
            for child in children
            for asset in child["assetPositions"].values()
        },
        "fills": sorted(
            (row["id"], row["side"], Decimal(row["size"]), Decimal(row["price"]))
            for row in ask.rows("/v4/fills/parentSubaccountNumber", limit="1000")["fills"]
        ),
        "working": {row["id"] for row in orders},
        "transfers": sorted(
            row["id"] for row in ask.rows("/v4/transfers/parentSubaccountNumber", limit="1000")["transfers"]
        ),
        "funding": sorted(
            (int(row["subaccountNumber"]), row["ticker"], int(row["createdAtHeight"]), Decimal(row["payment"]))
            for row in ask.rows("/v4/fundingPayments/parentSubaccount", limit="1000")["fundingPayments"]
        ),
    }


def _account_held(state: ConsoleState) -> dict[str, Any]:
    return {
        "balances": {(held.subaccount, held.asset, held.amount) for held in state.holdings.balances},
        "fills": sorted((fill.id, fill.side, fill.size, fill.price) for fill in state.fills),
        "working": {order.id for order in state.orders if is_working(_shown(state, order))},
        "transfers": sorted(str(row.id) for row in state.transfers.newest if row.id is not None),
        "funding": sorted((row.subaccount, row.market, row.height, row.payment) for row in state.funding.payments),
    }


def _misjudged(ask: _Asker, state: ConsoleState) -> Iterable[tuple[object, ...]]:
    """Yield the orders of which the venue knows another end than the state."""
    for row in ask.rows("/v4/orders/parentSubaccountNumber", limit="1000"):
        order = state.orders.get(row["id"])
        shown = None if order is None else _shown(state, order)
        allowed = _ends(row, state.height or 0, state.block_time)
        if order is not None and allowed and shown not in allowed:
            yield row["id"], shown, row["status"], row["totalFilled"], row["size"]


def _ends(row: dict[str, Any], height: int, block_time: datetime | None) -> set[DisplayStatus]:
    """Return what may be shown of an order that is over; of one that works, nothing."""
    if row["status"] == OrderStatus.FILLED or Decimal(row["totalFilled"]) >= Decimal(row["size"]):
        return {DisplayStatus.FILLED}
    if row["status"] == OrderStatus.BEST_EFFORT_CANCELED:
        return {DisplayStatus.CANCELING, *GONE}
    return GONE if row["status"] == OrderStatus.CANCELED else set()


def _shown(state: ConsoleState, order: Order) -> str | None:
    return display_status(order, state.height, state.block_time)


def _book_held(state: ConsoleState, market: str) -> tuple[set[tuple[Decimal, Decimal]], ...]:
    view = state.books.view(market)
    return set(view.bids), set(view.asks)


def _signed(size: str, side: str) -> Decimal:
    return Decimal(size) if side == "LONG" else -Decimal(size)


def _unlike(held: Any, truth: Any) -> tuple[object, object]:
    """Return what is held and not so, and what is so and not held."""
    if isinstance(held, tuple) and held and isinstance(held[0], set):
        return tuple(a - b for a, b in zip(held, truth, strict=True)), tuple(
            b - a for a, b in zip(held, truth, strict=True)
        )
    return [row for row in held if row not in truth], [row for row in truth if row not in held]

"""REST answers about accounts. Where the Indexer says 404 for an unknown subaccount and where an empty list is as in
dydxprotocol/v4-chain indexer/services/comlink/src/controllers/api/v4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dydx_console.sim.indexer import shapes
from dydx_console.sim.indexer.market_answers import paged
from dydx_console.sim.indexer.rows import ZERO, FillRow, PositionRow, SubaccountRow, TransferRow
from dydx_console.sim.indexer.store import CHILD_SPACING, Store
from dydx_console.sim.indexer.text import number
from dydx_console.sim.indexer.trade_history import trade_history as replay
from dydx_console.sim.indexer.validation import Params, not_found

POSITION_STATUSES = ("OPEN", "CLOSED", "LIQUIDATED")
FILL_TYPES = ("LIMIT", "LIQUIDATED", "LIQUIDATION", "DELEVERAGED", "OFFSETTING", "TWAP_SUBORDER")
PERIODS = ("DAILY", "WEEKLY", "MONTHLY")
DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The subaccounts that a request is about: one, or a parent's children."""

    address: str
    number: int
    parent: bool
    rows: tuple[SubaccountRow, ...]

    @property
    def numbers(self) -> range:
        """The subaccount numbers in scope."""
        return range(self.number, 128_001, CHILD_SPACING) if self.parent else range(self.number, self.number + 1)

    def required(self) -> Scope:
        """Itself, or 404 when the Indexer knows none of the subaccounts."""
        if self.rows:
            return self
        key = "parentSubaccountNumber" if self.parent else "subaccountNumber"
        raise not_found(f"No subaccount found with address {self.address} and {key} {self.number}")


def scope(store: Store, params: Params, *, parent: bool) -> Scope:
    """Read address and (parent) number; the caller still has to `check()`."""
    address = params.address()
    number_ = params.parent() if parent else params.subaccount()
    if parent:
        return Scope(address, number_, parent, tuple(store.children(address, number_)))
    row = store.subaccount(address, number_)
    return Scope(address, number_, parent, () if row is None else (row,))


def addresses(store: Store, params: Params, _now_ms: int) -> object:
    """GET /addresses/:address."""
    address = params.address()
    params.check()
    rows = store.of_address(address)
    if not rows:
        raise not_found(f"No subaccounts found for address {address}")
    rewards = sum((reward.amount for reward in store.rewards.get(address, ())), ZERO)
    return {
        "subaccounts": [shapes.subaccount_rest(store, row) for row in rows],
        "totalTradingRewards": number(rewards),
    }


def subaccount(store: Store, params: Params, _now_ms: int) -> object:
    """GET /addresses/:address/subaccountNumber/:n."""
    where = scope(store, params, parent=False)
    params.check()
    return {"subaccount": shapes.subaccount_rest(store, where.required().rows[0])}


def parent_subaccount(store: Store, params: Params, _now_ms: int) -> object:
    """GET /addresses/:address/parentSubaccountNumber/:n."""
    where = scope(store, params, parent=True)
    params.check()
    children = list(where.required().rows)
    return {"subaccount": shapes.parent_rest(store, where.address, where.number, children)}


def positions(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /perpetualPositions and its parent variant: newest first."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        statuses = params.many("status", POSITION_STATUSES, "status must be a valid Position Status (OPEN, etc)")
        limit = params.limit()
        at_height, at_ms = params.height("createdBeforeOrAtHeight"), params.moment("createdBeforeOrAt")
        params.check()

        def kept(row: PositionRow) -> bool:
            return (
                (statuses is None or row.status in statuses)
                and (at_height is None or row.created_height <= at_height)
                and (at_ms is None or row.created_ms <= at_ms)
            )

        rows = [(owner, row) for owner in where.rows for row in owner.positions if kept(row)]
        rows.sort(key=lambda pair: pair[1].created_height, reverse=True)
        return {"positions": [shapes.position_rest(store, owner, row) for owner, row in rows[:limit]]}

    return answer


def asset_positions(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /assetPositions and its parent variant."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        params.check()
        found = (shapes.asset_rest(store, row) for row in where.required().rows)
        return {"positions": [asset for asset in found if asset is not None]}

    return answer


def fills(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /fills and its parent variant, which ignores market and createdBeforeOrAt*. With `page` oldest first."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        ticker = market_and_type(store, params)
        limit, page = params.limit(), params.page()
        at_height, at_ms = params.height("createdBeforeOrAtHeight"), params.moment("createdBeforeOrAt")
        types = params.many("includeTypes", FILL_TYPES, f"includeTypes must be one of {','.join(FILL_TYPES)}")
        excluded = params.many("excludeTypes", FILL_TYPES, f"excludeTypes must be one of {','.join(FILL_TYPES)}")
        params.check()
        if parent:
            ticker, at_height, at_ms = None, None, None

        def kept(row: FillRow) -> bool:
            return (
                (types is None or row.type in types)
                and row.type not in (excluded or ())
                and (ticker is None or row.market.ticker == ticker)
                and (at_height is None or row.height <= at_height)
                and (at_ms is None or row.created_ms <= at_ms)
            )

        rows = [row for owner in where.rows for row in owner.fills if kept(row)]
        rows.sort(key=lambda row: row.event_id)
        shown, extra = paged(rows, limit, page)
        return {"fills": [shapes.fill_rest(row) for row in shown], **extra}

    return answer


def market_and_type(store: Store, params: Params) -> str | None:
    """`market` and `marketType` come together or not at all."""
    ticker = params.ticker("market", store.markets)
    if params.has("market") and not params.has("marketType"):
        params.fail("marketType", "marketType must be provided if market is provided", missing="query")
    if params.has("marketType") and not params.has("market"):
        params.fail("market", "market must be provided if marketType is provided", missing="query")
    params.many("marketType", ("PERPETUAL", "SPOT"), "marketType must be a valid market type (PERPETUAL/SPOT)")
    return ticker


def trade_history(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /tradeHistory and its parent variant."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        ticker = market_and_type(store, params)
        limit, page = params.limit(), params.page() or 1
        params.check()
        fills = [f for owner in where.rows for f in owner.fills if ticker is None or f.market.ticker == ticker]
        rows = replay(fills, store.order_type)
        offset = (page - 1) * limit
        shown = rows[offset : offset + limit]
        return {"tradeHistory": shown, "pageSize": limit, "totalResults": len(rows), "offset": offset}

    return answer


def transfers(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /transfers and its parent variant (without transfers inside the parent): newest first, paged or not."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        limit, page = params.limit(), params.page()
        at_height, at_ms = params.height("createdBeforeOrAtHeight"), params.moment("createdBeforeOrAt")
        params.check()
        numbers = where.required().numbers
        rows = []
        for row in store.transfers:
            ends = (
                row.sender == where.address and row.sender_number is not None and row.sender_number in numbers,
                row.recipient == where.address and row.recipient_number is not None and row.recipient_number in numbers,
            )
            if any(ends) and not (parent and all(ends)) and _before(row, at_height, at_ms):
                rows.append(row)
        shown, extra = paged(rows, limit, page, flips=False)
        bodies = [shapes.transfer_rest(row, where.address, numbers, parent=parent) for row in shown]
        return {"transfers": bodies, **extra}

    return answer


def _before(row: TransferRow, at_height: int | None, at_ms: int | None) -> bool:
    return (at_height is None or row.height <= at_height) and (at_ms is None or row.created_ms <= at_ms)


def transfers_between(store: Store, params: Params, _now_ms: int) -> object:
    """GET /transfers/between: both directions, and the net amount from source to recipient."""
    source = (params.address("sourceAddress"), params.subaccount("sourceSubaccountNumber"))
    target = (params.address("recipientAddress"), params.subaccount("recipientSubaccountNumber"))
    at_height, at_ms = params.height("createdBeforeOrAtHeight"), params.moment("createdBeforeOrAt")
    params.check()
    net = ZERO
    rows = []
    for row in store.transfers:
        ends = ((row.sender, row.sender_number), (row.recipient, row.recipient_number))
        if ends not in ((source, target), (target, source)) or not _before(row, at_height, at_ms):
            continue
        net += row.size if ends[0] == source else -row.size
        rows.append(row)
    numbers = range(source[1], source[1] + 1)
    bodies = [shapes.transfer_rest(row, source[0], numbers, parent=False) for row in rows[:-1001:-1]]
    return {"transfersSubset": bodies, "totalNetTransfers": number(net)}


def funding_payments(*, parent: bool) -> Callable[[Store, Params, int], object]:
    """GET /fundingPayments and /fundingPayments/parentSubaccount; any non-empty `showZeroPayments` shows zeros."""

    def answer(store: Store, params: Params, _now_ms: int) -> object:
        where = scope(store, params, parent=parent)
        ticker = None if parent else params.ticker("ticker", store.markets)
        limit, page = params.limit(), params.page()
        after = params.moment("createdOnOrAfter")
        params.check()
        zeros = params.has("showZeroPayments")
        owners = {row.id for row in where.rows}
        rows = [
            row
            for row in store.funding_payments
            if row.subaccount_id in owners
            and (ticker is None or row.funding.market.ticker == ticker)
            and (after is None or row.funding.time_ms >= after)
            and (zeros or row.payment != 0)
        ]
        shown, extra = paged(rows, limit, page, flips=False)
        return {"fundingPayments": [shapes.funding_payment_rest(row) for row in shown], **extra}

    return answer


def trader_search(store: Store, params: Params, _now_ms: int) -> object:
    """GET /trader/search by address (the simulator gives no usernames)."""
    wanted = params.text("searchParam") or ""
    row = store.subaccount(wanted, 0)
    if row is None:
        raise not_found(f"Unable to find trader with search param {wanted}")
    return {
        "result": {
            "address": row.address,
            "subaccountNumber": row.number,
            "subaccountId": row.id,
            "username": f"Sim{row.id[:8]}",
        }
    }

"""The Indexer's trade history: fills replayed per market into opens, extensions and closes, flips split in two
(dydxprotocol/v4-chain indexer/services/comlink/src/lib/trade-history.ts)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from dydx_console.sim.indexer.rows import ZERO, FillRow
from dydx_console.sim.indexer.shapes import Json, side_of
from dydx_console.sim.indexer.text import iso, number, plus, ratio, times


@dataclass(slots=True)
class _Life:
    """One position life: signed size, average entry, and sums since it was opened."""

    size: Decimal = ZERO
    entry: Decimal = ZERO
    fees: Decimal = ZERO
    realized: Decimal = ZERO
    closed_cost: Decimal = ZERO


OrderTypes = Callable[[str | None], str | None]


def trade_history(fills: Iterable[FillRow], order_types: OrderTypes) -> list[Json]:
    """Rows of one or more subaccounts, newest first; `order_types` gives an order's type by its id."""
    rows: list[Json] = []
    ordered = sorted(fills, key=lambda f: (f.subaccount_number, f.market.ticker, f.event_id))
    for _, group in groupby(ordered, key=lambda f: (f.subaccount_number, f.market.ticker)):
        rows += _replay(list(group), order_types)
    return sorted(rows, key=lambda row: (row["time"], row["id"]), reverse=True)


def _replay(fills: list[FillRow], order_types: OrderTypes) -> Iterator[Json]:
    """Fills of one order in one block are one row; one without an order, as of a liquidation, is a row by itself."""
    life = _Life()
    groups: dict[object, list[FillRow]] = {}
    for fill in fills:
        groups.setdefault(fill.id if fill.order_id is None else (fill.order_id, fill.height), []).append(fill)
    for part in groups.values():
        size = sum((fill.size for fill in part), ZERO)
        price = ratio(sum((times(f.size, f.price) for f in part), ZERO), size)
        fee = sum((fill.fee for fill in part), ZERO)
        last = part[-1]
        step = _Step(last, price, order_types(last.order_id))
        signed = size if last.side == "BUY" else -size
        closing = min(size, abs(life.size)) if life.size * signed < 0 else ZERO
        if ZERO < closing < size:
            share = ratio(times(fee, closing), size)
            yield _apply(life, step, closing.copy_sign(signed), share, ":close")
            yield _apply(life, step, (size - closing).copy_sign(signed), fee - share, ":open")
        else:
            yield _apply(life, step, signed, fee)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one row is made of: the last of its fills, their average price, the type of their order."""

    fill: FillRow
    price: Decimal
    order_type: str | None

    @property
    def id(self) -> str:
        """The order and its block, or the fill where there is no order."""
        return self.fill.id if self.fill.order_id is None else f"{self.fill.order_id}:{self.fill.height}"


def _action(life: _Life, fill: FillRow, after: Decimal) -> str:
    if life.size == 0:
        return "OPEN"
    if life.size * (after - life.size) > 0:
        return "EXTEND"
    forced = "LIQUIDATION_" if fill.order_id is None else ""
    return f"{forced}CLOSE" if after == 0 else f"{forced}PARTIAL_CLOSE"


def _apply(life: _Life, step: _Step, signed: Decimal, fee: Decimal, suffix: str = "") -> Json:
    fill, price = step.fill, step.price
    before, after = life.size, life.size + signed
    action = _action(life, fill, after)
    if action == "OPEN":
        life.entry, life.fees, life.realized, life.closed_cost = price, ZERO, ZERO, ZERO
    elif action == "EXTEND":
        life.entry = ratio(plus(times(life.entry, abs(before)), times(price, abs(signed))), abs(after))
    else:
        sign = 1 if before > 0 else -1
        life.realized = plus(life.realized, times(price - life.entry, abs(signed)) * sign)
        life.closed_cost = plus(life.closed_cost, times(life.entry, abs(signed)))
    life.fees += fee
    life.size = after
    return {
        "id": step.id + suffix,
        "subaccountNumber": fill.subaccount_number,
        "action": action,
        "executionPrice": number(price),
        "entryPrice": number(life.entry),
        "side": fill.side,
        "positionSide": None if after == 0 else side_of(after),
        "prevSize": number(abs(before)),
        "additionalSize": number(signed),
        "value": number(times(price, abs(signed))),
        "orderType": step.order_type,
        "netFee": number(life.fees),
        "netRealizedPnl": number(life.realized),
        "netRealizedPnlPercent": number(ratio(life.realized, life.closed_cost)) if life.closed_cost else None,
        "time": iso(fill.created_ms),
        "orderId": fill.order_id,
        "marketId": fill.market.ticker,
        "marginMode": "ISOLATED" if fill.market.isolated else "CROSS",
    }

"""The Indexer's trade history: fills replayed per market into opens, extensions and closes, flips split in two
(dydxprotocol/v4-chain indexer/services/comlink/src/lib/trade-history.ts)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def trade_history(fills: Iterable[FillRow]) -> list[Json]:
    """Rows of one or more subaccounts, newest first."""
    rows: list[tuple[str, Json]] = []
    ordered = sorted(fills, key=lambda f: (f.subaccount_number, f.market.ticker, f.event_id))
    for _, group in groupby(ordered, key=lambda f: (f.subaccount_number, f.market.ticker)):
        rows += _replay(list(group))
    rows.sort(key=lambda item: item[0])
    return [row for _, row in reversed(rows)]


def _replay(fills: list[FillRow]) -> Iterator[tuple[str, Json]]:
    life = _Life()
    for _, group in groupby(fills, key=lambda f: (f.order_id, f.height)):
        part = list(group)
        size = sum((fill.size for fill in part), ZERO)
        price = ratio(sum((times(f.size, f.price) for f in part), ZERO), size)
        fee = sum((fill.fee for fill in part), ZERO)
        last = part[-1]
        signed = size if last.side == "BUY" else -size
        closing = min(size, abs(life.size)) if life.size * signed < 0 else ZERO
        if ZERO < closing < size:
            share = ratio(times(fee, closing), size)
            yield last.event_id, _apply(life, last, closing.copy_sign(signed), price, share)
            yield last.event_id, _apply(life, last, (size - closing).copy_sign(signed), price, fee - share)
        else:
            yield last.event_id, _apply(life, last, signed, price, fee)


def _apply(life: _Life, fill: FillRow, signed: Decimal, price: Decimal, fee: Decimal) -> Json:
    before, after = life.size, life.size + signed
    closing = before * signed < 0
    if before == 0:
        life.entry, life.fees, life.realized, life.closed_cost = price, ZERO, ZERO, ZERO
        action = "OPEN"
    elif closing:
        sign = 1 if before > 0 else -1
        life.realized = plus(life.realized, times(price - life.entry, abs(signed)) * sign)
        life.closed_cost = plus(life.closed_cost, times(life.entry, abs(signed)))
        action = "CLOSE" if after == 0 else "PARTIAL_CLOSE"
    else:
        cost = plus(times(life.entry, abs(before)), times(price, abs(signed)))
        life.entry = ratio(cost, abs(after))
        action = "EXTEND"
    life.fees += fee
    life.size = after
    shown = before if after == 0 else after
    return {
        "id": f"{fill.order_id}:{fill.height}",
        "subaccountNumber": fill.subaccount_number,
        "action": action,
        "executionPrice": number(price),
        "entryPrice": number(life.entry),
        "side": fill.side,
        "positionSide": side_of(shown) if after != 0 else None,
        "prevSize": number(abs(before)),
        "additionalSize": number(-abs(signed) if closing else abs(signed)),
        "value": number(times(price, abs(signed))),
        "orderType": "LIMIT",
        "netFee": number(life.fees),
        "netRealizedPnl": number(life.realized),
        "netRealizedPnlPercent": number(ratio(life.realized, life.closed_cost)) if life.closed_cost else None,
        "time": iso(fill.created_ms),
        "orderId": fill.order_id,
        "marketId": fill.market.ticker,
        "marginMode": "ISOLATED" if fill.subaccount_number >= 128 else "CROSS",
    }

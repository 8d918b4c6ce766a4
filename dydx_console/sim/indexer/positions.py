"""How ender keeps position rows, with the oddities that a client must survive.

Step 1 (subaccount update) is authoritative for size; step 2 (fill) only moves the sums and prices, on the row with the
latest open event. So a fill through zero is booked whole on the new row. Sources: dydxprotocol/v4-chain
indexer/services/ender/src/scripts/handlers/dydx_subaccount_update_handler.sql,
…/helpers/{dydx_update_perpetual_position_aggregate_fields,dydx_apply_fill_realized_effects}.sql.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from dydx_console.sim.core.events import PositionState
from dydx_console.sim.core.markets import Market, scaled
from dydx_console.sim.indexer.rows import CLOSED, ZERO, PositionRow, SubaccountRow
from dydx_console.sim.indexer.shapes import side_of
from dydx_console.sim.indexer.text import plus, ratio, times, uuid5

KEPT_POSITIONS = 2_000


@dataclass(frozen=True, slots=True)
class Moment:
    """The event that a row comes from, and its block."""

    event_id: str
    height: int
    time_ms: int


def apply_update(owner: SubaccountRow, market: Market, state: PositionState, moment: Moment) -> list[PositionRow]:
    """Step 1: take the chain's size and settled funding; returns the rows touched (two on a flip)."""
    size = market.size(state.quantums)
    funding = scaled(-state.funding_quote_quantums, -6)
    row = owner.open_positions.get(market.perpetual_id)
    if row is None:
        return [] if size == 0 else [_open(owner, market, size, moment, None)]
    row.settled_funding = plus(row.settled_funding, funding)
    if size * row.size > 0:
        row.size = size
        row.max_size = max(row.max_size, size)
        return [row]
    row.status = CLOSED
    row.size = ZERO
    row.closed_ms = moment.time_ms
    del owner.open_positions[market.perpetual_id]
    if size == 0:
        return [row]
    return [row, _open(owner, market, size, moment, row.total_realized_pnl)]


def _open(
    owner: SubaccountRow, market: Market, size: Decimal, moment: Moment, inherited_pnl: Decimal | None
) -> PositionRow:
    row = PositionRow(
        id=uuid5(f"{owner.id}-{market.perpetual_id}-{moment.event_id}"),
        subaccount_id=owner.id,
        address=owner.address,
        subaccount_number=owner.number,
        market=market,
        side=side_of(size),
        size=size,
        max_size=size,
        created_ms=moment.time_ms,
        created_height=moment.height,
        total_realized_pnl=inherited_pnl,
    )
    owner.open_positions[market.perpetual_id] = row
    owner.latest_positions[market.perpetual_id] = row
    owner.positions.append(row)
    if len(owner.positions) > KEPT_POSITIONS:
        del owner.positions[0]
    return row


def apply_fill(
    row: PositionRow, side: str, size: Decimal, price: Decimal, fee: Decimal | None
) -> tuple[Decimal, Decimal]:
    """Step 2: sums, average prices and the realized total; returns (size before, entry price before).

    The realized total leaves liquidations and deleveraging out: for them `fee` is None.
    """
    before = row.sum_open - row.sum_close
    entry_before = row.entry_price
    opening = (side == "BUY") == (row.side == "LONG")
    gained = ZERO
    if opening:
        row.entry_price = _average(row.entry_price, row.sum_open, price, size)
        row.sum_open += size
    else:
        sign = 1 if row.side == "LONG" else -1
        gained = times(price - entry_before, min(size, before) * sign)
        row.exit_price = _average(row.exit_price or ZERO, row.sum_close, price, size)
        row.sum_close += size
    if fee is not None:
        row.total_realized_pnl = plus(row.total_realized_pnl or ZERO, gained - fee)
    return before, entry_before


def _average(price: Decimal, weight: Decimal, new_price: Decimal, new_weight: Decimal) -> Decimal:
    return ratio(plus(times(price, weight), times(new_price, new_weight)), weight + new_weight)

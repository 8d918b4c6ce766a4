"""A market's status changes with a block, as governance has it.

Source: dydxprotocol/v4-chain protocol/x/clob/keeper/{clob_pair,final_settlement}.go.
"""

from __future__ import annotations

from dydx_console.sim.core.events import ChainEvent, StatefulRemoved, StatusChanged
from dydx_console.sim.core.orders import RemovalReason
from dydx_console.sim.core.state import MarketStatus, NodeState


def change_status(state: NodeState, clob_pair_id: int, status: MarketStatus) -> list[ChainEvent]:
    """Apply a status. A market that settles loses all its orders; its positions stay."""
    state.statuses[clob_pair_id] = status
    events: list[ChainEvent] = [StatusChanged(clob_pair_id, status.value)]
    if status is not MarketStatus.FINAL_SETTLEMENT:
        return events
    reason = RemovalReason.FINAL_SETTLEMENT
    for resting in tuple(state.books[clob_pair_id].resting()):
        if resting.order.id.short_term:
            state.remove(resting.order.id, resting.order, reason)
    for orders in (state.stateful, state.untriggered):
        for order in [order for order in orders.values() if order.id.clob_pair_id == clob_pair_id]:
            del orders[order.id]
            state.take_off_book(order.id)
            events.append(StatefulRemoved(order, reason, state.filled.get(order.id, 0)))
    return events

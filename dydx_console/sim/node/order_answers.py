"""Stateful orders as of the last block: dydxprotocol.clob.Query/StatefulOrder.

Source: dydxprotocol/v4-chain protocol/x/clob/keeper/grpc_query_stateful_order.go.
"""

from __future__ import annotations

from v4_proto.dydxprotocol.clob.order_pb2 import LongTermOrderPlacement, TransactionOrdering
from v4_proto.dydxprotocol.clob.order_pb2 import Order as OrderMessage
from v4_proto.dydxprotocol.clob.order_pb2 import OrderId as OrderIdMessage
from v4_proto.dydxprotocol.clob.query_pb2 import QueryStatefulOrderRequest, QueryStatefulOrderResponse
from v4_proto.dydxprotocol.subaccounts.subaccount_pb2 import SubaccountId as SubaccountIdMessage

from dydx_console.sim.core.orders import CONDITIONAL, Order, OrderId, SubaccountId
from dydx_console.sim.node.refusals import Code, QueryRefusedError
from dydx_console.sim.venue import Venue


def stateful_order(venue: Venue, request: QueryStatefulOrderRequest) -> QueryStatefulOrderResponse:
    """A long-term or conditional order that is in state, and how much of it is filled."""
    wire = request.order_id
    who = SubaccountId(wire.subaccount_id.owner, wire.subaccount_id.number)
    placement = venue.exchange.committed.placements.get(
        OrderId(who, wire.client_id, wire.order_flags, wire.clob_pair_id)
    )
    if placement is None:
        raise QueryRefusedError(Code.NOT_FOUND, "not found")
    return QueryStatefulOrderResponse(
        order_placement=LongTermOrderPlacement(
            order=_order(placement.order),
            placement_index=TransactionOrdering(
                block_height=placement.height, transaction_index=placement.transaction_index
            ),
        ),
        fill_amount=placement.filled_quantums,
        triggered=placement.triggered and wire.order_flags == CONDITIONAL,
    )


def _order(order: Order) -> OrderMessage:
    return OrderMessage(
        order_id=OrderIdMessage(
            subaccount_id=SubaccountIdMessage(owner=order.id.subaccount.owner, number=order.id.subaccount.number),
            client_id=order.id.client_id,
            order_flags=order.id.flags,
            clob_pair_id=order.id.clob_pair_id,
        ),
        side=order.side.value,
        quantums=order.quantums,
        subticks=order.subticks,
        good_til_block_time=order.good_til_block_time_s or 0,
        time_in_force=order.time_in_force.value,
        reduce_only=order.reduce_only,
        client_metadata=order.client_metadata,
        condition_type=order.condition.value,
        conditional_order_trigger_subticks=order.trigger_subticks,
    )

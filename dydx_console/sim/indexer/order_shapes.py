"""Orders as JSON objects: vulcan's placements and removals, ender's whole rows, REST's merge of both.

Sources: dydxprotocol/v4-chain indexer/services/vulcan/src/handlers, indexer/services/ender/src/helpers/kafka-helper.ts,
indexer/services/comlink/src/request-helpers/request-transformer.ts.
"""

from __future__ import annotations

from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Order, TimeInForce
from dydx_console.sim.indexer.rows import ORDER_TYPE, TIME_IN_FORCE, OrderRow, SubaccountRow
from dydx_console.sim.indexer.shapes import Json
from dydx_console.sim.indexer.text import iso, iso_seconds, number


def order_type(order: Order) -> str:
    """An order's type as Postgres has it; vulcan looks at the condition alone and calls a TWAP parent LIMIT."""
    return "TWAP" if order.twap is not None else ORDER_TYPE[order.condition]


def good_til(order: Order) -> Json:
    """The good-til field that an order has."""
    if order.good_til_block is not None:
        return {"goodTilBlock": str(order.good_til_block)}
    return {"goodTilBlockTime": iso_seconds(order.good_til_block_time_s or 0)}


def order_head(order_id: str, owner: SubaccountRow, order: Order) -> Json:
    """The fields that every order object begins with."""
    return {
        "id": order_id,
        "subaccountId": owner.id,
        "clientId": str(order.id.client_id),
        "clobPairId": str(order.id.clob_pair_id),
    }


def order_opened(order_id: str, owner: SubaccountRow, market: Market, order: Order, status: str) -> Json:
    """A placement as vulcan tells it: no `totalFilled`, and no heights (see `row_heights`)."""
    return {
        **order_head(order_id, owner, order),
        "side": order.side.name,
        "size": number(market.size(order.quantums)),
        "price": number(market.price(order.subticks)),
        "status": status,
        "type": ORDER_TYPE[order.condition],
        "timeInForce": TIME_IN_FORCE[order.time_in_force],
        "postOnly": order.time_in_force is TimeInForce.POST_ONLY,
        "reduceOnly": order.reduce_only,
        "orderFlags": str(order.id.flags),
        **good_til(order),
        "ticker": market.ticker,
    }


def order_removed(
    order_id: str, owner: SubaccountRow, market: Market, order: Order, *, status: str, reason: str, filled: Json
) -> Json:
    """A removal as vulcan tells it; `filled` is {"totalOptimisticFilled": …} or {"totalFilled": …}."""
    return {
        **order_head(order_id, owner, order),
        "side": order.side.name,
        "size": number(market.size(order.quantums)),
        **filled,
        "price": number(market.price(order.subticks)),
        "type": ORDER_TYPE[order.condition],
        "status": status,
        "timeInForce": TIME_IN_FORCE[order.time_in_force],
        "postOnly": order.time_in_force is TimeInForce.POST_ONLY,
        "reduceOnly": order.reduce_only,
        "orderFlags": str(order.id.flags),
        **good_til(order),
        "ticker": market.ticker,
        "removalReason": f"ORDER_REMOVAL_REASON_{reason}",
    }


def row_heights(row: OrderRow) -> Json:
    """When an order row came and last changed; nothing for a TWAP parent, which vulcan takes for a short-term order."""
    if row.order.twap is not None:
        return {}
    return {
        "createdAtHeight": str(row.created_height),
        "updatedAt": iso(row.updated_ms),
        "updatedAtHeight": str(row.updated_height),
    }


def order_tail(order: Order, market: Market) -> Json:
    """Client metadata, and the trigger of a conditional order."""
    tail: Json = {"clientMetadata": str(order.client_metadata)}
    if order.trigger_subticks:
        tail["triggerPrice"] = number(market.price(order.trigger_subticks))
    return tail


def order_row_stream(row: OrderRow, owner: SubaccountRow, market: Market) -> Json:
    """The whole row as ender sends it, with its nulls."""
    order = row.order
    stateful = order.good_til_block_time_s is not None
    return {
        "id": row.id,
        "side": order.side.name,
        "size": number(market.size(order.quantums)),
        "type": order_type(order),
        "price": number(market.price(order.subticks)),
        "feePpm": None if order.builder_fee_ppm is None else str(order.builder_fee_ppm),
        "status": row.status,
        "clientId": str(order.id.client_id),
        "duration": None if order.twap is None else str(order.twap.duration_s),
        "interval": None if order.twap is None else str(order.twap.interval_s),
        "createdAt": iso(row.created_ms),
        "updatedAt": iso(row.updated_ms),
        "clobPairId": str(order.id.clob_pair_id),
        "orderFlags": str(order.id.flags),
        "reduceOnly": order.reduce_only,
        "timeInForce": TIME_IN_FORCE[order.time_in_force],
        "totalFilled": number(row.total_filled),
        "goodTilBlock": None if stateful else str(order.good_til_block),
        "subaccountId": owner.id,
        "triggerPrice": number(market.price(order.trigger_subticks)) if order.trigger_subticks else None,
        "builderAddress": order.builder_address,
        "clientMetadata": str(order.client_metadata),
        "priceTolerance": None if order.twap is None else str(order.twap.tolerance_ppm),
        "createdAtHeight": str(row.created_height),
        "updatedAtHeight": str(row.updated_height),
        "goodTilBlockTime": iso_seconds(order.good_til_block_time_s or 0) if stateful else None,
        "orderRouterAddress": "",
        "postOnly": order.time_in_force is TimeInForce.POST_ONLY,
        "ticker": market.ticker,
    }


def order_rest(owner: SubaccountRow, market: Market, row: OrderRow, cached: Order | None) -> Json:
    """An order of Postgres; while Redis knows it too, size, price and good-til are Redis's."""
    order = cached or row.order
    result = {
        **order_head(row.id, owner, order),
        "side": order.side.name,
        "size": number(market.size(order.quantums)),
        "totalFilled": number(row.total_filled),
        "price": number(market.price(order.subticks)),
        "type": order_type(order),
        "status": row.status,
        "timeInForce": TIME_IN_FORCE[order.time_in_force],
        "reduceOnly": order.reduce_only,
        "orderFlags": str(order.id.flags),
        **good_til(order),
        "createdAtHeight": str(row.created_height),
        **order_tail(order, market),
        "updatedAt": iso(row.updated_ms),
        "updatedAtHeight": str(row.updated_height),
        "orderRouterAddress": "",
        "postOnly": order.time_in_force is TimeInForce.POST_ONLY,
        "ticker": market.ticker,
        "subaccountNumber": owner.number,
    }
    if order.builder_address is not None:
        result |= {"builderAddress": order.builder_address, "feePpm": str(order.builder_fee_ppm)}
    if order.twap is not None:
        result |= {
            "duration": str(order.twap.duration_s),
            "interval": str(order.twap.interval_s),
            "priceTolerance": str(order.twap.tolerance_ppm),
        }
    return result


def order_cached(order_id: str, owner: SubaccountRow, market: Market, order: Order) -> Json:
    """An order that only Redis knows: BEST_EFFORT_OPENED, nothing filled, type LIMIT whatever it is."""
    return {
        **order_head(order_id, owner, order),
        "side": order.side.name,
        "size": number(market.size(order.quantums)),
        "totalFilled": "0",
        "price": number(market.price(order.subticks)),
        "type": "LIMIT",
        "status": "BEST_EFFORT_OPENED",
        "timeInForce": TIME_IN_FORCE[order.time_in_force],
        "postOnly": order.time_in_force is TimeInForce.POST_ONLY,
        "reduceOnly": order.reduce_only,
        **good_til(order),
        "ticker": market.ticker,
        "orderFlags": str(order.id.flags),
        "clientMetadata": str(order.client_metadata),
        "subaccountNumber": owner.number,
        "orderRouterAddress": "",
    }

"""Price-time matching of one incoming order against a book.

Rules: dydxprotocol/v4-chain protocol/x/clob/memclob/memclob.go. A match changes positions and balances at once (the
node's check state) and waits in `pending_operations` for the next block.
"""

from __future__ import annotations

from dydx_console.sim.core.book import Book, Resting
from dydx_console.sim.core.events import Filled, OrderRemoved, StatefulRemoved
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Order, RemovalReason, TimeInForce
from dydx_console.sim.core.state import NodeState

REWARD_PER_FEE = 2 * 10**12


def match(state: NodeState, taker: Order) -> None:
    """Match an order and then rest, drop or finish it. The caller has checked that it may be placed."""
    market = state.markets[taker.id.clob_pair_id]
    book = state.books[market.clob_pair_id]
    reason = _take(state, market, book, taker)
    remaining = state.remaining(taker)
    if remaining == 0:
        state.stateful.pop(taker.id, None)
        return
    if reason is None and taker.time_in_force is TimeInForce.IOC:
        reason = RemovalReason.IOC
    if reason is not None:
        drop(state, taker, reason)
        return
    total = book.add(taker, remaining)
    state.emit_level(market.clob_pair_id, taker.side, taker.subticks, total)


def drop(state: NodeState, order: Order, reason: RemovalReason) -> None:
    """Remove an order for a reason found while matching: at once in memory and, when stateful, in the next block."""
    state.take_off_book(order.id)
    filled = state.filled.get(order.id, 0)
    state.emit(OrderRemoved(order.id, order, reason, filled, final=False))
    if not order.id.short_term and state.stateful.pop(order.id, None) is not None:
        state.pending_operations.append(StatefulRemoved(order, reason, filled))


def _take(state: NodeState, market: Market, book: Book, taker: Order) -> RemovalReason | None:
    while (remaining := state.remaining(taker)) > 0:
        maker = book.best_for(taker.side, taker.subticks)
        if maker is None:
            return None
        if taker.time_in_force is TimeInForce.POST_ONLY:
            return RemovalReason.POST_ONLY
        if maker.order.id.subaccount == taker.id.subaccount:
            drop(state, maker.order, RemovalReason.SELF_TRADE_ERROR)
            continue
        quantums = min(remaining, maker.remaining_quantums)
        if taker.reduce_only:
            quantums = min(quantums, _reducible(state, market, taker))
            if quantums == 0:
                return RemovalReason.REDUCE_ONLY_RESIZE
        if not _funded(state, market, taker, maker.order.subticks, quantums):
            return RemovalReason.UNDERCOLLATERALIZED
        if not _funded(state, market, maker.order, maker.order.subticks, quantums):
            drop(state, maker.order, RemovalReason.UNDERCOLLATERALIZED)
            continue
        _fill(state, market, taker, maker, quantums)
    return None


def _reducible(state: NodeState, market: Market, taker: Order) -> int:
    held = state.accounts.position_quantums(taker.id.subaccount, market.perpetual_id)
    return abs(held) if held * taker.side.sign < 0 else 0


def _funded(state: NodeState, market: Market, order: Order, subticks: int, quantums: int) -> bool:
    quote = market.quote_quantums(subticks, quantums)
    return state.accounts.can_trade(order.id.subaccount, market, order.side, quantums, quote)


def _fill(state: NodeState, market: Market, taker: Order, maker: Resting, quantums: int) -> None:
    maker_order = maker.order
    subticks = maker_order.subticks
    quote = market.quote_quantums(subticks, quantums)
    taker_fee = state.fees.taker(taker.id.subaccount.owner, quote)
    maker_fee = state.fees.maker(maker_order.id.subaccount.owner, quote)
    for order, fee in ((taker, taker_fee), (maker_order, maker_fee)):
        subaccount = order.id.subaccount
        paid = state.accounts.settle_funding(subaccount)
        state.accounts.trade(subaccount, market, order.side, quantums=quantums, quote=quote, fee=fee)
        state.filled[order.id] = state.filled.get(order.id, 0) + quantums
        state.pending_operations.append(state.accounts.snapshot(subaccount, paid, market.perpetual_id))
    filled = state.filled
    state.pending_operations.append(
        Filled(
            maker_order,
            taker,
            quantums,
            subticks,
            quote,
            maker_fee,
            taker_fee,
            filled[maker_order.id],
            filled[taker.id],
        )
    )
    total = state.books[market.clob_pair_id].reduce(maker, quantums)
    if maker.remaining_quantums == 0:
        state.stateful.pop(maker_order.id, None)
    state.emit_level(market.clob_pair_id, maker_order.side, subticks, total)
    low, high = state.traded_subticks.get(market.clob_pair_id, (subticks, subticks))
    state.traded_subticks[market.clob_pair_id] = (min(low, subticks), max(high, subticks))
    owner = taker.id.subaccount.owner
    state.rewards[owner] = state.rewards.get(owner, 0) + taker_fee * REWARD_PER_FEE

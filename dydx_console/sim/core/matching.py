"""Price-time matching of one incoming order against a book.

Rules: dydxprotocol/v4-chain protocol/x/clob/memclob/memclob.go. A match changes positions and balances at once (the
node's check state) and waits in `pending_operations` for the next block.
"""

from __future__ import annotations

from typing import NamedTuple

from dydx_console.sim.core.book import Book, Resting
from dydx_console.sim.core.events import Filled, OrderRemoved, StatefulRemoved
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Order, RemovalReason, TimeInForce
from dydx_console.sim.core.state import NodeState

REWARD_PER_FEE = 2 * 10**12


class _Terms(NamedTuple):
    """A match in quantums and micro-USDC."""

    quantums: int
    quote: int
    taker_fee: int
    maker_fee: int


def match(state: NodeState, taker: Order) -> RemovalReason | None:
    """Match an order and then rest, drop or finish it; returns why it was dropped, if it was.

    The caller has checked that it may be placed. Collateral is checked for each fill and for nothing else: what rests
    has not been asked for any.
    """
    market = state.markets[taker.id.clob_pair_id]
    book = state.books[market.clob_pair_id]
    reason = _take(state, market, book, taker)
    remaining = state.remaining(taker)
    if remaining == 0:
        state.leave(taker.id)
        return None
    if reason is None and taker.time_in_force is TimeInForce.IOC:
        reason = RemovalReason.IOC
    if reason is not None:
        drop(state, taker, reason)
        return reason
    total = book.add(taker, remaining)
    state.emit_level(market.clob_pair_id, taker.side, taker.subticks, total)
    return None


def drop(state: NodeState, order: Order, reason: RemovalReason) -> None:
    """Remove an order for a reason found while matching: at once in memory and, when stateful, in the next block."""
    state.take_off_book(order.id)
    filled = state.filled.get(order.id, 0)
    state.emit(OrderRemoved(order.id, order, reason, filled, final=False))
    if not order.id.short_term and state.leave(order.id):
        state.pending_operations.append(StatefulRemoved(order, reason, filled))


def _take(state: NodeState, market: Market, book: Book, taker: Order) -> RemovalReason | None:
    while (remaining := state.remaining(taker)) > 0:
        maker = book.best_for(taker.side, taker.subticks)
        if maker is None:
            return None
        unfit = _unfit(state, maker.order, taker)
        if unfit is not None:
            drop(state, maker.order, unfit)
            continue
        quantums = min(remaining, maker.remaining_quantums)
        if taker.reduce_only:
            quantums = min(quantums, _reducible(state, market, taker))
            if quantums == 0:
                return RemovalReason.REDUCE_ONLY_RESIZE
        terms = _terms(state, market, taker, maker, quantums)
        reason = _taker_fails(state, market, taker, terms)
        if not _funded(state, market, maker.order, terms, terms.maker_fee):
            drop(state, maker.order, RemovalReason.UNDERCOLLATERALIZED)
            if reason is None:
                continue
        if reason is None and taker.time_in_force is TimeInForce.POST_ONLY:
            reason = RemovalReason.POST_ONLY
        if reason is not None:
            return reason
        _fill(state, market, taker, maker, terms)
    return None


def _unfit(state: NodeState, maker: Order, taker: Order) -> RemovalReason | None:
    """Why a resting order cannot trade with this taker at all: its own, or one of a revoked key."""
    if maker.id.subaccount == taker.id.subaccount:
        return RemovalReason.SELF_TRADE_ERROR
    return RemovalReason.EXPIRED if state.revoked(maker.id) else None


def _taker_fails(state: NodeState, market: Market, taker: Order, terms: _Terms) -> RemovalReason | None:
    if state.accounts.breaks_isolation(taker.id.subaccount, market):
        return RemovalReason.ISOLATED
    return None if _funded(state, market, taker, terms, terms.taker_fee) else RemovalReason.UNDERCOLLATERALIZED


def _reducible(state: NodeState, market: Market, taker: Order) -> int:
    held = state.accounts.position_quantums(taker.id.subaccount, market.perpetual_id)
    return abs(held) if held * taker.side.sign < 0 else 0


def _terms(state: NodeState, market: Market, taker: Order, maker: Resting, quantums: int) -> _Terms:
    quote = market.quote_quantums(maker.order.subticks, quantums)
    taker_fee = state.fees.taker(taker.id.subaccount.owner, quote)
    return _Terms(quantums, quote, taker_fee, state.fees.maker(maker.order.id.subaccount.owner, quote))


def _funded(state: NodeState, market: Market, order: Order, terms: _Terms, fee: int) -> bool:
    if state.accounts.breaks_isolation(order.id.subaccount, market):
        return False
    return state.accounts.can_trade(order.id.subaccount, market, order.side, terms.quantums, terms.quote, fee=fee)


def _fill(state: NodeState, market: Market, taker: Order, maker: Resting, terms: _Terms) -> None:
    maker_order = maker.order
    quantums, quote = terms.quantums, terms.quote
    for order, fee in ((taker, terms.taker_fee), (maker_order, terms.maker_fee)):
        subaccount = order.id.subaccount
        paid = state.accounts.settle_funding(subaccount)
        state.accounts.trade(subaccount, market, order.side, quantums=quantums, quote=quote, fee=fee)
        state.filled[order.id] = state.filled.get(order.id, 0) + quantums
        state.matched[order.id] = order
        state.pending_operations.append(state.accounts.snapshot(subaccount, paid, market.perpetual_id))
    filled = state.filled
    state.pending_operations.append(
        Filled(
            maker_order,
            taker,
            quantums,
            maker_order.subticks,
            quote,
            terms.maker_fee,
            terms.taker_fee,
            filled[maker_order.id],
            filled[taker.id],
        )
    )
    take_from(state, market, maker, quantums)
    owner = taker.id.subaccount.owner
    state.rewards[owner] = state.rewards.get(owner, 0) + terms.taker_fee * REWARD_PER_FEE


def take_from(state: NodeState, market: Market, maker: Resting, quantums: int) -> None:
    """Take what was filled of a resting order off the book, and remember its price as traded in the coming block."""
    order, subticks = maker.order, maker.order.subticks
    total = state.books[market.clob_pair_id].reduce(maker, quantums)
    if maker.remaining_quantums == 0:
        state.leave(order.id)
    state.emit_level(market.clob_pair_id, order.side, subticks, total)
    low, high = state.traded_subticks.get(market.clob_pair_id, (subticks, subticks))
    state.traded_subticks[market.clob_pair_id] = (min(low, subticks), max(high, subticks))

"""CheckTx: what a node answers to a broadcast, and what it does with the transaction at once.

Codes are those of dydxprotocol/v4-chain protocol/x/clob/types/errors.go.
"""

from __future__ import annotations

from dydx_console.sim.core.events import OrderOpened, OrderRemoved
from dydx_console.sim.core.limits import stateful_orders_allowed
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.matching import match
from dydx_console.sim.core.orders import (
    CONDITIONAL,
    LONG_TERM,
    OK,
    SHORT_TERM,
    BatchCancel,
    Cancel,
    ConditionType,
    Order,
    OrderId,
    Place,
    RemovalReason,
    SubaccountId,
    TimeInForce,
    Transfer,
    Tx,
    TxAnswer,
    clob_error,
)
from dydx_console.sim.core.state import SHORT_BLOCK_WINDOW, STATEFUL_WINDOW_S, NodeState

MAX_BATCH = 100
MAX_SUBACCOUNT_NUMBER = 128_000
MAX_CLIENT_ID = 2**32 - 1


def check(state: NodeState, tx: Tx) -> TxAnswer:
    """Answer a transaction; short-term ones take effect now, the others wait for the next block."""
    match tx:
        case Place(order):
            return _place(state, tx, order)
        case Cancel():
            return _cancel(state, tx)
        case BatchCancel():
            return _batch_cancel(state, tx)
        case Transfer():
            return _transfer(state, tx)


def _place(state: NodeState, tx: Place, order: Order) -> TxAnswer:
    answer = _stateless(order)
    if not answer.ok:
        return answer
    market = state.markets.get(order.id.clob_pair_id)
    if market is None:
        return clob_error(8, "order has an invalid clob pair")
    if order.quantums % market.step_base_quantums or order.subticks % market.subticks_per_tick:
        return clob_error(12, "quantums or subticks are not a multiple of the market's step")
    if order.id.short_term:
        return _place_short_term(state, market, order)
    answer = _check_stateful(state, market, order)
    if answer.ok:
        state.pending_transactions.append(tx)
    return answer


def _stateless(order: Order) -> TxAnswer:
    checks = (
        (order.id.flags not in (SHORT_TERM, CONDITIONAL, LONG_TERM), 3000, "invalid order flag"),
        (order.quantums <= 0, 4, "order quantums must be positive"),
        (order.subticks <= 0, 6, "order subticks must be positive"),
        (order.time_in_force is TimeInForce.FILL_OR_KILL, 48, "fill-or-kill is deprecated"),
        (order.reduce_only and order.time_in_force is not TimeInForce.IOC, 9003, "reduce-only is disabled for non-IOC"),
        (order.id.short_term and order.good_til_block is None, 5, "good-til-block is missing"),
        (not order.id.short_term and order.good_til_block_time_s is None, 3001, "good-til-block-time is missing"),
        (
            order.id.flags == LONG_TERM and order.time_in_force is TimeInForce.IOC,
            3002,
            "long-term orders cannot be IOC",
        ),
        (
            (order.id.flags == CONDITIONAL) != (order.condition is not ConditionType.UNSPECIFIED),
            6000,
            "condition type does not fit the order flag",
        ),
        (
            (order.id.flags == CONDITIONAL) != (order.trigger_subticks > 0),
            6001,
            "conditional order trigger subticks do not fit the order flag",
        ),
        (not 0 <= order.id.client_id <= MAX_CLIENT_ID, 12, "client id is out of range"),
        (not 0 <= order.id.subaccount.number <= MAX_SUBACCOUNT_NUMBER, 12, "subaccount number is out of range"),
    )
    for failed, code, log in checks:
        if failed:
            return clob_error(code, log)
    return OK


def _check_good_til_block(state: NodeState, good_til_block: int | None) -> TxAnswer:
    if good_til_block is None or good_til_block < state.next_height:
        return clob_error(10, f"good-til-block {good_til_block} is below the next height {state.next_height}")
    if good_til_block > state.next_height + SHORT_BLOCK_WINDOW:
        return clob_error(11, f"good-til-block {good_til_block} is beyond {state.next_height + SHORT_BLOCK_WINDOW}")
    return OK


def _place_short_term(state: NodeState, market: Market, order: Order) -> TxAnswer:
    answer = _check_good_til_block(state, order.good_til_block)
    if answer.ok:
        answer = _check_memory(state, market, order)
    if not answer.ok:
        return answer
    held = state.short_term.get(order.id)
    if held is not None and state.take_off_book(order.id):
        filled = state.filled.get(order.id, 0)
        state.emit(OrderRemoved(order.id, held, RemovalReason.REPLACED, filled, final=False))
    state.remember(order)
    state.emit(OrderOpened(order))
    crosses = state.books[market.clob_pair_id].would_cross(order.side, order.subticks)
    match_order = not (order.time_in_force is TimeInForce.POST_ONLY and crosses)
    if match_order:
        match(state, order)
        return OK
    state.remove(order.id, order, RemovalReason.POST_ONLY)
    return clob_error(2003, "post-only order would cross one or more maker orders")


def _check_memory(state: NodeState, market: Market, order: Order) -> TxAnswer:
    tombstone = state.cancels.get(order.id)
    if tombstone is not None and tombstone >= (order.good_til_block or 0):
        return clob_error(7, "order was cancelled with an equal or higher good-til-block")
    held = state.short_term.get(order.id)
    filled = state.filled.get(order.id, 0)
    if held is not None:
        if filled and order.time_in_force is TimeInForce.IOC:
            return clob_error(2004, "IOC order is already filled")
        if (held.good_til_block or 0) >= (order.good_til_block or 0) or held.side is not order.side:
            return clob_error(20, "invalid order replacement")
    if order.quantums - filled < market.step_base_quantums:
        return clob_error(24, "order is fully filled")
    return _check_position_rules(state, market, order)


def _check_position_rules(state: NodeState, market: Market, order: Order) -> TxAnswer:
    subaccount = order.id.subaccount
    if state.accounts.get(subaccount) is None:
        return clob_error(2001, "subaccount holds nothing") if order.reduce_only else OK
    if state.accounts.breaks_isolation(subaccount, market):
        return clob_error(2005, "order would violate isolated subaccount constraints")
    if order.reduce_only:
        position = state.accounts.position_quantums(subaccount, market.perpetual_id)
        if position * order.side.sign >= 0:
            return clob_error(2001, "reduce-only order would increase the position size")
    return OK


def _check_stateful(state: NodeState, market: Market, order: Order) -> TxAnswer:
    now_s = state.time_ms // 1000
    good_til = order.good_til_block_time_s or 0
    if good_til <= now_s:
        return clob_error(3003, "good-til-block-time has passed")
    if good_til > now_s + STATEFUL_WINDOW_S:
        return clob_error(3004, "good-til-block-time is more than 95 days ahead")
    for pending in state.pending_transactions:
        if isinstance(pending, Cancel) and pending.order_id == order.id:
            return clob_error(3008, "stateful order was previously cancelled")
        if isinstance(pending, Place) and pending.order.id == order.id:
            return clob_error(3005, "stateful order already exists")
    if order.id in state.stateful or order.id in state.untriggered:
        return clob_error(3005, "stateful order already exists")
    answer = _check_equity_tier(state, order.id.subaccount)
    if not answer.ok or order.id.flags == CONDITIONAL:
        return answer
    answer = _check_position_rules(state, market, order)
    if answer.ok and not _affordable(state, market, order):
        return clob_error(3007, "stateful order fails its collateralization check")
    return answer


def _check_equity_tier(state: NodeState, subaccount: SubaccountId) -> TxAnswer:
    """Open stateful orders of a subaccount by its equity, those that wait for the next block included."""
    account = state.accounts.get(subaccount)
    allowed = 0 if account is None else stateful_orders_allowed(state.accounts.equity(account))
    held = [
        *state.stateful,
        *state.untriggered,
        *(p.order.id for p in state.pending_transactions if isinstance(p, Place)),
    ]
    if sum(order_id.subaccount == subaccount for order_id in held) >= allowed:
        return clob_error(10001, f"opening order would exceed equity tier limit of {allowed}")
    return OK


def _affordable(state: NodeState, market: Market, order: Order) -> bool:
    quote = market.quote_quantums(order.subticks, order.quantums)
    return state.accounts.can_trade(order.id.subaccount, market, order.side, order.quantums, quote)


def _cancel(state: NodeState, tx: Cancel) -> TxAnswer:
    if tx.order_id.clob_pair_id not in state.markets:
        return clob_error(8, "cancel has an invalid clob pair")
    if tx.order_id.short_term:
        return _cancel_short_term(state, tx)
    order = state.stateful.get(tx.order_id) or state.untriggered.get(tx.order_id) or _pending_place(state, tx)
    if order is None:
        return clob_error(3006, "stateful order does not exist")
    if tx.good_til_block_time_s is None or tx.good_til_block_time_s < (order.good_til_block_time_s or 0):
        return clob_error(29, "cancel has a lower good-til-block-time than the order")
    if tx.good_til_block_time_s <= state.time_ms // 1000:
        return clob_error(3003, "good-til-block-time has passed")
    if any(isinstance(p, Cancel) and p.order_id == tx.order_id for p in state.pending_transactions):
        return clob_error(32, "stateful order cancellation already exists")
    state.pending_transactions.append(tx)
    return OK


def _pending_place(state: NodeState, tx: Cancel) -> Order | None:
    for pending in state.pending_transactions:
        if isinstance(pending, Place) and pending.order.id == tx.order_id:
            return pending.order
    return None


def _cancel_short_term(state: NodeState, tx: Cancel) -> TxAnswer:
    answer = _check_good_til_block(state, tx.good_til_block)
    if not answer.ok:
        return answer
    good_til_block = tx.good_til_block or 0
    if state.cancels.get(tx.order_id, -1) >= good_til_block:
        return clob_error(9, "a cancel with an equal or higher good-til-block exists")
    state.cancels[tx.order_id] = good_til_block
    state.expiring.setdefault(good_til_block, {})[tx.order_id] = None
    held = state.short_term.get(tx.order_id)
    if held is not None and good_til_block < (held.good_til_block or 0):
        # The order lives on; the Indexer is told that it was cancelled all the same.
        state.emit(
            OrderRemoved(tx.order_id, held, RemovalReason.USER_CANCELED, state.filled.get(tx.order_id, 0), final=False)
        )
        return OK
    state.remove(tx.order_id, held, RemovalReason.USER_CANCELED)
    return OK


def _batch_cancel(state: NodeState, tx: BatchCancel) -> TxAnswer:
    ids = [(pair, client) for pair, clients in tx.client_ids_by_pair for client in clients]
    if not 1 <= len(ids) <= MAX_BATCH or len(set(ids)) != len(ids):
        return clob_error(45, "a batch needs 1 to 100 different cancels")
    for pair, client in ids:
        # Failures stay inside: the broadcast answers 0 whatever becomes of each cancel (protocol/x/clob/ante/clob.go).
        check(state, Cancel(OrderId(tx.subaccount, client, SHORT_TERM, pair), good_til_block=tx.good_til_block))
    return OK


def _transfer(state: NodeState, tx: Transfer) -> TxAnswer:
    if tx.quote_quantums <= 0:
        return TxAnswer(4, "sending", "amount must be positive")
    if isinstance(tx.sender, SubaccountId) and not state.accounts.can_pay(tx.sender, tx.quote_quantums):
        return TxAnswer(5, "sdk", "insufficient funds")
    state.pending_transactions.append(tx)
    return OK

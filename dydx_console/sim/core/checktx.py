"""CheckTx: what a node answers to a broadcast, and what it does with the transaction at once.

Order and codes of the checks are those of dydxprotocol/v4-chain protocol/x/clob/{types/message_*.go,keeper/orders.go,
memclob/memclob.go,types/errors.go}.
"""

from __future__ import annotations

from dydx_console.sim.core.events import OrderOpened, OrderRemoved
from dydx_console.sim.core.limits import stateful_orders_allowed
from dydx_console.sim.core.markets import ONE_MILLION, Market
from dydx_console.sim.core.matching import match
from dydx_console.sim.core.orders import (
    CONDITIONAL,
    LONG_TERM,
    OK,
    SHORT_TERM,
    TWAP,
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
from dydx_console.sim.core.state import STATEFUL_WINDOW_S, MarketStatus, NodeState
from dydx_console.sim.core.transactions import Bundle, Message
from dydx_console.sim.core.uncommitted import Uncommitted

MAX_BATCH = 100
MAX_SUBACCOUNT_NUMBER = 128_000
MAX_CLIENT_ID = 2**32 - 1
MAX_BUILDER_FEE_PPM = 10_000
MIN_TWAP_INTERVAL_S, MAX_TWAP_INTERVAL_S = 30, 3_600
MIN_TWAP_DURATION_S, MAX_TWAP_DURATION_S = 300, 86_400
KINDS = (SHORT_TERM, CONDITIONAL, LONG_TERM, TWAP)


def check(state: NodeState, tx: Tx) -> TxAnswer:
    """Answer one message; short-term ones take effect now, the others wait for the next block."""
    return check_bundle(state, Bundle((tx,)))


def check_bundle(state: NodeState, bundle: Bundle) -> TxAnswer:
    """Answer messages that travel together: all of them wait for the next block, or one refusal is for all."""
    match bundle.messages:
        case (Place(order),) if order.id.short_term:
            return _place_now(state, order)
        case (Cancel(order_id) as cancel,) if order_id.short_term:
            return _cancel_now(state, cancel)
        case (BatchCancel() as batch,):
            return _batch_cancel(state, batch)
    uncommitted = Uncommitted.of(state.waiting)
    for message in bundle.messages:
        answer = _check_message(state, uncommitted, message, bundle.of_orders)
        if not answer.ok:
            return answer
        uncommitted.note(message)
    state.waiting.append(bundle)
    return OK


def is_short_term(message: Message) -> bool:
    """Whether a message takes effect in the node's memory alone."""
    match message:
        case Place(order):
            return order.id.short_term
        case Cancel(order_id):
            return order_id.short_term
        case BatchCancel():
            return True
    return False


def _check_message(state: NodeState, uncommitted: Uncommitted, message: Message, of_orders: bool) -> TxAnswer:
    match message:
        case Place(order):
            answer = stateless(order)
            return check_stateful(state, order, uncommitted) if answer.ok else answer
        case Cancel():
            return check_stateful_cancel(state, message, uncommitted)
        case Transfer(_, _, amount) if amount <= 0:
            return TxAnswer(2, "sending", "Invalid transfer amount")
        case Transfer(SubaccountId() as sender, _, amount) if of_orders:
            return check_transfer(state, sender, amount - uncommitted.money(sender))
    return OK


def check_transfer(state: NodeState, sender: SubaccountId, quote_quantums: int) -> TxAnswer:
    """Whether a subaccount can let so many micro-USDC go."""
    if state.accounts.can_pay(sender, quote_quantums):
        return OK
    log = f"Subaccount with id {sender.owner}/{sender.number} failed with UpdateResult: NewlyUndercollateralized"
    return TxAnswer(102, "subaccounts", f"{log}: failed to apply subaccount updates")


def stateless(order: Order) -> TxAnswer:
    """What can be said of an order without knowing anything else."""
    short_term, twap = order.id.short_term, order.id.flags == TWAP
    immediate = order.time_in_force is TimeInForce.IOC
    checks = (
        (order.time_in_force is TimeInForce.FILL_OR_KILL, 48, "fill-or-kill has been deprecated"),
        (order.quantums <= 0, 4, "order size quantums cannot be 0"),
        (order.id.flags not in KINDS, 3000, "invalid order flag"),
        (short_term and not order.good_til_block, 5, "order goodTilBlock cannot be 0"),
        (not short_term and not order.good_til_block_time_s, 3001, "stateful order goodTilBlockTime cannot be 0"),
        (order.id.flags == LONG_TERM and immediate, 3002, "stateful orders cannot require immediate execution"),
        (order.reduce_only and not immediate, 9003, "reduce only orders must be short term IOC orders"),
        (order.subticks <= 0 and not twap, 6, "order subticks cannot be 0 for this order type"),
        *_condition_checks(order),
        (_builder_is_wrong(order), 50, "builder code fee or address is invalid"),
        (twap and _twap_is_wrong(order), 12, "TWAP order must have a TWAP config that can be"),
        (not 0 <= order.id.client_id <= MAX_CLIENT_ID, 12, "client id is out of range"),
        (not 0 <= order.id.subaccount.number <= MAX_SUBACCOUNT_NUMBER, 12, "subaccount number is out of range"),
    )
    for failed, code, log in checks:
        if failed:
            return clob_error(code, log)
    return OK


def _condition_checks(order: Order) -> tuple[tuple[bool, int, str], ...]:
    typed, triggered = order.condition is not ConditionType.UNSPECIFIED, order.trigger_subticks > 0
    if order.id.flags == CONDITIONAL:
        return (
            (not typed, 6000, "condition type cannot be unspecified"),
            (not triggered, 6001, "conditional order trigger subticks cannot be 0"),
        )
    return (
        (typed, 6000, "condition type specified for non-conditional order"),
        (triggered, 6001, "conditional order trigger subticks greater than 0 for non-conditional order"),
    )


def _twap_is_wrong(order: Order) -> bool:
    twap = order.twap
    return (
        twap is None
        or not MIN_TWAP_INTERVAL_S <= twap.interval_s <= MAX_TWAP_INTERVAL_S
        or not MIN_TWAP_DURATION_S <= twap.duration_s <= MAX_TWAP_DURATION_S
        or twap.duration_s % twap.interval_s != 0
        or not 0 <= twap.tolerance_ppm < ONE_MILLION
    )


def _builder_is_wrong(order: Order) -> bool:
    return order.builder_fee_ppm is not None and not 0 < order.builder_fee_ppm <= MAX_BUILDER_FEE_PPM


def _check_market(state: NodeState, order: Order) -> TxAnswer:
    market = state.markets.get(order.id.clob_pair_id)
    if market is None:
        return clob_error(8, f"clob {order.id.clob_pair_id} is not a valid clob")
    if order.subticks % market.subticks_per_tick:
        return clob_error(12, f"order subticks {order.subticks} must be a multiple of {market.subticks_per_tick}")
    if order.quantums % market.step_base_quantums:
        return clob_error(12, f"order quantums {order.quantums} must be a multiple of {market.step_base_quantums}")
    return _check_status(state, market, order)


def _check_status(state: NodeState, market: Market, order: Order) -> TxAnswer:
    status = state.statuses.get(market.clob_pair_id, MarketStatus.ACTIVE)
    if status is MarketStatus.ACTIVE:
        return OK
    oracle = market.oracle_subticks(state.oracle_values[market.market_id])
    passive = (oracle - order.subticks) * order.side.sign >= 0
    post_only = order.time_in_force is TimeInForce.POST_ONLY
    if status is MarketStatus.INITIALIZING and order.id.short_term and post_only and passive:
        return OK
    return clob_error(34, f"order conflicts with the status {status} of its clob pair")


def check_good_til_block(state: NodeState, good_til_block: int | None) -> TxAnswer:
    """Whether a block is within the short-term window: the next one, and so many beyond it."""
    if good_til_block is None or good_til_block < state.next_height:
        return clob_error(10, f"GoodTilBlock {good_til_block} is less than the current blockHeight {state.next_height}")
    if good_til_block > state.next_height + state.short_block_window:
        return clob_error(
            11,
            f"the GoodTilBlock {good_til_block} exceeds the current blockHeight {state.next_height} plus"
            f" ShortBlockWindow {state.short_block_window}",
        )
    return OK


def out_of_window(state: NodeState, message: Message) -> bool:
    """Whether a placement or cancel is refused for its good-til-block, before anything counts it."""
    match message:
        case Place(order) if order.id.short_term:
            return not check_good_til_block(state, order.good_til_block).ok
        case Cancel(order_id, good_til_block) if order_id.short_term:
            return not check_good_til_block(state, good_til_block).ok
    return False


def _place_now(state: NodeState, order: Order) -> TxAnswer:
    answer = stateless(order)
    if answer.ok:
        answer = _check_market(state, order)
    if answer.ok:
        answer = check_good_til_block(state, order.good_til_block)
    if answer.ok:
        answer = _check_memory(state, order)
    if not answer.ok:
        return answer
    held = state.books[order.id.clob_pair_id].get(order.id)
    if held is not None and state.take_off_book(order.id):
        filled = state.filled.get(order.id, 0)
        state.emit(OrderRemoved(order.id, held.order, RemovalReason.REPLACED, filled, final=False))
    state.remember(order)
    state.emit(OrderOpened(order))
    match match(state, order):
        case RemovalReason.POST_ONLY:
            return clob_error(2003, "post-only order would cross one or more maker orders")
        case RemovalReason.ISOLATED:
            return clob_error(2005, "order would violate isolated subaccount constraints")
    return OK


def _check_memory(state: NodeState, order: Order) -> TxAnswer:
    """The checks of the order book itself, on an order that comes for the first time or in place of another."""
    tombstone = state.cancels.get(order.id)
    if tombstone is not None and tombstone >= (order.good_til_block or 0):
        return clob_error(7, f"order was cancelled up to block {tombstone}")
    resting = state.books[order.id.clob_pair_id].get(order.id)
    for held in (None if resting is None else resting.order, state.matched.get(order.id)):
        if held is not None and not _may_replace(held, order):
            return clob_error(20, "new order has no later block, or another side, time in force or reduce-only")
    filled = state.filled.get(order.id, 0)
    if order.quantums - filled < state.markets[order.id.clob_pair_id].step_base_quantums:
        return clob_error(24, "order remaining amount is less than one step")
    answer = check_reduce_only(state, order)
    if not answer.ok or not filled or order.time_in_force is not TimeInForce.IOC:
        return answer
    if resting is not None:
        return clob_error(20, "cannot replace partially filled order with IOC order")
    return clob_error(2004, "IOC order is already filled, remaining size is cancelled")


def _may_replace(held: Order, order: Order) -> bool:
    """A later block, else the greater hash; the rest must stay."""
    if (held.side, held.time_in_force, held.reduce_only) != (order.side, order.time_in_force, order.reduce_only):
        return False
    if held.good_til_block == order.good_til_block:
        return held.hash < order.hash
    return (held.good_til_block or 0) < (order.good_til_block or 0)


def check_reduce_only(state: NodeState, order: Order) -> TxAnswer:
    """A reduce-only order needs a position on the other side."""
    if order.reduce_only:
        market = state.markets[order.id.clob_pair_id]
        position = state.accounts.position_quantums(order.id.subaccount, market.perpetual_id)
        if position * order.side.sign >= 0:
            return clob_error(2001, "reduce-only orders cannot increase the position size")
    return OK


def check_stateful(state: NodeState, order: Order, uncommitted: Uncommitted) -> TxAnswer:
    """A long-term or conditional order, past the stateless checks."""
    answer = _check_market(state, order)
    if answer.ok:
        answer = _check_time(state, order.good_til_block_time_s or 0)
    if not answer.ok:
        return answer
    if order.id in uncommitted.cancelled:
        return clob_error(3008, "an uncommitted cancellation with this OrderId already exists")
    if order.id in uncommitted.placed or state.committed_order(order.id) is not None:
        return clob_error(3005, "a stateful order with this OrderId already exists and replacement is not supported")
    market = state.markets[order.id.clob_pair_id]
    if order.trigger_subticks % market.subticks_per_tick:
        return clob_error(12, f"trigger subticks must be a multiple of {market.subticks_per_tick}")
    if order.twap is not None and order.quantums // order.twap.parts < market.step_base_quantums:
        return clob_error(12, "TWAP suborder sizes must be greater than the minimum order size for the market")
    return check_means(state, order, uncommitted.money(order.id.subaccount))


def check_means(state: NodeState, order: Order, extra: int) -> TxAnswer:
    """Equity tier and, but for conditional orders, collateral, with `extra` micro-USDC beside what is held.

    Orders that wait for the next block are not counted in the tier: one too many fails there.
    """
    answer = _check_equity_tier(state, order.id.subaccount, extra)
    if not answer.ok or order.id.flags == CONDITIONAL:
        return answer
    market, who = state.markets[order.id.clob_pair_id], order.id.subaccount
    if state.accounts.breaks_isolation(who, market):
        return clob_error(2005, "order would violate isolated subaccount constraints")
    subticks = order.subticks or market.oracle_subticks(state.oracle_values[market.market_id])
    quote = market.quote_quantums(subticks, order.quantums)
    fee = state.fees.maker(who.owner, quote) - extra
    if not state.accounts.can_trade(who, market, order.side, order.quantums, quote, fee=fee):
        return clob_error(3007, "stateful order collateralization check failed")
    return OK


def _check_time(state: NodeState, good_til_s: int) -> TxAnswer:
    now_s = state.time_ms // 1_000
    if good_til_s <= now_s:
        return clob_error(3003, f"GoodTilBlockTime {good_til_s} is not after the previous blockTime {now_s}")
    if good_til_s > now_s + STATEFUL_WINDOW_S:
        return clob_error(3004, f"GoodTilBlockTime {good_til_s} is more than 95 days after the blockTime {now_s}")
    return OK


def _check_equity_tier(state: NodeState, subaccount: SubaccountId, extra: int) -> TxAnswer:
    """Open stateful orders of a subaccount by its equity."""
    account = state.accounts.get(subaccount)
    equity = (0 if account is None else state.accounts.equity(account)) + extra
    allowed = stateful_orders_allowed(equity)
    held = sum(order_id.subaccount == subaccount for order_id in (*state.stateful, *state.untriggered))
    if held >= allowed:
        return clob_error(10001, f"opening order would exceed equity tier limit of {allowed}. Order count: {held}")
    return OK


def check_stateful_cancel(state: NodeState, tx: Cancel, uncommitted: Uncommitted) -> TxAnswer:
    """A cancel of a long-term or conditional order: of one in state, or of one that waits to be placed."""
    good_til_s = tx.good_til_block_time_s or 0
    if not good_til_s:
        return clob_error(3001, "stateful cancellation goodTilBlockTime cannot be 0")
    answer = _check_time(state, good_til_s)
    if not answer.ok:
        return answer
    if tx.order_id in uncommitted.cancelled:
        return clob_error(32, "an uncommitted stateful order cancellation with this OrderId already exists")
    order = state.committed_order(tx.order_id) or uncommitted.placed.get(tx.order_id)
    if order is None:
        return clob_error(3006, "order id to cancel does not exist")
    if good_til_s < (order.good_til_block_time_s or 0):
        return clob_error(29, "cancellation goodTilBlockTime less than stateful order goodTilBlockTime")
    return OK


def _cancel_now(state: NodeState, tx: Cancel) -> TxAnswer:
    if not tx.good_til_block:
        return clob_error(5, "cancellation goodTilBlock cannot be 0")
    answer = check_good_til_block(state, tx.good_til_block)
    if not answer.ok:
        return answer
    if tx.order_id.clob_pair_id not in state.markets:
        return TxAnswer(111222, "undefined", "recovered: there is no such order book: panic")
    good_til_block = tx.good_til_block
    if state.cancels.get(tx.order_id, -1) >= good_til_block:
        return clob_error(9, "a cancel already exists with a greater than or equal GoodTilBlock")
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
    pairs = [pair for pair, _ in tx.client_ids_by_pair]
    ids = [(pair, client) for pair, clients in tx.client_ids_by_pair for client in clients]
    empty = any(not clients for _, clients in tx.client_ids_by_pair)
    if not 1 <= len(ids) <= MAX_BATCH or empty or len(set(ids)) != len(ids) or len(set(pairs)) != len(pairs):
        return clob_error(45, "a batch needs 1 to 100 different cancels, one list for each clob pair")
    # Failures stay inside: the broadcast answers 0 whatever becomes of each cancel (protocol/x/clob/ante/clob.go).
    if check_good_til_block(state, tx.good_til_block).ok and all(pair in state.markets for pair in pairs):
        for pair, client in ids:
            _cancel_now(state, Cancel(OrderId(tx.subaccount, client, SHORT_TERM, pair), tx.good_til_block))
    return OK

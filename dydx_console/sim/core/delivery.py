"""What a block does with the transactions that waited for it: each takes effect whole or not at all.

Sources: dydxprotocol/v4-chain protocol/x/clob/keeper/msg_server_{place_order,cancel_orders}.go,
protocol/x/sending/keeper/transfer.go, cosmos/cosmos-sdk baseapp/baseapp.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dydx_console.sim.core.accounts import Holdings
from dydx_console.sim.core.authenticators import Authenticators
from dydx_console.sim.core.checktx import check_means, check_stateful_cancel, check_transfer
from dydx_console.sim.core.events import ChainEvent, StatefulPlaced, StatefulRemoved, Transferred
from dydx_console.sim.core.orders import (
    CONDITIONAL,
    OK,
    TWAP,
    Cancel,
    Order,
    OrderId,
    Place,
    RemovalReason,
    SubaccountId,
    Transfer,
    TxAnswer,
    clob_error,
)
from dydx_console.sim.core.state import NodeState
from dydx_console.sim.core.transactions import (
    AddAuthenticator,
    Bundle,
    Message,
    RemoveAuthenticator,
    in_block,
    sdk_error,
)
from dydx_console.sim.core.uncommitted import Uncommitted

_NOTHING = Uncommitted()


@dataclass(slots=True)
class BlockOrders:
    """Orders that this block's fills took out of state, and those that its transactions cancelled."""

    removed: Mapping[OrderId, Order]
    cancelled: set[OrderId] = field(default_factory=set)


@dataclass(slots=True)
class _Effects:
    """What is told and done only when every message of a transaction succeeds."""

    events: list[ChainEvent] = field(default_factory=list)
    placed: list[OrderId] = field(default_factory=list)
    cancelled: list[OrderId] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Before:
    """The state before a transaction."""

    stateful: dict[OrderId, Order]
    untriggered: dict[OrderId, Order]
    wallets: dict[str, int]
    newcomers: list[str]
    authenticators: Authenticators
    holdings: Holdings

    @classmethod
    def of(cls, state: NodeState, bundle: Bundle) -> _Before:
        ends = [end for t in bundle.transfers for end in (t.sender, t.recipient) if isinstance(end, SubaccountId)]
        return cls(
            dict(state.stateful),
            dict(state.untriggered),
            dict(state.wallets),
            list(state.newcomers),
            state.authenticators.copy(),
            state.accounts.hold(ends),
        )

    def restore(self, state: NodeState) -> None:
        state.stateful, state.untriggered = self.stateful, self.untriggered
        state.wallets, state.newcomers = self.wallets, self.newcomers
        state.authenticators = self.authenticators
        state.accounts.restore(self.holdings)


def deliver(state: NodeState, bundle: Bundle, block: BlockOrders) -> tuple[list[ChainEvent], TxAnswer]:
    """Execute a transaction; the events are empty when it fails."""
    before = _Before.of(state, bundle) if len(bundle.messages) > 1 else None
    effects, answer = _execute(state, bundle, block)
    if not answer.ok:
        if before is not None:
            before.restore(state)
        return [], answer
    for order_id in effects.placed:
        state.filled.pop(order_id, None)
    for order_id in effects.cancelled:
        state.take_off_book(order_id)
        block.cancelled.add(order_id)
    return effects.events, OK


def trial(state: NodeState, bundle: Bundle) -> TxAnswer:
    """What would become of a transaction now; nothing changes."""
    before = _Before.of(state, bundle)
    _, answer = _execute(state, bundle, BlockOrders({}))
    before.restore(state)
    return answer


def _execute(state: NodeState, bundle: Bundle, block: BlockOrders) -> tuple[_Effects, TxAnswer]:
    effects = _Effects()
    for index, message in enumerate(bundle.messages):
        answer = _message(state, message, block, effects, signed=bundle.signed is not None)
        if not answer.ok:
            return effects, in_block(index, answer)
    return effects, OK


def _message(state: NodeState, message: Message, block: BlockOrders, effects: _Effects, *, signed: bool) -> TxAnswer:
    match message:
        case Place(order):
            return _place(state, order, block, effects)
        case Cancel():
            return _cancel(state, message, block, effects)
        case Transfer():
            return _transfer(state, message, effects, signed=signed)
        case AddAuthenticator(owner, kind, config):
            return state.authenticators.add(owner, kind, config)
        case RemoveAuthenticator(owner, number):
            return state.authenticators.remove(owner, number)
    return OK


def _place(state: NodeState, order: Order, block: BlockOrders, effects: _Effects) -> TxAnswer:
    if order.id in block.cancelled or order.id in effects.cancelled:
        return clob_error(3008, "order was cancelled in this block")
    if order.id in block.removed:
        return clob_error(3009, "order was removed in this block")
    if order.id in state.stateful or order.id in state.untriggered:
        return clob_error(3005, "a stateful order with this OrderId already exists and replacement is not supported")
    answer = check_means(state, order, 0)
    if not answer.ok:
        return answer
    waits = order.id.flags in (CONDITIONAL, TWAP)
    (state.untriggered if waits else state.stateful)[order.id] = order
    effects.placed.append(order.id)
    effects.events.append(StatefulPlaced(order))
    return OK


def _cancel(state: NodeState, tx: Cancel, block: BlockOrders, effects: _Effects) -> TxAnswer:
    if tx.order_id in block.removed:
        log = "order id to cancel does not exist: stateful order cancellation failed, the order was already removed"
        return clob_error(3010, log)
    answer = check_stateful_cancel(state, tx, _NOTHING)
    if not answer.ok:
        return answer
    order = state.untriggered.pop(tx.order_id, None) or state.stateful.pop(tx.order_id)
    effects.cancelled.append(tx.order_id)
    filled = state.filled.get(order.id, 0)
    effects.events.append(StatefulRemoved(order, RemovalReason.USER_CANCELED, filled))
    return OK


def _transfer(state: NodeState, tx: Transfer, effects: _Effects, *, signed: bool) -> TxAnswer:
    answer = _can_move(state, tx, signed=signed)
    if not answer.ok:
        return answer
    accounts = state.accounts
    for end, sign, move in ((tx.sender, -1, accounts.debit), (tx.recipient, 1, accounts.credit)):
        if isinstance(end, str):
            state.pay(end, sign * tx.quote_quantums)
            continue
        paid = accounts.settle_funding(end) if accounts.get(end) else {}
        move(end, tx.quote_quantums)
        state.newcomers.append(end.owner)
        effects.events.append(accounts.snapshot(end, paid, None))
    if not (isinstance(tx.sender, str) and isinstance(tx.recipient, str)):
        effects.events.append(Transferred(tx.sender, tx.recipient, tx.quote_quantums))
    return OK


def _can_move(state: NodeState, tx: Transfer, *, signed: bool) -> TxAnswer:
    """Whether the sender has it. What the actors bring in from their wallets comes from nowhere."""
    if tx.quote_quantums <= 0:
        return TxAnswer(2, "sending", "Invalid transfer amount")
    if isinstance(tx.sender, SubaccountId):
        return check_transfer(state, tx.sender, tx.quote_quantums)
    held = state.wallets.get(tx.sender, 0)
    if signed and held < tx.quote_quantums:
        return sdk_error(5, f"spendable balance {held} is smaller than {tx.quote_quantums}: insufficient funds")
    return OK

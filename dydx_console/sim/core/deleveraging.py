"""Deleveraging: a bankrupt account's positions are closed against accounts that hold the other side.

Both sides trade at the price at which the bankrupt account ends with nothing, and without fees
(dydxprotocol/v4-chain protocol/x/clob/keeper/deleveraging.go).
"""

from __future__ import annotations

from collections.abc import Sequence

from dydx_console.sim.core.accounts import Accounts, Subaccount
from dydx_console.sim.core.events import Deleveraged
from dydx_console.sim.core.markets import Market
from dydx_console.sim.core.orders import Side
from dydx_console.sim.core.state import NodeState


def bankruptcy_quote(accounts: Accounts, account: Subaccount, market: Market, delta: int) -> int:
    """Micro-USDC (signed, rounded up) that a change of `delta` quantums must bring at the bankruptcy price.

    At that price the account's equity shrinks in step with its maintenance margin, so a whole close leaves nothing.
    """
    risk = accounts.risk(account)
    held = account.positions[market.perpetual_id].quantums
    before, after = accounts.position_risk(market, held), accounts.position_risk(market, held + delta)
    freed = before.maintenance - after.maintenance
    return before.net - after.net - risk.net * freed // risk.maintenance


def deleverage(state: NodeState, candidates: Sequence[Subaccount]) -> None:
    """Offset the positions of those below zero, again and again until nobody takes any more of them."""
    offset = True
    while offset:
        offset = False
        for account in candidates:
            for perpetual in tuple(account.positions):
                offset = _offset(state, account, perpetual) or offset


def _bankrupt(accounts: Accounts, account: Subaccount) -> bool:
    risk = accounts.risk(account)
    return risk.net < 0 < risk.maintenance


def _offset(state: NodeState, account: Subaccount, perpetual: int) -> bool:
    """Close one position against whoever can take it; whether anybody did."""
    accounts, market = state.accounts, state.perpetuals[perpetual]
    if not _bankrupt(accounts, account):
        return False
    sign = 1 if account.positions[perpetual].quantums > 0 else -1
    holders = [other for other in accounts.all() if accounts.position_quantums(other.id, perpetual) * sign < 0]
    first = state.height % len(holders)
    offset = False
    for other in holders[first:] + holders[:first]:
        held = account.positions.get(perpetual)
        if held is None or not _bankrupt(accounts, account):
            break
        quantums = min(abs(held.quantums), abs(other.positions[perpetual].quantums))
        quote = sign * bankruptcy_quote(accounts, account, market, -sign * quantums)
        side = Side.SELL if sign > 0 else Side.BUY
        if accounts.can_trade(other.id, market, side.opposite, quantums, quote):
            _close(state, Deleveraged(account.id, other.id, perpetual, side, quantums, abs(quote)), quote)
            offset = True
    return offset


def _close(state: NodeState, event: Deleveraged, quote: int) -> None:
    accounts, market = state.accounts, state.perpetuals[event.perpetual_id]
    for subaccount, side in ((event.bankrupt, event.side), (event.offsetting, event.side.opposite)):
        paid = accounts.settle_funding(subaccount)
        accounts.trade(subaccount, market, side, quantums=event.quantums, quote=quote, fee=0)
        state.pending_operations.append(accounts.snapshot(subaccount, paid, market.perpetual_id))
    state.pending_operations.append(event)

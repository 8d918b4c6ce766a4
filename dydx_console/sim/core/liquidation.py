"""Liquidation: positions of accounts under maintenance margin are sold to the book, or offset against other accounts.

Like a node after each block, `liquidate` works on the memory that the next block is made of. Sources:
dydxprotocol/v4-chain protocol/x/clob/keeper/{liquidations,deleveraging}.go, protocol/x/clob/abci.go.

The chain takes one position of an account a block, and never more than a portion of it, so that an account may stay
below zero for many blocks. Here this holds for accounts that still have something; those below zero are dealt with
whole and at once, so that after a block nobody is below zero whose positions the book, the fund or anybody else takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from dydx_console.sim.core.accounts import Subaccount
from dydx_console.sim.core.book import Resting
from dydx_console.sim.core.deleveraging import bankruptcy_quote, deleverage
from dydx_console.sim.core.events import Liquidated
from dydx_console.sim.core.markets import ONE_MILLION, Market
from dydx_console.sim.core.matching import drop, take_from
from dydx_console.sim.core.orders import RemovalReason, Side, SubaccountId
from dydx_console.sim.core.risk import Risk
from dydx_console.sim.core.state import NodeState


@dataclass(frozen=True, slots=True)
class LiquidationOrder:
    """An immediate order that closes (a part of) a position, no worse than its fillable price."""

    subaccount: SubaccountId
    market: Market
    side: Side
    quantums: int
    subticks: int


@dataclass(slots=True)
class _Tally:
    """What the fund has paid for one account in this block."""

    lost: int = 0


def liquidate(state: NodeState) -> None:
    """Liquidate whoever is under maintenance margin, worst first; what nobody takes of bankrupt accounts is offset."""
    due = state.accounts.liquidatable()
    if not due:
        return
    for account in sorted(due, key=lambda account: _rank(state, account)):
        _liquidate_account(state, account)
    deleverage(state, due)


def liquidation_order(state: NodeState, account: Subaccount, perpetual: int) -> LiquidationOrder:
    """The order by which a position of a liquidatable account is sold next."""
    market = state.perpetuals[perpetual]
    held = account.positions[perpetual].quantums
    risk = state.accounts.risk(account)
    subticks = _fillable_subticks(state, market, held, risk)
    side = Side.SELL if held > 0 else Side.BUY
    return LiquidationOrder(account.id, market, side, _portion(state, market, held, risk), subticks)


def _rank(state: NodeState, account: Subaccount) -> tuple[Fraction, int, str, int]:
    """Farthest from the oracle price first, then the largest."""
    order = liquidation_order(state, account, _in_turn(state, account)[0])
    value = state.oracle_values[order.market.market_id]
    oracle = Fraction(value) * Fraction(10) ** (order.market.oracle_exponent - order.market.price_exponent)
    notional = abs(order.market.notional_quote_quantums(value, order.quantums))
    return -abs(order.subticks - oracle) / oracle, -notional, account.id.owner, account.id.number


def _in_turn(state: NodeState, account: Subaccount) -> list[int]:
    """The account's positions, beginning with another one in every block."""
    perpetuals = list(account.positions)
    first = state.height % len(perpetuals)
    return perpetuals[first:] + perpetuals[:first]


def _liquidate_account(state: NodeState, account: Subaccount) -> None:
    tally = _Tally()
    for perpetual in _in_turn(state, account):
        risk = state.accounts.risk(account)
        if not risk.liquidatable:
            return
        _sell(state, account, liquidation_order(state, account, perpetual), tally)
        if risk.net >= 0:
            return


def _portion(state: NodeState, market: Market, held: int, risk: Risk) -> int:
    """How many quantums of a position are sold at once."""
    size, rules = abs(held), state.rules
    value = state.oracle_values[market.market_id]
    notional = abs(market.notional_quote_quantums(value, held))
    least = min(rules.min_position_notional, notional)
    limit = min(max(least, notional * rules.max_position_portion_ppm // ONE_MILLION), rules.max_notional)
    if risk.net < 0 or notional <= limit or size <= market.step_base_quantums:
        return size
    base = market.quantums_worth(value, limit)
    return min(size, max(market.step_base_quantums, base - base % market.step_base_quantums))


def _fillable_subticks(state: NodeState, market: Market, held: int, risk: Risk) -> int:
    """The worst price: off the oracle by the maximum spread times how close the account is to bankruptcy."""
    rules = state.rules
    position = state.accounts.position_risk(market, held)
    rating = (1 - Fraction(risk.net, risk.maintenance)) * Fraction(rules.bankruptcy_adjustment_ppm, ONE_MILLION)
    rating = min(max(rating, Fraction(0)), Fraction(1))
    spread = rating * position.maintenance * Fraction(rules.spread_to_maintenance_ppm, ONE_MILLION)
    price = (position.net - spread) / held * Fraction(10) ** -market.quantum_conversion_exponent
    tick = market.subticks_per_tick
    ticks = -(-price // tick) if held > 0 else price // tick
    return max(tick, int(ticks) * tick)


def _sell(state: NodeState, account: Subaccount, order: LiquidationOrder, tally: _Tally) -> None:
    """Match the order; it ends where the book, the price, or the fund's means end."""
    book, remaining = state.books[order.market.clob_pair_id], order.quantums
    while remaining > 0:
        maker = book.best_for(order.side, order.subticks)
        if maker is None:
            return
        if maker.order.id.subaccount == order.subaccount:
            drop(state, maker.order, RemovalReason.SELF_TRADE_ERROR)
            continue
        quantums = min(remaining, maker.remaining_quantums)
        quote = order.market.quote_quantums(maker.order.subticks, quantums)
        delta = _insurance_delta(state, account, order, quantums, quote)
        if not _insured(state, order.market, delta, tally):
            return
        maker_id = maker.order.id.subaccount
        fee = max(0, state.fees.maker(maker_id.owner, quote))  # no rebate for taking a liquidation
        if not state.accounts.can_trade(maker_id, order.market, maker.order.side, quantums, quote, fee=fee):
            drop(state, maker.order, RemovalReason.UNDERCOLLATERALIZED)
            continue
        tally.lost += max(0, -delta)
        _fill(state, order, maker, _Terms(quantums, quote, delta, fee))
        remaining -= quantums


@dataclass(frozen=True, slots=True)
class _Terms:
    """A liquidation fill in quantums and micro-USDC; `delta` goes into the fund."""

    quantums: int
    quote: int
    delta: int
    maker_fee: int


def _insurance_delta(state: NodeState, account: Subaccount, order: LiquidationOrder, quantums: int, quote: int) -> int:
    """What the account pays to the fund: what is left above bankruptcy, up to the cap, or minus what it lacks."""
    delta = -order.side.sign * quote
    left = delta - bankruptcy_quote(state.accounts, account, order.market, order.side.sign * quantums)
    return left if left <= 0 else min(left, quote * state.rules.max_fee_ppm // ONE_MILLION)


def _insured(state: NodeState, market: Market, delta: int, tally: _Tally) -> bool:
    if delta >= 0:
        return True
    return state.insurance.can_pay(market, -delta) and tally.lost - delta <= state.rules.max_insurance_lost


def _fill(state: NodeState, order: LiquidationOrder, maker: Resting, terms: _Terms) -> None:
    accounts, market, maker_order = state.accounts, order.market, maker.order
    for subaccount, side, fee in (
        (order.subaccount, order.side, 0),
        (maker_order.id.subaccount, maker_order.side, terms.maker_fee),
    ):
        paid = accounts.settle_funding(subaccount)
        accounts.trade(subaccount, market, side, quantums=terms.quantums, quote=terms.quote, fee=fee)
        if side is order.side:
            accounts.insure(subaccount, terms.delta)
            state.insurance.take(market, subaccount, terms.delta, state.next_height)
        state.pending_operations.append(accounts.snapshot(subaccount, paid, market.perpetual_id))
    filled = state.filled[maker_order.id] = state.filled.get(maker_order.id, 0) + terms.quantums
    state.pending_operations.append(
        Liquidated(
            maker_order,
            order.subaccount,
            order.side,
            market.clob_pair_id,
            terms.quantums,
            maker_order.subticks,
            terms.quote,
            terms.maker_fee,
            terms.delta,
            filled,
        )
    )
    take_from(state, market, maker, terms.quantums)

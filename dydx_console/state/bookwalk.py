"""Walks a book level by level, as an order that takes would.

Source: dydxprotocol/v4-web src/bonsai/forms/trade/tradeInfo.ts, reckoned in Decimal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from dydx_console.domain.market import to_step
from dydx_console.domain.numbers import ZERO, divide
from dydx_console.domain.tape import Level

__all__ = ["Collateral", "Taker", "Walk", "walk_for_most", "walk_for_size", "walk_for_usdc"]


@dataclass(frozen=True, slots=True)
class Taker:
    """An order that takes: `sign` is 1 for a buy and −1 for a sale, `fee_rate` a fraction after all discounts."""

    sign: int
    step: Decimal
    fee_rate: Decimal


@dataclass(frozen=True, slots=True)
class Collateral:
    """What limits how much can be traded.

    Equity and free collateral of the subaccount in USDC, the oracle price, the fraction that initial margin asks for,
    and the position in the market: signed size and initial margin.
    """

    equity: Decimal
    free: Decimal
    oracle_price: Decimal
    margin_fraction: Decimal
    held: Decimal
    held_margin: Decimal
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk took: base units, USDC without fees, the fee, and the last price.

    `is_filled` tells that the walk ended before the book did: an order that reaches into the last level does not count
    as filled, because nobody knows what lies behind it.
    """

    size: Decimal = ZERO
    quote: Decimal = ZERO
    fee: Decimal = ZERO
    worst_price: Decimal | None = None
    is_filled: bool = False

    @property
    def average_price(self) -> Decimal | None:
        """Average price by size, None where nothing was taken."""
        return divide(self.quote, self.size)

    def further(self, size: Decimal, price: Decimal, fee_rate: Decimal) -> "Walk":
        """Return the walk after one more level."""
        quote = size * price
        return Walk(self.size + size, self.quote + quote, self.fee + quote * fee_rate, price)

    def ended(self) -> "Walk":
        """Return the walk with nothing more to take."""
        return Walk(self.size, self.quote, self.fee, self.worst_price, is_filled=True)


def walk_for_size(levels: Iterable[Level], taker: Taker, size: Decimal) -> Walk:
    """Return what taking `size` base units brings; every level's part is rounded to the step."""
    walk = Walk()
    for price, available in levels:
        take = _part(size - walk.size, available, taker)
        if take <= ZERO:
            return walk.ended()
        walk = walk.further(take, price, taker.fee_rate)
    return walk


def walk_for_usdc(levels: Iterable[Level], taker: Taker, usdc: Decimal) -> Walk:
    """Return what `usdc` buys or sells for, fees included."""
    walk = Walk()
    for price, available in levels:
        wanted = divide(usdc - walk.quote - walk.fee, price * (1 + taker.fee_rate))
        take = _part(wanted or ZERO, available, taker)
        if take <= ZERO:
            return walk.ended()
        walk = walk.further(take, price, taker.fee_rate)
    return walk


def walk_for_most(levels: Iterable[Level], taker: Taker, collateral: Collateral) -> Walk:
    """Return the most that the collateral carries: the position is traded away first, then opened the other way."""
    walk = Walk()
    for price, available in levels:
        take = _part(_carried(walk, price, available, taker, collateral), available, taker)
        if take <= ZERO:
            return walk.ended()
        walk = walk.further(take, price, taker.fee_rate)
    return walk


def _part(wanted: Decimal, available: Decimal, taker: Taker) -> Decimal:
    return to_step(min(max(wanted, ZERO), available), taker.step)


def _carried(walk: Walk, price: Decimal, available: Decimal, taker: Taker, collateral: Collateral) -> Decimal:
    """Return how much can be taken at a price after what a walk took."""
    net_size = collateral.held + taker.sign * walk.size
    value = net_size * collateral.oracle_price
    equity = collateral.equity + value - collateral.held * collateral.oracle_price
    equity -= taker.sign * walk.quote + walk.fee
    others = collateral.equity - collateral.free - collateral.held_margin
    # what one unit taken here costs of equity
    loss = price * taker.fee_rate + taker.sign * (price - collateral.oracle_price)
    need = loss + collateral.margin_fraction * collateral.oracle_price
    if net_size * taker.sign >= ZERO:
        return _afforded(equity - others - collateral.margin_fraction * abs(value), need, available)
    remaining = abs(net_size)
    if available <= remaining or collateral.reduce_only:
        return remaining
    return remaining + _afforded(equity - remaining * loss - others, need, available)


def _afforded(free: Decimal, need: Decimal, available: Decimal) -> Decimal:
    """Return what free collateral carries at so much for each unit; all of it where a unit frees collateral."""
    if need <= ZERO:
        return available
    return divide(max(free, ZERO), need) or ZERO

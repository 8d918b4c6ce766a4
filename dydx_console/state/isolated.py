"""Isolated positions: which subaccount an order would use, orders that wait without a position, moving margin.

Sources: dydxprotocol/v4-web src/bonsai/forms/trade/tradeInfo.ts, src/bonsai/calculators/subaccount.ts and
src/bonsai/forms/adjustIsolatedMargin.ts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, localcontext
from enum import StrEnum

from dydx_console.domain.ids import PARENTS, PositionKey, is_isolated, parent_of
from dydx_console.domain.market import ISOLATED, ONE, Market
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.order import Order
from dydx_console.domain.position import Position
from dydx_console.state.margin import NONE_SELECTED, AccountMargin, PositionMargin
from dydx_console.state.whatif import AccountPicture, Effect, Transfer, whatif

__all__ = [
    "MOST_SUBACCOUNT",
    "Adjustment",
    "AdjustmentProblem",
    "Direction",
    "Unopened",
    "adjusted",
    "is_traded_isolated",
    "position_in",
    "subaccount_for",
    "unopened_isolated",
]

MOST_SUBACCOUNT = 128_000
"""The highest number of a child (dydxprotocol/v4-web src/constants/account.ts)."""
ALLOWANCE = Decimal("0.01")
"""USDC that stay free, so that a small move of prices does not fail the transfer."""
LEVERAGE_ROOM = Decimal("0.99")
"""Share of the highest leverage that a position may be left at."""


class Direction(StrEnum):
    """Where margin moves: from the parent to an isolated position, or back."""

    ADD = "ADD"
    REMOVE = "REMOVE"


class AdjustmentProblem(StrEnum):
    """Why margin cannot be moved as asked."""

    NOT_A_CHILD = "NOT_A_CHILD"
    """The subaccount is no child of the parent."""
    AMOUNT_EMPTY = "AMOUNT_EMPTY"
    """Nothing is asked for, or nothing can be moved."""
    NO_POSITION = "NO_POSITION"
    """The subaccount does not hold exactly one position with margin."""
    MORE_THAN_FREE = "MORE_THAN_FREE"
    """The parent has less free collateral."""
    LEVERAGE_TOO_HIGH = "LEVERAGE_TOO_HIGH"
    """What is left would not carry the position."""
    UNKNOWN = "UNKNOWN"
    """A figure that it takes is unknown."""


@dataclass(frozen=True, slots=True)
class Unopened:
    """Orders that wait in an isolated subaccount for a position that is not open yet."""

    market: str
    subaccount: int
    equity: Decimal | None
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Margin to move in USDC: `share` is its part of `most`, the most that can be moved. None is unknown."""

    amount: Decimal | None
    share: Decimal | None
    most: Decimal | None
    transfer: Transfer | None
    effect: Effect | None
    problems: tuple[AdjustmentProblem, ...]


def position_in(account: AccountPicture, market: str) -> Position | None:
    """Return the position that an order in a market would change: that of the lowest subaccount that has one."""
    found = [p for p in account.positions if p.market == market and p.net_size]
    return min(found, key=lambda p: p.subaccount, default=None)


def is_traded_isolated(
    account: AccountPicture, market: Market, open_orders: Iterable[Order], *, wanted: bool | None = None
) -> bool:
    """Return whether an order in a market is isolated.

    An isolated market forces it, else a position or an open order in the market decides; else what is wanted, and
    cross where nothing is.
    """
    if market.market_type == ISOLATED:
        return True
    held = position_in(account, market.ticker)
    if held is not None:
        return is_isolated(held.subaccount)
    waiting = next((o.subaccount for o in open_orders if o.market == market.ticker and o.subaccount is not None), None)
    return bool(wanted) if waiting is None else is_isolated(waiting)


def subaccount_for(account: AccountPicture, market: str, open_orders: Iterable[Order], *, isolated: bool) -> int | None:
    """Return the subaccount that an order would use: that of the position, else of an open order in the market.

    Otherwise the parent, or for an isolated order the first child that neither the account nor an order names; None
    where every child is in use.
    """
    held = position_in(account, market)
    if held is not None:
        return held.subaccount
    orders = [order for order in open_orders if order.subaccount is not None]
    waiting = next((order.subaccount for order in orders if order.market == market), None)
    if waiting is not None:
        return waiting
    if not isolated:
        return account.parent
    used = {*account.subaccounts, *(order.subaccount for order in orders)}
    children = range(account.parent + PARENTS, MOST_SUBACCOUNT + 1, PARENTS)
    return next((number for number in children if number not in used), None)


def unopened_isolated(
    orders: Iterable[Order], positions: Iterable[Position], margin: AccountMargin
) -> tuple[Unopened, ...]:
    """Return the isolated orders in markets without any position, grouped by market in the order of their first.

    The equity is that of the subaccount of the first order: zero where nothing is there, None where it is unknown.
    """
    held = {position.market for position in positions}
    grouped: dict[str, list[Order]] = {}
    for order in orders:
        if order.market is None or order.subaccount is None:
            continue
        if order.market not in held and is_isolated(order.subaccount):
            grouped.setdefault(order.market, []).append(order)
    return tuple(_unopened(market, waiting, margin) for market, waiting in grouped.items())


def _unopened(market: str, orders: list[Order], margin: AccountMargin) -> Unopened:
    subaccount = orders[0].subaccount or 0
    child = margin.child(subaccount)
    return Unopened(market, subaccount, ZERO if child is None else child.equity, tuple(orders))


def adjusted(
    account: AccountPicture,
    markets: Mapping[str, Market],
    child: int,
    direction: Direction,
    *,
    amount: Decimal | None = None,
    share: Decimal | None = None,
    selected: Mapping[PositionKey, Decimal] = NONE_SELECTED,
) -> Adjustment:
    """Return what moving margin to or from an isolated position does; `amount` in USDC, or `share` of the most.

    Added can be whole dollars of the parent's free collateral less a cent; removed what the position does not need at
    99 % of its highest leverage.
    """
    with localcontext(MATH):
        margin = account.margin(markets, selected)
        own = _only_position(account, margin, child)
        most = _most(margin, own, direction)
        if amount is None and share is not None and most is not None:
            amount = share * most
        elif amount is not None and most:
            share = divide(amount, most)
        problems = _problems(direction, own, amount, most)
        if not is_isolated(child) or parent_of(child) != account.parent:
            problems = (AdjustmentProblem.NOT_A_CHILD, *problems)
        if amount is None:
            return Adjustment(None, share, most, None, None, problems)
        ends = (account.parent, child) if direction is Direction.ADD else (child, account.parent)
        transfer = Transfer(*ends, amount)
        effect = whatif(account, markets, None, transfer=transfer, selected=selected)
        return Adjustment(amount, share, most, transfer if amount > ZERO else None, effect, problems)


def _only_position(account: AccountPicture, margin: AccountMargin, child: int) -> PositionMargin | None:
    held = [p for p in account.positions if p.subaccount == child]
    return margin.positions.get(PositionKey(child, held[0].market)) if len(held) == 1 else None


def _most(margin: AccountMargin, own: PositionMargin | None, direction: Direction) -> Decimal | None:
    if own is None or own.margin is None or own.notional is None:
        return None
    if direction is Direction.ADD:
        free = margin.free_collateral
        return None if free is None else max((free - ALLOWANCE).to_integral_value(ROUND_FLOOR), ZERO)
    needed = divide(own.notional, (own.max_leverage or ONE) * LEVERAGE_ROOM)
    return None if needed is None else max(own.margin - needed, ZERO)


def _problems(
    direction: Direction, own: PositionMargin | None, amount: Decimal | None, most: Decimal | None
) -> tuple[AdjustmentProblem, ...]:
    found: list[AdjustmentProblem] = []
    if amount is None or amount <= ZERO:
        found.append(AdjustmentProblem.AMOUNT_EMPTY)
    if own is None or own.margin == ZERO:
        found.append(AdjustmentProblem.NO_POSITION)
    if amount is not None and amount > (most or ZERO):
        found.append(_TOO_MUCH[direction])
    if own is None or own.margin is None:
        found.append(AdjustmentProblem.UNKNOWN)
    return tuple(found)


_TOO_MUCH = {
    Direction.ADD: AdjustmentProblem.MORE_THAN_FREE,
    Direction.REMOVE: AdjustmentProblem.LEVERAGE_TOO_HIGH,
}

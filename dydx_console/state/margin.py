"""Equity, collateral, margin and liquidation prices, exact in Decimal.

Source of the formulas: dydxprotocol/v4-web src/bonsai/calculators/subaccount.ts; where an oracle price is missing the
console says "unknown" instead of reckoning with zero. docs/margin.md has each of them with an example.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from types import MappingProxyType

from dydx_console.domain.ids import PositionKey, is_isolated, parent_of
from dydx_console.domain.market import (
    ONE,
    Market,
    effective_initial_margin_fraction,
    initial_margin_fraction_at,
    selected_leverage,
)
from dydx_console.domain.numbers import MATH, ZERO, divide, sum_known
from dydx_console.domain.position import Balance, Position

__all__ = [
    "COLLATERAL",
    "NONE_SELECTED",
    "AccountMargin",
    "ChildMargin",
    "PositionMargin",
    "account_margin",
    "buying_power",
    "chosen_leverage",
]

COLLATERAL = "USDC"
NONE_SELECTED: Mapping[PositionKey, Decimal] = MappingProxyType({})
"""Nobody chose a leverage."""


@dataclass(frozen=True, slots=True)
class PositionMargin:
    """What a position weighs at the oracle price; None is unknown, or does not exist.

    `margin` is what it stands on: the equity of an isolated position's subaccount, else its initial margin.
    `liquidation_distance` is the fraction by which the oracle price may still move against it, below zero where it may
    be liquidated already; None where it is unknown or no price would do it.
    """

    notional: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    effective_leverage: Decimal | None
    liquidation_price: Decimal | None
    selected_leverage: Decimal
    margin: Decimal | None = None
    max_leverage: Decimal | None = None
    liquidation_distance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ChildMargin:
    """One subaccount's account; `equity` is clamped at zero, `raw_equity` is not; None is unknown."""

    number: int
    usdc: Decimal
    equity: Decimal | None
    raw_free_collateral: Decimal | None
    free_collateral: Decimal | None
    margin_usage: Decimal | None
    effective_leverage: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    raw_equity: Decimal | None = None

    @property
    def is_liquidatable(self) -> bool | None:
        """Whether the chain may liquidate it: its equity is below its maintenance margin. None is unknown.

        Source: dydxprotocol/v4-chain protocol/lib/margin/risk.go.
        """
        if self.raw_equity is None or self.maintenance_margin is None:
            return None
        return self.maintenance_margin > ZERO and self.maintenance_margin > self.raw_equity


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """The account: equity over all children, collateral and ratios of the parent child alone (cross margin).

    `equity` sums the children's clamped equities, `raw_equity` what they really come to.
    """

    equity: Decimal | None
    raw_free_collateral: Decimal | None
    free_collateral: Decimal | None
    margin_usage: Decimal | None
    effective_leverage: Decimal | None
    children: tuple[ChildMargin, ...]
    positions: Mapping[PositionKey, PositionMargin]
    raw_equity: Decimal | None = None

    def child(self, number: int) -> ChildMargin | None:
        """Return one subaccount's figures, None where nothing is known of it."""
        return next((child for child in self.children if child.number == number), None)

    @property
    def liquidatable(self) -> tuple[int, ...]:
        """Subaccounts that the chain may liquidate."""
        return tuple(child.number for child in self.children if child.is_liquidatable)

    @property
    def nearest_liquidation(self) -> tuple[PositionKey, Decimal] | None:
        """The position that the smallest move of its own price would liquidate, and that move; None without one."""
        near = [(own.liquidation_distance, key) for key, own in self.positions.items()]
        known = [(distance, key) for distance, key in near if distance is not None]
        if not known:
            return None
        distance, key = min(known)
        return key, distance


@dataclass(frozen=True, slots=True)
class Weight:
    """A position's share in its subaccount's sums; fractions already chosen."""

    position: Position
    price: Decimal
    value: Decimal
    initial: Decimal
    maintenance: Decimal
    maintenance_fraction: Decimal
    leverage: Decimal
    max_leverage: Decimal | None


def account_margin(
    subaccounts: Iterable[int],
    positions: Iterable[Position],
    balances: Iterable[Balance],
    markets: Mapping[str, Market],
    parent: int,
    *,
    selected: Mapping[PositionKey, Decimal] = NONE_SELECTED,
) -> AccountMargin:
    """Return the account's figures at the markets' oracle prices.

    `selected` are the leverages that the owner chose on the chain; `chosen_leverage` says whose counts. A position
    whose market is not known at all is left out of the sums, as the web front end does; one whose market is known
    without oracle price or fractions makes its subaccount's figures unknown.
    """
    numbers = sorted({parent, *subaccounts})
    cash = dict.fromkeys(numbers, ZERO)
    for balance in balances:
        if balance.asset == COLLATERAL:
            cash[balance.subaccount] = balance.amount
    held: dict[int, list[Position]] = {number: [] for number in cash}
    for position in positions:
        held.setdefault(position.subaccount, []).append(position)
    children: list[ChildMargin] = []
    figures: dict[PositionKey, PositionMargin] = {}
    with localcontext(MATH):
        for number in sorted(held):
            weights = [
                _weight(position, markets[position.market], chosen_leverage(selected, _key(position)))
                for position in held[number]
                if position.market in markets
            ]
            child, own = _child_margin(number, cash.get(number, ZERO), weights)
            children.append(child)
            figures.update(own)
        return _together(parent, tuple(children), figures)


def buying_power(free_collateral: Decimal | None, market: Market) -> Decimal | None:
    """Return the notional in USD that free collateral would carry in a market at its highest leverage.

    The leverage that the owner chose is not in it. None is unknown. Source: dydxprotocol/v4-web
    src/bonsai/selectors/account.ts.
    """
    if free_collateral is None:
        return None
    return MATH.multiply(free_collateral, market.max_leverage or ONE)


def chosen_leverage(selected: Mapping[PositionKey, Decimal], key: PositionKey) -> Decimal | None:
    """Return the leverage chosen for a subaccount and market, else the one chosen for its parent; None without one.

    Source: dydxprotocol/v4-web src/bonsai/rest/leverage.ts, which reads the parent's for all of its children.
    """
    own = selected.get(key)
    return selected.get(PositionKey(parent_of(key.subaccount), key.market)) if own is None else own


def _together(
    parent: int, children: tuple[ChildMargin, ...], figures: Mapping[PositionKey, PositionMargin]
) -> AccountMargin:
    cross = next(child for child in children if child.number == parent)
    own = [child for child in children if parent_of(child.number) == parent]
    return AccountMargin(
        equity=sum_known(child.equity for child in own),
        raw_free_collateral=cross.raw_free_collateral,
        free_collateral=cross.free_collateral,
        margin_usage=cross.margin_usage,
        effective_leverage=cross.effective_leverage,
        children=children,
        positions=figures,
        raw_equity=sum_known(child.raw_equity for child in own),
    )


def _child_margin(
    number: int, usdc: Decimal, weights: list[Weight | None]
) -> tuple[ChildMargin, dict[PositionKey, PositionMargin]]:
    known = [weight for weight in weights if weight is not None]
    if len(known) < len(weights):
        child = ChildMargin(number, usdc, None, None, None, None, None, None, None)
        return child, {_key(weight.position): _own(weight, None, ZERO) for weight in known}
    initial = sum((weight.initial for weight in known), start=ZERO)
    maintenance = sum((weight.maintenance for weight in known), start=ZERO)
    notional = sum((abs(weight.value) for weight in known), start=ZERO)
    raw_equity = usdc + sum((weight.value for weight in known), start=ZERO)
    equity = max(raw_equity, ZERO)
    raw_free = equity - initial
    free = max(raw_free, ZERO)
    share = divide(free, equity)
    child = ChildMargin(
        number=number,
        usdc=usdc,
        equity=equity,
        raw_free_collateral=raw_free,
        free_collateral=free,
        margin_usage=None if share is None else ONE - share,
        effective_leverage=divide(notional, equity),
        initial_margin=initial,
        maintenance_margin=maintenance,
        raw_equity=raw_equity,
    )
    return child, {_key(weight.position): _own(weight, equity, maintenance) for weight in known}


def _key(position: Position) -> PositionKey:
    return PositionKey(position.subaccount, position.market)


def _weight(position: Position, market: Market, chosen: Decimal | None) -> Weight | None:
    price, initial = market.oracle_price, initial_margin_fraction_at(market, chosen)
    maintenance = market.maintenance_margin_fraction
    if price is None or initial is None or maintenance is None:
        return None
    value = position.net_size * price
    effective = effective_initial_margin_fraction(market)
    return Weight(
        position=position,
        price=price,
        value=value,
        initial=abs(value) * initial,
        maintenance=abs(value) * maintenance,
        maintenance_fraction=maintenance,
        leverage=selected_leverage(market, chosen),
        max_leverage=divide(ONE, effective) if effective else None,
    )


def _own(weight: Weight, equity: Decimal | None, maintenance_of_all: Decimal) -> PositionMargin:
    liquidation = None if equity is None else _liquidation_price(weight, equity, maintenance_of_all)
    return PositionMargin(
        notional=abs(weight.value),
        initial_margin=weight.initial,
        maintenance_margin=weight.maintenance,
        effective_leverage=None if equity is None else divide(abs(weight.value), equity),
        liquidation_price=liquidation,
        selected_leverage=weight.leverage,
        margin=equity if is_isolated(weight.position.subaccount) else weight.initial,
        max_leverage=weight.max_leverage,
        liquidation_distance=None if liquidation is None else _distance(weight, liquidation),
    )


def _liquidation_price(weight: Weight, equity: Decimal, maintenance_of_all: Decimal) -> Decimal | None:
    """Return the oracle price at which the subaccount's equity meets its maintenance margin, other prices standing.

    None where no price would do it. The equity is the clamped one: of a subaccount that owes more than it holds, the
    price is nearer than the one at which it would be whole again.
    """
    size = weight.position.net_size
    direction = 1 if size > ZERO else -1
    others = maintenance_of_all - weight.maintenance
    price = divide(others + weight.value - equity, size * (ONE - direction * weight.maintenance_fraction))
    return None if price is None or price < ZERO else price


def _distance(weight: Weight, liquidation: Decimal) -> Decimal | None:
    away = weight.price - liquidation if weight.position.net_size > ZERO else liquidation - weight.price
    return divide(away, weight.price)

"""Equity, collateral and liquidation prices, exact in Decimal.

Source of the formulas: dydxprotocol/v4-web src/bonsai/calculators/subaccount.ts; where an oracle price is missing the
console says "unknown" instead of reckoning with zero.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dydx_console.domain.ids import PositionKey, parent_of
from dydx_console.domain.market import ONE, Market, effective_initial_margin_fraction
from dydx_console.domain.numbers import ZERO, divide
from dydx_console.domain.position import Balance, Position

__all__ = ["AccountMargin", "ChildMargin", "PositionMargin", "account_margin"]

COLLATERAL = "USDC"


@dataclass(frozen=True, slots=True)
class PositionMargin:
    """What a position weighs at the oracle price; None is unknown."""

    notional: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    effective_leverage: Decimal | None
    liquidation_price: Decimal | None
    selected_leverage: Decimal


@dataclass(frozen=True, slots=True)
class ChildMargin:
    """One subaccount's account, equity clamped at zero; None is unknown."""

    number: int
    usdc: Decimal
    equity: Decimal | None
    raw_free_collateral: Decimal | None
    free_collateral: Decimal | None
    margin_usage: Decimal | None
    effective_leverage: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None


@dataclass(frozen=True, slots=True)
class AccountMargin:
    """The account: equity over all children, collateral and ratios of the parent child alone (cross margin)."""

    equity: Decimal | None
    raw_free_collateral: Decimal | None
    free_collateral: Decimal | None
    margin_usage: Decimal | None
    effective_leverage: Decimal | None
    children: tuple[ChildMargin, ...]
    positions: Mapping[PositionKey, PositionMargin]


@dataclass(frozen=True, slots=True)
class Weight:
    """A position's share in its subaccount's sums; fractions already chosen."""

    position: Position
    value: Decimal
    initial: Decimal
    maintenance: Decimal
    maintenance_fraction: Decimal
    leverage: Decimal


def account_margin(
    subaccounts: Iterable[int],
    positions: Iterable[Position],
    balances: Iterable[Balance],
    markets: Mapping[str, Market],
    parent: int,
) -> AccountMargin:
    """Return the account's figures at the markets' oracle prices.

    A position whose market is not known at all is left out of the sums, as the web front end does; one whose market
    is known without oracle price or fractions makes its subaccount's figures unknown.
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
    for number in sorted(held):
        child, own = _child_margin(number, cash.get(number, ZERO), held[number], markets)
        children.append(child)
        figures.update(own)
    cross = next(child for child in children if child.number == parent)
    equities = [child.equity for child in children if parent_of(child.number) == parent]
    known = [equity for equity in equities if equity is not None]
    return AccountMargin(
        equity=sum(known, start=ZERO) if len(known) == len(equities) else None,
        raw_free_collateral=cross.raw_free_collateral,
        free_collateral=cross.free_collateral,
        margin_usage=cross.margin_usage,
        effective_leverage=cross.effective_leverage,
        children=tuple(children),
        positions=figures,
    )


def _child_margin(
    number: int, usdc: Decimal, positions: list[Position], markets: Mapping[str, Market]
) -> tuple[ChildMargin, dict[PositionKey, PositionMargin]]:
    weights = [_weight(position, markets[position.market]) for position in positions if position.market in markets]
    known = [weight for weight in weights if weight is not None]
    if len(known) < len(weights):
        child = ChildMargin(number, usdc, None, None, None, None, None, None, None)
        return child, {_key(weight.position): _own(weight, None, ZERO) for weight in known}
    initial = sum((weight.initial for weight in known), start=ZERO)
    maintenance = sum((weight.maintenance for weight in known), start=ZERO)
    notional = sum((abs(weight.value) for weight in known), start=ZERO)
    equity = max(usdc + sum((weight.value for weight in known), start=ZERO), ZERO)
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
    )
    return child, {_key(weight.position): _own(weight, equity, maintenance) for weight in known}


def _key(position: Position) -> PositionKey:
    return PositionKey(position.subaccount, position.market)


def _weight(position: Position, market: Market) -> Weight | None:
    price, effective = market.oracle_price, effective_initial_margin_fraction(market)
    maintenance = market.maintenance_margin_fraction
    if price is None or effective is None or maintenance is None:
        return None
    base = market.initial_margin_fraction
    leverage = (divide(ONE, base) if base else None) or ONE
    value = position.net_size * price
    chosen = max(divide(ONE, leverage) or ONE, effective)
    return Weight(position, value, abs(value) * chosen, abs(value) * maintenance, maintenance, leverage)


def _own(weight: Weight, equity: Decimal | None, maintenance_of_all: Decimal) -> PositionMargin:
    return PositionMargin(
        notional=abs(weight.value),
        initial_margin=weight.initial,
        maintenance_margin=weight.maintenance,
        effective_leverage=None if equity is None else divide(abs(weight.value), equity),
        liquidation_price=None if equity is None else _liquidation_price(weight, equity, maintenance_of_all),
        selected_leverage=weight.leverage,
    )


def _liquidation_price(weight: Weight, equity: Decimal, maintenance_of_all: Decimal) -> Decimal | None:
    """Return the oracle price at which the subaccount's equity meets its maintenance margin, other prices standing.

    None where no price would do it.
    """
    size = weight.position.net_size
    direction = 1 if size > ZERO else -1
    others = maintenance_of_all - weight.maintenance
    price = divide(others + weight.value - equity, size * (ONE - direction * weight.maintenance_fraction))
    return None if price is None or price < ZERO else price

"""How much the account is at risk: the margin it uses, the liquidation that is nearest, and how bad that is.

A level rises at once. It falls when the figure has been on the good side of it, with room to spare, for a while: a
price that dances on the line is told once. A figure that is unknown raises nothing, and lets nothing fall either.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from dydx_console.domain.ids import PositionKey, parent_of
from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.domain.position import Position
from dydx_console.domain.risk import RiskLevel, RiskLimits
from dydx_console.state.margin import AccountMargin, PositionMargin

__all__ = ["CALM_S", "NO_RISK", "SPARE", "Gauge", "Nearest", "RiskView", "nearest_liquidation", "risk_view"]

SPARE = Decimal("0.1")
"""The part of a level by which a figure has to be better than it before it may fall."""
CALM_S = 15.0
"""For how long it has to be that much better."""


class Held(Protocol):
    """A position with its oracle price and its margin figures."""

    @property
    def position(self) -> Position:
        """The position."""
        ...

    @property
    def oracle_price(self) -> Decimal | None:
        """The market's oracle price in USD."""
        ...

    @property
    def margin(self) -> PositionMargin | None:
        """Its margin figures, None where its market is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Nearest:
    """The position that the smallest move of its own price would liquidate.

    `distance` is that move as a fraction of the oracle price, with the sign of the move; `room` is the same, but below
    zero where the price is past that point already.
    """

    key: PositionKey
    distance: Decimal
    room: Decimal


@dataclass(frozen=True, slots=True)
class Gauge:
    """The level of one figure, and since when (monotonic seconds) it has been better than its level; None if it is not.

    `is_known` is False while the figure is not known: then the level is the one from before.
    """

    level: RiskLevel = RiskLevel.NONE
    better_since: float | None = None
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class RiskView:
    """The account's risk at a moment. `margin_usage` is the parent's own; None is unknown, or that there is none.

    `liquidatable` are subaccounts that the chain may liquidate already.
    """

    margin_usage: Decimal | None = None
    nearest: Nearest | None = None
    liquidatable: tuple[int, ...] = ()
    usage: Gauge = Gauge()
    liquidation: Gauge = Gauge()

    @property
    def level(self) -> RiskLevel:
        """The worse of both levels."""
        return max(self.usage.level, self.liquidation.level, key=lambda level: level.rank)


NO_RISK = RiskView()
"""Nothing is known yet."""


def nearest_liquidation(held: Iterable[Held]) -> Nearest | None:
    """Return the position whose own price has to move the least to liquidate it; None where none would be."""
    near = [found for view in held if (found := _way_of(view)) is not None]
    return min(near, key=lambda found: (found.room, found.key), default=None)


def _way_of(view: Held) -> Nearest | None:
    price, oracle = None if view.margin is None else view.margin.liquidation_price, view.oracle_price
    if price is None or not oracle:
        return None
    distance = MATH.divide(MATH.subtract(price, oracle), oracle)
    room = -distance if view.position.net_size > ZERO else distance
    return Nearest(PositionKey(view.position.subaccount, view.position.market), distance, room)


def risk_view(
    margin: AccountMargin | None,
    held: Iterable[Held],
    parent: int,
    limits: RiskLimits,
    *,
    before: RiskView = NO_RISK,
    at: float = 0.0,
) -> RiskView:
    """Return the risk of a parent's subaccounts.

    Args:
        margin: the account's figures, None while they are unknown.
        held: its open positions.
        parent: the parent subaccount.
        limits: from where on it is told.
        before: the risk at the last look, from which levels rise and fall.
        at: monotonic seconds.
    """
    views = tuple(held)
    nearest = nearest_liquidation(views)
    liquidatable = () if margin is None else tuple(n for n in margin.liquidatable if parent_of(n) == parent)
    room = ZERO if liquidatable else None if nearest is None else nearest.room
    usage = None if margin is None else margin.margin_usage
    whole = margin is not None and _is_whole(margin, parent) and all(view.margin is not None for view in views)
    cross = None if margin is None else margin.child(parent)
    is_idle = cross is not None and cross.initial_margin == ZERO
    warn_room, alarm_room = limits.liquidation_distance_warn, limits.liquidation_distance_alarm
    return RiskView(
        margin_usage=usage,
        nearest=nearest,
        liquidatable=liquidatable,
        usage=_moved(before.usage, _usage_levels(usage, limits), at, is_known=whole and (usage is not None or is_idle)),
        liquidation=_moved(before.liquidation, _room_levels(room, warn_room, alarm_room), at, is_known=whole),
    )


def _is_whole(margin: AccountMargin, parent: int) -> bool:
    """Return whether every subaccount's figures are known, so that no nearer liquidation can be hidden."""
    return all(child.raw_equity is not None for child in margin.children if parent_of(child.number) == parent)


def _usage_levels(usage: Decimal | None, limits: RiskLimits) -> tuple[RiskLevel, RiskLevel]:
    """Return the level of a figure, and the one that it would have were the levels a little lower."""
    if usage is None:
        return RiskLevel.NONE, RiskLevel.NONE
    warn, alarm = limits.margin_usage_warn, limits.margin_usage_alarm
    less = 1 - SPARE
    return (
        _level(is_warn=usage >= warn, is_alarm=usage >= alarm),
        _level(is_warn=usage >= warn * less, is_alarm=usage >= alarm * less),
    )


def _room_levels(room: Decimal | None, warn: Decimal, alarm: Decimal) -> tuple[RiskLevel, RiskLevel]:
    """Return the level of a distance, and the one that it would have were the levels a little higher."""
    if room is None:
        return RiskLevel.NONE, RiskLevel.NONE
    more = 1 + SPARE
    return (
        _level(is_warn=room <= warn, is_alarm=room <= alarm),
        _level(is_warn=room <= warn * more, is_alarm=room <= alarm * more),
    )


def _level(*, is_warn: bool, is_alarm: bool) -> RiskLevel:
    return RiskLevel.ALARM if is_alarm else RiskLevel.WARN if is_warn else RiskLevel.NONE


def _moved(before: Gauge, levels: tuple[RiskLevel, RiskLevel], at: float, *, is_known: bool) -> Gauge:
    """Return a figure's gauge after a look: it rises at once, and falls after a while of calm."""
    level, wary = levels
    if level.rank >= before.level.rank:
        return Gauge(level, None, is_known)
    if not is_known or wary.rank >= before.level.rank:
        return Gauge(before.level, None, is_known)
    since = at if before.better_since is None else before.better_since
    if at - since < CALM_S:
        return Gauge(before.level, since, is_known)
    return Gauge(wary, None, is_known)

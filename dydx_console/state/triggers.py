"""Stop-loss and take-profit orders of a position: trigger price from a gain or loss, and back.

Source: dydxprotocol/v4-web src/bonsai/forms/triggers/summary.ts.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum

from dydx_console.domain.enums import OrderType, Side
from dydx_console.domain.market import ONE
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.order import Order, display_type
from dydx_console.domain.position import Position
from dydx_console.state.ticket import trigger_buffer

__all__ = ["Step", "TriggerAsked", "TriggerBy", "TriggerPlan", "entry_margin", "plan_trigger"]


class TriggerBy(StrEnum):
    """What a trigger is said in.

    A price, or the USDC or the fraction of the entry margin that a stop loses and a take-profit gains.
    """

    PRICE = "PRICE"
    USDC = "USDC"
    FRACTION = "FRACTION"


class Step(StrEnum):
    """What is to be done about a trigger order that is there, or is not."""

    NOTHING = "NOTHING"
    PLACE = "PLACE"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"


@dataclass(frozen=True, slots=True)
class TriggerAsked:
    """A trigger as it is asked for.

    `is_stop` tells a stop-loss from a take-profit; `value` None with `removed` takes one away, without `removed` it
    leaves what is there. `size` in base units is the whole position where it is None; `limit_price` makes it a limit
    order.
    """

    is_stop: bool
    by: TriggerBy = TriggerBy.PRICE
    value: Decimal | None = None
    removed: bool = False
    size: Decimal | None = None
    limit_price: Decimal | None = None
    is_limit: bool = False


@dataclass(frozen=True, slots=True)
class TriggerPlan:
    """A trigger reckoned out; None is unknown, or does not apply.

    `usdc` and `fraction` are what it would lose (stop) or gain (take-profit) against the entry price, the fraction of
    the part of the entry margin that its size stands for. `sent_price` is the price that would stand in the order.
    """

    step: Step
    size: Decimal
    side: Side
    type: OrderType
    trigger_price: Decimal | None
    limit_price: Decimal | None
    usdc: Decimal | None
    fraction: Decimal | None
    sent_price: Decimal | None


def entry_margin(position: Position, leverage: Decimal) -> Decimal | None:
    """Return |size × entry price| ÷ max(leverage, 1); None where the entry price is unknown."""
    if position.entry_price is None:
        return None
    return divide(abs(MATH.multiply(position.net_size, position.entry_price)), max(abs(leverage), ONE))


def plan_trigger(
    asked: TriggerAsked, position: Position, leverage: Decimal, existing: Order | None = None
) -> TriggerPlan:
    """Return a trigger of a position reckoned out; `leverage` is the one selected for the market.

    `existing` is the trigger order that is there already: what is not asked anew stays as it is.
    """
    with localcontext(MATH):
        size = _size(asked, position, existing)
        price = _trigger_price(asked, position, leverage, size, existing)
        gained = _gained(asked, position, price, size)
        margin = _margin_of(position, leverage, size)
        limit = asked.limit_price if asked.is_limit else None
        if limit is None and existing is not None:
            limit = existing.price
        side = Side.SELL if position.net_size > ZERO else Side.BUY
        return TriggerPlan(
            step=_step(asked, price, size, limit, existing),
            size=size,
            side=side,
            type=_type(asked),
            trigger_price=price,
            limit_price=limit,
            usdc=gained if margin else None,
            fraction=None if gained is None or not margin else divide(gained, margin),
            sent_price=limit if asked.is_limit else _market_price(position.market, side, price),
        )


def _size(asked: TriggerAsked, position: Position, existing: Order | None) -> Decimal:
    if asked.size is not None and asked.size > ZERO:
        return asked.size
    if existing is not None and existing.size is not None:
        return abs(existing.size)
    return abs(position.net_size)


def _margin_of(position: Position, leverage: Decimal, size: Decimal) -> Decimal | None:
    whole, share = entry_margin(position, leverage), divide(size, abs(position.net_size))
    return None if whole is None or share is None else whole * share


def _direction(asked: TriggerAsked, position: Position) -> int:
    """Return 1 where the trigger lies above the entry price, as a long's take-profit does."""
    return 1 if (position.net_size > ZERO) != asked.is_stop else -1


def _trigger_price(
    asked: TriggerAsked, position: Position, leverage: Decimal, size: Decimal, existing: Order | None
) -> Decimal | None:
    if asked.value is None:
        return None if asked.removed or existing is None else existing.trigger_price
    if asked.by is TriggerBy.PRICE:
        return asked.value
    usdc: Decimal | None = asked.value
    if asked.by is TriggerBy.FRACTION:
        margin = _margin_of(position, leverage, size)
        usdc = None if margin is None else margin * asked.value
    away = None if usdc is None or size <= ZERO else divide(usdc, size)
    if away is None or position.entry_price is None:
        return None
    return position.entry_price + _direction(asked, position) * away


def _gained(asked: TriggerAsked, position: Position, price: Decimal | None, size: Decimal) -> Decimal | None:
    if price is None or position.entry_price is None:
        return None
    return size * _direction(asked, position) * (price - position.entry_price)


def _type(asked: TriggerAsked) -> OrderType:
    if asked.is_stop:
        return OrderType.STOP_LIMIT if asked.is_limit else OrderType.STOP_MARKET
    return OrderType.TAKE_PROFIT if asked.is_limit else OrderType.TAKE_PROFIT_MARKET


def _market_price(market: str, side: Side, price: Decimal | None) -> Decimal | None:
    if price is None:
        return None
    buffer = trigger_buffer(market)
    return price * (ONE + buffer if side is Side.BUY else ONE - buffer)


def _step(
    asked: TriggerAsked, price: Decimal | None, size: Decimal, limit: Decimal | None, existing: Order | None
) -> Step:
    if existing is None:
        return Step.NOTHING if price is None else Step.PLACE
    if price is None:
        return Step.CANCEL
    return Step.NOTHING if _is_same(asked, price, size, limit, existing) else Step.REPLACE


def _is_same(asked: TriggerAsked, price: Decimal, size: Decimal, limit: Decimal | None, existing: Order) -> bool:
    if existing.size != size or existing.trigger_price != price:
        return False
    was_limit = display_type(existing) in (OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT)
    return asked.is_limit == was_limit and (not asked.is_limit or limit == existing.price)

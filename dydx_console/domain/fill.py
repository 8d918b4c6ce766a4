"""Fills: executed quantity, the only source of what was traded."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise, permutations

from dydx_console.domain.enums import FillType, Side
from dydx_console.domain.numbers import ZERO

__all__ = ["Fill", "chained", "is_forced", "merge_fill"]


@dataclass(frozen=True, slots=True)
class Fill:
    """One side of one match.

    `fee` in USDC, negative for a rebate; `builder_fee` is charged on top of it. `event_id` (24 hex digits: height,
    transaction, event) orders fills of one block; REST rows lack it. The `*_before` figures are the Indexer's.
    """

    id: str
    subaccount: int
    market: str
    side: str
    liquidity: str
    type: str
    price: Decimal
    size: Decimal
    fee: Decimal
    height: int
    created_at: datetime
    order_id: str | None = None
    builder_fee: Decimal | None = None
    client_metadata: str | None = None
    event_id: str | None = None
    transaction_hash: str | None = None
    position_size_before: Decimal | None = None
    entry_price_before: Decimal | None = None
    position_side_before: str | None = None

    @property
    def signed_size(self) -> Decimal:
        """Size with the sign of its effect on the position: positive for a buy."""
        return self.size if self.side == Side.BUY else self.size.copy_negate()

    @property
    def paid(self) -> Decimal:
        """Everything charged for the fill in USDC: protocol fee (negative for a rebate) and builder fee."""
        return self.fee + (self.builder_fee or ZERO)


_OPTIONAL = tuple(field.name for field in fields(Fill) if field.default is None)


def merge_fill(held: Fill, other: Fill) -> Fill:
    """Return `held` completed by what only `other`, a row of the same fill from another source, tells."""
    given = {
        name: value for name in _OPTIONAL if getattr(held, name) is None and (value := getattr(other, name)) is not None
    }
    return replace(held, **given) if given else held


def is_forced(fill: Fill) -> bool:
    """Return whether the account was liquidated or deleveraged by this fill."""
    return fill.type in (FillType.LIQUIDATED, FillType.DELEVERAGED, FillType.OFFSETTING)


MOST_PERMUTED = 6
MOST_CHAINED = 40


def chained(fills: list[Fill], is_before: Callable[[Fill, Fill], bool]) -> list[Fill]:
    """Return fills of one position and block in the order that links most of them; `is_before` is never broken.

    A fill links to the one before it where the position that it met is the one that this left. The Indexer tells that
    position by its row: a fill through zero meets the new row, so size zero on its own side (dydxprotocol/v4-chain
    indexer/services/ender/src/scripts/helpers/dydx_apply_fill_realized_effects.sql). Of equal orders the one nearest
    to the given one is taken.
    """
    if len(fills) < 2 or len(fills) > MOST_CHAINED:
        return fills
    if len(fills) > MOST_PERMUTED:
        return max((_greedy(fills, first, is_before) for first in range(len(fills))), key=_links)
    allowed = (list(order) for order in permutations(fills) if _respects(order, is_before))
    return max(allowed, key=_links)


def _respects(order: tuple[Fill, ...], is_before: Callable[[Fill, Fill], bool]) -> bool:
    return not any(is_before(later, fill) for place, fill in enumerate(order) for later in order[place + 1 :])


def _greedy(fills: list[Fill], first: int, is_before: Callable[[Fill, Fill], bool]) -> list[Fill]:
    left = list(fills)
    order: list[Fill] = []
    while left:
        free = [fill for fill in left if not any(is_before(other, fill) for other in left)]
        if order:
            chosen = next((fill for fill in free if _follows(order[-1], fill)), free[0])
        else:
            chosen = fills[first] if fills[first] in free else free[0]
        order.append(chosen)
        left.remove(chosen)
    return order


def _links(order: list[Fill]) -> int:
    return sum(_follows(one, other) for one, other in pairwise(order))


def _follows(one: Fill, other: Fill) -> bool:
    met, left = other.position_size_before, _left_by(one)
    if met is None or left is None:
        return False
    if met:
        return met.copy_abs() == left and other.position_side_before == one.position_side_before
    return not left or (other.size > left and _grows(other) and other.position_side_before != one.position_side_before)


def _grows(fill: Fill) -> bool:
    return (fill.side == Side.BUY) == (fill.position_side_before == "LONG")


def _left_by(fill: Fill) -> Decimal | None:
    """Return the size that a fill left on its row, None where it is not told or goes through zero."""
    met = fill.position_size_before
    if met is None or fill.position_side_before is None:
        return None
    left = met.copy_abs() + fill.size if _grows(fill) else met.copy_abs() - fill.size
    return left if left >= ZERO else None

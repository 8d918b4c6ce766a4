"""Which row tells what of an order: lives, ranks, the joining of stream and REST. docs/orders.md has the rules."""

from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from dydx_console.domain.enums import OrderFlags, OrderStatus, OrderType, RemovalReason
from dydx_console.domain.order import OrderPatch

__all__ = ["PLACEMENTS", "STATEFUL", "joined", "newer_read", "next_row", "of_parent", "order_values"]

PLACEMENTS = frozenset({OrderStatus.OPEN, OrderStatus.BEST_EFFORT_OPENED, OrderStatus.UNTRIGGERED})
"""Status words of an order that rests, waits for its trigger, or was accepted by a node."""
STATEFUL = frozenset({OrderFlags.CONDITIONAL, OrderFlags.LONG_TERM})

_RANK: dict[str | None, int] = {
    OrderStatus.FILLED: 5,
    OrderStatus.CANCELED: 4,
    OrderStatus.ERROR: 4,
    OrderStatus.BEST_EFFORT_CANCELED: 3,
    OrderStatus.OPEN: 2,
    OrderStatus.UNTRIGGERED: 1,
    OrderStatus.BEST_EFFORT_OPENED: 1,
    None: 0,
}
_UNKNOWN_RANK = 2

_NAMES = tuple(field.name for field in fields(OrderPatch))
_STATUS, _REASON, _FILLED = (_NAMES.index(name) for name in ("status", "removal_reason", "total_filled"))
_TYPE, _HEIGHT = (_NAMES.index(name) for name in ("type", "updated_at_height"))

order_values = attrgetter(*_NAMES)
"""Returns an order row's values in the order of its fields."""


def of_parent(suborder: OrderPatch) -> OrderPatch:
    """Return what a suborder's row, which carries its parent's id, tells of the parent."""
    return OrderPatch(
        id=suborder.id,
        subaccount=suborder.subaccount,
        client_id=suborder.client_id,
        clob_pair_id=suborder.clob_pair_id,
        market=suborder.market,
        side=suborder.side,
        flags=OrderFlags.TWAP,
        total_filled=suborder.total_filled,
        client_metadata=suborder.client_metadata,
    )


def _rank(patch: OrderPatch) -> int:
    if patch.status == OrderStatus.FILLED and patch.flags == OrderFlags.TWAP:
        return _RANK[OrderStatus.OPEN]
    return _RANK.get(patch.status, _UNKNOWN_RANK)


def _compare_life(held: OrderPatch, patch: OrderPatch) -> int:
    """Return -1, 0 or 1 as `patch` belongs to an earlier, the same or a later life than `held`.

    Good-til tells lives apart; a row without one belongs to the life at hand.
    """
    old, new = held.good_til_block, patch.good_til_block
    if old is not None and new is not None:
        return (new > old) - (new < old)
    old_time, new_time = held.good_til_time, patch.good_til_time
    if old_time is not None and new_time is not None:
        return (new_time > old_time) - (new_time < old_time)
    return 0


def _completed(
    held: OrderPatch, patch: OrderPatch, status: str | None, reason: str | None, *, height: int | None = None
) -> OrderPatch:
    """Return `held` with every field that `patch` carries, and the given status and reason.

    `height` keeps the order's own height where the row's must not stand.
    """
    old = order_values(held)
    values: list[Any] = [was if now is None else now for was, now in zip(old, order_values(patch), strict=True)]
    if held.type == OrderType.TWAP and patch.type == OrderType.LIMIT:
        values[_TYPE] = held.type
    if height is not None:
        values[_HEIGHT] = height
    values[0] = held.id
    values[_STATUS], values[_REASON] = status, reason
    values[_FILLED] = _most(held.total_filled, patch.total_filled)
    return OrderPatch(*values)


def _most(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return one if other is None else other
    return max(one, other)


def _reopens(held: OrderPatch, patch: OrderPatch) -> bool:
    """Return whether an OPEN row proves that a stateful order survived its best-effort cancel."""
    if held.status != OrderStatus.BEST_EFFORT_CANCELED or patch.status != OrderStatus.OPEN:
        return False
    flags = patch.flags or held.flags
    if flags not in STATEFUL or patch.updated_at_height is None:
        return False
    return patch.updated_at_height > (held.updated_at_height if held.updated_at_height is not None else -1)


def next_row(held: OrderPatch, patch: OrderPatch) -> OrderPatch:
    """Return the order after one more stream row."""
    if patch.status == OrderStatus.BEST_EFFORT_CANCELED and patch.removal_reason == RemovalReason.REPLACED:
        return held
    life = _compare_life(held, patch)
    if life < 0:
        return held
    if life > 0:
        return _completed(held, patch, patch.status, patch.removal_reason)
    if patch.status is None:
        return _completed(held, patch, held.status, held.removal_reason)
    if _reopens(held, patch):
        return _completed(held, patch, patch.status, None)
    if _rank(patch) >= _rank(held):
        same = patch.status == held.status
        return _completed(held, patch, patch.status, patch.removal_reason or (held.removal_reason if same else None))
    is_leaving = held.status == OrderStatus.BEST_EFFORT_CANCELED
    height = held.updated_at_height if is_leaving else None
    return _completed(held, patch, held.status, held.removal_reason, height=height)


def newer_read(held: OrderPatch, patch: OrderPatch) -> OrderPatch:
    """Return the REST view after one more REST row: never back in its own height, never out of a final status."""
    life = _compare_life(held, patch)
    if life:
        return patch if life > 0 else held
    old, new = held.updated_at_height, patch.updated_at_height
    if old is not None and new is not None and new < old:
        return held
    is_lower = _rank(patch) < _rank(held)
    is_older = old is not None and new is None and is_lower
    is_final = _rank(held) >= _RANK[OrderStatus.CANCELED] and is_lower
    if is_older or is_final or patch.status is None:
        return _completed(held, patch, held.status, held.removal_reason)
    return _completed(held, patch, patch.status, patch.removal_reason)


def joined(stream: OrderPatch, read: OrderPatch | None, placed: int | datetime | None) -> OrderPatch:
    """Return the stream's order, empty before its first row, joined with the REST view.

    `placed` is the good-til of the newest placement that the stream has shown.
    """
    if read is None:
        return stream
    life = _compare_life(stream, read)
    if life < 0:
        return stream
    if life > 0:
        return _completed(stream, read, read.status, read.removal_reason)
    is_replaced = read.status == OrderStatus.BEST_EFFORT_CANCELED and placed is not None and placed == read.good_til
    if not is_replaced and (_reopens(stream, read) or _rank(read) > _rank(stream)):
        return _completed(read, stream, read.status, read.removal_reason)
    return _completed(read, stream, stream.status, stream.removal_reason)

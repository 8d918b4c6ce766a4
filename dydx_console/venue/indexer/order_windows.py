"""How orders are read although their list has no pages: by windows of what ends them, the latest first.

The list is sorted by good-til and cut at a thousand (dydxprotocol/v4-chain indexer/services/comlink/src/controllers/
api/v4/orders-controller.ts); `goodTilBlock…` and `goodTilBlockTime…` bound it from both sides. A window that came full
is asked for again without the part of it that is proven to be whole.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dydx_console.domain.enums import OrderStatus
from dydx_console.domain.order import OrderPatch

__all__ = ["BY_BLOCK", "BY_TIME", "Ending", "Window", "rest_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_FINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED})
_SIDES = ("BUY", "SELL")
ENOUGH = 8
"""Ends in a row that tell the order of an answer: fewer may stand so by chance."""
_STATUSES = ("OPEN", "FILLED", "CANCELED", "BEST_EFFORT_CANCELED", "UNTRIGGERED")


@dataclass(frozen=True, slots=True)
class Ending:
    """One of the two things that end orders, as whole numbers: blocks, or seconds since 1970.

    `name` stands in the cursor's name, `parameter` begins the query's; `slack` is by how much what was read last may
    have been behind the chain.
    """

    name: str
    parameter: str
    slack: int
    of: Callable[[OrderPatch], int | None]
    told: Callable[[int], str]
    words: Callable[[int], str]


def seconds_up(at: datetime) -> int:
    """Return the first whole second since 1970 that is not before `at`."""
    return -((_EPOCH - at) // _SECOND)


def _time_of(order: OrderPatch) -> int | None:
    return None if order.good_til_time is None else seconds_up(order.good_til_time)


def _iso(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


BY_BLOCK = Ending(
    "orders-by-block",
    "goodTilBlock",
    100,
    lambda order: order.good_til_block,
    str,
    lambda key: f"at block {key:,}",
)
"""Short-term orders."""
BY_TIME = Ending(
    "orders-by-time",
    "goodTilBlockTime",
    300,
    _time_of,
    _iso,
    lambda key: f"at {_EPOCH + timedelta(seconds=key):%Y-%m-%d %H:%M:%S} UTC",
)
"""All others."""


@dataclass(frozen=True, slots=True)
class Window:
    """Orders whose end lies after `low` and, where there is `high`, not after it; of a side and a status, or any."""

    ending: Ending
    low: int = 0
    high: int | None = None
    side: str | None = None
    status: str | None = None

    @property
    def query(self) -> dict[str, str | int]:
        """What asks for it."""
        asked: dict[str, str | int] = {f"{self.ending.parameter}After": self.ending.told(self.low)}
        if self.high is not None:
            asked[f"{self.ending.parameter}BeforeOrAt"] = self.ending.told(self.high)
        asked.update({name: value for name, value in (("side", self.side), ("status", self.status)) if value})
        return asked


def rest_of(window: Window, orders: Iterable[OrderPatch]) -> tuple[Window, ...] | None:
    """Return what of a window that came full has still to be asked for, the latest last; None where it cannot be had.

    Whatever the order of the answer: an order beyond its end is not in it, all before its end are. A working order
    comes with the good-til of its newest placement, which is not the one by which it was listed, so ended ones are
    looked at where there are enough.
    """
    listed = list(orders)
    keys = _keys(window, listed)
    ended = _keys(window, (order for order in listed if order.status in _FINAL))
    narrower = _narrowed(window, ended) if len(set(ended)) >= ENOUGH else None
    return narrower or _narrowed(window, keys) or _halves(window, keys) or _parts(window)


def _keys(window: Window, orders: Iterable[OrderPatch]) -> list[int]:
    return [key for key in map(window.ending.of, orders) if key is not None and _is_in(window, key)]


def _is_in(window: Window, key: int) -> bool:
    return key > window.low and (window.high is None or key <= window.high)


def _narrowed(window: Window, keys: list[int]) -> tuple[Window, ...] | None:
    """Return the window without the part that is whole, None where the answer's order proves no part to be."""
    if not keys or keys[0] == keys[-1]:
        return None
    if keys == sorted(keys, reverse=True):
        return (replace(window, high=keys[-1]),)
    if keys == sorted(keys):
        return (replace(window, low=keys[-1] - 1),)
    return None


def _halves(window: Window, keys: list[int]) -> tuple[Window, ...] | None:
    """Return the window in parts, each smaller than it is; None for one that holds a single end."""
    if not keys:
        return None
    middle = (min(keys) + max(keys)) // 2
    parts = (
        replace(window, high=middle - 1),
        replace(window, low=max(middle - 1, window.low), high=middle),
        replace(window, low=middle),
    )
    rest = tuple(part for part in parts if part.high is None or part.low < part.high)
    return None if rest == (window,) else rest


def _parts(window: Window) -> tuple[Window, ...] | None:
    """Return a window that cannot be narrowed by its sides or statuses: one end shared by more than a page."""
    if window.side is None:
        return tuple(replace(window, side=side) for side in _SIDES)
    if window.status is None:
        return tuple(replace(window, status=status) for status in _STATUSES)
    return None

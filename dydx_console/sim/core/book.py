"""One order book: price levels in subticks, first in first out at a price, all in integers.

The book only holds and totals orders; who may trade with whom is decided by `chain.matching`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass

from dydx_console.sim.core.orders import Order, OrderId, Side


@dataclass(slots=True)
class Resting:
    """An order on the book and what is left of it."""

    order: Order
    remaining_quantums: int


class BookSide:
    """The levels of one side, best first."""

    def __init__(self, side: Side) -> None:
        self._sign = -1 if side is Side.BUY else 1
        self._keys: list[int] = []
        self._levels: dict[int, dict[OrderId, Resting]] = {}
        self._totals: dict[int, int] = {}

    @property
    def best(self) -> int | None:
        """The best price in subticks, or None when the side is empty."""
        return self._keys[0] * self._sign if self._keys else None

    def add(self, resting: Resting) -> int:
        """Queue an order behind those at its price; returns the level's new total."""
        price = resting.order.subticks
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = {}
            self._totals[price] = 0
            insort(self._keys, price * self._sign)
        level[resting.order.id] = resting
        self._totals[price] += resting.remaining_quantums
        return self._totals[price]

    def reduce(self, resting: Resting, quantums: int) -> int:
        """Take `quantums` off an order (dropping it at zero); returns the level's new total."""
        price = resting.order.subticks
        resting.remaining_quantums -= quantums
        self._totals[price] -= quantums
        total = self._totals[price]
        if resting.remaining_quantums == 0:
            level = self._levels[price]
            del level[resting.order.id]
            if not level:
                del self._levels[price], self._totals[price]
                self._keys.pop(bisect_left(self._keys, price * self._sign))
        return total

    def first(self) -> Resting | None:
        """The order that trades next."""
        if not self._keys:
            return None
        return next(iter(self._levels[self._keys[0] * self._sign].values()))

    def levels(self) -> Iterator[tuple[int, int]]:
        """(subticks, total quantums), best first."""
        for key in self._keys:
            yield key * self._sign, self._totals[key * self._sign]

    def __len__(self) -> int:
        return len(self._keys)


class Book:
    """Both sides of a market, and an index of the resting orders by id."""

    def __init__(self) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self._resting: dict[OrderId, Resting] = {}

    def side(self, side: Side) -> BookSide:
        """The levels of one side."""
        return self.bids if side is Side.BUY else self.asks

    def get(self, order_id: OrderId) -> Resting | None:
        """The resting order with this id, if any."""
        return self._resting.get(order_id)

    def add(self, order: Order, remaining_quantums: int) -> int:
        """Rest an order; returns its level's new total."""
        resting = Resting(order, remaining_quantums)
        self._resting[order.id] = resting
        return self.side(order.side).add(resting)

    def reduce(self, resting: Resting, quantums: int) -> int:
        """Take `quantums` off a resting order; returns its level's new total."""
        total = self.side(resting.order.side).reduce(resting, quantums)
        if resting.remaining_quantums == 0:
            del self._resting[resting.order.id]
        return total

    def remove(self, resting: Resting) -> int:
        """Take a resting order off the book; returns its level's new total."""
        return self.reduce(resting, resting.remaining_quantums)

    def would_cross(self, side: Side, subticks: int) -> bool:
        """Whether a limit at `subticks` meets the other side."""
        best = self.side(side.opposite).best
        if best is None:
            return False
        return subticks >= best if side is Side.BUY else subticks <= best

    def best_for(self, side: Side, subticks: int) -> Resting | None:
        """The order that a taker of `side` limited to `subticks` would trade with next."""
        return self.side(side.opposite).first() if self.would_cross(side, subticks) else None

    def mid_subticks(self) -> int | None:
        """Half-way between the best prices, when there are both."""
        if self.bids.best is None or self.asks.best is None:
            return None
        return (self.bids.best + self.asks.best) // 2

    @property
    def crossed(self) -> bool:
        """Best bid at or above best ask: never after matching."""
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid >= ask

    def resting(self) -> Iterator[Resting]:
        """Every resting order."""
        return iter(self._resting.values())

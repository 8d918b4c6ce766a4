"""What the journal has not been given yet, noted where the reducers accept it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward, Transfer

__all__ = ["Coverage", "Unwritten"]


@dataclass(slots=True)
class Unwritten:
    """Names of what has changed, and rows that were not known, since the journal was last given them.

    `orders` tells for each id who told of it last: STREAM, SNAPSHOT, REST, FILL or HEIGHT. `late` are fills, with their
    places, that are older than all that are held.
    """

    fills: set[str] = field(default_factory=set)
    late: list[tuple[Fill, int | None]] = field(default_factory=list)
    orders: dict[str, str] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    payments: list[FundingPayment] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)

    def touch(self, order_ids: Iterable[str], source: str) -> None:
        """Note orders of which `source` has told something."""
        orders = self.orders
        for order_id in order_ids:
            orders[order_id] = source

    def taken(self) -> "Unwritten":
        """Return everything, and begin anew."""
        taken = Unwritten(set(self.fills), self.late, self.orders, self.transfers, self.payments, self.rewards)
        self.fills.clear()
        self.late, self.orders, self.transfers, self.payments, self.rewards = [], {}, [], [], []
        return taken


class Coverage:
    """Which of an account's fills have been read without a hole: up to the place `end` in the venue's order.

    They begin with the fill of `oldest_at`; `is_complete` says that nothing older exists.
    """

    def __init__(self) -> None:
        self.end = 0
        self.total: int | None = None
        self.is_complete = False
        self.oldest_at: datetime | None = None
        self.oldest_height: int | None = None
        self.newest: Fill | None = None
        self._begin: int | None = None

    def resume(self, end: int, total: int | None, oldest: tuple[datetime | None, int | None], *, whole: bool) -> None:
        """Take what an earlier run had read, where it knew more; `whole` says that nothing older existed."""
        if end > self.end:
            self.end, self.total, self.is_complete = end, total, whole
            self.oldest_at, self.oldest_height = oldest
            self._begin = 0 if whole else None

    def page(self, offset: int, fills: tuple[Fill, ...], total: int | None) -> None:
        """Take a page whose first fill has the place `offset`, of `total` there are."""
        self.total = total
        if not fills:
            return
        end = offset + len(fills)
        is_apart = not self.end or offset > self.end
        if is_apart or (self._begin is not None and offset < self._begin <= end):
            self._begin, self.is_complete = offset, offset == 0
            self.oldest_at, self.oldest_height = fills[0].created_at, fills[0].height
        if is_apart or end >= self.end:
            self.end, self.newest = end, fills[-1]

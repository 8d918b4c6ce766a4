"""What a connection has told of the account's orders, to be held against what REST lists.

A stream that is deaf, or lost a message while it was being joined, shows it by no message number; and an order that
was placed or cancelled without a fill changes nothing else of the account.
"""

from collections.abc import Iterable

from dydx_console.domain.enums import OrderFlags, OrderStatus
from dydx_console.domain.order import OrderPatch

__all__ = ["ToldOrders"]

WORKING = frozenset({OrderStatus.OPEN, OrderStatus.UNTRIGGERED, OrderStatus.BEST_EFFORT_OPENED})
MOST = 5_000
"""Orders that are remembered; of more the oldest are forgotten."""


class ToldOrders:
    """The newest row of every order that one connection has told of.

    That a short-term order is not listed proves something only where such orders are listed at all.
    """

    def __init__(self) -> None:
        self._rows: dict[str, OrderPatch] = {}
        self._are_short_terms_listed = False

    def take(self, patches: Iterable[OrderPatch]) -> None:
        """Take rows in the order in which they came."""
        for patch in patches:
            self._rows.pop(patch.id, None)
            self._rows[patch.id] = patch
        while len(self._rows) > MOST:
            del self._rows[next(iter(self._rows))]

    def begin(self, listed: Iterable[OrderPatch]) -> None:
        """Take an account's first contents, which the venue makes of the same listing as its answers."""
        patches = tuple(listed)
        self._note_listed(patches)
        self.take(patches)

    def end(self, listed: Iterable[OrderPatch]) -> None:
        """Take of a listing what has ended in the life that was told to go on: what was lost of it has been read."""
        for patch in listed:
            row = self._rows.get(patch.id)
            if row is not None and row.status in WORKING and patch.status not in WORKING and not _is_before(patch, row):
                self._rows[patch.id] = patch

    def working(self, height: int) -> frozenset[str]:
        """Return which orders were told to work, but for those whose good-til is not after a block's height."""
        return frozenset(
            order_id
            for order_id, row in self._rows.items()
            if row.status in WORKING and (row.good_til_block is None or row.good_til_block > height)
        )

    def unlike(self, listed: Iterable[OrderPatch], working: frozenset[str], height: int) -> frozenset[str]:
        """Return the orders of which REST knows something else.

        Args:
            listed: the working orders, all of them, as REST lists them.
            working: what `working` returned before REST was asked.
            height: the newest block, as in `working`.
        """
        patches = tuple(listed)
        self._note_listed(patches)
        ids = {patch.id for patch in patches if patch.flags != OrderFlags.TWAP_SUBORDER and patch.status in WORKING}
        absent = {held for held in (working & self.working(height)) - ids if self._can_be_listed(self._rows[held])}
        return frozenset((ids - self._rows.keys()) | absent)

    def _note_listed(self, patches: Iterable[OrderPatch]) -> None:
        self._are_short_terms_listed |= any(patch.status == OrderStatus.BEST_EFFORT_OPENED for patch in patches)

    def _can_be_listed(self, row: OrderPatch) -> bool:
        return self._are_short_terms_listed or row.status != OrderStatus.BEST_EFFORT_OPENED


def _is_before(patch: OrderPatch, row: OrderPatch) -> bool:
    """Return whether a row is of an older life of an order than another one."""
    return (patch.good_til_block or 0) < (row.good_til_block or 0)

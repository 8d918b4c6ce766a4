"""What the transactions that wait for the next block would change, as a node's checks see it.

Sources: dydxprotocol/v4-chain protocol/x/clob/keeper/orders.go (uncommitted placements and cancellations).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dydx_console.sim.core.orders import Cancel, Order, OrderId, Place, SubaccountId, Transfer
from dydx_console.sim.core.transactions import Bundle, Message


@dataclass(slots=True)
class Uncommitted:
    """Placed and cancelled orders, and the micro-USDC that transfers beside them move."""

    placed: dict[OrderId, Order] = field(default_factory=dict)
    cancelled: set[OrderId] = field(default_factory=set)
    moved: dict[SubaccountId, int] = field(default_factory=dict)

    @classmethod
    def of(cls, waiting: Iterable[Bundle]) -> Uncommitted:
        """What waits. A transfer that travels without orders is not executed before its block."""
        found = cls()
        for bundle in waiting:
            if bundle.of_orders:
                for message in bundle.messages:
                    found.note(message)
        return found

    def note(self, message: Message) -> None:
        """Add one message."""
        match message:
            case Place(order):
                self.placed[order.id] = order
            case Cancel(order_id):
                self.cancelled.add(order_id)
            case Transfer(sender, recipient, amount):
                for end, change in ((sender, -amount), (recipient, amount)):
                    if isinstance(end, SubaccountId):
                        self.moved[end] = self.moved.get(end, 0) + change

    def money(self, subaccount: SubaccountId) -> int:
        """Micro-USDC that a subaccount will have more (negative: less)."""
        return self.moved.get(subaccount, 0)

"""The state that a block committed, as a node's queries tell it: without the matches that wait for the next block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dydx_console.sim.core.events import (
    Block,
    BlockEvent,
    ConditionalTriggered,
    Filled,
    Liquidated,
    StatefulPlaced,
    StatefulRemoved,
    SubaccountUpdated,
)
from dydx_console.sim.core.orders import Order, OrderId, SubaccountId

FIRST_ACCOUNT_NUMBER = 100


@dataclass(slots=True)
class CommittedPosition:
    """Signed quantums, and the funding index that the position was settled up to."""

    quantums: int
    funding_index: int


@dataclass(slots=True)
class CommittedSubaccount:
    """Micro-USDC without unsettled funding, and positions by perpetual id."""

    usdc_quantums: int = 0
    positions: dict[int, CommittedPosition] = field(default_factory=dict)


@dataclass(slots=True)
class Placement:
    """A long-term or conditional order in state: which block and transaction placed it, and how much it has filled.

    TWAP parents are kept apart there.
    """

    order: Order
    height: int
    transaction_index: int
    filled_quantums: int = 0
    triggered: bool = False


class Committed:
    """Subaccounts, accounts and stateful orders as of the last block.

    An address has an account from the first time that money of it or for it was in a block; its number never changes.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self.subaccounts: dict[SubaccountId, CommittedSubaccount] = {}
        self.placements: dict[OrderId, Placement] = {}
        self._account_numbers: dict[str, int] = {}
        for address in addresses:
            self._open(address)

    def account_number(self, address: str) -> int | None:
        """An account's number; None for an address that the chain never saw."""
        return self._account_numbers.get(address)

    def open_interest(self, perpetual_id: int) -> int:
        """Quantums of all long positions in a perpetual."""
        held = (account.positions.get(perpetual_id) for account in self.subaccounts.values())
        return sum(max(0, position.quantums) for position in held if position is not None)

    def take(self, block: Block, funding_indices: Mapping[int, int], newcomers: Iterable[str]) -> None:
        """Commit a block. `funding_indices` are those from before it: a block's funding comes after its updates."""
        for address in newcomers:
            self._open(address)
        for event in block.events:
            match event.event:
                case SubaccountUpdated() as update:
                    self._update(update, funding_indices)
                case Filled() as fill:
                    self._fill(fill.maker.id, fill.maker_filled_quantums)
                    self._fill(fill.taker.id, fill.taker_filled_quantums)
                case Liquidated() as fill:
                    self._fill(fill.maker.id, fill.maker_filled_quantums)
                case _:
                    self._place(event, block.height)

    def _place(self, event: BlockEvent, height: int) -> None:
        match event.event:
            case StatefulPlaced(order) if order.twap is None:
                self.placements[order.id] = Placement(order, height, event.transaction_index)
            case ConditionalTriggered(order) if order.id in self.placements:
                self.placements[order.id].triggered = True
            case StatefulRemoved(order):
                self.placements.pop(order.id, None)

    def _fill(self, order_id: OrderId, filled_quantums: int) -> None:
        placement = None if order_id.short_term else self.placements.get(order_id)
        if placement is not None:
            placement.filled_quantums = filled_quantums
            if filled_quantums >= placement.order.quantums:
                del self.placements[order_id]

    def _update(self, update: SubaccountUpdated, funding_indices: Mapping[int, int]) -> None:
        self._open(update.subaccount.owner)
        account = self.subaccounts.setdefault(update.subaccount, CommittedSubaccount())
        account.usdc_quantums = update.usdc_quantums
        for change in update.positions:
            if change.quantums:
                account.positions[change.perpetual_id] = CommittedPosition(change.quantums, 0)
            else:
                account.positions.pop(change.perpetual_id, None)
        for perpetual_id, position in account.positions.items():
            position.funding_index = funding_indices[perpetual_id]

    def _open(self, address: str) -> None:
        self._account_numbers.setdefault(address, FIRST_ACCOUNT_NUMBER + len(self._account_numbers))

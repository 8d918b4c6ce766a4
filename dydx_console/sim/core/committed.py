"""The state that a block committed, as a node's queries tell it: without the matches that wait for the next block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dydx_console.sim.core.events import Block, SubaccountUpdated, Transferred
from dydx_console.sim.core.orders import SubaccountId

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


class Committed:
    """Subaccounts, accounts and wallets as of the last block.

    An address has an account from the first time that money of it or for it was in a block; its number never changes.
    Wallets hold what was withdrawn to them and not deposited again: money from outside comes from nowhere.
    """

    def __init__(self) -> None:
        self.subaccounts: dict[SubaccountId, CommittedSubaccount] = {}
        self._account_numbers: dict[str, int] = {}
        self._wallets: dict[str, int] = {}

    def account_number(self, address: str) -> int | None:
        """An account's number; None for an address that the chain never saw."""
        return self._account_numbers.get(address)

    def wallet_usdc(self, address: str) -> int:
        """Micro-USDC in a wallet."""
        return max(0, self._wallets.get(address, 0))

    def open_interest(self, perpetual_id: int) -> int:
        """Quantums of all long positions in a perpetual."""
        held = (account.positions.get(perpetual_id) for account in self.subaccounts.values())
        return sum(max(0, position.quantums) for position in held if position is not None)

    def take(self, block: Block, funding_indices: Mapping[int, int]) -> None:
        """Commit a block. `funding_indices` are those from before it: a block's funding comes after its updates."""
        for event in block.events:
            match event.event:
                case SubaccountUpdated() as update:
                    self._update(update, funding_indices)
                case Transferred(sender, recipient, quote_quantums):
                    self._move(sender, -quote_quantums)
                    self._move(recipient, quote_quantums)

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

    def _move(self, end: SubaccountId | str, quote_quantums: int) -> None:
        address = end.owner if isinstance(end, SubaccountId) else end
        self._open(address)
        if not isinstance(end, SubaccountId):
            self._wallets[address] = self._wallets.get(address, 0) + quote_quantums

    def _open(self, address: str) -> None:
        self._account_numbers.setdefault(address, FIRST_ACCOUNT_NUMBER + len(self._account_numbers))

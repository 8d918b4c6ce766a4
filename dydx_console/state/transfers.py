"""Transfers of the account, from the stream and from REST.

A stream row has no id, and REST names the parent where the stream names the child, so rows of one transaction that
agree in everything else are told apart by their number: REST rows stand for as many stream rows.
"""

from collections.abc import Iterable

from dydx_console.domain.flows import Transfer
from dydx_console.domain.ids import parent_of

__all__ = ["Transfers"]

_Name = tuple[object, ...]


class Transfers:
    """Every known transfer once."""

    def __init__(self) -> None:
        self._read: dict[_Name, dict[str, Transfer]] = {}
        self._streamed: dict[_Name, set[Transfer]] = {}

    def __len__(self) -> int:
        return len(self.newest)

    def take(self, transfers: Iterable[Transfer]) -> None:
        """Add rows; REST's are those with an id."""
        for transfer in transfers:
            name = _name(transfer)
            if transfer.id is None:
                self._streamed.setdefault(name, set()).add(transfer)
            else:
                self._read.setdefault(name, {})[transfer.id] = transfer

    @property
    def newest(self) -> tuple[Transfer, ...]:
        """The transfers, newest first."""
        found: list[Transfer] = []
        for name in self._read.keys() | self._streamed.keys():
            read = self._read.get(name, {})
            found.extend(read.values())
            found.extend(sorted(self._streamed.get(name, ()), key=_order)[len(read) :])
        return tuple(sorted(found, key=_order, reverse=True))


def _name(transfer: Transfer) -> _Name:
    ends = (transfer.sender_subaccount, transfer.recipient_subaccount)
    parents = tuple(None if end is None else parent_of(end) for end in ends)
    return (transfer.transaction_hash, transfer.type, transfer.asset, transfer.size, transfer.height,
            transfer.sender, transfer.recipient, parents)  # fmt: skip


def _order(transfer: Transfer) -> tuple[object, ...]:
    ends = (transfer.sender_subaccount, transfer.recipient_subaccount)
    numbers = tuple(-1 if end is None else end for end in ends)
    name = (transfer.type, transfer.transaction_hash or "", numbers, transfer.size, transfer.id or "")
    return transfer.created_at, transfer.height, *name

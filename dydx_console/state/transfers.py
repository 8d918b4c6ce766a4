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

    def take(self, transfers: Iterable[Transfer]) -> tuple[Transfer, ...]:
        """Add rows; REST's are those with an id. Returns the rows that were not held."""
        new: list[Transfer] = []
        for transfer in transfers:
            name = _name(transfer)
            if transfer.id is None:
                streamed = self._streamed.setdefault(name, set())
                is_held = transfer in streamed
                streamed.add(transfer)
            else:
                read = self._read.setdefault(name, {})
                is_held = read.get(transfer.id) == transfer
                read[transfer.id] = transfer
            if not is_held:
                new.append(transfer)
        return tuple(new)

    @property
    def rows(self) -> tuple[Transfer, ...]:
        """Every row held: those by REST, and those of the stream that they may stand for."""
        read = (transfer for rows in self._read.values() for transfer in rows.values())
        streamed = (transfer for rows in self._streamed.values() for transfer in sorted(rows, key=_order))
        return (*read, *streamed)

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

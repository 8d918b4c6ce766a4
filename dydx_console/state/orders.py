"""Orders merged from every row seen of them.

Rows of one id reach the console from two producers and from REST, in any order. The merged order is a function of
the set of rows, not of their arrival: stream rows are folded in the order of their versions, the REST view is joined
by rule, and an end that only a snapshot's silence proves comes last. The rules are in docs/orders.md.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from dydx_console.domain.enums import OrderFlags, OrderStatus, RemovalReason
from dydx_console.domain.ids import StreamVersion, parent_of
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.order import SNAPSHOT, Order, OrderPatch, good_til_passed
from dydx_console.state.order_rules import PLACEMENTS, STATEFUL, joined, newer_read, next_row, of_parent, order_values

__all__ = ["Orders"]

VENUE = "VENUE"


class Row(NamedTuple):
    """A stream row and where it stood."""

    version: StreamVersion
    place: int
    patch: OrderPatch


@dataclass(frozen=True, slots=True)
class Absence:
    """A snapshot that did not list the order, and the chain's height and time then."""

    version: StreamVersion
    height: int | None
    time: datetime | None


@dataclass(frozen=True, slots=True)
class RestView:
    """The newest REST row of an order and the newest connection when it was asked for."""

    patch: OrderPatch
    connection: int


@dataclass(slots=True)
class Record:
    """Everything known of one id; `order` is the merged result, None while rows wait to be merged."""

    id: str
    subaccount: int | None
    order: Order | None = None
    rows: list[Row] = field(default_factory=list)
    folded: OrderPatch | None = None
    placed: int | datetime | None = None
    rest: RestView | None = None
    absence: Absence | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A snapshot's orders: what a scope held at a version."""

    version: StreamVersion
    parent: int | None
    subaccount: int | None
    ids: frozenset[str]
    height: int | None
    time: datetime | None

    def covers(self, subaccount: int | None) -> bool:
        """Return whether an order of this subaccount would have been listed."""
        if subaccount is None:
            return False
        return parent_of(subaccount) == self.parent if self.parent is not None else subaccount == self.subaccount


class Orders:
    """All orders of the watched account, by id."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._ids: list[str] = []
        self._executed: dict[str, tuple[Decimal, Decimal]] = {}
        self._listings: list[Listing] = []

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Order]:
        return (self._settled(self._records[order_id]) for order_id in self._ids)

    def get(self, order_id: str) -> Order | None:
        """Return one merged order."""
        record = self._records.get(order_id)
        return None if record is None else self._settled(record)

    def take_rows(self, patches: Iterable[OrderPatch], version: StreamVersion) -> set[str]:
        """Merge rows of one stream message; returns the ids that they touch."""
        return {self._take(patch, version, index).id for index, patch in enumerate(patches)}

    def take_listing(self, listing: Listing, patches: Iterable[OrderPatch]) -> set[str]:
        """Merge a snapshot: its rows, and the end of every covered order of an earlier connection it lacks.

        Returns the ids that it touches.
        """
        changed = self.take_rows(patches, listing.version)
        self._listings = [held for held in self._listings if not self._supersedes(listing, held)] + [listing]
        for record in self._records.values():
            if self._note_absence(record, listing):
                changed.add(record.id)
        return changed

    def take_read(self, patches: Iterable[OrderPatch], connection: int) -> set[str]:
        """Merge rows read by REST, asked for while `connection` was the newest; returns the ids that they touch."""
        changed = set()
        for patch in patches:
            record = self._record(patch, connection)
            held = None if record.rest is None else record.rest.patch
            row = of_parent(patch) if patch.flags == OrderFlags.TWAP_SUBORDER else patch
            known = connection if record.rest is None else max(connection, record.rest.connection)
            record.rest = RestView(row if held is None else newer_read(held, row), known)
            record.order = None
            changed.add(patch.id)
        return changed

    def take_execution(self, order_id: str, size: Decimal, price: Decimal) -> bool:
        """Count a new fill towards its order; returns whether the order is known."""
        filled, value = self._executed.get(order_id, (ZERO, ZERO))
        self._executed[order_id] = (MATH.add(filled, size), MATH.fma(size, price, value))
        record = self._records.get(order_id)
        if record is not None:
            record.order = None
        return record is not None

    def let_go(self, most: int, is_ended: Callable[[Order], bool]) -> set[str]:
        """Let go of the ended orders beyond the newest `most`; returns their ids."""
        ended = [record for record in self._records.values() if is_ended(self._settled(record))]
        ended.sort(key=lambda record: _height(self._settled(record)))
        gone = {record.id for record in ended[: max(len(ended) - most, 0)]}
        for order_id in gone:
            del self._records[order_id]
            self._executed.pop(order_id, None)
        self._ids = [order_id for order_id in self._ids if order_id not in gone]
        return gone

    def forget_executions(self, most: int) -> None:
        """Forget the oldest executions of orders that are not known, beyond `most` in all."""
        surplus = len(self._executed) - most
        if surplus > 0:
            unknown = (order_id for order_id in self._executed if order_id not in self._records)
            for order_id in list(islice(unknown, surplus)):
                del self._executed[order_id]

    def _take(self, patch: OrderPatch, version: StreamVersion, index: int) -> Record:
        record = self._record(patch, version.connection)
        row = Row(version, index, of_parent(patch) if patch.flags == OrderFlags.TWAP_SUBORDER else patch)
        in_order = not record.rows or record.rows[-1][:2] < row[:2]
        if in_order:
            record.rows.append(row)
            self._fold(record, (row,))
        else:
            insort(record.rows, row, key=lambda held: held[:2])
            record.folded, record.placed = None, None
            self._fold(record, record.rows)
        record.order = None
        if record.subaccount is None:
            record.subaccount = patch.subaccount
        return record

    def _record(self, patch: OrderPatch, connection: int) -> Record:
        record = self._records.get(patch.id)
        if record is None:
            record = Record(patch.id, patch.subaccount)
            self._records[patch.id] = record
            insort(self._ids, patch.id)
            for listing in self._listings:
                if connection < listing.version.connection:
                    self._note_absence(record, listing)
        return record

    @staticmethod
    def _supersedes(new: Listing, old: Listing) -> bool:
        same_scope = (new.parent, new.subaccount) == (old.parent, old.subaccount)
        return same_scope and new.version > old.version

    @staticmethod
    def _note_absence(record: Record, listing: Listing) -> bool:
        if record.id in listing.ids or not listing.covers(record.subaccount):
            return False
        if record.absence is not None and record.absence.version >= listing.version:
            return False
        record.absence = Absence(listing.version, listing.height, listing.time)
        record.order = None
        return True

    @staticmethod
    def _fold(record: Record, rows: Iterable[Row]) -> None:
        for row in rows:
            held = record.folded
            record.folded = row.patch if held is None else next_row(held, row.patch)
            if held is None and row.patch.removal_reason == RemovalReason.REPLACED:
                record.folded = replace(row.patch, status=None, removal_reason=None)
            if row.patch.status in PLACEMENTS and row.patch.good_til is not None:
                record.placed = row.patch.good_til

    def _settled(self, record: Record) -> Order:
        """Return the merged order. Rows come in bursts and orders are read at most once a frame, so it is made here."""
        if record.order is None:
            record.order = self._merged(record)
        return record.order

    def _merged(self, record: Record) -> Order:
        read = None if record.rest is None else record.rest.patch
        merged = joined(record.folded or OrderPatch(record.id), read, record.placed)
        status, reason = merged.status, merged.removal_reason
        source = None if reason is None else VENUE
        absence = record.absence
        if absence is not None and self._ended_unseen(record, merged, absence):
            status = OrderStatus.CANCELED
            if reason is None:
                source = SNAPSHOT
                reason = RemovalReason.EXPIRED if good_til_passed(merged, absence.height, absence.time) else SNAPSHOT
            merged = replace(merged, status=status, removal_reason=reason)
        filled, value = self._executed.get(record.id, (ZERO, ZERO))
        average = divide(value, filled) if filled else None
        values: list[Any] = [*order_values(merged), max(filled, merged.total_filled or ZERO), average, source]
        return Order(*values)

    @staticmethod
    def _ended_unseen(record: Record, merged: OrderPatch, absence: Absence) -> bool:
        """Return whether a snapshot's silence ends the order: it could still live, and nothing newer speaks of it.

        A stateful order whose removal was awaited would be listed as open had it stayed; a short-term one is listed
        after its best-effort cancel only if it had filled, so for it silence tells nothing.
        """
        is_leaving = merged.status == OrderStatus.BEST_EFFORT_CANCELED and merged.flags in STATEFUL
        if merged.status not in PLACEMENTS and not is_leaving:
            return False
        if record.rows and record.rows[-1].version.connection >= absence.version.connection:
            return False
        return record.rest is None or record.rest.connection < absence.version.connection


def _height(order: Order) -> int:
    """Return the block in which an order was last told of, 0 where none is known."""
    return order.updated_at_height or order.created_at_height or order.good_til_block or 0

"""Orders merged from every row seen of them.

Rows of one id reach the console from two producers and from REST, in any order. The merged order is a function of
the set of rows, not of their arrival: stream rows are folded in the order of their versions, the REST view is joined
by rule, and an end that only a snapshot's silence proves comes last. The rules are in docs/orders.md.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from dydx_console.domain.enums import OrderFlags, OrderStatus, OrderType, RemovalReason
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.numbers import MATH, ZERO, divide
from dydx_console.domain.order import SNAPSHOT, Order, OrderPatch, good_til_passed

__all__ = ["Orders"]

VENUE = "VENUE"

_RANK: dict[str | None, int] = {
    OrderStatus.FILLED: 5,
    OrderStatus.CANCELED: 4,
    OrderStatus.ERROR: 4,
    OrderStatus.BEST_EFFORT_CANCELED: 3,
    OrderStatus.OPEN: 2,
    OrderStatus.UNTRIGGERED: 1,
    OrderStatus.BEST_EFFORT_OPENED: 1,
    None: 0,
}
_UNKNOWN_RANK = 2
_PLACEMENTS = frozenset({OrderStatus.OPEN, OrderStatus.BEST_EFFORT_OPENED, OrderStatus.UNTRIGGERED})
_STATEFUL = frozenset({OrderFlags.CONDITIONAL, OrderFlags.LONG_TERM})

_MERGED = tuple(f.name for f in fields(OrderPatch) if f.name not in ("id", "status", "removal_reason", "total_filled"))
_LIFE = ("good_til_block", "good_til_time", "size", "price", "trigger_price", "time_in_force", "post_only")


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
    """Everything known of one id; `order` is the merged result."""

    id: str
    order: Order
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
        return subaccount % 128 == self.parent if self.parent is not None else subaccount == self.subaccount


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
        return (self._records[order_id].order for order_id in self._ids)

    def get(self, order_id: str) -> Order | None:
        """Return one merged order."""
        record = self._records.get(order_id)
        return None if record is None else record.order

    def take_rows(self, patches: Iterable[OrderPatch], version: StreamVersion) -> set[str]:
        """Merge rows of one stream message; returns the ids that changed."""
        return {patch.id for index, patch in enumerate(patches) if self._take(patch, version, index)}

    def take_listing(self, listing: Listing, patches: Iterable[OrderPatch]) -> set[str]:
        """Merge a snapshot: its rows, and the end of every covered order of an earlier connection it lacks."""
        changed = self.take_rows(patches, listing.version)
        self._listings = [held for held in self._listings if not self._supersedes(listing, held)] + [listing]
        for record in self._records.values():
            if self._note_absence(record, listing) and self._settle(record):
                changed.add(record.id)
        return changed

    def take_read(self, patches: Iterable[OrderPatch], connection: int) -> set[str]:
        """Merge rows read by REST, asked for while `connection` was the newest; returns the ids that changed."""
        changed = set()
        for patch in patches:
            record = self._record(patch, connection)
            held = None if record.rest is None else record.rest.patch
            row = _of_parent(patch) if patch.flags == OrderFlags.TWAP_SUBORDER else patch
            known = connection if record.rest is None else max(connection, record.rest.connection)
            record.rest = RestView(row if held is None else _newer_read(held, row), known)
            if self._settle(record):
                changed.add(patch.id)
        return changed

    def take_execution(self, order_id: str, size: Decimal, price: Decimal) -> bool:
        """Count a new fill towards its order; returns whether a known order changed."""
        filled, value = self._executed.get(order_id, (ZERO, ZERO))
        self._executed[order_id] = (MATH.add(filled, size), MATH.fma(size, price, value))
        record = self._records.get(order_id)
        return record is not None and self._settle(record)

    def _take(self, patch: OrderPatch, version: StreamVersion, index: int) -> bool:
        record = self._record(patch, version.connection)
        row = Row(version, index, _of_parent(patch) if patch.flags == OrderFlags.TWAP_SUBORDER else patch)
        in_order = not record.rows or record.rows[-1][:2] < row[:2]
        if in_order:
            record.rows.append(row)
            self._fold(record, (row,))
        else:
            insort(record.rows, row, key=lambda held: held[:2])
            record.folded, record.placed = None, None
            self._fold(record, record.rows)
        return self._settle(record)

    def _record(self, patch: OrderPatch, connection: int) -> Record:
        record = self._records.get(patch.id)
        if record is None:
            record = Record(patch.id, Order(id=patch.id, subaccount=patch.subaccount))
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
        if record.id in listing.ids or not listing.covers(record.order.subaccount):
            return False
        if record.absence is not None and record.absence.version >= listing.version:
            return False
        record.absence = Absence(listing.version, listing.height, listing.time)
        return True

    @staticmethod
    def _fold(record: Record, rows: Iterable[Row]) -> None:
        for row in rows:
            held = record.folded
            record.folded = row.patch if held is None else _next(held, row.patch)
            if held is None and row.patch.removal_reason == RemovalReason.REPLACED:
                record.folded = replace(row.patch, status=None, removal_reason=None)
            if row.patch.status in _PLACEMENTS and row.patch.good_til is not None:
                record.placed = row.patch.good_til

    def _settle(self, record: Record) -> bool:
        merged = _joined(record.folded or OrderPatch(record.id), record.rest, record.placed)
        status, reason = merged.status, merged.removal_reason
        source = None if reason is None else VENUE
        absence = record.absence
        if absence is not None and self._ended_unseen(record, merged, absence):
            status = OrderStatus.CANCELED
            if reason is None:
                source = SNAPSHOT
                reason = RemovalReason.EXPIRED if good_til_passed(merged, absence.height, absence.time) else SNAPSHOT
        filled, value = self._executed.get(record.id, (ZERO, ZERO))
        average = divide(value, filled) if filled else None
        values = {name: getattr(merged, name) for name in _MERGED}
        order = Order(
            id=record.id,
            status=status,
            removal_reason=reason,
            total_filled=merged.total_filled,
            filled=max(filled, merged.total_filled or ZERO),
            average_fill_price=average,
            reason_source=source,
            **values,
        )
        changed = order != record.order
        record.order = order
        return changed

    @staticmethod
    def _ended_unseen(record: Record, merged: OrderPatch, absence: Absence) -> bool:
        """Return whether a snapshot's silence ends the order: it could still live, and nothing newer speaks of it.

        A stateful order whose removal was awaited would be listed as open had it stayed; a short-term one is listed
        after its best-effort cancel only if it had filled, so for it silence tells nothing.
        """
        is_leaving = merged.status == OrderStatus.BEST_EFFORT_CANCELED and merged.flags in _STATEFUL
        if merged.status not in _PLACEMENTS and not is_leaving:
            return False
        if record.rows and record.rows[-1].version.connection >= absence.version.connection:
            return False
        return record.rest is None or record.rest.connection < absence.version.connection


def _of_parent(suborder: OrderPatch) -> OrderPatch:
    """Return what a suborder's row, which carries its parent's id, tells of the parent."""
    return OrderPatch(
        id=suborder.id,
        subaccount=suborder.subaccount,
        client_id=suborder.client_id,
        clob_pair_id=suborder.clob_pair_id,
        market=suborder.market,
        side=suborder.side,
        flags=OrderFlags.TWAP,
        total_filled=suborder.total_filled,
        client_metadata=suborder.client_metadata,
    )


def _rank(patch: OrderPatch) -> int:
    if patch.status == OrderStatus.FILLED and patch.flags == OrderFlags.TWAP:
        return _RANK[OrderStatus.OPEN]
    return _RANK.get(patch.status, _UNKNOWN_RANK)


def _compare_life(held: OrderPatch, patch: OrderPatch) -> int:
    """Return -1, 0 or 1 as `patch` belongs to an earlier, the same or a later life than `held`.

    Good-til tells lives apart; a row without one belongs to the life at hand.
    """
    old, new = held.good_til_block, patch.good_til_block
    if old is not None and new is not None:
        return (new > old) - (new < old)
    old_time, new_time = held.good_til_time, patch.good_til_time
    if old_time is not None and new_time is not None:
        return (new_time > old_time) - (new_time < old_time)
    return 0


def _completed(held: OrderPatch, patch: OrderPatch) -> OrderPatch:
    """Return `held` with every field that `patch` carries, its status and reason left alone."""
    given = {name: value for name in _MERGED if (value := getattr(patch, name)) is not None}
    if held.type == OrderType.TWAP and patch.type == OrderType.LIMIT:
        given.pop("type", None)
    return replace(held, total_filled=_most(held.total_filled, patch.total_filled), **given)


def _most(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return one if other is None else other
    return max(one, other)


def _reopens(held: OrderPatch, patch: OrderPatch) -> bool:
    """Return whether an OPEN row proves that a stateful order survived its best-effort cancel."""
    if held.status != OrderStatus.BEST_EFFORT_CANCELED or patch.status != OrderStatus.OPEN:
        return False
    flags = patch.flags or held.flags
    if flags not in _STATEFUL or patch.updated_at_height is None:
        return False
    return patch.updated_at_height > (held.updated_at_height if held.updated_at_height is not None else -1)


def _next(held: OrderPatch, patch: OrderPatch) -> OrderPatch:
    """Return the order after one more stream row."""
    if patch.status == OrderStatus.BEST_EFFORT_CANCELED and patch.removal_reason == RemovalReason.REPLACED:
        return held
    life = _compare_life(held, patch)
    if life < 0:
        return held
    merged = _completed(held, patch)
    if life > 0:
        return replace(merged, status=patch.status, removal_reason=patch.removal_reason)
    if patch.status is None:
        return merged
    if _reopens(held, patch):
        return replace(merged, status=patch.status, removal_reason=None)
    if _rank(patch) >= _rank(held):
        same = patch.status == held.status
        reason = patch.removal_reason or (held.removal_reason if same else None)
        return replace(merged, status=patch.status, removal_reason=reason)
    height = held.updated_at_height if held.status == OrderStatus.BEST_EFFORT_CANCELED else merged.updated_at_height
    return replace(merged, updated_at_height=height)


def _newer_read(held: OrderPatch, patch: OrderPatch) -> OrderPatch:
    """Return the REST view after one more REST row: never back in its own height, never out of a final status."""
    if _compare_life(held, patch) < 0:
        return held
    if _compare_life(held, patch) > 0:
        return patch
    old, new = held.updated_at_height, patch.updated_at_height
    if old is not None and new is not None and new < old:
        return held
    merged = _completed(held, patch)
    is_older = old is not None and new is None and _rank(patch) < _rank(held)
    is_final = _rank(held) >= _RANK[OrderStatus.CANCELED] and _rank(patch) < _rank(held)
    if is_older or is_final or patch.status is None:
        return merged
    return replace(merged, status=patch.status, removal_reason=patch.removal_reason)


def _joined(stream: OrderPatch, rest: RestView | None, placed: int | datetime | None) -> OrderPatch:
    """Return the stream's order, empty before its first row, joined with the REST view."""
    if rest is None:
        return stream
    read = rest.patch
    life = _compare_life(stream, read)
    if life < 0:
        return stream
    if life > 0:
        fresh = {name: getattr(read, name) for name in _LIFE if getattr(read, name) is not None}
        base = replace(stream, **fresh)
        return replace(_completed(base, read), status=read.status, removal_reason=read.removal_reason)
    joined = replace(_completed(read, stream), status=stream.status, removal_reason=stream.removal_reason)
    if read.status == OrderStatus.BEST_EFFORT_CANCELED and placed is not None and placed == read.good_til:
        return joined
    if _reopens(stream, read) or _rank(read) > _rank(stream):
        return replace(joined, status=read.status, removal_reason=read.removal_reason)
    return joined

"""What an earlier run has written down, given to the state before the venue is asked.

The first start, one after a crash and one after a reconnection take the same way: what is known comes first, the venue
is read again from the cursors with an overlap, and everything is merged by id.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dydx_console.domain.enums import DisplayStatus
from dydx_console.domain.events import Recalled
from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.domain.ids import parent_of
from dydx_console.domain.order import OrderPatch, is_done
from dydx_console.ports.journal import (
    Cursor,
    HistoryPort,
    HistoryQuery,
    OrderRecord,
    Page,
    PlacedFill,
    PositionNote,
)
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.epoch import Head
from dydx_console.state.order_rules import order_values

__all__ = ["HEIGHT", "NOTHING", "Recollection", "fills_source", "recall", "resume"]

Row = TypeVar("Row")

HEIGHT = "height"
"""The cursor of the newest block known."""
MOST_FILLS = 20_000
"""Fills that are given back to the state, the newest; history has all of them."""
MOST_ROWS = 10_000
PAGE = 5_000
_UNDECIDED = tuple(str(status) for status in DisplayStatus if not is_done(status))


@dataclass(frozen=True, slots=True)
class Recollection:
    """What a journal knows of one parent subaccount: fills and flows, the newest of them, orders that had not ended,
    positions as last noted, and cursors by their names."""

    fills: tuple[PlacedFill, ...] = ()
    orders: tuple[OrderRecord, ...] = ()
    positions: tuple[PositionNote, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    payments: tuple[FundingPayment, ...] = ()
    cursors: Mapping[str, Cursor] = field(default_factory=dict)

    def event(self, address: str, at: float) -> Recalled:
        """Return it as an event for the state."""
        return Recalled(
            address,
            tuple((placed.fill, placed.place) for placed in self.fills),
            tuple(OrderPatch(*order_values(record.order)) for record in self.orders),
            self.transfers,
            self.payments,
            at,
        )


NOTHING = Recollection()
"""What a new journal knows."""


def fills_source(parent: int) -> str:
    """Return the name of the cursor of a parent subaccount's fills."""
    return f"fills/{parent}"


async def recall(history: HistoryPort, cursors: Mapping[str, Cursor], watched: Watched) -> Recollection:
    """Return what a journal knows of the watched account. Raises JournalUnavailableError."""

    def is_ours(subaccount: int | None) -> bool:
        return subaccount is None or parent_of(subaccount) == watched.parent

    def has_end(transfer: Transfer) -> bool:
        ends = (
            (transfer.sender, transfer.sender_subaccount),
            (transfer.recipient, transfer.recipient_subaccount),
        )
        return any(address == watched.address and number is not None and is_ours(number) for address, number in ends)

    fills = await _newest(history.fills, MOST_FILLS, lambda placed: is_ours(placed.fill.subaccount))
    orders = await _newest(history.orders, MOST_ROWS, lambda record: is_ours(record.order.subaccount), _UNDECIDED)
    return Recollection(
        fills=tuple(sorted(fills, key=lambda placed: (placed.fill.height, placed.fill.id))),
        orders=orders,
        positions=tuple(note for note in await history.positions() if is_ours(note.position.subaccount)),
        transfers=await _newest(history.transfers, MOST_ROWS, has_end),
        payments=await _newest(history.funding, MOST_ROWS, lambda payment: is_ours(payment.subaccount)),
        cursors=dict(cursors),
    )


def resume(state: ConsoleState, known: Recollection, watched: Watched) -> None:
    """Have a state go on from where the cursors stood: the chain's newest block, and how far fills have been read."""
    height = known.cursors.get(HEIGHT)
    if height is not None and height.newest_height is not None and height.newest_at is not None:
        state.epoch.resume(Head(height.newest_height, height.newest_at))
    cursor = known.cursors.get(fills_source(watched.parent))
    if cursor is not None and cursor.read is not None:
        oldest = (cursor.oldest_at, cursor.oldest_height)
        state.coverage.resume(cursor.read, cursor.total, oldest, whole=cursor.is_complete)


async def _newest(
    ask: Callable[[HistoryQuery], Awaitable[Page[Row]]],
    most: int,
    is_wanted: Callable[[Row], bool],
    statuses: tuple[str, ...] = (),
) -> tuple[Row, ...]:
    found: list[Row] = []
    query = HistoryQuery(limit=PAGE, statuses=statuses)
    while True:
        page = await ask(query)
        found += filter(is_wanted, page.rows)
        if page.next is None or len(found) >= most:
            return tuple(found[:most])
        query = query.beyond(page.next)

"""What the state has accepted goes into the journal: at every publication, what has changed since the last."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from dydx_console.domain.enums import PositionStatus
from dydx_console.domain.faults import FaultCount
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import ZERO
from dydx_console.domain.order import Order, display_status, is_done
from dydx_console.engine.recover import HEIGHT, NOTHING, Recollection, fills_source
from dydx_console.ports.clock import Clock
from dydx_console.ports.journal import (
    Cursor,
    EquityPoint,
    JournalFact,
    JournalPort,
    OrderNote,
    PlacedFill,
    PositionNote,
)
from dydx_console.state.ages import PictureState
from dydx_console.state.console import ConsoleState, Section, Watched
from dydx_console.state.snapshot import PositionView, Snapshot

__all__ = ["Journaling"]

Row = TypeVar("Row")

EQUITY_S = 60.0
HEIGHT_S = 10.0
NEVER_READ = (0, None, False)
MOST_NOTED = 1_000
"""Orders that are remembered as noted beyond twice those that are held."""
_HOLDING = frozenset({Section.ACCOUNT, Section.FILLS, Section.FUNDING})


class Journaling:
    """Gives the journal the facts of one account.

    Nothing is given while it is in doubt whether the chain is the one of which the journal tells.

    Args:
        state: the account, and what of it is unwritten.
        watched: which account.
        clock: stamps notes.
    """

    def __init__(self, state: ConsoleState, watched: Watched, clock: Clock) -> None:
        self._state = state
        self._watched = watched
        self._clock = clock
        self._journal: JournalPort | None = None
        self._revision = 0
        self._noted: dict[str, tuple[Order, str | None]] = {}
        self._undecided: set[str] = set()
        self._held: dict[PositionKey, PositionNote] = {}
        self._faults: dict[tuple[str, str, str], FaultCount] = {}
        self._read: tuple[int, int | None, bool] = NEVER_READ
        self._equity_at: float | None = None
        self._height_at: float | None = None
        self._is_whole_due = False

    def begin(self, journal: JournalPort, known: Recollection = NOTHING) -> None:
        """Write into `journal` from now on: first whatever of the state is not in `known`, which the journal has."""
        state, unwritten = self._state, self._state.note_unwritten()
        self._journal = journal
        self._noted = {record.order.id: (record.order, record.shown) for record in known.orders}
        self._undecided = set(self._noted)
        self._held = {
            PositionKey(note.position.subaccount, note.position.market): note
            for note in known.positions
            if note.position.net_size
        }
        self._faults = {}
        written = {placed.fill.id: placed for placed in known.fills}
        unwritten.fills |= {fill.id for fill in state.fills if self._is_unwritten(fill.id, written)}
        unwritten.touch((order.id for order in state.orders if order.id not in unwritten.orders), "STATE")
        unwritten.transfers[:] = _without(state.transfers.rows, known.transfers)
        unwritten.payments[:] = _without(state.funding.payments, known.payments)
        unwritten.rewards[:] = state.rewards.values()
        self._read = NEVER_READ
        self._height_at = None
        self._is_whole_due = True

    def end(self) -> None:
        """Write which block was the newest, and then nothing any more."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.write(self._height_facts())

    def published(self, snapshot: Snapshot, changed: Set[Section]) -> None:
        """Write what has changed since the last publication."""
        journal = self._journal
        if journal is None:
            return
        facts: list[JournalFact] = list(self._fault_facts(snapshot))
        if self._state.height is not None and self._state.epoch.is_sure:
            touched = frozenset(Section) if self._is_whole_due else changed
            self._is_whole_due = False
            facts += self._row_facts(self._clock.utc(), touched)
            facts += self._position_facts(snapshot, touched)
            facts += self._point_facts(snapshot)
            facts += self._cursor_facts(snapshot.at)
        if facts:
            journal.write(facts)

    def _is_unwritten(self, fill_id: str, written: dict[str, PlacedFill]) -> bool:
        fill = self._state.fills.get(fill_id)
        return fill is None or written.get(fill_id) != PlacedFill(fill, self._state.fills.place(fill_id))

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision

    def _row_facts(self, at: datetime, changed: Set[Section]) -> Iterator[JournalFact]:
        state = self._state
        taken = state.note_unwritten().taken()
        for fill_id in sorted(taken.fills):
            fill = state.fills.get(fill_id)
            if fill is not None:
                yield PlacedFill(fill, state.fills.place(fill_id))
        for fill, place in taken.late:
            yield PlacedFill(fill, place)
        if Section.BLOCKS in changed:
            taken.orders.update({order_id: "HEIGHT" for order_id in self._undecided if order_id not in taken.orders})
        for order_id, source in taken.orders.items():
            note = self._order_note(order_id, source, at)
            if note is not None:
                yield note
        yield from taken.transfers
        yield from taken.payments
        yield from taken.rewards

    def _order_note(self, order_id: str, source: str, at: datetime) -> OrderNote | None:
        state = self._state
        order = state.orders.get(order_id)
        if order is None:
            return None
        shown = display_status(order, state.height, state.block_time)
        if self._noted.get(order_id) == (order, shown):
            return None
        self._noted[order_id] = (order, shown)
        if len(self._noted) > 2 * len(state.orders) + MOST_NOTED:
            self._noted = {name: noted for name, noted in self._noted.items() if state.orders.get(name) is not None}
        if is_done(shown):
            self._undecided.discard(order_id)
        else:
            self._undecided.add(order_id)
        return OrderNote(order, shown, at, state.height, source, self._next_revision())

    def _position_facts(self, snapshot: Snapshot, changed: Set[Section]) -> Iterator[PositionNote]:
        if snapshot.exists is None or not changed & _HOLDING:
            return
        at = self._clock.utc()
        shown = {PositionKey(view.position.subaccount, view.position.market): view for view in snapshot.positions}
        for key, view in shown.items():
            note = _position_note(view, at, self._revision)
            held = self._held.get(key)
            if held is None or replace(held, at=at, revision=self._revision) != note:
                self._held[key] = replace(note, revision=self._next_revision())
                yield self._held[key]
        for key in [key for key in self._held if key not in shown]:
            yield self._closing(key, at)

    def _closing(self, key: PositionKey, at: datetime) -> PositionNote:
        held, ledger = self._held.pop(key), self._state.ledger(key)
        return replace(
            held,
            position=replace(held.position, net_size=ZERO, status=str(PositionStatus.CLOSED)),
            average_cost=None,
            realized=ledger.life_realized,
            fees=ledger.life_fees,
            at=at,
            revision=self._next_revision(),
        )

    def _point_facts(self, snapshot: Snapshot) -> Iterator[EquityPoint]:
        margin = snapshot.margin
        if margin is None or snapshot.stream.state is not PictureState.LIVE:
            return
        if self._equity_at is not None and snapshot.at < self._equity_at + EQUITY_S:
            return
        self._equity_at = snapshot.at
        at, net, since = self._clock.utc(), snapshot.pnl.net, self._state.since
        if net is not None:
            self._state.mark(net, at, since)
        yield EquityPoint(self._watched.parent, at, snapshot.height, margin.equity, margin.free_collateral, net, since)

    def _fault_facts(self, snapshot: Snapshot) -> Iterator[FaultCount]:
        for count in snapshot.limits.faults:
            name = (count.kind, count.source, count.endpoint)
            if self._faults.get(name) != count:
                self._faults[name] = count
                yield count

    def _cursor_facts(self, now: float) -> Iterator[Cursor]:
        state, at = self._state, self._clock.utc()
        covered = state.coverage
        read = (covered.end, covered.total, covered.is_complete)
        if read not in (self._read, NEVER_READ):
            self._read = read
            newest = covered.newest
            yield Cursor(
                fills_source(self._watched.parent),
                at,
                read=covered.end,
                total=covered.total,
                newest_id=None if newest is None else newest.id,
                newest_at=None if newest is None else newest.created_at,
                newest_height=None if newest is None else newest.height,
                oldest_at=covered.oldest_at,
                oldest_height=covered.oldest_height,
                is_complete=covered.is_complete,
            )
        if self._height_at is None or now >= self._height_at + HEIGHT_S:
            self._height_at = now
            yield from self._height_facts()

    def _height_facts(self) -> Iterator[Cursor]:
        newest = self._state.epoch.newest
        if newest is not None:
            yield Cursor(HEIGHT, self._clock.utc(), newest_height=newest.height, newest_at=newest.time)


def _position_note(view: PositionView, at: datetime, revision: int) -> PositionNote:
    """Return what is noted of a position; its funding is the venue's figure for the running life."""
    ledger = view.ledger
    return PositionNote(
        position=view.position,
        average_cost=view.average_cost,
        realized=ledger.life_realized,
        fees=ledger.life_fees,
        funding=view.position.net_funding,
        life_opened_at=ledger.opened_at if ledger.opened_at is not None else view.position.opened_at,
        at=at,
        revision=revision,
    )


def _without(rows: Iterable[Row], known: Iterable[Row]) -> list[Row]:
    held = set(known)
    return [row for row in rows if row not in held]

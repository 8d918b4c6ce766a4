"""Begins and ends the faults of a plan, and says what they mean for whoever asks."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from dydx_console.sim.core.exchange import Exchange
from dydx_console.sim.faults import refusals
from dydx_console.sim.faults.garbage import garbage
from dydx_console.sim.faults.kinds import AT_CONNECTING, AT_ONCE, DEAF_TO, Fault, Kind
from dydx_console.sim.faults.outcomes import NodeTrouble, Refused, Reset, Unanswered
from dydx_console.sim.faults.schedules import Dealer
from dydx_console.sim.faults.wire import Wire
from dydx_console.sim.indexer.comlink import Answer
from dydx_console.sim.indexer.session import Text
from dydx_console.sim.indexer.socks import RESTART_CODE, RESTART_REASON, Socks

KEPT_NOTES = 10_000
CLOSE_REASONS = {
    1001: "",
    1008: '{"message":"Rate limited"}',
    1011: "Heartbeat timeout",
    1012: RESTART_REASON,
    1013: "Try again later",
    4000: "write EPIPE",
}
OPEN_AND_NEW = frozenset({Kind.DROP, Kind.DUPLICATE, Kind.DRIP, Kind.NO_ACK})
OPEN_ONLY = frozenset({Kind.STALL, Kind.ZOMBIE})
NEW_ONLY = frozenset({Kind.NO_HELLO})
HANDSHAKES = (Kind.HANDSHAKE_REFUSED, Kind.HANDSHAKE_GEO)


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the fault log. `connections` are how many open ones a beginning touched."""

    at_ms: int
    phase: Literal["begins", "ends"]
    fault: Fault
    connections: int = 0

    def __str__(self) -> str:
        return f"fault {self.phase}: {self.fault}"


def _untold(_note: Note) -> None:
    """Nobody listens."""


class Director:
    """The faults of one venue. Faults of the Indexer and of connections leave the exchange alone; only HALT does not.

    `log` has the last notes; `told` is called with each.
    """

    def __init__(self, dealer: Dealer, exchange: Exchange, socks: Socks) -> None:
        self._dealer = dealer
        self._exchange = exchange
        self._socks = socks
        self._dealt = dealer.deal()
        self._asked: list[tuple[int, int, Fault]] = []
        self._count = 0
        self._active: list[Fault] = []
        self._wires: list[Wire] = []
        self._strikes: Mapping[Kind, Callable[[Fault], int]] = {
            Kind.RESET: self._reset,
            Kind.CLOSE: self._close,
            Kind.ERROR_FRAME: self._complain,
            Kind.GARBAGE: self._garbage,
            Kind.RESTART: self._restart,
            Kind.ZOMBIE: self._forget,
            Kind.DEAF: self._deafen,
            Kind.HALT: self._halt,
            **dict.fromkeys(AT_CONNECTING, self._cut_all),
        }
        self.log: deque[Note] = deque(maxlen=KEPT_NOTES)
        self.told: Callable[[Note], None] = _untold

    @property
    def over(self) -> bool:
        """Whether no fault is active and none will come by itself."""
        return not self._active and self._dealt is None and not self._asked

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that last."""
        return tuple(self._active)

    @property
    def wires(self) -> tuple[Wire, ...]:
        """The connections that are not over."""
        return tuple(self._wires)

    @property
    def lag_blocks(self) -> int:
        """How far the Indexer is behind."""
        return max((fault.value for fault in self._of(Kind.INDEXER_LAG)), default=0)

    @property
    def next_due_ms(self) -> int | None:
        """When `advance` next has something to do."""
        due = [fault.end_ms for fault in self._active]
        due += [wire_due for wire in self._wires if (wire_due := wire.next_due_ms) is not None]
        if self._dealt is not None:
            due.append(self._dealt.begin_ms)
        if self._asked:
            due.append(self._asked[0][0])
        return min(due, default=None)

    def ask(self, fault: Fault) -> None:
        """Have a fault besides those of the plan."""
        self._count += 1
        heapq.heappush(self._asked, (fault.begin_ms, self._count, fault))

    def advance(self, now_ms: int) -> None:
        """End what is over by `now_ms`, then begin what is due."""
        for fault in [fault for fault in self._active if fault.end_ms <= now_ms]:
            self._end(fault, now_ms)
        while self._dealt is not None and self._dealt.begin_ms <= now_ms:
            fault, self._dealt = self._dealt, self._dealer.deal()
            self._begin(fault, now_ms)
        while self._asked and self._asked[0][0] <= now_ms:
            self._begin(heapq.heappop(self._asked)[2], now_ms)

    def carry(self, now_ms: int) -> None:
        """Move the frames of all connections."""
        self._wires = [wire for wire in self._wires if not wire.over or wire.silent]
        for wire in self._wires:
            wire.carry(now_ms)

    def stop(self, now_ms: int) -> None:
        """End everything now, and begin nothing more."""
        self._dealt = None
        self._asked.clear()
        for fault in self.active:
            self._end(fault, now_ms)

    def handshake(self, now_ms: int) -> Refused | Unanswered | None:
        """What a new connection meets; None when it may open."""
        for fault in self._of(Kind.HANDSHAKE_UNANSWERED):
            return Unanswered(fault.end_ms)
        for fault in self._of(*HANDSHAKES):
            return refusals.handshake_refused(fault.value, now_ms, fault.end_ms)
        for fault in self._of(Kind.RESTART):
            return refusals.handshake_refused(503, now_ms, fault.end_ms)
        return None

    def open(self, now_ms: int) -> Wire:
        """A new connection; ask `handshake` first."""
        held = self._of(*OPEN_AND_NEW, *NEW_ONLY)
        wire = Wire(self._socks, self._socks.connect(now_ms), held)
        self._wires.append(wire)
        wire.carry(now_ms)
        return wire

    def rest(self, path: str, now_ms: int) -> Answer | Unanswered | Reset | None:
        """What a REST request gets instead of its answer; None when nothing is in the way."""
        for fault in self._of(Kind.REST_UNANSWERED):
            return Unanswered(fault.end_ms)
        if self._of(Kind.REST_RESET):
            return Reset()
        for fault in self._of(Kind.REST_LIMITED):
            return refusals.limited(fault.value, now_ms, fault.end_ms)
        for fault in self._of(Kind.REST_FAILS):
            return refusals.failed(fault.value)
        return refusals.place_refused(path) if self._of(Kind.ACCOUNTS_REFUSED) else None

    def node(self) -> NodeTrouble | None:
        """What is wrong with the node."""
        if self._of(Kind.NODE_DOWN):
            return NodeTrouble(down=True)
        delay_ms = max((fault.value for fault in self._of(Kind.NODE_SLOW)), default=0)
        return NodeTrouble(down=False, delay_ms=delay_ms) if delay_ms else None

    def _of(self, *kinds: Kind) -> list[Fault]:
        return [fault for fault in self._active if fault.kind in kinds]

    def _begin(self, fault: Fault, now_ms: int) -> None:
        touched = self._strikes.get(fault.kind, self._touch_all)(fault)
        self._note(Note(now_ms, "begins", fault, touched))
        if fault.kind in AT_ONCE:
            return
        self._active.append(fault)
        if fault.kind in OPEN_AND_NEW | OPEN_ONLY:
            for wire in self._wires:
                wire.afflict(fault)
        self._inform_socks()

    def _end(self, fault: Fault, now_ms: int) -> None:
        self._active.remove(fault)
        for wire in self._wires:
            wire.relieve(fault, now_ms)
        if fault.kind is Kind.DEAF and not self._of(Kind.DEAF):
            for session in self._socks.sessions:
                session.deaf.clear()
        self._inform_socks()
        self._note(Note(now_ms, "ends", fault))

    def _inform_socks(self) -> None:
        self._socks.failing = bool(self._of(Kind.SUBSCRIBE_FAILS))
        self._socks.account_refusal = refusals.PLACE_TEXT if self._of(Kind.ACCOUNTS_REFUSED) else None

    def _note(self, note: Note) -> None:
        self.log.append(note)
        self.told(note)

    def _open(self) -> list[Wire]:
        return [wire for wire in self._wires if not wire.session.closed]

    def _one(self, fault: Fault) -> list[Wire]:
        wires = self._open()
        return [wires[fault.draw % len(wires)]] if wires else []

    def _touch_all(self, _fault: Fault) -> int:
        return len(self._open())

    def _cut_all(self, fault: Fault) -> int:
        wires = self._open()
        for wire in wires:
            wire.cut(fault.begin_ms)
        return len(wires)

    def _reset(self, fault: Fault) -> int:
        wires = self._one(fault)
        for wire in wires:
            wire.cut(fault.begin_ms)
        return len(wires)

    def _close(self, fault: Fault) -> int:
        wires = self._one(fault)
        for wire in wires:
            self._socks.close(wire.session, fault.value, CLOSE_REASONS.get(fault.value, ""))
        return len(wires)

    def _complain(self, fault: Fault) -> int:
        wires = self._one(fault)
        for wire in wires:
            self._socks.complain(wire.session)
        return len(wires)

    def _garbage(self, fault: Fault) -> int:
        wires = self._one(fault)
        for wire in wires:
            wire.session.outbox.append(Text(garbage(fault.value, wire.session)))
        return len(wires)

    def _restart(self, _fault: Fault) -> int:
        wires = self._open()
        for wire in wires:
            self._socks.close(wire.session, RESTART_CODE, RESTART_REASON)
        return len(wires)

    def _forget(self, _fault: Fault) -> int:
        wires = self._open()
        for wire in wires:
            self._socks.disconnect(wire.session)
        return len(wires)

    def _deafen(self, fault: Fault) -> int:
        channel = DEAF_TO[fault.value]
        touched = 0
        for session in self._socks.sessions:
            keys = {key for key in session.subscriptions if channel in ("", key[0])}
            session.deaf |= keys
            touched += bool(keys)
        return touched

    def _halt(self, fault: Fault) -> int:
        self._exchange.halt(fault.end_ms)
        return len(self._open())

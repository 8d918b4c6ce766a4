"""Which faults come when: the named schedules, and their faults in order of time under a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from dydx_console.sim.faults.garbage import SAMPLES
from dydx_console.sim.faults.kinds import AT_ONCE, DEAF_TO, FINAL, Fault, Kind

LASTS_MS: Mapping[Kind, tuple[int, int]] = {
    Kind.STALL: (6_000, 14_000),
    Kind.ZOMBIE: (8_000, 15_000),
    Kind.RESTART: (500, 3_000),
    Kind.DROP: (500, 2_000),
    Kind.DUPLICATE: (1_000, 4_000),
    Kind.DRIP: (3_000, 8_000),
    Kind.DEAF: (8_000, 15_000),
    Kind.NO_HELLO: (2_000, 6_000),
    Kind.NO_ACK: (2_000, 6_000),
    Kind.SUBSCRIBE_FAILS: (2_000, 6_000),
    Kind.HANDSHAKE_REFUSED: (2_000, 10_000),
    Kind.HANDSHAKE_UNANSWERED: (3_000, 10_000),
    Kind.HANDSHAKE_GEO: (3_000, 10_000),
    Kind.ACCOUNTS_REFUSED: (5_000, 15_000),
    Kind.REST_LIMITED: (1_000, 6_000),
    Kind.REST_FAILS: (1_000, 6_000),
    Kind.REST_UNANSWERED: (3_000, 10_000),
    Kind.REST_RESET: (500, 3_000),
    Kind.INDEXER_LAG: (5_000, 15_000),
    Kind.NODE_DOWN: (3_000, 12_000),
    Kind.NODE_SLOW: (3_000, 12_000),
    Kind.HALT: (8_000, 20_000),
}
VALUES: Mapping[Kind, tuple[int, ...]] = {
    Kind.CLOSE: (1001, 1008, 1011, 1012, 1013, 4000),
    Kind.DROP: (1, 2, 5, 10),
    Kind.DUPLICATE: (1, 2, 5),
    Kind.DRIP: (1_000, 5_000, 20_000),
    Kind.DEAF: tuple(range(len(DEAF_TO))),
    Kind.GARBAGE: tuple(range(len(SAMPLES))),
    Kind.HANDSHAKE_REFUSED: (503, 429, 500, 502, 520, 530, 200),
    Kind.HANDSHAKE_GEO: (403,),
    Kind.REST_LIMITED: (0, 0, 1, 2),
    Kind.REST_FAILS: (500, 502, 503, 504, 520, 200),
    Kind.INDEXER_LAG: (5, 15, 45),
    Kind.NODE_SLOW: (1_500, 6_000),
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """Kinds dealt like cards, every one once before any comes again.

    Begins are `every_ms` apart, give or take a half; the first comes `first_ms` after the start at the latest. Faults
    may overlap. `lasts_ms` is the range of durations in place of the kinds' own.
    """

    kinds: tuple[Kind, ...]
    every_ms: int = 3_000
    first_ms: int = 4_000
    lasts_ms: tuple[int, int] | None = None


RECOVERABLE = tuple(kind for kind in Kind if kind not in FINAL)
"""Every kind that a client gets over by itself."""

NONE = Schedule(())
SCHEDULES: Mapping[str, Schedule] = {
    "none": NONE,
    "rough": Schedule(RECOVERABLE),
    "storm": Schedule((Kind.HANDSHAKE_REFUSED,), every_ms=90_000, lasts_ms=(60_000, 60_000)),
    "halt": Schedule((Kind.HALT,), every_ms=40_000, lasts_ms=(20_000, 20_000)),
    "deaf": Schedule((Kind.DEAF,), every_ms=25_000),
    "lag": Schedule((Kind.INDEXER_LAG,), every_ms=25_000),
    "geo": Schedule((Kind.HANDSHAKE_GEO, Kind.ACCOUNTS_REFUSED), every_ms=25_000),
    "chaos": Schedule(tuple(Kind), every_ms=600, first_ms=1_000, lasts_ms=(300, 4_000)),
}
"""The schedules that a person can ask for by name."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A schedule with its pace (`every_ms`, None = its own), over `end_after_ms` after the start (None = never)."""

    schedule: Schedule = NONE
    every_ms: int | None = None
    end_after_ms: int | None = None


class Dealer:
    """The faults of a plan in order of their beginnings. Equal seeds deal equal faults, whatever clients do."""

    def __init__(self, plan: FaultPlan, seed: int, start_ms: int) -> None:
        self._schedule = plan.schedule
        self._every_ms = plan.schedule.every_ms if plan.every_ms is None else plan.every_ms
        self._end_ms = None if plan.end_after_ms is None else start_ms + plan.end_after_ms
        self._random = Random(f"faults {seed}")
        self._deck: list[Kind] = []
        self._begin_ms = start_ms + min(plan.schedule.first_ms, self._gap_ms())

    def deal(self) -> Fault | None:
        """The next fault, cut short where the plan ends; None when there is none any more."""
        begin_ms = self._begin_ms
        if not self._schedule.kinds or (self._end_ms is not None and begin_ms >= self._end_ms):
            return None
        self._begin_ms += self._gap_ms()
        kind = self._kind()
        end_ms = begin_ms + self._duration_ms(kind)
        value = self._random.choice(VALUES.get(kind, (0,)))
        draw = self._random.getrandbits(32)
        return Fault(kind, begin_ms, end_ms if self._end_ms is None else min(end_ms, self._end_ms), value, draw)

    def _gap_ms(self) -> int:
        return max(1, self._random.randint(self._every_ms // 2, self._every_ms * 3 // 2))

    def _kind(self) -> Kind:
        if not self._deck:
            self._deck = list(self._schedule.kinds)
            self._random.shuffle(self._deck)
        return self._deck.pop()

    def _duration_ms(self, kind: Kind) -> int:
        return 0 if kind in AT_ONCE else self._random.randint(*(self._schedule.lasts_ms or LASTS_MS[kind]))

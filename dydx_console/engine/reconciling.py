"""Compares our figures with the Indexer's own, all the time and on demand, and tells what nothing accounts for.

The comparison goes over every held fill, so it is made in a thread of its own, from values that do not change. An alarm
counts when it stands at two looks, seconds apart, while the picture is live and nothing was traded in between: a
position and its fills do not come in one message, and for that moment the figures differ.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dydx_console.domain.ids import PositionKey
from dydx_console.engine.notices import difference_notices
from dydx_console.ports.clock import Clock
from dydx_console.ports.notices import Notice
from dydx_console.state.ages import PictureState
from dydx_console.state.console import ConsoleState
from dydx_console.state.reconcile import Difference, Drift, reconcile

__all__ = ["MOST_COMPARED", "PnlSource", "ReconcileKeeper", "ReconcilePace"]

MOST_COMPARED = 20_000
"""More held fills than these are not compared one by one: it would take seconds of a core each time."""
MOST_HURRIED = 3
"""Comparisons that follow at once on an alarm that could not be settled: an account that never stops trading waits."""
HOUR = timedelta(hours=1)

log = logging.getLogger(__name__)


class PnlSource(Protocol):
    """Reads the Indexer's own word on PNL into the state."""

    async def read(self, connection: int) -> bool:
        """Read all of it; returns whether every part came."""
        ...


@dataclass(frozen=True, slots=True)
class ReconcilePace:
    """How often it is compared, in seconds.

    `every_s` between comparisons, and once more `after_hour_s` after each full hour, when the Indexer has its points of
    it. `look_s` between looks whether it is time; `apart_s` between the two looks at which an alarm must stand;
    `again_s` until the next comparison where an alarm could not be settled, a few times in a row.
    """

    every_s: float = 600.0
    after_hour_s: float = 120.0
    look_s: float = 1.0
    apart_s: float = 5.0
    again_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Look:
    """One look: what differed, and how many fills each position and the account had when it began."""

    differences: tuple[Difference, ...]
    fills: dict[PositionKey, int]
    all_fills: int


class ReconcileKeeper:
    """Reads the Indexer's figures and compares: at the start, every ten minutes, after each full hour and when asked.

    Args:
        source: reads the Indexer's figures.
        state: what is known; only read.
        publish: takes the outcome.
        tell: tells a person of each alarm, once.
        clock: times the comparisons.
        pace: how often.
        most: how many held fills are compared at most.
    """

    def __init__(
        self,
        source: PnlSource,
        state: ConsoleState,
        publish: Callable[[Drift], None],
        tell: Callable[[Notice], None],
        *,
        clock: Clock,
        pace: ReconcilePace = ReconcilePace(),
        most: int = MOST_COMPARED,
    ) -> None:
        self._source = source
        self._state = state
        self._publish = publish
        self._tell = tell
        self._clock = clock
        self._pace = pace
        self._most = most
        self._asked = asyncio.Event()
        self._due_at = 0.0
        self._hurried = 0
        self._hour: datetime | None = None
        self._told: frozenset[tuple[object, ...]] = frozenset()

    def ask(self) -> None:
        """Have it compared as soon as the picture is live; call it in the engine's loop."""
        self._asked.set()

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            if self._is_due() and self._is_live():
                self._asked.clear()
                self._hour = self._newest_hour()
                hurries = not await self.compare() and self._hurried < MOST_HURRIED
                self._hurried = self._hurried + 1 if hurries else 0
                self._due_at = self._clock.monotonic() + (self._pace.again_s if hurries else self._pace.every_s)
            await self._pause()

    async def compare(self) -> bool:
        """Read and compare once; returns whether every alarm is settled: it stands, or there was none."""
        before = self._counts()
        is_whole = await self._source.read(self._state.freshness.newest_connection)
        if self._state.fills.held > self._most:
            self._tell_drift((), f"more than {self._most:,} fills are held: they are not compared one by one")
            return True
        first = await self._look(before)
        alarms = [one for one in first.differences if one.is_alarm]
        standing: tuple[Difference, ...] = ()
        if alarms:
            await asyncio.sleep(self._pace.apart_s)
            second = await self._look(before)
            standing = self._standing(alarms, first, second)
        listed = tuple(one for one in first.differences if not one.is_alarm)
        self._tell_drift((*standing, *listed), None if is_whole else "not all of the Indexer's figures could be read")
        return len(standing) == len(alarms)

    async def _look(self, before: tuple[dict[PositionKey, int], int]) -> _Look:
        """Compare what is known now, in a thread of its own."""
        compared = self._state.comparison()
        found = () if compared is None else await asyncio.to_thread(reconcile, *compared)
        return _Look(found, *before)

    def _counts(self) -> tuple[dict[PositionKey, int], int]:
        fills = self._state.fills
        return {key: fills.count(key) for key in fills.keys()}, len(fills)  # noqa: SIM118 - it is no mapping

    def _standing(self, alarms: Sequence[Difference], first: _Look, second: _Look) -> tuple[Difference, ...]:
        """Return the alarms that stand at both looks and rest on figures that nothing has moved meanwhile."""
        if not self._is_live():
            return ()
        again = {_name(one): one for one in second.differences if one.is_alarm}
        return tuple(again[_name(one)] for one in alarms if _name(one) in again and self._is_quiet(one, first))

    def _is_quiet(self, one: Difference, look: _Look) -> bool:
        """Return whether nothing was traded since the Indexer was asked, or the figure is of a time before that."""
        if one.at is not None and (now := self._now()) is not None and one.at < now - HOUR:
            return True
        if one.subaccount is None or one.market is None:
            return len(self._state.fills) == look.all_fills
        key = PositionKey(one.subaccount, one.market)
        return self._state.fills.count(key) == look.fills.get(key, 0)

    def _tell_drift(self, differences: tuple[Difference, ...], problem: str | None) -> None:
        at = self._clock.utc()
        drift = Drift(differences, at, problem)
        fresh = [one for one in drift.alarms if _name(one) not in self._told]
        self._told = frozenset(map(_name, drift.alarms))
        self._publish(drift)
        for notice in difference_notices(fresh, at):
            log.warning("%s", notice.text)
            self._tell(notice)
        log.info("compared with the Indexer: %d differences, %d unexplained", len(differences), len(drift.alarms))

    def _is_due(self) -> bool:
        if self._asked.is_set() or self._clock.monotonic() >= self._due_at:
            return True
        hour = self._newest_hour()
        return hour is not None and self._hour is not None and hour > self._hour

    def _is_live(self) -> bool:
        now = self._clock.monotonic()
        return self._state.fills.is_known and self._state.freshness.view(now).state is PictureState.LIVE

    def _newest_hour(self) -> datetime | None:
        """Return the newest full hour by the venue's clock of which the Indexer has its points by now."""
        now = self._now()
        if now is None:
            return None
        settled = now - timedelta(seconds=self._pace.after_hour_s)
        return settled.replace(minute=0, second=0, microsecond=0)

    def _now(self) -> datetime | None:
        return self._state.freshness.venue_time(self._clock.monotonic())

    async def _pause(self) -> None:
        """Wait until the next look, or until it is asked for."""
        if self._asked.is_set():
            await asyncio.sleep(self._pace.look_s)
            return
        try:
            async with asyncio.timeout(self._pace.look_s):
                await self._asked.wait()
        except TimeoutError:
            return


def _name(one: Difference) -> tuple[object, ...]:
    """Return what makes an alarm the same one at another look."""
    return one.source, one.what, one.subaccount, one.market, one.at

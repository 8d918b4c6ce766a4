"""From state to mailbox: at most forty snapshots a second, and only when something changed."""

import asyncio
import logging
from collections.abc import Callable, Set

from dydx_console.domain.events import Event
from dydx_console.engine.notices import LimitsTeller, RiskTeller, fill_notice, stream_notice
from dydx_console.engine.problems import ProblemLog
from dydx_console.engine.trace import trace_fields
from dydx_console.ports.clock import Clock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.notices import Level, Notice
from dydx_console.state.console import ConsoleState, Section
from dydx_console.state.reconcile import Drift
from dydx_console.state.snapshot import Snapshot, next_snapshot

__all__ = ["Publisher"]

INTERVAL_S = 1 / 40
GATHER_S = 0.003
"""A block's messages come in one burst; the first of them waits so long for the others."""
QUIET_S = 1.0
"""Without any change a snapshot is published this often, so that states follow the clock."""

log = logging.getLogger(__name__)


class Publisher:
    """The engine's single writer: applies events and publishes what they changed.

    Args:
        state: what is known; only this object changes it.
        mailbox: where snapshots and notices go.
        clock: stamps snapshots.
        tells: whether fills and troubles become notices; a replay at full speed keeps silent.
        renewed: called once when the chain has begun anew, and what is shown belongs to a chain that is no more.
    """

    def __init__(
        self,
        state: ConsoleState,
        mailbox: Mailbox,
        clock: Clock,
        *,
        tells: bool = True,
        renewed: Callable[[], None] | None = None,
    ) -> None:
        self.state = state
        self.applied = 0
        """Events applied so far."""
        self._mailbox = mailbox
        self._clock = clock
        self._tells = tells
        self._limits = LimitsTeller()
        self._risk = RiskTeller()
        self._problems = ProblemLog()
        self._changed: set[Section] = set()
        self._revision = 0 if (before := mailbox.latest()) is None else before.revision
        self._latest: Snapshot | None = None
        self._wake: Callable[[], None] = _nobody
        self._renewed = renewed
        self._published: Callable[[Snapshot, Set[Section]], None] | None = None

    def take(self, event: Event) -> None:
        """Apply one event."""
        changes = self.state.apply(event)
        self.applied += 1
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s taken", type(event).__name__, extra=trace_fields(event, changes))
        for problem in changes.problems:
            self._problems.write(problem)
        if self._tells:
            for fill in changes.new_fills:
                self._mailbox.notify(fill_notice(fill, self._clock.utc()))
            for changed in changes.befell:
                self._mailbox.notify(stream_notice(changed, self._clock.utc()))
        if changes.sections:
            self._changed |= changes.sections
            self._wake()

    def tell(self, notice: Notice) -> None:
        """Leave a notice for whoever looks."""
        self._mailbox.notify(notice)

    def compared(self, drift: Drift) -> None:
        """Take the newest comparison of our figures with the Indexer's."""
        self.state.drift = drift
        self._changed.add(Section.FUNDING)
        self._wake()

    def listen(self, published: Callable[[Snapshot, Set[Section]], None]) -> None:
        """Have `published` told of every snapshot and what changed in it."""
        self._published = published

    def publish(self) -> None:
        """Publish the picture as it is now."""
        self._revision += 1
        changed, self._changed = self._changed, set()
        now = self._clock.monotonic()
        utc = self._clock.utc() if self._tells else None
        self._latest = next_snapshot(self.state, self._latest, now, changed, revision=self._revision, utc=utc)
        self._mailbox.publish(self._latest, changed)
        if self._published is not None:
            self._published(self._latest, changed)
        if self.state.epoch.has_begun and self._renewed is not None:
            renewed, self._renewed = self._renewed, None
            renewed()
        if self._tells:
            self._tell_standing(self._latest, now)

    def _tell_standing(self, latest: Snapshot, now: float) -> None:
        """Tell what a picture says of budgets and of risk, where that is new."""
        at = self._clock.utc()
        for notice in self._limits.look(latest.limits, now, at):
            self._mailbox.notify(notice)
        for notice in self._risk.look(latest.risk, at):
            log.log(logging.INFO if notice.level is Level.INFO else logging.WARNING, "%s", notice.text)
            self._mailbox.notify(notice)

    async def run(self) -> None:
        """Publish changes until cancelled."""
        woken = asyncio.Event()
        self._wake = woken.set
        try:
            while True:
                self.publish()
                await asyncio.sleep(INTERVAL_S - GATHER_S)
                await _either(woken, QUIET_S)
                await asyncio.sleep(GATHER_S)
                woken.clear()
        finally:
            self._wake = _nobody
            self._problems.close()


async def _either(woken: asyncio.Event, longest_s: float) -> None:
    """Wait until woken, or for as long as nothing happens."""
    try:
        async with asyncio.timeout(longest_s):
            await woken.wait()
    except TimeoutError:
        return


def _nobody() -> None:
    return

"""One engine per network and address owns the journal; a second one looks on, and takes over when the first ends."""

import asyncio
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dydx_console.domain.events import JournalTold
from dydx_console.domain.journal import JournalMode, JournalView
from dydx_console.engine.bookkeeping import Bookkeeper
from dydx_console.engine.control import ControlError, ControlServer, Handler, SilentError, ask, control_path
from dydx_console.engine.gate import Gate
from dydx_console.engine.journaling import Journaling
from dydx_console.engine.plan import JournalPlan
from dydx_console.engine.publish import Publisher
from dydx_console.engine.recover import HEIGHT, NOTHING, Recollection, recall, resume
from dydx_console.ports.clock import Clock
from dydx_console.ports.journal import (
    HistoryPort,
    JournalError,
    JournalId,
    JournalOffError,
    JournalOwnedError,
    JournalStatus,
)
from dydx_console.ports.notices import Level, Notice
from dydx_console.state.console import Watched
from dydx_console.state.epoch import EpochWatch, Head

if TYPE_CHECKING:  # SQLite is loaded by the engine's thread, after the first screen
    from dydx_console.journal.reader import JournalReader
    from dydx_console.journal.writer import Journal

__all__ = ["ANY_EPOCH", "JournalKeeper", "OwnerPace"]

ANY_EPOCH = 0
"""The number of an epoch that this console has never had open."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnerPace:
    """How long things wait, in seconds.

    `retry_s` between tries to own or open a journal, `ask_s` for the owner's answer, `epoch_s` for a new epoch to
    begin, `flush_s` for what is left to be written at the end, `figures_s` between looks at what waits to be written.
    """

    retry_s: float = 3.0
    ask_s: float = 1.0
    epoch_s: float = 1.0
    flush_s: float = 1.0
    figures_s: float = 1.0


class JournalKeeper:
    """Opens, recovers, keeps and closes the journal of a running engine, or looks on while another one keeps it.

    Args:
        plan: where journals lie, and which command this is.
        identity: whose history is kept.
        publisher: whose state is given what is known, and whose publications are written.
        watched: the account.
        gate: nothing is opened before it lets the network be used.
        clock: stamps what is written.
        overdue: the number of an epoch that has ended and could not be closed, ANY_EPOCH where it is not known, None
            where there is none. While there is one nothing is recalled.
        pace: how long things wait.
    """

    def __init__(
        self,
        plan: JournalPlan,
        identity: JournalId,
        publisher: Publisher,
        watched: Watched,
        gate: Gate,
        *,
        clock: Clock,
        overdue: int | None = None,
        pace: OwnerPace = OwnerPace(),
    ) -> None:
        self.overdue = overdue
        """The epoch in which the journal still tells of a chain that is no more; None while there is none."""
        self.handlers: dict[str, Handler] = {"who": self._who}
        """What other consoles may ask the owner, by name; whoever adds one does so before `run`."""
        self._plan = plan
        self._identity = identity
        self._publisher = publisher
        self._watched = watched
        self._gate = gate
        self._clock = clock
        self._pace = pace
        self._since = clock.utc()
        self._view = JournalView(JournalMode.OPENING, since=self._since)
        self._error: str | None = None
        self._error_at: datetime | None = None
        self._journaling = Journaling(publisher.state, watched, clock)
        self._journal: Journal | None = None
        self._reader: JournalReader | None = None
        self._recovered = asyncio.Event()
        self._must_rewrite = asyncio.Event()
        publisher.listen(self._journaling.published)

    @property
    def history(self) -> HistoryPort | None:
        """The journal for reading, whoever keeps it; None before it is open and while it cannot be read."""
        return self._reader if self._journal is None else self._journal.history

    @property
    def journal(self) -> "Journal | None":
        """The journal, where this console owns it."""
        return self._journal

    @property
    def view(self) -> JournalView:
        """Whether the journal is kept, by whom, and why not."""
        return self._view

    @property
    def door(self) -> Path:
        """Where the owner of the journal listens, whoever that is."""
        return control_path(self._plan.root, self._identity.network, self._identity.address)

    async def recovered(self) -> None:
        """Wait until the state has what an earlier run knew, or it is clear that nothing can be had."""
        await self._recovered.wait()

    async def run(self) -> None:
        """Keep the journal until cancelled; where it cannot be kept now, try again every few seconds."""
        from dydx_console.journal.writer import open_journal

        await self._gate.passed()
        self._show(self._view)
        while True:
            try:
                journal = await open_journal(
                    self._plan.root, self._identity, self._clock, on_change=self._status_changed
                )
            except JournalOwnedError as owned:
                await self._look_on(owned)
            except JournalError as error:
                self._turned_off(str(error))
            else:
                self._journal = journal
                await self._own(journal)
            self._recovered.set()
            await asyncio.sleep(self._pace.retry_s)

    async def begin_epoch(self) -> None:
        """Close the history of a chain that is no more. Where that cannot be done now, it is overdue."""
        self._journaling.end()
        suspect, newest = self._publisher.state.epoch.suspect, self._publisher.state.epoch.newest
        blocks = "" if suspect is None or newest is None else f": block {suspect.height:,} after {newest.height:,}"
        kept = "its history could not be put away yet"
        self.overdue = ANY_EPOCH if self.overdue is None else self.overdue
        if self._journal is not None:
            old = self._journal.recovery
            self.overdue = old.epoch
            try:
                async with asyncio.timeout(self._pace.epoch_s):
                    await self._journal.begin_epoch(f"the chain has begun anew{blocks}")
                self.overdue, kept = None, f"its history is kept in {old.path}"
            except (JournalError, TimeoutError) as error:
                log.error("no new epoch could be begun: %s", error)
        elif self._view.mode is JournalMode.LOOKING:
            kept = "its history is with the console that keeps the journal"
        self._tell(f"The chain has begun anew{blocks}. Everything shown starts afresh; {kept}.", Level.WARNING)

    async def close(self) -> None:
        """Write what is left and let go of the journal; called once, after `run` has ended."""
        self._journaling.end()
        if self._reader is not None:
            await self._reader.close()
        if self._journal is None:
            return
        try:
            async with asyncio.timeout(self._pace.flush_s):
                await self._journal.close()
        except TimeoutError:
            log.error("the journal was not written to its end within %.1f s", self._pace.flush_s)

    # Owning

    async def _own(self, journal: "Journal") -> None:
        """Keep the journal until cancelled."""
        was_looking = self._view.mode is JournalMode.LOOKING
        for sentence in journal.recovery.sentences:
            self._tell(f"{sentence[0].upper()}{sentence[1:]}.", Level.WARNING, stays=True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(journal.run(), name="journal writer")
            tasks.create_task(self._listen(), name="control socket")
            tasks.create_task(self._tell_figures(), name="journal figures")
            await self._recover(journal)
            self._kept(journal.status, was_looking=was_looking)
            self._recovered.set()
            tasks.create_task(self._bookkeeper(journal).run(), name="bookkeeping")
            while True:
                await self._must_rewrite.wait()
                self._must_rewrite.clear()
                await self._rewrite(journal)

    async def _recover(self, journal: "Journal") -> None:
        """Give the state what the journal knows, and the journal from then on what the state accepts."""
        known = await self._known(journal)
        if self.overdue is not None:
            self._recovered.set()
            await self._end_old_epoch(journal, known, self.overdue)
            known = NOTHING
        else:
            self._apply(known)
        self._journaling.begin(journal, known)

    def _bookkeeper(self, journal: "Journal") -> Bookkeeper:
        """Return what derives lives and bookings from the journal, and tells the state of older fills."""
        state = self._publisher.state

        async def recall_again() -> None:
            if self.overdue is None:
                cursors = await journal.history.cursors()
                known = await recall(journal.history, cursors, self._watched, state.days.zone)
                # orders are known better here than they were noted
                self._apply(replace(known, orders=()))

        return Bookkeeper(
            journal,
            journal.history,
            self._clock,
            zone=state.days.zone,
            parent=self._watched.parent,
            began=state.began,
            changed=recall_again,
            doubted=lambda: bool(state.doubted),
        )

    async def _known(self, journal: "Journal") -> Recollection:
        try:
            return await recall(journal.history, await journal.cursors(), self._watched)
        except JournalError as error:
            # what cannot be read is read from the venue again, and written over it
            log.error("the journal cannot be recalled: %s", error)
            return NOTHING

    async def _end_old_epoch(self, journal: "Journal", known: Recollection, overdue: int) -> None:
        """Begin the epoch that is overdue, unless another console has done so."""
        epoch = self._publisher.state.epoch
        while epoch.newest is None or _is_still_old(journal.recovery.epoch, overdue, known, epoch):
            if epoch.newest is not None:
                with suppress(JournalOffError):
                    await journal.begin_epoch("the chain has begun anew")
                    break
            await asyncio.sleep(self._pace.retry_s)
        with suppress(JournalError):
            await journal.cursors()
        self.overdue = None

    async def _rewrite(self, journal: "Journal") -> None:
        """Give the journal everything again: it has missed some of it, and the state has all of it."""
        with suppress(JournalError):
            await journal.cursors()
        self._journaling.begin(journal)

    async def _listen(self) -> None:
        try:
            await ControlServer(self.door, self.handlers).run()
        except OSError as error:
            log.error("no other console can ask this one, %s: %s", self.door, error.strerror or error)

    async def _who(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        identity = self._identity
        return {
            "pid": os.getpid(),
            "program": self._plan.program,
            "since": self._since.isoformat(),
            "network": identity.network,
            "chain_id": identity.chain_id,
            "address": identity.address,
        }

    def _kept(self, status: JournalStatus, *, was_looking: bool) -> None:
        if was_looking:
            self._tell("The other console has ended: this one keeps the journal now.")
        if status.is_on and self._view.mode is not JournalMode.KEPT:
            self._status_changed(status)

    def _status_changed(self, status: JournalStatus) -> None:
        if not status.is_on:
            self._turned_off(status.reason or "for no reason that was told", status)
            return
        if self._view.mode is JournalMode.OFF:
            self._tell("The journal is being written again.")
            for sentence in () if status.recovery is None else status.recovery.sentences:
                self._tell(f"{sentence[0].upper()}{sentence[1:]}.", Level.WARNING, stays=True)
        if status.must_read_again:
            self._must_rewrite.set()
        if status.rejection is not None and status.rejected > self._view.rejected:
            self._error, self._error_at = status.rejection, self._clock.utc()
        self._show(JournalView(JournalMode.KEPT, status.rejection, status.since, rejected=status.rejected))

    def _turned_off(self, reason: str, status: JournalStatus | None = None) -> None:
        since = self._view.since if self._view.mode is JournalMode.OFF else self._clock.utc()
        missed, rejected = (0, 0) if status is None else (status.missed, status.rejected)
        if self._view.mode is not JournalMode.OFF:
            text = f"JOURNAL OFF: {reason}. Nothing is written down; the picture goes on."
            self._tell(text, Level.ERROR, stays=True)
        self._error, self._error_at = reason, self._clock.utc()
        self._show(JournalView(JournalMode.OFF, reason, since, missed=missed, rejected=rejected))

    # Looking on

    async def _look_on(self, owned: JournalOwnedError) -> None:
        """Say whose the journal is, once, and read what it knows."""
        await self._open_reader()
        if self._view.mode is JournalMode.LOOKING and self._view.owner_pid == owned.pid:
            return
        text = await self._whose(owned.pid)
        self._tell(f"{text}: this console only looks.", Level.WARNING, stays=True)
        self._show(JournalView(JournalMode.LOOKING, text, self._clock.utc(), owned.pid))
        if not self._recovered.is_set() and self.overdue is None:
            await self._read_along()

    async def _whose(self, pid: int | None) -> str:
        named = "another process" if pid is None else f"process {pid}"
        try:
            told = await ask(self.door, "who", self._pace.ask_s)
            since = datetime.fromisoformat(str(told["since"]))
            return f"The journal belongs to pid {told['pid']} ({told['program']} since {since:%H:%M} UTC)"
        except (SilentError, ControlError, KeyError, ValueError) as error:
            log.info("the journal's owner does not answer: %s", error)
            return f"The journal belongs to {named}, which does not answer"

    async def _open_reader(self) -> None:
        """Read what the owner writes, in the file of the newest epoch; not where that tells of an older chain."""
        from dydx_console.journal.files import Place
        from dydx_console.journal.reader import open_reader

        if self.overdue is not None:
            return
        try:
            found = await asyncio.to_thread(open_reader, Place(self._plan.root, self._identity))
        except (JournalError, OSError) as error:
            log.info("the other console's journal cannot be read: %s", error)
            return
        if self._reader is None:
            self._reader = found
        elif self._reader.path != found.path:
            await self._reader.move_to(found.path)

    async def _read_along(self) -> None:
        if self._reader is None:
            return
        try:
            self._apply(await recall(self._reader, await self._reader.cursors(), self._watched))
        except JournalError as error:
            log.warning("the other console's journal cannot be read: %s", error)

    # Telling

    def _apply(self, known: Recollection) -> None:
        resume(self._publisher.state, known, self._watched)
        self._publisher.take(known.event(self._watched.address, self._clock.monotonic()))

    async def _tell_figures(self) -> None:
        while True:
            await asyncio.sleep(self._pace.figures_s)
            if self._with_figures(self._view) != self._view:
                self._show(self._view)

    def _with_figures(self, view: JournalView) -> JournalView:
        journal = self._journal
        return replace(
            view,
            epoch=None if journal is None else journal.recovery.epoch,
            fill_place=self._publisher.state.coverage.end or None,
            waiting=0 if journal is None else journal.waiting,
            error=self._error,
            error_at=self._error_at,
        )

    def _show(self, view: JournalView) -> None:
        self._view = self._with_figures(view)
        self._publisher.take(JournalTold(self._view, self._clock.monotonic()))

    def _tell(self, text: str, level: Level = Level.INFO, *, stays: bool = False) -> None:
        log.log(logging.INFO if level is Level.INFO else logging.WARNING, "%s", text)
        self._publisher.tell(Notice(text, level, self._clock.utc(), stays=stays))


def _is_still_old(number: int, overdue: int, known: Recollection, epoch: EpochWatch) -> bool:
    """Return whether the epoch that is open is the one which has ended.

    The newest block that a journal knows is as old as the last time that it could be written, so a chain that has
    begun anew may be beyond it by now; the number of an epoch that was seen to end is proof.
    """
    return number == overdue if overdue != ANY_EPOCH else _is_older_chain(known, epoch)


def _is_older_chain(known: Recollection, epoch: EpochWatch) -> bool:
    """Return whether what a journal knows is of a chain that is no more, by the newest block of each."""
    cursor, newest = known.cursors.get(HEIGHT), epoch.newest
    if cursor is None or cursor.newest_height is None or cursor.newest_at is None or newest is None:
        return False
    compared = EpochWatch()
    compared.resume(Head(cursor.newest_height, cursor.newest_at))
    compared.head(newest.height, newest.time)
    return not compared.is_sure

"""The journal's one writer: facts in batches, intents at once, and what happens when the disk says no."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dydx_console.journal.files import OwnerLock, Place
from dydx_console.journal.opening import Opening, reason_of
from dydx_console.journal.pending import Pending
from dydx_console.journal.reader import JournalReader
from dydx_console.journal.schema import MIGRATIONS, Migration
from dydx_console.journal.statements import Statement, fact_statements, intent_statements
from dydx_console.journal.store import Store
from dydx_console.journal.taking import Taking
from dydx_console.ports.clock import Clock
from dydx_console.ports.journal import (
    Cursor,
    EquityPoint,
    IntentEntry,
    JournalError,
    JournalFact,
    JournalId,
    JournalOffError,
    JournalRejectedError,
    JournalStatus,
    JournalUnavailableError,
    Recovery,
)

__all__ = ["Journal", "JournalLimits", "open_journal"]

log = logging.getLogger(__name__)

_CONTENT_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    ArithmeticError,
    TypeError,
    ValueError,
)
"""What an entry raises that no journal could keep."""

_PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
"""Errors after which the connection is as good as before."""


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """How long and how much is collected before it is committed, and how much is held while the disk says no.

    From half of `most_waiting` on, equity points are left out; beyond it facts are missed, which the status tells.
    Delays between attempts double from `first_delay_s` to `last_delay_s`.
    """

    commit_s: float = 0.05
    commit_count: int = 5_000
    most_waiting: int = 100_000
    first_delay_s: float = 1.0
    last_delay_s: float = 30.0


@dataclass(frozen=True, slots=True)
class _Wish:
    """Someone who waits for a commit: with entries of his own, or (None) for the facts taken so far."""

    entries: tuple[IntentEntry, ...] | None
    done: "asyncio.Future[None]"


class Journal:
    """An open journal. Implements `JournalPort`; `open_journal` makes it, `run` commits, `close` ends it.

    Intents go first, each attempt in a transaction that is on the disk before `record` returns. Facts are collected
    for a moment and committed together; they can be read from the venue again, so these commits do not wait for the
    disk. While the disk refuses, intents are refused, facts wait, and the same commit is tried again.
    """

    def __init__(
        self,
        lock: OwnerLock,
        opening: Opening,
        recovery: Recovery,
        *,
        clock: Clock,
        limits: JournalLimits,
        on_change: Callable[[JournalStatus], None],
        factory: type[sqlite3.Connection],
    ) -> None:
        self._lock = lock
        self._opening = opening
        self._recovery = recovery
        self._clock = clock
        self._limits = limits
        self._on_change = on_change
        self._store = Store(factory)
        self._reader = JournalReader(recovery.path, opening.newest_schema)
        self._status = JournalStatus(is_on=True, since=clock.utc())
        self._pending = Pending()
        self._writing = Pending()
        self._wishes: list[_Wish] = []
        self._epoch: tuple[str, asyncio.Future[Recovery]] | None = None
        self._trusts_cursors = True
        self._doubts = 0
        self._must_reopen = False
        self._delay_s = limits.first_delay_s
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._is_closed = False

    @property
    def recovery(self) -> Recovery:
        """What the last opening found and did."""
        return self._recovery

    @property
    def status(self) -> JournalStatus:
        """Whether the journal keeps what it is given, and why not."""
        return self._status

    @property
    def history(self) -> JournalReader:
        """The same journal for reading; what was just written is there after `flush`."""
        return self._reader

    @property
    def waiting(self) -> int:
        """How many rows have been taken and are not committed."""
        return self._pending.count + self._writing.count

    def write(self, facts: Iterable[JournalFact]) -> None:
        """Take facts without waiting; never raises. They are committed together, soon, and merged by id.

        The facts of one call are taken together or missed together.
        """
        waiting = self.waiting
        if self._is_closed or waiting >= self._limits.most_waiting:
            self._miss(sum(not isinstance(fact, Cursor | EquityPoint) for fact in facts))
            return
        takes_points = waiting < self._limits.most_waiting // 2
        for fact in facts:
            if isinstance(fact, Cursor):
                takes = self._trusts_cursors
            else:
                takes = takes_points or not isinstance(fact, EquityPoint)
            if takes:
                self._take(fact)
        if not self._pending.is_empty:
            self._wake.set()
        if self._pending.count >= self._limits.commit_count:
            self._urgent.set()

    async def record(self, *entries: IntentEntry) -> None:
        """Write intents and their steps; done when they are on the disk. All of a call are kept, or none.

        Writing an entry again changes nothing. Raises JournalOffError while nothing can be written, and
        JournalRejectedError for a step of an unknown intent or an entry that says otherwise than the one that is kept.
        """
        await self._wished(entries)

    async def flush(self) -> None:
        """Return when everything written so far is committed. Raises JournalOffError."""
        await self._wished(None)

    async def cursors(self) -> dict[str, Cursor]:
        """Return how far each source has been read, to read on from there."""
        doubts = self._doubts
        found = await self._reader.cursors()
        if self._doubts != doubts:
            return found
        self._trusts_cursors = True
        if self._status.is_on:
            self._status = replace(self._status, missed=0, recovery=None)
        return found

    async def begin_epoch(self, reason: str) -> Recovery:
        """Keep the history of a chain that has begun anew as a read-only file, and begin another.

        What was written before goes into the old one. Cursors are taken again when they have been asked for. Raises
        JournalOffError where the disk refuses.
        """
        self._refuse_if_off()
        if self._epoch is not None:
            raise JournalOffError("another epoch is being begun")
        done: asyncio.Future[Recovery] = asyncio.get_running_loop().create_future()
        self._epoch = (reason, done)
        self._hurry()
        return await done

    async def run(self) -> None:
        """Commit what is taken until cancelled."""
        while True:
            await self._due()
            await self._commit()

    async def close(self) -> None:
        """Commit the rest, close the file and let go of the journal. `run` must have ended."""
        if self._is_closed:
            return
        self._is_closed = True
        self._refuse_epoch("the journal is closed")
        try:
            if self._status.is_on:
                await self._commit()
            await self._reader.close()
            await self._store.close()
        except sqlite3.Error as error:
            log.warning("the journal did not close cleanly: %s", reason_of(error))
        finally:
            self._lock.release()
            for wish in self._wishes:
                if not wish.done.done():
                    wish.done.set_exception(JournalOffError("the journal is closed"))

    async def connect(self) -> None:
        """Connect to the file that opening has brought into order. Raises JournalUnavailableError."""
        try:
            await self._store.connect(self._recovery.path)
        except sqlite3.Error as error:
            raise JournalUnavailableError(f"the journal cannot be opened: {reason_of(error)}") from error

    def _take(self, fact: JournalFact) -> None:
        try:
            self._pending.add(fact)
        except TypeError as error:
            self._reject(error)

    def _miss(self, count: int) -> None:
        """Note that facts are lost to the journal; cursors would claim them, so none is taken before a new reading."""
        if count and not self._is_closed:
            self._distrust()
            missed = self._status.missed + count
            if self._status.is_on:
                late = JournalStatus(False, self._clock.utc(), "the disk does not keep up", missed)
                self._change(self._with_rejections(late))
            else:
                self._status = replace(self._status, missed=missed)

    def _distrust(self) -> None:
        self._trusts_cursors = False
        self._doubts += 1

    def _reject(self, error: Exception) -> None:
        log.error("the journal cannot keep a fact", exc_info=error)
        text = f"{type(error).__name__}: {error}"
        self._change(replace(self._status, rejected=self._status.rejected + 1, rejection=text))

    def _change(self, status: JournalStatus) -> None:
        self._status = status
        self._on_change(status)

    def _with_rejections(self, status: JournalStatus) -> JournalStatus:
        return replace(status, rejected=self._status.rejected, rejection=self._status.rejection)

    async def _wished(self, entries: tuple[IntentEntry, ...] | None) -> None:
        self._refuse_if_off()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(entries, done))
        self._hurry()
        await done

    def _refuse_if_off(self) -> None:
        if self._is_closed:
            raise JournalOffError("the journal is closed")
        if not self._status.is_on:
            raise JournalOffError(f"the journal is off: {self._status.reason}")

    def _hurry(self) -> None:
        self._wake.set()
        self._urgent.set()

    async def _due(self) -> None:
        """Wait until a commit is to be made, or, while the journal is off, to be tried again."""
        if not self._status.is_on:
            await asyncio.sleep(self._delay_s)
            self._delay_s = min(self._delay_s * 2, self._limits.last_delay_s)
            return
        await self._wake.wait()
        try:
            async with asyncio.timeout(self._limits.commit_s):
                await self._urgent.wait()
        except TimeoutError:
            return

    async def _commit(self) -> None:
        """Write what waits: intents, then facts; then change the epoch if that is asked for."""
        self._wake.clear()
        self._urgent.clear()
        wishes, self._wishes = self._wishes, []
        try:
            if self._must_reopen:
                await self._reopen()
            await self._write_intents([wish for wish in wishes if wish.entries is not None])
            await self._write_facts()
            self._turn_on()
            await self._change_epoch()
        except (sqlite3.Error, OSError, JournalError) as error:
            self._turn_off(error)
        except asyncio.CancelledError:
            # what was cut off in its middle is written again by `close`; writing twice changes nothing
            self._wishes = [*wishes, *self._wishes]
            raise
        for wish in wishes:
            self._answer(wish)

    def _answer(self, wish: _Wish) -> None:
        if not wish.done.done():
            if self._status.is_on:
                wish.done.set_result(None)
            else:
                wish.done.set_exception(JournalOffError(f"the journal is off: {self._status.reason}"))

    def _refuse_epoch(self, reason: str) -> None:
        if self._epoch is not None:
            _, done = self._epoch
            self._epoch = None
            if not done.done():
                done.set_exception(JournalOffError(reason))

    async def _write_intents(self, wishes: list[_Wish]) -> None:
        """Write everyone's entries in one transaction; where one of them is refused, each caller's in its own."""
        if not wishes:
            return
        try:
            await self._store.transact(intent_statements(_entries_of(wishes)), durable=True)
        except _CONTENT_ERRORS:
            for wish in wishes:
                await self._write_wish(wish)
            return
        for wish in wishes:
            if not wish.done.done():
                wish.done.set_result(None)

    async def _write_wish(self, wish: _Wish) -> None:
        refusal: JournalRejectedError | None = None
        try:
            await self._store.transact(intent_statements(_entries_of([wish])), durable=True)
        except _CONTENT_ERRORS as error:
            refusal = JournalRejectedError(f"the journal cannot keep this: {type(error).__name__}: {error}")
        if wish.done.done():
            return
        if refusal is None:
            wish.done.set_result(None)
        else:
            wish.done.set_exception(refusal)

    async def _write_facts(self) -> None:
        """Commit the facts taken so far together with those whose commit failed before."""
        taken, self._pending = self._pending, Pending()
        if self._writing.is_empty:
            self._writing = taken
        else:
            self._writing.absorb(taken)
        if not self._writing.is_empty:
            await self._write(self._writing)
            self._writing = Pending()
        elif not self._status.is_on:
            await self._store.transact([_PROBE], durable=True)

    async def _write(self, facts: Pending) -> None:
        """Commit facts; one that no journal could keep is searched by halves and left out."""
        try:
            await self._store.transact(fact_statements(facts, self._recovery.run), durable=False)
        except _CONTENT_ERRORS as error:
            if facts.is_single:
                self._reject(error)
                return
            for half in facts.halves():
                await self._write(half)

    async def _reopen(self) -> None:
        """Open the file anew, with all that opening recovers."""
        await self._disconnect()
        self._recovery = await asyncio.to_thread(self._opening.open, self._recovery.run)
        await self._reader.move_to(self._recovery.path)
        await self._store.connect(self._recovery.path)
        self._must_reopen = False
        if self._recovery.is_new:
            # the rows that older cursors count were in the file before this one
            self._distrust()
            self._pending.cursors.clear()
            self._writing.cursors.clear()

    async def _disconnect(self) -> None:
        self._must_reopen = True
        await self._reader.close()
        try:
            await self._store.close()
        except sqlite3.Error as error:
            log.info("closing a failed connection to the journal: %s", reason_of(error))

    async def _change_epoch(self) -> None:
        if self._epoch is None:
            return
        reason, done = self._epoch
        await self._disconnect()
        await asyncio.to_thread(self._opening.seal, self._recovery.epoch, reason)
        await self._reopen()
        self._epoch = None
        if not done.done():
            done.set_result(self._recovery)

    def _turn_on(self) -> None:
        if self._status.is_on:
            return
        self._delay_s = self._limits.first_delay_s
        begun = self._recovery if self._recovery.is_new and not self._trusts_cursors else None
        status = JournalStatus(True, self._clock.utc(), None, self._status.missed, recovery=begun)
        self._change(self._with_rejections(status))

    def _turn_off(self, error: Exception) -> None:
        reason = _told(error)
        self._refuse_epoch(f"the journal is off: {reason}")
        code = getattr(error, "sqlite_errorcode", None)
        if code is None or code & 0xFF not in _PASSING:
            self._must_reopen = True
        if self._status.is_on:
            log.error("the journal is off: %s", reason)
            self._change(self._with_rejections(JournalStatus(False, self._clock.utc(), reason)))
        elif self._status.reason != reason:
            self._change(replace(self._status, reason=reason))


_PROBE: Statement = ("UPDATE meta SET value = value WHERE key = 'runs'", [()])
"""A write that changes nothing, to see whether the disk takes one."""


def _entries_of(wishes: Iterable[_Wish]) -> list[IntentEntry]:
    return [entry for wish in wishes for entry in wish.entries or ()]


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, JournalError) else reason_of(error)


def _ignore(status: JournalStatus) -> None:
    """Tell nobody."""


async def open_journal(
    root: Path,
    identity: JournalId,
    clock: Clock,
    *,
    limits: JournalLimits | None = None,
    on_change: Callable[[JournalStatus], None] = _ignore,
    migrations: Sequence[Migration] = MIGRATIONS,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> Journal:
    """Return the journal of an address under the folder `root`, brought into order and owned by this process.

    Args:
        root: the folder of all journals, in the user's state folder.
        identity: whose history it is.
        clock: stamps files and the status.
        limits: when it commits and how much it holds.
        on_change: is told every change of the status, on the event loop; it must not fail.
        migrations: the schema's history; other ones for tests.
        factory: the class of the writing connection; other ones for tests.

    Where this is cancelled, the journal is owned no longer than its file is worked on. Raises JournalOwnedError,
    JournalNewerError, JournalMigrationError, JournalUnavailableError.
    """
    place = Place(root, identity)
    opening = Opening(place, clock, migrations)
    taking = Taking(place, opening)
    try:
        lock, recovery = await asyncio.to_thread(taking.run)
        journal = Journal(
            lock,
            opening,
            recovery,
            clock=clock,
            limits=limits or JournalLimits(),
            on_change=on_change,
            factory=factory,
        )
        await journal.connect()
    except BaseException:
        taking.leave()
        raise
    return journal

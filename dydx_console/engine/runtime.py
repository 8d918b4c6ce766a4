"""The engine's thread: one event loop, supervised tasks, a clean stop."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dydx_console.domain.preflight import Report
from dydx_console.engine.gate import Gate
from dydx_console.ports.clock import Clock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import Confirmation, NetworkView

if TYPE_CHECKING:  # the first screen is painted before these are needed
    from dydx_console.engine.checking import Checking
    from dydx_console.engine.evidence import EvidenceKeeper
    from dydx_console.engine.history import Desk, HistoryKeeper
    from dydx_console.engine.owner import JournalKeeper
    from dydx_console.ports.history import HistoryDesk

__all__ = ["Engine", "Source", "Works", "Writer"]

STOP_S = 2.0

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where events come from."""

    async def run(self) -> None:
        """Deliver events to the publisher until cancelled, or until there are no more."""
        ...

    def reconnect(self) -> None:
        """Connect afresh; does nothing where there is nothing to connect to."""
        ...

    def reconcile(self) -> None:
        """Compare our figures with the venue's own; does nothing where there is nobody to ask."""
        ...

    async def close(self) -> None:
        """Let go of what it holds; called once, after `run` has ended."""
        ...


class Writer(Protocol):
    """The single writer of the state, and its way into the mailbox."""

    applied: int

    async def run(self) -> None:
        """Publish changes until cancelled."""
        ...

    def publish(self) -> None:
        """Publish the picture as it is now."""
        ...


class Works(NamedTuple):
    """What an engine runs. A recording has neither checks nor evidence, a network without nodes no evidence.

    `journal` keeps the history and `history` answers for it, None where none is kept. `renewed` is set when all of this
    belongs to a chain that is no more, and has to be made anew.
    """

    writer: Writer
    source: Source
    checking: "Checking | None" = None
    evidence: "EvidenceKeeper | None" = None
    journal: "JournalKeeper | None" = None
    renewed: asyncio.Event | None = None
    history: "HistoryKeeper | None" = None


YOUNG_OBJECTS = 20_000
"""Values are frozen and hold no cycles, so the collector finds next to nothing; it need not look every 700 of them."""


class Engine:
    """Runs a source and the writer of its state in a thread of their own. Implements `ConsolePort`.

    Args:
        build: makes both; called inside the engine's loop, where imports do not hold up the first screen.
        mailbox: what screens read.
        network: what banner and documents say of the network.
        clock: the clock that snapshots are stamped with.
        gate: the policy's decision about the network; None where there is no network, as for a recording.
    """

    def __init__(
        self,
        build: Callable[[], Awaitable[Works]],
        *,
        mailbox: Mailbox,
        network: NetworkView,
        clock: Clock,
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate
        self._build = build
        self._mailbox = mailbox
        self._network = network
        self._clock = clock
        self._failure: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._works: Works | None = None
        self._started = threading.Event()
        self._desk: Desk | None = None
        self._desk_turn = threading.Lock()
        self._thread = threading.Thread(target=self._thread_main, name="engine", daemon=True)

    @property
    def mailbox(self) -> Mailbox:
        """Where snapshots and notices are left."""
        return self._mailbox

    @property
    def network(self) -> NetworkView:
        """Which network is shown."""
        if self._gate is None:
            return self._network
        decision = self._gate.decision
        return replace(self._network, confirmed=decision.runs, read_only=self._network.read_only or decision.read_only)

    @property
    def failure(self) -> str | None:
        """Why the engine ended by itself, in one line; None while it runs."""
        return self._failure

    @property
    def applied(self) -> int:
        """Events applied so far."""
        return 0 if self._works is None else self._works.writer.applied

    def monotonic(self) -> float:
        """Return the clock that snapshots are stamped with."""
        return self._clock.monotonic()

    def confirmation(self) -> Confirmation | None:
        """Return what a person has to confirm before the network is used; None where nothing waits for that."""
        return None if self._gate is None else self._gate.confirmation()

    def confirm(self, typed: str) -> bool:
        """Try what a person typed; returns whether the network may be used now."""
        return self._gate is not None and self._gate.confirm(typed)

    @property
    def history(self) -> "HistoryDesk":
        """The account's history, and its fetching."""
        with self._desk_turn:
            if self._desk is None:
                # the first screen is painted without it
                from dydx_console.engine.history import Desk

                self._desk = Desk(self._reached)
            return self._desk

    def report(self) -> Report | None:
        """Return the newest report of the network's checks, None before the first is made."""
        works = self._works
        return None if works is None or works.checking is None else works.checking.report

    def report_within(self, age_s: float) -> Report | None:
        """Return the newest report if it was made at most `age_s` seconds ago."""
        works = self._works
        if works is None or works.checking is None or self._clock.monotonic() - works.checking.made_at > age_s:
            return None
        return works.checking.report

    def check(self) -> None:
        """Ask for the checks to be made again."""
        works = self._works
        if works is not None and works.checking is not None:
            self._call(works.checking.ask)

    def probe(self, deadline_s: float) -> "Future[None]":
        """Ask node and Indexer anew; the future ends within `deadline_s`, when the snapshot and the report have it."""
        loop = self._loop
        if self._works is None or loop is None or loop.is_closed():
            ended: Future[None] = Future()
            ended.set_result(None)
            return ended
        return asyncio.run_coroutine_threadsafe(self._probed(deadline_s), loop)

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def reconnect(self) -> None:
        """Ask for a fresh connection now."""
        if self._works is not None:
            self._call(self._works.source.reconnect)

    def reconcile(self) -> None:
        """Ask for our figures to be compared with the Indexer's own now."""
        if self._works is not None:
            self._call(self._works.source.reconcile)

    def stop(self, within_s: float = STOP_S) -> bool:
        """Stop, waiting at most `within_s` seconds; returns whether everything ended in time."""
        if self._thread.ident is None:
            return True
        self._started.wait(within_s)
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and self._thread.is_alive():
            try:
                loop.call_soon_threadsafe(stop.set)
            except RuntimeError:
                log.debug("the engine's loop had ended already")
        self._thread.join(within_s)
        if self._thread.is_alive():
            log.error("the engine did not end within %.1f s", within_s)
        return not self._thread.is_alive()

    def _reached(self) -> "tuple[asyncio.AbstractEventLoop, HistoryKeeper | None] | None":
        """Return the loop and who keeps the history on it, None before anything runs."""
        loop, works = self._loop, self._works
        return None if loop is None or works is None else (loop, works.history)

    def _call(self, action: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(action)

    async def _probed(self, deadline_s: float) -> None:
        works = self._works
        if works is None:
            return
        asked: list[Awaitable[object]] = []
        if works.evidence is not None:
            asked.append(works.evidence.fresh())
        if works.checking is not None:
            asked.append(works.checking.make(deadline_s))
        try:
            async with asyncio.timeout(deadline_s):
                await asyncio.gather(*asked)
        except TimeoutError:
            log.warning("fresh evidence did not come within %.1f s", deadline_s)
        works.writer.publish()

    def _thread_main(self) -> None:
        gc.set_threshold(YOUNG_OBJECTS, 20, 20)
        loop = asyncio.new_event_loop()
        self._loop = loop
        try:
            main = loop.create_task(self._main(), name="engine")
            loop.run_until_complete(asyncio.wait({main}))
            self._note_end(main)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            self._started.set()
            loop.close()
            with self._desk_turn:
                if self._desk is not None:
                    self._desk.close()

    def _note_end(self, main: "asyncio.Task[None]") -> None:
        error = None if main.cancelled() else main.exception()
        if error is not None:
            log.error("the engine failed", exc_info=error)
            cause = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
            self._failure = f"the engine stopped: {type(cause).__name__}: {cause}"

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._started.set()
        while not self._stop.is_set():
            began = time.monotonic()
            works = self._works = await self._build()
            log.info("engine started in %.0f ms", (time.monotonic() - began) * 1000)
            await self._run(works, self._stop)

    async def _run(self, works: Works, stop: asyncio.Event) -> None:
        """Run until stopped, or until all of it has to be made anew; end in the order source, state, journal."""
        try:
            async with asyncio.TaskGroup() as tasks:
                working = [
                    tasks.create_task(works.writer.run(), name="writer"),
                    tasks.create_task(_follow(works), name="source"),
                ]
                if works.checking is not None:
                    working.append(tasks.create_task(works.checking.run(), name="checks"))
                if works.journal is not None:
                    working.append(tasks.create_task(works.journal.run(), name="journal"))
                if works.history is not None:
                    working.append(tasks.create_task(works.history.run(), name="history"))
                await _until_over(works, stop)
                for task in working:
                    task.cancel()
        finally:
            if works.checking is not None:
                await works.checking.close()
            await works.source.close()
            works.writer.publish()
            if works.journal is not None:
                await works.journal.close()


async def _follow(works: Works) -> None:
    """Follow the source, once what an earlier run knew is there."""
    if works.journal is not None:
        await works.journal.recovered()
    await works.source.run()


async def _until_over(works: Works, stop: asyncio.Event) -> None:
    """Wait until the engine is stopped, or the chain has begun anew and the journal has a new epoch."""
    if works.renewed is None:
        await stop.wait()
        return
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(event.wait()) for event in (stop, works.renewed)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
    if not stop.is_set() and works.journal is not None:
        await works.journal.begin_epoch()

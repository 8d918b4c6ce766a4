"""The engine's thread: one event loop, supervised tasks, a clean stop."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from dydx_console.engine.publish import Publisher
from dydx_console.ports.clock import Clock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import NetworkView

__all__ = ["Engine", "Source"]

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

    async def close(self) -> None:
        """Let go of what it holds; called once, after `run` has ended."""
        ...


class Engine:
    """Runs a source and its publisher in a thread of their own. Implements `ConsolePort`.

    Args:
        publisher: the single writer of the state.
        build: makes the source; called inside the engine's loop, where imports cost the screen nothing.
        mailbox: what screens read.
        network: what banner and documents say of the network.
        clock: the clock that snapshots are stamped with.
    """

    def __init__(
        self,
        publisher: Publisher,
        build: Callable[[], Awaitable[Source]],
        *,
        mailbox: Mailbox,
        network: NetworkView,
        clock: Clock,
    ) -> None:
        self._publisher = publisher
        self._build = build
        self._mailbox = mailbox
        self._network = network
        self._clock = clock
        self._failure: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._source: Source | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._thread_main, name="engine", daemon=True)

    @property
    def mailbox(self) -> Mailbox:
        """Where snapshots and notices are left."""
        return self._mailbox

    @property
    def network(self) -> NetworkView:
        """Which network is shown."""
        return self._network

    @property
    def failure(self) -> str | None:
        """Why the engine ended by itself, in one line; None while it runs."""
        return self._failure

    @property
    def applied(self) -> int:
        """Events applied so far."""
        return self._publisher.applied

    def monotonic(self) -> float:
        """Return the clock that snapshots are stamped with."""
        return self._clock.monotonic()

    def start(self) -> None:
        """Start the thread and return when its loop runs."""
        self._thread.start()
        self._started.wait()

    def reconnect(self) -> None:
        """Ask for a fresh connection now."""
        source, loop = self._source, self._loop
        if source is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(source.reconnect)

    def stop(self, within_s: float = STOP_S) -> bool:
        """Stop, waiting at most `within_s` seconds; returns whether everything ended in time."""
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

    def _thread_main(self) -> None:
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

    def _note_end(self, main: "asyncio.Task[None]") -> None:
        error = None if main.cancelled() else main.exception()
        if error is not None:
            log.error("the engine failed", exc_info=error)
            cause = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
            self._failure = f"the engine stopped: {type(cause).__name__}: {cause}"

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._started.set()
        began = time.monotonic()
        source = self._source = await self._build()
        log.info("engine started in %.0f ms", (time.monotonic() - began) * 1000)
        try:
            async with asyncio.TaskGroup() as tasks:
                working = [
                    tasks.create_task(self._publisher.run(), name="publisher"),
                    tasks.create_task(source.run(), name="source"),
                ]
                await self._stop.wait()
                for task in working:
                    task.cancel()
        finally:
            await source.close()
            self._publisher.publish()

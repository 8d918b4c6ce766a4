"""Fresh evidence for those who ask for it: one probe at a time, shared by all who wait."""

import asyncio
import logging

from dydx_console.ports.health import HealthFacts, HealthPort

__all__ = ["PROBE_S", "BusyError", "Prober"]

PROBE_S = 2.0
"""Seconds that the engine is given for a probe."""

GRACE_S = 0.5
MAX_WAITING = 16

log = logging.getLogger(__name__)


class BusyError(Exception):
    """As many requests wait for the running probe as may."""


class Prober:
    """Asks the engine for fresh evidence. Belongs to one event loop.

    Args:
        port: the engine.
        deadline_s: what the engine is given; waiting ends half a second later, whatever the engine does.
    """

    def __init__(self, port: HealthPort, deadline_s: float = PROBE_S) -> None:
        self._port = port
        self._deadline_s = deadline_s
        self._running: asyncio.Future[HealthFacts] | None = None
        self._ends_at = 0.0
        self._waiting = 0

    async def fresh(self) -> HealthFacts | None:
        """Return fresh evidence, None where the engine gave none in time.

        Raises BusyError instead of waiting where 16 wait already.
        """
        if self._waiting >= MAX_WAITING:
            raise BusyError(f"{MAX_WAITING} requests wait for the running probe already")
        running = self._running if self._running is not None and not self._running.done() else self._begin()
        self._waiting += 1
        try:
            remaining_s = self._ends_at - asyncio.get_running_loop().time()
            await asyncio.wait({running}, timeout=max(0.0, remaining_s))
        finally:
            self._waiting -= 1
        if not running.done():
            running.cancel()
        return None if running.cancelled() or running.exception() is not None else running.result()

    def close(self) -> None:
        """Give up the probe that runs; those who wait get nothing fresh."""
        if self._running is not None:
            self._running.cancel()

    def _begin(self) -> "asyncio.Future[HealthFacts]":
        running = asyncio.wrap_future(self._port.probe(self._deadline_s))
        self._ends_at = asyncio.get_running_loop().time() + self._deadline_s + GRACE_S
        self._running = running
        running.add_done_callback(self._ended)
        return running

    def _ended(self, running: "asyncio.Future[HealthFacts]") -> None:
        if self._running is running:
            self._running = None
        if running.cancelled():
            return
        error = running.exception()
        if error is not None:
            log.error("a probe of the network failed", exc_info=error)

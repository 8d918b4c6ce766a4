"""An event loop whose time jumps to the next timer when nothing is ready, so that minutes pass in milliseconds."""

import asyncio
import heapq
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Result = TypeVar("Result")

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs callbacks as usual and never waits. It must not be given sockets, nor other threads to hear from."""

    def __init__(self) -> None:
        self._virtual_s = 0.0
        super().__init__()

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._virtual_s

    def _run_once(self) -> None:
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0].cancelled():
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready and not self._stopping:  # type: ignore[attr-defined]
            if not timers:
                raise RuntimeError("every task waits for something that will never come")
            self._virtual_s = max(self._virtual_s, timers[0].when())
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    """The virtual loop's time as a `Clock`; `ahead_s` puts the wall clock wrong."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ahead_s: float = 0.0) -> None:
        self._loop = loop
        self._ahead_s = ahead_s

    def monotonic(self) -> float:
        """Return the loop's seconds."""
        return self._loop.time()

    def utc(self) -> datetime:
        """Return the wall clock."""
        return BEGAN + timedelta(seconds=self._loop.time() + self._ahead_s)


def run_virtually(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end in virtual time; whatever it left behind is an error."""
    loop = VirtualLoop()
    try:
        result = loop.run_until_complete(main)
        left = asyncio.all_tasks(loop)
        assert not left, left
        return result
    finally:
        loop.close()


def clock_of_loop(ahead_s: float = 0.0) -> LoopClock:
    """Return the running loop's time as a clock."""
    return LoopClock(asyncio.get_running_loop(), ahead_s)

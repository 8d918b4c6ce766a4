"""Waiting without a screen: until a signal, the given time or the engine's own end."""

import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from dydx_console.engine.runtime import Engine

__all__ = ["wait_for_end"]

STEP_S = 1.0


def wait_for_end(engine: Engine, for_seconds: float | None, steps: Iterator[None]) -> None:
    """Wait in the main thread, taking a step about once a second; SIGINT, SIGTERM and SIGHUP end the waiting."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    started = time.monotonic()
    next(steps)
    while not ended.wait(_pause_s(for_seconds, started)) and engine.failure is None:
        next(steps)
        if for_seconds is not None and time.monotonic() - started >= for_seconds:
            break


def _pause_s(for_seconds: float | None, started: float) -> float:
    if for_seconds is None:
        return STEP_S
    return min(max(for_seconds - (time.monotonic() - started), 0.0), STEP_S)

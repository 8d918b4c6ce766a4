"""Running a short piece of asyncio in a command."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["StoppedError", "run_briefly", "run_interruptibly"]

T = TypeVar("T")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(Exception):
    """A signal ended the work; `code` is the exit code that says which."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.code = 128 + number


def run_briefly(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own and return what it returns.

    Unlike `asyncio.run` this does not wait at the end for threads that still ask a name server.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def run_interruptibly(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `run_briefly` does; SIGINT, SIGTERM and SIGHUP cancel it, so that it can tidy up.

    A second signal ends the process without that. Raises StoppedError where a signal ended it.
    """
    stopped: list[int] = []

    async def watched() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]

        def stop(number: int) -> None:
            stopped.append(number)
            for one in heard:
                loop.remove_signal_handler(one)
            if task is not None:
                task.cancel()

        for number in heard:
            loop.add_signal_handler(number, stop, number)
        try:
            return await main
        finally:
            for number in heard:
                loop.remove_signal_handler(number)

    try:
        return run_briefly(watched())
    except asyncio.CancelledError:
        if not stopped:
            raise
        raise StoppedError(stopped[0]) from None

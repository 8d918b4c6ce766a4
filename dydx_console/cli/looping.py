"""Running a short piece of asyncio in a command."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run_briefly"]

T = TypeVar("T")


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

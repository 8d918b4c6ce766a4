"""What faults do to a listener: a reset, and a long silence."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TypeVar

from dydx_console.sim.faults.outcomes import Unanswered

ASK_AGAIN_S = 0.05
NO_LINGER = struct.pack("ii", 1, 0)
T = TypeVar("T")


def reset(transport: asyncio.Transport) -> None:
    """Cut a connection with a TCP reset; one that closes already just ends."""
    if not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    transport.abort()


async def until_answered(ask: Callable[[], T | Unanswered]) -> T:
    """Ask until there is an answer; a fault that ends early is noticed at once."""
    while True:
        met = ask()
        if not isinstance(met, Unanswered):
            return met
        await asyncio.sleep(ASK_AGAIN_S)

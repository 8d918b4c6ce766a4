"""Puts engines together: the only place that knows every room.

What is imported inside the builders is imported by the engine's thread, after the first screen has been painted.
"""

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from dydx_console.engine.child import SimChild
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.runtime import Engine, Works
from dydx_console.ports.clock import RecordingClock, SystemClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import NetworkView

if TYPE_CHECKING:
    from dydx_console.engine.tap import RecordingTap
    from dydx_console.recording.lines import Entry

__all__ = ["live_engine", "replay_engine"]

MEGABYTE = 1_000_000


def live_engine(plan: LivePlan, network: NetworkView, child: SimChild | None = None) -> Engine:
    """Return an engine that follows a network's Indexer; it is not started yet.

    With `child` the URLs are those of an exchange that is still starting; waiting for it is the engine's first task.
    Raises OSError where the recording of the plan cannot be begun; an existing file is never overwritten.
    """
    clock, mailbox = SystemClock(), Mailbox()
    tap: RecordingTap | None = None

    async def build() -> Works:
        from dydx_console.engine.live import LiveSource
        from dydx_console.engine.publish import Publisher
        from dydx_console.state.console import ConsoleState, Watched

        reached = plan
        if child is not None:
            urls = await asyncio.to_thread(child.urls)
            reached = replace(plan, rest_url=urls.rest, websocket_url=urls.websocket)
        watched = None if plan.address is None else Watched(plan.address, plan.parent)
        publisher = Publisher(ConsoleState(watched), mailbox, clock)
        rng = random.Random()  # noqa: S311 - it spreads delays
        return Works(publisher, LiveSource(reached, publisher, clock=clock, rng=rng, tap=tap))

    engine = Engine(build, mailbox=mailbox, network=network, clock=clock)
    if plan.record_to is not None:
        from dydx_console.engine import tap as recording

        tap = recording.RecordingTap(plan.record_to, plan.record_megabytes * MEGABYTE, engine.reconnect)
    return engine


def replay_engine(entries: "tuple[Entry, ...]", problem: str | None, speed: float, network: NetworkView) -> Engine:
    """Return an engine that plays a recording; at speed 0 all of it at once, and without notices of its fills."""
    first, last = (entries[0].t, entries[-1].t) if entries else (0.0, 0.0)
    clock, mailbox = RecordingClock(first, last, speed), Mailbox()

    async def build() -> Works:
        from dydx_console.engine.player import RecordingPlayer
        from dydx_console.engine.publish import Publisher
        from dydx_console.engine.replay import watched_in
        from dydx_console.state.console import ConsoleState

        publisher = Publisher(ConsoleState(watched_in(entries)), mailbox, clock, tells=speed > 0)
        return Works(publisher, RecordingPlayer(entries, publisher, clock=clock, mailbox=mailbox, problem=problem))

    return Engine(build, mailbox=mailbox, network=network, clock=clock)

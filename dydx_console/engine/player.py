"""A recording played at its own pace, or faster."""

import asyncio

from dydx_console.engine.publish import Publisher
from dydx_console.engine.replay import ReplaySource
from dydx_console.ports.clock import RecordingClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.notices import Notice
from dydx_console.recording.lines import Entry

__all__ = ["RecordingPlayer"]

BATCH = 200
"""Entries that are due at once are applied in batches of this size, so that the publisher gets its turn."""


class RecordingPlayer:
    """Plays a recording into a publisher.

    Args:
        entries: the recording.
        publisher: takes its events.
        clock: paces it.
        mailbox: is told when it has ended.
        problem: what is wrong with the line after the last entry, None where the recording is whole.
    """

    def __init__(
        self,
        entries: tuple[Entry, ...],
        publisher: Publisher,
        *,
        clock: RecordingClock,
        mailbox: Mailbox,
        problem: str | None,
    ) -> None:
        self._entries = entries
        self._publisher = publisher
        self._clock = clock
        self._mailbox = mailbox
        self._problem = problem

    async def run(self) -> None:
        """Play to the end, then stand still until cancelled."""
        source = ReplaySource()
        self._clock.start()
        for count, entry in enumerate(self._entries):
            wait_s = self._clock.seconds_until(entry.t)
            if wait_s > 0 or count % BATCH == 0:
                await asyncio.sleep(max(wait_s, 0.0))
            for event in source.events(entry):
                self._publisher.take(event)
        self._mailbox.notify(Notice(self._problem or "The recording has ended.", stays=self._problem is not None))
        await asyncio.Event().wait()

    def reconnect(self) -> None:
        """Do nothing: a recording has no connection."""

    def reconcile(self) -> None:
        """Do nothing: a recording has said what it says."""

    async def close(self) -> None:
        """Do nothing: nothing is held."""

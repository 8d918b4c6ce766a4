"""What the chain has told and the Indexer has not taken in yet, when it trails."""

from __future__ import annotations

from collections import deque

from dydx_console.sim.core.events import Block, Event


class Backlog:
    """Holds events back by blocks and keeps their order.

    What a node's memory told after a block waits as long as that block, so the Indexer is always in a state that it
    would have been in without the delay.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Event]] = deque()

    def delay(self, events: list[Event], height: int, lag: int) -> list[Event]:
        """Take in what happened up to now (the chain is at `height`); return what `lag` blocks ago is due."""
        if not lag and not self._waiting:
            return events
        at = height - sum(isinstance(event, Block) for event in events)
        for event in events:
            if isinstance(event, Block):
                at = event.height
            self._waiting.append((at, event))
        due: list[Event] = []
        while self._waiting and self._waiting[0][0] <= height - lag:
            due.append(self._waiting.popleft()[1])
        return due

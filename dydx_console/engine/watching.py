"""What only the state knows of the stream: which messages are lost, and whether the chain goes on."""

import asyncio
from collections.abc import Callable

from dydx_console.domain.events import ChannelKey, Event, StreamChanged
from dydx_console.domain.stream import StreamCondition
from dydx_console.ports.clock import Clock
from dydx_console.state.ages import LIVE_S
from dydx_console.state.freshness import Freshness
from dydx_console.state.pace import ChainPace, ChainState

__all__ = ["ChainWatch", "KnownLosses"]

EVERY_S = 0.5
_CONDITIONS = {
    ChainState.BEHIND: StreamCondition.INDEXER_BEHIND,
    ChainState.STILL: StreamCondition.INDEXER_STILL,
    ChainState.HALTED: StreamCondition.CHAIN_HALTED,
}


class KnownLosses:
    """The losses that the state knows of, for the feed to make good.

    Args:
        freshness: the state's part that keeps message numbers; only read.
        clock: the clock of its events.
    """

    def __init__(self, freshness: Freshness, clock: Clock) -> None:
        self._freshness = freshness
        self._clock = clock

    def suspects(self, connection: int) -> tuple[ChannelKey, ...]:
        """Return the channels of a connection that miss something and have to be joined anew."""
        return self._freshness.suspects(connection, self._clock.monotonic())


class ChainWatch:
    """Tells, once, when the Indexer falls behind the node, stands still, or the whole chain halts, and when it is over.

    Args:
        freshness: keeps the blocks of Indexer and node; only read.
        sink: takes the events.
        clock: the clock of its events.
        every_s: how often it looks.
    """

    def __init__(
        self, freshness: Freshness, sink: Callable[[Event], None], clock: Clock, every_s: float = EVERY_S
    ) -> None:
        self._freshness = freshness
        self._sink = sink
        self._clock = clock
        self._every_s = every_s
        self._told: StreamCondition | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._every_s)

    def look(self) -> None:
        """Compare how the chain goes on with what was told."""
        now = self._clock.monotonic()
        pace = self._freshness.pace(now)
        found = self._found(pace)
        if found is self._told:
            return
        over = () if self._told is None else (self._told,)
        what, text = (StreamCondition.RESTORED, "Blocks come again") if found is None else (found, _text(pace))
        self._told = found
        self._sink(StreamChanged(what, text, now, over=over))

    def _found(self, pace: ChainPace) -> StreamCondition | None:
        """Return what is to be told; a trouble is over only once the blocks are as young as a live picture's."""
        found = _CONDITIONS.get(pace.state)
        if found is StreamCondition.INDEXER_STILL and not self._freshness.is_connected:
            found = None  # a stream that is cut off says nothing of the Indexer
        if found is None and self._told is not None and pace.late_s > max(LIVE_S, self._freshness.live_limit_s):
            return self._told
        return found


def _text(pace: ChainPace) -> str:
    if pace.state is ChainState.BEHIND:
        return f"The Indexer trails the chain by {pace.late_s:.0f} s: the figures are that old"
    if pace.state is ChainState.HALTED:
        return f"The chain has halted: node and Indexer have stood at one block for {pace.late_s:.0f} s"
    return f"The Indexer has told of no new block for {pace.late_s:.0f} s"

"""The live Indexer as a source."""

import asyncio
import logging
import random

from dydx_console import __version__
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.publish import Publisher
from dydx_console.engine.tap import RecordingTap
from dydx_console.ports.clock import Clock
from dydx_console.ports.tap import NoTap, Tap
from dydx_console.venue.indexer.feed import FeedPlan, IndexerFeed
from dydx_console.venue.indexer.rest import IndexerRest

__all__ = ["LiveSource"]

log = logging.getLogger(__name__)


class LiveSource:
    """Follows the Indexer by socket and REST. Must be built inside the engine's loop.

    Args:
        plan: where and whom.
        publisher: takes every event.
        clock: stamps them.
        rng: spreads delays.
        tap: writes a recording; without one nothing is recorded.
    """

    def __init__(
        self, plan: LivePlan, publisher: Publisher, *, clock: Clock, rng: random.Random, tap: RecordingTap | None = None
    ) -> None:
        heard: Tap = NoTap() if tap is None else tap
        self._recording = tap
        self._rest = IndexerRest(plan.rest_url, clock, heard, rng, f"dydx-console/{__version__}")
        self._feed = IndexerFeed(
            FeedPlan(plan.websocket_url, plan.address, plan.parent),
            self._rest,
            publisher.take,
            clock=clock,
            tap=heard,
            rng=rng,
            log=log.info,
        )

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._feed.run()

    def reconnect(self) -> None:
        """Connect afresh now."""
        self._feed.reconnect()

    async def close(self) -> None:
        """Close the REST client, and the recording after what it was still told."""
        await self._rest.close()
        if self._recording is not None:
            await asyncio.to_thread(self._recording.close)

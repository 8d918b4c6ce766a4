"""What every part of the feed works with."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from dydx_console.domain.events import ChannelKey, Event, HeightRead
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.tap import Tap
from dydx_console.venue.indexer.direct import directly
from dydx_console.venue.indexer.limits import FeedLimits
from dydx_console.venue.indexer.rest import IndexerRest
from dydx_console.venue.indexer.sockets import Connect

__all__ = ["FeedWiring", "Losses", "NoLosses", "Punctuality"]


class Losses(Protocol):
    """Who keeps the message numbers, and so knows what a connection has lost."""

    def suspects(self, connection: int) -> tuple[ChannelKey, ...]:
        """Return the channels of a connection that miss something and have to be joined anew."""
        ...


class NoLosses:
    """Knows of no loss."""

    def suspects(self, connection: int) -> tuple[ChannelKey, ...]:
        """Return nothing."""
        return ()


class Punctuality:
    """How long blocks take from their time to us: the best seen in this run, and how much worse the newest is."""

    def __init__(self) -> None:
        self._best_s: float | None = None

    def late_s(self, block_s: float, at: float) -> float:
        """Return how much later a block came than blocks can come, in seconds, and remember the best.

        Args:
            block_s: the block's time, as seconds of the venue's clock.
            at: when it came, as seconds of ours.
        """
        lead_s = block_s - at
        if self._best_s is None or lead_s > self._best_s:
            self._best_s = lead_s
        return self._best_s - lead_s


@dataclass(frozen=True, slots=True)
class FeedWiring:
    """Where the stream is, and what the feed's parts share."""

    url: str
    limits: FeedLimits
    rest: IndexerRest
    sink: Callable[[Event], None]
    clock: Clock
    tap: Tap
    rng: random.Random
    log: Callable[[str], None]
    losses: Losses = field(default_factory=NoLosses)
    punctuality: Punctuality = field(default_factory=Punctuality)
    allow_proxy: bool = False
    connect: Connect = directly

    @property
    def host(self) -> str:
        """The stream's host, and its port where one is named."""
        return clean(urlsplit(self.url).netloc.rpartition("@")[2], 100)

    async def read_height(self, connection: int) -> HeightRead | None:
        """Ask REST for the newest block and pass the answer on; returns None where there was none."""
        facts = await self.rest.read("/height", connection)
        for fact in facts:
            self.sink(fact)
        return next((fact for fact in facts if isinstance(fact, HeightRead)), None)

"""The Indexer as one: chain events in, rows and messages out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dydx_console.sim.core.events import Block, Event, LevelChanged, OrderOpened, OrderRemoved
from dydx_console.sim.core.funding import HOUR_MS
from dydx_console.sim.core.markets import Market
from dydx_console.sim.indexer.ender import Ender
from dydx_console.sim.indexer.outlet import Outlet
from dydx_console.sim.indexer.roundtable import Roundtable
from dydx_console.sim.indexer.store import Store
from dydx_console.sim.indexer.vulcan import Vulcan


class Indexer:
    """Keeps `store` in step with the chain; connect `outlet` to have updates published."""

    def __init__(
        self,
        markets: Sequence[Market],
        height: int,
        time_ms: int,
        funding_speedup: int = 1,
        *,
        brief: frozenset[str] = frozenset(),
    ) -> None:
        self.store = Store(markets, height, time_ms, brief)
        self.outlet = Outlet()
        self.vulcan = Vulcan(self.store, self.outlet)
        self.roundtable = Roundtable(self.store, self.outlet, HOUR_MS // funding_speedup)
        self._ender = Ender(self.store, self.outlet, self.vulcan)

    def consume(self, events: Iterable[Event], now_ms: int) -> None:
        """Take events in the order in which they happened; publishes as it goes."""
        self.vulcan.tick(now_ms)
        for event in events:
            match event:
                case LevelChanged():
                    self.vulcan.level(event, now_ms)
                case OrderOpened():
                    self.vulcan.opened(event)
                case OrderRemoved():
                    self.vulcan.removed(event, now_ms)
                case Block():
                    self._ender.block(event, now_ms)
                    self._ender.publish_markets(event)
                    self.roundtable.run(event.time_ms)

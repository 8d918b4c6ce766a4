"""What every pane paints from in one tick."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dydx_console.views.banner import BannerFacts
from dydx_console.views.panes import markets_health
from dydx_console.views.trend import Trends

if TYPE_CHECKING:
    from dydx_console.ports.snapshot import Snapshot

__all__ = ["Picture"]


@dataclass(slots=True)
class Picture:
    """The newest snapshot and how long ago it was taken, on the engine's clock.

    One object for all panes; the app renews its fields before each tick. `masked` covers address and balances.
    `trends` are samples of the markets' oracle prices.
    """

    facts: BannerFacts
    snapshot: "Snapshot | None" = None
    elapsed_s: float = 0.0
    masked: bool = False
    trends: Trends = field(default_factory=Trends)

    def note_trends(self, now: float) -> bool:
        """Take a sample of every market's price where one is due; returns whether it was.

        Prices that are not to be trusted as of now are unknown.
        """
        if self.snapshot is None or not self.trends.is_due(now):
            return False
        is_known = not markets_health(self.snapshot, self.elapsed_s).is_dim
        markets = self.snapshot.markets if is_known else {}
        return self.trends.note(now, {ticker: market.oracle_price for ticker, market in markets.items()})

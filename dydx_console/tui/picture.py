"""What every pane paints from in one tick."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dydx_console.views.banner import BannerFacts

if TYPE_CHECKING:
    from dydx_console.ports.snapshot import Snapshot

__all__ = ["Picture"]


@dataclass(slots=True)
class Picture:
    """The newest snapshot and how long ago it was taken, on the engine's clock.

    One object for all panes; the app renews its fields before each tick. `masked` covers address and balances.
    """

    facts: BannerFacts
    snapshot: "Snapshot | None" = None
    elapsed_s: float = 0.0
    masked: bool = False

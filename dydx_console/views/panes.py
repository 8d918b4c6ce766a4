"""What a pane's title says of its figures: the state of their channels and how old they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dydx_console.state.ages import BEST_FIRST, PictureState
from dydx_console.views.format import age
from dydx_console.views.table import Cell, Ink, Line

if TYPE_CHECKING:
    from dydx_console.state.freshness import ChannelView
    from dydx_console.state.snapshot import Snapshot

__all__ = [
    "ACCOUNT",
    "INDEXER",
    "MARKETS",
    "NODE",
    "PaneHealth",
    "SteadyHealth",
    "health_line",
    "holdings_health",
    "markets_health",
    "pane_health",
    "state_ink",
    "stream_health",
]

ACCOUNT = ("v4_parent_subaccounts", "v4_subaccounts")
MARKETS = ("v4_markets",)
INDEXER = "INDEXER"
NODE = "NODE"
_INKS = {
    PictureState.LIVE: Ink.DIM,
    PictureState.POLLING: Ink.WARN,
    PictureState.DELAYED: Ink.WARN,
    PictureState.SYNCING: Ink.WARN,
}


@dataclass(frozen=True, slots=True)
class PaneHealth:
    """State and age of what a pane shows, and who told it: INDEXER, or NODE where a node stands in for it.

    `is_dim` asks for dimmed figures: they may be wrong by now, or lack what a node does not know.
    """

    state: PictureState
    age_s: float | None
    source: str = INDEXER

    @property
    def is_dim(self) -> bool:
        """Whether the figures are not to be trusted as of now, or not complete."""
        return self.source == NODE or self.state not in (PictureState.LIVE, PictureState.POLLING, PictureState.DELAYED)


SYNCING = PaneHealth(PictureState.SYNCING, None)


@dataclass(frozen=True, slots=True)
class SteadyHealth:
    """The health that a title shows: a new state at once, a new age once a second, so that ages do not flicker.

    `at` is when `shown` was taken, in seconds of the screen's clock; whole seconds keep the titles in step.
    """

    shown: PaneHealth = SYNCING
    at: float = -1e9

    def after(self, health: PaneHealth, now: float) -> SteadyHealth:
        """Return what to show once the health is this."""
        is_same = health.state is self.shown.state and health.source == self.shown.source
        if is_same and int(now) == int(self.at):
            return self
        return SteadyHealth(health, now)


def pane_health(snapshot: Snapshot | None, elapsed_s: float, *, needs_markets: bool) -> PaneHealth:
    """Return the state of the account's channel, or of the oracle prices where those are needed and worse.

    Args:
        snapshot: the newest picture, None before the first.
        elapsed_s: seconds since it was taken.
        needs_markets: whether the pane's figures move with oracle prices.
    """
    if snapshot is None:
        return SYNCING
    found = _worst(snapshot.stream.channels, ACCOUNT, elapsed_s)
    if not needs_markets:
        return found
    return max(found, _worst(snapshot.stream.channels, MARKETS, elapsed_s), key=_badness)


def holdings_health(snapshot: Snapshot | None, elapsed_s: float, *, needs_markets: bool) -> PaneHealth:
    """Return the state of positions and balances: the node's figures' while one tells them, else as `pane_health`."""
    if snapshot is None or snapshot.node_account is None:
        return pane_health(snapshot, elapsed_s, needs_markets=needs_markets)
    told = snapshot.node_account.later(elapsed_s)
    return PaneHealth(told.state, told.age_s, NODE)


def stream_health(snapshot: Snapshot | None, elapsed_s: float) -> PaneHealth:
    """Return the state of the stream as a whole."""
    if snapshot is None:
        return SYNCING
    return PaneHealth(*snapshot.stream.later(elapsed_s))


def markets_health(snapshot: Snapshot, elapsed_s: float) -> PaneHealth:
    """Return the state of the markets' channel."""
    return _worst(snapshot.stream.channels, MARKETS, elapsed_s)


def state_ink(state: PictureState) -> Ink:
    """Return the ink of a state's word."""
    return _INKS.get(state, Ink.BAD)


def health_line(health: PaneHealth) -> Line:
    """Return the state as a pane's title shows it: the age alone while live, the word before it otherwise.

    Figures of a node are named so: with their age alone as long as they are read anew every few seconds.
    """
    if health.source == NODE and health.state is PictureState.POLLING:
        return (Cell(f"from NODE {age(health.age_s)}", state_ink(health.state)),)
    if health.source == NODE:
        text = f"{health.state} {age(health.age_s)} · from NODE"
        return (Cell(text, state_ink(health.state)),)
    if health.state is PictureState.LIVE:
        return (Cell(age(health.age_s), Ink.DIM),)
    ink = state_ink(health.state)
    text = str(health.state) if health.age_s is None else f"{health.state} {age(health.age_s)}"
    return (Cell(text, ink),)


def _worst(channels: Iterable[ChannelView], names: tuple[str, ...], elapsed_s: float) -> PaneHealth:
    views = [view.later(elapsed_s) for view in channels if view.key.channel in names]
    return max((PaneHealth(view.state, view.age_s) for view in views), key=_badness, default=SYNCING)


def _badness(health: PaneHealth) -> tuple[int, float]:
    return BEST_FIRST.index(health.state), health.age_s if health.age_s is not None else -1.0

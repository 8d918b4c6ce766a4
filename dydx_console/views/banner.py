"""The banner: where the console looks, how fresh that is, and what could hurt first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from dydx_console.domain.ids import short_address
from dydx_console.state.ages import PictureState
from dydx_console.views.balances import HIGH_USAGE, MASK
from dydx_console.views.format import DASH, age, percent
from dydx_console.views.orders import outliving
from dydx_console.views.panes import PaneHealth, state_ink
from dydx_console.views.positions import distance_ink, distance_text, liquidation_distance
from dydx_console.views.table import Cell, Ink, Line, line_width
from dydx_console.views.width import cut

if TYPE_CHECKING:
    from dydx_console.state.snapshot import PositionView, Snapshot

__all__ = ["BannerFacts", "banner_lines", "joined", "nearest_liquidation"]

_KIND_INKS = {
    "mainnet": Ink.MAINNET,
    "testnet": Ink.TESTNET,
    "local": Ink.LOCAL,
    "sim": Ink.SIM,
    "replay": Ink.REPLAY,
}
Item: TypeAlias = tuple[Line, ...]
"""What the banner says of one thing: the long way first, then shorter ones."""
SEPARATOR = Cell(" │ ", Ink.DIM)
DOT = Cell(" · ", Ink.DIM)


@dataclass(frozen=True, slots=True)
class BannerFacts:
    """What is known of the network that is shown; `kind` is mainnet, testnet, local, sim or replay."""

    name: str
    kind: str
    chain_id: str | None
    environment: str | None
    read_only: bool


def banner_lines(
    facts: BannerFacts,
    snapshot: Snapshot | None,
    health: PaneHealth,
    width: int,
    height: int,
    *,
    masked: bool = False,
) -> list[Line]:
    """Return the banner for `width` cells: who and where, then how it stands; all in one line where `height` is 1.

    What does not fit is first shortened, then left out, the least important first.

    Args:
        facts: the network.
        snapshot: the newest picture, None before the first.
        health: the state of the whole stream, as it is shown.
        width: cells of a line.
        height: lines.
        masked: cover the address.
    """
    network, account = _network(facts), _account(snapshot, masked=masked)
    mode: Item = ((Cell("VIEW ONLY" if facts.read_only else "DISARMED", Ink.STRONG),),)
    stream, risk, outlive = _stream(snapshot, health), _risk(snapshot), _outlive(snapshot)
    if height < 2:
        return [joined([network, stream, risk, mode, account, outlive], (5, 4, 3, 2, 1, 0), width)]
    return [joined([network, account, mode], (1, 2, 0), width), joined([stream, risk, outlive], (2, 1, 0), width)]


def joined(items: Sequence[Item], leaving: Sequence[int], width: int) -> Line:
    """Return the items side by side; until they fit, those of `leaving` are shortened and then left out, in order."""
    left = [list(item) for item in items]
    for index in leaving:
        while len(left[index]) > 1 and _joined_width(left) > width:
            left[index].pop(0)
    for index in leaving[:-1]:
        if _joined_width(left) > width:
            left[index].clear()
    line: Line = ()
    for item in left:
        if item:
            line = (*line, SEPARATOR, *item[0]) if line else item[0]
    return line


def _joined_width(items: list[list[Line]]) -> int:
    shown = [item[0] for item in items if item]
    return sum(line_width(line) for line in shown) + len(SEPARATOR.text) * (len(shown) - 1)


def nearest_liquidation(snapshot: Snapshot) -> tuple[Decimal, PositionView] | None:
    """Return the position whose liquidation price is nearest to its oracle price, with the signed distance."""
    known = [(distance, view) for view in snapshot.positions if (distance := liquidation_distance(view)) is not None]
    return min(known, key=lambda pair: abs(pair[0]), default=None)


def _network(facts: BannerFacts) -> Item:
    badge = Cell(f" {cut(facts.name.upper(), 20)} ", _KIND_INKS.get(facts.kind, Ink.MAINNET))
    chain = (Cell(f" {facts.chain_id}", Ink.STRONG),) if facts.chain_id else ()
    where = (DOT, Cell(facts.environment, Ink.DIM)) if facts.environment else ()
    return (badge, *chain, *where), (badge, *chain), (badge,)


def _account(snapshot: Snapshot | None, *, masked: bool) -> Item:
    watched = None if snapshot is None else snapshot.watched
    if watched is None:
        return ()
    address = short_address(watched.address)
    shown = address[:5] + "".join(char if char == "…" else MASK for char in address[5:]) if masked else address
    parent = Cell(f"parent {watched.parent}", Ink.DIM)
    funded = DASH if snapshot is None or snapshot.funded_parents is None else str(snapshot.funded_parents)
    return (Cell(shown), DOT, parent, Cell(f" of {funded} funded", Ink.DIM)), (Cell(shown), DOT, parent), (Cell(shown),)


def _stream(snapshot: Snapshot | None, health: PaneHealth) -> Item:
    ink = Ink.GOOD if health.state is PictureState.LIVE else state_ink(health.state)
    mark = "●" if health.state is PictureState.LIVE else "○" if health.state is PictureState.OFFLINE else "◐"
    state = Cell(f"{mark} {health.state}", ink)
    age_cell = Cell(f" {age(health.age_s)}".ljust(7), Ink.DIM if health.state is PictureState.LIVE else ink)
    height = DASH if snapshot is None or snapshot.height is None else f"{snapshot.height:,}"
    full = (state, age_cell, DOT, Cell(f"#{height}"), DOT, Cell(f"node {DASH}", Ink.DIM))
    return full, full[:-2], full[:2]


def _risk(snapshot: Snapshot | None) -> Item:
    usage = None if snapshot is None or snapshot.margin is None else snapshot.margin.margin_usage
    ink = Ink.DIM if usage is None else Ink.ALARM if usage >= HIGH_USAGE else Ink.PLAIN
    nearest = None if snapshot is None else nearest_liquidation(snapshot)
    margin = (Cell("margin ", Ink.LABEL), Cell(f"{percent(usage, 1)} %", ink), DOT)
    liquidation = (Cell("liq ", Ink.LABEL), Cell(DASH, Ink.DIM))
    if nearest is not None:
        distance, view = nearest
        market = cut(view.position.market.removesuffix("-USD"), 12)
        liquidation = (Cell("liq ", Ink.LABEL), Cell(f"{distance_text(distance)} {market}", distance_ink(distance)))
    return (*margin, *liquidation), liquidation


def _outlive(snapshot: Snapshot | None) -> Item:
    count = None if snapshot is None else outliving(snapshot)
    shown = Cell(DASH if count is None else str(count), Ink.WARN if count else Ink.DIM)
    return ((Cell("outlive ", Ink.LABEL), shown),)

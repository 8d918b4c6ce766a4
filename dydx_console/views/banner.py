"""The banner: where the console looks, how fresh that is, and what could hurt first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from dydx_console.domain.ids import short_address
from dydx_console.domain.journal import JournalMode
from dydx_console.state.ages import PictureState
from dydx_console.state.node import NodeView
from dydx_console.views.balances import HIGH_USAGE, MASK
from dydx_console.views.format import DASH, MINUS, age, percent
from dydx_console.views.orders import outliving
from dydx_console.views.panes import PaneHealth, state_ink
from dydx_console.views.positions import distance_ink, distance_text, liquidation_distance
from dydx_console.views.table import Cell, Ink, Line, line_width
from dydx_console.views.width import cells, cut

if TYPE_CHECKING:
    from dydx_console.state.snapshot import PositionView, Snapshot

__all__ = ["BannerFacts", "banner_lines", "joined", "nearest_liquidation"]

_KIND_INKS = {
    "mainnet": Ink.MAINNET,
    "testnet": Ink.TESTNET,
    "local": Ink.LOCAL,
    "sim": Ink.SIM,
    "custom": Ink.ALARM,
    "replay": Ink.REPLAY,
}
_KIND_WORDS = {"sim": "SIMULATOR", "custom": "UNKNOWN CHAIN"}
REAL_MONEY = "REAL MONEY"
FAR_BEHIND = 5
"""Blocks that an Indexer may trail the node by; they come about once a second."""
SILENT_S = 10.0
"""A node that was heard longer ago than this has its age beside its figure."""
_ORIGINS = frozenset({"option", "variable", "default"})
Item: TypeAlias = tuple[Line, ...]
"""What the banner says of one thing: the long way first, then shorter ones."""
SEPARATOR = Cell(" │ ", Ink.DIM)
DOT = Cell(" · ", Ink.DIM)
_JOURNALS: dict[JournalMode, Item] = {
    JournalMode.OFF: ((Cell(" JOURNAL OFF ", Ink.ALARM),),),
    JournalMode.LOOKING: ((Cell("ONLY LOOKS: journal is another's", Ink.WARN),), (Cell("ONLY LOOKS", Ink.WARN),)),
}
"""What is said of the journal where that is something."""
_WRONG_NODE = Cell(" NODE ✗ ", Ink.ALARM)


@dataclass(frozen=True, slots=True)
class BannerFacts:
    """What is known of the network that is shown; `kind` is mainnet, testnet, local, sim, custom or replay.

    `is_out_of_place` tells that real money is at stake outside production; `environment_from` who named the
    environment: `option …`, `variable …`, `default`, or a place in a file.
    """

    name: str
    kind: str
    chain_id: str | None
    environment: str | None
    read_only: bool
    is_out_of_place: bool = False
    environment_from: str | None = None

    @property
    def where(self) -> str | None:
        """The environment, and in a word who named it."""
        if self.environment is None or self.environment_from is None:
            return self.environment
        word = self.environment_from.partition(" ")[0]
        return f"{self.environment} ({word if word in _ORIGINS else 'file'})"

    @property
    def title(self) -> str:
        """The network in words that tell its kind whatever it is called: its name, and the kind where they differ."""
        word = _KIND_WORDS.get(self.kind, self.kind.upper())
        name = cut(self.name.upper(), 20)
        return word if self.name == self.kind else f"{name} · {word}"

    @property
    def mark(self) -> str:
        """What stands on whatever covers the banner; empty where nothing is out of place."""
        return f"{self.title} · {REAL_MONEY}" if self.is_out_of_place else ""


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

    What does not fit is first shortened, then left out, the least important first. Real money outside production is
    said as long as there is room for a word, whatever has to leave for it.

    Args:
        facts: the network.
        snapshot: the newest picture, None before the first.
        health: the state of the whole stream, as it is shown.
        width: cells of a line.
        height: lines.
        masked: cover the address.
    """
    network, account = _network(facts, width), _account(snapshot, masked=masked)
    mode: Item = ((Cell("VIEW ONLY" if facts.read_only else "DISARMED", Ink.STRONG),),)
    journal = () if snapshot is None else _JOURNALS.get(snapshot.journal.mode, ())
    stream, risk, outlive = _stream(facts, snapshot, health), _risk(snapshot), _outlive(snapshot)
    if height < 2:
        return [joined([network, stream, risk, mode, journal, account, outlive], (6, 5, 3, 4, 2, 1, 0), width)]
    return [
        joined([network, account, mode, journal], (1, 2, 3, 0), width),
        joined([stream, risk, outlive], (2, 1, 0), width),
    ]


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


def _network(facts: BannerFacts, width: int) -> Item:
    chain = (Cell(f" {facts.chain_id}", Ink.STRONG),) if facts.chain_id else ()
    if facts.is_out_of_place:
        badge = _alarm(facts, width)
        return (badge, *chain), (badge,)
    badge = Cell(f" {facts.title} ", _KIND_INKS.get(facts.kind, Ink.MAINNET))
    shown = dict.fromkeys(text for text in (facts.where, facts.environment) if text)
    return (*((badge, *chain, DOT, Cell(text, Ink.DIM)) for text in shown), (badge, *chain), (badge,))


def _alarm(facts: BannerFacts, width: int) -> Cell:
    """Return the badge of real money outside production: the longest that fits where nothing else stands."""
    named = dict.fromkeys((facts.where or "no environment", facts.environment or "no environment"))
    texts = (*(f" {facts.mark} · {cut(where, 32)} " for where in named), f" {facts.mark} ", f" {REAL_MONEY} ")
    return Cell(next((text for text in texts if cells(text) <= width), texts[-1].strip()), Ink.ALARM)


def _account(snapshot: Snapshot | None, *, masked: bool) -> Item:
    watched = None if snapshot is None else snapshot.watched
    if watched is None:
        return ()
    address = short_address(watched.address)
    shown = address[:5] + "".join(char if char == "…" else MASK for char in address[5:]) if masked else address
    parent = Cell(f"parent {watched.parent}", Ink.DIM)
    funded = DASH if snapshot is None or snapshot.funded_parents is None else str(snapshot.funded_parents)
    return (Cell(shown), DOT, parent, Cell(f" of {funded} funded", Ink.DIM)), (Cell(shown), DOT, parent), (Cell(shown),)


def _stream(facts: BannerFacts, snapshot: Snapshot | None, health: PaneHealth) -> Item:
    ink = Ink.GOOD if health.state is PictureState.LIVE else state_ink(health.state)
    mark = "●" if health.state is PictureState.LIVE else "○" if health.state is PictureState.OFFLINE else "◐"
    state = Cell(f"{mark} {health.state}", ink)
    age_cell = Cell(f" {age(health.age_s)}".ljust(7), Ink.DIM if health.state is PictureState.LIVE else ink)
    height = DOT, Cell(f"#{DASH if snapshot is None or snapshot.height is None else f'{snapshot.height:,}'}")
    node = NodeView() if snapshot is None else snapshot.node
    wrong = _contradiction(facts, node)
    if wrong is not None:
        alarm = Cell(f" {wrong} ", Ink.ALARM)
        return (state, age_cell, *height, DOT, alarm), (state, age_cell, DOT, alarm), (alarm,), (_WRONG_NODE,)
    return (state, age_cell, *height, DOT, _node(node)), (state, age_cell, *height), (state, age_cell)


def _contradiction(facts: BannerFacts, node: NodeView) -> str | None:
    """Return what the node says that must not be; None where nothing contradicts the configuration."""
    if facts.chain_id is not None and node.chain_id is not None and node.chain_id != facts.chain_id:
        return f"NODE IS ON {cut(node.chain_id, 30)}"
    if node.binding == "MISMATCH":
        return "INDEXER IS NOT ON THE NODE'S CHAIN"
    return None if node.contradiction is None else f"NODE: {cut(node.contradiction, 40)}"


def _node(node: NodeView) -> Cell:
    """Return how far the Indexer trails the node: `+` blocks that it is behind, `−` blocks that the node is."""
    lag = node.lag_blocks
    if node.failure is not None:
        return Cell("node silent" if node.age_s is None else f"node silent {age(node.age_s)}", Ink.WARN)
    if lag is None:
        return Cell(f"node {DASH}", Ink.DIM)
    text = f"node {MINUS if lag < 0 else '+'}{abs(lag):,}"
    if node.syncing:
        return Cell(f"{text} catching up", Ink.WARN)
    if node.age_s is not None and node.age_s > SILENT_S:
        return Cell(f"{text} {age(node.age_s)} ago", Ink.WARN)
    return Cell(text, Ink.WARN if lag > FAR_BEHIND else Ink.DIM)


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

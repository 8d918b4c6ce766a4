"""The banner: where the console looks, how fresh that is, and what could hurt first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from dydx_console.domain.ids import short_address
from dydx_console.domain.journal import JournalMode
from dydx_console.domain.risk import RiskLevel
from dydx_console.state.ages import PictureState
from dydx_console.state.node import NodeView
from dydx_console.views.balances import MASK
from dydx_console.views.format import DASH, MINUS, age, percent
from dydx_console.views.orders import outliving
from dydx_console.views.panes import PaneHealth, state_ink
from dydx_console.views.positions import distance_text
from dydx_console.views.table import Cell, Ink, Line, line_width
from dydx_console.views.width import cells, cut

if TYPE_CHECKING:
    from dydx_console.state.risk import Nearest, RiskView
    from dydx_console.state.snapshot import Snapshot

__all__ = ["BannerFacts", "banner_lines", "joined"]

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
    said as long as there is room for a word, whatever has to leave for it. Risk stays in sight longer than whatever
    else stands beside it, except for how old the figures are; once it is a warning, longer than that too.

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
    stream, outlive = _stream(facts, snapshot, health), _outlive(snapshot)
    risk = _risk(None if snapshot is None else snapshot.risk)
    risk_stays = snapshot is not None and _outlasts(facts, snapshot)
    if height < 2:
        shown = [network, stream, risk, mode, journal, account, outlive]
        others = (6, 5, 3, 4, 1, 2, 0) if risk_stays else (6, 5, 3, 4, 2, 1, 0)
        return [joined(shown, others, width, shortening=(6, 5, 3, 4, 1, 2, 0))]
    leaving = (2, 0, 1) if risk_stays else (2, 1, 0)
    return [
        joined([network, account, mode, journal], (1, 2, 3, 0), width),
        joined([stream, risk, outlive], leaving, width, shortening=(2, 0, 1)),
    ]


def _outlasts(facts: BannerFacts, snapshot: Snapshot) -> bool:
    """Return whether the risk has more to say than the stream where there is room for one of them."""
    return snapshot.risk.level is not RiskLevel.NONE and _contradiction(facts, snapshot.node) is None


def joined(
    items: Sequence[Item], leaving: Sequence[int], width: int, *, shortening: Sequence[int] | None = None
) -> Line:
    """Return the items side by side; until they fit, they are shortened and then left out.

    Both happen in the order of `leaving`, the last of which always stays, or shortening in an order of its own.
    """
    left = [list(item) for item in items]
    for index in leaving if shortening is None else shortening:
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


_RISK_INKS: Mapping[RiskLevel, Ink] = {
    RiskLevel.NONE: Ink.PLAIN,
    RiskLevel.WARN: Ink.WARN,
    RiskLevel.ALARM: Ink.ALARM,
}


def _risk(risk: RiskView | None) -> Item:
    """Return the margin in use and the nearest liquidation, each with its level in ink and as a word."""
    if risk is None:
        dash = Cell(f"{DASH} %", Ink.DIM), DOT, Cell("liq ", Ink.LABEL), Cell(DASH, Ink.DIM)
        return (Cell("margin ", Ink.LABEL), *dash), dash[2:]
    usage, level = risk.margin_usage, risk.usage.level
    ink = Ink.DIM if usage is None and level is RiskLevel.NONE else _RISK_INKS[level]
    margin = (Cell("margin ", Ink.LABEL), Cell(f"{percent(usage, 1)} %{_word(level)}", ink))
    liquidation = (Cell("liq ", Ink.LABEL), _liquidation(risk))
    if level.rank > risk.liquidation.level.rank:
        return (*margin, DOT, *liquidation), margin
    return (*margin, DOT, *liquidation), liquidation


def _liquidation(risk: RiskView) -> Cell:
    level, near = risk.liquidation.level, risk.nearest
    if risk.liquidatable:
        named = ", ".join(str(number) for number in risk.liquidatable)
        return Cell(cut(f"POSSIBLE NOW, subaccount {named}", 40), Ink.ALARM)
    if near is None:
        return Cell(f"{DASH}{_word(level)}", Ink.DIM if level is RiskLevel.NONE else _RISK_INKS[level])
    return Cell(f"{_way(near)}{_word(level)}", _RISK_INKS[level])


def _way(near: Nearest) -> str:
    return f"{distance_text(near.distance)} {cut(near.key.market.removesuffix('-USD'), 12)}"


def _word(level: RiskLevel) -> str:
    return "" if level is RiskLevel.NONE else f" {level}"


def _outlive(snapshot: Snapshot | None) -> Item:
    count = None if snapshot is None else outliving(snapshot)
    shown = Cell(DASH if count is None else str(count), Ink.WARN if count else Ink.DIM)
    return ((Cell("outlive ", Ink.LABEL), shown),)

"""How the console itself does: stream, node, budgets, breakers, failures, journal and the screen, as lines of cells.

Whose account it is does not show: what is seen here is what people paste into reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.journal import JournalMode, JournalView
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.domain.text import clean
from dydx_console.state.ages import PictureState
from dydx_console.state.node import NO_NODE, NodeView
from dydx_console.views.format import DASH, age, moment
from dydx_console.views.limits import probe_in_s
from dydx_console.views.panes import state_ink
from dydx_console.views.table import Cell, Column, Ink, Line, aligned, fitted
from dydx_console.views.width import cells, cut, wrapped

if TYPE_CHECKING:
    from dydx_console.state.freshness import ChannelView, StreamView
    from dydx_console.state.snapshot import Snapshot

__all__ = ["ScreenFigures", "diagnostics_lines"]

T = TypeVar("T")
MOST_FAULTS = 50
FAR_BEHIND = 5
LONG_WAIT_S = 2.0
APART = "   "
INDENT = 2
DEEPER = 4
LEAST_TEXT = 16
_ADDRESS = re.compile(r"dydx(?:val(?:oper|cons))?(?:pub)?1[0-9a-z]{6,}")
_JOURNAL_INKS = {JournalMode.KEPT: Ink.GOOD, JournalMode.LOOKING: Ink.WARN, JournalMode.OFF: Ink.BAD}
_BREAKER_INKS = {BreakerState.CLOSED: Ink.GOOD, BreakerState.HALF_OPEN: Ink.WARN, BreakerState.OPEN: Ink.BAD}


@dataclass(frozen=True, slots=True)
class ScreenFigures:
    """Counters of the run.

    `longest_s` is the longest paint; `skipped` counts the turns that were left out because the terminal was behind, by
    `backlog` frames now; `events` are those that the engine has taken in.
    """

    paints: int
    longest_s: float
    skipped: int
    backlog: int
    events: int


def diagnostics_lines(snapshot: Snapshot | None, elapsed_s: float, screen: ScreenFigures, width: int) -> list[Line]:
    """Return everything in lines of at most `width` cells (from 56 on).

    Args:
        snapshot: the newest picture, None before the first.
        elapsed_s: seconds since it was taken.
        screen: how the screen does.
        width: cells of a line.
    """
    if snapshot is None:
        return [*_titled("Screen", _screen(screen, width)), (), (Cell(" waiting for the first picture", Ink.DIM),)]
    now, limits = snapshot.at + elapsed_s, snapshot.limits
    parts = (
        ("Stream", _stream(snapshot.stream, now, elapsed_s, width)),
        ("Channels", _channels(snapshot.stream.channels, elapsed_s, width)),
        ("Node", _node(snapshot.node, snapshot.node_account_failures, elapsed_s, width)),
        ("Request budgets", _budgets(limits.budgets, now, width)),
        ("Circuit breakers", _breakers(limits.breakers, now, width)),
        ("Failures of this run", _faults(limits.faults, snapshot.venue_time, width)),
        ("Journal", _journal(snapshot.journal, snapshot.venue_time, width)),
        ("Screen", _screen(screen, width)),
    )
    lines: list[Line] = []
    for title, part in parts:
        lines += [*([()] if lines else []), *_titled(title, part)]
    return lines


def _titled(title: str, lines: Sequence[Line]) -> list[Line]:
    return [(Cell(f" {title}", Ink.STRONG),), *lines]


def _nothing(text: str) -> list[Line]:
    return [(Cell(f"{' ' * INDENT}{text}", Ink.DIM),)]


def _shown(text: str) -> str:
    return _ADDRESS.sub("dydx1…", clean(text))


Fact = tuple[str, Cell]
"""What a figure is called, and the figure."""


def _side_by_side(facts: Iterable[Fact], width: int) -> list[Line]:
    """Return figures with their labels, as many to a line as fit."""
    lines: list[Line] = []
    line: Line = ()
    used = 0
    for label, value in facts:
        head = f"{label} " if label else ""
        text = cut(value.text, max(width - INDENT - cells(head), 1))
        taken = cells(head) + cells(text)
        if line and used + len(APART) + taken > width:
            lines.append(line)
            line = ()
        gap = APART if line else " " * INDENT
        used = (used if line else 0) + cells(gap) + taken
        line = (*line, Cell(gap + head, Ink.LABEL), Cell(text, value.ink))
    return [*lines, line] if line else lines


def _text_lines(text: str, width: int, ink: Ink) -> list[Line]:
    room = max(width - DEEPER, LEAST_TEXT)
    return [(Cell(" " * DEEPER + piece, ink),) for piece in wrapped(_shown(text), room)]


def _count(value: int, ink: Ink = Ink.PLAIN) -> Cell:
    return Cell(f"{value:,}", ink if value else Ink.DIM)


def _stream(stream: StreamView, now: float, elapsed_s: float, width: int) -> list[Line]:
    state, age_s = stream.later(elapsed_s)
    since = None if stream.connected_since is None else now - stream.connected_since
    gaps = f"{stream.gaps:,}" + (f" ({stream.open_gaps:,} open)" if stream.open_gaps else "")
    facts: list[Fact] = [
        ("", _state(state)),
        ("age", Cell(age(age_s))),
        ("connected for", Cell(age(since), Ink.WARN if since is None else Ink.PLAIN)),
        ("blocks every", Cell(age(stream.block_interval_s))),
        ("reconnects", _count(stream.reconnects)),
        ("gaps", Cell(gaps, Ink.WARN if stream.open_gaps else Ink.PLAIN if stream.gaps else Ink.DIM)),
        ("resyncs", _count(stream.resyncs)),
        ("unreadable", _count(stream.rejected, Ink.WARN)),
        ("fallback", Cell(stream.fallback or DASH, Ink.WARN if stream.fallback else Ink.DIM)),
        ("trouble", Cell(stream.trouble or DASH, Ink.BAD if stream.trouble else Ink.DIM)),
    ]
    return _side_by_side(facts, width)


def _state(state: PictureState) -> Cell:
    return Cell(str(state), Ink.GOOD if state is PictureState.LIVE else state_ink(state))


def _channels(channels: Iterable[ChannelView], elapsed_s: float, width: int) -> list[Line]:
    views = [view.later(elapsed_s) for view in channels]
    columns: tuple[Column[ChannelView], ...] = (
        _column("CHANNEL", min(max(width - 36, LEAST_TEXT), 40), _channel_name),
        _column("STATE", 12, lambda view: _state(view.state)),
        _column("AGE", 7, lambda view: Cell(age(view.age_s)), right=True),
        _column("MESSAGES", 9, lambda view: _count(view.messages), right=True),
    )
    return _table(columns, views, width) if views else _nothing("none is followed")


def _channel_name(view: ChannelView) -> Cell:
    key = view.key
    whose = key.id.rpartition("/")[2] if key.is_account else key.id
    return Cell(_shown(f"{key.channel.removeprefix('v4_')} {whose}".strip()))


def _node(node: NodeView, account_failures: int, elapsed_s: float, width: int) -> list[Line]:
    if node == NO_NODE:
        return _nothing("none has been asked, or has answered, so far")
    heard_s = None if node.age_s is None else node.age_s + elapsed_s
    facts: list[Fact] = [
        ("", Cell(_shown(node.endpoint or DASH))),
        ("height", Cell(DASH if node.height is None else f"#{node.height:,}")),
        ("Indexer", _lag(node.lag_blocks)),
        ("heard", Cell(DASH if heard_s is None else f"{age(heard_s)} ago", Ink.PLAIN)),
        ("chain", Cell(_shown(node.chain_id or DASH))),
        ("version", Cell(_shown(node.version or DASH))),
        (
            "on the Indexer's chain",
            Cell(_shown(node.binding or DASH), Ink.BAD if node.binding == "MISMATCH" else Ink.PLAIN),
        ),
        ("account not told", _count(account_failures, Ink.WARN)),
    ]
    if node.syncing:
        facts.append(("", Cell("catching up", Ink.WARN)))
    lines = _side_by_side(facts, width)
    for text in (node.contradiction, node.failure):
        if text is not None:
            lines += _text_lines(text, width, Ink.BAD)
    return lines


def _lag(blocks: int | None) -> Cell:
    if blocks is None:
        return Cell(DASH, Ink.DIM)
    if not blocks:
        return Cell("at the same block")
    text = f"{abs(blocks):,} block{'' if abs(blocks) == 1 else 's'} {'behind' if blocks > 0 else 'ahead'}"
    return Cell(text, Ink.WARN if blocks > FAR_BEHIND else Ink.PLAIN)


def _budgets(budgets: Sequence[Budget], now: float, width: int) -> list[Line]:
    columns: tuple[Column[Budget], ...] = (
        _column("BUCKET", 14, lambda budget: Cell(_shown(budget.bucket))),
        _column("LEFT", 11, _left, right=True),
        _column("WHOLE IN", 8, partial(_reset, now), right=True),
        _column("QUEUE", 5, lambda budget: _count(budget.waiting, Ink.WARN), right=True),
        _column("WAIT", 6, _wait, right=True),
        _column(
            "HOST", max(min(width - 62, 44), LEAST_TEXT), lambda budget: Cell(_shown(budget.host), Ink.DIM), rank=1
        ),
    )
    return _table(columns, budgets, width) if budgets else _nothing("none has been used so far")


def _left(budget: Budget) -> Cell:
    ink = Ink.BAD if not budget.remaining else Ink.WARN if budget.remaining * 5 < budget.limit else Ink.PLAIN
    return Cell(f"{budget.remaining:,}/{budget.limit:,}", ink)


def _reset(now: float, budget: Budget) -> Cell:
    if budget.reset_at is None:
        return Cell("now", Ink.DIM)
    return Cell(age(max(budget.reset_at - now, 0.0)))


def _wait(budget: Budget) -> Cell:
    if budget.expected_wait_s <= 0:
        return Cell("no", Ink.DIM)
    return Cell(age(budget.expected_wait_s), Ink.WARN if budget.expected_wait_s > LONG_WAIT_S else Ink.PLAIN)


def _breakers(breakers: Sequence[BreakerStatus], now: float, width: int) -> list[Line]:
    columns: tuple[Column[BreakerStatus], ...] = (
        _column("GROUP", 14, lambda held: Cell(_shown(held.group))),
        _column("STATE", 9, lambda held: Cell(held.state, _BREAKER_INKS[held.state])),
        _column("TRIED IN", 8, lambda held: Cell(age(probe_in_s(held, now))), right=True),
        _column("FAILURES", 8, lambda held: _count(held.failures), right=True),
    )
    if not breakers:
        return _nothing("none has opened so far")
    return _table(columns, breakers, width, lambda held: held.text)


def _faults(faults: Sequence[FaultCount], now: datetime | None, width: int) -> list[Line]:
    newest = sorted(faults, key=lambda row: row.last_at, reverse=True)
    if not newest:
        return _nothing("nothing has failed so far")
    today = newest[0].last_at if now is None else now
    columns: tuple[Column[FaultCount], ...] = (
        _column("KIND", 12, lambda row: Cell(row.kind)),
        _column("WIRE", 9, lambda row: Cell(row.source)),
        _column("COUNT", 9, lambda row: _count(row.count), right=True),
        _column("FIRST", 8, lambda row: Cell(moment(row.first_at, today), Ink.DIM)),
        _column("LAST", 8, lambda row: Cell(moment(row.last_at, today))),
    )
    lines = _table(columns, newest[:MOST_FAULTS], width, lambda row: f"{row.endpoint}  {row.last_text}")
    more = len(newest) - MOST_FAULTS
    return [*lines, *_nothing(f"and {more:,} kinds that were seen before these")] if more > 0 else lines


def _journal(journal: JournalView, now: datetime | None, width: int) -> list[Line]:
    if journal.mode is JournalMode.NONE:
        return _nothing("none is kept")
    place = DASH if journal.fill_place is None else f"{journal.fill_place:,}"
    facts: list[Fact] = [
        ("", Cell(journal.mode, _JOURNAL_INKS.get(journal.mode, Ink.PLAIN))),
        ("written by", Cell(_writer(journal))),
        ("epoch", Cell(DASH if journal.epoch is None else f"{journal.epoch:,}")),
        ("newest fill's place", Cell(place)),
        ("rows waiting", _count(journal.waiting)),
        ("missed", _count(journal.missed, Ink.WARN)),
        ("rejected", _count(journal.rejected, Ink.WARN)),
    ]
    if journal.since is not None:
        facts.append(("since", Cell(moment(journal.since, now or journal.since))))
    if journal.error is None or journal.error_at is None:
        facts.append(("last error", Cell("none", Ink.DIM)))
    else:
        facts.append(("last error", Cell(moment(journal.error_at, now or journal.error_at), Ink.WARN)))
    lines = _side_by_side(facts, width)
    if journal.error is not None:
        lines += _text_lines(journal.error, width, Ink.BAD if journal.mode is JournalMode.OFF else Ink.DIM)
    if journal.text not in (None, journal.error):
        lines += _text_lines(str(journal.text), width, Ink.DIM)
    return lines


def _writer(journal: JournalView) -> str:
    if journal.mode is JournalMode.LOOKING:
        return "another console" if journal.owner_pid is None else f"process {journal.owner_pid}"
    return "this console" if journal.mode is JournalMode.KEPT else "nobody now"


def _screen(screen: ScreenFigures, width: int) -> list[Line]:
    facts: list[Fact] = [
        ("paints", _count(screen.paints)),
        ("longest", Cell(f"{screen.longest_s * 1000:,.1f} ms")),
        ("left out for a slow terminal", _count(screen.skipped, Ink.WARN)),
        ("frames it has not taken", _count(screen.backlog, Ink.WARN)),
        ("events taken in", _count(screen.events)),
    ]
    return _side_by_side(facts, width)


def _column(label: str, width: int, cell: Callable[[T], Cell], *, right: bool = False, rank: int = 0) -> Column[T]:
    return Column(label, label, width, cell, cell, right=right, rank=rank)


def _table(
    columns: Sequence[Column[T]], items: Iterable[T], width: int, text: Callable[[T], str] | None = None
) -> list[Line]:
    """Return a head and a line for each item; where `text` gives one, it follows in lines of its own."""
    placed = fitted(columns, width - INDENT)
    columns = [place.column for place in placed]
    starts = [place.x + INDENT for place in placed]
    lines = [_row(columns, starts, [Cell(column.label, Ink.LABEL) for column in columns])]
    for item in items:
        lines.append(_row(columns, starts, [column.cell(item) for column in columns]))
        if text is not None and (told := text(item)):
            lines += _text_lines(told, width, Ink.DIM)
    return lines


def _row(columns: Sequence[Column[T]], starts: Sequence[int], row: Sequence[Cell]) -> Line:
    line: list[Cell] = []
    used = 0
    for column, start, cell in zip(columns, starts, row, strict=True):
        text = aligned(cell.text, column.width, right=column.right)
        line.append(Cell(" " * (start - used) + text, cell.ink))
        used = start + column.width
    return tuple(line)

"""What a person reads before typing a chain id: where the console would go, and what is known of it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import wrap

from dydx_console.domain.ids import short_address
from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.ports.network import Confirmation
from dydx_console.safety.networks import MAINNET, kind_of
from dydx_console.tui.widgets.pane import harmless
from dydx_console.views.table import Cell, Ink, Line
from dydx_console.views.width import cells

__all__ = ["question_lines", "question_title"]

LABEL_WIDTH = 13
LEAST_TEXT = 10
GAP = "  "
_HEIGHT = re.compile(r"#\d[\d,]*")
_MARKS = {Verdict.OK: ("✓", Ink.GOOD), Verdict.WARN: ("!", Ink.WARN), Verdict.FAIL: ("✗", Ink.BAD)}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is shown under a label; where there is no room, the highest `rank` leaves first (0 never)."""

    label: str
    lines: tuple[Line, ...]
    rank: int


def question_title(asked: Confirmation, width: int) -> str:
    """Return what this is, in words that nobody reads over; in fewer where `width` cells are too few."""
    is_known = kind_of(asked.chain_id) == MAINNET
    long = "This is MAINNET. Real money." if is_known else "Unknown chain, counts as MAINNET. Real money."
    short = "MAINNET. Real money." if is_known else "Unknown. Real money."
    return long if cells(long) <= width else short


def question_lines(asked: Confirmation, report: Report | None, width: int, height: int) -> list[Line]:
    """Return the facts in at most `height` lines of `width` cells, as far as they are known; the chain id always.

    Args:
        asked: what has to be confirmed.
        report: the newest report of the network's checks, None before the first.
        width: cells of a line.
        height: lines.
    """
    is_labelled = width >= LABEL_WIDTH + 2 * LEAST_TEXT
    facts = _facts(asked, report, width - (LABEL_WIDTH if is_labelled else 0), is_brief=not is_labelled)
    while len(facts) > 1 and sum(len(fact.lines) for fact in facts) > height:
        facts.remove(max(facts, key=lambda fact: fact.rank))
    return [line for fact in facts for line in _labelled(fact, is_labelled=is_labelled)]


def _labelled(fact: Fact, *, is_labelled: bool) -> Iterable[Line]:
    for place, line in enumerate(fact.lines):
        if is_labelled:
            yield (Cell((fact.label if place == 0 else "").ljust(LABEL_WIDTH), Ink.LABEL), *line)
        else:
            yield line


def _facts(asked: Confirmation, report: Report | None, room: int, *, is_brief: bool) -> list[Fact]:
    checks = {} if report is None else {check.name: check for check in report.checks}
    by_indexer, by_node = _of_indexer(checks), _of_node(asked, checks)
    if report is None:
        by_indexer = by_node = [Cell("checking…", Ink.DIM)]
    return [
        Fact("network", _flowed([Cell(asked.chain_id, Ink.STRONG)], room), 0),
        Fact("indexer", _flowed([*_hosts(asked.indexer_hosts), *by_indexer], room), 3),
        Fact("node", (*_flowed(_hosts(asked.node_hosts), room), *_flowed(by_node, room)), 2),
        Fact("environment", _flowed(_environment(asked)[: 1 if is_brief else 2], room), 1),
        Fact("account", _flowed(_account(asked), room), 4),
    ]


def _environment(asked: Confirmation) -> list[Cell]:
    named = Cell(asked.environment, Ink.STRONG)
    return [named] if asked.environment_from is None else [named, Cell(f"({asked.environment_from})", Ink.DIM)]


def _account(asked: Confirmation) -> list[Cell]:
    if asked.address is None:
        return [Cell("none", Ink.DIM)]
    return [Cell(short_address(asked.address)), Cell(f"parent {asked.parent}", Ink.DIM)]


def _hosts(hosts: tuple[str, ...]) -> list[Cell]:
    if not hosts:
        return [Cell("none", Ink.WARN)]
    return [Cell(hosts[0]), *([Cell(f"and {len(hosts) - 1} more", Ink.DIM)] if len(hosts) > 1 else [])]


def _of_indexer(checks: dict[str, CheckResult]) -> list[Cell]:
    return _evidence(checks.get("indexer"), _height_told)


def _of_node(asked: Confirmation, checks: dict[str, CheckResult]) -> list[Cell]:
    node = checks.get("node")
    if node is not None and node.verdict is Verdict.FAIL:
        return _evidence(node, lambda check: check.text)
    told = [
        *_evidence(checks.get("chain id"), lambda _: f"reports {asked.chain_id}"),
        *_evidence(checks.get("binding"), lambda _: "same block time"),
    ]
    return list(dict.fromkeys(told))


def _height_told(check: CheckResult) -> str:
    found = _HEIGHT.search(check.text)
    return f"height {found[0]}" if found else "answers"


def _evidence(check: CheckResult | None, said: Callable[[CheckResult], str]) -> list[Cell]:
    """Return what a check proved, in the words of `said`; in its own where it proved it not."""
    if check is None:
        return [Cell("not checked", Ink.DIM)]
    if check.verdict is Verdict.SKIP:
        return [Cell(f"not known: {check.text}", Ink.DIM)]
    mark, ink = _MARKS[check.verdict]
    return [Cell(f"{said(check) if check.verdict is Verdict.OK else check.text} {mark}", ink)]


def _flowed(parts: Iterable[Cell], room: int) -> tuple[Line, ...]:
    """Return parts side by side where they fit, one below the other where not; what is too long goes on below."""
    lines: list[Line] = []
    left = -1
    for part in parts:
        width = cells(part.text)
        if width + len(GAP) <= left:
            lines[-1] = (*lines[-1], Cell(GAP), part)
            left -= width + len(GAP)
            continue
        broken = wrap(harmless(part.text), max(room, 1), break_on_hyphens=False)
        lines += [(Cell(text, part.ink),) for text in broken]
        left = room - cells(broken[-1]) if broken else left
    return tuple(lines)

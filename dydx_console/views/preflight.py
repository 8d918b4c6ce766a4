"""The report of the checks of a network: as lines of cells, as plain text, and as the JSON document."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.views.table import Cell, Ink, Line
from dydx_console.views.width import cells, wrapped

if TYPE_CHECKING:
    from dydx_console.views.documents import NetworkSection, PreflightDocument

__all__ = ["preflight_document", "report_cells", "report_lines", "result_cells", "summary_cells"]

NAME_WIDTH = 16
VERDICT_WIDTH = 5
TIME_WIDTH = 9
TEXT_AT = 1 + VERDICT_WIDTH + 1 + NAME_WIDTH + 1
LEAST_TEXT = 20
ARROW = "→ "

_INKS = {Verdict.OK: Ink.GOOD, Verdict.WARN: Ink.WARN, Verdict.FAIL: Ink.BAD, Verdict.SKIP: Ink.DIM}
_TEXT_INKS = {Verdict.OK: Ink.PLAIN, Verdict.WARN: Ink.PLAIN, Verdict.FAIL: Ink.STRONG, Verdict.SKIP: Ink.DIM}
_SUMMARIES = {
    2: "refused: usage",
    78: "refused: configuration",
    77: "refused: policy",
    69: "failed: network",
    75: "failed for now, try again",
    76: "refused by the venue",
}


def report_cells(report: Report, width: int = 100, *, verbose: bool = False) -> tuple[Line, ...]:
    """Return a whole report, its summary last, in lines of at most `width` cells (from 60 on).

    Long texts go on in the next line, none is cut. Checks that could not be made for the same reason share a line
    unless `verbose`.
    """
    lines: list[Line] = []
    for result in report.checks if verbose else _grouped(report.checks):
        lines += result_cells(result, width)
    return (*lines, summary_cells(report, width))


def report_lines(report: Report, width: int = 100, *, verbose: bool = False) -> tuple[str, ...]:
    """Return a whole report as plain text, as `report_cells` lays it out."""
    return tuple("".join(cell.text for cell in line).rstrip() for line in report_cells(report, width, verbose=verbose))


def result_cells(result: CheckResult, width: int = 100) -> tuple[Line, ...]:
    """Return one check: verdict, name, text and time, then what to do about it."""
    room = max(width - TEXT_AT - TIME_WIDTH, LEAST_TEXT)
    names = wrapped(result.name, NAME_WIDTH)
    texts = wrapped(result.text, room)
    lines: list[Line] = []
    for place in range(max(len(names), len(texts))):
        name = names[place] if place < len(names) else ""
        text = texts[place] if place < len(texts) else ""
        verdict = result.verdict.value if place == 0 else ""
        time = _milliseconds(result) if place == 0 else ""
        lines.append(
            (
                Cell(" " + verdict.ljust(VERDICT_WIDTH) + " ", _INKS[result.verdict]),
                Cell(_padded(name, NAME_WIDTH) + " ", Ink.LABEL),
                Cell(_padded(text, room), _TEXT_INKS[result.verdict]),
                Cell(time.rjust(TIME_WIDTH), Ink.DIM),
            )
        )
    return (*lines, *_remedy(result, width))


def summary_cells(report: Report, width: int = 100) -> Line:
    """Return the last line: what the report is worth, by whom, its exit code and how long it took."""
    verdict, text = _summary(report)
    end = f"exit {report.exit_code}, {report.took_ms / 1_000:.1f} s"
    room = max(width - 1 - cells(end), cells(text) + 2)
    ink = Ink.GOOD if verdict is Verdict.OK else _INKS[verdict]
    return (Cell(" " + _padded(text, room), ink), Cell(end, Ink.DIM))


def preflight_document(report: Report, network: "NetworkSection | None") -> "PreflightDocument":
    """Return the JSON document of a report."""
    from dydx_console.views import documents as doc

    return doc.PreflightDocument(
        schema_version=doc.SCHEMA_VERSION,
        network=network,
        checks=tuple(
            doc.CheckItem(
                name=check.name,
                verdict=check.verdict.name,
                text=check.text,
                remedy=check.remedy,
                took_ms=round(check.took_ms, 3),
            )
            for check in report.checks
        ),
        exit_code=report.exit_code,
        took_ms=round(report.took_ms, 3),
    )


def _grouped(results: Iterable[CheckResult]) -> Iterable[CheckResult]:
    """Return the checks with neighbours that were skipped for one reason as one."""
    for (verdict, text), group in groupby(results, lambda result: (result.verdict, result.text)):
        members = tuple(group)
        if verdict is Verdict.SKIP and len(members) > 1:
            yield CheckResult("…", verdict, f"{', '.join(member.name for member in members)}: {text}", 0.0)
        else:
            yield from members


def _remedy(result: CheckResult, width: int) -> Iterable[Line]:
    if result.remedy is None:
        return
    left = 1 + VERDICT_WIDTH + 1
    for place, text in enumerate(wrapped(result.remedy, max(width - left - len(ARROW), LEAST_TEXT))):
        yield (Cell(" " * left + (ARROW if place == 0 else " " * len(ARROW)) + text, Ink.ACCENT),)


def _summary(report: Report) -> tuple[Verdict, str]:
    failed = [check for check in report.checks if check.verdict is Verdict.FAIL]
    warned = sum(check.verdict is Verdict.WARN for check in report.checks)
    if report.exit_code or failed:
        guilty = [check.name for check in failed if check.exit_code == report.exit_code]
        return Verdict.FAIL, f"{_SUMMARIES.get(report.exit_code, 'failed')} ({', '.join(guilty)})"
    if warned:
        return Verdict.WARN, f"usable, with {warned} warning{'' if warned == 1 else 's'}"
    return Verdict.OK, "all is well"


def _milliseconds(result: CheckResult) -> str:
    return "" if result.verdict is Verdict.SKIP else f"{result.took_ms:,.0f} ms"


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - cells(text), 0)

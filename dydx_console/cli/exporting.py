"""`export`: a whole history as CSV or JSON Lines, page by page into a file that comes to its place whole."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dydx_console.cli.common import Chosen, Range, UsageError, taking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from dydx_console.cli.admission import Admission
    from dydx_console.cli.filing import Destination
    from dydx_console.cli.historical import Opened
    from dydx_console.ports.history import HistoryProgress
    from dydx_console.ports.journal import HistoryPort
    from dydx_console.views.documents import Part
    from dydx_console.views.exports import ExportKind

__all__ = ["register"]

STDOUT = "-"
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def register(app: typer.Typer) -> None:
    """Add the command to a command line."""

    @app.command("export")
    @taking(Chosen, Range)
    def export(
        chosen: Chosen,
        asked: Range,
        kind: Annotated[
            str, typer.Argument(metavar="KIND", help="fills, orders, funding, transfers, lives or pnl-by-day.")
        ],
        to: Annotated[str, typer.Option("--to", help="File to write; - is standard output.")],
        form: Annotated[
            Literal["csv", "jsonl"] | None, typer.Option("--format", help="csv or jsonl; else as the file's name says.")
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    ) -> None:
        """Write a whole history, oldest first, to a file. Sends nothing."""
        raise typer.Exit(write_export(chosen, asked, kind, to, form, force=force))


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be exported, and how it is written."""

    admission: "Admission"
    log_path: Path
    asked: Range
    kind: "ExportKind"
    form: str

    @property
    def header(self) -> str:
        """What stands before the rows."""
        from dydx_console.views.exports import ROWS, csv_header

        return csv_header(ROWS[self.kind]) if self.form == "csv" else ""

    def text(self, rows: "Sequence[Part]") -> str:
        """Return rows as they are written."""
        from dydx_console.cli.filtering import time_zone
        from dydx_console.views.exports import csv_lines, json_line

        zone = time_zone(self.asked.time_zone)
        return csv_lines(rows, zone) if self.form == "csv" else "".join(json_line(row, zone) for row in rows)

    async def rows(self, history: "HistoryPort") -> "AsyncIterator[Sequence[Part]]":
        """Yield all rows, oldest first, some at a time."""
        from dydx_console.cli.filtering import of_parent, span_of
        from dydx_console.cli.histories import LISTED, pages
        from dydx_console.cli.pnl import days_of
        from dydx_console.cli.rows import day_row
        from dydx_console.ports.journal import HistoryQuery

        parent = self.admission.parent
        listed = LISTED.get(self.kind)
        if listed is None:
            yield [day_row(day) for day in await days_of(history, self.asked, parent, by_market=True)]
            return
        since, until = span_of(self.asked)
        query = HistoryQuery(since=since, until=until, oldest_first=True)
        asked = of_parent(query, parent) if listed.has_subaccounts else query
        async for rows in pages(partial(listed.read, history), asked):
            yield rows


def write_export(chosen: Chosen, asked: Range, kind: str, to: str, form: str | None, *, force: bool) -> int:
    """Write a history to a file; returns the exit code. Raises UsageError for what cannot be asked for."""
    from dydx_console.cli.exits import fail
    from dydx_console.cli.filing import TargetError, checked_target
    from dydx_console.cli.filtering import span_of
    from dydx_console.cli.printing import left_by_reader

    wanted = _kind(kind)
    span_of(asked)
    form = form or FORMATS.get(Path(to).suffix.lower(), "csv")
    try:
        target = None if to == STDOUT else checked_target(Path(to), force=force)
        admission, log_path = chosen.admitted()
        return _exported(Job(admission, log_path, asked, wanted, form), target, force=force)
    except TargetError as error:
        fail(error.code, str(error))
    except BrokenPipeError:
        left_by_reader()


def _exported(job: "Job", target: Path | None, *, force: bool) -> int:
    from dydx_console.cli.filing import FileSink, StdoutSink

    if target is None:
        _, code = _written(job, StdoutSink())
        return code
    with FileSink(target, force=force) as sink:
        count, code = _written(job, sink)
        sink.finish()
    sys.stderr.write(f"{count:,} rows of {job.kind} are in {target}\n")
    return code


def _written(job: "Job", sink: "Destination") -> "tuple[int, int]":
    """Write all rows; returns how many, and the exit code that says whether the history is whole."""
    from dydx_console.cli.historical import tell_limits, with_history
    from dydx_console.cli.histories import sources_of

    async def written(opened: "Opened") -> "tuple[int, HistoryProgress]":
        count = 0
        await sink.write(job.header.encode())
        async for rows in job.rows(opened.history):
            await sink.write(job.text(rows).encode())
            count += len(rows)
        return count, opened.progress

    count, progress = with_history(job.admission, job.log_path, sources_of(job.kind), written)
    return count, tell_limits(progress, sources_of(job.kind))


def _kind(name: str) -> "ExportKind":
    from dydx_console.views.exports import ExportKind

    try:
        return ExportKind(name.lower())
    except ValueError:
        raise UsageError(f"there is no export {name[:40]!r}; allowed are {', '.join(ExportKind)}") from None

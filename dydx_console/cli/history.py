"""`fills`, `funding`, `transfers`, `pnl` and `order show`: what the journal and the venue know of the past."""

from dataclasses import replace
from datetime import tzinfo
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from dydx_console.cli.common import Chosen, Form, Paging, Range, taking
from dydx_console.cli.reading import Markets, Sides, Subaccounts, Text, Types

if TYPE_CHECKING:
    from collections.abc import Collection

    from dydx_console.cli.admission import Admission
    from dydx_console.cli.filtering import Wishes
    from dydx_console.cli.historical import Opened
    from dydx_console.cli.histories import Listed
    from dydx_console.ports.history import HistoryProgress
    from dydx_console.ports.journal import HistoryQuery, PageMark
    from dydx_console.views.documents import Part
    from dydx_console.views.exports import ExportKind
    from dydx_console.views.pages import KnownSection

__all__ = ["Rows", "print_rows", "register", "show"]


def register(app: typer.Typer, order_app: typer.Typer) -> None:
    """Add the commands to a command line and to its group of orders."""

    @app.command("fills")
    @taking(Chosen, Range, Paging, Form)
    def fills(
        chosen: Chosen,
        asked: Range,
        paging: Paging,
        form: Form,
        market: Markets = None,
        side: Sides = None,
        kind: Types = None,
        subaccount: Subaccounts = None,
        order_id: Annotated[str | None, typer.Option("--order-id", help="Only fills of this order.")] = None,
        text: Text = "",
    ) -> None:
        """Show fills, newest first. Sends nothing."""
        from dydx_console.cli.filtering import Wishes
        from dydx_console.views.exports import ExportKind

        wishes = Wishes(
            range=asked, paging=paging, markets=market or (), sides=side or (), types=kind or (),
            subaccounts=subaccount or (), order_id=order_id, text=text,
        )  # fmt: skip
        raise typer.Exit(show(ExportKind.FILLS, chosen, wishes, form))

    @app.command("funding")
    @taking(Chosen, Range, Paging, Form)
    def funding(
        chosen: Chosen,
        asked: Range,
        paging: Paging,
        form: Form,
        market: Markets = None,
        subaccount: Subaccounts = None,
        text: Text = "",
    ) -> None:
        """Show funding payments, newest first. Sends nothing."""
        from dydx_console.cli.filtering import Wishes
        from dydx_console.views.exports import ExportKind

        wishes = Wishes(range=asked, paging=paging, markets=market or (), subaccounts=subaccount or (), text=text)
        raise typer.Exit(show(ExportKind.FUNDING, chosen, wishes, form))

    @app.command("transfers")
    @taking(Chosen, Range, Paging, Form)
    def transfers(
        chosen: Chosen, asked: Range, paging: Paging, form: Form, kind: Types = None, text: Text = ""
    ) -> None:
        """Show deposits, withdrawals and transfers, newest first. Sends nothing."""
        from dydx_console.cli.filtering import Wishes
        from dydx_console.views.exports import ExportKind

        wishes = Wishes(range=asked, paging=paging, types=kind or (), text=text)
        raise typer.Exit(show(ExportKind.TRANSFERS, chosen, wishes, form))

    @app.command("pnl")
    @taking(Chosen, Range, Form)
    def pnl(
        chosen: Chosen,
        asked: Range,
        form: Form,
        by_day: Annotated[bool, typer.Option("--by-day", help="What each day brought, instead of totals.")] = False,
    ) -> None:
        """Show PNL by market over all that is known, or by day. Sends nothing."""
        from dydx_console.cli.pnl import show_days, show_pnl

        raise typer.Exit(show_days(chosen, asked, form) if by_day else show_pnl(chosen, asked, form))

    @order_app.command("show")
    @taking(Chosen)
    def order_show(
        chosen: Chosen,
        order: Annotated[str, typer.Argument(help="Order id.")],
        time_zone: Annotated[str, typer.Option("--time-zone", help="Zone of the times shown.")] = "UTC",
        json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Show an order with its fills, average price, hops and the position life it belongs to. Sends nothing."""
        from dydx_console.cli.ordering import show_order

        raise typer.Exit(show_order(chosen, order, time_zone, as_json=json))


class Rows(NamedTuple):
    """Rows to print, how many there are on all pages, what stands behind them, and from when they are known."""

    rows: "tuple[Part, ...]"
    matching: int
    next: "PageMark | None"
    known: "KnownSection"


def show(kind: "ExportKind", chosen: Chosen, wishes: "Wishes", form: Form) -> int:
    """Print a page of a history; returns the exit code. Raises UsageError for what cannot be asked for."""
    from dydx_console.cli.filtering import of_parent, query_of
    from dydx_console.cli.historical import tell_limits, with_history
    from dydx_console.cli.histories import LISTED

    listed = LISTED[kind]
    query_of(listed.spec, wishes)
    admission, log_path = chosen.admitted()
    query = query_of(listed.spec, wishes, _markets(admission, wishes))
    if listed.has_subaccounts:
        query = of_parent(query, admission.parent)

    async def found(opened: "Opened") -> "tuple[Rows, HistoryProgress]":
        return await _page(opened, listed, query, wishes.paging.page), opened.progress

    rows, progress = with_history(admission, log_path, listed.sources, found)
    print_rows(admission, kind, rows, wishes.zone, form)
    return tell_limits(progress, listed.sources)


def _markets(admission: "Admission", wishes: "Wishes") -> "Collection[str]":
    """Return the venue's markets where one is named; none where the venue does not tell them now."""
    from dydx_console.cli.looping import run_briefly
    from dydx_console.cli.venue import markets_of

    return run_briefly(markets_of(admission)) if wishes.markets else ()


async def _page(opened: "Opened", listed: "Listed", query: "HistoryQuery", number: int) -> Rows:
    from dydx_console.cli.historical import known_of
    from dydx_console.cli.histories import turned_to

    matching = await opened.history.count(listed.counted, replace(query, after=None))
    read = partial(listed.read, opened.history)
    page = await read(query.beyond(await turned_to(read, query, number)))
    return Rows(page.rows, matching, page.next, known_of(opened.progress, listed.sources))


def print_rows(admission: "Admission", kind: "ExportKind", rows: "Rows", zone: tzinfo, form: Form) -> None:
    """Print rows of a history as a table, JSON or CSV."""
    from dydx_console.cli.filtering import cursor_of
    from dydx_console.cli.printing import print_text
    from dydx_console.cli.venue import section_of
    from dydx_console.views import listing
    from dydx_console.views.documents import SCHEMA_VERSION
    from dydx_console.views.exports import ROWS, csv_header, csv_lines
    from dydx_console.views.pages import PAGES

    if form.csv:
        print_text(csv_header(ROWS[kind]) + csv_lines(rows.rows, zone))
        return
    following = None if rows.next is None else cursor_of(rows.next)
    if form.json:
        document = PAGES[kind](
            schema_version=SCHEMA_VERSION,
            network=section_of(admission),
            address=admission.address or "",
            parent_subaccount=admission.parent,
            kind=str(kind),
            known=rows.known,
            matching=rows.matching,
            next=following,
            rows=rows.rows,
        )
        print_text(document.model_dump_json(indent=2) + "\n")
        return
    lines = listing.table_lines(listing.history_columns(kind, zone), rows.rows, f"no {kind} match")
    if following is not None:
        lines.append(f"{len(rows.rows):,} of {rows.matching:,}; go on with --page or --after {following}")
    print_text("\n".join(lines) + "\n")

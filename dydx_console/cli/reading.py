"""`account`, `positions`, `orders` and `markets`: what is now, read once, and printed as a table, JSON or CSV."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dydx_console.cli.common import Chosen, Form, Paging, Range, UsageError, taking

if TYPE_CHECKING:
    from dydx_console.cli.admission import Admission
    from dydx_console.cli.filtering import Wishes
    from dydx_console.engine.once import Once
    from dydx_console.views.documents import Document, Part
    from dydx_console.views.history_filter import Filter

__all__ = [
    "Markets",
    "Sides",
    "Statuses",
    "Subaccounts",
    "Text",
    "Types",
    "document_now",
    "headline",
    "print_lines",
    "register",
]

Statuses = Annotated[list[str] | None, typer.Option("--status", help="Only this status; may be given again.")]
Markets = Annotated[list[str] | None, typer.Option("--market", help="Only this market; may be given again.")]
Sides = Annotated[list[str] | None, typer.Option("--side", help="Only this side; may be given again.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Only this type; may be given again.")]
Subaccounts = Annotated[
    list[str] | None, typer.Option("--subaccount", help="Only this subaccount; may be given again.")
]
Text = Annotated[str, typer.Option("--text", help="Only rows in whose names and ids this stands.")]


def register(app: typer.Typer) -> None:
    """Add the commands to a command line."""

    @app.command("account")
    @taking(Chosen, Form)
    def account(chosen: Chosen, form: Form) -> None:
        """Show equity, margin and balances. Sends nothing."""
        raise typer.Exit(_account(chosen, form))

    @app.command("positions")
    @taking(Chosen, Range, Paging, Form)
    def positions(
        chosen: Chosen,
        asked: Range,
        paging: Paging,
        form: Form,
        closed: Annotated[bool, typer.Option("--closed", help="Every position life of the history instead.")] = False,
        status: Statuses = None,
        market: Markets = None,
        side: Sides = None,
        subaccount: Subaccounts = None,
        text: Text = "",
    ) -> None:
        """Show open positions, or with --closed position lives, running ones too. Sends nothing."""
        from dydx_console.cli.filtering import Wishes

        wishes = Wishes(
            range=asked, paging=paging, statuses=status or (), markets=market or (), sides=side or (),
            subaccounts=subaccount or (), text=text,
        )  # fmt: skip
        raise typer.Exit(_positions(chosen, wishes, form, closed=closed))

    @app.command("orders")
    @taking(Chosen, Range, Paging, Form)
    def orders(
        chosen: Chosen,
        asked: Range,
        paging: Paging,
        form: Form,
        every: Annotated[bool, typer.Option("--all", help="Every order of the history instead.")] = False,
        status: Statuses = None,
        market: Markets = None,
        side: Sides = None,
        kind: Types = None,
        subaccount: Subaccounts = None,
        text: Text = "",
    ) -> None:
        """Show working orders, or with --all every order of the history. Sends nothing."""
        from dydx_console.cli.filtering import Wishes

        wishes = Wishes(
            range=asked, paging=paging, statuses=status or (), markets=market or (), sides=side or (),
            types=kind or (), subaccounts=subaccount or (), text=text,
        )  # fmt: skip
        raise typer.Exit(_orders(chosen, wishes, form, every=every))

    @app.command("markets")
    @taking(Chosen, Form)
    def markets(chosen: Chosen, form: Form, market: Markets = None) -> None:
        """Show markets with their prices. Needs no account; sends nothing."""
        raise typer.Exit(_markets(chosen, form, market or ()))


def _account(chosen: Chosen, form: Form) -> int:
    from dydx_console.views import listing
    from dydx_console.views.documents import SubaccountItem
    from dydx_console.views.pages import AccountDocument

    document, _ = _read(chosen)
    if form.json:
        return _told(part_of(AccountDocument, document, account=document.account, balances=document.balances))
    if form.csv:
        return _csv(document.account.subaccounts, SubaccountItem)
    lines = [headline(document), *listing.account_lines(document.account)]
    if document.account.exists is False:
        lines.append("the account was never funded on this network")
    if document.account.subaccounts:
        lines += ["", *listing.table_lines(listing.subaccount_columns(), document.account.subaccounts, "")]
    lines += ["", *listing.table_lines(listing.balance_columns(), document.balances, "no balances")]
    return print_lines(lines)


def _positions(chosen: Chosen, wishes: "Wishes", form: Form, *, closed: bool) -> int:
    from dydx_console.cli.filtering import filter_of
    from dydx_console.views import listing
    from dydx_console.views.documents import PositionItem
    from dydx_console.views.exports import ExportKind
    from dydx_console.views.history_filter import LIVES_FILTER
    from dydx_console.views.pages import PositionsDocument

    if closed:
        from dydx_console.cli.history import show

        return show(ExportKind.LIVES, chosen, wishes, form)
    _check_now(wishes, "--closed")
    filter_of(LIVES_FILTER, wishes)
    document, once = _read(chosen)
    wanted = filter_of(LIVES_FILTER, wishes, once.snapshot.markets)

    def is_wanted(item: PositionItem) -> bool:
        side = "LONG" if item.net_size > 0 else "SHORT"
        return _matches(wanted, ("OPEN", side, None), item, f"{item.market} {side}", wishes.text)

    items = tuple(filter(is_wanted, document.positions))
    if form.json:
        return _told(part_of(PositionsDocument, document, positions=items))
    if form.csv:
        return _csv(items, PositionItem)
    table = listing.table_lines(listing.position_columns(wishes.zone), items, "no open positions")
    return print_lines([headline(document), *table])


def _orders(chosen: Chosen, wishes: "Wishes", form: Form, *, every: bool) -> int:
    from dydx_console.cli.filtering import filter_of
    from dydx_console.views import listing
    from dydx_console.views.documents import OrderItem
    from dydx_console.views.exports import ExportKind
    from dydx_console.views.history_filter import ORDERS_FILTER
    from dydx_console.views.pages import OrdersDocument

    if every:
        from dydx_console.cli.history import show

        return show(ExportKind.ORDERS, chosen, wishes, form)
    _check_now(wishes, "--all")
    filter_of(ORDERS_FILTER, wishes)
    document, once = _read(chosen)
    wanted = filter_of(ORDERS_FILTER, wishes, once.snapshot.markets)

    def is_wanted(item: OrderItem) -> bool:
        told = f"{item.market} {item.type} {item.status} {item.id} {item.client_id}"
        return _matches(wanted, (item.status, item.side, item.type), item, told, wishes.text)

    items = tuple(filter(is_wanted, document.orders))
    if form.json:
        return _told(part_of(OrdersDocument, document, orders=items))
    if form.csv:
        return _csv(items, OrderItem)
    table = listing.table_lines(listing.order_columns(wishes.zone), items, "no working orders")
    return print_lines([headline(document), *table])


def _markets(chosen: Chosen, form: Form, tickers: Sequence[str]) -> int:
    from dydx_console.cli.venue import market_named
    from dydx_console.views import listing
    from dydx_console.views.documents import MarketItem
    from dydx_console.views.pages import MarketsDocument

    document, once = _read(chosen, account=False)
    wanted = {market_named(once.snapshot.markets, ticker).ticker for ticker in tickers}
    items = tuple(item for item in document.markets if not wanted or item.ticker in wanted)
    if form.json:
        return _told(part_of(MarketsDocument, document, markets=items))
    if form.csv:
        return _csv(items, MarketItem)
    return print_lines([headline(document), *listing.table_lines(listing.market_columns(), items, "no markets")])


def _check_now(wishes: "Wishes", option: str) -> None:
    """Raise UsageError where options are given that only a history has."""
    asked, paging = wishes.range, wishes.paging
    given = {
        "--since": asked.since is not None,
        "--until": asked.until is not None,
        "--oldest-first": paging.oldest_first,
        "--limit": paging.limit != Paging().limit,
        "--page": paging.page != 1,
        "--after": paging.after is not None,
    }
    strange = [name for name, is_given in given.items() if is_given]
    if strange:
        raise UsageError(f"{', '.join(strange)}: only a history has that; add {option}")


def _matches(
    wanted: "Filter", words: tuple[str | None, str | None, str | None], item: Any, told: str, text: str
) -> bool:
    """Return whether an item passes a filter; `words` are its status, side and type, a text is sought in `told`."""
    lists = zip((wanted.statuses, wanted.sides, wanted.types), words, strict=True)
    return (
        all(not allowed or word in allowed for allowed, word in lists)
        and (not wanted.markets or item.market in wanted.markets)
        and (not wanted.subaccounts or item.subaccount in wanted.subaccounts)
        and text.upper() in told.upper()
    )


def _read(chosen: Chosen, *, account: bool = True) -> "tuple[Document, Once]":
    """Return the document of what the Indexer tells now; ends the command where it does not."""
    from dydx_console.cli.venue import read_once

    admission, log_path = chosen.admitted(needs_account=account)
    once = read_once(admission, log_path, account=account)
    return document_now(admission, once), once


def document_now(admission: "Admission", once: "Once") -> "Document":
    """Return the document of what was just read."""
    from dydx_console.cli.venue import section_of
    from dydx_console.ports.clock import SystemClock
    from dydx_console.views.compose import document_of
    from dydx_console.views.pages import dated

    return dated(document_of(once.snapshot, section_of(admission)), SystemClock().utc())


def part_of(model: "Callable[..., Part]", document: "Document", **sections: object) -> "Part":
    """Return a document that holds some sections of a whole one."""
    return model(
        schema_version=document.schema_version,
        errors=document.errors,
        as_of=document.as_of,
        network=document.network,
        sections=document.sections,
        **sections,
    )


def headline(document: "Document") -> str:
    """Return where figures come from, and of which block."""
    from dydx_console.views.listing import time_text

    at = document.as_of
    height = "an unknown block" if at.height is None else f"block {at.height}"
    return f"{document.network.name} ({document.network.chain_id}), {height}, {time_text(at.time)} UTC"


def _told(document: "Part") -> int:
    return print_lines([document.model_dump_json(indent=2)])


def _csv(items: "Sequence[Part]", model: "type[Part]") -> int:
    from datetime import UTC

    from dydx_console.cli.printing import print_text
    from dydx_console.views.exports import csv_header, csv_lines

    print_text(csv_header(model) + csv_lines(items, UTC))
    return 0


def print_lines(lines: Iterable[str]) -> int:
    """Print lines; returns the exit code of a command that did what it should."""
    from dydx_console.cli.printing import print_text

    print_text("\n".join(lines) + "\n")
    return 0

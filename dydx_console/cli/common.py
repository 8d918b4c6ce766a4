"""Options that several reading commands have, and the way from them to a network that may be read."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from dydx_console.cli.admission import Admission

__all__ = ["Chosen", "Form", "Paging", "Range", "UsageError", "taking"]


class UsageError(ValueError):
    """An option that cannot be understood: the sentence says what was wrong and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The account and network that a command line names, where it does."""

    network: Annotated[str | None, typer.Option("--network", help="mainnet, testnet, local, or one of your own.")] = (
        None
    )
    address: Annotated[str | None, typer.Option("--address", help="Account to read: dydx1…")] = None
    parent: Annotated[int | None, typer.Option("--parent", help="Parent subaccount, 0 to 127.")] = None
    environment: Annotated[str | None, typer.Option("--environment", help="development, staging or production.")] = None
    read_only: Annotated[bool, typer.Option("--read-only", help="Never send anything, whatever comes later.")] = False
    confirm_network: Annotated[
        str | None,
        typer.Option("--confirm-network", help="Chain id; with --read-only, lets mainnet be read without a terminal."),
    ] = None
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file instead of the usual one.")] = None

    def admitted(self, *, needs_account: bool = True) -> "tuple[Admission, Path]":
        """Return the network, which may be read, and the path of the log; or end the command: 2, 78 or 77."""
        from dydx_console.cli.admission import Wanted, admit, checked_address, loaded_or_fail
        from dydx_console.cli.exits import Exit, fail
        from dydx_console.cli.log import open_log
        from dydx_console.safety.policy import Entry

        overrides = {
            "network": self.network,
            "address": checked_address(self.address),
            "parent_subaccount": self.parent,
            "environment": self.environment,
        }
        loaded = loaded_or_fail(self.config, overrides)
        log_path = open_log(loaded.settings)
        if needs_account and loaded.settings.address is None:
            fail(Exit.USAGE, "which account? Give --address dydx1…, or `address` in the configuration")
        wanted = Wanted(Entry.COMMAND, read_only=self.read_only, confirm_network=self.confirm_network)
        return admit(loaded, wanted), log_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """From when to when rows are wanted, and in which time zone dates are meant and times shown."""

    since: Annotated[str | None, typer.Option("--since", help="From this date or ISO time on.")] = None
    until: Annotated[str | None, typer.Option("--until", help="Before this date or ISO time.")] = None
    time_zone: Annotated[str, typer.Option("--time-zone", help="Zone of dates, such as Europe/Zurich.")] = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """Which page of a history is wanted."""

    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Oldest rows first.")] = False
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Rows of a page.")] = 50
    page: Annotated[int, typer.Option("--page", min=1, help="Which page.")] = 1
    after: Annotated[str | None, typer.Option("--after", help="Go on behind a page: the `next` of its JSON.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an answer is printed: as a table, unless it is JSON or CSV."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False

    def __post_init__(self) -> None:
        """Raise UsageError where both are asked for."""
        if self.json and self.csv:
            raise UsageError("--json and --csv cannot both be printed: give one of them")


def taking(*groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that dataclasses hold, behind its own; it takes one of each as its first arguments.

    What it raises as UsageError ends it with that sentence and exit code 2.
    """
    shared = {group: _parameters(group) for group in groups}
    behind = [parameter for parameters in shared.values() for parameter in parameters]

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[len(groups) :]

        @functools.wraps(command)
        def called(**given: Any) -> None:
            from dydx_console.cli.exits import Exit, fail

            try:
                made = [group(**{one.name: given.pop(one.name) for one in shared[group]}) for group in groups]
                command(*made, **given)
            except UsageError as error:
                fail(Exit.USAGE, str(error))

        called.__signature__ = inspect.Signature([*own, *behind])  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *behind)}
        return called

    return decorated


def _parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(one.name, keyword, default=one.default, annotation=hints[one.name]) for one in fields(group)
    ]

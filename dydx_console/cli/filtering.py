"""What the options of the history commands ask for: which rows, which page of them, and in which time zone."""

import base64
import binascii
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from dydx_console.cli.common import Paging, Range, UsageError
from dydx_console.domain.numbers import NumberError, time_of
from dydx_console.ports.journal import HistoryQuery, PageMark
from dydx_console.state.pnl_days import ZoneError, zone_of
from dydx_console.views.history_filter import NO_FILTER, Filter, FilterError, FilterSpec, read_filter

__all__ = ["Wishes", "cursor_of", "filter_of", "mark_of", "of_parent", "query_of", "span_of", "time_zone"]

MOST_TEXT = 60
SUBACCOUNTS_OF_PARENT = 1_001
PARENTS = 128
"""A parent p has the children p + 128, p + 256 … up to 128,000
(dydxprotocol/v4-chain protocol/x/subaccounts/types/constants.go)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Which rows of a history are wanted, as the options say it."""

    range: Range
    paging: Paging
    statuses: Sequence[str] = ()
    markets: Sequence[str] = ()
    sides: Sequence[str] = ()
    types: Sequence[str] = ()
    subaccounts: Sequence[str] = ()
    order_id: str | None = None
    text: str = ""

    @property
    def zone(self) -> tzinfo:
        """The time zone. Raises UsageError."""
        return time_zone(self.range.time_zone)


def query_of(spec: FilterSpec, wishes: Wishes, markets: Collection[str] = ()) -> HistoryQuery:
    """Return the question that options ask.

    Args:
        spec: what the rows can be filtered by.
        wishes: the options.
        markets: the venue's markets; empty where they are not known, and then any name is taken.

    Raises:
        UsageError: in words that name what was wrong and what is allowed.
    """
    paging = wishes.paging
    if paging.after is not None and paging.page != 1:
        raise UsageError("--after and --page are two ways to the same page: give one of them")
    since, until = span_of(wishes.range)
    wanted = filter_of(spec, wishes, markets)
    return HistoryQuery(
        markets=wanted.markets,
        subaccounts=wanted.subaccounts,
        sides=wanted.sides,
        statuses=wanted.statuses,
        types=wanted.types,
        order_id=wishes.order_id,
        since=since,
        until=until,
        text=wishes.text,
        oldest_first=paging.oldest_first,
        limit=paging.limit,
        after=None if paging.after is None else mark_of(paging.after),
    )


def of_parent(query: HistoryQuery, parent: int) -> HistoryQuery:
    """Return a question narrowed to a parent and its children, unless it names subaccounts itself."""
    if query.subaccounts:
        return query
    return replace(query, subaccounts=tuple(parent + PARENTS * child for child in range(SUBACCOUNTS_OF_PARENT)))


def time_zone(name: str) -> tzinfo:
    """Return a time zone by its name. Raises UsageError."""
    try:
        return zone_of(name)
    except ZoneError as error:
        raise UsageError(f"--time-zone: {error}") from None


def span_of(asked: Range) -> tuple[datetime | None, datetime | None]:
    """Return a range of time in UTC: its first moment is in it, its last is not. Raises UsageError."""
    since, until, zone = asked.since, asked.until, time_zone(asked.time_zone)
    first = None if since is None else _moment("--since", since, zone)
    end = None if until is None else _moment("--until", until, zone)
    if first is not None and end is not None and first >= end:
        raise UsageError(f"--since {since} is not before --until {until}; --until is the first moment that is left out")
    return first, end


def _moment(option: str, text: str, zone: tzinfo) -> datetime:
    """Return the moment of a date (its first in `zone`) or an ISO time, in UTC. Raises UsageError."""
    try:
        at = datetime.fromisoformat(text.strip())
        return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        allowed = "write 2026-11-01, 2026-11-01T12:30 or 2026-11-01T12:30:00+01:00"
        raise UsageError(f"{option} {text[:MOST_TEXT]!r} is no date or time; {allowed}") from None


def cursor_of(mark: PageMark) -> str:
    """Return a page's end as a word for `--after`."""
    text = json.dumps([mark.at.isoformat(), mark.key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def mark_of(cursor: str) -> PageMark:
    """Return a page's end from its word. Raises UsageError."""
    try:
        told = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        told = None
    match told:
        case [str(at), str(key)]:
            try:
                return PageMark(time_of(at), key)
            except NumberError:
                pass
    raise UsageError(f"--after {cursor[:MOST_TEXT]!r} is no cursor; take `next` of the page before as it is")


def filter_of(spec: FilterSpec, wishes: Wishes, markets: Collection[str] = ()) -> Filter:
    """Return what the options filter by. Raises UsageError."""
    given = {
        "status": wishes.statuses,
        "market": wishes.markets,
        "side": wishes.sides,
        "type": wishes.types,
        "sub": wishes.subaccounts,
    }
    wanted = NO_FILTER
    for key, values in given.items():
        for value in values:
            wanted = _joined(wanted, _read(spec, key, value, markets))
    return wanted


def _read(spec: FilterSpec, key: str, value: str, markets: Collection[str]) -> Filter:
    if not value or any(char.isspace() or char == "," for char in value):
        raise UsageError(f"{value[:MOST_TEXT]!r} is no {key}; give the option once for each")
    try:
        return read_filter(f"{key}:{value}", spec, markets, None)
    except FilterError as error:
        raise UsageError(str(error)) from None


def _joined(one: Filter, other: Filter) -> Filter:
    return Filter(
        statuses=(*one.statuses, *other.statuses),
        markets=(*one.markets, *other.markets),
        sides=(*one.sides, *other.sides),
        types=(*one.types, *other.types),
        subaccounts=(*one.subaccounts, *other.subaccounts),
    )

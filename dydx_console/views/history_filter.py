"""The History screen's filter line: words such as `status:filled market:btc since:2026-11-01`, read and judged."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TypeAlias

from dydx_console.domain.enums import DisplayStatus, FillType, OrderType, Side

__all__ = [
    "FILLS_FILTER",
    "FUNDING_FILTER",
    "LIVES_FILTER",
    "NO_FILTER",
    "ORDERS_FILTER",
    "TRANSFERS_FILTER",
    "Filter",
    "FilterError",
    "FilterSpec",
    "filter_text",
    "read_filter",
]

TIMES = ("since", "until")
LAST_SUBACCOUNT = 128_000
"""The highest subaccount number of the chain (dydxprotocol/v4-chain protocol/x/subaccounts/types/constants.go)."""


class FilterError(ValueError):
    """A filter that cannot be read; the message is a sentence that says what is allowed."""


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """What one kind of row, named by `rows`, can be filtered by: the words allowed for status, side and type.

    An empty tuple is a filter that the rows do not have.
    """

    rows: str
    statuses: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    has_market: bool = True
    has_text: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        """The words before the colon."""
        given = (
            ("status", self.statuses),
            ("market", self.has_market),
            ("side", self.sides),
            ("type", self.types),
            ("sub", self.has_market),
        )
        return (*(key for key, has in given if has), *TIMES)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; an empty one wants all. `since` is included, `until` is not."""

    statuses: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    subaccounts: tuple[int, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


NO_FILTER = Filter()
_COUNTED = re.compile("now|today|[0-9]{1,6}[dh]", re.IGNORECASE)
_SIDES = tuple(str(side) for side in Side)
ORDERS_FILTER = FilterSpec("orders", tuple(map(str, DisplayStatus)), _SIDES, tuple(map(str, OrderType)))
FILLS_FILTER = FilterSpec("fills", sides=_SIDES, types=tuple(map(str, FillType)))
FUNDING_FILTER = FilterSpec("funding payments")
TRANSFERS_FILTER = FilterSpec(
    "transfers", types=("DEPOSIT", "WITHDRAWAL", "TRANSFER_IN", "TRANSFER_OUT"), has_market=False
)
LIVES_FILTER = FilterSpec("positions", statuses=("OPEN", "CLOSED"), sides=("LONG", "SHORT"))

Given: TypeAlias = dict[str, tuple[str, ...]]


def read_filter(text: str, spec: FilterSpec, markets: Collection[str], now: datetime | None) -> Filter:
    """Return what a filter line asks for.

    Args:
        text: words of the form key:value or key:value,value; letters of either case.
        spec: what the rows can be filtered by.
        markets: the venue's markets; empty where they are not known, and then any name is taken.
        now: what `today`, `7d` and `12h` are counted from, in UTC; None where no time is known.

    Raises:
        FilterError: in words that name what was wrong and what is allowed.
    """
    given = _given(text, spec)
    since, until = (_moment(key, given.get(key, ()), now) for key in TIMES)
    if since is not None and until is not None and since >= until:
        raise FilterError(f"since {_written(since)} is not before until {_written(until)}")
    return Filter(
        statuses=_chosen("status", given, spec.statuses),
        markets=tuple(dict.fromkeys(_market(name, markets) for name in given.get("market", ()))),
        sides=_chosen("side", given, spec.sides),
        types=_chosen("type", given, spec.types),
        subaccounts=tuple(dict.fromkeys(map(_subaccount, given.get("sub", ())))),
        since=since,
        until=until,
    )


def filter_text(wanted: Filter) -> str:
    """Return a filter as its line would be written in full; empty for none."""
    lists: Sequence[tuple[str, Sequence[object]]] = (
        ("status", wanted.statuses),
        ("market", wanted.markets),
        ("side", wanted.sides),
        ("type", wanted.types),
        ("sub", wanted.subaccounts),
    )
    words = [f"{key}:{','.join(map(str, values))}" for key, values in lists if values]
    times = (("since", wanted.since), ("until", wanted.until))
    return " ".join([*words, *(f"{key}:{_written(at)}" for key, at in times if at is not None)])


def _given(text: str, spec: FilterSpec) -> Given:
    given: Given = {}
    for word in text.split():
        key, colon, values = word.replace("=", ":", 1).partition(":")
        key = key.lower()
        if key not in spec.keys:
            raise FilterError(f"{spec.rows} have no filter {key!r}: write key:value with {_listed(spec.keys)}")
        if not colon or not values.strip(","):
            raise FilterError(f"{key} of what? write {key}:value")
        if key in given:
            raise FilterError(f"{key} is given twice; several values are written {key}:one,other")
        given[key] = tuple(value for value in values.split(",") if value)
    return given


def _chosen(key: str, given: Given, allowed: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(_meant(key, value, allowed) for value in given.get(key, ()))))


def _meant(key: str, value: str, allowed: Sequence[str]) -> list[str]:
    """Return the allowed word, or those that begin with what was written."""
    word = value.upper().replace("-", "_")
    found = [word] if word in allowed else [one for one in allowed if one.startswith(word)]
    if not found:
        raise FilterError(f"there is no {key} {value!r}: allowed are {_listed([one.lower() for one in allowed])}")
    return found


def _market(name: str, markets: Collection[str]) -> str:
    wanted = name.upper()
    if not markets or wanted in markets:
        return wanted if markets or "-" in wanted else f"{wanted}-USD"
    if f"{wanted}-USD" in markets:
        return f"{wanted}-USD"
    near = sorted(market for market in markets if market.startswith(wanted))[:5]
    hint = f"did you mean {_listed(near)}?" if near else "the venue has no such market"
    raise FilterError(f"there is no market {name!r}: {hint}")


def _subaccount(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= LAST_SUBACCOUNT):
        raise FilterError(f"{text!r} is no subaccount: allowed are numbers from 0 to {LAST_SUBACCOUNT:,}")
    return int(text)


def _moment(key: str, values: tuple[str, ...], now: datetime | None) -> datetime | None:
    if not values:
        return None
    if len(values) > 1:
        raise FilterError(f"{key} takes one moment, not {len(values)}")
    text = values[0]
    at = _counted(text.lower(), now) if _COUNTED.fullmatch(text) else _dated(text)
    if at is None:
        raise FilterError(f"{key}:{values[0]} is no moment: write 2026-11-01, 2026-11-01T12:30, today, 7d or 12h (UTC)")
    return at


def _counted(text: str, now: datetime | None) -> datetime | None:
    if now is None:
        raise FilterError(f"{text} cannot be counted: the venue's time is not known yet")
    if text == "now":
        return now
    if text == "today":
        return now.replace(hour=0, minute=0, second=0, microsecond=0)
    unit = timedelta(days=1) if text[-1] == "d" else timedelta(hours=1)
    try:
        return now - int(text[:-1]) * unit
    except OverflowError:
        return None


def _dated(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None


def _written(at: datetime) -> str:
    text = f"{at:%Y-%m-%dT%H:%M:%S}" if at.second or at.microsecond else f"{at:%Y-%m-%dT%H:%M}"
    return text.removesuffix("T00:00")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)

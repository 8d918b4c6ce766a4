"""What a request for orders asks: its query read and judged, and the opaque word for the page behind."""

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from dydx_console.domain.numbers import NumberError, time_of
from dydx_console.ports.journal import HistoryQuery, PageMark
from dydx_console.views.history_filter import ORDERS_FILTER, Filter, FilterError, read_filter

__all__ = ["DEFAULT_LIMIT", "KEYS", "MOST_LIMIT", "QueryError", "cursor_of", "orders_query"]

KEYS = ("status", "market", "side", "type", "subaccount", "since", "until", "text", "order", "limit", "cursor")
DEFAULT_LIMIT = 50
MOST_LIMIT = 500
MOST_TEXT = 100
CHILDREN = 128
LAST_SUBACCOUNT = 128_000
"""A parent p has the children p + 128, p + 256 … up to 128,000
(dydxprotocol/v4-chain protocol/x/subaccounts/types/constants.go)."""
_FILTERS = {"status": "status", "market": "market", "side": "side", "type": "type", "subaccount": "sub",
            "since": "since", "until": "until"}  # fmt: skip
_ORDERS = ("newest", "oldest")


class QueryError(ValueError):
    """A query that cannot be answered; the message is a sentence that says what is allowed."""


def orders_query(raw: bytes, parent: int | None, markets: Collection[str], now: datetime | None) -> HistoryQuery:
    """Return the question of /api/orders.

    Args:
        raw: the query as it was sent; a key may stand several times, or have several values with commas between.
        parent: narrows the question to a parent subaccount and its children, unless it names subaccounts itself.
        markets: the venue's markets; empty where they are not known, and then any name is taken.
        now: what times such as `7d` are counted from.

    Raises:
        QueryError: in words that name what was wrong and what is allowed.
    """
    given = _given(raw)
    wanted = _filter(given, markets, now)
    every = () if parent is None else tuple(range(parent, LAST_SUBACCOUNT + 1, CHILDREN))
    query = HistoryQuery(
        markets=wanted.markets,
        subaccounts=wanted.subaccounts or every,
        sides=wanted.sides,
        statuses=wanted.statuses,
        types=wanted.types,
        since=wanted.since,
        until=wanted.until,
        text=_text(given),
        oldest_first=_single(given, "order", _ORDERS[0]) == _ORDERS[1],
        limit=_limit(given),
    )
    if _single(given, "order", _ORDERS[0]) not in _ORDERS:
        raise QueryError("order is newest or oldest: which rows come first")
    cursor = _single(given, "cursor", "")
    return query if not cursor else query.beyond(_mark(cursor, given))


def cursor_of(mark: PageMark | None, raw: bytes) -> str | None:
    """Return the word for the page behind `mark`, which fits only the question it was given for; None for no page."""
    if mark is None:
        return None
    text = json.dumps([mark.at.isoformat(), mark.key, _fingerprint(_given(raw))], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _given(raw: bytes) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
    except ValueError:
        raise QueryError("the query cannot be read: write key=value&key=value in ASCII, the rest escaped") from None
    given: dict[str, list[str]] = {}
    for key, value in pairs:
        if key not in KEYS:
            raise QueryError(f"there is no {key[:MOST_TEXT]!r} to ask for; there are {', '.join(KEYS)}")
        if not value or not value.isprintable():
            raise QueryError(f"{key} needs a value that can be shown")
        given.setdefault(key, []).append(value)
    return given


def _filter(given: Mapping[str, list[str]], markets: Collection[str], now: datetime | None) -> Filter:
    words = []
    for key, word in _FILTERS.items():
        values = given.get(key)
        if values is None:
            continue
        if any(" " in value for value in values):
            # in a query, + is a blank, and what was meant is the + of a time's offset
            raise QueryError(f"{key} holds a blank; write + as %2B")
        words.append(f"{word}:{','.join(values)}")
    try:
        return read_filter(" ".join(words), ORDERS_FILTER, markets, now)
    except FilterError as error:
        raise QueryError(str(error)) from None


def _single(given: Mapping[str, list[str]], key: str, default: str) -> str:
    values = given.get(key, [default])
    if len(values) > 1:
        raise QueryError(f"{key} may be given once")
    return values[0]


def _text(given: Mapping[str, list[str]]) -> str:
    text = _single(given, "text", "")
    if len(text) > MOST_TEXT:
        raise QueryError(f"text may have {MOST_TEXT} characters, no more")
    return text


def _limit(given: Mapping[str, list[str]]) -> int:
    text = _single(given, "limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_LIMIT):
        raise QueryError(f"limit is a number from 1 to {MOST_LIMIT}")
    return int(text)


def _mark(cursor: str, given: Mapping[str, list[str]]) -> PageMark:
    try:
        told = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        told = None
    match told:
        case [str(at), str(key), str(fingerprint)] if fingerprint == _fingerprint(given):
            try:
                return PageMark(time_of(at), key)
            except NumberError:
                pass
        case [str(), str(), str()]:
            raise QueryError("this cursor belongs to another question: only limit may change from page to page")
    raise QueryError("this is no cursor; take `next` of the page before as it is")


def _fingerprint(given: Mapping[str, list[str]]) -> str:
    asked = {key: values for key, values in sorted(given.items()) if key not in ("cursor", "limit")}
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]

"""What answers say of budgets, read with suspicion: the Indexer's units are its own, and proxies stand in front of it.

The Indexer tells `RateLimit-Reset` as epoch milliseconds and `Retry-After` in milliseconds
(dydxprotocol/v4-chain indexer/services/comlink/src/lib/rate-limit.ts); proxies follow RFC 9110 §10.2.3 (seconds or a
date) and the drafts of RateLimit headers (seconds from now).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["BudgetHeaders", "budget_headers", "retry_after_s"]

LARGEST_LIMIT = 1_000_000
SECONDS_BELOW = 1_000_000
"""A reset below this is a number of seconds from now: as an epoch it would lie in 1970."""
MILLISECONDS_FROM = 100_000_000_000
"""An epoch from here on is in milliseconds: in seconds it would lie beyond the year 5000."""
_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class BudgetHeaders:
    """The budget as an answer tells it, None where it does not.

    `window_id` names the window by the moment of its end on the venue's clock, in milliseconds; `left_s` is how long
    the window lasts still at most. `in_milliseconds` tells that units are the Indexer's, which then holds for
    `Retry-After` too.
    """

    limit: int | None
    remaining: int
    window_id: int | None = None
    left_s: float | None = None
    in_milliseconds: bool = False


def budget_headers(headers: Mapping[str, str]) -> BudgetHeaders | None:
    """Return the budget that an answer tells, None where it tells none that can be believed.

    `headers` must find names in any case.
    """
    remaining = _number(headers.get("RateLimit-Remaining"))
    if remaining is None or remaining > LARGEST_LIMIT:
        return None
    limit = _number(headers.get("RateLimit-Limit"))
    if limit is not None and not max(remaining, 1) <= limit <= LARGEST_LIMIT:
        return None
    reset = _number(headers.get("RateLimit-Reset"))
    if reset is None:
        return BudgetHeaders(_whole(limit), int(remaining))
    if reset < SECONDS_BELOW:
        return BudgetHeaders(_whole(limit), int(remaining), left_s=reset)
    in_ms = reset >= MILLISECONDS_FROM
    ends_at = reset / 1000 if in_ms else reset
    left_s = _left_s(ends_at, headers.get("Date"))
    return BudgetHeaders(_whole(limit), int(remaining), int(ends_at * 1000), left_s, in_ms)


def retry_after_s(header: str | None, utc: datetime, *, in_milliseconds: bool) -> float | None:
    """Return the wait in seconds that an answer asks for, 0 or more and without an upper bound.

    None where the header is absent, negative or unreadable.

    Args:
        header: the header's text.
        utc: the moment of the answer, for headers that name a date.
        in_milliseconds: whether the answer is the Indexer's own, whose plain numbers are milliseconds.
    """
    text = (header or "").strip()
    number = _number(text)
    if number is not None:
        return number / 1000 if in_milliseconds else number
    if not text or text[0] in "+-0123456789":
        return None
    moment = _date(text)
    return None if moment is None else max((moment - utc).total_seconds(), 0.0)


def _left_s(ends_at: float, date: str | None) -> float | None:
    """Return how long a window lasts by the venue's own clock, which `Date` tells in whole seconds, cut off."""
    moment = _date((date or "").strip())
    if moment is None or ends_at <= moment.timestamp():
        return None
    return ends_at - moment.timestamp()


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)

"""How the Indexer writes numbers, times and ids."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDE = Context(prec=120, rounding=ROUND_HALF_UP)
_SCALE_20 = Decimal(1).scaleb(-20)
_BASE_DIGITS = 4
_MIN_DIGITS = 16
NAMESPACE = uuid.UUID("0f9da948-a6fb-4c45-9edc-4685c3f3317d")


def number(value: Decimal) -> str:
    """Plain notation without trailing zeros, never an exponent."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def times(left: Decimal, right: Decimal) -> Decimal:
    """An exact product."""
    return _WIDE.multiply(left, right)


def plus(left: Decimal, right: Decimal) -> Decimal:
    """An exact sum."""
    return _WIDE.add(left, right)


def ratio(numerator: Decimal, denominator: Decimal) -> Decimal:
    """A quotient rounded to 20 decimals, half up, as numeric(256,20) division gives it."""
    return _WIDE.divide(numerator, denominator).quantize(_SCALE_20, context=_WIDE)


def quotient(numerator: Decimal, denominator: Decimal) -> Decimal:
    """A quotient with the digits that PostgreSQL gives one of plain numerics (select_div_scale in numeric.c)."""
    weights, firsts = zip(_leading(numerator), _leading(denominator), strict=True)
    weight = weights[0] - weights[1] - (1 if firsts[0] <= firsts[1] else 0)
    scale = max(_MIN_DIGITS - weight * _BASE_DIGITS, _scale(numerator), _scale(denominator), 0)
    return _WIDE.divide(numerator, denominator).quantize(Decimal(1).scaleb(-scale), context=_WIDE)


def _scale(value: Decimal) -> int:
    exponent = value.normalize(_WIDE).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _leading(value: Decimal) -> tuple[int, int]:
    """Weight and value of the first of the digits to the base of 10,000."""
    if value == 0:
        return 0, 0
    weight = value.adjusted() // _BASE_DIGITS
    return weight, int(abs(value).scaleb(-weight * _BASE_DIGITS))


@lru_cache(maxsize=4096)
def iso(time_ms: int) -> str:
    """ISO-8601 in UTC with milliseconds and `Z`."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def iso_seconds(time_s: int) -> str:
    """A whole second in the same form."""
    return iso(time_s * 1000)


def parse_iso(text: str) -> int | None:
    """Unix milliseconds of an ISO-8601 text (UTC when it names no zone); None when it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def uuid5(name: str) -> str:
    """The Indexer's name-based id (indexer/packages/postgres/src/helpers/uuid.ts)."""
    return str(uuid.uuid5(NAMESPACE, name))


@lru_cache(maxsize=4096)
def subaccount_uuid(address: str, number: int) -> str:
    """Id of a subaccount row."""
    return uuid5(f"{address}-{number}")


@lru_cache(maxsize=16_384)
def order_uuid(subaccount_id: str, client_id: int, clob_pair_id: int, flags: int) -> str:
    """Id of an order row: it has no time in it, so a client id used again revives the same row."""
    return uuid5(f"{subaccount_id}-{client_id}-{clob_pair_id}-{flags}")


def fill_uuid(event_id: str, liquidity: str) -> str:
    """Id of one side of a match."""
    return uuid5(f"{event_id}-{liquidity}")

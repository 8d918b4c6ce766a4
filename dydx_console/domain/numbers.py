"""Exact numbers from text: Decimal for amounts, int for heights; never a float."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache

__all__ = ["MATH", "ZERO", "NumberError", "decimal_of", "divide", "height_of", "sum_known", "time_of"]

ZERO = Decimal(0)

MATH = Context(prec=60)
"""Products and sums of venue figures are exact in 60 digits; only divisions round."""

# Prices, sizes and times repeat from message to message, and reading one costs more than the rest of a book update;
# the functions below remember answers, which cannot change.
_DECIMAL = re.compile(r"[+-]?(?:\d{1,60}(?:\.\d{0,60})?|\.\d{1,60})(?:[eE][+-]?\d{1,2})?")
_HEIGHT = re.compile(r"\d{1,18}")
_LARGEST = Decimal("1e40")


class NumberError(ValueError):
    """A text that should hold a number, height or time and does not."""


@lru_cache(maxsize=4_096)
def decimal_of(text: str) -> Decimal:
    """Return the exact value of a decimal text.

    Raises NumberError for anything else: NaN, infinities, underscores, non-ASCII digits, magnitudes from 1e40.
    Exponents of up to two digits are read, because a sum formatted by JavaScript can carry one.
    """
    if not text.isascii() or _DECIMAL.fullmatch(text) is None:
        raise NumberError(f"not a decimal number: {text[:40]!r}")
    value = Decimal(text)
    if value.copy_abs() >= _LARGEST:
        raise NumberError(f"number out of range: {text[:40]!r}")
    return value


@lru_cache(maxsize=1_024)
def height_of(text: str) -> int:
    """Return a block height written as decimal digits. Raises NumberError for anything else."""
    if not text.isascii() or _HEIGHT.fullmatch(text) is None:
        raise NumberError(f"not a block height: {text[:40]!r}")
    return int(text)


@lru_cache(maxsize=1_024)
def time_of(text: str) -> datetime:
    """Return the UTC time of an ISO-8601 text with a zone. Raises NumberError for anything else."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise NumberError(f"not an ISO-8601 time: {text[:40]!r}") from None
    if value.tzinfo is None:
        raise NumberError(f"time without a zone: {text[:40]!r}")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise NumberError(f"time out of range: {text[:40]!r}") from None


def divide(numerator: Decimal, denominator: Decimal) -> Decimal | None:
    """Return the quotient in 60 digits, or None where the denominator is zero."""
    try:
        return MATH.divide(numerator, denominator)
    except (InvalidOperation, ZeroDivisionError):
        return None


def sum_known(values: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum in the context in use, None where any part is unknown."""
    total = ZERO
    for value in values:
        if value is None:
            return None
        total += value
    return total

"""Frozen values as rows: decimals as exact text, times as whole microseconds since 1970 UTC."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from types import NoneType
from typing import Any, Generic, NamedTuple, TypeVar, get_args, get_type_hints

__all__ = ["Columns", "Row", "micros", "time_at"]

T = TypeVar("T")
Row = tuple[Any, ...]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return a time as whole microseconds since 1970 UTC. Raises TypeError for one without a zone."""
    return (at - EPOCH) // MICROSECOND


def time_at(count: int) -> datetime:
    """Return the UTC time that `micros` has told."""
    return EPOCH + timedelta(microseconds=count)


class Codec(NamedTuple):
    """How the values of a field go into a column and come back; None is as it is."""

    encode: Callable[[Any], Any] | None
    decode: Callable[[Any], Any] | None


AS_IT_IS = Codec(None, None)


class Columns(Generic[T]):
    """The columns of a frozen value, one for each field, in their order.

    Args:
        made: the value's class. Its fields are text, int, bool, Decimal, datetime or StrEnum, or None beside one.
    """

    def __init__(self, made: type[T]) -> None:
        declared: Any = made
        hints = get_type_hints(made)
        self.names = tuple(field.name for field in fields(declared))
        self.optional = tuple(field.name for field in fields(declared) if NoneType in get_args(hints[field.name]))
        self._make: Callable[..., T] = made
        self._values = attrgetter(*self.names)
        codecs = [_codec(hints[name]) for name in self.names]
        self._encoders = tuple((place, codec.encode) for place, codec in enumerate(codecs) if codec.encode is not None)
        self._decoders = tuple((place, codec.decode) for place, codec in enumerate(codecs) if codec.decode is not None)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def encode(self, value: T) -> Row:
        """Return a value's row."""
        row = list(self._values(value))
        for place, encode in self._encoders:
            if row[place] is not None:
                row[place] = encode(row[place])
        return tuple(row)

    def decode(self, row: Row) -> T:
        """Return the value of a row."""
        values = list(row)
        for place, decode in self._decoders:
            if values[place] is not None:
                values[place] = decode(values[place])
        return self._make(*values)


def _codec(hint: Any) -> Codec:
    """Return the codec of a field's type, None beside it left aside."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType] or [hint]
    kind = kinds[0]
    if kind is Decimal:
        return Codec(str, Decimal)
    if kind is datetime:
        return Codec(micros, time_at)
    if kind is bool:
        return Codec(None, bool)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Codec(str, kind)
    if len(kinds) == 1 and kind in (str, int):
        return AS_IT_IS
    raise TypeError(f"no column holds {hint}")

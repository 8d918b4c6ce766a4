"""Small curves within a table's row: the newest values of a market at equal distances in time."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from dydx_console.domain.numbers import MATH, divide

__all__ = ["EVERY_S", "WIDTH", "Trends", "change_of", "sparkline"]

EVERY_S = 10.0
"""Seconds between two samples."""
WIDTH = 24
"""Samples that are kept of each name, and cells that they take."""
_BARS = "▁▂▃▄▅▆▇█"
_EVEN = "▄"
_UNKNOWN = " "


class Trends:
    """The newest samples by name, `width` at most of each; what was not looked at or not known is a hole.

    Args:
        every_s: seconds between two samples.
        width: samples that are kept of each name.
    """

    def __init__(self, every_s: float = EVERY_S, width: int = WIDTH) -> None:
        self._every_s = every_s
        self._width = width
        self._turn: int | None = None
        self._samples: dict[str, deque[Decimal | None]] = {}

    def is_due(self, now: float) -> bool:
        """Return whether a sample would be taken now, in seconds of a clock that never goes back."""
        return self._turn is None or int(now // self._every_s) > self._turn

    def note(self, now: float, values: Mapping[str, Decimal | None]) -> bool:
        """Take a sample of every name where one is due; returns whether it was.

        Samples that were due meanwhile and not taken are unknown, and a name without any known sample is forgotten.
        """
        if not self.is_due(now):
            return False
        turn = int(now // self._every_s)
        missed = 0 if self._turn is None else min(turn - self._turn - 1, self._width)
        self._turn = turn
        for name in [*self._samples, *(name for name in values if name not in self._samples)]:
            kept = self._samples.setdefault(name, deque(maxlen=self._width))
            kept.extend([None] * missed)
            kept.append(values.get(name))
        self._samples = {name: kept for name, kept in self._samples.items() if any(v is not None for v in kept)}
        return True

    def of(self, name: str) -> tuple[Decimal | None, ...]:
        """Return the samples of a name, oldest first."""
        return tuple(self._samples.get(name, ()))


def sparkline(samples: Sequence[Decimal | None]) -> str:
    """Return a cell for each sample, as high as it stands between lowest and highest; unknown is a blank."""
    known = [sample for sample in samples if sample is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    return "".join(_UNKNOWN if sample is None else _bar(sample, low, high) for sample in samples)


def change_of(samples: Iterable[Decimal | None]) -> Decimal | None:
    """Return the change from the first known sample to the last as a fraction, None where there are not two."""
    known = [sample for sample in samples if sample is not None]
    return divide(known[-1] - known[0], known[0]) if len(known) > 1 else None


def _bar(value: Decimal, low: Decimal, high: Decimal) -> str:
    if high == low:
        return _EVEN
    share = MATH.divide(MATH.multiply(MATH.subtract(value, low), Decimal(len(_BARS) - 1)), MATH.subtract(high, low))
    return _BARS[int(share.to_integral_value(ROUND_HALF_EVEN))]

"""A curve in braille: two dots a cell across, four down, drawn from exact values with axes of its own.

Where several values fall into one column of dots all of their range is drawn, so that no peak is lost; where a value is
unknown there is a hole, never a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.views.format import amount, clock, day, money
from dydx_console.views.table import Cell, Ink, Line
from dydx_console.views.width import cells

__all__ = ["LONGEST", "NO_CURVE", "Raster", "Sample", "Thinner", "chart_lines", "extended", "rastered", "thinned"]

NO_CURVE = "no curve yet"
LONGEST = timedelta(minutes=5)
"""Points of the journal, which writes one a minute, that lie further apart have a hole between them: the console did
not run, or was not live.
"""
LEAST_WIDTH = 10
LEAST_HEIGHT = 3
DOTS_ACROSS = 2
DOTS_DOWN = 4
BRAILLE = 0x2800
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Of a cell's left and right dots, the bits from top to bottom."""
_LEFT, _RIGHT = (
    tuple(sum(bits[down] for down in range(DOTS_DOWN) if four >> down & 1) for four in range(1 << DOTS_DOWN))
    for bits in _BITS
)
"""What four dots of a column, as a number whose lowest bit is the top one, make of a cell."""
_FOUR = (1 << DOTS_DOWN) - 1
_ZERO_LINE = "┄"
_NO_TIME = timedelta(0)
_STEPS = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Sample:
    """A value at a moment; None where it is known that it was not known."""

    at: datetime
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Raster:
    """Dots by column, left to right: bit n of a column is its dot n from the top. `low` and `high` are the values' own.

    The highest value stands in the top row and the lowest in the bottom row; where all are equal, in the middle.
    """

    columns: tuple[int, ...]
    rows: int
    low: Decimal
    high: Decimal
    _span: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Measure the range: drawing needs no more digits than a float has."""
        object.__setattr__(self, "_span", float(MATH.subtract(self.high, self.low)))

    def row_of(self, value: Decimal) -> int:
        """Return the row of dots of a value within the range, 0 at the top."""
        if self.high == self.low:
            return (self.rows - 1) // 2
        return round(float(MATH.subtract(self.high, value)) / self._span * (self.rows - 1))


def rastered(
    samples: Sequence[Sample], columns: int, rows: int, start: datetime | None = None, end: datetime | None = None
) -> Raster | None:
    """Return the dots of samples that stand oldest first, None where no value is known between `start` and `end`.

    Known neighbours are joined by a line. `start` and `end` are the first and last sample's times where not given;
    samples outside are left out.
    """
    within = _within(samples, start, end)
    values = [sample.value for sample in within if sample.value is not None]
    if not values:
        return None
    raster = Raster((), rows, min(values), max(values))
    first, last = start or within[0].at, end or within[-1].at
    dots = [0] * columns
    before: tuple[int, int] | None = None
    for sample in within:
        if sample.value is None:
            before = None
            continue
        place = (_column_of(sample.at, first, last, columns), raster.row_of(sample.value))
        _join(dots, before or place, place)
        before = place
    return Raster(tuple(dots), rows, raster.low, raster.high)


def chart_lines(
    samples: Sequence[Sample],
    width: int,
    height: int,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    is_signed: bool = False,
    label: Callable[[Decimal, int], str] | None = None,
) -> list[Line]:
    """Return a chart of at most `width` × `height` cells, at least 10 × 3: the curve, its values right, times below.

    Args:
        samples: oldest first.
        start: where the time axis begins; without it, at the first sample.
        end: where it ends; without it, at the last.
        is_signed: whether the ink tells what is above zero from what is below.
        label: writes a value into a number of cells; without it, amounts of USDC.
    """
    width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
    room = max(min(width // 3, 11), 5)
    across = width - room - 1
    raster = rastered(samples, across * DOTS_ACROSS, (height - 1) * DOTS_DOWN, start, end)
    if raster is None:
        return [(Cell(NO_CURVE, Ink.DIM),)]
    within = _within(samples, start, end)
    labels = _labels(raster, height - 1, room, label or _money)
    lines = [
        (*_curve_row(raster, row, is_signed=is_signed), Cell(f" {labels.get(row, '')}", Ink.DIM))
        for row in range(height - 1)
    ]
    times = _times(start or within[0].at, end or within[-1].at, across)
    return [*lines, (Cell(times, Ink.DIM),)]


def extended(samples: Sequence[Sample], newest: Sample, longest: timedelta = LONGEST) -> Sequence[Sample]:
    """Return samples that go on to a newer one, with a hole between where that is more than `longest` later."""
    if samples and samples[-1].at >= newest.at:
        return samples
    if samples and newest.at - samples[-1].at > longest:
        return [*samples, Sample(samples[-1].at, None), newest]
    return [*samples, newest]


def thinned(samples: Sequence[Sample], parts: int) -> Sequence[Sample]:
    """Return what a chart of `parts` columns can show of samples, holes included."""
    if not samples:
        return samples
    thinner = Thinner(samples[0].at, samples[-1].at, parts, timedelta.max)
    thinner.add(samples)
    return thinner.samples()


@dataclass(slots=True)
class Thinner:
    """Takes any number of samples, oldest first, and keeps what a chart can show: a bounded number of them.

    Of each of `parts` equal pieces of time it keeps the first, lowest, highest and last value. Neighbours that lie
    further apart than `longest` have a hole between them: nobody looked meanwhile.
    """

    start: datetime
    end: datetime
    parts: int
    longest: timedelta
    _kept: list[Sample] = field(default_factory=list)
    _held: list[Sample] = field(default_factory=list)
    _part: int = -1
    _last_at: datetime | None = None

    def add(self, samples: Iterable[Sample]) -> None:
        """Take further samples; those from outside the time and from before the last one are left out."""
        for sample in samples:
            is_late = self._last_at is not None and sample.at < self._last_at
            if is_late or not self.start <= sample.at <= self.end:
                continue
            self._take(sample)
            self._last_at = sample.at

    def samples(self) -> list[Sample]:
        """Return what is kept, oldest first."""
        return [*self._kept, *_extremes(self._held)]

    def _take(self, sample: Sample) -> None:
        if self._last_at is not None and sample.at - self._last_at > self.longest:
            self._end_part()
            self._kept.append(Sample(self._last_at, None))
        if sample.value is None:
            self._end_part()
            if not self._kept or self._kept[-1].value is not None:
                self._kept.append(sample)
            return
        part = _column_of(sample.at, self.start, self.end, self.parts)
        if part != self._part:
            self._end_part()
            self._part = part
        self._held.append(sample)
        if len(self._held) > 4 * DOTS_DOWN:
            self._held = _extremes(self._held)

    def _end_part(self) -> None:
        self._kept += _extremes(self._held)
        self._held = []


def _extremes(samples: Sequence[Sample]) -> list[Sample]:
    """Return the first, lowest, highest and last of known samples in their order, each once."""
    if len(samples) <= DOTS_DOWN:
        return list(samples)
    by_value = sorted(range(len(samples)), key=lambda index: samples[index].value or ZERO)
    return [samples[index] for index in sorted({0, by_value[0], by_value[-1], len(samples) - 1})]


def _within(samples: Sequence[Sample], start: datetime | None, end: datetime | None) -> Sequence[Sample]:
    if start is None and end is None:
        return samples
    return [sample for sample in samples if (start is None or start <= sample.at) and (end is None or sample.at <= end)]


def _column_of(at: datetime, start: datetime, end: datetime, columns: int) -> int:
    """Return the column of a moment; a range without length has the last one alone."""
    length = end - start
    return min(int((at - start) / length * columns), columns - 1) if length > _NO_TIME else columns - 1


def _join(dots: list[int], before: tuple[int, int], place: tuple[int, int]) -> None:
    """Set the dots from one place, which stands, to the next, so that each touches its neighbour."""
    (left, above), (right, below) = before, place
    if left == right:
        dots[left] |= _run(above, below)
        return
    row = above
    for column in range(left + 1, right + 1):
        target = above + ((below - above) * (column - left) * 2 + (right - left)) // ((right - left) * 2)
        step = (target > row) - (target < row)
        dots[column] |= _run(row + step, target)
        row = target


def _run(one: int, other: int) -> int:
    top, bottom = min(one, other), max(one, other)
    return ((1 << (bottom - top + 1)) - 1) << top


def _curve_row(raster: Raster, row: int, *, is_signed: bool) -> Iterator[Cell]:
    """Yield a row of cells, the zero line where no dot stands, in as few pieces as its inks allow."""
    zero = _zero_row(raster)
    blank = Cell(_ZERO_LINE, Ink.DIM) if row == zero else Cell(" ")
    ink = _ink_of(raster, row, zero) if is_signed else Ink.ACCENT
    text, held = "", blank.ink
    for column in range(0, len(raster.columns), DOTS_ACROSS):
        glyph = _glyph(raster.columns[column : column + DOTS_ACROSS], row)
        wanted = blank.ink if glyph is None else ink
        if wanted is not held and text:
            yield Cell(text, held)
            text = ""
        held = wanted
        text += glyph or blank.text
    yield Cell(text, held)


def _glyph(columns: Sequence[int], row: int) -> str | None:
    shift = row * DOTS_DOWN
    dots = _LEFT[columns[0] >> shift & _FOUR]
    if len(columns) > 1:
        dots |= _RIGHT[columns[1] >> shift & _FOUR]
    return chr(BRAILLE + dots) if dots else None


def _zero_row(raster: Raster) -> int | None:
    """Return the row of cells in which zero stands, None where no value's neighbourhood holds it."""
    return raster.row_of(ZERO) // DOTS_DOWN if raster.low < ZERO < raster.high else None


def _ink_of(raster: Raster, row: int, zero: int | None) -> Ink:
    if zero is None:
        return Ink.GAIN if raster.low > ZERO else Ink.LOSS if raster.high < ZERO else Ink.ACCENT
    return Ink.GAIN if row < zero else Ink.LOSS if row > zero else Ink.ACCENT


def _labels(raster: Raster, rows: int, room: int, label: Callable[[Decimal, int], str]) -> dict[int, str]:
    """Return what stands beside rows of cells: the highest and lowest value, zero, and round values where room is."""
    wanted = [raster.high, raster.low]
    if raster.low < ZERO < raster.high:
        wanted.append(ZERO)
    wanted += _round_values(raster.low, raster.high, rows // 3)
    shown: dict[int, str] = {}
    for index, value in enumerate(wanted):
        row = raster.row_of(value) // DOTS_DOWN
        text = label(value, room)
        is_crowded = row in shown or (index > 1 and (row - 1 in shown or row + 1 in shown) and value != ZERO)
        if not is_crowded and cells(text) <= room:
            shown[row] = text.rjust(room)
    return shown


def _round_values(low: Decimal, high: Decimal, most: int) -> list[Decimal]:
    """Return at most `most` + 1 values within a range, all multiples of 1, 2 or 5 times a power of ten."""
    span = MATH.subtract(high, low)
    if most < 1 or span <= ZERO:
        return []
    least = MATH.divide(span, Decimal(most))
    unit = Decimal(1).scaleb(least.adjusted())
    step = next(MATH.multiply(unit, factor) for factor in _STEPS if MATH.multiply(unit, factor) >= least)
    first = MATH.divide(low, step).to_integral_value(ROUND_FLOOR) + 1
    values = (MATH.multiply(step, first + number) for number in range(most + 1))
    return [value for value in values if low < value < high]


def _money(value: Decimal, room: int) -> str:
    return amount(money(value), value, room)


def _times(start: datetime, end: datetime, across: int) -> str:
    """Return the time axis: its beginning left, its end right, its middle where there is room."""
    length = end - start
    writes = _writes(length)
    written = next((write for write in writes if 2 * cells(write(end)) + 2 <= across), None)
    if written is None:
        last = writes[-1](end)
        return last.rjust(across) if cells(last) <= across else ""
    first, last, middle = written(start), written(end), written(start + length / 2)
    axis = first + last.rjust(across - cells(first))
    at = (across - cells(middle)) // 2
    if cells(first) + 2 <= at and at + cells(middle) + 2 <= across - cells(last):
        axis = axis[:at] + middle + axis[at + cells(middle) :]
    return axis


def _writes(length: timedelta) -> tuple[Callable[[datetime], str], ...]:
    """Return how moments of a time that long may be written, the fullest first."""
    if length <= timedelta(minutes=10):
        return (clock, lambda at: clock(at)[:5])
    if length <= timedelta(days=1):
        return (lambda at: clock(at)[:5],)
    if length <= timedelta(days=4):
        return (lambda at: f"{day(at)} {clock(at)[:5]}", day)
    return (day,)

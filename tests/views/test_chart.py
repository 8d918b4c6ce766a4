"""The braille chart: every value in its row, holes where nothing is known, axes that say what is drawn."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.views.chart import NO_CURVE, Raster, Sample, Thinner, chart_lines, rastered
from dydx_console.views.table import Line, line_width

D = Decimal
START = datetime(2026, 11, 20, tzinfo=UTC)
BITS = {0x01: (0, 0), 0x02: (0, 1), 0x04: (0, 2), 0x40: (0, 3), 0x08: (1, 0), 0x10: (1, 1), 0x20: (1, 2), 0x80: (1, 3)}
VALUES = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=6)
SIZES = st.tuples(st.integers(10, 130), st.integers(3, 24))


def samples(*values: object, every: timedelta = timedelta(minutes=1)) -> list[Sample]:
    """Return values at equal distances, None for unknown."""
    return [
        Sample(START + every * index, None if value is None else D(str(value))) for index, value in enumerate(values)
    ]


def text(lines: list[Line]) -> list[str]:
    """Return lines as text."""
    return ["".join(cell.text for cell in line) for line in lines]


def dots(lines: list[Line]) -> set[tuple[int, int]]:
    """Read the dots back from the characters: column and row, from the left and the top."""
    found = set()
    for y, line in enumerate(text(lines)):
        for x, char in enumerate(line):
            if 0x2800 <= ord(char) <= 0x28FF:
                found |= {(2 * x + dx, 4 * y + dy) for bit, (dx, dy) in BITS.items() if (ord(char) - 0x2800) & bit}
    return found


def rows_of(raster: Raster, column: int) -> list[int]:
    """Return the rows of a column's dots."""
    return [row for row in range(raster.rows) if raster.columns[column] >> row & 1]


@given(st.lists(VALUES, min_size=1, max_size=200), SIZES)
def test_every_value_has_a_dot_in_its_row_and_nothing_leaves_its_room(
    values: list[Decimal], size: tuple[int, int]
) -> None:
    width, height = size
    taken = samples(*values)
    lines = chart_lines(taken, width, height)
    assert len(lines) == height
    assert all(line_width(line) <= width for line in lines)
    across, down = 2 * (width - max(min(width // 3, 11), 5) - 1), 4 * (height - 1)
    found = dots(lines)
    low, high = min(values), max(values)
    span = taken[-1].at - taken[0].at
    for sample in taken:
        assert sample.value is not None
        x = across - 1 if not span else min(int((sample.at - taken[0].at) * across / span), across - 1)
        exact = D((down - 1) // 2) if low == high else (high - sample.value) / (high - low) * (down - 1)
        near = {(x + dx, int(exact) + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1, 2)}
        assert near & found, (sample, x, exact)
    assert all(0 <= x < across and 0 <= y < down for x, y in found)


@given(st.lists(VALUES, min_size=2, max_size=100), st.integers(4, 200), st.integers(8, 60), st.booleans())
def test_monotone_values_have_monotone_dots(values: list[Decimal], columns: int, rows: int, falls: bool) -> None:
    raster = rastered(samples(*sorted(values, reverse=falls)), columns, rows)
    assert raster is not None
    drawn = [found for column in range(columns) if (found := rows_of(raster, column))]
    for left, right in pairwise(drawn):
        if falls:
            assert left[0] <= right[0]
            assert left[-1] <= right[-1]
        else:
            assert left[0] >= right[0]
            assert left[-1] >= right[-1]


@given(st.lists(VALUES, min_size=2, max_size=300), st.integers(2, 60), st.integers(8, 60))
def test_the_curve_is_one_line_that_spans_all_of_its_range(values: list[Decimal], columns: int, rows: int) -> None:
    raster = rastered(samples(*values), columns, rows)
    assert raster is not None
    assert (raster.low, raster.high) == (min(values), max(values))
    everything = [rows_of(raster, column) for column in range(columns)]
    assert all(found == list(range(found[0], found[-1] + 1)) for found in everything if found)
    for left, right in pairwise(everything):
        if left and right:
            assert left[0] - 1 <= right[-1]
            assert right[0] - 1 <= left[-1]
    if raster.low < raster.high:
        assert min(found[0] for found in everything if found) == 0
        assert max(found[-1] for found in everything if found) == rows - 1


@given(VALUES, st.integers(1, 50), SIZES)
def test_a_constant_is_a_flat_line(value: Decimal, count: int, size: tuple[int, int]) -> None:
    found = dots(chart_lines(samples(*[value] * count), *size))
    assert len({y for _, y in found}) == 1


@given(st.lists(st.none() | VALUES, max_size=60), SIZES)
def test_whatever_is_known_it_can_be_drawn(values: list[Decimal | None], size: tuple[int, int]) -> None:
    lines = chart_lines(samples(*values), *size, is_signed=True)
    assert all(line_width(line) <= max(size[0], 12) for line in lines)
    if all(value is None for value in values):
        assert text(lines) == [NO_CURVE]
    else:
        assert dots(lines)


def test_one_value_is_one_dot_at_the_end_of_time() -> None:
    lines = chart_lines(samples("12.5"), 30, 5)
    assert len(dots(lines)) == 1
    assert "12.50" in "".join(text(lines))


def test_many_values_in_a_column_are_all_its_range() -> None:
    spike = ["0"] * 500 + ["100", "-100"] + ["0"] * 498
    raster = rastered(samples(*spike), 20, 40)
    assert raster is not None
    assert rows_of(raster, 10) == list(range(40))
    assert rows_of(raster, 5) == [20]


def test_what_is_unknown_is_a_hole() -> None:
    raster = rastered(samples("1", "1", None, None, "1", "1"), 60, 8)
    assert raster is not None
    known = [bool(rows_of(raster, column)) for column in range(60)]
    assert known[0]
    assert known[-1]
    assert not any(known[14:46])


def test_the_range_of_time_may_be_wider_than_what_is_known() -> None:
    half = rastered(samples("1", "2"), 60, 8, START - timedelta(minutes=1), START + timedelta(minutes=1))
    assert half is not None
    known = [bool(rows_of(half, column)) for column in range(60)]
    assert known == [False] * 30 + [True] * 30
    assert rastered(samples("1", "2"), 60, 8, START + timedelta(hours=1)) is None


def test_labels_name_highest_lowest_zero_and_the_times() -> None:
    lines = text(chart_lines(samples("-50", "200", "10", every=timedelta(hours=4)), 60, 12))
    assert lines[0].endswith("200.00")
    assert lines[10].endswith("−50.00")
    zero = next(line for line in lines if line.endswith(" 0.00"))
    assert "┄" in zero
    assert lines[11].split() == ["00:00", "04:00", "08:00"]


@pytest.mark.parametrize(
    ("length", "times"),
    [
        (timedelta(days=2), ["20", "Nov", "00:00", "22", "Nov", "00:00"]),
        (timedelta(days=30), ["20", "Nov", "20", "Dec"]),
    ],
)
def test_longer_times_have_their_dates(length: timedelta, times: list[str]) -> None:
    shown = text(chart_lines(samples("1", "2", every=length), 44, 4))[-1].split()
    assert (shown[:3], shown[-3:]) == (times[:3], times[-3:]) or (shown[:2], shown[-2:]) == (times[:2], times[-2:])


def test_round_values_stand_between_where_there_is_room() -> None:
    lines = text(chart_lines(samples("403000", "403777.7"), 60, 20))
    marks = [line.split()[-1] for line in lines[:-1] if line.split() and line.split()[-1][-1].isdigit()]
    assert marks[0] == "403,777.70"
    assert marks[-1] == "403,000.00"
    assert {"403,200.00", "403,400.00"} <= set(marks)


def test_inks_tell_gains_from_losses_where_asked() -> None:
    lines = chart_lines(samples("-10", "10"), 30, 9, is_signed=True)
    inks = [{cell.ink.value for cell in line if any(0x2800 < ord(c) < 0x2900 for c in cell.text)} for line in lines]
    assert inks[0] == {"gain"}
    assert inks[7] == {"loss"}
    assert inks[4] | inks[3] >= {"accent"}


class TestThinner:
    @given(st.lists(st.none() | VALUES, max_size=400), st.integers(1, 20))
    def test_it_keeps_a_bounded_number_and_every_extreme(self, values: list[Decimal | None], parts: int) -> None:
        taken = samples(*values)
        end = START + timedelta(minutes=400)
        thinner = Thinner(START, end, parts, timedelta(minutes=5))
        for at in range(0, len(taken), 7):
            thinner.add(taken[at : at + 7])
        kept = thinner.samples()
        holes = sum(value is None for value in values)
        assert len(kept) <= 4 * (parts + holes) + holes
        assert kept == sorted(kept, key=lambda sample: sample.at)
        known = [value for value in values if value is not None]
        left = [sample.value for sample in kept if sample.value is not None]
        assert (min(left, default=None), max(left, default=None)) == (
            min(known, default=None),
            max(known, default=None),
        )

    def test_the_picture_is_nearly_that_of_all_values(self) -> None:
        taken = samples(*[(7919 * n) % 1000 for n in range(5000)])
        thinner = Thinner(taken[0].at, taken[-1].at, 40, timedelta(minutes=5))
        thinner.add(taken)
        assert len(thinner.samples()) <= 160
        assert rastered(thinner.samples(), 40, 16) == rastered(taken, 40, 16)

    def test_a_time_in_which_nobody_looked_is_a_hole(self) -> None:
        early, late = samples("1", "1"), [Sample(START + timedelta(hours=5), D(1))]
        thinner = Thinner(START, START + timedelta(hours=6), 60, timedelta(minutes=5))
        thinner.add([*early, *late])
        assert [sample.value for sample in thinner.samples()] == [D(1), D(1), None, D(1)]

    def test_what_is_outside_or_out_of_order_is_left_out(self) -> None:
        thinner = Thinner(START, START + timedelta(hours=1), 10, timedelta(hours=1))
        thinner.add([Sample(START - timedelta(seconds=1), D(9)), *samples("1", "2")])
        thinner.add([*samples("5"), Sample(START + timedelta(hours=2), D(9))])
        assert [sample.value for sample in thinner.samples()] == [D(1), D(2)]

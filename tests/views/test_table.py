"""Columns side by side, sorting and filtering."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.views.sorting import SortBy, held_order, matching, next_sort, sorted_items
from dydx_console.views.table import Cell, Column, TableSpec, aligned, fitted, line_width, whole
from dydx_console.views.width import cells, cut

Item = tuple[str, int | None]


def spec() -> TableSpec[Item]:
    """Return a table of a name and a number."""
    return TableSpec(
        columns=(
            Column("name", "NAME", 10, lambda i: Cell(i[0]), lambda i: i[0]),
            Column("number", "N", 6, lambda i: Cell(str(i[1])), lambda i: i[1], right=True, rank=2),
            Column("more", "MORE", 8, lambda _: Cell(""), lambda _: None, rank=1),
        ),
        id_of=lambda i: i[0],
        haystack=lambda i: f"{i[0]} {i[1]}",
        is_dim=lambda _: False,
        empty="nothing",
    )


@given(st.text(max_size=30), st.integers(0, 20), st.booleans(), st.integers(0, 6))
def test_aligned_text_takes_exactly_its_cells(text: str, width: int, right: bool, places: int) -> None:
    assert cells(aligned(text, width, right=right, places=places)) == width


@given(st.text(max_size=30), st.integers(0, 20))
def test_cut_text_fits(text: str, width: int) -> None:
    assert cells(cut(text, width)) <= width
    if cells(text) <= width:
        assert cut(text, width) == text


def test_points_stand_in_line() -> None:
    column = [aligned(text, 10, right=True, places=4) for text in ("1,002.01", "0.9903", "15,041", "—")]
    assert [text.rstrip().find(".") for text in column[:2]] == [5, 5]
    assert column[2] == "15,041    "[:10].rjust(10) or column[2].index("1") >= 0
    assert all(len(text) == 10 for text in column)


def test_the_least_important_columns_leave_first() -> None:
    columns = spec().columns
    assert [p.column.key for p in fitted(columns, 40)] == ["name", "number", "more"]
    assert [p.column.key for p in fitted(columns, 25)] == ["name", "more"]
    assert [p.column.key for p in fitted(columns, 12)] == ["name"]
    assert [p.column.key for p in fitted(columns, 1)] == ["name"]
    assert [p.column.key for p in fitted(columns, 12, first=1)] == ["name", "more"]


@given(st.integers(1, 200))
def test_columns_never_overlap(width: int) -> None:
    placed = fitted(spec().columns, width)
    for left, right in pairwise(placed):
        assert left.x + left.column.width + 2 <= right.x


@given(st.lists(st.tuples(st.text(min_size=1, max_size=3), st.none() | st.integers()), max_size=20), st.booleans())
def test_sorting_keeps_every_item_and_puts_unknown_ones_last(items: list[Item], reverse: bool) -> None:
    found = sorted_items(items, spec(), SortBy("number", reverse))
    assert sorted(map(repr, found)) == sorted(map(repr, items))
    numbers = [item[1] for item in found]
    known = [number for number in numbers if number is not None]
    assert numbers[: len(known)] == sorted(known, reverse=reverse)


def test_sort_steps_through_the_columns_and_back() -> None:
    by, seen = None, []
    for _ in range(4):
        by = next_sort(spec(), by)
        seen.append(None if by is None else by.key)
    assert seen == ["name", "number", "more", None]
    assert sorted_items([("b", 1), ("a", 2)], spec(), None) == [("b", 1), ("a", 2)]


def test_filter_wants_every_word_in_any_case() -> None:
    items: list[Item] = [("ETH-USD", 128), ("BTC-USD", 0)]
    assert matching(items, "eth 12", spec().haystack) == items[:1]
    assert matching(items, "  ", spec().haystack) == items
    assert matching(items, "[/x]", spec().haystack) == []


def test_held_order_puts_new_items_last() -> None:
    assert held_order([("new", 1), ("b", 1), ("a", 1)], ["a", "gone", "b"], lambda i: i[0]) == [
        ("a", 1),
        ("b", 1),
        ("new", 1),
    ]


def test_figures_are_shown_whole_or_not_at_all() -> None:
    line = (Cell("equity "), Cell("403,105.93"))
    assert whole(line, 17) == line
    assert whole(line, 16) == line[:1]
    assert line_width(line) == 17

"""Which items of a table are shown, and in which order."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dydx_console.views.table import Column, SortValue, TableSpec

__all__ = ["SortBy", "held_order", "matching", "next_sort", "sorted_items"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SortBy:
    """A column to sort by, smallest first unless `reverse`."""

    key: str
    reverse: bool = False


def matching(items: Iterable[T], wanted: str, haystack: Callable[[T], str]) -> list[T]:
    """Return the items that hold every word of `wanted`, letters of either case."""
    words = wanted.lower().split()
    if not words:
        return list(items)
    return [item for item in items if all(word in haystack(item).lower() for word in words)]


def sorted_items(items: Sequence[T], spec: TableSpec[T], by: SortBy | None) -> list[T]:
    """Return the items in a column's order, unknown values last either way; equal ones keep their places."""
    column = next((column for column in spec.columns if by is not None and column.key == by.key), None)
    if by is None or column is None:
        return list(items)
    return _by_column(items, column, reverse=by.reverse)


def _by_column(items: Sequence[T], column: Column[T], *, reverse: bool) -> list[T]:
    known: list[tuple[Any, T]] = []
    unknown: list[T] = []
    for item in items:
        value: SortValue = column.value(item)
        if value is None:
            unknown.append(item)
        else:
            known.append((value, item))
    known.sort(key=lambda pair: pair[0], reverse=reverse)
    return [item for _, item in known] + unknown


def next_sort(spec: TableSpec[T], by: SortBy | None) -> SortBy | None:
    """Return the sort after `by` when stepping through the columns; None is the pane's own order."""
    keys = [column.key for column in spec.columns]
    if by is None:
        return SortBy(keys[0])
    place = keys.index(by.key) + 1 if by.key in keys else 0
    return SortBy(keys[place]) if place < len(keys) else None


def held_order(items: Sequence[T], held_ids: Sequence[str], id_of: Callable[[T], str]) -> list[T]:
    """Return the items as they stood before, new ones at the end: the order while a cursor key was just pressed."""
    place = {name: index for index, name in enumerate(held_ids)}
    last = len(place)
    return sorted(items, key=lambda item: place.get(id_of(item), last))

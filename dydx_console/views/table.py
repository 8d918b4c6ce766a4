"""What a pane draws: cells of text and ink, columns that make them, and how columns stand side by side."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from dydx_console.views.width import cells, cut

__all__ = [
    "Cell",
    "Column",
    "Ink",
    "Line",
    "Placed",
    "SortValue",
    "TableSpec",
    "aligned",
    "fitted",
    "line_width",
    "whole",
]

T = TypeVar("T")
SortValue: TypeAlias = object
"""What a column sorts by: values of one column compare with each other; None stands last."""


class Ink(StrEnum):
    """Names of styles; a theme says how each looks."""

    PLAIN = "plain"
    DIM = "dim"
    LABEL = "label"
    STRONG = "strong"
    ACCENT = "accent"
    GAIN = "gain"
    LOSS = "loss"
    WARN = "warn"
    BAD = "bad"
    ALARM = "alarm"
    GOOD = "good"
    MAINNET = "mainnet"
    TESTNET = "testnet"
    LOCAL = "local"
    SIM = "sim"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text in one ink."""

    text: str
    ink: Ink = Ink.PLAIN


Line: TypeAlias = tuple[Cell, ...]
"""Pieces of one screen line, left to right."""


def line_width(line: Iterable[Cell]) -> int:
    """Return how many cells a line takes."""
    return sum(cells(cell.text) for cell in line)


def whole(line: Iterable[Cell], width: int) -> Line:
    """Return the cells that fit whole into `width`: a figure that is cut would read as another figure."""
    kept: list[Cell] = []
    used = 0
    for cell in line:
        used += cells(cell.text)
        if used > width:
            break
        kept.append(cell)
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a table.

    `rank` says how soon it leaves where there is no room (0 never). `places` gives the decimal places that an item
    wants to the right of the point, up to `most_places`, so that points stand in line. A `restless` column changes with
    every price and is not marked as changed.
    """

    key: str
    label: str
    width: int
    cell: Callable[[T], Cell]
    value: Callable[[T], SortValue]
    right: bool = False
    rank: int = 0
    places: Callable[[T], int] | None = None
    most_places: int = 5
    restless: bool = False


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[T]):
    """A table: its columns, what names an item, what a filter looks into, and what says that an item is over."""

    columns: tuple[Column[T], ...]
    id_of: Callable[[T], str]
    haystack: Callable[[T], str]
    is_dim: Callable[[T], bool]
    empty: str


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A column at its place: it starts at `x` cells."""

    column: Column[T]
    x: int


def fitted(columns: Sequence[Column[T]], width: int, first: int = 0, gap: int = 2) -> tuple[Placed[T], ...]:
    """Return the columns that fit into `width` cells, the most important first to stay, spread over the room.

    With `first` > 0 the table is scrolled sideways: the first column stays, and columns from index `first` on follow.
    """
    if first > 0:
        shown = [columns[0], *columns[min(first + 1, len(columns) - 1) :]]
        return _placed(shown, gap)
    shown = list(columns)
    while len(shown) > 1 and _total(shown, gap) > width:
        leaving = max(shown, key=lambda column: column.rank)
        if not leaving.rank:
            break
        shown.remove(leaving)
    spare = width - _total(shown, gap)
    extra = min(max(spare, 0) // max(len(shown) - 1, 1), 3)
    return _placed(shown, gap + extra)


def _total(columns: Sequence[Column[T]], gap: int) -> int:
    return sum(column.width for column in columns) + gap * (len(columns) - 1)


def _placed(columns: Sequence[Column[T]], gap: int) -> tuple[Placed[T], ...]:
    placed: list[Placed[T]] = []
    x = 0
    for column in columns:
        placed.append(Placed(column, x))
        x += column.width + gap
    return tuple(placed)


def aligned(text: str, width: int, *, right: bool, places: int = 0) -> str:
    """Return `text` in exactly `width` cells.

    Right-aligned texts keep room for `places` digits behind a decimal point that they do not use; what is too long is
    cut at its end and says so.
    """
    fitting = cut(text, width)
    spare = width - cells(fitting)
    if not right or fitting is not text:
        return fitting + " " * spare
    behind = len(text) - text.rfind(".") if "." in text else 0
    room = min(max(places + 1 - behind, 0) if places else 0, spare)
    return " " * (spare - room) + text + " " * room

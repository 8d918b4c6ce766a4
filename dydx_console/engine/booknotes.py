"""Books as texts, so that a journal can keep them: exact, and of one time zone."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from dydx_console.domain.ids import PositionKey
from dydx_console.ports.journal import BooksNote, Cursor
from dydx_console.state.accounting import Book
from dydx_console.state.fills import Places
from dydx_console.state.ledgers import Beginning, Opening
from dydx_console.state.pnl_days import DayBook, Sums

__all__ = ["BOOKS", "NotedBooks", "noted", "notes_of"]

BOOKS = "books"
"""The cursor of the noted books: its newest block is the last that is in them."""

_VERSION = 1
_OF_PARENT = ""
"""The market of what belongs to a whole parent subaccount."""


@dataclass(frozen=True, slots=True)
class NotedBooks:
    """Books of every fill up to the block `height` of the moment `at`, and the places of these by parent subaccount."""

    at: datetime
    height: int
    books: Mapping[PositionKey, Opening]
    places: Mapping[int, Places]


def notes_of(books: Mapping[PositionKey, Opening], places: Mapping[int, Places]) -> tuple[BooksNote, ...]:
    """Return books and places as texts; ended lives are left out."""
    found = [BooksNote(key.subaccount, key.market, _opening_text(opening)) for key, opening in books.items()]
    found += [BooksNote(parent, _OF_PARENT, json.dumps({"v": _VERSION, "places": held.ranges}))
              for parent, held in places.items()]  # fmt: skip
    return tuple(found)


def noted(cursor: Cursor | None, notes: Iterable[BooksNote], zone: tzinfo) -> NotedBooks | None:
    """Return the books of a journal, None where it has none, or none of this version and time zone."""
    if cursor is None or cursor.newest_at is None or cursor.newest_height is None:
        return None
    books: dict[PositionKey, Opening] = {}
    places: dict[int, Places] = {}
    try:
        for note in notes:
            told = json.loads(note.text)
            if told["v"] != _VERSION:
                return None
            if note.market == _OF_PARENT:
                places[note.subaccount] = Places.of((int(first), int(end)) for first, end in told["places"])
            elif told["zone"] != str(zone):
                return None
            else:
                key = PositionKey(note.subaccount, note.market)
                books[key] = _opening_of(key, told, zone)
    except (ValueError, KeyError, TypeError, InvalidOperation):
        return None
    if sum(opening.count for opening in books.values()) != cursor.read:
        return None
    return NotedBooks(cursor.newest_at, cursor.newest_height, books, places)


def _opening_text(opening: Opening) -> str:
    return json.dumps(
        {
            "v": _VERSION,
            "zone": str(opening.days.zone),
            "began": [_told(opening.began.size), _told(opening.began.average)],
            "book": [_told(value) for value in opening.book.state],
            "count": opening.count,
            "days": [[day.isoformat(), *_sums_told(sums)] for day, _, sums in opening.days.rows],
        }
    )


def _opening_of(key: PositionKey, told: Mapping[str, Any], zone: tzinfo) -> Opening:
    days = DayBook(zone)
    for day, *sums in told["days"]:
        days.put(date.fromisoformat(day), key, _sums_of(sums))
    size, average = (_value(value) for value in told["began"])
    book = Book.of(key, tuple(_value(value) for value in told["book"]))
    return Opening(book, Beginning(size, average), days, count=int(told["count"]))


def _sums_told(sums: Sums) -> list[Any]:
    amounts = (str(amount) for amount in (sums.realized, sums.fees, sums.volume))
    return [*amounts, sums.unknown, sums.fills]


def _sums_of(told: list[Any]) -> Sums:
    realized, fees, volume, unknown, fills = told
    return Sums(
        realized=Decimal(realized), fees=Decimal(fees), volume=Decimal(volume), unknown=int(unknown), fills=int(fills)
    )


def _told(value: Any) -> Any:
    """Return a value as JSON has it: a text says what it is in its first letter."""
    if isinstance(value, Decimal):
        return f"d{value}"
    if isinstance(value, datetime):
        return f"t{value.isoformat()}"
    return f"s{value}" if isinstance(value, str) else value


def _value(told: Any) -> Any:
    if not isinstance(told, str):
        return told
    kind, text = told[:1], told[1:]
    return Decimal(text) if kind == "d" else datetime.fromisoformat(text) if kind == "t" else text

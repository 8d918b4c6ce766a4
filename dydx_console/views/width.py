"""How many terminal cells a text takes."""

from functools import lru_cache
from unicodedata import category, east_asian_width

__all__ = ["cells", "cut", "wrapped"]


@lru_cache(maxsize=8192)
def cells(text: str) -> int:
    """Return the cells of a text: two for wide characters, none for marks that stand on others."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(char) for char in text)


def cut(text: str, width: int) -> str:
    """Return the beginning of a text that fits into `width` cells; an ellipsis tells that something is missing."""
    if cells(text) <= width:
        return text
    if width < 1:
        return ""
    kept: list[str] = []
    used = 1
    for char in text:
        used += _cells_of(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept) + "…"


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` cells, broken between words, within one only where it must be."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, width)
        lines += full
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    pieces = [""]
    for char in word:
        if cells(pieces[-1] + char) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


def _cells_of(char: str) -> int:
    if category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1

"""Text from outside, made harmless once, at the decode edge."""

from unicodedata import category, normalize

__all__ = ["MAX_TEXT", "clean"]

MAX_TEXT = 500
"""Longest piece of external text that is kept, in characters."""

_DROPPED = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Mn", "Me"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show as nothing: Hangul fillers and the empty Braille pattern."""
_SPACES = frozenset("\t\r\n\x0b\x0c\x85\u2028\u2029")


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` without anything that could steer a terminal or mislead a reader.

    Dropped are C0 and C1 controls (so ESC, OSC, BEL), bidirectional overrides, zero-width characters (format
    characters, fillers, marks that no precomposed letter takes up), surrogates, private and unassigned code points.
    Tabs and line ends become spaces. The result is composed (NFC) and cut to `limit` characters, the last of which is
    then an ellipsis. Printable ASCII comes back unchanged.
    """
    if text.isascii() and text.isprintable():
        return _cut(text, limit)
    composed = normalize("NFC", "".join(map(_shown, text[: limit * 4])))
    # what a dropped mark kept apart may be composed only now
    kept = normalize("NFC", "".join(char for char in composed if category(char) not in _DROPPED))
    return _cut(kept + "…" if len(text) > limit * 4 else kept, limit)


def _shown(char: str) -> str:
    """Return a character as it may be shown; marks stay here, so that they can be composed."""
    if char in _SPACES:
        return " "
    kind = category(char)
    return "" if char in _BLANK or (kind in _DROPPED and kind != "Mn") else char


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"

"""Text from outside, made harmless once, at the decode edge."""

from unicodedata import category, normalize

__all__ = ["MAX_TEXT", "clean"]

MAX_TEXT = 500
"""Longest piece of external text that is kept, in characters."""

_DROPPED = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` without anything that could steer a terminal or mislead a reader.

    Dropped are C0 and C1 controls (so ESC, OSC, BEL), bidirectional overrides, zero-width and other format
    characters, surrogates, private and unassigned code points. Tabs and newlines become one space. Compatibility
    forms are composed (NFC), and the result is cut to `limit` characters. Printable ASCII comes back unchanged.
    """
    if text.isascii() and text.isprintable():
        return text if len(text) <= limit else text[: limit - 1] + "…"
    spaced = "".join(" " if char in "\t\r\n\u2028\u2029" else char for char in text[: limit * 4])
    kept = "".join(char for char in normalize("NFC", spaced) if category(char) not in _DROPPED)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"

"""The two habits of JavaScript that show in the Indexer's words: template strings and Number()."""

from __future__ import annotations


def js_text(value: object) -> str:
    """A value as JavaScript puts it into a template string (good enough for what JSON holds)."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "[object Object]"
    if isinstance(value, list):
        return ",".join("" if item is None else js_text(item) for item in value)
    return str(value)


def js_number(text: str) -> float | None:
    """JavaScript's Number(): blank is 0; None for NaN."""
    if not text.strip():
        return 0.0
    try:
        return float(text)
    except ValueError:
        return None

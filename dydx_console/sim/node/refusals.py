"""How a node says no."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """gRPC status codes by name. UNKNOWN is what the chain's software makes of an error that nobody gave a code."""

    UNKNOWN = "UNKNOWN"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    INTERNAL = "INTERNAL"


class QueryRefusedError(Exception):
    """A query that is answered with a status instead of a message."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

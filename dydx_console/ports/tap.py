"""Listening in on what goes over the wire, for recordings."""

from typing import Protocol

__all__ = ["NoTap", "Tap"]


class Tap(Protocol):
    """Hears every message in the order of the wire. No method may block or fail."""

    def opened(self, connection: int, url: str, at: float) -> None:
        """A socket was opened."""

    def closed(self, connection: int, code: int | None, reason: str, at: float) -> None:
        """A socket ended."""

    def sent(self, connection: int, text: str, at: float) -> None:
        """A text was sent."""

    def received(self, connection: int, text: str, at: float) -> None:
        """A text was received."""

    def exchanged(self, path: str, status: int, body: str, at: float, took_ms: float) -> None:
        """A GET was answered; `path` carries its query, request and response headers are not heard."""


class NoTap:
    """Hears nothing."""

    def opened(self, connection: int, url: str, at: float) -> None:
        """Ignore."""

    def closed(self, connection: int, code: int | None, reason: str, at: float) -> None:
        """Ignore."""

    def sent(self, connection: int, text: str, at: float) -> None:
        """Ignore."""

    def received(self, connection: int, text: str, at: float) -> None:
        """Ignore."""

    def exchanged(self, path: str, status: int, body: str, at: float, took_ms: float) -> None:
        """Ignore."""

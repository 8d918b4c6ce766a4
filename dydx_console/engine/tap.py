"""A recording of the live stream, as a tap on the wire."""

from collections.abc import Callable
from pathlib import Path

from dydx_console.recording.lines import Entry
from dydx_console.recording.writer import RecordingWriter

__all__ = ["RecordingTap"]


class RecordingTap:
    """Writes what goes over the wire into a recording.

    Args:
        path: the recording; it must not exist.
        most_bytes: size of one file.
        when_full: asks for a fresh connection, from any thread; the next file begins with it.
    """

    def __init__(self, path: Path, most_bytes: int, when_full: Callable[[], None]) -> None:
        self.writer = RecordingWriter(path, most_bytes, when_full)

    def opened(self, connection: int, url: str, at: float) -> None:
        """Write an opened socket."""
        self.writer.add(Entry(t=at, ev="open", c=f"c{connection}", url=url, status=101))

    def closed(self, connection: int, code: int | None, reason: str, at: float) -> None:
        """Write the end of a socket."""
        self.writer.add(Entry(t=at, ev="closed", c=f"c{connection}", code=code, reason=reason))

    def sent(self, connection: int, text: str, at: float) -> None:
        """Write a sent text."""
        self.writer.add(Entry(t=at, ev=">", c=f"c{connection}", text=text))

    def received(self, connection: int, text: str, at: float) -> None:
        """Write a received text."""
        self.writer.add(Entry(t=at, ev="<", c=f"c{connection}", text=text))

    def exchanged(self, path: str, status: int, body: str, at: float, took_ms: float) -> None:
        """Write an answered GET."""
        self.writer.add(Entry(t=at, ev="http", method="GET", url=path, status=status, body=body, ms=round(took_ms, 3)))

    def close(self) -> None:
        """Write the rest and close."""
        self.writer.close()

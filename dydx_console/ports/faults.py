"""What can go wrong with a venue: the vocabulary, and the error that a failed request raises."""

from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource

__all__ = ["FaultCount", "FaultKind", "FaultSource", "VenueError"]


class VenueError(Exception):
    """A request to a venue that failed.

    Attributes:
        kind: what failed.
        endpoint: host, or host and port, that was asked.
        text: one line of plain text, cleaned of control characters.
        retry_after_s: how long the venue asks to wait, or our own queue or breaker; None where nothing is known.
    """

    def __init__(self, kind: FaultKind, endpoint: str, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{endpoint}: {text}")
        self.kind = kind
        self.endpoint = endpoint
        self.text = text
        self.retry_after_s = retry_after_s

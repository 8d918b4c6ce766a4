"""Opening a WebSocket to the very host that was named."""

from websockets.asyncio.client import connect

__all__ = ["DirectConnection"]


class DirectConnection(connect):
    """A connection that follows no redirect: that is an answer, not a new destination."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the answer as the error that it is."""
        return exc

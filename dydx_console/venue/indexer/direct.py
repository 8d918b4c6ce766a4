"""Opening a WebSocket to the very host that was named."""

from contextlib import AbstractAsyncContextManager

from websockets.asyncio.client import connect

from dydx_console.venue.indexer.limits import FeedLimits
from dydx_console.venue.indexer.sockets import Socket

__all__ = ["DirectConnection", "directly"]

GOODBYE_S = 1.0


class DirectConnection(connect):
    """A connection that follows no redirect: that is an answer, not a new destination."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the answer as the error that it is."""
        return exc


def directly(url: str, limits: FeedLimits, *, allow_proxy: bool) -> AbstractAsyncContextManager[Socket]:
    """Return a WebSocket of the feed, to be entered. Whether its other end lives is the feed's to find out."""
    return DirectConnection(
        url,
        open_timeout=limits.open_s,
        close_timeout=GOODBYE_S,
        ping_interval=None,
        max_size=limits.most_bytes,
        compression=None,
        proxy=True if allow_proxy else None,
        user_agent_header=None,
    )

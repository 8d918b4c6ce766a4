"""What a session needs of a connection, and how one is made: a WebSocket in a run, anything that keeps to it else."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from dydx_console.venue.indexer.limits import FeedLimits

__all__ = ["Abortable", "Connect", "Socket"]


class Abortable(Protocol):
    """The way below a connection."""

    def abort(self) -> None:
        """Cut it at once, without a word to the other end."""
        ...


class Socket(Protocol):
    """An open connection. Its failures are those of `websockets.exceptions`, and it answers pings by itself."""

    @property
    def close_code(self) -> int | None:
        """Why it ended, None while it lasts."""
        ...

    @property
    def close_reason(self) -> str | None:
        """The other end's words for it."""
        ...

    @property
    def transport(self) -> Abortable:
        """What carries it."""
        ...

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield what comes until an orderly end; `ConnectionClosed` is raised at any other."""
        ...

    async def send(self, message: str) -> None:
        """Send a text; raises `ConnectionClosed` where the connection is over."""
        ...

    async def ping(self) -> Awaitable[float]:
        """Ask for a sign of life, which is to be awaited; either raises `ConnectionClosed` where it is over."""
        ...

    async def close(self) -> None:
        """End it, in a moment at most, whatever the other end does."""
        ...


class Connect(Protocol):
    """Makes connections.

    Its failures are `OSError`, `TimeoutError`, and `websockets.exceptions.InvalidHandshake`.
    """

    def __call__(self, url: str, limits: FeedLimits, *, allow_proxy: bool) -> AbstractAsyncContextManager[Socket]:
        """Return a connection to be entered, which opens it."""
        ...

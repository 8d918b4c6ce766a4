"""The account's history as screens, commands and the API ask for it, from any thread.

Rows come from the journal by pages. How far the journal has been filled from the venue is told as progress: older
history is fetched in the background, can be interrupted, and goes on where it stood.
"""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from dydx_console.ports.journal import History, HistoryPort

__all__ = ["NO_PROGRESS", "FetchState", "HistoryDesk", "HistoryProgress", "SourceProgress"]

T = TypeVar("T")


class FetchState(StrEnum):
    """What the fetching of older history does."""

    IDLE = "IDLE"
    """Nothing was asked for yet."""
    RUNNING = "RUNNING"
    INTERRUPTED = "INTERRUPTED"
    """A person stopped it; what came is kept, and it goes on from there."""
    FAILED = "FAILED"
    """The venue or the journal stopped it; what came is kept, and it goes on from there."""
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class SourceProgress:
    """How far one kind of history has been read: `read` rows of `total`, None where the venue does not say how many.

    `oldest_at` is the oldest row read without a hole; `is_complete` says that the venue has nothing older. `problem`
    is why nothing more came, such as a history that the venue cuts.
    """

    kind: History
    read: int = 0
    total: int | None = None
    oldest_at: datetime | None = None
    is_complete: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryProgress:
    """How far the venue's history is in the journal; `sources` in the order of their reading."""

    state: FetchState
    sources: tuple[SourceProgress, ...] = ()
    problem: str | None = None


NO_PROGRESS = HistoryProgress(FetchState.IDLE)


class HistoryDesk(Protocol):
    """The journal and its filling as another thread sees them. Every method returns at once."""

    @property
    def progress(self) -> HistoryProgress:
        """How far the venue's history is here."""
        ...

    def fetch(self) -> None:
        """Begin to fetch older history, or go on; does nothing while that runs or is done."""
        ...

    def interrupt(self) -> None:
        """Stop fetching; what came is kept."""
        ...

    def ask(self, question: Callable[[HistoryPort], Coroutine[Any, Any, T]]) -> "Future[T]":
        """Return the answer to come of a question, such as `lambda history: history.orders(query)`.

        The future raises JournalUnavailableError where there is no journal or it cannot be read, ValueError for a
        filter that the kind of row does not have.
        """
        ...

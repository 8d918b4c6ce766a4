"""One question to the history at a time: asked without waiting, looked for in every tick, given up for a newer one."""

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from dydx_console.ports.history import HistoryDesk
from dydx_console.ports.journal import HistoryPort, JournalError

__all__ = ["Asking"]

T = TypeVar("T")
SLOW_S = 0.1
"""A question that takes longer is said to be under way."""


class Asking(Generic[T]):
    """The newest question; an older one is given up, and its answer never seen.

    Args:
        desk: answers.
        clock: seconds that never go back.
    """

    def __init__(self, desk: HistoryDesk, clock: Callable[[], float]) -> None:
        self._desk = desk
        self._clock = clock
        self._future: Future[T] | None = None
        self._asked_at = 0.0
        self.failure: str | None = None
        """Why the newest question that ended was not answered, in a sentence."""
        self.took_s = 0.0
        """How long the newest answer took."""

    @property
    def is_waiting(self) -> bool:
        """Whether a question is not answered yet."""
        return self._future is not None

    @property
    def is_slow(self) -> bool:
        """Whether a person waits long enough to be told."""
        return self.is_waiting and self._clock() - self._asked_at >= SLOW_S

    def ask(self, question: Callable[[HistoryPort], Coroutine[Any, Any, T]]) -> None:
        """Ask; a question that is under way is given up."""
        self.give_up()
        self._asked_at = self._clock()
        self._future = self._desk.ask(question)

    def give_up(self) -> None:
        """Wait for no answer any more."""
        future, self._future = self._future, None
        if future is not None:
            future.cancel()

    def take(self) -> T | None:
        """Return the answer once, None while there is none; what kept it away is then the `failure`."""
        future = self._future
        if future is None or not future.done():
            return None
        self._future = None
        self.took_s, self.failure = self._clock() - self._asked_at, None
        if future.cancelled():
            self.failure = "the engine has ended and answers no more"
            return None
        error = future.exception()
        if error is None:
            return future.result()
        if not isinstance(error, JournalError | ValueError):
            raise error
        self.failure = str(error)
        return None

"""The base of every modal: it must have been seen before it takes a key."""

from collections.abc import Callable
from typing import Generic, TypeVar

from textual.screen import ModalScreen

__all__ = ["GUARD_S", "GuardedModal"]

R = TypeVar("R")
GUARD_S = 0.25


class GuardedModal(ModalScreen[R], Generic[R]):
    """A modal that ignores keys from before its first paint and a quarter of a second.

    Args:
        clock: the clock that key events are stamped with.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._open_from: float | None = None

    def on_mount(self) -> None:
        """Start to count once the modal was painted."""
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self._open_from = self._clock() + GUARD_S

    def takes_key(self, at: float) -> bool:
        """Return whether a key that was pressed at a moment was meant for this modal."""
        return self._open_from is not None and at >= self._open_from

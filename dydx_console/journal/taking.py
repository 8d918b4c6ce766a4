"""Takes ownership of a journal and opens it, in a thread that nobody may be waiting for any more."""

import threading

from dydx_console.journal.files import OwnerLock, Place
from dydx_console.journal.opening import Opening, reason_of
from dydx_console.ports.journal import JournalUnavailableError, Recovery

__all__ = ["Taking"]


class Taking:
    """One attempt to own a journal: the lock is held while its file is brought into order, and afterwards.

    Whoever gives up waiting calls `leave`; then the lock ends with the attempt, and not before the file is left alone.

    Args:
        place: where the journal lies.
        opening: brings its file into order.
    """

    def __init__(self, place: Place, opening: Opening) -> None:
        self._place = place
        self._opening = opening
        self._guard = threading.Lock()
        self._held: OwnerLock | None = None
        self._is_left = False

    def run(self) -> tuple[OwnerLock, Recovery]:
        """Own and open the journal; it waits for the disk.

        Raises JournalOwnedError, JournalNewerError, JournalMigrationError, JournalUnavailableError.
        """
        lock = self._owned()
        try:
            recovery = self._opening.open()
        except BaseException:
            lock.release()
            raise
        with self._guard:
            if self._is_left:
                lock.release()
            self._held = lock
        return lock, recovery

    def leave(self) -> None:
        """Let go of the journal, now or as soon as the attempt is over; may be called from any thread."""
        with self._guard:
            self._is_left = True
            if self._held is not None:
                self._held.release()

    def _owned(self) -> OwnerLock:
        try:
            self._place.make_folders()
            return OwnerLock(self._place.folder)
        except OSError as error:
            raise JournalUnavailableError(f"the journal's folder {self._place.folder}: {reason_of(error)}") from error

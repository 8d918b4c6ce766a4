"""Guards against keys that nobody meant: a paste that arrives as key presses."""

from collections import deque

__all__ = ["KeyFlood"]

MOST_KEYS = 15
WINDOW_S = 0.1


class KeyFlood:
    """Tells typing from pasting: more than 15 keys in 100 ms are no person."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST_KEYS)
        self._dropping_until = -1.0

    def is_flood(self, at: float) -> bool:
        """Note a key pressed at a moment; returns whether to drop it. Dropping lasts until 100 ms were quiet."""
        is_burst = len(self._times) == MOST_KEYS and at - self._times[0] < WINDOW_S
        self._times.append(at)
        if is_burst or at < self._dropping_until:
            self._dropping_until = at + WINDOW_S
            return True
        return False

"""How long to wait before trying again: exponential, capped, and spread evenly so that clients do not march in step."""

import random
from collections.abc import Generator

import backoff

__all__ = ["Delays"]


class Delays:
    """The waits between attempts, full jitter: each is drawn evenly from 0 up to a bound that doubles to a cap.

    Args:
        rng: draws the waits.
        first_s: bound of the first wait, in seconds.
        cap_s: bound that no later one exceeds, in seconds.
    """

    def __init__(self, rng: random.Random, first_s: float = 1.0, cap_s: float = 30.0) -> None:
        self._rng = rng
        self._first_s = first_s
        self._cap_s = cap_s
        self._bounds = self._fresh()

    def next_s(self) -> float:
        """Return the next wait in seconds."""
        return self._rng.uniform(0.0, next(self._bounds))

    def reset(self) -> None:
        """Begin with the first bound again."""
        self._bounds = self._fresh()

    def _fresh(self) -> Generator[float, None, None]:
        bounds: Generator[float, None, None] = backoff.expo(base=2, factor=self._first_s, max_value=self._cap_s)
        next(bounds)  # the library's generators are primed before they yield a wait
        return bounds

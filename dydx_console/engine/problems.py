"""What was refused or could not be used, in the log: samples of a flood, and how many there were."""

import logging
from dataclasses import dataclass

from dydx_console.state.console import Problem

__all__ = ["MOST_IN_A_WINDOW", "WINDOW_S", "ProblemLog"]

WINDOW_S = 10.0
MOST_IN_A_WINDOW = 20

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Window:
    since: float
    told: int = 0
    kept_back: int = 0


class ProblemLog:
    """Writes at most `MOST_IN_A_WINDOW` problems of a source within `WINDOW_S` seconds; later ones are counted.

    A venue that sends nothing but nonsense would otherwise fill the log, and take the time that the feed needs.
    Seconds are those of the problems themselves.
    """

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def write(self, problem: Problem) -> None:
        """Write a problem, or count it."""
        self._close_before(problem.at - WINDOW_S)
        window = self._windows.setdefault(problem.source, _Window(problem.at))
        if window.told < MOST_IN_A_WINDOW:
            window.told += 1
            log.warning("%s: %s %s", problem.source, problem.text, problem.sample)
        else:
            window.kept_back += 1

    def close(self) -> None:
        """Write the counts of what was kept back."""
        self._close_before(None)

    def _close_before(self, at: float | None) -> None:
        for source in [source for source, window in self._windows.items() if at is None or window.since <= at]:
            window = self._windows.pop(source)
            if window.kept_back:
                log.warning("%s: %s more like these were counted, not written", source, f"{window.kept_back:,}")

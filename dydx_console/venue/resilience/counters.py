"""How often what failed where, in this run."""

from collections.abc import Callable

from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultCount, FaultKind, FaultSource

__all__ = ["OTHERS", "FaultCounters"]

MOST_ENDPOINTS = 128
"""REST paths, methods of every node, channels: all that one network has."""
OTHERS = "others"
"""The endpoint under which all are counted that come after the table is full."""
TEXT_LENGTH = 200


class FaultCounters:
    """Counts failures by kind, source and endpoint; the number of endpoints is bounded. Belongs to one thread.

    Args:
        clock: stamps the last of each.
        most_endpoints: how many endpoints are told apart.
    """

    def __init__(self, clock: Clock, most_endpoints: int = MOST_ENDPOINTS) -> None:
        self._clock = clock
        self._most_endpoints = most_endpoints
        self._endpoints: set[str] = set()
        self._rows: dict[tuple[str, FaultSource, FaultKind], FaultCount] = {}
        self._listeners: list[Callable[[], None]] = []

    def listen(self, changed: Callable[[], None]) -> None:
        """Have `changed` called after every count."""
        self._listeners.append(changed)

    def count(self, kind: FaultKind, source: FaultSource, endpoint: str, text: str) -> None:
        """Count one failure. `endpoint` names a place of the venue, never an account."""
        name = self._known(clean(endpoint, TEXT_LENGTH))
        key = (name, source, kind)
        held = self._rows.get(key)
        count = 1 if held is None else held.count + 1
        now = self._clock.utc()
        first_at = now if held is None else held.first_at
        self._rows[key] = FaultCount(kind, source, name, count, now, clean(text, TEXT_LENGTH), first_at)
        for changed in self._listeners:
            changed()

    def rows(self) -> tuple[FaultCount, ...]:
        """Return every count, by endpoint, source and kind."""
        return tuple(self._rows[key] for key in sorted(self._rows))

    def _known(self, endpoint: str) -> str:
        if endpoint in self._endpoints:
            return endpoint
        if len(self._endpoints) >= self._most_endpoints:
            return OTHERS
        self._endpoints.add(endpoint)
        return endpoint

"""Which endpoint is asked first: the preferred one, unless it has just failed."""

from collections.abc import Iterable

from dydx_console.ports.clock import Clock

__all__ = ["DEMOTED_FOR_S", "EndpointOrder"]

DEMOTED_FOR_S = 15.0
"""How long an endpoint that failed is put behind the others, in seconds."""


class EndpointOrder:
    """The endpoints of a network in the order in which they are worth asking.

    An endpoint that failed is put behind the others for a while, so that not every call waits for a dead host. It is
    still asked where all others fail too.

    Args:
        labels: the endpoints, the preferred one first; a repeated one counts once.
        clock: tells when a demotion is over.
    """

    def __init__(self, labels: Iterable[str], clock: Clock) -> None:
        self._labels = tuple(dict.fromkeys(labels))
        self._clock = clock
        self._demoted_until: dict[str, float] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """All endpoints, the preferred one first."""
        return self._labels

    def now(self) -> tuple[str, ...]:
        """Return all endpoints: those in good standing first, each part in the order of preference."""
        at = self._clock.monotonic()
        return tuple(sorted(self._labels, key=lambda label: self._demoted_until.get(label, at) > at))

    def demote(self, label: str, seconds: float = DEMOTED_FOR_S) -> None:
        """Put an endpoint behind the others for `seconds` from now."""
        self._demoted_until[label] = self._clock.monotonic() + seconds

    def restore(self, label: str) -> None:
        """Forget that an endpoint failed, because it has answered."""
        self._demoted_until.pop(label, None)

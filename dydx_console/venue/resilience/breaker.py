"""Circuit breakers: an endpoint group that keeps failing is left alone, and tried by one request at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dydx_console.domain.limits import BreakerState, BreakerStatus
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, VenueError

__all__ = ["Breaker", "BreakerLimits", "Breakers", "Trial"]

TEXT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """After how many failures in a row a breaker opens, and how long it stays open, in seconds.

    The cool-down doubles from probe to failed probe. Its cap bounds how late a recovery is noticed.
    """

    failures: int = 5
    first_s: float = 2.0
    cap_s: float = 15.0


@dataclass(slots=True)
class Trial:
    """One request that a breaker let pass; whoever makes it says how it ended."""

    is_probe: bool
    verdict: FaultKind | None = None
    worked: bool = False
    text: str = ""

    def succeeded(self) -> None:
        """Note that the endpoint works: it answered, be it with a refusal."""
        self.worked = True

    def failed(self, kind: FaultKind, text: str) -> None:
        """Note that the endpoint failed."""
        self.verdict, self.text = kind, clean(text, TEXT_LENGTH)


class Breaker:
    """One group's breaker. Belongs to one thread.

    Args:
        host: the host's name, for messages.
        group: the group's name.
        clock: tells when a cool-down is over.
        limits: when to open and for how long.
        changed: hears every transition, the state before it first.
    """

    def __init__(
        self,
        host: str,
        group: str,
        clock: Clock,
        limits: BreakerLimits,
        changed: Callable[[BreakerState, BreakerStatus], None],
    ) -> None:
        self._host = host
        self._group = group
        self._clock = clock
        self._limits = limits
        self._changed = changed
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._cool_down_s = limits.first_s
        self._next_probe_at: float | None = None
        self._kind = FaultKind.SERVER
        self._text = ""

    @property
    def status(self) -> BreakerStatus:
        """The breaker as it is now."""
        return BreakerStatus(self._group, self._state, self._failures, self._next_probe_at, self._text)

    def check(self) -> None:
        """Raise what `trial` would raise now, and change nothing."""
        if self._state is BreakerState.CLOSED:
            return
        left_s = 0.0 if self._next_probe_at is None else self._next_probe_at - self._clock.monotonic()
        if self._state is BreakerState.HALF_OPEN or left_s > 0:
            raise self._refusal(max(left_s, 0.0))

    @contextmanager
    def trial(self) -> Iterator[Trial]:
        """Let one request pass.

        Raises VenueError, of the kind that opened the breaker and with the time until the next probe, where it stays
        open. A request that ends without a verdict proves nothing; a probe that does leaves the next one due.
        """
        self.check()
        trial = Trial(self._state is not BreakerState.CLOSED)
        if trial.is_probe:
            self._turn(BreakerState.HALF_OPEN)
        try:
            yield trial
        finally:
            self._judge(trial)

    def _judge(self, trial: Trial) -> None:
        if self._state is not BreakerState.CLOSED and not trial.is_probe:
            return  # it was sent before the breaker opened, and says nothing of now
        if trial.verdict is not None:
            self._failed(trial, trial.verdict)
        elif trial.worked:
            self._worked()
        elif trial.is_probe:
            self._turn(BreakerState.OPEN)

    def _failed(self, trial: Trial, kind: FaultKind) -> None:
        self._failures += 1
        self._kind, self._text = kind, trial.text
        if trial.is_probe:
            self._cool_down_s = min(self._cool_down_s * 2, self._limits.cap_s)
        elif self._failures < self._limits.failures:
            return
        self._next_probe_at = self._clock.monotonic() + self._cool_down_s
        self._turn(BreakerState.OPEN)

    def _worked(self) -> None:
        self._failures, self._text = 0, ""
        if self._state is not BreakerState.CLOSED:
            self._next_probe_at, self._cool_down_s = None, self._limits.first_s
            self._turn(BreakerState.CLOSED)

    def _turn(self, state: BreakerState) -> None:
        before, self._state = self._state, state
        self._changed(before, self.status)

    def _refusal(self, left_s: float) -> VenueError:
        when = "is being tried now" if self._state is BreakerState.HALF_OPEN else f"is tried again in {left_s:.0f} s"
        words = f"{self._group} failed {self._failures} times in a row and {when}; last: {self._text}"
        return VenueError(self._kind, self._host, clean(words, TEXT_LENGTH), left_s)


class Breakers:
    """The breakers of a host, one for each group of endpoints. Arguments as for `Breaker`."""

    def __init__(
        self,
        host: str,
        clock: Clock,
        changed: Callable[[BreakerState, BreakerStatus], None],
        limits: BreakerLimits = BreakerLimits(),
    ) -> None:
        self._host = host
        self._clock = clock
        self._changed = changed
        self._limits = limits
        self._breakers: dict[str, Breaker] = {}

    def of(self, group: str) -> Breaker:
        """Return a group's breaker. Groups come from our own table, so that their number is bounded."""
        if group not in self._breakers:
            self._breakers[group] = Breaker(self._host, group, self._clock, self._limits, self._changed)
        return self._breakers[group]

    def statuses(self) -> tuple[BreakerStatus, ...]:
        """Return every breaker that was ever used, by name."""
        return tuple(self._breakers[group].status for group in sorted(self._breakers))

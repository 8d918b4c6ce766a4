"""The books of one request budget: what is spent, what is on its way, and when more is to be had.

The venue counts in fixed windows that begin with the first request in them. Its clock may differ from ours, so a window
is taken to end one whole length after the first answer that told of it, which is never too early; or sooner where the
answer itself tells the venue's time.
"""

from dataclasses import dataclass
from math import inf

from dydx_console.venue.resilience.headers import BudgetHeaders

__all__ = ["LONGEST_CLOSURE_S", "SHORTEST_CLOSURE_S", "Meter"]

WINDOW_S = 10.0
RESERVE = 0.2
"""Part of a window's budget that is kept for what may use the reserve…"""
LATE = 0.1
"""…until this last part of the window, in which what is left of the reserve goes to whoever waits."""
SAME_WINDOW_MS = 1_000
"""The venue's own figure for a window's end wavers by some milliseconds from answer to answer."""
SHORTEST_WINDOW_S = 1.0
SHORTEST_CLOSURE_S = 0.25
LONGEST_CLOSURE_S = 30.0
UNTOLD_CLOSURE_S = 1.0
"""First wait after a refusal that names none; it doubles from refusal to refusal."""


@dataclass(slots=True)
class Meter:
    """One bucket's books. Moments are monotonic seconds; every method but `take` may be called at any time.

    A refused bucket is closed for as long as the venue asks (0.25 to 30 s), and then asked by one request at a time
    until one is answered, whatever was told of it.
    """

    limit: int
    window_s: float = WINDOW_S
    in_flight: int = 0
    closed_until: float = -inf
    _left: int = 0
    _ends_at: float | None = None
    _window_id: int | None = None
    _opened_at: float = inf
    _is_told: bool = False
    _has_answer: bool = False
    _trusts_dates: bool = True
    _is_careful: bool = False
    _refusals: int = 0

    def __post_init__(self) -> None:
        self._left = self.limit

    def free(self, now: float, *, may_use_reserve: bool) -> int:
        """Return how many requests may be sent now."""
        self._roll(now)
        if now < self.closed_until:
            return 0
        if self._is_careful:
            return 0 if self.in_flight else 1
        kept = 0 if may_use_reserve or self._is_late(now) else int(self.limit * RESERVE)
        return max(self._left - self.in_flight - kept, 0)

    def take(self, now: float) -> None:
        """Note that a request is sent."""
        self._roll(now)
        self.in_flight += 1
        if self._ends_at is None:
            self._open(now)

    def give_back(self) -> None:
        """Note that a request that was taken is not sent after all."""
        self.in_flight -= 1

    def answered(self, told: BudgetHeaders | None, sent_at: float, now: float) -> None:
        """Note an answer, or the end of a request that brought none and may have been counted."""
        self.in_flight -= 1
        self._roll(now)
        if self._ends_at is None:
            self._open(now)
        if not self._has_answer and sent_at >= self._opened_at:
            # the venue's window began when the request reached it, and not when it was sent
            self._has_answer, self._ends_at = True, now + self.window_s
        if told is None or self._is_of_the_past(told):
            self._left -= 1
        else:
            self._learn(told, now)
        if sent_at >= self.closed_until:
            self._is_careful, self._refusals = False, 0

    def refused(self, told: BudgetHeaders | None, wait_s: float | None, now: float) -> None:
        """Note a refusal for too many requests, and the wait that it asks for, None where it names none."""
        self.in_flight -= 1
        if told is not None and told.limit is not None:
            self.limit = told.limit
        if wait_s is None:
            wait_s = UNTOLD_CLOSURE_S * 2 ** min(self._refusals, 5)
        self._refusals += 1
        self._trusts_dates = False
        closed_for_s = min(max(wait_s, SHORTEST_CLOSURE_S), LONGEST_CLOSURE_S)
        self.closed_until = max(self.closed_until, now + closed_for_s)
        self._is_careful = True
        self._left, self._ends_at, self._window_id, self._is_told = 0, self.closed_until, None, False

    def remaining(self, now: float) -> int:
        """Return what is believed to be left of the window, requests on their way taken off."""
        self._roll(now)
        return max(self._left - self.in_flight, 0)

    def reset_at(self, now: float) -> float | None:
        """Return when the whole budget is to be had again, None while nothing of it is spent."""
        self._roll(now)
        return self._ends_at

    def next_change(self, now: float) -> float | None:
        """Return the next moment at which more may be free without any answer, None where only an answer helps."""
        self._roll(now)
        if now < self.closed_until:
            return self.closed_until
        if self._ends_at is None or self._is_careful:
            return None
        late_from = self._ends_at - self.window_s * LATE
        return late_from if now < late_from else self._ends_at

    def wait_s(self, place: int, now: float, *, may_use_reserve: bool) -> float:
        """Return about how long the `place`-th of the waiting (from 1) waits, if nobody comes before them."""
        if place <= self.free(now, may_use_reserve=may_use_reserve):
            return 0.0
        ends_at = now + self.window_s if self._ends_at is None else self._ends_at
        whole = 0 if now < self.closed_until else self.remaining(now)
        if place <= whole:
            return max(ends_at - self.window_s * LATE - now, 0.0)
        return ends_at - now + (place - whole - 1) // self.limit * self.window_s

    def _open(self, now: float) -> None:
        self._opened_at, self._ends_at = now, now + self.window_s
        self._is_told = self._has_answer = False

    def _roll(self, now: float) -> None:
        if self._ends_at is not None and now >= self._ends_at:
            self._left, self._ends_at = self.limit, None
            self._is_told = self._has_answer = False

    def _is_late(self, now: float) -> bool:
        return self._ends_at is not None and now >= self._ends_at - self.window_s * LATE

    def _is_of_the_past(self, told: BudgetHeaders) -> bool:
        """Return whether an answer tells of a window that is over: `_window_id` is the open one's once that is told."""
        if told.window_id is None or self._window_id is None:
            return False
        return told.window_id < self._window_id + (-SAME_WINDOW_MS if self._is_told else SAME_WINDOW_MS)

    def _learn(self, told: BudgetHeaders, now: float) -> None:
        if told.limit is not None:
            self.limit = told.limit
        if told.window_id is None:
            self._left = min(self._left, told.remaining)
            if told.left_s is not None:
                self._ends_at = now + min(max(told.left_s, SHORTEST_WINDOW_S), LONGEST_CLOSURE_S)
        elif self._is_told and told.window_id <= (self._window_id or 0) + SAME_WINDOW_MS:
            self._left = min(self._left, told.remaining)
        else:
            left_s = told.left_s if self._trusts_dates and told.left_s is not None else self.window_s
            self._left, self._ends_at = told.remaining, now + min(left_s, self.window_s)
            self._window_id, self._is_told, self._has_answer = told.window_id, True, True

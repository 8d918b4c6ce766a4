"""The gate before a host: reads queue for its budgets by rank and in order, and no read waits for more than 30 s."""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from itertools import count
from math import inf

from dydx_console.domain.limits import Budget
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.venue.resilience.headers import budget_headers, retry_after_s
from dydx_console.venue.resilience.meter import LONGEST_CLOSURE_S, SHORTEST_CLOSURE_S, Meter

__all__ = ["LONGEST_WAIT_S", "HostGate", "Permit", "Rank"]

LONGEST_WAIT_S = 30.0
DEFAULT_LIMIT = 100
MOST_IN_FLIGHT = 8
KEPT_FOR_RECOVERY = 2
"""Requests at a time that only recovery may have on their way, so that slow charts do not hold up the account."""
MOST_WAITING = 1_000
SHORTEST_TIMER_S = 0.005


class Rank(IntEnum):
    """Who comes first."""

    RECOVERY = 0
    """What the account's picture rests on. May use the reserve."""
    MARKET = 1
    """Markets and books."""
    CHART = 2
    """Candles, and histories that are shown."""
    HISTORY = 3
    """What only fills the journal with older rows; nothing on the screen waits for it."""


@dataclass(slots=True, eq=False)
class Permit:
    """The right to send one request; whoever holds it says how the request ended."""

    gate: "HostGate"
    meter: Meter
    sent_at: float = inf
    ended: bool = False

    def answered(self, headers: Mapping[str, str]) -> None:
        """Note an answer that was no refusal for too many requests."""
        if not self.ended:
            self.ended = True
            self.gate.note_answer(self, headers)

    def refused(self, headers: Mapping[str, str], *, by_venue: bool) -> float:
        """Note such a refusal; `by_venue` tells that the words were the venue's own, not a proxy's.

        Returns for how many seconds nothing more is sent: to this bucket, or to the host where a proxy refused.
        """
        self.ended = True
        return self.gate.note_refusal(self, headers, by_venue=by_venue)

    def unsent(self) -> None:
        """Give the right back."""
        if not self.ended:
            self.ended = True
            self.meter.give_back()


@dataclass(slots=True, order=True)
class Waiter:
    """One read in the queue, ordered by rank and then by arrival."""

    rank: Rank
    place: int
    bucket: str = field(compare=False)
    permit: Permit = field(compare=False)
    called: asyncio.Event = field(compare=False, default_factory=asyncio.Event)


class HostGate:
    """One host's budgets, fed by its answers. Belongs to one event loop.

    Args:
        host: the host's name, for messages.
        clock: the clock by which the loop's timers run.
        limits: requests per 10 s by bucket, until the host says otherwise; 100 for those not named.
        most_in_flight: requests that may be on their way at once.
        waits: is called when a read has to wait for its turn.
    """

    def __init__(
        self,
        host: str,
        clock: Clock,
        limits: Mapping[str, int] | None = None,
        most_in_flight: int = MOST_IN_FLIGHT,
        waits: Callable[[], None] | None = None,
    ) -> None:
        self._host = host
        self._clock = clock
        self._limits = limits or {}
        self._most_in_flight = most_in_flight
        self._waits = waits
        self._meters: dict[str, Meter] = {}
        self._waiting: list[Waiter] = []
        self._places = count()
        self._in_flight = 0
        self._closed_until = -inf
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def permit(self, bucket: str, rank: Rank, patience_s: float = LONGEST_WAIT_S) -> AsyncIterator[Permit]:
        """Wait for the right to send one request.

        Raises VenueError (RATE_LIMITED, with the expected wait) at once where that would use up `patience_s` or 30 s,
        and later where it did. A request whose end is not told counts as spent, but for one within which VenueError is
        raised: that has not been sent.
        """
        permit = await self._granted(bucket, rank, min(patience_s, LONGEST_WAIT_S))
        try:
            yield permit
        except VenueError:
            permit.unsent()
            raise
        finally:
            self._in_flight -= 1
            if not permit.ended:
                permit.ended = True
                permit.meter.answered(None, permit.sent_at, self._clock.monotonic())
            self._serve()

    def note_answer(self, permit: Permit, headers: Mapping[str, str]) -> None:
        """Enter an answer in the books; called by the permit."""
        permit.meter.answered(budget_headers(headers), permit.sent_at, self._clock.monotonic())

    def note_refusal(self, permit: Permit, headers: Mapping[str, str], *, by_venue: bool) -> float:
        """Enter a refusal in the books; called by the permit. Returns how long bucket or host is closed."""
        now = self._clock.monotonic()
        told = budget_headers(headers)
        is_own = by_venue or (told is not None and told.in_milliseconds)
        wait_s = retry_after_s(headers.get("Retry-After"), self._clock.utc(), in_milliseconds=is_own)
        permit.meter.refused(told, wait_s, now)
        closed_until = permit.meter.closed_until
        if not is_own and wait_s is not None:
            # a proxy counts all that comes from here, whatever it is about
            closed_for_s = min(max(wait_s, SHORTEST_CLOSURE_S), LONGEST_CLOSURE_S)
            self._closed_until = max(self._closed_until, now + closed_for_s)
            closed_until = max(closed_until, self._closed_until)
        return closed_until - now

    def expected_wait_s(self, bucket: str, rank: Rank) -> float:
        """Return about how long a read that came now would wait for its budget, in seconds."""
        now = self._clock.monotonic()
        ahead = sum(waiter.bucket == bucket and waiter.rank <= rank for waiter in self._waiting)
        wait_s = self._meter(bucket).wait_s(ahead + 1, now, may_use_reserve=rank is Rank.RECOVERY)
        return max(wait_s, self._closed_until - now)

    def budgets(self) -> tuple[Budget, ...]:
        """Return every budget that was ever used, by name."""
        return tuple(self._budget(bucket) for bucket in sorted(self._meters))

    async def _granted(self, bucket: str, rank: Rank, patience_s: float) -> Permit:
        expected_s = self.expected_wait_s(bucket, rank)
        if expected_s > 0 and expected_s >= patience_s:
            raise self._too_long(bucket, expected_s)
        if len(self._waiting) >= MOST_WAITING:
            raise VenueError(FaultKind.RATE_LIMITED, self._host, f"{MOST_WAITING:,} reads wait already", expected_s)
        waiter = Waiter(rank, next(self._places), bucket, Permit(self, self._meter(bucket)))
        insort(self._waiting, waiter)
        self._serve()
        if self._waits is not None and not waiter.called.is_set():
            self._waits()
        has_it = False
        try:
            async with asyncio.timeout(patience_s):
                await waiter.called.wait()
            has_it = True
        except TimeoutError:
            text = f"no turn came within {patience_s:.0f} s"
            expected_s = max(self.expected_wait_s(bucket, rank), SHORTEST_CLOSURE_S)
            raise VenueError(FaultKind.RATE_LIMITED, self._host, text, expected_s) from None
        finally:
            if not has_it:
                self._withdraw(waiter)
        return waiter.permit

    def _withdraw(self, waiter: Waiter) -> None:
        """Take back a read that nobody waits for any more, and the right that it may just have been given."""
        if waiter.called.is_set():
            waiter.permit.unsent()
            self._in_flight -= 1
        else:
            self._waiting.remove(waiter)
        self._serve()

    def _serve(self) -> None:
        """Give every right that can be given now, and come back when there may be more."""
        now = self._clock.monotonic()
        still: list[Waiter] = []
        for waiter in self._waiting:
            if self._may_go(waiter, now):
                waiter.permit.meter.take(now)
                waiter.permit.sent_at = now
                self._in_flight += 1
                waiter.called.set()
            else:
                still.append(waiter)
        self._waiting = still
        self._come_back(now)

    def _may_go(self, waiter: Waiter, now: float) -> bool:
        is_recovery = waiter.rank is Rank.RECOVERY
        most = self._most_in_flight - (0 if is_recovery else KEPT_FOR_RECOVERY)
        if now < self._closed_until or self._in_flight >= most:
            return False
        return waiter.permit.meter.free(now, may_use_reserve=is_recovery) > 0

    def _come_back(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        due = self._next_change(now)
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(due - now, SHORTEST_TIMER_S), self._serve)

    def _next_change(self, now: float) -> float | None:
        """Return when a right may become free by itself, None where only an answer frees one."""
        if now < self._closed_until:
            return self._closed_until
        meters = {waiter.bucket: waiter.permit.meter for waiter in self._waiting}
        moments = (meter.next_change(now) for meter in meters.values())
        return min((moment for moment in moments if moment is not None), default=None)

    def _meter(self, bucket: str) -> Meter:
        if bucket not in self._meters:
            self._meters[bucket] = Meter(self._limits.get(bucket, DEFAULT_LIMIT))
        return self._meters[bucket]

    def _budget(self, bucket: str) -> Budget:
        now = self._clock.monotonic()
        meter = self._meter(bucket)
        reset_at = meter.reset_at(now)
        return Budget(
            host=self._host,
            bucket=bucket,
            limit=meter.limit,
            remaining=meter.remaining(now),
            reset_at=reset_at,
            reset_time=None if reset_at is None else self._clock.utc() + timedelta(seconds=reset_at - now),
            waiting=sum(waiter.bucket == bucket for waiter in self._waiting),
            expected_wait_s=max(self.expected_wait_s(bucket, Rank.CHART), 0.0),
        )

    def _too_long(self, bucket: str, expected_s: float) -> VenueError:
        text = f"the budget for {bucket} is spent; the next read would wait about {expected_s:.0f} s"
        return VenueError(FaultKind.RATE_LIMITED, self._host, text, expected_s)

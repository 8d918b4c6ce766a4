"""A venue that counts requests as comlink does: fixed windows per bucket, begun by the first request in them."""

import asyncio
import random
from collections import Counter
from email.utils import format_datetime

from virtual_time import clock_of_loop

from dydx_console.venue.resilience.limiter import HostGate, Rank

WINDOW_MS = 10_000


class CountingVenue:
    """Answers after a random time on the way there and back.

    `sent` keeps the names of requests in the order of sending, `told` (name, moment of sending, status) in the order of
    answers; `says_budget` False leaves the budget headers out.
    """

    def __init__(
        self,
        rng: random.Random,
        limit: int = 100,
        *,
        most_way_s: float = 0.15,
        ahead_s: float = 0.0,
        says_budget: bool = True,
        window_ms: int = WINDOW_MS,
    ) -> None:
        self._rng = rng
        self._limit = limit
        self._most_way_s = most_way_s
        self._says_budget = says_budget
        self._window_ms = window_ms
        self._clock = clock_of_loop(ahead_s)
        self._windows: dict[str, tuple[int, int]] = {}
        self._now = 0
        self.sent: list[str] = []
        self.told: list[tuple[str, float, int]] = []
        self.most_at_once = 0

    @property
    def statuses(self) -> Counter[int]:
        """How often which status was answered."""
        return Counter(status for _, _, status in self.told)

    def spend(self, bucket: str, points: int = 1) -> tuple[int, dict[str, str]]:
        """Take points, as another program on the same internet address does; returns status and headers."""
        now_ms = int(self._clock.utc().timestamp() * 1000)
        reset_ms, used = self._windows.get(bucket, (0, 0))
        if now_ms >= reset_ms:
            reset_ms, used = now_ms + self._window_ms, 0
        used += points
        self._windows[bucket] = (reset_ms, used)
        headers = {
            "Date": format_datetime(self._clock.utc().replace(microsecond=0), usegmt=True),
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(max(self._limit - used, 0)),
            "RateLimit-Reset": str(reset_ms + self._rng.randint(-4, 4)),
        }
        if used > self._limit:
            return 429, {**headers, "Retry-After": str(reset_ms - now_ms)}
        return 200, headers if self._says_budget else {"Date": headers["Date"]}

    async def ask(self, gate: HostGate, name: str, bucket: str, rank: Rank, patience_s: float = 30.0) -> int:
        """Send one request through the gate; returns its status."""
        async with gate.permit(bucket, rank, patience_s) as permit:
            self.sent.append(name)
            sent_at = self._clock.monotonic()
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            try:
                await asyncio.sleep(self._rng.uniform(0.001, self._most_way_s))
                status, headers = self.spend(bucket)
                await asyncio.sleep(self._rng.uniform(0.001, self._most_way_s))
            finally:
                self._now -= 1
            self.told.append((name, sent_at, status))
            if status == 429:
                permit.refused(headers, by_venue=True)
            else:
                permit.answered(headers)
            return status

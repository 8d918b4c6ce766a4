"""Comlink's rate limits: fixed windows per client address and bucket, told in headers in milliseconds
(dydxprotocol/v4-chain indexer/services/comlink/src/lib/rate-limit.ts)."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_MS = 10_000
SCREEN_WINDOW_MS = 60_000
MAX_WINDOWS = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """Points per window."""

    name: str
    points: int = 100
    window_ms: int = WINDOW_MS


GET = Bucket("get")
ORDERS = Bucket("orders")
FILLS = Bucket("fills")
CANDLES = Bucket("candles", 1_000)
SPARKLINES = Bucket("sparklines")
HISTORICAL_PNL = Bucket("historical-pnl")
PNL = Bucket("pnl")
FUNDING = Bucket("funding")
SCREEN = Bucket("screen", 2, SCREEN_WINDOW_MS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the headers that say so."""

    allowed: bool
    headers: tuple[tuple[str, str], ...]


class Limiter:
    """Counts requests; windows start with the first request in them."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[int, int]] = {}

    def take(self, client: str, bucket: Bucket, now_ms: int) -> Verdict:
        """Spend a point."""
        if len(self._windows) > MAX_WINDOWS:
            self._windows = {key: window for key, window in self._windows.items() if window[0] > now_ms}
        key = (client, bucket.name)
        reset_ms, used = self._windows.get(key, (0, 0))
        if now_ms >= reset_ms:
            reset_ms, used = now_ms + bucket.window_ms, 0
        used += 1
        self._windows[key] = (reset_ms, used)
        headers = [("RateLimit-Remaining", str(max(0, bucket.points - used))), ("RateLimit-Reset", str(reset_ms))]
        if used > bucket.points:
            headers.append(("Retry-After", str(reset_ms - now_ms)))
        headers.append(("RateLimit-Limit", str(bucket.points)))
        return Verdict(used <= bucket.points, tuple(headers))

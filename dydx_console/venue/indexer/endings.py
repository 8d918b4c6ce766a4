"""Why a connection ended or never came about, in a trader's words, and how long to wait before the next."""

import random
import ssl
from dataclasses import dataclass
from datetime import datetime

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from dydx_console.domain.stream import StreamCondition
from dydx_console.domain.text import clean
from dydx_console.ports.faults import FaultKind
from dydx_console.venue.resilience.faults import fault_of_close, fault_of_status
from dydx_console.venue.resilience.headers import retry_after_s

__all__ = ["Ending", "ending_of_close", "ending_of_failure", "pause_s"]

TEXT_LENGTH = 120
LONGEST_WAIT_S = 30.0
SLOW_S = 5.0
"""The least wait after a refusal that the next second will hardly change."""
TOO_BIG = 1009
RESTARTS = frozenset({1001, 1012})


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection is over.

    `kind` is the failure, None where it is none. The next attempt waits at least `least_s` seconds, and up to `most_s`
    where that is not None; `is_final` tells that only a person can have it tried again, `was_asked_for` that a person
    wanted a fresh connection.
    """

    what: StreamCondition
    text: str
    kind: FaultKind | None = FaultKind.UNREACHABLE
    least_s: float = 0.0
    most_s: float | None = None
    is_final: bool = False
    was_asked_for: bool = False


def ending_of_close(code: int | None, reason: str, error: ConnectionClosed | None) -> Ending:
    """Return why a connection that had been opened is over. A socket that broke has no code, or 1006."""
    if error is not None and error.sent is not None and error.sent.code == TOO_BIG and error.rcvd is None:
        text = "The Indexer sent a message too long to be read"
        return Ending(StreamCondition.OVERSIZED, text, FaultKind.BAD_ANSWER)
    judged = fault_of_close(code, reason)
    kind, least_s, most_s = judged.fault.kind, judged.least_wait_s, judged.most_wait_s
    if code in RESTARTS:
        return Ending(StreamCondition.RESTARTED, "The Indexer restarts its stream", kind, least_s, most_s)
    what = StreamCondition.THROTTLED if code in (1008, 1013) else StreamCondition.CLOSED
    return Ending(what, f"The Indexer's stream ended: {judged.fault.text}", kind, least_s, most_s)


def ending_of_failure(error: Exception, now: datetime) -> Ending:
    """Return why no connection came about.

    Args:
        error: what opening it raised.
        now: the wall clock, for refusals that name a date.
    """
    what = StreamCondition.UNREACHABLE
    if isinstance(error, InvalidStatus):
        header = error.response.headers.get("Retry-After")
        # the Indexer's own stream never refuses so: it is something in front of it, which counts in seconds
        return _ending_of_status(error.response.status_code, retry_after_s(header, now, in_milliseconds=False))
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or str(error)
        text = f"The Indexer's certificate or TLS was refused: {clean(reason, TEXT_LENGTH)}"
        return Ending(StreamCondition.UNTRUSTED, text, FaultKind.TLS, SLOW_S)
    if isinstance(error, TimeoutError):
        return Ending(what, "The Indexer's stream does not answer", FaultKind.TIMEOUT)
    if isinstance(error, InvalidHandshake):
        text = f"Something else answers in place of the Indexer's stream: {_shown(error)}"
        return Ending(what, text, FaultKind.BAD_ANSWER)
    return Ending(what, f"The Indexer's stream cannot be reached: {_shown(error)}")


def _ending_of_status(status: int, wait_s: float | None) -> Ending:
    fault = fault_of_status(status, absent="no stream at this address", retry_after_s=wait_s)
    if fault.kind is FaultKind.GEO_BLOCKED:
        text = f"The Indexer refuses connections from here (HTTP {status}). {fault.advice}"
        return Ending(StreamCondition.BLOCKED, text, fault.kind, is_final=True)
    if fault.kind is FaultKind.NOT_FOUND:
        text = f"There is no stream at this address (HTTP {status}): check the network's configuration"
        return Ending(StreamCondition.BLOCKED, text, fault.kind, is_final=True)
    least_s = min(wait_s or 0.0, LONGEST_WAIT_S)
    if fault.kind is FaultKind.RATE_LIMITED:
        text = f"The Indexer takes no more connections for now (HTTP {status})"
        return Ending(StreamCondition.THROTTLED, text, fault.kind, least_s or SLOW_S)
    text = f"The Indexer's stream cannot be had: {fault.text}"
    return Ending(StreamCondition.UNREACHABLE, text, fault.kind, least_s if fault.retryable else max(least_s, SLOW_S))


def _shown(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}", TEXT_LENGTH)


def pause_s(ending: Ending, backoff_s: float, rng: random.Random) -> float | None:
    """Return how long to wait before the next attempt, None where only a person can have it tried again.

    Args:
        ending: how the last one ended.
        backoff_s: the wait that is due for failures in a row.
        rng: spreads what the ending asks for, so that clients do not come back together.
    """
    if ending.was_asked_for:
        return 0.0
    if ending.is_final:
        return None
    most_s = ending.least_s + min(ending.least_s, 1.0) if ending.most_s is None else ending.most_s
    return max(rng.uniform(ending.least_s, most_s), backoff_s)

"""One judgement of failures for REST and WebSocket, and for every kind what may be done about it.

gRPC statuses are judged in `venue/node/statuses.py`; `MEANINGS` holds for their kinds too. Sources, of
dydxprotocol/v4-chain: indexer/services/comlink/src/lib/{errors,rate-limit,compliance-and-geo-check}.ts for statuses,
indexer/services/socks/src/lib/constants.ts for close codes; RFC 6455 §7.4 for the others.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from dydx_console.domain.text import clean
from dydx_console.ports.faults import FaultKind

__all__ = [
    "MEANINGS",
    "CloseJudgement",
    "Meaning",
    "VenueFault",
    "fault_of_close",
    "fault_of_status",
    "fault_of_transport",
    "is_tls",
    "unreadable",
]

TEXT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a kind of failure means: whether a read may be tried again, and one sentence for the person."""

    retryable: bool
    advice: str


MEANINGS: Mapping[FaultKind, Meaning] = {
    FaultKind.UNREACHABLE: Meaning(
        True, "Check this machine's connection to the internet; the console keeps trying by itself."
    ),
    FaultKind.TIMEOUT: Meaning(
        True, "The venue answers too slowly; what is shown keeps its age, and the console keeps trying."
    ),
    FaultKind.TLS: Meaning(
        False, "Check this machine's clock and whatever inspects its traffic; nothing is read over an unproven link."
    ),
    FaultKind.RATE_LIMITED: Meaning(
        True, "Nothing to do: reads queue until the venue takes them; others on this internet address share the budget."
    ),
    FaultKind.GEO_BLOCKED: Meaning(
        False, "The venue's terms decide who is served where; public market data may go on all the same."
    ),
    FaultKind.NOT_FOUND: Meaning(False, "Check the address, the market and the network that are configured."),
    FaultKind.REJECTED: Meaning(
        False, "Asking the same again will not help; check the configuration, and report it with the venue's words."
    ),
    FaultKind.SERVER: Meaning(True, "The venue has trouble of its own; the console keeps trying by itself."),
    FaultKind.BAD_ANSWER: Meaning(
        False, "Something else may answer in the venue's place (a proxy, a log-in page); the log has a sample."
    ),
}
"""What may be done about each kind of failure, whichever wire it came over."""

_COMPLIANCE_ADVICE = "The venue refuses this address; its support can say why. Public market data goes on."
_GEO_ADVICE = "The venue does not serve accounts from this place; public market data goes on."
_ODD_SERVER_STATUSES = frozenset({501, 505})
"""Statuses of the 500s that say that asking again is no use."""
_PASSING_STATUSES = frozenset({408, 425})
"""Statuses of the 400s that say to ask again."""


@dataclass(frozen=True, slots=True)
class VenueFault:
    """A failure, judged.

    `text` is one clean line with the venue's own words where it gave any, `advice` one sentence on what can be done;
    `retryable` tells that a read may be tried again; `retry_after_s` is the wait that the venue asks for.
    """

    kind: FaultKind
    text: str
    advice: str
    retryable: bool
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class CloseJudgement:
    """A WebSocket's end, judged: the failure, and between which waits, in seconds, to connect again.

    `most_wait_s` is None where the usual growing delays decide, which then begin at `least_wait_s`.
    """

    fault: VenueFault
    least_wait_s: float = 0.0
    most_wait_s: float | None = None


def _fault(
    kind: FaultKind,
    text: str,
    *,
    advice: str | None = None,
    retryable: bool | None = None,
    retry_after_s: float | None = None,
) -> VenueFault:
    meaning = MEANINGS[kind]
    return VenueFault(
        kind,
        clean(text, TEXT_LENGTH),
        meaning.advice if advice is None else advice,
        meaning.retryable if retryable is None else retryable,
        retry_after_s,
    )


def fault_of_status(
    status: int, words: str = "", code: str | None = None, *, absent: str = "", retry_after_s: float | None = None
) -> VenueFault:
    """Return what an HTTP status other than success means, for an answer as for a WebSocket handshake.

    Args:
        status: the status.
        words: the venue's own, "" where the body was not the venue's.
        code: the venue's own code for the refusal.
        absent: what 404 means at the endpoint that was asked.
        retry_after_s: the wait that the answer asks for.
    """
    text = f"HTTP {status}: {words}" if words else f"HTTP {status}"
    if status == 429:
        return _fault(FaultKind.RATE_LIMITED, text, retry_after_s=retry_after_s)
    if status in (403, 451):
        return _refused_for_who_asks(text, code, has_words=bool(words))
    if status == 404:
        return _fault(FaultKind.NOT_FOUND, f"{text} ({absent})" if absent else text)
    if 300 <= status < 400:
        return _fault(FaultKind.REJECTED, f"HTTP {status}: a redirect, which is not followed")
    if status >= 500:
        retryable = status not in _ODD_SERVER_STATUSES
        return _fault(FaultKind.SERVER, text, retryable=retryable, retry_after_s=retry_after_s)
    if status < 300:
        return _fault(FaultKind.BAD_ANSWER, f"{text}: not the status of an answer")
    return _fault(FaultKind.REJECTED, text, retryable=status in _PASSING_STATUSES)


def _refused_for_who_asks(text: str, code: str | None, *, has_words: bool) -> VenueFault:
    if code == "COMPLIANCE_BLOCKED":
        return _fault(FaultKind.GEO_BLOCKED, f"{text} [the address is blocked]", advice=_COMPLIANCE_ADVICE)
    if code == "GEOBLOCKED":
        return _fault(FaultKind.GEO_BLOCKED, f"{text} [the place is blocked]", advice=_GEO_ADVICE)
    return _fault(FaultKind.GEO_BLOCKED, text if has_words else f"{text}: refused without a reason")


_WORDLESS: Mapping[type[BaseException], str] = {
    httpx.ReadError: "the connection broke",
    httpx.WriteError: "the connection broke",
    httpx.ConnectError: "no connection",
}
"""What the library's errors are called that come without words."""


def fault_of_transport(error: httpx.HTTPError | TimeoutError) -> VenueFault:
    """Return what a request means that brought no whole answer."""
    words = str(error) or _WORDLESS.get(type(error), type(error).__name__)
    if is_tls(error):
        return _fault(FaultKind.TLS, words)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return _fault(FaultKind.TIMEOUT, "no answer in time" if isinstance(error, TimeoutError) else _slow(error))
    if isinstance(error, httpx.RemoteProtocolError):
        was_cut = any(word in words for word in ("disconnected", "closed connection"))
        return _fault(FaultKind.UNREACHABLE if was_cut else FaultKind.BAD_ANSWER, words)
    return _fault(FaultKind.UNREACHABLE if isinstance(error, httpx.NetworkError) else FaultKind.BAD_ANSWER, words)


def unreadable(reason: str) -> VenueFault:
    """Return the failure of an answer that came whole and could not be read."""
    return _fault(FaultKind.BAD_ANSWER, reason)


_CLOSE_KINDS: Mapping[int, FaultKind] = {
    1000: FaultKind.UNREACHABLE,
    1001: FaultKind.UNREACHABLE,
    1002: FaultKind.BAD_ANSWER,
    1003: FaultKind.BAD_ANSWER,
    1006: FaultKind.UNREACHABLE,
    1007: FaultKind.BAD_ANSWER,
    1008: FaultKind.RATE_LIMITED,
    1009: FaultKind.BAD_ANSWER,
    1011: FaultKind.SERVER,
    1012: FaultKind.SERVER,
    1013: FaultKind.SERVER,
    1014: FaultKind.SERVER,
    1015: FaultKind.TLS,
    4000: FaultKind.SERVER,
}
_CLOSE_WORDS: Mapping[int, str] = {
    1000: "the venue ended the connection",
    1001: "the venue went away",
    1006: "the connection broke",
    1008: "the venue says that it was asked too much",
    1011: "the venue gave the connection up",
    1012: "the venue restarts",
    1013: "the venue asks to come back later",
    4000: "the venue could not send",
}
_CLOSE_WAITS: Mapping[int, tuple[float, float | None]] = {
    1001: (0.0, 2.0),
    1012: (0.0, 2.0),
    1008: (5.0, None),
    1013: (10.0, None),
}
"""A restart is over soon, but every client comes back at once: these are spread, and who asked too much waits."""


def fault_of_close(code: int | None, reason: str = "") -> CloseJudgement:
    """Return what the end of a WebSocket means; `code` is None where no close frame came."""
    known = 1006 if code is None else code
    words = _CLOSE_WORDS.get(known, "the connection ended")
    detail = clean(reason, TEXT_LENGTH // 2)
    text = f"{words} ({known}{': ' + detail if detail else ''})"
    # a stream is always connected again, whatever ended it: `retryable` is about that, not about the message
    fault = _fault(_CLOSE_KINDS.get(known, FaultKind.SERVER), text, retryable=known != 1015)
    least_s, most_s = _CLOSE_WAITS.get(known, (0.0, None))
    return CloseJudgement(fault, least_s, most_s)


def _slow(error: httpx.HTTPError) -> str:
    return "no connection in time" if isinstance(error, httpx.ConnectTimeout) else "no answer in time"


def is_tls(error: BaseException) -> bool:
    """Return whether an error, or what caused it, is of TLS."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False

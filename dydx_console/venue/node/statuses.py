"""What a gRPC status means for us: which kind of fault it is, and whether another node may do better.

Sources: grpc/grpc doc/statuscodes.md and doc/http-grpc-status-mapping.md; cosmos/cosmos-sdk client/grpc/cmtservice;
cometbft/cometbft rpc/core/env.go.
"""

import re
from dataclasses import dataclass

from dydx_console.domain.text import clean
from dydx_console.ports.faults import FaultKind

__all__ = ["NO_SUCH_HEIGHT", "Fault", "fault_of"]

MAX_DETAILS = 160

NO_SUCH_HEIGHT = (
    "is not available, lowest height is",
    "is not available, blocks pruned",
    "bigger then the chain length",
    "bigger than the chain length",
    "less than or equal to the current blockchain height",
    "nil block",
)
"""Words by which nodes say, under whatever status, that a block is pruned or not there yet."""

_TLS = ("ssl_error", "ssl routines", "tls handshake", "ssl handshake", "hostname verification", "tsi_protocol_failure")
_UNRESOLVED = ("resolving", "dns resolution", "domain name not found", "name resolution")
_OPENSSL_REASON = re.compile(r"OPENSSL_internal:([A-Z0-9_]+)(?:: ([a-zA-Z ]+))?")
_HTTP_STATUS = re.compile(r"http2? header with status: (\d{3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that failed, judged.

    `elsewhere` tells that another node may answer all the same, `demotes` that this one is not worth asking for a
    while, `retry_after_s` how long it asks to wait.
    """

    kind: FaultKind
    text: str
    elsewhere: bool = True
    demotes: bool = False
    retry_after_s: float | None = None


_PLAIN: dict[str, tuple[FaultKind, str, bool]] = {
    "NOT_FOUND": (FaultKind.NOT_FOUND, "not found", False),
    "INVALID_ARGUMENT": (FaultKind.REJECTED, "the request was refused", False),
    "OUT_OF_RANGE": (FaultKind.REJECTED, "the request was refused", False),
    "FAILED_PRECONDITION": (FaultKind.REJECTED, "the request was refused", False),
    "ALREADY_EXISTS": (FaultKind.REJECTED, "the request was refused", False),
    "PERMISSION_DENIED": (FaultKind.REJECTED, "this node refuses us", True),
    "UNAUTHENTICATED": (FaultKind.REJECTED, "this node refuses us", True),
    "UNIMPLEMENTED": (FaultKind.REJECTED, "this node does not offer the query", True),
}
"""Kind, words, and whether another node may do better, for the statuses that need no second look."""


def fault_of(
    code: str, details: str, waited_s: float, retry_after_s: float | None = None, absent: tuple[str, ...] = ()
) -> Fault:
    """Return what a failed call means.

    Args:
        code: name of the gRPC status code.
        details: what the status says; by the node, or by the library where no node was reached.
        waited_s: the deadline that the call had, in seconds.
        retry_after_s: how long the node asks to wait.
        absent: words that mean, under any status, that there is no such thing.
    """
    lowered = details.lower()
    if any(words in lowered for words in absent):
        return Fault(FaultKind.NOT_FOUND, _said(details), elsewhere=False)
    if (status := _HTTP_STATUS.search(details)) is not None:
        return _of_http(int(status[1]), retry_after_s)
    if code == "DEADLINE_EXCEEDED":
        return Fault(FaultKind.TIMEOUT, f"no answer within {waited_s:.1f} s", demotes=True)
    if code == "RESOURCE_EXHAUSTED":
        return _of_exhausted(details, retry_after_s)
    if code == "UNAVAILABLE":
        return _of_unavailable(details, lowered)
    kind, words, elsewhere = _PLAIN.get(code, (FaultKind.SERVER, f"the node failed ({code})", True))
    return Fault(kind, _said(f"{words}: {details}") if details else words, elsewhere)


def _said(details: str) -> str:
    return clean(details, MAX_DETAILS)


def _of_http(status: int, retry_after_s: float | None) -> Fault:
    """Judge an answer of something in front of the node that does not speak gRPC."""
    text = f"HTTP {status} instead of an answer"
    if status == 429:
        return Fault(FaultKind.RATE_LIMITED, text, demotes=True, retry_after_s=retry_after_s)
    if status == 451:
        return Fault(FaultKind.GEO_BLOCKED, text, demotes=True)
    return Fault(FaultKind.SERVER if status >= 500 else FaultKind.REJECTED, text, demotes=True)


def _of_exhausted(details: str, retry_after_s: float | None) -> Fault:
    if "larger than max" in details:
        # said by our own side of the connection: the node has not refused anything
        return Fault(FaultKind.BAD_ANSWER, "the answer is too large")
    return Fault(
        FaultKind.RATE_LIMITED, _said(f"too many requests: {details}"), demotes=True, retry_after_s=retry_after_s
    )


def _of_unavailable(details: str, lowered: str) -> Fault:
    if any(words in lowered for words in _TLS):
        return Fault(FaultKind.TLS, _tls_text(details), demotes=True)
    if any(words in lowered for words in _UNRESOLVED):
        return Fault(FaultKind.UNREACHABLE, "the host name is not known", demotes=True)
    if "connection refused" in lowered:
        return Fault(FaultKind.UNREACHABLE, "connection refused", demotes=True)
    if "http1.x server" in lowered or "failed parsing http/2" in lowered:
        return Fault(FaultKind.BAD_ANSWER, "what listens there does not speak gRPC", demotes=True)
    reason = details.rpartition("last error: ")[2]
    return Fault(FaultKind.UNREACHABLE, _said(f"not reachable: {reason}" if reason else "not reachable"), demotes=True)


def _tls_text(details: str) -> str:
    if "hostname verification" in details.lower():
        return "the certificate is for another host"
    reason = _OPENSSL_REASON.search(details)
    if reason is None:
        return _said(f"TLS failed: {details}")
    if reason[1] == "WRONG_VERSION_NUMBER":
        return "TLS failed: what listens there does not speak TLS"
    if reason[1] == "CERTIFICATE_VERIFY_FAILED" and reason[2]:
        return f"the certificate was refused: {reason[2].strip()}"
    return f"TLS failed: {reason[1].lower().replace('_', ' ')}"

"""What a gRPC status means: its kind, whether another node may help, and whether this one is put behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.text import clean
from dydx_console.ports.faults import FaultKind
from dydx_console.venue.node.statuses import NO_SUCH_HEIGHT, fault_of

NEXT, FINAL = True, False
BEHIND, STAYS = True, False

CONNECT = "failed to connect to all addresses; last error: UNKNOWN: ipv4:192.0.2.1:443: "
SSL = CONNECT + "Tls handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1:SSL routines:OPENSSL_internal:"


@pytest.mark.parametrize(
    ("code", "details", "kind", "elsewhere", "demotes", "words"),
    [
        ("UNAVAILABLE", CONNECT + "Connection refused", FaultKind.UNREACHABLE, NEXT, BEHIND, "connection refused"),
        ("UNAVAILABLE", CONNECT + "No route to host", FaultKind.UNREACHABLE, NEXT, BEHIND, "No route to host"),
        ("UNAVAILABLE", "Socket closed", FaultKind.UNREACHABLE, NEXT, BEHIND, "not reachable: Socket closed"),
        ("UNAVAILABLE", "", FaultKind.UNREACHABLE, NEXT, BEHIND, "not reachable"),
        ("UNAVAILABLE", "errors resolving x:443: [...]", FaultKind.UNREACHABLE, NEXT, BEHIND, "host name"),
        ("UNAVAILABLE", "DNS resolution failed for x", FaultKind.UNREACHABLE, NEXT, BEHIND, "host name"),
        (
            "UNAVAILABLE",
            SSL + "CERTIFICATE_VERIFY_FAILED: self signed certificate: OK",
            FaultKind.TLS,
            NEXT,
            BEHIND,
            "the certificate was refused: self signed certificate",
        ),
        ("UNAVAILABLE", SSL + "WRONG_VERSION_NUMBER: x", FaultKind.TLS, NEXT, BEHIND, "does not speak TLS"),
        ("UNAVAILABLE", SSL + "SSLV3_ALERT_BAD_CERTIFICATE", FaultKind.TLS, NEXT, BEHIND, "sslv3 alert bad"),
        ("UNAVAILABLE", CONNECT + "SSL_ERROR_SYSCALL", FaultKind.TLS, NEXT, BEHIND, "TLS failed"),
        ("UNAVAILABLE", "UNAUTHENTICATED: Hostname Verification Check failed.", FaultKind.TLS, NEXT, BEHIND, "host"),
        ("UNAVAILABLE", "(Trying to connect an http1.x server)", FaultKind.BAD_ANSWER, NEXT, BEHIND, "speak gRPC"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", FaultKind.TIMEOUT, NEXT, BEHIND, "no answer within 3.0 s"),
        ("RESOURCE_EXHAUSTED", "slow down", FaultKind.RATE_LIMITED, NEXT, BEHIND, "too many requests: slow down"),
        (
            "RESOURCE_EXHAUSTED",
            "CLIENT: Received message larger than max (9 vs. 5)",
            FaultKind.BAD_ANSWER,
            NEXT,
            STAYS,
            "too large",
        ),
        ("INTERNAL", "panic", FaultKind.SERVER, NEXT, STAYS, r"the node failed \(INTERNAL\): panic"),
        ("UNKNOWN", "", FaultKind.SERVER, NEXT, STAYS, r"the node failed \(UNKNOWN\)"),
        ("DATA_LOSS", "x", FaultKind.SERVER, NEXT, STAYS, "failed"),
        ("CANCELLED", "x", FaultKind.SERVER, NEXT, STAYS, "failed"),
        ("UNIMPLEMENTED", "unknown service", FaultKind.REJECTED, NEXT, STAYS, "does not offer the query"),
        ("PERMISSION_DENIED", "no", FaultKind.REJECTED, NEXT, STAYS, "refuses us: no"),
        ("UNAUTHENTICATED", "no", FaultKind.REJECTED, NEXT, STAYS, "refuses us: no"),
        ("NOT_FOUND", "account x not found", FaultKind.NOT_FOUND, FINAL, STAYS, "account x not found"),
        ("INVALID_ARGUMENT", "bad address", FaultKind.REJECTED, FINAL, STAYS, "refused: bad address"),
        ("FAILED_PRECONDITION", "x", FaultKind.REJECTED, FINAL, STAYS, "refused: x"),
        ("OUT_OF_RANGE", "x", FaultKind.REJECTED, FINAL, STAYS, "refused: x"),
        ("UNAVAILABLE", "Received http2 header with status: 429", FaultKind.RATE_LIMITED, NEXT, BEHIND, "HTTP 429"),
        ("UNAVAILABLE", "Received http2 header with status: 502", FaultKind.SERVER, NEXT, BEHIND, "HTTP 502"),
        ("UNKNOWN", "Received http2 header with status: 451", FaultKind.GEO_BLOCKED, NEXT, BEHIND, "HTTP 451"),
        ("PERMISSION_DENIED", "Received http2 header with status: 403", FaultKind.REJECTED, NEXT, BEHIND, "HTTP 403"),
    ],
)
def test_a_status_is_judged(
    code: str, details: str, kind: FaultKind, elsewhere: bool, demotes: bool, words: str
) -> None:
    fault = fault_of(code, details, waited_s=3.0)
    assert (fault.kind, fault.elsewhere, fault.demotes) == (kind, elsewhere, demotes)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(fault.text)


@pytest.mark.parametrize("code", ["NOT_FOUND", "UNKNOWN", "INTERNAL", "INVALID_ARGUMENT", "UNAVAILABLE"])
@pytest.mark.parametrize(
    "details",
    [
        "height 3 is not available, lowest height is 50",
        "requested block height is bigger then the chain length",
        "height 900 must be less than or equal to the current blockchain height 100",
        "height 3 is not available, blocks pruned at height 50",
        "nil Block",
    ],
)
def test_a_block_that_a_node_does_not_have_is_not_found_under_any_status(code: str, details: str) -> None:
    fault = fault_of(code, details, 3.0, absent=NO_SUCH_HEIGHT)
    assert (fault.kind, fault.elsewhere, fault.demotes) == (FaultKind.NOT_FOUND, False, False)


def test_the_same_words_mean_nothing_where_no_height_was_asked_for() -> None:
    assert fault_of("UNKNOWN", "nil Block", 3.0).kind is FaultKind.SERVER


def test_only_a_rate_limit_carries_a_wait() -> None:
    assert fault_of("RESOURCE_EXHAUSTED", "x", 3.0, 7.0).retry_after_s == 7.0
    assert fault_of("UNAVAILABLE", "Received http2 header with status: 429", 3.0, 7.0).retry_after_s == 7.0
    assert fault_of("INTERNAL", "x", 3.0, 7.0).retry_after_s is None


CODES = ["UNAVAILABLE", "INTERNAL", "NOT_FOUND", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "SOMETHING_NEW"]


@given(st.sampled_from(CODES), st.text(max_size=600), st.sampled_from([(), NO_SUCH_HEIGHT]))
def test_what_a_node_says_is_one_short_harmless_line(code: str, details: str, absent: tuple[str, ...]) -> None:
    fault = fault_of(code, details, 3.0, absent=absent)
    assert clean(fault.text, 200) == fault.text != ""

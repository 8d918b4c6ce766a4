"""One judgement of failures: every status, transport error and close code has a kind, a verdict and advice."""

import ssl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.text import clean
from dydx_console.ports.faults import FaultKind
from dydx_console.venue.resilience.faults import (
    MEANINGS,
    fault_of_close,
    fault_of_status,
    fault_of_transport,
    unreadable,
)


def test_every_kind_has_a_verdict_and_one_sentence_of_advice() -> None:
    assert set(MEANINGS) == set(FaultKind)
    for meaning in MEANINGS.values():
        assert meaning.advice.endswith(".")
        assert len(meaning.advice) <= 120
    assert {kind for kind, meaning in MEANINGS.items() if meaning.retryable} == {
        FaultKind.UNREACHABLE,
        FaultKind.TIMEOUT,
        FaultKind.RATE_LIMITED,
        FaultKind.SERVER,
    }


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (204, FaultKind.BAD_ANSWER, False),
        (302, FaultKind.REJECTED, False),
        (400, FaultKind.REJECTED, False),
        (401, FaultKind.REJECTED, False),
        (403, FaultKind.GEO_BLOCKED, False),
        (404, FaultKind.NOT_FOUND, False),
        (408, FaultKind.REJECTED, True),
        (418, FaultKind.REJECTED, False),
        (425, FaultKind.REJECTED, True),
        (429, FaultKind.RATE_LIMITED, True),
        (451, FaultKind.GEO_BLOCKED, False),
        (500, FaultKind.SERVER, True),
        (501, FaultKind.SERVER, False),
        (502, FaultKind.SERVER, True),
        (503, FaultKind.SERVER, True),
        (505, FaultKind.SERVER, False),
        (520, FaultKind.SERVER, True),
        (530, FaultKind.SERVER, True),
    ],
)
def test_a_status_has_a_kind_and_a_verdict(status: int, kind: FaultKind, retryable: bool) -> None:
    fault = fault_of_status(status, retry_after_s=None)
    assert (fault.kind, fault.retryable) == (kind, retryable)
    assert f"HTTP {status}" in fault.text


def test_refusals_by_place_and_by_address_are_told_apart_and_keep_the_venues_words() -> None:
    place = fault_of_status(403, "not from here", "GEOBLOCKED")
    address = fault_of_status(403, "this address", "COMPLIANCE_BLOCKED")
    nothing = fault_of_status(403)
    assert (place.text, address.text) == (
        "HTTP 403: not from here [the place is blocked]",
        "HTTP 403: this address [the address is blocked]",
    )
    assert "place" in place.advice
    assert "address" in address.advice
    assert nothing.text == "HTTP 403: refused without a reason"
    assert len({place.advice, address.advice, nothing.advice}) == 3


def test_what_is_absent_and_how_long_to_wait_are_passed_on() -> None:
    assert fault_of_status(404, "No order", absent="proves nothing").text == "HTTP 404: No order (proves nothing)"
    assert fault_of_status(429, retry_after_s=4.5).retry_after_s == 4.5
    assert fault_of_status(503, retry_after_s=2.0).retry_after_s == 2.0


def with_cause(error: httpx.HTTPError, cause: Exception) -> httpx.HTTPError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (httpx.ConnectError("refused"), FaultKind.UNREACHABLE, True),
        (httpx.ReadError(""), FaultKind.UNREACHABLE, True),
        (httpx.WriteError("broken"), FaultKind.UNREACHABLE, True),
        (httpx.ConnectTimeout(""), FaultKind.TIMEOUT, True),
        (httpx.ReadTimeout(""), FaultKind.TIMEOUT, True),
        (TimeoutError(), FaultKind.TIMEOUT, True),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), FaultKind.UNREACHABLE, True),
        (httpx.RemoteProtocolError("peer closed connection without sending all"), FaultKind.UNREACHABLE, True),
        (httpx.RemoteProtocolError("illegal status line"), FaultKind.BAD_ANSWER, False),
        (httpx.DecodingError("not gzip"), FaultKind.BAD_ANSWER, False),
        (with_cause(httpx.ConnectError("x"), ssl.SSLCertVerificationError("expired")), FaultKind.TLS, False),
    ],
)
def test_a_request_without_an_answer_has_a_kind(
    error: httpx.HTTPError | TimeoutError, kind: FaultKind, retryable: bool
) -> None:
    fault = fault_of_transport(error)
    assert (fault.kind, fault.retryable) == (kind, retryable)
    assert fault.text
    assert fault.advice == MEANINGS[kind].advice


def test_what_the_library_has_no_words_for_is_said_in_ours() -> None:
    assert fault_of_transport(httpx.ReadError("")).text == "the connection broke"
    assert fault_of_transport(httpx.ConnectError("")).text == "no connection"
    assert fault_of_transport(httpx.ReadError("reset by peer")).text == "reset by peer"


@pytest.mark.parametrize(
    ("code", "kind", "least_s", "most_s"),
    [
        (None, FaultKind.UNREACHABLE, 0.0, None),
        (1000, FaultKind.UNREACHABLE, 0.0, None),
        (1001, FaultKind.UNREACHABLE, 0.0, 2.0),
        (1006, FaultKind.UNREACHABLE, 0.0, None),
        (1008, FaultKind.RATE_LIMITED, 5.0, None),
        (1009, FaultKind.BAD_ANSWER, 0.0, None),
        (1011, FaultKind.SERVER, 0.0, None),
        (1012, FaultKind.SERVER, 0.0, 2.0),
        (1013, FaultKind.SERVER, 10.0, None),
        (4000, FaultKind.SERVER, 0.0, None),
        (4999, FaultKind.SERVER, 0.0, None),
    ],
)
def test_a_close_code_has_a_kind_and_a_wait(
    code: int | None, kind: FaultKind, least_s: float, most_s: float | None
) -> None:
    judged = fault_of_close(code, '{"message":"why"}')
    assert (judged.fault.kind, judged.least_wait_s, judged.most_wait_s) == (kind, least_s, most_s)
    assert judged.fault.retryable
    assert "why" in judged.fault.text


@given(st.integers(100, 999), st.text(), st.none() | st.text(), st.text())
def test_whatever_a_venue_says_becomes_one_clean_line(status: int, words: str, code: str | None, reason: str) -> None:
    for fault in (fault_of_status(status, words, code), fault_of_close(status, reason).fault, unreadable(reason)):
        assert len(fault.text) <= 200
        assert fault.text == clean(fault.text)
        assert fault.advice

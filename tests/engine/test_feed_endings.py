"""How a connection's end is named and how long the next attempt waits."""

import random
import ssl
from datetime import UTC, datetime

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from dydx_console.domain.stream import StreamCondition as C
from dydx_console.ports.faults import FaultKind
from dydx_console.venue.indexer.endings import Ending, ending_of_close, ending_of_failure, pause_s

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def refused(status: int, **headers: str) -> InvalidStatus:
    return InvalidStatus(
        Response(status, "", Headers({name.replace("_", "-"): text for name, text in headers.items()}))
    )


def waits(ending: Ending, backoff_s: float = 0.0) -> tuple[float, float]:
    drawn = [pause_s(ending, backoff_s, random.Random(seed)) for seed in range(200)]
    known = [wait for wait in drawn if wait is not None]
    assert len(known) == len(drawn)
    return min(known), max(known)


@pytest.mark.parametrize(
    ("code", "what", "least", "most"),
    [
        (1000, C.CLOSED, 0.0, 0.0),
        (1001, C.RESTARTED, 0.0, 2.0),
        (None, C.CLOSED, 0.0, 0.0),
        (1006, C.CLOSED, 0.0, 0.0),
        (1008, C.THROTTLED, 5.0, 6.0),
        (1011, C.CLOSED, 0.0, 0.0),
        (1012, C.RESTARTED, 0.0, 2.0),
        (1013, C.THROTTLED, 10.0, 11.0),
        (4000, C.CLOSED, 0.0, 0.0),
    ],
)
def test_every_close_code_has_its_name_and_its_least_wait(code: int | None, what: C, least: float, most: float) -> None:
    ending = ending_of_close(code, "why\x1b[2J", None)
    assert ending.what is what
    assert "\x1b" not in ending.text
    shortest, longest = waits(ending)
    assert least <= shortest <= longest <= most
    assert waits(ending, 20.0) == (20.0, 20.0)


@pytest.mark.parametrize(
    ("status", "headers", "what", "least"),
    [
        (429, {"Retry_After": "7"}, C.THROTTLED, 7.0),
        (429, {"Retry_After": "Thu, 01 Jan 2026 00:00:12 GMT"}, C.THROTTLED, 12.0),
        (429, {"Retry_After": "1000000000"}, C.THROTTLED, 30.0),
        (429, {}, C.THROTTLED, 5.0),
        (500, {}, C.UNREACHABLE, 0.0),
        (502, {}, C.UNREACHABLE, 0.0),
        (503, {"Retry_After": "3"}, C.UNREACHABLE, 3.0),
        (504, {}, C.UNREACHABLE, 0.0),
        (520, {}, C.UNREACHABLE, 0.0),
        (530, {}, C.UNREACHABLE, 0.0),
        (200, {}, C.UNREACHABLE, 5.0),
        (301, {"Location": "wss://elsewhere"}, C.UNREACHABLE, 5.0),
        (400, {}, C.UNREACHABLE, 5.0),
        (426, {}, C.UNREACHABLE, 5.0),
    ],
)
def test_a_refused_handshake_is_tried_again_after_what_it_asks_for(
    status: int, headers: dict[str, str], what: C, least: float
) -> None:
    ending = ending_of_failure(refused(status, **headers), NOW)
    assert (ending.what, str(status) in ending.text) == (what, True)
    shortest, longest = waits(ending)
    assert least <= shortest <= longest <= least + 1.0


@pytest.mark.parametrize("status", [403, 404, 451])
def test_what_only_a_person_can_change_is_final_and_explained(status: int) -> None:
    ending = ending_of_failure(refused(status), NOW)
    assert (ending.what, ending.is_final, pause_s(ending, 3.0, random.Random(1))) == (C.BLOCKED, True, None)
    assert str(status) in ending.text


@pytest.mark.parametrize(
    ("error", "what", "kind"),
    [
        (ConnectionRefusedError(111, "refused"), C.UNREACHABLE, FaultKind.UNREACHABLE),
        (TimeoutError("timed out during opening handshake"), C.UNREACHABLE, FaultKind.TIMEOUT),
        (InvalidMessage("did not receive a valid HTTP response"), C.UNREACHABLE, FaultKind.BAD_ANSWER),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), C.UNTRUSTED, FaultKind.TLS),
    ],
)
def test_a_connection_that_never_came_about_says_why(error: Exception, what: C, kind: FaultKind) -> None:
    ending = ending_of_failure(error, NOW)
    assert (ending.what, ending.kind, ending.is_final) == (what, kind, False)


def test_a_message_too_long_is_named_whatever_code_the_socket_has() -> None:
    error = ConnectionClosedError(None, Close(1009, "frame exceeds limit"), None)
    assert ending_of_close(1006, "", error).what is C.OVERSIZED
    assert ending_of_close(1009, "", ConnectionClosedError(Close(1009, ""), Close(1009, ""), True)).what is C.CLOSED


def test_a_person_does_not_wait() -> None:
    ending = Ending(C.CLOSED, "a fresh connection was asked for", None, was_asked_for=True)
    assert pause_s(ending, 20.0, random.Random(1)) == 0.0

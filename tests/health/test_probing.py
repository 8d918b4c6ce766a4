"""Fresh evidence on request: asked once for all who wait, within a deadline, and never in place of the latest."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest
from health_help import FINE, MISCONFIGURED, UNREACHABLE, Answer, FakeEngine, connected, get, request, serving, until

from dydx_console.health.probing import MAX_WAITING
from dydx_console.ports.health import HealthFacts

FRESH = "/health/network?probe=1"


def failing() -> HealthFacts:
    """A probe that ends in an error."""
    raise ValueError("canary")


@pytest.mark.parametrize(("found", "status"), [(FINE, 200), (UNREACHABLE, 503), (MISCONFIGURED, 400)])
def test_the_answer_is_what_the_probe_found(found: HealthFacts, status: int) -> None:
    engine = FakeEngine(replace(FINE, indexer_height=1), answer=lambda: found)
    with serving(engine, probe_deadline_s=1.25) as at:
        answer = get(at, FRESH)
        latest = json.loads(get(at, "/health/network").body)
    body = json.loads(answer.body)
    assert (answer.status, body["probed"], body["indexer"]["height"]) == (status, True, 41_000_000)
    assert (latest["probed"], latest["indexer"]["height"]) == (False, 1)
    assert engine.deadlines == [1.25]


def test_all_who_wait_share_one_probe_and_the_next_has_its_own() -> None:
    go = Event()
    engine = FakeEngine(answer=lambda: FINE if go.wait(10) else UNREACHABLE)
    with serving(engine) as at, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(get, at, FRESH) for _ in range(8)]
        until(lambda: len(engine.probes) == 1)
        assert get(at, "/health/live").status == 200
        go.set()
        assert {each.result().status for each in asked} == {200}
        shared = len(engine.probes)
        get(at, FRESH)
        assert len(engine.probes) == shared + 1
    # one who came late may have begun a second
    assert shared <= 2


@pytest.mark.parametrize(
    ("facts", "status", "error"), [(FINE, 503, "unreachable"), (MISCONFIGURED, 400, "misconfigured")]
)
def test_without_an_answer_in_time_the_latest_is_not_passed_off_as_fresh(
    facts: HealthFacts, status: int, error: str
) -> None:
    engine = FakeEngine(facts)
    with serving(engine, probe_deadline_s=0.2) as at:
        began = time.monotonic()
        answer = get(at, FRESH)
        took_s = time.monotonic() - began
        body = json.loads(answer.body)
        assert (answer.status, body["error"], body["probed"]) == (status, error, False)
        assert body["errors"] == ["no fresh evidence came in time", *facts.errors]
        assert 0.2 <= took_s < 5
        until(engine.probes[0].cancelled)
        engine.answer = lambda: FINE
        assert get(at, FRESH).status == 200


def test_a_probe_that_fails_is_no_evidence(caplog: pytest.LogCaptureFixture) -> None:
    with serving(FakeEngine(answer=failing)) as at:
        answer = get(at, FRESH)
    assert (answer.status, "canary" in answer.body) == (503, False)
    assert "canary" in caplog.text


def test_only_so_many_wait_and_the_others_are_told_at_once() -> None:
    engine = FakeEngine()
    with serving(engine) as at:
        waiting = [connected(at) for _ in range(MAX_WAITING)]
        try:
            for sock in waiting:
                sock.sendall(request(at, FRESH))
            busy: list[Answer] = []

            def refused() -> bool:
                with connected(at, 0.2) as sock:
                    sock.sendall(request(at, FRESH))
                    try:
                        busy.append(Answer(int(sock.recv(65_536).split()[1]), {}, ""))
                    except TimeoutError:
                        return False
                    return True

            until(refused)
            assert busy[0].status == 503
            assert get(at, "/health/live").status == 200
            assert len(engine.probes) == 1
        finally:
            for sock in waiting:
                sock.close()

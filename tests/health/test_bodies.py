"""What the bodies say, over real sockets: statuses for each state of the network, and nothing private in any."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import openmetrics
import pytest
from health_help import (
    ANY_PORT,
    AT,
    BREAKERS,
    BUDGET,
    DEGRADED,
    FAULTS,
    FINE,
    MISCONFIGURED,
    NETWORK,
    STOPPED,
    TROUBLED,
    UNREACHABLE,
    FakeEngine,
    get,
    serving,
)
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.risk import RiskLevel
from dydx_console.health.documents import MOST_ERRORS, network_body, shown
from dydx_console.health.listen import TcpListen, UnixListen
from dydx_console.health.metrics import metrics_text
from dydx_console.ports.health import HealthFacts, HealthStatus

ROUTES = (
    "/health/", "/health/network", "/health/config", "/health/errors", "/health/ready", "/health/live", "/metrics",
    "/openapi.json",
)  # fmt: skip
ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"


@pytest.mark.parametrize(
    ("facts", "statuses"),
    [
        (FINE, (200, 200, 200, 200, 200, 200, 200, 200)),
        (DEGRADED, (200, 200, 200, 200, 200, 200, 200, 200)),
        (UNREACHABLE, (503, 503, 200, 200, 503, 200, 200, 200)),
        (MISCONFIGURED, (400, 400, 400, 200, 503, 200, 200, 200)),
        (STOPPED, (503, 503, 200, 200, 503, 503, 200, 200)),
        (replace(FINE, ready=False, stream_state="STALE"), (200, 200, 200, 200, 503, 200, 200, 200)),
    ],
    ids=["fine", "degraded", "unreachable", "misconfigured", "stopped", "stale"],
)
def test_every_route_has_the_status_of_the_network(facts: HealthFacts, statuses: tuple[int, ...]) -> None:
    with serving(FakeEngine(facts)) as at:
        answers = [get(at, route) for route in ROUTES]
    assert tuple(answer.status for answer in answers) == statuses
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
        if answer.status != 200:
            assert {"error", "detail"} <= json.loads(answer.body).keys()


@pytest.mark.parametrize("place", ["127.0.0.1", "::1", "unix"])
def test_the_same_is_told_on_every_kind_of_socket(place: str, tmp_path: Path) -> None:
    listen = UnixListen(tmp_path / "h") if place == "unix" else TcpListen(place, 0)
    with serving(FakeEngine(), listen) as at:
        assert json.loads(get(at, "/health/live").body) == {"live": True}


def test_the_network_is_told_whole() -> None:
    with serving(FakeEngine()) as at:
        answer = get(at, "/health/network")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == {
        "status": "ok",
        "at": "2026-03-04T05:06:07.089Z",
        "probed": False,
        "network": {
            "name": "testnet",
            "kind": "testnet",
            "chain_id": "dydx-testnet-4",
            "ethereum_chain_id": 11155111,
        },
        "urls": {
            "indexer_rest": NETWORK.indexer_rest,
            "indexer_websocket": NETWORK.indexer_websocket,
            "nodes": list(NETWORK.nodes),
        },
        "environment": {"name": "staging", "source": "variable DYDX_CONSOLE_ENVIRONMENT"},
        "safety": {"confirmed": True, "read_only": True, "binding": "bound at height 40999998"},
        "indexer": {"height": 41_000_000, "stream_state": "LIVE", "stream_age_s": 0.75, "trouble": None},
        "node": {
            "height": 41_000_003,
            "endpoint": "node-one.example:443",
            "chain_id": "dydx-testnet-4",
            "version": "9.5.1",
        },
        "lag_blocks": 3,
        "rate_limits": [],
        "breakers": [],
        "warnings": ["the clock is 1.2 s off"],
        "errors": [],
    }


def test_budgets_breakers_and_the_streams_trouble_are_told_with_the_network() -> None:
    with serving(FakeEngine(TROUBLED)) as at:
        body = json.loads(get(at, "/health/network").body)
    assert body["indexer"]["trouble"] == "GAP"
    assert body["rate_limits"] == [
        {
            "host": "indexer.example",
            "bucket": "get",
            "remaining": 3,
            "limit": 100,
            "reset_at": "2026-03-04T05:06:15.089Z",
            "waiting": 4,
            "expected_wait_s": 8.25,
        }
    ]
    assert body["breakers"] == [
        {"group": "fills", "state": "OPEN", "failures": 5, "next_probe_in_s": 7.5, "text": "HTTP 503: upstream"},
        {"group": "orders", "state": "CLOSED", "failures": 0, "next_probe_in_s": None, "text": ""},
    ]


def test_failures_are_listed_the_newest_first() -> None:
    with serving(FakeEngine(TROUBLED)) as at:
        body = json.loads(get(at, "/health/errors").body)
    assert body == {
        "at": "2026-03-04T05:06:07.089Z",
        "total": 7,
        "left_out": 0,
        "errors": [
            {
                "kind": "TIMEOUT",
                "source": "GRPC",
                "endpoint": "node-one.example:443/GetLatestBlock",
                "count": 2,
                "first_at": "2026-03-04T05:06:07.089Z",
                "last_at": "2026-03-04T05:06:08.089Z",
                "sample": "no answer within 3.0 s",
            },
            {
                "kind": "SERVER",
                "source": "REST",
                "endpoint": "indexer.example/v4/fills",
                "count": 5,
                "first_at": "2026-03-04T05:03:07.089Z",
                "last_at": "2026-03-04T05:06:07.089Z",
                "sample": "HTTP 503: upstream",
            },
        ],
    }


def test_no_more_failures_are_listed_than_anybody_reads() -> None:
    rows = tuple(
        FaultCount(FaultKind.SERVER, FaultSource.REST, f"h/{number}", 2, AT + timedelta(seconds=number), "x")
        for number in range(MOST_ERRORS + 23)
    )
    with serving(FakeEngine(replace(FINE, faults=rows))) as at:
        body = json.loads(get(at, "/health/errors").body)
    assert (len(body["errors"]), body["left_out"], body["total"]) == (MOST_ERRORS, 23, 2 * len(rows))
    assert [row["endpoint"] for row in body["errors"]] == [f"h/{n}" for n in range(MOST_ERRORS + 22, 22, -1)]
    assert body["errors"][0]["first_at"] is None


def test_failures_budgets_and_breakers_have_metrics() -> None:
    with serving(FakeEngine(TROUBLED)) as at:
        families = openmetrics.parsed(get(at, "/metrics").body)
    assert families["dydx_console_errors"].kind == "counter"
    assert families["dydx_console_errors"].samples == {
        (("kind", "SERVER"), ("source", "REST"), ("endpoint", "indexer.example/v4/fills")): 5,
        (("kind", "TIMEOUT"), ("source", "GRPC"), ("endpoint", "node-one.example:443/GetLatestBlock")): 2,
    }
    bucket = (("host", "indexer.example"), ("bucket", "get"))
    told = {name: families[f"dydx_console_rate_limit_{name}"].samples for name in
            ("requests", "remaining_requests", "waiting_requests", "wait_seconds")}  # fmt: skip
    assert told == {
        "requests": {bucket: 100},
        "remaining_requests": {bucket: 3},
        "waiting_requests": {bucket: 4},
        "wait_seconds": {bucket: 8.25},
    }
    states = {labels: value for labels, value in families["dydx_console_breaker"].samples.items() if value}
    assert states == {
        (("group", "fills"), ("dydx_console_breaker", "OPEN")): 1,
        (("group", "orders"), ("dydx_console_breaker", "CLOSED")): 1,
    }
    assert families["dydx_console_stream_trouble"].samples == {(("trouble", "GAP"),): 1}
    assert families["dydx_console_open_gaps"].samples == {(): 2}


def test_levels_of_risk_are_told_and_nothing_that_they_rest_on() -> None:
    facts = replace(FINE, margin_usage_level=RiskLevel.WARN, has_unexplained=True)
    families = openmetrics.parsed(metrics_text(facts))
    assert families["dydx_console_risk"].samples == {
        (("figure", "margin_usage"), ("dydx_console_risk", level)): float(level == "WARN")
        for level in ("NONE", "WARN", "ALARM")
    }
    assert families["dydx_console_unexplained_difference"].samples == {(): 1.0}
    unknown = openmetrics.parsed(metrics_text(FINE))
    assert not {"dydx_console_risk", "dydx_console_unexplained_difference"} & set(unknown)


def test_failures_that_differ_only_in_what_is_private_are_one_metric() -> None:
    rows = tuple(
        replace(FAULTS[0], endpoint=f"indexer.example/v4/{address}")
        for address in (ADDRESS, ADDRESS.replace("n88", "m99"))
    )
    families = openmetrics.parsed(metrics_text(replace(FINE, faults=rows)))
    assert list(families["dydx_console_errors"].samples.values()) == [10]


@pytest.mark.parametrize(
    ("facts", "error", "detail"),
    [
        (UNREACHABLE, "unreachable", "node-one: refused; timeout"),
        (replace(UNREACHABLE, errors=()), "unreachable", "the network cannot be reached"),
        (MISCONFIGURED, "misconfigured", "the node reports dydx-mainnet-1"),
        (STOPPED, "unreachable", "the engine does not run"),
        (replace(MISCONFIGURED, running=False), "misconfigured", "the node reports dydx-mainnet-1"),
        (replace(MISCONFIGURED, errors=()), "misconfigured", "the evidence contradicts the configuration"),
    ],
)
def test_a_fault_says_what_it_is_beside_the_evidence(facts: HealthFacts, error: str, detail: str) -> None:
    with serving(FakeEngine(facts)) as at:
        network, overview = (json.loads(get(at, path).body) for path in ("/health/network", "/health/"))
    for body in (network, overview):
        assert body["status"] == body["error"] == error
        assert detail in body["detail"]
    assert network["network"]["chain_id"] == "dydx-testnet-4"
    assert network["errors"] == list(facts.errors)


def test_the_overview_leads_to_every_other_answer() -> None:
    with serving(FakeEngine(answer=lambda: FINE)) as at:
        overview = json.loads(get(at, "/health/").body)
        assert {get(at, link).status for link in overview["links"].values()} == {200}
    assert {link.partition("?")[0] for link in overview["links"].values()} == set(ROUTES) - {"/health/"}
    assert overview["summary"] == "testnet (dydx-testnet-4): ok, stream LIVE, lag 3 blocks"


def test_unknown_is_null_in_the_document_and_absent_in_the_metrics() -> None:
    network = replace(NETWORK, chain_id=None, ethereum_chain_id=None, nodes=(), environment=None, environment_from=None)
    facts = HealthFacts(HealthStatus.UNREACHABLE, True, False, False, network, FINE.at)
    body = json.loads(network_body(facts, probed=False).model_dump_json())
    assert body["indexer"] == {"height": None, "stream_state": None, "stream_age_s": None, "trouble": None}
    assert body["node"] == {"height": None, "endpoint": None, "chain_id": None, "version": None}
    assert (body["lag_blocks"], body["network"]["chain_id"], body["safety"]["binding"]) == (None, None, None)
    families = openmetrics.parsed(metrics_text(facts))
    assert not {name for name in families if "height" in name or "lag" in name or "stream" in name}
    assert families["dydx_console_network"].samples == {(("name", "testnet"), ("kind", "testnet")): 1.0}


def test_the_metrics_are_openmetrics_with_totals_and_units() -> None:
    facts = replace(FINE, counters={"reconnects": 2, "frames_total": 9, "ready": 1, "Bad name": 4, "less": -1})
    with serving(FakeEngine(facts)) as at:
        answer = get(at, "/metrics", "Accept: text/plain;version=0.0.4")
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = openmetrics.parsed(answer.body)
    plain = {name: family.samples[()] for name, family in families.items() if () in family.samples}
    assert plain == {
        "dydx_console_running": 1,
        "dydx_console_ready": 1,
        "dydx_console_network_confirmed": 1,
        "dydx_console_read_only": 1,
        "dydx_console_evidence_timestamp_seconds": FINE.at.timestamp(),
        "dydx_console_stream_age_seconds": 0.75,
        "dydx_console_indexer_height_blocks": 41_000_000,
        "dydx_console_node_height_blocks": 41_000_003,
        "dydx_console_indexer_lag_blocks": 3,
        "dydx_console_open_warnings": 1,
        "dydx_console_open_errors": 0,
        "dydx_console_reconnects": 2,
        "dydx_console_frames": 9,
    }
    assert families["dydx_console_reconnects"].kind == "counter"
    assert "dydx_console_reconnects_total 2\n" in answer.body
    health = families["dydx_console_health"].samples
    assert {labels[0][1]: value for labels, value in health.items()} == {
        "ok": 1,
        "degraded": 0,
        "unreachable": 0,
        "misconfigured": 0,
    }


@pytest.mark.parametrize("facts", [STOPPED, MISCONFIGURED, UNREACHABLE])
def test_the_metric_ready_is_what_the_route_says(facts: HealthFacts) -> None:
    assert openmetrics.parsed(metrics_text(facts))["dydx_console_ready"].samples == {(): 0.0}


SECRETS = (
    ADDRESS,
    "dydxvaloper1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc0abcde",
    "hunter2:swordfish@",
    "e92e447111e7b3fa1f9f4e2ad2e1a0b6c58b4f0bdd7c4b4a3f2d1c0b9a8f7e6d",
)
STEERING = "\x1b[2J\x07\x00\x9b31m\u202e\u200b\ud800\r\n\u2028"
HOSTILE = f'x{STEERING}{SECRETS[0]} {SECRETS[1]} https://{SECRETS[2]}host/ 0x{SECRETS[3]} \\ " }} # EOF '


def hostile(facts: HealthFacts) -> HealthFacts:
    """The facts with the hostile text in every place that holds text."""
    texts: dict[str, Any] = dict.fromkeys(
        ("stream_state", "node_endpoint", "node_chain_id", "node_version", "binding"), HOSTILE
    )
    places = ("name", "kind", "chain_id", "indexer_rest", "indexer_websocket", "environment", "environment_from")
    network = replace(NETWORK, nodes=(HOSTILE,), **dict.fromkeys(places, HOSTILE))  # type: ignore[arg-type]
    texts.update(network=network, warnings=(HOSTILE, "w" * 100_000), errors=(HOSTILE,), counters={HOSTILE: 1})
    texts.update(
        stream_trouble=HOSTILE,
        budgets=(replace(BUDGET, host=HOSTILE, bucket=HOSTILE),),
        breakers=(replace(BREAKERS[0], group=HOSTILE, text=HOSTILE),),
        faults=tuple(replace(row, endpoint=HOSTILE, last_text=HOSTILE) for row in FAULTS),
    )
    return replace(facts, **texts)


@pytest.mark.parametrize("facts", [FINE, UNREACHABLE, MISCONFIGURED, STOPPED, replace(FINE, ready=False)])
def test_no_body_holds_what_is_private_or_steers_a_terminal(facts: HealthFacts) -> None:
    engine = FakeEngine(hostile(facts), answer=lambda: hostile(facts))
    with serving(engine, ANY_PORT) as at:
        bodies = {
            path: get(at, path).body
            for path in (*ROUTES, "/health/network?probe=1", f"/{ADDRESS}", f"/health/?{SECRETS[3]}")
        }
    for path, body in bodies.items():
        assert body
        assert not [secret for secret in SECRETS if secret in body]
        assert not [char for char in body if not char.isprintable() and char != "\n"]
        if path == "/metrics":
            openmetrics.parsed(body)
        else:
            assert isinstance(json.loads(body), dict)


def test_a_key_in_the_query_of_a_url_is_left_out() -> None:
    network = replace(NETWORK, indexer_rest="https://rpc.example/path?token=canary#canary", nodes=("n:443?k=canary",))
    body = network_body(replace(FINE, network=network), probed=False)
    assert body.urls.indexer_rest == "https://rpc.example/path"
    assert body.urls.nodes == ("n:443",)


ANY_TEXT = st.text(st.characters(), max_size=40)


@given(ANY_TEXT)
def test_any_text_can_be_served_and_what_is_plain_stays(text: str) -> None:
    assert shown(shown(text)) == shown(text)
    assert shown(text).isprintable()
    if text.isprintable() and "dydx" not in text and "@" not in text:
        assert shown(text) == text


@given(
    st.sampled_from(HealthStatus),
    st.lists(ANY_TEXT, max_size=3),
    ANY_TEXT,
    st.one_of(st.none(), st.floats()),
    st.dictionaries(st.one_of(ANY_TEXT, st.from_regex(r"[a-z_]{1,12}", fullmatch=True)), st.integers(-1, 10**30)),
)
def test_any_evidence_is_valid_json_and_valid_metrics(
    status: HealthStatus, errors: list[str], text: str, age_s: float | None, counters: dict[str, int]
) -> None:
    network = replace(NETWORK, name=text, chain_id=text)
    facts = replace(
        FINE,
        status=status,
        errors=tuple(errors),
        stream_state=text,
        stream_age_s=age_s,
        counters=counters,
        network=network,
    )
    body = json.loads(network_body(facts, probed=True).model_dump_json(), parse_constant=pytest.fail)
    assert body["errors"] == [shown(error) for error in errors]
    families = openmetrics.parsed(metrics_text(facts))
    assert families["dydx_console_stream_state"].samples == {(("state", shown(text)),): 1.0}

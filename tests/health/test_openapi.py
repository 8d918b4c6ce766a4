"""The OpenAPI document is what the server does: no answer that it does not list, whatever is sent."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from api_help import BEARER, Account, ask, serving_account
from health_help import (
    DEGRADED,
    FINE,
    MISCONFIGURED,
    STOPPED,
    TROUBLED,
    UNREACHABLE,
    Answer,
    FakeEngine,
    exchange,
    get,
    host_of,
    request,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from dydx_console.health import accounts, documents
from dydx_console.health.asked import KEYS
from dydx_console.health.listen import Listen
from dydx_console.health.openapi import openapi_document
from dydx_console.ports.health import HealthFacts

DOCUMENT = openapi_document()
PATHS = sorted(DOCUMENT["paths"])
ENGINE = FakeEngine()
ENGINE.answer = ENGINE.health
ACCOUNT = Account()
IDS = ("0-ETH-USD", "128-ISO-USD", "order-1", "order-3", "nothing", "%00", "..", "{id}")


@pytest.fixture(scope="module")
def at() -> Iterator[Listen]:
    """One server for all examples; each sets the engine's facts."""
    with serving_account(ACCOUNT.show(), ENGINE) as place:
        yield place


def references(value: object) -> Iterator[str]:
    """Every `$ref` of a document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(reference: str) -> Any:
    """What a `$ref` points at."""
    place: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def response_of(path: str, status: int) -> dict[str, Any]:
    """The documented response."""
    responses = DOCUMENT["paths"][path]["get"]["responses"]
    assert str(status) in responses, f"{path} answered {status}, which is not documented"
    response: dict[str, Any] = responses[str(status)]
    return resolved(response["$ref"]) if "$ref" in response else response


def fits(schema: dict[str, Any], body: str) -> bool:
    """Whether a body is of a documented schema, read strictly by its model."""
    if "anyOf" in schema:
        return any(fits(each, body) for each in schema["anyOf"])
    if "$ref" not in schema:
        return bool(body)
    name = schema["$ref"].rpartition("/")[2]
    model: type[BaseModel] = getattr(documents, name, None) or getattr(accounts, name)
    try:
        model.model_validate_json(body)
    except ValidationError:
        return False
    return True


def check_documented(path: str, method: str, answer: Answer) -> None:
    """Status, content type and body are those of the document."""
    response = response_of(path, answer.status)
    content_type = answer.headers["content-type"]
    assert content_type in response["content"]
    if method != "HEAD":
        assert fits(response["content"][content_type]["schema"], answer.body)
    assert ("www-authenticate" in answer.headers) == (answer.status == 401)
    if answer.status == 405:
        assert answer.headers["allow"] in response["headers"]["Allow"]["schema"]["enum"]


def test_the_document_is_whole(at: Listen) -> None:
    assert json.loads(get(at, "/openapi.json").body) == DOCUMENT
    assert DOCUMENT["openapi"] == "3.1.0"
    for reference in references(DOCUMENT):
        assert resolved(reference)
    operations = [item["get"]["operationId"] for item in DOCUMENT["paths"].values()]
    assert len(set(operations)) == len(operations) == 13
    for item in DOCUMENT["paths"].values():
        assert item.keys() == {"get"}
        for response in item["get"]["responses"].values():
            assert ("$ref" in response) or response["description"]


TOKENS = st.from_regex(re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}", re.ASCII), fullmatch=True)
METHODS = st.one_of(st.just("GET"), st.sampled_from(["HEAD", "POST", "OPTIONS", "CONNECT", "TRACE", "PUT"]), TOKENS)
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=12)
QUERIES = st.one_of(st.just(""), st.just(""), st.just("?probe=1"), st.just("?"), VISIBLE.map("?".__add__))
ORDER_QUERIES = st.lists(
    st.tuples(
        st.sampled_from([*KEYS, "nothing"]),
        st.sampled_from(["OPEN", "BTC-USD", "BUY", "LIMIT", "0", "2026-11-20", "7d", "newest", "500", ""]) | VISIBLE,
    ).map("=".join),
    max_size=3,
).map(lambda parts: "?" + "&".join(parts))
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
HEADERS = st.one_of(
    st.sampled_from(
        [
            "Host: evil.example",
            BEARER,
            f"{BEARER}x",
            "Host: localhost",
            "Origin: null",
            "Sec-Fetch-Site: cross-site",
            "Content-Length: 5",
            "Content-Length: 0",
            "Content-Length: x",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip",
            "Expect: 100-continue",
            "Connection: upgrade, close",
            "Upgrade: websocket",
            "Accept: image/png",
            "Accept-Encoding: gzip",
            "Range: bytes=0-3",
            "If-None-Match: *",
            "X-Long: " + "x" * 9_000,
            " folded: header",
            "no colon",
        ]
    ),
    st.builds("{}: {}".format, TOKENS, VALUES),
)
FACTS = st.sampled_from([FINE, DEGRADED, UNREACHABLE, MISCONFIGURED, STOPPED, TROUBLED])


@given(FACTS, METHODS, st.sampled_from(PATHS), QUERIES, st.lists(HEADERS, max_size=3), st.sampled_from(["1.1", "1.0"]))
def test_no_answer_is_undocumented(
    at: Listen,
    facts: HealthFacts,
    method: str,
    path: str,
    query: str,
    headers: list[str],
    version: str,
) -> None:
    ENGINE.facts = facts
    answer = exchange(at, request(at, path + query, method, *headers, version=version), method)
    check_documented(path, method, answer)
    if path.startswith("/api/") and answer.status == 200:
        assert BEARER in headers


@given(FACTS, st.sampled_from(PATHS), QUERIES)
def test_no_answer_to_an_honest_client_is_undocumented(at: Listen, facts: HealthFacts, path: str, query: str) -> None:
    ENGINE.facts = facts
    answer = ask(at, path + query)
    check_documented(path, "GET", answer)
    allowed = query in ("", "?") or (query == "?probe=1" and path == "/health/network")
    assert path == "/api/orders" or (answer.status == 400 and "bad_query" in answer.body) == (not allowed)


@given(st.sampled_from([path for path in PATHS if "{id}" in path]), st.sampled_from(IDS) | VISIBLE, st.booleans())
def test_no_answer_of_a_named_thing_is_undocumented(at: Listen, path: str, name: str, has_token: bool) -> None:
    if "/" in name or "?" in name:
        return
    target = path.replace("{id}", name)
    answer = ask(at, target) if has_token else get(at, target)
    check_documented(path, "GET", answer)
    assert has_token or answer.status == 401 or (answer.status == 404 and not name)


@given(ORDER_QUERIES)
def test_no_answer_to_a_question_for_orders_is_undocumented(at: Listen, query: str) -> None:
    answer = ask(at, "/api/orders" + query)
    check_documented("/api/orders", "GET", answer)
    assert answer.status in (200, 400)


@given(st.sampled_from(PATHS), st.binary(max_size=300))
def test_no_bytes_have_an_undocumented_answer(at: Listen, path: str, rubbish: bytes) -> None:
    start = f"GET {path} HTTP/1.1\r\nHost: {host_of(at)}\r\n".encode()
    answer = exchange(at, start + rubbish + b"\r\n\r\n")
    check_documented(path, "GET", answer)


@given(VISIBLE)
def test_an_unknown_path_is_the_documented_404(at: Listen, text: str) -> None:
    path = "/" + text.partition("?")[0]
    if path not in PATHS:
        answer = get(at, path)
        response = resolved("#/components/responses/NotFound")
        assert answer.status == 404
        assert fits(response["content"][answer.headers["content-type"]]["schema"], answer.body)

"""The REST client over a real loopback server: retries, the Indexer's milliseconds, and what a failure becomes."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dydx_console.domain import events as ev
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.tap import NoTap
from dydx_console.venue.indexer.rest import AccountReader, IndexerRest

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
HEIGHT = '{"height":"7","time":"2026-01-01T00:00:00.000Z"}'

Reply = tuple[int, dict[str, str], str]


@contextmanager
def served(answer: Callable[[str], Reply]) -> Iterator[tuple[str, list[str]]]:
    """Serve `answer(path)`; yields the base URL and the list of paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def read(url: str, path: str = "/height", **query: str | int) -> tuple[ev.Fact, ...]:
    rest = IndexerRest(url, SystemClock(), NoTap(), random.Random(1), "test/1")
    try:
        return await rest.read(path, 0, **query)
    finally:
        await rest.close()


async def test_an_answer_becomes_its_facts_with_the_query_as_given() -> None:
    with served(lambda _path: (200, {}, HEIGHT)) as (url, asked):
        facts = await read(url, "/height", a="x y", b=2)
    assert [fact.height for fact in facts if isinstance(fact, ev.HeightRead)] == [7]
    assert asked == ["/v4/height?a=x+y&b=2"]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
async def test_a_passing_fault_is_tried_again_and_the_answer_taken(status: int) -> None:
    replies = iter([(status, {}, "<html>"), (200, {}, HEIGHT)])
    with served(lambda _path: next(replies)) as (url, asked):
        facts = await read(url)
    assert isinstance(facts[0], ev.HeightRead)
    assert len(asked) == 2


async def test_three_tries_and_no_more() -> None:
    with served(lambda _path: (503, {}, "")) as (url, asked):
        facts = await read(url)
    assert len(asked) == 3
    assert isinstance(facts[0], ev.ReadFailed)
    assert facts[0].status == 503


async def test_retry_after_is_read_as_milliseconds() -> None:
    replies = iter([(429, {"Retry-After": "400"}, '{"errors":[{"msg":"Too many requests"}]}'), (200, {}, HEIGHT)])
    with served(lambda _path: next(replies)) as (url, _asked):
        began = time.monotonic()
        facts = await read(url)
        elapsed_s = time.monotonic() - began
    assert isinstance(facts[0], ev.HeightRead)
    assert 0.4 <= elapsed_s < 10.0


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, '{"errors":[{"value":"x","msg":"limit must be positive","param":"limit"}]}', "limit must be positive"),
        (403, '{"errors":[{"code":"GEOBLOCKED","msg":"not here"}]}', "not here"),
        (404, '{"error":"Not Found","errorCode":404}', "Not Found"),
        (418, "<html>teapot</html>", "HTTP 418"),
    ],
)
async def test_a_refusal_is_not_tried_again_and_keeps_the_venues_words(status: int, body: str, words: str) -> None:
    with served(lambda _path: (status, {}, body)) as (url, asked):
        facts = await read(url)
    assert len(asked) == 1
    assert isinstance(facts[0], ev.ReadFailed)
    assert facts[0].status == status
    assert words in facts[0].text


async def test_a_host_that_is_not_there_is_a_failed_read_and_nothing_is_raised() -> None:
    facts = await read("http://127.0.0.1:9")
    assert isinstance(facts[0], ev.ReadFailed)
    assert facts[0].status is None


async def test_a_redirect_is_not_followed() -> None:
    with served(lambda _path: (302, {"Location": "http://127.0.0.1:9/"}, "")) as (url, asked):
        facts = await read(url)
    assert len(asked) == 1
    assert isinstance(facts[0], ev.ReadFailed)


def fill(number: int) -> dict[str, object]:
    return {
        "id": f"00000000-0000-5000-8000-{number:012d}",
        "side": "BUY",
        "liquidity": "TAKER",
        "type": "LIMIT",
        "market": "BTC-USD",
        "price": "100",
        "size": "1",
        "fee": "0.05",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "createdAtHeight": str(number),
        "subaccountNumber": 0,
    }


async def test_fills_are_read_by_pages_to_the_end_and_then_only_what_may_be_missing() -> None:
    fills = [fill(number) for number in range(2_300)]

    def answer(path: str) -> Reply:
        if "/fills/" not in path:
            is_list = "/orders/" in path
            body = "[]" if is_list else '{"fundingPayments":[],"transfers":[]}'
            if "/addresses/" in path:
                return 404, {}, '{"errors":[{"msg":"No subaccount found"}]}'
            return 200, {}, body
        page = int(path.partition("&page=")[2].partition("&")[0])
        rows = fills[(page - 1) * 1_000 : page * 1_000]
        body = {"fills": rows, "pageSize": 1_000, "totalResults": len(fills), "offset": (page - 1) * 1_000}
        return 200, {}, json.dumps(body)

    facts: list[ev.Fact] = []
    with served(answer) as (url, asked):
        rest = IndexerRest(url, SystemClock(), NoTap(), random.Random(1), "test/1")
        reader = AccountReader(rest, ADDRESS, 0, facts.append)
        assert await reader.resync(1, SystemClock())
        first = [path for path in asked if "/fills/" in path]
        asked.clear()
        fills.extend(fill(number) for number in range(2_300, 2_350))
        assert await reader.resync(1, SystemClock())
        second = [path for path in asked if "/fills/" in path]
        await rest.close()
    assert len(first) == 3
    assert len(second) == 1
    known = {row.id for fact in facts if isinstance(fact, ev.FillsRead) for row in fact.fills}
    assert known == {row["id"] for row in fills}
    assert sum(isinstance(fact, ev.Resynced) for fact in facts) == 2


@pytest.mark.parametrize("broken", ["/orders/", "/addresses/", "/fills/", "/fundingPayments/", "/transfers/"])
@pytest.mark.parametrize("reply", [(400, {}, '{"errors":[{"msg":"no"}]}'), (200, {}, '{"subaccount":1,"fills":2}')])
async def test_what_could_not_be_read_keeps_the_account_out_of_step(broken: str, reply: Reply) -> None:
    facts: list[ev.Fact] = []

    def answer(path: str) -> Reply:
        if broken in path:
            return (200, {}, "<html>") if broken in ("/fundingPayments/", "/transfers/") else reply
        if "/orders/" in path:
            return 200, {}, "[]"
        if "/addresses/" in path:
            return 404, {}, '{"errors":[{"msg":"none"}]}'
        return 200, {}, '{"fills":[],"totalResults":0,"offset":0,"fundingPayments":[],"transfers":[]}'

    with served(answer) as (url, _asked):
        rest = IndexerRest(url, SystemClock(), NoTap(), random.Random(1), "test/1")
        assert not await AccountReader(rest, ADDRESS, 0, facts.append).resync(1, SystemClock())
        await rest.close()
    assert not any(isinstance(fact, ev.Resynced) for fact in facts)

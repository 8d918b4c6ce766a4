"""The REST client over real loopback sockets: retries, the Indexer's milliseconds, and what a failure becomes."""

import asyncio
import gzip
import json
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dydx_console.domain import events as ev
from dydx_console.domain.limits import BreakerState
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.faults import FaultKind, FaultSource
from dydx_console.ports.tap import NoTap
from dydx_console.venue.indexer.account_reader import AccountReader
from dydx_console.venue.indexer.rest import IndexerRest, RestLimits
from dydx_console.venue.resilience.breaker import BreakerLimits

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


QUICK = RestLimits(try_s=2.0, whole_s=5.0, silence_s=0.3, first_delay_s=0.01, longest_delay_s=0.02)


@asynccontextmanager
async def reading(
    url: str, limits: RestLimits = QUICK, told: list[ev.Fact] | None = None
) -> AsyncIterator[IndexerRest]:
    """Yield a client that tries again at once; what it tells besides answers goes to `told`."""
    sink = None if told is None else told.append
    rest = IndexerRest(url, SystemClock(), NoTap(), random.Random(1), "test/1", sink=sink, limits=limits)
    try:
        yield rest
    finally:
        await rest.close()


async def read(url: str, path: str = "/height", **query: str | int) -> tuple[ev.Fact, ...]:
    async with reading(url) as rest:
        return await rest.read(path, 0, **query)


async def failure_of(url: str, path: str = "/height", limits: RestLimits = QUICK) -> ev.ReadFailed:
    """Read once and return the failure that it must end in."""
    async with reading(url, limits) as rest:
        (fact,) = await rest.read(path, 0)
    assert isinstance(fact, ev.ReadFailed)
    return fact


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[tuple[str, list[int]]]:
    """Serve raw bytes; yields the base URL, and a list that grows by one with every connection."""
    connections: list[int] = []
    over = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        try:
            await reader.readuntil(b"\r\n\r\n")
            talking = asyncio.ensure_future(talk(reader, writer))
            ending = asyncio.ensure_future(over.wait())
            await asyncio.wait({talking, ending}, return_when=asyncio.FIRST_COMPLETED)
            talking.cancel()
            ending.cancel()
            await asyncio.gather(talking, ending, return_exceptions=True)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections
    finally:
        over.set()
        server.close()
        await asyncio.sleep(0)


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
        async with reading(url) as rest:
            reader = AccountReader(rest, ADDRESS, 0, facts.append)
            assert await reader.resync(1, SystemClock())
            first = [path for path in asked if "/fills/" in path]
            asked.clear()
            fills.extend(fill(number) for number in range(2_300, 2_350))
            assert await reader.resync(1, SystemClock())
            second = [path for path in asked if "/fills/" in path]
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
        async with reading(url) as rest:
            assert not await AccountReader(rest, ADDRESS, 0, facts.append).resync(1, SystemClock())
    assert not any(isinstance(fact, ev.Resynced) for fact in facts)


@pytest.mark.parametrize(
    ("path", "status", "body", "kind", "words"),
    [
        ("/fills", 400, '{"errors":[{"msg":"limit must be positive"}]}', FaultKind.REJECTED, "limit must be positive"),
        ("/fills", 403, '{"errors":[{"code":"GEOBLOCKED","msg":"no"}]}', FaultKind.GEO_BLOCKED, "the place is blocked"),
        (
            "/fills",
            403,
            '{"errors":[{"code":"COMPLIANCE_BLOCKED","msg":"no"}]}',
            FaultKind.GEO_BLOCKED,
            "the address is blocked",
        ),
        ("/fills", 403, "<html>", FaultKind.GEO_BLOCKED, "without a reason"),
        ("/orders/" + "0" * 36, 404, '{"errors":[{"msg":"none"}]}', FaultKind.NOT_FOUND, "which proves nothing"),
        ("/candles/perpetualMarkets/X", 404, '{"errors":[{"msg":"X"}]}', FaultKind.NOT_FOUND, "no such market"),
        ("/height", 404, '{"error":"Not Found","errorCode":404}', FaultKind.NOT_FOUND, "does not offer it"),
        (f"/addresses/{ADDRESS}", 404, "<html>a web server", FaultKind.NOT_FOUND, "HTTP 404"),
        ("/nothing/known", 500, "", FaultKind.SERVER, "HTTP 500"),
    ],
)
async def test_a_refusal_has_a_kind_and_advice_and_says_what_it_means_there(
    path: str, status: int, body: str, kind: FaultKind, words: str
) -> None:
    with served(lambda _path: (status, {}, body)) as (url, _asked):
        failed = await failure_of(url, path)
    assert (failed.status, failed.kind) == (status, kind)
    assert words in failed.text
    assert failed.advice.endswith(".")
    assert failed.path == f"/v4{path}"


async def test_an_account_that_the_indexer_never_saw_is_an_answer_and_no_fault() -> None:
    with served(lambda _path: (404, {}, '{"errors":[{"msg":"No subaccount found"}]}')) as (url, asked):
        async with reading(url) as rest:
            (fact,) = await rest.read(f"/addresses/{ADDRESS}/parentSubaccountNumber/0", 0)
            assert rest.counters.rows() == ()
    assert isinstance(fact, ev.AccountRead)
    assert not fact.exists
    assert len(asked) == 1


HOSTILE = "<html>\x1b]0;owned\x07\u202e" + "x" * 5_000


@pytest.mark.parametrize("body", ["", HOSTILE, "{", "[]", '{"height":1e400}', "\x00" * 10, "[" * 100_000])
async def test_an_answer_that_cannot_be_read_is_counted_with_a_clean_sample_and_not_asked_for_again(body: str) -> None:
    with served(lambda _path: (200, {}, body)) as (url, asked):
        async with reading(url) as rest:
            (fact,) = await rest.read("/height", 0)
            (row,) = rest.counters.rows()
    assert isinstance(fact, ev.MessageRejected)
    assert len(asked) == 1
    assert (row.kind, row.source, row.count) == (FaultKind.BAD_ANSWER, FaultSource.REST, 1)
    assert row.endpoint == f"{url.removeprefix('http://')}/v4/height"
    for text in (fact.reason, fact.sample, row.last_text):
        assert len(text) <= 200
        assert text.isprintable()


async def test_counts_name_the_kind_of_read_and_never_the_account() -> None:
    with served(lambda _path: (503, {}, "")) as (url, _asked):
        async with reading(url) as rest:
            await rest.read(f"/addresses/{ADDRESS}", 0)
            await rest.read("/orders/" + "0" * 36, 0)
            rows = rest.counters.rows()
    assert [row.endpoint.partition("/")[2] for row in rows] == ["v4/addresses", "v4/orders/:id"]
    assert all(row.count == 3 for row in rows)


def head(length: int, *more: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", f"Content-Length: {length}", *more, "", "")).encode()


async def test_an_answer_that_is_cut_off_is_tried_three_times() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(500) + b'{"height"')
        await writer.drain()
        await asyncio.sleep(0.05)

    async with talking(talk) as (url, connections):
        failed = await failure_of(url)
    assert len(connections) == 3
    assert (failed.status, failed.kind) == (None, FaultKind.UNREACHABLE)


async def test_silence_is_tried_three_times() -> None:
    async def talk(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with talking(talk) as (url, connections):
        failed = await failure_of(url)
    assert len(connections) == 3
    assert (failed.status, failed.kind, failed.text) == (None, FaultKind.TIMEOUT, "no answer in time")


async def test_an_answer_that_drips_ends_with_the_deadline_of_the_whole_read() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(1_000_000))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    began = time.monotonic()
    async with talking(talk) as (url, connections):
        failed = await failure_of(url, limits=RestLimits(try_s=0.3, whole_s=0.5, first_delay_s=0.01))
    assert failed.kind is FaultKind.TIMEOUT
    assert len(connections) == 2
    assert 0.5 <= time.monotonic() - began < 5.0


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 twohundred OK\r\n\r\n", b"\x00\xff" * 50])
async def test_what_does_not_speak_http_is_a_bad_answer(reply: bytes) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        await writer.drain()
        await asyncio.sleep(0.5)

    async with talking(talk) as (url, connections):
        failed = await failure_of(url)
    assert failed.kind is FaultKind.BAD_ANSWER
    assert len(connections) == 1


@pytest.mark.parametrize("is_packed", [False, True])
async def test_a_huge_answer_is_left_where_it_is_too_long(is_packed: bool) -> None:
    sent = 0
    block = b" " * 65_536
    packed = gzip.compress(block * 800)

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head(len(packed), "Content-Encoding: gzip") + packed if is_packed else head(800 * len(block)))
        while not is_packed:
            writer.write(block)
            await writer.drain()
            sent += len(block)
        await asyncio.sleep(1.0)

    async with talking(talk) as (url, connections):
        failed = await failure_of(url, limits=RestLimits(most_bytes=1_000_000))
    assert failed.kind is FaultKind.BAD_ANSWER
    assert "more than 1,000,000 bytes" in failed.text
    assert len(connections) == 1
    assert sent < 400 * len(block)


async def test_a_wait_that_is_too_long_is_told_at_once_and_nothing_more_is_asked() -> None:
    words = '{"errors":[{"msg":"Too many requests"}]}'
    with served(lambda _path: (429, {"Retry-After": "1000000000"}, words)) as (url, asked):
        began = time.monotonic()
        async with reading(url) as rest:
            first, second = [*await rest.read("/height", 0), *await rest.read("/height", 0)]
    assert time.monotonic() - began < 5.0
    assert len(asked) == 1
    for failed, status in ((first, 429), (second, None)):
        assert isinstance(failed, ev.ReadFailed)
        assert (failed.status, failed.kind) == (status, FaultKind.RATE_LIMITED)
        assert failed.retry_after_s == pytest.approx(30.0, abs=2.0)


async def test_refusals_for_too_many_are_three_tries_too() -> None:
    words = '{"errors":[{"msg":"Too many requests"}]}'
    with served(lambda _path: (429, {"Retry-After": "1"}, words)) as (url, asked):
        failed = await failure_of(url)
    assert len(asked) == 3
    assert (failed.status, failed.kind) == (429, FaultKind.RATE_LIMITED)


async def test_a_group_that_keeps_failing_is_left_alone_and_others_are_not() -> None:
    works = False

    def answer(path: str) -> Reply:
        if "/height" in path and not works:
            return 503, {}, ""
        return (200, {}, HEIGHT) if "/height" in path else (200, {}, '{"fills":[]}')

    told: list[ev.Fact] = []
    limits = RestLimits(first_delay_s=0.01, breaker=BreakerLimits(failures=5, first_s=0.3, cap_s=0.3))
    with served(answer) as (url, asked):
        async with reading(url, limits, told) as rest:
            for _ in range(4):
                (failed,) = await rest.read("/height", 0)
                assert isinstance(failed, ev.ReadFailed)
            assert len(asked) == 5
            assert failed.kind is FaultKind.SERVER
            assert "clock failed 5 times in a row" in failed.text
            assert failed.retry_after_s is not None
            assert isinstance((await rest.read("/fills", 0))[0], ev.FillsRead)
            works = True
            await asyncio.sleep(0.3)
            assert isinstance((await rest.read("/height", 0))[0], ev.HeightRead)
    changed = [(fact.before, fact.status.state) for fact in told if isinstance(fact, ev.BreakerChanged)]
    assert changed == [
        (BreakerState.CLOSED, BreakerState.OPEN),
        (BreakerState.OPEN, BreakerState.HALF_OPEN),
        (BreakerState.HALF_OPEN, BreakerState.CLOSED),
    ]


async def test_reads_that_queue_while_a_group_fails_are_not_sent_after_it_opened() -> None:
    with served(lambda _path: (503, {}, "")) as (url, asked):
        async with reading(url) as rest:
            answers = await asyncio.gather(*(rest.read("/fills", 0) for _ in range(40)))
    assert all(isinstance(fact, ev.ReadFailed) and fact.kind is FaultKind.SERVER for (fact,) in answers)
    assert 5 <= len(asked) <= 5 + 8


async def test_what_is_left_of_a_budget_is_told() -> None:
    headers = {"RateLimit-Limit": "100", "RateLimit-Remaining": "63", "RateLimit-Reset": "1795219708623"}
    told: list[ev.Fact] = []
    with served(lambda _path: (200, headers, HEIGHT)) as (url, _asked):
        async with reading(url, told=told) as rest:
            await rest.read("/height", 0)
    (fact,) = told
    assert isinstance(fact, ev.BudgetsTold)
    (budget,) = fact.budgets
    assert (budget.host, budget.bucket) == (url.removeprefix("http://"), "get")
    assert (budget.limit, budget.remaining, budget.waiting) == (100, 63, 0)
    assert budget.reset_at is not None


async def test_slow_charts_do_not_hold_up_the_account() -> None:
    ended: list[str] = []

    def answer(path: str) -> Reply:
        if "/candles/" in path:
            time.sleep(0.3)
            return 200, {}, '{"candles":[]}'
        return 200, {}, '{"fills":[]}'

    with served(answer) as (url, _asked):
        async with reading(url, RestLimits()) as rest:

            async def one(path: str) -> None:
                (fact,) = await rest.read(path, 0, resolution="1MIN")
                assert not isinstance(fact, ev.ReadFailed)
                ended.append(path)

            async with asyncio.TaskGroup() as tasks:
                for number in range(15):
                    tasks.create_task(one(f"/candles/perpetualMarkets/M{number}-USD"))
                await asyncio.sleep(0.05)
                tasks.create_task(one("/fills"))
    assert ended.index("/fills") < 6


async def test_reads_that_are_given_up_take_nothing_with_them() -> None:
    full = asyncio.Semaphore(0)

    async def talk(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        full.release()
        await asyncio.Event().wait()

    async with talking(talk) as (url, connections), reading(url, RestLimits()) as rest:
        for _ in range(3):
            async with asyncio.TaskGroup() as tasks:
                reads = [tasks.create_task(rest.read("/fills", 0)) for _ in range(20)]
                for _ in range(8):
                    await full.acquire()
                for task in reads:
                    task.cancel()
        assert len(connections) == 24
        assert rest.counters.rows() == ()

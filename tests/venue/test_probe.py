"""Single questions to an Indexer over real loopback sockets: answers, refusals, and hosts that do not behave."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from builders import ADDRESS
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from shared_data import DATA, needs_data
from venue.hosts import Host, http, raw, tcp
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.datastructures import Headers

from dydx_console.domain.chain import BlockHead
from dydx_console.ports.clock import ManualClock, SystemClock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.probe import Compliance
from dydx_console.sim.core.addresses import DEMO_ADDRESS
from dydx_console.sim.shell.server import running
from dydx_console.sim.venue import VenueOptions
from dydx_console.venue.indexer.probe import HttpIndexerProbe

NOWHERE = "127.0.0.1:9"
TIME = "2026-05-01T00:00:07.250Z"
AT = datetime(2026, 5, 1, 0, 0, 7, 250_000, tzinfo=UTC)
HEIGHT = '{"height":"7","time":"' + TIME + '"}'
GREETING = json.dumps({"type": "connected", "connection_id": "5b1c", "message_id": 0})
SUBSCRIBED = json.dumps(
    {
        "type": "subscribed",
        "connection_id": "5b1c",
        "message_id": 1,
        "channel": "v4_block_height",
        "id": "v4_block_height",
        "contents": {"height": "7", "time": TIME},
    }
)

Ask = Callable[[HttpIndexerProbe], Awaitable[object]]
Handler = Callable[[ServerConnection], Awaitable[None]]
HEAD: Ask = HttpIndexerProbe.head
CLOCK: Ask = HttpIndexerProbe.clock
STREAM: Ask = HttpIndexerProbe.streams


def parents(probe: HttpIndexerProbe) -> Awaitable[object]:
    return probe.funded_parents(ADDRESS)


def screening(probe: HttpIndexerProbe) -> Awaitable[object]:
    return probe.compliance(ADDRESS)


EVERY_REST = pytest.mark.parametrize("ask", [HEAD, CLOCK, parents, screening])
BOTH_WAYS = pytest.mark.parametrize("ask", [HEAD, STREAM])
EVERY = pytest.mark.parametrize("ask", [HEAD, CLOCK, parents, screening, STREAM])


@asynccontextmanager
async def socket_server(handler: Handler) -> AsyncIterator[Host]:
    async with serve(handler, "127.0.0.1", 0) as server:
        yield Host(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def told(ask: Ask, at: str, deadline_s: float = 5.0, scheme: str = "") -> object:
    """Return what a probe of that host answers."""
    clock = SystemClock()
    probe = HttpIndexerProbe(f"http{scheme}://{at}", f"ws{scheme}://{at}/v4/ws", clock, "test/1", deadline_s)
    try:
        return await ask(probe)
    finally:
        await probe.close()


async def refused(ask: Ask, at: str, deadline_s: float = 5.0, scheme: str = "") -> VenueError:
    """Return the error that a probe of that host raises."""
    with pytest.raises(VenueError) as caught:
        await told(ask, at, deadline_s, scheme)
    assert caught.value.endpoint == at
    assert caught.value.text.isprintable()
    return caught.value


async def test_it_asks_the_paths_of_the_indexer() -> None:
    async with raw(http(200, HEIGHT)) as host:
        assert await told(HEAD, host.at) == BlockHead(7, AT, host.at)
    async with raw(http(200, '{"status":"COMPLIANT"}')) as screen:
        assert await told(screening, screen.at) == Compliance("COMPLIANT", None)
    assert host.asked[0].splitlines()[0] == "GET /v4/height HTTP/1.1"
    assert "user-agent: test/1" in host.asked[0].lower()
    assert screen.asked[0].splitlines()[0] == f"GET /v4/compliance/screen/{ADDRESS} HTTP/1.1"


async def test_its_clock_stands_beside_ours_half_way_through_the_request() -> None:
    class Stepping(ManualClock):
        """A clock that goes on by a second whenever it is read."""

        def monotonic(self) -> float:
            self.move_to(super().monotonic() + 1.0)
            return super().monotonic()

    async with raw(http(200, '{"iso":"' + TIME + '","epoch":1.5}')) as host:
        clock = Stepping(100.0, datetime(2026, 1, 1, tzinfo=UTC))
        probe = HttpIndexerProbe(f"http://{host.at}", "ws://unused/v4/ws", clock, "test/1")
        read = await probe.clock()
        await probe.close()
    assert read.venue_time == AT
    assert read.monotonic == 101.5
    assert read.utc == datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=0.5)


@pytest.mark.parametrize(("numbers", "expected"), [([0], (0,)), ([3, 0, 128, 131, 256], (0, 3)), ([], ())])
async def test_children_count_as_their_parent(numbers: list[int], expected: tuple[int, ...]) -> None:
    rows = [{"address": ADDRESS, "subaccountNumber": number} for number in numbers]
    async with raw(http(200, json.dumps({"subaccounts": rows}))) as host:
        assert await told(parents, host.at) == expected


async def test_an_address_that_was_never_funded_has_no_parents() -> None:
    async with raw(http(404, '{"errors":[{"msg":"No subaccounts found for address x"}]}')) as host:
        assert await told(parents, host.at) == ()


@pytest.mark.parametrize("body", ["<html>404</html>", '{"error":"Not Found","errorCode":404}', "{}", ""])
async def test_any_other_404_says_nothing_about_an_address(body: str) -> None:
    async with raw(http(404, body)) as host:
        assert (await refused(parents, host.at)).kind is FaultKind.NOT_FOUND


async def test_a_restricted_address_comes_with_the_reason() -> None:
    async with raw(http(200, '{"status":"CLOSE_ONLY","reason":"US_GEO","updatedAt":"x"}')) as host:
        assert await told(screening, host.at) == Compliance("CLOSE_ONLY", "US_GEO")


@EVERY
async def test_nothing_listens(ask: Ask) -> None:
    assert (await refused(ask, NOWHERE)).kind is FaultKind.UNREACHABLE


@EVERY
async def test_a_host_that_accepts_and_hangs(ask: Ask) -> None:
    async with raw(None) as host:
        fault = await refused(ask, host.at, deadline_s=0.2)
    assert (fault.kind, fault.text) == (FaultKind.TIMEOUT, "no answer within 0.2 s")


@EVERY
async def test_a_host_that_hangs_up(ask: Ask) -> None:
    async with raw(b"") as host:
        assert (await refused(ask, host.at)).kind is FaultKind.UNREACHABLE


async def test_an_answer_that_never_ends_its_body_is_cut_by_the_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with tcp(drip) as at:
        assert (await refused(HEAD, at, deadline_s=0.2)).kind is FaultKind.TIMEOUT


async def test_an_answer_without_measure_is_not_read_to_its_end() -> None:
    async with raw(http(200, " " * (9 * 1024 * 1024))) as host:
        fault = await refused(HEAD, host.at)
    assert fault.kind is FaultKind.BAD_ANSWER
    assert "more than" in fault.text


@EVERY_REST
@pytest.mark.parametrize(
    "body", ["", "<!DOCTYPE html><html>", "{", "[]", "null", '{"height":7}', '{"iso":"x"}', '{"subaccounts":1}', "\xff"]
)
async def test_an_answer_of_another_form_cannot_be_read(ask: Ask, body: str) -> None:
    async with raw(http(200, body)) as host:
        assert (await refused(ask, host.at)).kind is FaultKind.BAD_ANSWER


async def test_no_http_at_all_cannot_be_read() -> None:
    async with raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as host:
        assert (await refused(HEAD, host.at)).kind is FaultKind.BAD_ANSWER
        assert (await refused(STREAM, host.at)).kind is FaultKind.BAD_ANSWER


@BOTH_WAYS
@pytest.mark.parametrize(
    ("header", "wait_s"),
    [("Retry-After: 8701", 8.701), ("Retry-After: 0", 0.0), ("Retry-After: soon", None), ("X: y", None)],
)
async def test_too_many_requests_say_how_many_milliseconds_to_wait(ask: Ask, header: str, wait_s: float | None) -> None:
    async with raw(http(429, '{"errors":[{"msg":"Too many requests"}]}', header)) as host:
        fault = await refused(ask, host.at)
        assert (fault.kind, fault.retry_after_s) == (FaultKind.RATE_LIMITED, wait_s)
        assert len(host.asked) == 1


@BOTH_WAYS
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, FaultKind.GEO_BLOCKED),
        (400, FaultKind.REJECTED),
        (418, FaultKind.REJECTED),
        (404, FaultKind.NOT_FOUND),
        (500, FaultKind.SERVER),
        (503, FaultKind.SERVER),
        (520, FaultKind.SERVER),
        (302, FaultKind.REJECTED),
    ],
)
async def test_every_refusal_has_its_kind_and_no_redirect_is_followed(ask: Ask, status: int, kind: FaultKind) -> None:
    async with raw(http(200, HEIGHT)) as other, raw(http(status, "no", f"Location: http://{other.at}/")) as host:
        fault = await refused(ask, host.at)
    assert fault.kind is kind
    assert str(status) in fault.text
    assert other.asked == []


async def test_a_refusal_keeps_the_venues_own_words_without_what_could_steer_a_terminal() -> None:
    body = json.dumps({"errors": [{"code": "GEOBLOCKED", "msg": "not \x1b[31mfrom\x07 here\u202e"}]})
    async with raw(http(403, body)) as host:
        assert (await refused(parents, host.at)).text == "HTTP 403: not [31mfrom here"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate with its key that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "self-signed.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@EVERY
async def test_a_certificate_that_nobody_vouches_for_is_refused(ask: Ask, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with raw(http(200, HEIGHT), context) as host:
        fault = await refused(ask, host.at, scheme="s")
        assert fault.kind is FaultKind.TLS
        assert "certificate" in fault.text.lower()
        assert host.asked == []


@EVERY
async def test_a_host_without_tls_is_no_host_of_https(ask: Ask) -> None:
    async with raw(http(200, HEIGHT)) as host:
        assert (await refused(ask, host.at, scheme="s")).kind is FaultKind.TLS


async def test_the_stream_is_subscribed_after_its_greeting_and_left() -> None:
    heard: list[object] = []
    left = asyncio.Event()

    async def indexer(socket: ServerConnection) -> None:
        await socket.send(GREETING)
        heard.append(json.loads(await socket.recv()))
        await socket.send(SUBSCRIBED)
        await socket.wait_closed()
        left.set()

    async with socket_server(indexer) as host:
        assert await told(STREAM, host.at) == BlockHead(7, AT, host.at)
        await asyncio.wait_for(left.wait(), 5.0)
    assert heard == [{"type": "subscribe", "channel": "v4_block_height"}]


ERROR = json.dumps({"type": "error", "message": "Internal \x1berror", "connection_id": "5b1c", "message_id": 0})


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ((), FaultKind.TIMEOUT),
        ((GREETING,), FaultKind.TIMEOUT),
        ((GREETING, ERROR), FaultKind.REJECTED),
        (("<html>",), FaultKind.BAD_ANSWER),
        ((GREETING, '{"type":"subscribed"}'), FaultKind.BAD_ANSWER),
        ((GREETING, SUBSCRIBED.replace('"7"', '"x"')), FaultKind.BAD_ANSWER),
        ((GREETING, " " * 100_000), FaultKind.UNREACHABLE),
    ],
)
async def test_a_stream_that_does_not_subscribe(said: tuple[str, ...], kind: FaultKind) -> None:
    async def indexer(socket: ServerConnection) -> None:
        for text in said:
            await socket.send(text)
        await socket.wait_closed()

    async with socket_server(indexer) as host:
        assert (await refused(STREAM, host.at, deadline_s=0.4)).kind is kind


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (1012, "Service restarting", FaultKind.UNREACHABLE),
        (1000, "", FaultKind.UNREACHABLE),
        (1008, '{"message":"Rate limited"}', FaultKind.RATE_LIMITED),
    ],
)
async def test_a_stream_that_is_closed_before_it_told_a_block(code: int, reason: str, kind: FaultKind) -> None:
    async def indexer(socket: ServerConnection) -> None:
        await socket.send(GREETING)
        await socket.close(code, reason)

    async with socket_server(indexer) as host:
        assert (await refused(STREAM, host.at)).kind is kind


async def test_a_handshake_that_redirects_is_not_followed() -> None:
    async with raw(b"") as other:
        headers = Headers(Location=f"ws://{other.at}/", Connection="close")

        def elsewhere(_socket: ServerConnection, _request: Request) -> Response:
            return Response(302, "Found", headers, b"")

        async def never(_socket: ServerConnection) -> None:
            raise AssertionError

        async with serve(never, "127.0.0.1", 0, process_request=elsewhere) as server:
            at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            assert (await refused(STREAM, at)).kind is FaultKind.REJECTED
        assert other.asked == []


async def test_the_simulator_is_a_healthy_indexer() -> None:
    async with running(VenueOptions(history_hours=1)) as served:
        probe = HttpIndexerProbe(served.rest_url, served.websocket_url, SystemClock(), "test/1", 10.0)
        head, stream = await probe.head(), await probe.streams()
        clock = await probe.clock()
        funded, none = await probe.funded_parents(DEMO_ADDRESS), await probe.funded_parents(ADDRESS)
        screened = await probe.compliance(DEMO_ADDRESS)
        await probe.close()
    assert 0 <= stream.height - head.height <= 30
    assert abs((clock.utc - clock.venue_time).total_seconds()) < 10.0
    assert 0 in funded
    assert none == ()
    assert screened.status == "COMPLIANT"


@needs_data
@pytest.mark.parametrize("name", ["http_endpoints", "http_429"])
async def test_recorded_answers_of_the_real_indexer_are_understood(name: str) -> None:
    """Every recorded answer to a question of the probe becomes a value or a fault of the right kind."""
    asks = {"/v4/height": HEAD, "/v4/time": CLOCK, "/v4/addresses/": parents, "/v4/compliance/screen/": screening}
    seen = 0
    for line in (DATA / "transcripts" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        path = "/v4" + entry.get("url", "").partition("/v4")[2]
        ask = next((ask for start, ask in asks.items() if path.startswith(start) and path.count("/") <= 4), None)
        if entry["ev"] != "http" or entry["method"] != "GET" or ask is None or "subaccount" in path.lower():
            continue
        if entry["status"] not in (200, 403, 404, 429) or seen >= 30:
            continue
        seen += 1
        wait = [f"{key}: {value}" for key, value in entry["headers"] if key == "Retry-After"]
        async with raw(http(entry["status"], entry["body"], *wait)) as host:
            if entry["status"] == 200 or (entry["status"] == 404 and ask is parents):
                assert await told(ask, host.at) is not None
            else:
                kinds = {403: FaultKind.GEO_BLOCKED, 404: FaultKind.NOT_FOUND, 429: FaultKind.RATE_LIMITED}
                fault = await refused(ask, host.at)
                assert fault.kind is kinds[entry["status"]]
                assert (fault.retry_after_s is not None) == bool(wait)
    assert seen > 3

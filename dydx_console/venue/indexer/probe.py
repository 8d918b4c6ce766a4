"""Single questions to an Indexer by REST and WebSocket, each with a deadline, none tried twice.

What can go wrong is told as `VenueError`. Sources, of dydxprotocol/v4-chain: indexer/services/comlink/src/controllers/
api/v4 for the answers, indexer/services/comlink/src/lib/rate-limit.ts and compliance-and-geo-check.ts for refusals.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException

from dydx_console.domain.chain import BlockHead
from dydx_console.domain.events import (
    AddressRead,
    BlockHeight,
    ChannelKey,
    ConnectionReady,
    Fact,
    HeightRead,
    MessageRejected,
    TimeRead,
    VenueRefusal,
)
from dydx_console.domain.ids import parent_of
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, FaultSource, VenueError
from dydx_console.ports.probe import Compliance, VenueClock
from dydx_console.venue.indexer import channels, wire
from dydx_console.venue.indexer.answers import Answer, error_text, facts_of_answer
from dydx_console.venue.indexer.direct import DirectConnection
from dydx_console.venue.indexer.protocol import IndexerProtocol
from dydx_console.venue.resilience.counters import FaultCounters
from dydx_console.venue.resilience.faults import is_tls

__all__ = ["HttpIndexerProbe"]

DEADLINE_S = 2.0
GOODBYE_S = 0.2
MOST_BYTES = 8 * 1024 * 1024
"""Longest answer that is read: an address with hundreds of subaccounts stays far below."""
MOST_MESSAGE_BYTES = 64 * 1024
TEXT_LENGTH = 200
LONGEST_WAIT_MS = 24 * 3_600_000

Wanted = TypeVar("Wanted")


class _Screening(msgspec.Struct, frozen=True):
    """The answer of a compliance screening; `reason` is there only where the address is restricted."""

    status: str
    reason: str | None = None


_screening = msgspec.json.Decoder(_Screening)
_refusal = msgspec.json.Decoder(wire.ErrorBody)


class HttpIndexerProbe:
    """An `IndexerProbe` over HTTP and WebSocket. Redirects are not followed.

    Args:
        rest_url: scheme, host and port; the API prefix `/v4` is added.
        websocket_url: the stream's whole URL.
        clock: stamps requests and answers.
        user_agent: how requests introduce themselves.
        deadline_s: seconds that a call may take from its first packet to its answer.
        allow_proxy: honour the proxy variables of the environment.
        counters: counts what fails; without it nobody counts.
    """

    def __init__(
        self,
        rest_url: str,
        websocket_url: str,
        clock: Clock,
        user_agent: str,
        deadline_s: float = DEADLINE_S,
        *,
        allow_proxy: bool = False,
        counters: FaultCounters | None = None,
    ) -> None:
        self._counters = FaultCounters(clock) if counters is None else counters
        self._allow_proxy = allow_proxy
        self._clock = clock
        self._deadline_s = deadline_s
        self._websocket_url = websocket_url
        self._host = _host_of(rest_url)
        self._client = httpx.AsyncClient(
            base_url=rest_url.rstrip("/"),
            timeout=2 * deadline_s,  # each step's own; the deadline of the whole call always comes first
            # what is not compressed cannot be small on the wire and large in memory
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=allow_proxy,
        )

    async def close(self) -> None:
        """Close the client's sockets."""
        await self._client.aclose()

    async def head(self) -> BlockHead:
        """Return the newest block that the Indexer has by REST. Raises VenueError."""
        with self._counted(FaultSource.REST, f"{self._host}/v4/height"):
            read = self._told(await self._get("/height"), HeightRead)
        return BlockHead(read.height, read.time, self._host)

    async def clock(self) -> VenueClock:
        """Return the Indexer's clock, beside ours half way through the request. Raises VenueError."""
        with self._counted(FaultSource.REST, f"{self._host}/v4/time"):
            read = self._told(await self._get("/time"), TimeRead)
        utc = self._clock.utc()
        half_s = (read.at - read.asked_at) / 2
        return VenueClock(read.venue_time, read.at - half_s, utc - timedelta(seconds=half_s))

    async def funded_parents(self, address: str) -> tuple[int, ...]:
        """Return the parent subaccounts that exist, in order; none where the address was never funded there.

        Raises VenueError; a 404 that is not the Indexer's own is NOT_FOUND.
        """
        with self._counted(FaultSource.REST, f"{self._host}/v4/addresses"):
            answer = await self._get(f"/addresses/{quote(address, safe='')}", may_be_absent=True)
            read = self._told(answer, AddressRead)
        return tuple(sorted({parent_of(number) for number in read.subaccounts if number >= 0}))

    async def compliance(self, address: str) -> Compliance:
        """Return the screening of an address. Raises VenueError."""
        with self._counted(FaultSource.REST, f"{self._host}/v4/compliance"):
            answer = await self._get(f"/compliance/screen/{quote(address, safe='')}")
            try:
                found = _screening.decode(answer.body)
            except wire.UNREADABLE as error:
                raise self._unreadable(str(error)) from None
        reason = None if found.reason is None else clean(found.reason, TEXT_LENGTH)
        return Compliance(clean(found.status, 40), reason)

    async def streams(self) -> BlockHead:
        """Open a WebSocket, subscribe to the block height and return the block that the answer tells.

        Raises VenueError.
        """
        host = _host_of(self._websocket_url)
        with self._counted(FaultSource.WEBSOCKET, host):
            block = await self._streamed_block(host)
        return BlockHead(block.height, block.time, host)

    async def _streamed_block(self, host: str) -> BlockHeight:
        async with self._within_deadline(host):
            with _socket_faults(host):
                async with DirectConnection(
                    self._websocket_url,
                    open_timeout=None,
                    close_timeout=GOODBYE_S,
                    ping_interval=None,
                    max_size=MOST_MESSAGE_BYTES,
                    compression=None,
                    proxy=True if self._allow_proxy else None,
                    user_agent_header=None,
                ) as socket:
                    return await self._first_block(socket, host)

    async def _first_block(self, socket: ClientConnection, host: str) -> BlockHeight:
        protocol = IndexerProtocol(1)
        async for text in socket:
            for fact in protocol.receive(text, self._clock.monotonic()).facts:
                if isinstance(fact, BlockHeight):
                    return fact
                if isinstance(fact, ConnectionReady):
                    asked, _ = protocol.subscribe(
                        ChannelKey(channels.BLOCK_HEIGHT), batched=False, at=self._clock.monotonic()
                    )
                    await socket.send(asked)
                _raise_refusal(fact, host)
        raise VenueError(FaultKind.UNREACHABLE, host, "the connection ended before a block was told")

    async def _get(self, path: str, *, may_be_absent: bool = False) -> Answer:
        target = f"/v4{path}"
        asked_at = self._clock.monotonic()
        async with self._within_deadline(self._host):
            with _http_faults(self._host):
                async with self._client.stream("GET", target) as response:
                    body = await self._body(response)
        answer = Answer(target, response.status_code, body, asked_at, self._clock.monotonic(), 0)
        if answer.status != 200 and not (may_be_absent and _says_absent(answer)):
            words = error_text(answer.status, answer.body)
            raise _refused(self._host, answer.status, words, response.headers.get("Retry-After"))
        return answer

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                raise self._unreadable(f"an answer of more than {MOST_BYTES:,} bytes")
        return bytes(body)

    def _told(self, answer: Answer, kind: type[Wanted]) -> Wanted:
        for fact in facts_of_answer(answer):
            if isinstance(fact, kind):
                return fact
            if isinstance(fact, MessageRejected):
                raise self._unreadable(fact.reason)
        raise self._unreadable("nothing that was asked for")

    def _unreadable(self, reason: str) -> VenueError:
        text = clean(f"the answer could not be read: {reason}", TEXT_LENGTH)
        return VenueError(FaultKind.BAD_ANSWER, self._host, text)

    @contextmanager
    def _counted(self, source: FaultSource, endpoint: str) -> Iterator[None]:
        try:
            yield
        except VenueError as error:
            self._counters.count(error.kind, source, endpoint, error.text)
            raise

    @asynccontextmanager
    async def _within_deadline(self, host: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError:
            raise VenueError(FaultKind.TIMEOUT, host, f"no answer within {self._deadline_s:g} s") from None


def _host_of(url: str) -> str:
    return clean(urlsplit(url).netloc.rpartition("@")[2], 100)


def _says_absent(answer: Answer) -> bool:
    """Return whether a 404 is the Indexer's word about an address; any web server answers 404 to an unknown path."""
    try:
        return answer.status == 404 and bool(_refusal.decode(answer.body).errors)
    except wire.UNREADABLE:
        return False


def _refused(host: str, status: int, words: str, retry_after: str | None) -> VenueError:
    """Return what an HTTP status other than 200 means, with the Indexer's words."""
    if 300 <= status < 400:
        words = f"HTTP {status}: a redirect, which is not followed"
    kinds = {429: FaultKind.RATE_LIMITED, 403: FaultKind.GEO_BLOCKED, 404: FaultKind.NOT_FOUND}
    kind = kinds.get(status, FaultKind.SERVER if status >= 500 else FaultKind.REJECTED)
    wait_s = _retry_after_s(retry_after) if kind is FaultKind.RATE_LIMITED else None
    return VenueError(kind, host, words, wait_s)


def _retry_after_s(header: str | None) -> float | None:
    """Return the wait of a 429. The Indexer says milliseconds, against the standard (comlink rate-limit.ts)."""
    text = (header or "").strip()
    return min(int(text), LONGEST_WAIT_MS) / 1000 if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _raise_refusal(fact: Fact, host: str) -> None:
    if isinstance(fact, VenueRefusal):
        raise VenueError(FaultKind.REJECTED, host, clean(fact.text, TEXT_LENGTH))
    if isinstance(fact, MessageRejected):
        raise VenueError(FaultKind.BAD_ANSWER, host, clean(f"a message could not be read: {fact.reason}", TEXT_LENGTH))


@contextmanager
def _http_faults(host: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise VenueError(_kind_of_http(error), host, _words(error)) from None


def _kind_of_http(error: httpx.HTTPError) -> FaultKind:
    if is_tls(error):
        return FaultKind.TLS
    if isinstance(error, httpx.RemoteProtocolError):
        ended = ("disconnected", "closed connection")
        return FaultKind.UNREACHABLE if any(word in str(error) for word in ended) else FaultKind.BAD_ANSWER
    return FaultKind.UNREACHABLE if isinstance(error, httpx.NetworkError) else FaultKind.BAD_ANSWER


@contextmanager
def _socket_faults(host: str) -> Iterator[None]:
    try:
        yield
    except InvalidStatus as error:
        status, headers = error.response.status_code, error.response.headers
        words = error_text(status, bytes(error.response.body or b""))
        raise _refused(host, status, words, headers.get("Retry-After")) from None
    except (OSError, WebSocketException) as error:
        raise VenueError(_kind_of_socket(error), host, _words(error)) from None


def _kind_of_socket(error: OSError | WebSocketException) -> FaultKind:
    if isinstance(error, OSError):
        return FaultKind.TLS if is_tls(error) else FaultKind.UNREACHABLE
    if isinstance(error, ConnectionClosed):
        reason = "" if error.rcvd is None else error.rcvd.reason
        return FaultKind.RATE_LIMITED if "rate limited" in reason.lower() else FaultKind.UNREACHABLE
    is_cut = isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError)
    return FaultKind.UNREACHABLE if is_cut else FaultKind.BAD_ANSWER


def _words(error: Exception) -> str:
    return clean(str(error) or type(error).__name__, TEXT_LENGTH)

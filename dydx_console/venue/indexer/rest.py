"""The Indexer's REST side: one shared client, read-only, behind its budgets and breakers."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from dydx_console.domain.events import Fact, MessageRejected, ReadFailed
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, FaultSource, VenueError
from dydx_console.ports.tap import Tap
from dydx_console.venue.indexer import wire
from dydx_console.venue.indexer.answers import Answer, facts_of_answer
from dydx_console.venue.indexer.routes import BUDGETS, Route, route_of
from dydx_console.venue.resilience.breaker import BreakerLimits, Breakers, Trial
from dydx_console.venue.resilience.counters import FaultCounters
from dydx_console.venue.resilience.delays import Delays
from dydx_console.venue.resilience.faults import (
    MEANINGS,
    VenueFault,
    fault_of_status,
    fault_of_transport,
    unreadable,
)
from dydx_console.venue.resilience.headers import retry_after_s
from dydx_console.venue.resilience.limiter import HostGate, Permit, Rank
from dydx_console.venue.resilience.telling import Telling

__all__ = ["IndexerRest", "RestLimits"]

TRIES = 3
NO_CONNECTION = 0
WORDS_LENGTH = 200

_refusal = msgspec.json.Decoder(wire.ErrorBody)


@dataclass(frozen=True, slots=True)
class RestLimits:
    """How long reads take at most, in seconds, and how much of an answer is read.

    A try ends after `try_s`, and all of a read, its waits included, after `whole_s`. Waits between tries are drawn up
    to `first_delay_s`, doubling to `longest_delay_s`.
    """

    try_s: float = 12.0
    whole_s: float = 30.0
    connect_s: float = 5.0
    silence_s: float = 8.0
    first_delay_s: float = 0.5
    longest_delay_s: float = 4.0
    most_bytes: int = 16 * 1024 * 1024
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


@dataclass(frozen=True, slots=True)
class Question:
    """One read: its path with the prefix, with and without the query, and until when it may take."""

    path: str
    target: str
    route: Route
    connection: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one try brought: facts, and the failure that they tell of, if they do."""

    facts: tuple[Fact, ...]
    fault: VenueFault | None = None


class IndexerRest:
    """Reads the Indexer. Every read ends in facts, a failed one in `ReadFailed`; nothing is raised for the network.

    Reads queue for the Indexer's budgets, the account's before others; what failed and may pass is tried up to three
    times; an endpoint group that keeps failing is left alone for a while. A read takes 30 s at most.

    Args:
        base_url: scheme, host and port; the API prefix `/v4` is added.
        clock: stamps requests and answers; the one by which the loop's timers run.
        tap: hears every exchange.
        rng: spreads retries.
        user_agent: what we call ourselves.
        allow_proxy: honour the proxy variables of the environment.
        sink: takes what is to be told of budgets, breakers and failures.
        counters: counts failures; shared by whoever else asks this venue.
        limits: how long and how much.
        transport: carries the requests in place of sockets.
    """

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        tap: Tap,
        rng: random.Random,
        user_agent: str,
        *,
        allow_proxy: bool = False,
        sink: Callable[[Fact], None] | None = None,
        counters: FaultCounters | None = None,
        limits: RestLimits = RestLimits(),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._tap = tap
        self._rng = rng
        self._limits = limits
        self._host = clean(urlsplit(base_url).netloc.rpartition("@")[2], 100)
        self.counters = FaultCounters(clock) if counters is None else counters
        """What failed so far."""
        self._telling = Telling(clock, _nobody if sink is None else sink, self.counters)
        self._gate = HostGate(self._host, clock, BUDGETS, waits=self._telling.changed)
        self._telling.watch(self._gate.budgets)
        self._breakers = Breakers(self._host, clock, self._telling.breaker_changed, limits.breaker)
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            timeout=httpx.Timeout(limits.silence_s, connect=limits.connect_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
            # what is not compressed cannot be small on the wire and large in memory
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=allow_proxy,
            transport=transport,
        )

    @property
    def host(self) -> str:
        """The Indexer's host, and its port where one is named."""
        return self._host

    async def close(self) -> None:
        """Close the client's sockets, and tell nothing more."""
        self._telling.close()
        await self._client.aclose()

    async def read(self, path: str, connection: int, **query: str | int) -> tuple[Fact, ...]:
        """Return what a GET of `/v4` + `path` tells, after at most three tries and 30 s.

        An answer that came and could not be read is a `MessageRejected`; every other failure is one `ReadFailed`.
        """
        return await self._read_by(route_of(path), path, connection, query)

    async def read_behind(self, path: str, **query: str | int) -> tuple[Fact, ...]:
        """Return the same as `read`, for older history: behind every other read, and apart from them.

        It has a circuit breaker of its own, since a deep page that fails says nothing of the newest one, and no
        recording hears of it, since no picture rests on it.
        """
        route = replace(route_of(path), group="older", rank=Rank.HISTORY)
        return await self._read_by(route, path, NO_CONNECTION, query)

    async def _read_by(self, route: Route, path: str, connection: int, query: dict[str, str | int]) -> tuple[Fact, ...]:
        target = f"/v4{path}" + (f"?{urlencode(query)}" if query else "")
        deadline = self._clock.monotonic() + self._limits.whole_s
        question = Question(f"/v4{path}", target, route, connection, deadline)
        delays = Delays(self._rng, self._limits.first_delay_s, self._limits.longest_delay_s)
        outcome = await self._tried(question, None)
        for _ in range(TRIES - 1):
            fault = outcome.fault
            if fault is None or not fault.retryable or not await self._waited(fault, delays, deadline):
                break
            outcome = await self._tried(question, outcome)
        return outcome.facts

    async def _waited(self, fault: VenueFault, delays: Delays, deadline: float) -> bool:
        """Wait before the next try; returns whether there is time for one."""
        if fault.kind is FaultKind.RATE_LIMITED:
            return True  # the gate lets it pass when it is time, in its turn
        wait_s = max(delays.next_s(), fault.retry_after_s or 0.0)
        if self._clock.monotonic() + wait_s >= deadline:
            return False
        await asyncio.sleep(wait_s)
        return True

    async def _tried(self, question: Question, before: Outcome | None) -> Outcome:
        """Try once, where gate and breaker let it; `before` is what the last try brought."""
        route = question.route
        breaker = self._breakers.of(route.group)
        try:
            breaker.check()
            patience_s = question.deadline - self._clock.monotonic()
            async with self._gate.permit(route.bucket, route.rank, patience_s) as permit:
                with breaker.trial() as trial:
                    outcome = await self._asked(question, permit, trial)
        except VenueError as refusal:
            outcome = self._not_asked(question, refusal, before)
        self._telling.changed()
        return outcome

    def _not_asked(self, question: Question, refusal: VenueError, before: Outcome | None) -> Outcome:
        """Return what a read ends in that is not sent: how the venue last failed tells more than that we now wait."""
        now, wait_s = self._clock.monotonic(), refusal.retry_after_s
        if before is not None:
            facts = tuple(
                replace(fact, retry_after_s=wait_s) if isinstance(fact, ReadFailed) else fact for fact in before.facts
            )
            return Outcome(facts)
        advice = MEANINGS[refusal.kind].advice
        return Outcome((ReadFailed(question.path, None, refusal.text, now, refusal.kind, advice, wait_s),))

    async def _asked(self, question: Question, permit: Permit, trial: Trial) -> Outcome:
        """Send the request and judge what comes."""
        asked_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(min(self._limits.try_s, question.deadline - asked_at)):
                async with self._client.stream("GET", question.target) as response:
                    body = await self._body(response)
        except (httpx.HTTPError, TimeoutError) as error:
            return self._failed(question, trial, None, fault_of_transport(error))
        at = self._clock.monotonic()
        status, headers = response.status_code, response.headers
        if status != 429:
            permit.answered(headers)
        if body is None:
            fault = unreadable(f"an answer of more than {self._limits.most_bytes:,} bytes")
            return self._failed(question, trial, status, fault)
        if question.route.rank is not Rank.HISTORY:
            self._tap.exchanged(question.target, status, body.decode("utf-8", "replace"), at, (at - asked_at) * 1000)
        answer = Answer(question.target, status, body, asked_at, at, question.connection)
        said = None if status == 200 else _said(body)
        if said is None or (status == 404 and said.errors):
            facts = facts_of_answer(answer)
            if not any(isinstance(fact, ReadFailed) for fact in facts):
                return self._read(question, trial, facts)
        fault = self._fault(question, status, headers, said or wire.ErrorBody(), permit)
        return self._failed(question, trial, status, fault)

    async def _body(self, response: httpx.Response) -> bytes | None:
        """Return the whole body, None where it is longer than what is read."""
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self._limits.most_bytes:
                return None
        return bytes(body)

    def _read(self, question: Question, trial: Trial, facts: tuple[Fact, ...]) -> Outcome:
        """Return an answer's facts. Rows that could not be read are counted; only a whole answer of them is a fault."""
        bad = [fact for fact in facts if isinstance(fact, MessageRejected)]
        for fact in bad:
            self._count(question, FaultKind.BAD_ANSWER, fact.reason)
        if bad and len(bad) == len(facts):
            trial.failed(FaultKind.BAD_ANSWER, bad[0].reason)
        else:
            trial.succeeded()
        return Outcome(facts)

    def _fault(
        self, question: Question, status: int, headers: httpx.Headers, said: wire.ErrorBody, permit: Permit
    ) -> VenueFault:
        """Judge an answer that is a refusal or a failure, and enter it in the books where it is one of too many."""
        words = clean("; ".join(entry.msg for entry in said.errors if entry.msg) or said.error or "", WORDS_LENGTH)
        code = next((entry.code for entry in said.errors if entry.code), None)
        wait_s: float | None = None
        if status == 429:
            wait_s = permit.refused(headers, by_venue=bool(said.errors))
        elif status == 503:
            wait_s = retry_after_s(headers.get("Retry-After"), self._clock.utc(), in_milliseconds=False)
        return fault_of_status(status, words, code, absent=question.route.absent, retry_after_s=wait_s)

    def _failed(self, question: Question, trial: Trial, status: int | None, fault: VenueFault) -> Outcome:
        self._count(question, fault.kind, fault.text)
        if status is None or fault.kind in (FaultKind.SERVER, FaultKind.BAD_ANSWER):
            trial.failed(fault.kind, fault.text)
        else:
            trial.succeeded()
        now = self._clock.monotonic()
        failed = ReadFailed(question.path, status, fault.text, now, fault.kind, fault.advice, fault.retry_after_s)
        return Outcome((failed,), fault)

    def _count(self, question: Question, kind: FaultKind, text: str) -> None:
        self.counters.count(kind, FaultSource.REST, f"{self._host}/v4{question.route.name}", text)


def _said(body: bytes) -> wire.ErrorBody:
    """Return what the venue says of a refusal; empty where the body is not the venue's."""
    try:
        return _refusal.decode(body)
    except wire.UNREADABLE:
        return wire.ErrorBody()


def _nobody(_fact: Fact) -> None:
    return

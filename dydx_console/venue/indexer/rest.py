"""The Indexer's REST side: one shared client, read-only, and the reads that complete an account's stream."""

import asyncio
import random
from collections.abc import Callable
from urllib.parse import urlencode

import httpx

from dydx_console.domain.events import Fact, FillsRead, MessageRejected, ReadFailed, Resynced
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock
from dydx_console.ports.tap import Tap
from dydx_console.venue.indexer.answers import Answer, facts_of_answer

__all__ = ["AccountReader", "IndexerRest"]

TRIES = 3
TIMEOUT_S = 8.0
LONGEST_WAIT_S = 30.0
PAGE = 1000
"""Rows of a page: the most that the Indexer gives (dydxprotocol/v4-chain comlink API_LIMIT_V4)."""
OVERLAP = 100
"""Fills that are read again behind the newest one known."""
MOST_PAGES = 20
WORKING = "OPEN,UNTRIGGERED,BEST_EFFORT_OPENED"
RETRIED = frozenset({429, 500, 502, 503, 504, 520, 521, 522, 523, 524})


class IndexerRest:
    """Reads the Indexer. Every read ends in facts, a failed one in `ReadFailed`; nothing is raised for the network.

    Args:
        base_url: scheme, host and port; the API prefix `/v4` is added.
        clock: stamps requests and answers.
        tap: hears every exchange.
        rng: spreads retries.
        user_agent: what we call ourselves.
        allow_proxy: honour the proxy variables of the environment.
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
    ) -> None:
        self._clock = clock
        self._tap = tap
        self._rng = rng
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            timeout=httpx.Timeout(TIMEOUT_S, connect=5.0),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4),
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            follow_redirects=False,
            trust_env=allow_proxy,
        )

    async def close(self) -> None:
        """Close the client's sockets."""
        await self._client.aclose()

    async def read(self, path: str, connection: int, **query: str | int) -> tuple[Fact, ...]:
        """Return what a GET of `/v4` + `path` tells, after at most three tries."""
        target = f"/v4{path}" + (f"?{urlencode(query)}" if query else "")
        failure: ReadFailed | None = None
        for attempt in range(TRIES):
            if failure is not None:
                await asyncio.sleep(self._rng.uniform(0.1, 0.4) * 2**attempt)
            answer = await self._get(target, connection)
            if isinstance(answer, ReadFailed):
                failure = answer
            elif answer.status in RETRIED:
                failure = ReadFailed(path, answer.status, f"HTTP {answer.status}", answer.at)
            else:
                return facts_of_answer(answer)
        return () if failure is None else (failure,)

    async def _get(self, target: str, connection: int) -> Answer | ReadFailed:
        asked_at = self._clock.monotonic()
        try:
            response = await self._client.get(target)
        except httpx.HTTPError as error:
            text = clean(f"{type(error).__name__}: {error}", 200)
            return ReadFailed(target.partition("?")[0], None, text, self._clock.monotonic())
        at = self._clock.monotonic()
        self._tap.exchanged(target, response.status_code, response.text, at, (at - asked_at) * 1000)
        if response.status_code == 429:
            await asyncio.sleep(_retry_after_s(response.headers.get("Retry-After")))
        return Answer(target, response.status_code, response.content, asked_at, at, connection)


def _retry_after_s(header: str | None) -> float:
    """Return the wait of a 429. The Indexer says milliseconds, against the standard (comlink rate-limit.ts)."""
    if header is None or not header.strip().isdecimal():
        return 1.0
    return min(max(int(header) / 1000, 0.25), LONGEST_WAIT_S)


class AccountReader:
    """Reads an account whole after its subscription, because updates between snapshot and registration are lost.

    Args:
        rest: the client.
        address: the account.
        parent: its parent subaccount.
        sink: takes every fact as it is read.
    """

    def __init__(self, rest: IndexerRest, address: str, parent: int, sink: Callable[[Fact], None]) -> None:
        self._rest = rest
        self._address = address
        self._parent = parent
        self._sink = sink
        self._fills_read = 0

    async def resync(self, connection: int, clock: Clock) -> bool:
        """Read everything again. Returns whether all of it came, and only then says `Resynced`."""
        whole = await self._account(connection)
        whole &= await self._orders(connection)
        whole &= await self._fills(connection)
        whole &= await self.flows(connection)
        if whole:
            self._sink(Resynced(connection, clock.monotonic()))
        return whole

    async def flows(self, connection: int) -> bool:
        """Read funding payments and transfers."""
        funding = await self._take("/fundingPayments/parentSubaccount", connection, limit=PAGE)
        transfers = await self._take("/transfers/parentSubaccountNumber", connection, limit=PAGE)
        return funding and transfers

    async def settled(self, connection: int) -> bool:
        """Read subaccounts and funding again, as after a full hour."""
        return await self._account(connection) and await self.flows(connection)

    async def _account(self, connection: int) -> bool:
        path = f"/addresses/{self._address}"
        # how many parents there are is told where it can be, and holds nothing up
        self._pass_on(await self._rest.read(path, connection))
        return self._pass_on(await self._rest.read(f"{path}/parentSubaccountNumber/{self._parent}", connection))

    async def _orders(self, connection: int) -> bool:
        path = "/orders/parentSubaccountNumber"
        working = await self._take(path, connection, status=WORKING, limit=PAGE)
        return working and await self._take(path, connection, limit=200)

    async def _fills(self, connection: int) -> bool:
        """Read the fills that may be missing, by pages: these are sorted by event, oldest first."""
        path = "/fills/parentSubaccountNumber"
        page = max(self._fills_read - OVERLAP, 0) // PAGE + 1
        facts = await self._rest.read(path, connection, **self._of_account(), limit=PAGE, page=page)
        total = _total_of(facts)
        if total is None:
            return self._pass_on(facts)
        last = -(-total // PAGE)
        if self._fills_read == 0 and last > MOST_PAGES:
            page = last - MOST_PAGES
        else:
            self._pass_on(facts)
        whole = True
        for number in range(page + 1, last + 1):
            whole &= await self._take(path, connection, limit=PAGE, page=number)
        if whole:
            self._fills_read = total
        return whole

    async def _take(self, path: str, connection: int, **query: str | int) -> bool:
        return self._pass_on(await self._rest.read(path, connection, **self._of_account(), **query))

    def _of_account(self) -> dict[str, str | int]:
        return {"address": self._address, "parentSubaccountNumber": self._parent}

    def _pass_on(self, facts: tuple[Fact, ...]) -> bool:
        """Pass facts on; returns whether an answer came that could be read, if perhaps not every row of it."""
        for fact in facts:
            self._sink(fact)
        return any(not isinstance(fact, ReadFailed | MessageRejected) for fact in facts)


def _total_of(facts: tuple[Fact, ...]) -> int | None:
    return next((fact.total for fact in facts if isinstance(fact, FillsRead)), None)

"""The REST side of a connection: account and books are read after every answer, and the account is compared anew."""

import asyncio
import contextlib
from collections.abc import Callable
from math import ceil, inf

from dydx_console.domain.events import AccountRead, BookRead, ChannelKey, Fact, OrdersRead, ReadFailed
from dydx_console.domain.stream import StreamCondition
from dydx_console.ports.faults import FaultKind
from dydx_console.venue.indexer import channels
from dydx_console.venue.indexer.account_reader import PAGE, AccountReader
from dydx_console.venue.indexer.session import BLOCKS_APART, Session
from dydx_console.venue.indexer.telling import StreamTeller
from dydx_console.venue.indexer.told import ToldOrders
from dydx_console.venue.indexer.wiring import FeedWiring
from dydx_console.venue.resilience.delays import Delays

__all__ = ["AccountKeeper", "BookKeeper"]

SETTLED_DELAY_S = 20.0
HOUR_S = 3600.0


class AccountKeeper:
    """Keeps an account in step with REST while a connection lasts, and reads it in place of the stream.

    Args:
        wiring: what the feed's parts share.
        address: the account.
        parent: its parent subaccount.
        teller: tells what befalls the account's lane.
        known_fills: tells how many fills are known from an earlier run.
    """

    def __init__(
        self,
        wiring: FeedWiring,
        address: str,
        parent: int,
        teller: StreamTeller,
        known_fills: Callable[[], int] = int,
    ) -> None:
        self.key = channels.parent_key(address, parent)
        """The account's channel."""
        self.answered_on = 0
        """The newest connection that has answered for the account, 0 before the first."""
        self._wiring = wiring
        self._limits = wiring.limits
        self._path = f"/addresses/{address}/parentSubaccountNumber/{parent}"
        self._teller = teller
        self._reader = AccountReader(wiring.rest, address, parent, self._take, known_fills)
        self._told: ToldOrders | None = None
        self._refusal: str | None = None
        self._newest = 0

    async def read(self) -> bool:
        """Read the account whole, as it is by REST; returns whether all of it came."""
        self._refusal = None
        return await self._reader.resync(self.answered_on, self._wiring.clock)

    @property
    def refusal(self) -> str | None:
        """Why the venue refused the account at the last reading, None where it did not."""
        return self._refusal

    def tell_refusal(self, why: str) -> None:
        """Tell that the venue refuses the account."""
        self._teller.denied(channels.named(self.key), f"The Indexer refuses to tell of this account: {why}")

    async def keep(self, session: Session) -> None:
        """Read the account whenever it is time, until cancelled."""
        reread_at = audit_at = inf
        hour_at = self._next_hour()
        self._told = session.orders
        while True:
            if session.account_answered.is_set():
                session.account_answered.clear()
                self.answered_on = session.number
                await self._until_read()
                # what a later reading brings has to have come by the stream too, or the stream is deaf
                session.account_height = max(session.account_height, self._newest)
                session.is_account_read = not session.account_answered.is_set()
                reread_at, audit_at = self._in(self._limits.second_reread_s), self._in(self._limits.audit_s)
            elif self._now() >= reread_at:
                await self._until_read()
                reread_at = self._in(self._limits.reread_s)
            elif self._now() >= hour_at:
                hour_at = self._next_hour()
                await self._reader.settled(session.number)
            elif self._now() >= audit_at:
                await self._audit(session)
                audit_at = self._in(self._limits.audit_s)
            await self._until(min(reread_at, audit_at, hour_at), session.account_answered)

    async def _until_read(self) -> None:
        delays = Delays(self._wiring.rng, self._limits.retry_s, self._limits.longest_delay_s)
        self._newest = 0
        while not await self.read():
            wait_s = delays.next_s()
            if self._refusal is not None:
                self.tell_refusal(self._refusal)
                wait_s = self._limits.longest_retry_s
            await asyncio.sleep(wait_s)
        self._teller.granted(channels.named(self.key))

    async def _audit(self, session: Session) -> None:
        """End a connection that has kept silent about what became of the account by now."""
        await self._audit_height(session)
        doubted = await self._unlike_orders(session)
        # an order can have come or gone while it was read, and its message be on its way: not once all is here
        if not doubted or not await self._has_caught_up(session):
            return
        if doubted & await self._unlike_orders(session) and not session.account_answered.is_set():
            await session.give_up_for_loss("Messages of the Indexer about orders were lost")

    async def _has_caught_up(self, session: Session) -> bool:
        """Wait until the connection must have told what REST knows; returns whether it got so far in time."""
        told = await self._wiring.read_height(session.number)
        await asyncio.sleep(self._limits.recheck_s)
        if told is None:
            return False
        for _ in range(ceil(self._limits.silence_s / self._limits.tick_s)):
            if session.height >= told.height + BLOCKS_APART:
                return True
            await asyncio.sleep(self._limits.tick_s)
        return False

    async def _unlike_orders(self, session: Session) -> frozenset[str]:
        """Return the orders of which REST knows something else than the connection has told."""
        working = session.orders.working(session.height)
        facts = await self._reader.working(session.number)
        for fact in facts:
            self._take(fact)
        listed = [patch for fact in facts if isinstance(fact, OrdersRead) for patch in fact.orders]
        if len(listed) >= PAGE or not any(isinstance(fact, OrdersRead) for fact in facts):
            return frozenset()
        return session.orders.unlike(listed, working, session.height)

    async def _audit_height(self, session: Session) -> None:
        """End a connection that has not told of the account's newest block, and must have by now."""
        self._newest = 0
        facts = await self._wiring.rest.read(self._path, session.number)
        for fact in facts:
            self._take(fact)
        if session.account_height >= self._newest or session.height < self._newest + BLOCKS_APART:
            return
        await asyncio.sleep(self._limits.recheck_s)
        if session.account_height < self._newest and not session.account_answered.is_set():
            session.end(StreamCondition.DEAF, "The Indexer's stream keeps silent about the account while it changes")

    def _take(self, fact: Fact) -> None:
        if isinstance(fact, AccountRead):
            self._newest = max([self._newest, *(child.height or 0 for child in fact.children)])
        elif isinstance(fact, OrdersRead) and self._told is not None:
            self._told.end(fact.orders)
        elif isinstance(fact, ReadFailed) and fact.kind is FaultKind.GEO_BLOCKED:
            self._refusal = fact.text
        self._wiring.sink(fact)

    def _now(self) -> float:
        return self._wiring.clock.monotonic()

    def _in(self, wait_s: float) -> float:
        return self._now() + wait_s

    def _next_hour(self) -> float:
        """Return when the next full hour's funding has settled."""
        return self._in(HOUR_S - self._wiring.clock.utc().timestamp() % HOUR_S + SETTLED_DELAY_S)

    async def _until(self, at: float, woken: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(at - self._now(), 0.0)):
                await woken.wait()


class BookKeeper:
    """Completes the order books of a connection by REST, each once for every first contents that it gets.

    Args:
        wiring: what the feed's parts share.
    """

    def __init__(self, wiring: FeedWiring) -> None:
        self._wiring = wiring

    async def keep(self, session: Session) -> None:
        """Read every book that is answered, until cancelled; one that fails holds up no other."""
        reading: dict[ChannelKey, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                await session.book_answered.wait()
                session.book_answered.clear()
                reading = {key: task for key, task in reading.items() if not task.done()}
                for key in [key for key in session.unread_books if key not in reading]:
                    reading[key] = tasks.create_task(self._until_read(session, key), name=f"read {channels.named(key)}")

    async def _until_read(self, session: Session, key: ChannelKey) -> None:
        limits = self._wiring.limits
        delays = Delays(self._wiring.rng, limits.retry_s, limits.answer_s)
        while True:
            for fact in await self._wiring.rest.read(f"/orderbooks/perpetualMarket/{key.id}", session.number):
                if isinstance(fact, BookRead):
                    session.take_book_read(fact)
                self._wiring.sink(fact)
            if key not in session.unread_books:
                return
            await asyncio.sleep(delays.next_s())

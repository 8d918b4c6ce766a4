"""One connection while it lasts: read, subscribed, watched, healed, and given up when it is of no use any more."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from math import inf
from typing import NoReturn

from websockets.exceptions import ConnectionClosed

from dydx_console.domain.events import (
    AccountSnapshot,
    AccountUpdate,
    BlockHeight,
    BookRead,
    ChannelDropped,
    ChannelKey,
    ConnectionReady,
    Fact,
    Frame,
    MessageRejected,
    Subscribed,
    SubscriptionDenied,
    Unsubscribed,
    VenueRefusal,
)
from dydx_console.domain.stream import StreamCondition
from dydx_console.ports.faults import FaultKind, FaultSource
from dydx_console.venue.indexer.channels import MOST_ON_CONNECTION, ORDERBOOK, named
from dydx_console.venue.indexer.endings import Ending, ending_of_close
from dydx_console.venue.indexer.protocol import IndexerProtocol
from dydx_console.venue.indexer.quiet import Quietness
from dydx_console.venue.indexer.sockets import Socket
from dydx_console.venue.indexer.subscriptions import Subscriptions, Verdict, key_named_in
from dydx_console.venue.indexer.telling import StreamTeller
from dydx_console.venue.indexer.told import ToldOrders
from dydx_console.venue.indexer.wiring import FeedWiring
from dydx_console.venue.resilience.delays import Delays

__all__ = ["Session", "SessionEndedError"]

BLOCKS_APART = 2
"""A block so far above another on the same connection proves that what came with the other has been sent."""
QUIET_BLOCKS = 4
"""Without a block for so many times the usual interval, a connection is doubted."""
WEIGHT = 0.125
LONGEST_CALM_S = 30.0

Work = Callable[["Session"], Coroutine[None, None, None]]


class SessionEndedError(Exception):
    """Why a connection is given up."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.text)
        self.ending = ending


class Session:
    """One connection. What comes is handed on at once: the reader waits for the next message and for nothing else.

    Args:
        socket: the connection, just opened.
        number: which of the run it is.
        wiring: what the feed's parts share.
        teller: tells what befalls it.
        healing: the delays before lost messages are made good, which outlast the connection.
    """

    def __init__(self, socket: Socket, number: int, wiring: FeedWiring, teller: StreamTeller, healing: Delays) -> None:
        now = wiring.clock.monotonic()
        self.number = number
        self.opened_at = now
        self.blocks = 0
        """How many blocks have come."""
        self.account_answered = asyncio.Event()
        """Set by every first contents of an account; whoever reads the account again clears it."""
        self.is_account_read = True
        """Whether the account was read again since its newest first contents."""
        self.unread_books: dict[ChannelKey, float] = {}
        """The books that have yet to be read by REST since their newest first contents, and when those came."""
        self.book_answered = asyncio.Event()
        """Set by every first contents of a book; whoever reads the books clears it."""
        self.account_height = 0
        """The newest block of which the account's stream has told."""
        self.height = 0
        """The newest block."""
        self.orders = ToldOrders()
        """What has come of the account's orders."""
        self._socket = socket
        self._wiring = wiring
        self._limits = wiring.limits
        self._teller = teller
        self._healing = healing
        self._protocol = IndexerProtocol(number)
        self._subscriptions = Subscriptions(wiring.limits, wiring.rng)
        self._greeted = asyncio.Event()
        self._news = asyncio.Event()
        self._doubted = asyncio.Event()
        self._block_at = now
        self._block_s = 0.0
        self._interval_s = 0.0
        self._late_s = 0.0
        self._calm_until = 0.0
        self._doubts = 0
        self._has_account_spoken = False
        self._quiet = Quietness(wiring.limits.quiet_s)
        self._notes: dict[type[Fact], Callable[..., None]] = {
            ConnectionReady: self._note_ready,
            BlockHeight: self._note_block,
            Subscribed: self._note_subscribed,
            Unsubscribed: self._note_unsubscribed,
            VenueRefusal: self._note_refusal,
            AccountUpdate: self._note_update,
            AccountSnapshot: self._note_snapshot,
            MessageRejected: self._note_rejected,
        }

    @property
    def is_whole(self) -> bool:
        """Whether everything wanted is there, read again where it must be, and misses nothing."""
        return self._subscriptions.is_whole and self._misses_nothing and not self.unread_books

    @property
    def unwanted(self) -> tuple[ChannelKey, ...]:
        """The channels that it still has although nobody wants them any more, or had until this moment."""
        return (*self._subscriptions.take_dropped(), *self._subscriptions.unwanted)

    def serves(self, keys: Iterable[ChannelKey]) -> bool:
        """Return whether these channels are there, read again where they must be, and nothing is missed."""
        wanted = tuple(keys)
        return (
            self._subscriptions.serves(wanted) and self._misses_nothing and self.unread_books.keys().isdisjoint(wanted)
        )

    @property
    def _misses_nothing(self) -> bool:
        return self.blocks > 0 and self.is_account_read and not self._wiring.losses.suspects(self.number)

    @property
    def has_lived(self) -> bool:
        """Whether it lasted long enough, with data beyond the first contents, to trust the host."""
        return self.blocks > 1 and self._now() - self.opened_at >= self._limits.lived_s

    def want(self, keys: Iterable[ChannelKey]) -> None:
        """Take what is wanted from now on."""
        wanted = tuple(keys)
        self._subscriptions.want(wanted)
        self._quiet.forget(wanted)
        self._news.set()

    def take_book_read(self, read: BookRead) -> None:
        """Note that a book was read by REST, which counts if it was asked for after its first contents."""
        key = ChannelKey(ORDERBOOK, read.market)
        if read.asked_at is not None and read.asked_at >= self.unread_books.get(key, inf):
            del self.unread_books[key]

    def renew(self, keys: Iterable[ChannelKey]) -> None:
        """Have channels joined anew."""
        self._subscriptions.renew(keys)
        self._news.set()

    async def follow(self, *others: Work) -> Ending:
        """Do all that a connection needs, and the work of others on it, until any of it ends it; returns why."""
        endings: list[Ending] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                for work in (self._read, self._ask, self._ping, self._watch, self._settle_doubts, self._heal):
                    tasks.create_task(work())
                for other in others:
                    tasks.create_task(other(self))
        except* SessionEndedError as ended:
            endings += [error.ending for error in ended.exceptions if isinstance(error, SessionEndedError)]
        return endings[0]

    def end(self, what: StreamCondition, text: str, kind: FaultKind | None = FaultKind.TIMEOUT) -> NoReturn:
        """Give the connection up."""
        raise SessionEndedError(Ending(what, text, kind))

    async def give_up_for_loss(self, text: str) -> NoReturn:
        """Give the connection up, neither at once nor often: it has lost what the first contents of another tell."""
        self._teller.trouble(StreamCondition.GAP, f"{text}: reading everything again")
        await asyncio.sleep(self._healing.next_s())
        self.end(StreamCondition.GAP, text, None)

    def end_on_request(self) -> NoReturn:
        """Give the connection up because a person wants a fresh one."""
        raise SessionEndedError(
            Ending(StreamCondition.CLOSED, "a fresh connection was asked for", None, was_asked_for=True)
        )

    def _now(self) -> float:
        return self._wiring.clock.monotonic()

    async def _read(self) -> None:
        error: ConnectionClosed | None = None
        tap, sink, clock, receive = self._wiring.tap, self._wiring.sink, self._wiring.clock, self._protocol.receive
        try:
            async for text in self._socket:
                at = clock.monotonic()
                tap.received(self.number, text if isinstance(text, str) else text.decode("utf-8", "replace"), at)
                frame = receive(text, at)
                self._note(frame)
                sink(frame)
        except ConnectionClosed as closed:
            error = closed
        raise SessionEndedError(ending_of_close(self._socket.close_code, self._socket.close_reason or "", error))

    def _note(self, frame: Frame) -> None:
        if frame.key is not None:
            self._quiet.heard_at[frame.key] = frame.at
        for fact in frame.facts:
            note = self._notes.get(type(fact))
            if note is not None:
                note(fact)

    def _note_ready(self, _fact: ConnectionReady) -> None:
        self._greeted.set()

    def _note_block(self, fact: BlockHeight) -> None:
        block_s = fact.time.timestamp()
        if self.height and fact.height > self.height:
            step_s = (block_s - self._block_s) / (fact.height - self.height)
            self._interval_s += (step_s - self._interval_s) * (WEIGHT if self._interval_s else 1.0)
        if fact.height > self.height:
            self.blocks += 1
            self.height, self._block_s, self._block_at = fact.height, block_s, fact.at
            self._late_s = self._wiring.punctuality.late_s(block_s, fact.at)

    def _note_subscribed(self, fact: Subscribed) -> None:
        self._subscriptions.answered(fact.key)
        if not fact.key.is_account:
            self._teller.granted(named(fact.key))
        self._news.set()
        if fact.key.is_account:
            self.is_account_read = False
            self.account_answered.set()
        elif fact.key.is_book:
            self.unread_books[fact.key] = fact.at
            self.book_answered.set()

    def _note_unsubscribed(self, fact: Unsubscribed) -> None:
        self._subscriptions.left(fact.key, self._now())
        self.unread_books.pop(fact.key, None)
        self._news.set()

    def _note_refusal(self, fact: VenueRefusal) -> None:
        self._wiring.log(f"the Indexer refused: {fact.text}")
        key = fact.key or key_named_in(fact.text, self._subscriptions.keys)
        verdict = None if key is None else self._subscriptions.refused(key, fact.text, fact.at)
        self._news.set()
        if key is not None and verdict in (Verdict.NEVER, Verdict.LATER):
            self._teller.denied(named(key), f"The Indexer refuses {named(key)}: {fact.text}")
            self._wiring.sink(SubscriptionDenied(self.number, key, fact.text, fact.at))

    def _note_update(self, fact: AccountUpdate) -> None:
        self._has_account_spoken = True
        self.orders.take(fact.orders)
        if fact.block_height is not None and (fact.positions or fact.balances):
            self.account_height = max(self.account_height, fact.block_height)

    def _note_snapshot(self, fact: AccountSnapshot) -> None:
        self._has_account_spoken = True
        self.orders.begin(fact.orders)
        self.account_height = max([self.account_height, *(child.height or 0 for child in fact.children)])

    def _note_rejected(self, fact: MessageRejected) -> None:
        # only names of ours are counted under: a peer may send any
        channel = "" if fact.key is None else fact.key.channel
        where = f"{self._wiring.host}/{channel}" if channel in MOST_ON_CONNECTION else self._wiring.host
        self._wiring.rest.counters.count(FaultKind.BAD_ANSWER, FaultSource.WEBSOCKET, where, fact.reason)

    async def _ask(self) -> None:
        """Wait for the greeting, which a real server can owe for ever, then ask for what is due, in order."""
        try:
            async with asyncio.timeout(self._limits.greeting_s):
                await self._greeted.wait()
        except TimeoutError:
            self.end(
                StreamCondition.SILENT, f"The Indexer did not greet the connection in {self._limits.greeting_s:g} s"
            )
        while True:
            self._news.clear()
            requests = self._subscriptions.due(self._now())
            for key in self._subscriptions.take_dropped():
                self._wiring.sink(ChannelDropped(self.number, key, self._now()))
            for request in requests:
                self._end_where_account_spoke(request.key)
                await self._send(request.kind, request.key)
            wait_s = self._subscriptions.next_at() - self._now()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wait_s, 0.0)):
                    await self._news.wait()

    def _end_where_account_spoke(self, key: ChannelKey) -> None:
        """End a connection on which an account is to be joined again that has spoken on it.

        That an order is over can be proven by its absence from first contents only if nothing of the same connection
        speaks of it.
        """
        if key.is_account and self._has_account_spoken:
            self.end(StreamCondition.DEAF, "The Indexer's stream tells of the account and does not confirm it")

    async def _send(self, kind: str, key: ChannelKey) -> None:
        at = self._now()
        if kind == "subscribe":
            text, sent = self._protocol.subscribe(key, batched=False, at=at)
            self._wiring.sink(sent)
        else:
            text = self._protocol.unsubscribe(key)
        self._wiring.tap.sent(self.number, text, at)
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            await asyncio.Event().wait()  # the reader knows more of the end

    async def _ping(self) -> None:
        """End the connection when its other end answers no ping.

        Where contents are on their way, which may be long, the pong behind them may take as long as they may.
        """
        while True:
            patience_s = self._limits.answer_s if self._subscriptions.is_waiting else self._limits.pong_s
            try:
                async with asyncio.timeout(patience_s):
                    await (await self._socket.ping())
            except TimeoutError:
                text = f"The connection to the Indexer is dead: no answer for {patience_s:g} s"
                self.end(StreamCondition.HALF_OPEN, text)
            except ConnectionClosed:
                return
            await asyncio.sleep(self._limits.ping_s)

    async def _watch(self) -> None:
        """Look at the connection now and again: doubt it, tell what is not served, tell when all is well."""
        while True:
            now = self._now()
            if now >= self._calm_until and (self._silent_s(now) > 0 or self._late_s > self._limits.late_s):
                self._doubted.set()
            if self._silent_s(now) < 0:
                self._join_quiet_ones(now)
            for key, why, was_refused in self._subscriptions.unserved:
                what = StreamCondition.UNAVAILABLE if was_refused else StreamCondition.DEAF
                self._teller.trouble(what, f"The Indexer does not serve {named(key)}: {why}")
            if self.is_whole and not self._doubted.is_set():
                self._teller.restored()
            await asyncio.sleep(self._limits.tick_s)

    def _join_quiet_ones(self, now: float) -> None:
        quiet = self._quiet.due(self._subscriptions.keys, now)
        if quiet:
            self._wiring.log(f"quiet for long, joined anew: {', '.join(named(key) for key in quiet)}")
            self.renew(quiet)

    def _silent_s(self, now: float) -> float:
        """Return for how long a block has been overdue, 0 or less where none is."""
        return now - self._block_at - max(self._limits.silence_s, QUIET_BLOCKS * self._interval_s)

    async def _settle_doubts(self) -> None:
        """Ask REST whether there are blocks that this connection does not bring; where not, it is not to blame."""
        while True:
            await self._doubted.wait()
            told, blocks = await self._height_by_rest(), self.blocks
            await asyncio.sleep(self._limits.recheck_s)
            # one block can have fallen between the first contents and the registration, and be the last for long
            if told is not None and self.height < told - 1:
                self._give_up(told)
            if told is None and self._silent_s(self._now()) > self._limits.silence_s and not self._is_refused:
                text = f"The Indexer has told of no block for {self._now() - self._block_at:.0f} s"
                self.end(StreamCondition.SILENT, text)
            self._doubts = self._doubts + 1 if blocks == self.blocks else 0
            self._calm_until = self._now() + min(2.0**self._doubts, LONGEST_CALM_S)
            self._doubted.clear()

    @property
    def _is_refused(self) -> bool:
        """Whether the Indexer itself says that it cannot serve, which another connection would not change."""
        return any(was_refused for _, _, was_refused in self._subscriptions.unserved)

    def _give_up(self, told: int) -> NoReturn:
        missing = f"{told - self.height} blocks behind the Indexer" if self.height else "without any block"
        if self._silent_s(self._now()) > 0:
            self.end(StreamCondition.DEAF, f"The Indexer's stream has gone deaf: it stands {missing}")
        self.end(StreamCondition.SLOW, f"The Indexer's stream brings old news, {missing}")

    async def _height_by_rest(self) -> int | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.silence_s):
                read = await self._wiring.read_height(self.number)
                return None if read is None else read.height
        return None

    async def _heal(self) -> None:
        """Make good what misses messages.

        Channels are joined anew, for their contents as they are now. Where the account is among them the connection is
        made anew, see `_end_where_account_spoke`.
        """
        whole_since = self._now()
        while True:
            await asyncio.sleep(self._limits.tick_s)
            lost = self._wiring.losses.suspects(self.number)
            if not lost:
                if self._now() - whole_since > self._limits.longest_retry_s:
                    self._healing.reset()
                continue
            text = "Messages of the Indexer were lost"
            if any(key.is_account for key in lost):
                await self.give_up_for_loss(text)
            self._teller.trouble(StreamCondition.GAP, f"{text}: reading everything again")
            await asyncio.sleep(self._healing.next_s())
            self.renew(lost)
            if not await self._is_healed():
                self.end(StreamCondition.GAP, f"{text} and did not come again", FaultKind.BAD_ANSWER)
            whole_since = self._now()

    async def _is_healed(self) -> bool:
        deadline = self._now() + self._limits.heal_s
        while self._now() < deadline:
            await asyncio.sleep(self._limits.tick_s)
            if not self._wiring.losses.suspects(self.number) and self._subscriptions.is_whole:
                return True
        return False

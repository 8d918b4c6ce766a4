"""Much at once and often: 2,000 messages a second that nobody looks at, and one reset after another."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from alive import alive
from faults.rig import QUICK, Rig, exchange, followed
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dydx_console.domain import events as ev
from dydx_console.engine.publish import Publisher
from dydx_console.engine.watching import KnownLosses
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.tap import NoTap
from dydx_console.state.ages import PictureState
from dydx_console.state.console import ConsoleState, Section
from dydx_console.venue.indexer.feed import FeedLimits, FeedPlan, IndexerFeed
from dydx_console.venue.indexer.rest import IndexerRest

BTC = "BTC-USD"
BOOK = ev.ChannelKey(ev.BOOK_CHANNEL, BTC)
RATE = 2_000
STEP_S = 0.01
PONG_S = 10.0
"""A client that answers later is cut off by the Indexer."""
POOLED = 4 * 4
"""HTTP keeps up to four connections, and all four ends of each, those of the proxy too, are in this process."""
STATM = Path("/proc/self/statm")
MOST_GROWTH = 10_000_000
PAGE = 4096
Sides = dict[str, dict[str, str]]


def iso_now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def levels(side: dict[str, str]) -> list[dict[str, str]]:
    return [{"price": price, "size": size} for price, size in side.items()]


@dataclass
class Firehose(httpx.AsyncBaseTransport):
    """An Indexer with one book that changes 2,000 times a second, by WebSocket and by HTTP."""

    book: Sides = field(default_factory=lambda: {"bids": {}, "asks": {}})
    sent: int = 0
    """Messages about the book."""
    height: int = 1_000
    connections: int = 0
    slowest_pong_s: float = 0.0
    _message_id: int = 0
    _socket: ServerConnection | None = None
    _rng: random.Random = field(default_factory=lambda: random.Random(7))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a read."""
        answers = {
            "/v4/time": {"iso": iso_now(), "epoch": 0},
            "/v4/height": {"height": str(self.height), "time": iso_now()},
            f"/v4/orderbooks/perpetualMarket/{BTC}": self._levels(),
        }
        return httpx.Response(200, json=answers[request.url.path])

    async def serve(self, socket: ServerConnection) -> None:
        """Serve a connection."""
        self.connections += 1
        await self._say(socket, "connected", "")
        try:
            async for text in socket:
                await self._answer(socket, json.loads(text))
        except ConnectionClosed:
            pass

    async def run(self, seconds: float) -> None:
        """Send for so long, a ping four times a second among it."""
        loop = asyncio.get_running_loop()
        began, sent, socket = loop.time(), 0, self._socket
        assert socket is not None
        async with asyncio.TaskGroup() as tasks:
            pinging = tasks.create_task(self._ping(socket))
            while (passed := loop.time() - began) < seconds:
                while sent < passed * RATE:
                    sent += 1
                    await self._change(socket)
                    if sent % RATE == 0:
                        await self._block(socket)
                await asyncio.sleep(STEP_S)
            pinging.cancel()
        await self._block(socket)

    async def _ping(self, socket: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            await (await socket.ping())
            self.slowest_pong_s = max(self.slowest_pong_s, loop.time() - asked)
            await asyncio.sleep(0.25)

    async def _answer(self, socket: ServerConnection, asked: dict[str, str]) -> None:
        self._message_id += 1
        contents = {
            "v4_block_height": {"height": str(self.height), "time": iso_now()},
            "v4_markets": {"markets": {}},
            "v4_orderbook": self._levels(),
        }[asked["channel"]]
        await self._say(socket, "subscribed", asked["channel"], contents, self._message_id)
        if asked["channel"] == "v4_orderbook":
            self._socket = socket

    async def _change(self, socket: ServerConnection) -> None:
        side = self._rng.choice(("bids", "asks"))
        price = str(self._rng.randrange(900, 1_000) if side == "bids" else self._rng.randrange(1_000, 1_100))
        size = str(self._rng.randrange(5))
        self.book[side][price] = size
        self.sent += 1
        await self._tell(socket, "v4_orderbook", {side: [[price, size]]})

    async def _block(self, socket: ServerConnection) -> None:
        self.height += 1
        await self._tell(socket, "v4_block_height", {"blockHeight": str(self.height), "time": iso_now()})

    async def _tell(self, socket: ServerConnection, channel: str, contents: object) -> None:
        self._message_id += 1
        await self._say(socket, "channel_data", channel, contents, self._message_id)

    async def _say(
        self, socket: ServerConnection, kind: str, channel: str, contents: object = None, message_id: int = 0
    ) -> None:
        body = {"type": kind, "connection_id": "c", "message_id": message_id}
        if channel:
            body |= {"channel": channel, "version": "1.0.0", "contents": contents}
        if channel == "v4_orderbook":
            body["id"] = BTC
        await socket.send(json.dumps(body))

    def _levels(self) -> dict[str, list[dict[str, str]]]:
        return {
            name: levels({price: size for price, size in side.items() if size != "0"})
            for name, side in self.book.items()
        }

    def known(self) -> tuple[dict[Decimal, Decimal], ...]:
        """Return the book as it is now."""
        return tuple(
            {Decimal(row["price"]): Decimal(row["size"]) for row in self._levels()[side]} for side in ("bids", "asks")
        )


@dataclass
class Unread:
    """A feed into a mailbox that nobody looks into."""

    publisher: Publisher
    mailbox: Mailbox
    clock: SystemClock
    told: list[ev.StreamChanged]

    def picture(self) -> tuple[PictureState, int]:
        """State and messages of the book's channel."""
        view = self.publisher.state.freshness.channel(BOOK, self.clock.monotonic())
        return (PictureState.SYNCING, 0) if view is None else (view.state, view.messages)


@asynccontextmanager
async def unread(source: Firehose) -> AsyncIterator[Unread]:
    """Follow the source's book with all limits as they are."""
    clock, rng, told = SystemClock(), random.Random(1), list[ev.StreamChanged]()
    mailbox = Mailbox()
    publisher = Publisher(ConsoleState(None), mailbox, clock)

    def take(event: ev.Event) -> None:
        if isinstance(event, ev.StreamChanged):
            told.append(event)
        publisher.take(event)

    async with serve(source.serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        rest = IndexerRest("http://venue.test", clock, NoTap(), rng, "test/1", transport=source)
        feed = IndexerFeed(
            FeedPlan(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, 0, (BOOK,), limits=FeedLimits()),
            rest,
            take,
            clock=clock,
            tap=NoTap(),
            rng=rng,
            log=lambda _line: None,
            losses=KnownLosses(publisher.state.freshness, clock),
        )
        tasks = [asyncio.create_task(feed.run()), asyncio.create_task(publisher.run())]
        try:
            yield Unread(publisher, mailbox, clock, told)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await rest.close()


async def until(holds: object, within_s: float = 30.0) -> None:
    """Wait until something holds."""
    assert callable(holds)
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - what is waited for is a plain value
            await asyncio.sleep(0.02)


def resident() -> int:
    """Return the resident bytes of this process, 0 where the system does not say."""
    return int(STATM.read_text().split()[1]) * PAGE if STATM.exists() else 0


@pytest.mark.parametrize("seconds", [3.0, pytest.param(30.0, marks=pytest.mark.nightly)])
async def test_two_thousand_messages_a_second_that_nobody_reads_are_taken_every_one_and_pings_are_answered(
    seconds: float,
) -> None:
    source = Firehose()
    async with unread(source) as made:
        await until(lambda: made.picture()[0] is PictureState.LIVE)
        await source.run(1.0)
        before = resident()
        await source.run(seconds)
        # all that was sent, and the first contents
        await until(lambda: made.picture()[1] == source.sent + 1)
        state = made.publisher.state
        view, mail = state.books.view(BTC), made.mailbox.take()
        assert source.sent >= RATE * seconds
        assert (dict(view.bids), dict(view.asks)) == source.known()
        assert source.slowest_pong_s < PONG_S
        stream = state.freshness.view(made.clock.monotonic())
        assert (source.connections, stream.gaps, stream.rejected, made.told) == (1, 0, 0, [])
        assert mail.snapshot is not None
        assert Section.BOOKS in mail.changed
        assert seconds < 30.0 or resident() - before < MOST_GROWTH


def descriptors() -> int:
    """Return how many descriptors this process has open, 0 where the system does not say."""
    listed = Path("/proc/self/fd")
    return len(list(listed.iterdir())) if listed.exists() else 0


def held_by_feed() -> Counter[str]:
    """Return how many objects of the feed and of what it is watched by are alive, by type."""
    return alive("dydx_console.venue.", "dydx_console.state.connections", "dydx_console.state.sequence", "httpcore.")


def tasks_of_feed() -> int:
    """Return how many tasks the feed has."""
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return sum("dydx_console/venue" in coroutine.cr_code.co_filename for coroutine in coroutines)  # type: ignore[union-attr]


def connections(made: Rig) -> int:
    return made.count(ev.ConnectionOpened)


@pytest.mark.parametrize("resets", [25, pytest.param(500, marks=pytest.mark.nightly)])
async def test_resets_in_a_row_leave_no_task_no_descriptor_and_no_object_behind(resets: int) -> None:
    eager = replace(QUICK, first_delay_s=0.01, longest_delay_s=0.02, attempts_before_polling=10_000)
    rng = random.Random(17)
    async with exchange(rate_limits=False) as served, followed(served, eager) as made:
        made.feed.want([BOOK])
        await made.until(lambda: made.is_live)
        # what a first reconnect makes for good is no leak
        made.tcp.reset_all()
        await made.until(lambda: connections(made) >= 2 and made.is_live)
        tasks, open_, held = tasks_of_feed(), descriptors(), held_by_feed()
        for _ in range(resets):
            before = connections(made)
            made.tcp.reset_all()
            await made.until(lambda before=before: connections(made) > before)
            await asyncio.sleep(rng.uniform(0.0, 0.05))
        await made.until_true(30.0)
        await made.until(lambda: tasks_of_feed() <= tasks and descriptors() <= open_ + POOLED)
        assert made.view.reconnects >= 1
        grown = held_by_feed() - held
        assert {name: more for name, more in grown.items() if more > 20} == {}

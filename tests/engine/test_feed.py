"""The live feed over real loopback sockets: greeting, order of subscriptions, silence, delays, re-read."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dydx_console.domain import events as ev
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.tap import NoTap
from dydx_console.venue.indexer.feed import FeedLimits, FeedPlan, IndexerFeed
from dydx_console.venue.indexer.rest import IndexerRest

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
QUICK = FeedLimits(
    open_s=2.0,
    greeting_s=0.3,
    silence_s=0.4,
    recheck_s=0.1,
    lived_s=0.2,
    first_delay_s=0.05,
    longest_delay_s=0.2,
    second_reread_s=0.1,
    tick_s=0.05,
)
GREETING = json.dumps({"type": "connected", "connection_id": "5b1c", "message_id": 0})

Handler = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class Feed:
    """A feed with everything that it delivered and logged."""

    feed: IndexerFeed
    events: list[ev.Event]
    lines: list[str]

    def opened(self) -> int:
        return sum(isinstance(event, ev.ConnectionOpened) for event in self.events)


@asynccontextmanager
async def feeding(handler: Handler, limits: FeedLimits = QUICK) -> AsyncIterator[Feed]:
    """Run a feed against a WebSocket server whose connections `handler` serves, and a REST side that is not there."""
    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        clock = SystemClock()
        rest = IndexerRest("http://127.0.0.1:9", clock, NoTap(), random.Random(1), "test")
        events: list[ev.Event] = []
        lines: list[str] = []
        plan = FeedPlan(f"ws://127.0.0.1:{port}", ADDRESS, 0, limits=limits)
        feed = IndexerFeed(
            plan,
            rest,
            events.append,
            clock=clock,
            tap=NoTap(),
            rng=random.Random(1),
            log=lines.append,
        )
        task = asyncio.ensure_future(feed.run())
        try:
            yield Feed(feed, events, lines)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await rest.close()


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)


async def test_it_subscribes_after_the_greeting_block_height_first_then_the_account() -> None:
    asked: list[dict[str, object]] = []

    async def serve_one(socket: ServerConnection) -> None:
        await asyncio.sleep(0.05)
        assert asked == []
        await socket.send(GREETING)
        async for text in socket:
            asked.append(json.loads(text))

    async with feeding(serve_one):
        await until(lambda: len(asked) == 3)
    assert asked == [
        {"type": "subscribe", "channel": "v4_block_height"},
        {"type": "subscribe", "channel": "v4_parent_subaccounts", "id": f"{ADDRESS}/0"},
        {"type": "subscribe", "channel": "v4_markets"},
    ]


async def test_a_server_that_accepts_and_never_speaks_is_given_up() -> None:
    async def silent(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with feeding(silent) as feed:
        await until(lambda: feed.opened() >= 2)
    assert any("SILENT: The Indexer did not greet the connection in 0.3 s" in line for line in feed.lines)


async def test_a_socket_without_blocks_is_given_up() -> None:
    async def no_blocks(socket: ServerConnection) -> None:
        await socket.send(GREETING)
        await socket.wait_closed()

    async with feeding(no_blocks) as feed:
        await until(lambda: feed.opened() >= 2)
    assert any("SILENT: The Indexer has told of no block" in line for line in feed.lines)
    closed = [event for event in feed.events if isinstance(event, ev.ConnectionClosed)]
    assert closed


async def test_a_server_that_closes_at_once_is_not_stormed() -> None:
    async def closing(socket: ServerConnection) -> None:
        await socket.close(1012, '{"message":"Service restarting"}')

    calm = FeedLimits(first_delay_s=1.0, longest_delay_s=30.0)
    async with feeding(closing, calm) as feed:
        await asyncio.sleep(1.5)
    assert 1 <= feed.opened() <= 8
    assert any("RESTARTED" in line for line in feed.lines)


async def test_a_server_that_delivers_and_closes_at_once_is_not_stormed_either() -> None:
    height = {"type": "subscribed", "connection_id": "5b1c", "channel": "v4_block_height", "id": "v4_block_height"}

    async def brief(socket: ServerConnection) -> None:
        await socket.send(GREETING)
        for number in (1, 2):
            contents = {"height": str(number), "time": "2026-01-01T00:00:00.000Z"}
            await socket.send(json.dumps({**height, "message_id": number, "contents": contents}))
        await socket.close(1000)

    calm = FeedLimits(first_delay_s=1.0, longest_delay_s=30.0)
    async with feeding(brief, calm) as feed:
        await asyncio.sleep(1.5)
    assert 1 <= feed.opened() <= 8


async def test_a_refused_connection_is_told_and_tried_again() -> None:
    clock = SystemClock()
    rest = IndexerRest("http://127.0.0.1:9", clock, NoTap(), random.Random(1), "test")
    events: list[ev.Event] = []
    lines: list[str] = []
    plan = FeedPlan("ws://127.0.0.1:9", ADDRESS, 0, limits=QUICK)
    feed = IndexerFeed(plan, rest, events.append, clock=clock, tap=NoTap(), rng=random.Random(1), log=lines.append)
    task = asyncio.ensure_future(feed.run())
    await until(lambda: sum(isinstance(event, ev.ConnectionClosed) for event in events) >= 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rest.close()
    assert any("UNREACHABLE: The Indexer's stream cannot be reached" in line for line in lines)
    numbers = [event.connection for event in events if isinstance(event, ev.ConnectionOpened)]
    assert numbers == sorted(set(numbers))


async def test_reconnect_ends_the_connection_in_use() -> None:
    async def greeting(socket: ServerConnection) -> None:
        await socket.send(GREETING)
        await socket.wait_closed()

    patient = FeedLimits(first_delay_s=0.01, longest_delay_s=0.02)
    async with feeding(greeting, patient) as feed:
        await until(lambda: any("connected" in repr(event) or feed.opened() for event in feed.events))
        feed.feed.reconnect()
        await until(lambda: feed.opened() >= 2)
    assert any("a fresh connection was asked for" in line for line in feed.lines)


@pytest.mark.parametrize("text", ["not json", "[]", '{"type":"channel_data","message_id":1}', "<html>", '{"type":3}'])
async def test_a_message_that_cannot_be_read_does_not_end_the_feed(text: str) -> None:
    block = {
        "type": "subscribed",
        "connection_id": "5b1c",
        "message_id": 1,
        "channel": "v4_block_height",
        "id": "v4_block_height",
        "contents": {"height": "5", "time": "2026-01-01T00:00:00.000Z"},
    }

    async def babbling(socket: ServerConnection) -> None:
        try:
            await socket.send(GREETING)
            await socket.send(text)
            await socket.send(json.dumps(block))
            await socket.wait_closed()
        except ConnectionClosed:
            pass

    async with feeding(babbling) as feed:
        await until(lambda: any(_has(event, ev.BlockHeight) for event in feed.events))
    assert sum(_has(event, ev.MessageRejected) for event in feed.events) >= 1


def _has(event: ev.Event, kind: type) -> bool:
    return isinstance(event, ev.Frame) and any(isinstance(fact, kind) for fact in event.facts)

"""Failures of every wire in one table, from the socket to the health server's bodies."""

import asyncio
import json
import random
import socket
import time

import pytest
from venues import engine_on, exchange, network_of
from websockets.asyncio.server import ServerConnection, serve

from dydx_console.domain import events as ev
from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.limits import Budget
from dydx_console.engine.health import EngineHealth
from dydx_console.health.documents import errors_body
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.faults import VenueError
from dydx_console.ports.tap import NoTap
from dydx_console.venue.indexer.feed import FeedPlan, IndexerFeed
from dydx_console.venue.indexer.probe import HttpIndexerProbe
from dydx_console.venue.indexer.rest import IndexerRest
from dydx_console.venue.resilience.counters import FaultCounters

DEADLINE_S = 30.0
HEIGHT = '{"height":"7","time":"2026-01-01T00:00:00.000Z"}'
GREETING = json.dumps({"type": "connected", "connection_id": "5b1c", "message_id": 0})
UNREADABLE = (
    "<html>",
    json.dumps({"type": "channel_data", "connection_id": "5b1c", "message_id": 1, "channel": "v4_markets",
                "version": "1.0.0", "contents": 5}),
    *(json.dumps({"type": "channel_data", "connection_id": "5b1c", "message_id": number, "contents": 5,
                  "channel": f"made-up-{number}"}) for number in range(2, 60)),
)  # fmt: skip
Counted = dict[tuple[FaultKind, FaultSource, str], int]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def table(rows: tuple[FaultCount, ...]) -> Counted:
    return {(row.kind, row.source, row.endpoint): row.count for row in rows}


async def test_messages_that_cannot_be_read_are_counted_by_channel_and_none_that_the_peer_made_up() -> None:
    async def speak(peer: ServerConnection) -> None:
        await peer.send(GREETING)
        for text in UNREADABLE:
            await peer.send(text)
        await peer.wait_closed()

    told: list[ev.Event] = []
    clock, rng = SystemClock(), random.Random(1)
    counters = FaultCounters(clock)
    closed = closed_port()
    async with serve(speak, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        rest = IndexerRest(f"http://127.0.0.1:{closed}", clock, NoTap(), rng, "test", sink=told.append,
                           counters=counters)  # fmt: skip
        plan = FeedPlan(f"ws://user:secret@{host}/v4/ws", None, 0)
        feed = IndexerFeed(plan, rest, told.append, clock=clock, tap=NoTap(), rng=rng, log=lambda _: None)
        running = asyncio.create_task(feed.run())
        wanted = {
            (FaultKind.BAD_ANSWER, FaultSource.WEBSOCKET, f"{host}/v4_markets"): 1,
            (FaultKind.BAD_ANSWER, FaultSource.WEBSOCKET, host): len(UNREADABLE) - 1,
        }
        try:
            deadline = clock.monotonic() + DEADLINE_S
            while not wanted.items() <= _newest(told).items() or not _of(_newest(told), FaultSource.REST):
                assert clock.monotonic() < deadline, _newest(told)
                await asyncio.sleep(0.02)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await rest.close()
    assert _of(table(counters.rows()), FaultSource.WEBSOCKET).items() == wanted.items()
    assert {endpoint.partition("/")[0] for _, source, endpoint in _newest(told) if source is FaultSource.REST} == {
        f"127.0.0.1:{closed}"
    }


async def test_a_read_that_waits_for_the_budget_is_told_while_it_waits() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = (
            "HTTP/1.1 200 OK",
            f"Content-Length: {len(HEIGHT)}",
            "RateLimit-Limit: 100",
            "RateLimit-Remaining: 0",
            f"RateLimit-Reset: {int(time.time() * 1000) + 10_000}",
            "Connection: close",
        )
        writer.write("\r\n".join([*head, "", HEIGHT]).encode())
        await writer.drain()
        writer.close()

    told: list[ev.Fact] = []
    clock = SystemClock()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        rest = IndexerRest(f"http://127.0.0.1:{port}", clock, NoTap(), random.Random(1), "test", sink=told.append)
        assert any(isinstance(fact, ev.HeightRead) for fact in await rest.read("/height", 0))
        waiting = asyncio.create_task(rest.read("/height", 0))
        try:
            deadline = clock.monotonic() + DEADLINE_S
            while not any(budget.waiting for budget in _budgets(told)):
                assert clock.monotonic() < deadline, told
                await asyncio.sleep(0.02)
            assert not waiting.done()
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await rest.close()
    (budget,) = _budgets(told)
    assert (budget.remaining, budget.waiting) == (0, 1)
    assert 2.0 < budget.expected_wait_s <= 20.0


def _budgets(told: list[ev.Fact]) -> tuple[Budget, ...]:
    return next((event.budgets for event in reversed(told) if isinstance(event, ev.BudgetsTold)), ())


def _newest(told: list[ev.Event]) -> Counted:
    return next((table(event.counts) for event in reversed(told) if isinstance(event, ev.FaultsCounted)), {})


def _of(counted: Counted, source: FaultSource) -> Counted:
    return {key: count for key, count in counted.items() if key[1] is source}


def test_a_node_that_is_down_shows_where_people_and_machines_look() -> None:
    with exchange() as venue:
        closed = f"127.0.0.1:{closed_port()}"
        network = network_of(venue, nodes=(f"http://{closed}", venue.grpc))
        engine = engine_on(network, venue.account)
        health = EngineHealth(engine, network, SystemClock())
        engine.start()
        try:
            deadline = time.monotonic() + DEADLINE_S
            facts = health.health()
            while not facts.faults or facts.node_height is None or not facts.budgets:
                assert time.monotonic() < deadline, facts
                assert engine.failure is None
                time.sleep(0.05)
                facts = health.health()
            snapshot = engine.mailbox.latest()
        finally:
            assert engine.stop()
    rows = errors_body(facts).errors
    down = [row for row in rows if row.source == "GRPC"]
    assert down
    assert {(row.kind, row.endpoint.partition("/")[0]) for row in down} == {("UNREACHABLE", closed)}
    assert all(row.first_at is not None and row.first_at <= row.last_at for row in rows)
    assert snapshot is not None
    assert snapshot.limits.faults
    assert facts.counters is not None
    assert facts.counters["gaps"] == 0
    assert facts.open_gaps == 0


async def test_single_questions_are_counted_too_without_the_address_in_them() -> None:
    closed = f"127.0.0.1:{closed_port()}"
    counters = FaultCounters(SystemClock())
    probe = HttpIndexerProbe(f"http://{closed}", f"ws://{closed}/v4/ws", SystemClock(), "test", counters=counters)
    try:
        for question in (
            probe.head(), probe.head(), probe.clock(), probe.funded_parents("dydx1x"), probe.compliance("dydx1x"),
            probe.streams(),
        ):  # fmt: skip
            with pytest.raises(VenueError):
                await question
    finally:
        await probe.close()
    assert table(counters.rows()) == {
        (FaultKind.UNREACHABLE, FaultSource.REST, f"{closed}/v4/height"): 2,
        (FaultKind.UNREACHABLE, FaultSource.REST, f"{closed}/v4/time"): 1,
        (FaultKind.UNREACHABLE, FaultSource.REST, f"{closed}/v4/addresses"): 1,
        (FaultKind.UNREACHABLE, FaultSource.REST, f"{closed}/v4/compliance"): 1,
        (FaultKind.UNREACHABLE, FaultSource.WEBSOCKET, closed): 1,
    }

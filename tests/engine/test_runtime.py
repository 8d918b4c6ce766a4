"""The engine's thread: it starts, publishes, reports its own failure, and ends in time."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from dydx_console.domain.events import BlockHeight, ConnectionOpened, Frame, MessageRejected
from dydx_console.domain.ids import StreamVersion
from dydx_console.engine.publish import Publisher
from dydx_console.engine.runtime import Engine, Works
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.network import NetworkView
from dydx_console.state.console import ConsoleState, Section

NETWORK = NetworkView("test", "sim", None, None, None, confirmed=False, read_only=True)


class Script:
    """A source that runs a given coroutine function."""

    def __init__(self, work: Callable[[], "asyncio.Future[None] | object"]) -> None:
        self._work = work
        self.closed = 0
        self.asked = threading.Event()

    async def run(self) -> None:
        await self._work()  # type: ignore[misc]

    def reconcile(self) -> None:
        self.asked.set()

    def reconnect(self) -> None:
        self.asked.set()

    async def close(self) -> None:
        self.closed += 1


def engine_of(script_of: Callable[[Publisher], Script]) -> tuple[Engine, Publisher, list[Script]]:
    clock, mailbox = SystemClock(), Mailbox()
    publisher = Publisher(ConsoleState(None), mailbox, clock)
    made: list[Script] = []

    async def build() -> Works:
        made.append(script_of(publisher))
        return Works(publisher, made[0])

    return Engine(build, mailbox=mailbox, network=NETWORK, clock=clock), publisher, made


def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def block(number: int) -> Frame:
    version = StreamVersion(1, number)
    fact = BlockHeight(version, number, datetime(2026, 1, 1, tzinfo=UTC), 0.0)
    return Frame(1, number, None, (fact,), 0.0)


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_it_starts_publishes_and_stops_within_two_seconds() -> None:
    engine, publisher, made = engine_of(lambda _publisher: Script(for_ever))
    engine.start()
    until(lambda: engine.mailbox.latest() is not None)
    began = time.monotonic()
    assert engine.stop()
    assert time.monotonic() - began < 2.0
    assert made[0].closed == 1
    assert engine.failure is None
    assert publisher.applied == 0


def test_a_source_that_fails_is_reported_and_never_silent() -> None:
    async def failing() -> None:
        raise LookupError("no such thing")

    engine, _, made = engine_of(lambda _publisher: Script(failing))
    engine.start()
    until(lambda: engine.failure is not None)
    assert engine.failure == "the engine stopped: LookupError: no such thing"
    assert made[0].closed == 1
    assert engine.stop()


def test_a_source_that_cannot_be_built_is_reported() -> None:
    clock, mailbox = SystemClock(), Mailbox()

    async def build() -> Works:
        raise OSError("no network")

    engine = Engine(build, mailbox=mailbox, network=NETWORK, clock=clock)
    engine.start()
    until(lambda: engine.failure is not None)
    assert "OSError: no network" in (engine.failure or "")
    assert engine.stop()


def test_an_engine_that_was_never_started_stops_at_once_and_starting_twice_is_harmless() -> None:
    idle, _, made = engine_of(lambda _publisher: Script(for_ever))
    assert idle.stop()
    assert idle.applied == 0
    assert made == []
    engine, _, made = engine_of(lambda _publisher: Script(for_ever))
    engine.start()
    engine.start()
    assert engine.stop()
    assert len(made) <= 1


def test_reconnect_reaches_the_source_in_its_loop_and_is_harmless_after_the_end() -> None:
    engine, _, made = engine_of(lambda _publisher: Script(for_ever))
    engine.start()
    until(lambda: engine.mailbox.latest() is not None)
    engine.reconnect()
    assert made[0].asked.wait(2.0)
    engine.stop()
    engine.reconnect()


def test_at_most_forty_snapshots_a_second_and_the_last_word_is_published() -> None:
    frames = 3_000

    def script(publisher: Publisher) -> Script:
        async def busy() -> None:
            for number in range(1, frames + 1):
                publisher.take(block(number))
                if number % 10 == 0:
                    await asyncio.sleep(0.001)
            await for_ever()

        return Script(busy)

    engine, publisher, _ = engine_of(script)
    began = time.monotonic()
    engine.start()
    until(lambda: publisher.applied == frames)
    elapsed_s = time.monotonic() - began
    until(lambda: (latest := engine.mailbox.latest()) is not None and latest.height == frames)
    latest = engine.mailbox.latest()
    assert latest is not None
    assert latest.revision <= 40 * (elapsed_s + 1.0) + 2
    assert Section.BLOCKS in engine.mailbox.take().changed
    engine.stop()


def test_a_snapshot_comes_every_second_without_any_event_so_that_states_follow_the_clock() -> None:
    engine, _, _ = engine_of(lambda _publisher: Script(for_ever))
    engine.start()
    until(lambda: (latest := engine.mailbox.latest()) is not None and latest.revision >= 2, within_s=4.0)
    engine.stop()


def test_what_cannot_be_read_is_logged_with_its_sample(caplog) -> None:  # type: ignore[no-untyped-def]
    publisher = Publisher(ConsoleState(None), Mailbox(), SystemClock())
    publisher.take(ConnectionOpened(1, 0.0))
    publisher.take(MessageRejected("connection 1", None, "not a number", '{"size":"NaN"}', 0.0))
    publisher.publish()
    assert "not a number" in caplog.text
    assert '{"size":"NaN"}' in caplog.text
    assert publisher.state.freshness.view(0.0).rejected == 1

"""The desk of a running engine: questions from another thread, fetching, interrupting, and every kind of end."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from builders import ADDRESS
from engine_help import child_on, is_live, ports, started, true_fills, until, wait_for
from test_journal_endings import chain
from venue.old_venue import OldVenue, fill, order, payment, transfer
from venues import engine_on, exchange, network_of

from dydx_console.domain.journal import JournalMode
from dydx_console.engine.child import SimUrls
from dydx_console.engine.compose import replay_engine
from dydx_console.engine.history import Desk
from dydx_console.engine.runtime import Engine
from dydx_console.journal.files import Place
from dydx_console.journal.reader import open_reader
from dydx_console.ports.history import FetchState, HistoryDesk
from dydx_console.ports.journal import (
    History,
    HistoryPort,
    HistoryQuery,
    JournalId,
    JournalUnavailableError,
)
from dydx_console.ports.network import NetworkView
from dydx_console.safety.networks import Network, kind_of

WITHIN_S = 30.0
LONG_S = 120.0
"""A slow read is tried three times, and may take half a minute."""
WHOLE = HistoryQuery(limit=10_000)


@pytest.fixture(scope="module")
def venue() -> Iterator[SimUrls]:
    with exchange("--history-hours", "0") as served:
        yield served


def engine_at(root: Path | None, venue: SimUrls) -> Engine:
    return engine_on(network_of(venue), venue.account, journal=root)


def asked(desk: HistoryDesk, kind: History = History.FILLS) -> int:
    return desk.ask(lambda history: history.count(kind, HistoryQuery())).result(WITHIN_S)


def until_state(desk: HistoryDesk, *wanted: FetchState) -> None:
    wait_for(lambda: True if desk.progress.state in wanted else None, lambda: desk.progress, LONG_S)


async def long_question(_history: HistoryPort) -> int:
    await asyncio.sleep(3_600)
    return 0


class TestRunning:
    def test_it_answers_while_it_runs_and_fetches_what_is_older(self, venue: SimUrls, tmp_path: Path) -> None:
        with started(engine_at(tmp_path, venue)) as engine:
            height = until(engine, lambda shown: is_live(shown) and shown.fills_known > 0).height or 0
            desk = engine.history
            assert desk is engine.history
            desk.fetch()
            until_state(desk, FetchState.DONE)
            sources = desk.progress.sources
            assert [source.problem for source in sources] == [None] * 5
            assert all(source.is_complete for source in sources)
            kept = {placed.fill.id for placed in desk.ask(lambda history: history.fills(WHOLE)).result(WITHIN_S).rows}
            assert true_fills(venue, height) <= kept
            assert asked(desk, History.TRANSFERS) > 0
            assert asked(desk, History.ORDERS) > 0
            desk.fetch()
            assert desk.progress.state is FetchState.DONE

    def test_a_question_that_fails_fails_for_whoever_asked(self, venue: SimUrls, tmp_path: Path) -> None:
        with started(engine_at(tmp_path, venue)) as engine:
            until(engine, is_live)
            wrong = HistoryQuery(statuses=("OPEN",))
            with pytest.raises(ValueError, match="fills cannot be filtered by statuses"):
                engine.history.ask(lambda history: history.fills(wrong)).result(WITHIN_S)

            async def broken(_history: HistoryPort) -> int:
                raise RuntimeError("a mistake of mine")

            with pytest.raises(RuntimeError, match="a mistake of mine"):
                engine.history.ask(broken).result(WITHIN_S)
            assert asked(engine.history) >= 0
            assert engine.failure is None

    def test_an_answer_that_nobody_waits_for_any_more_is_not_looked_for(self, venue: SimUrls, tmp_path: Path) -> None:
        with started(engine_at(tmp_path, venue)) as engine:
            until(engine, is_live)
            given_up = threading.Event()

            async def question(_history: HistoryPort) -> int:
                begun.set()
                try:
                    await asyncio.sleep(3_600)
                finally:
                    given_up.set()
                return 0

            begun = threading.Event()
            answer = engine.history.ask(question)
            assert begun.wait(WITHIN_S)
            assert answer.cancel()
            assert given_up.wait(WITHIN_S)
            with pytest.raises(CancelledError):
                answer.result()
            assert asked(engine.history) >= 0

    def test_its_end_ends_every_question(self, venue: SimUrls, tmp_path: Path) -> None:
        with started(engine_at(tmp_path, venue)) as engine:
            until(engine, is_live)
            desk = engine.history
            answers = [desk.ask(long_question) for _ in range(3)]
        for answer in [*answers, desk.ask(long_question)]:
            with pytest.raises(JournalUnavailableError, match="the console is ending"):
                answer.result(WITHIN_S)


class TestWithoutAJournal:
    def test_before_it_has_started(self, venue: SimUrls, tmp_path: Path) -> None:
        desk = engine_at(tmp_path, venue).history
        desk.fetch()
        desk.interrupt()
        assert desk.progress.state is FetchState.IDLE
        with pytest.raises(JournalUnavailableError, match="has not started yet"):
            desk.ask(long_question).result(WITHIN_S)

    def test_where_none_is_kept(self, venue: SimUrls) -> None:
        with started(engine_at(None, venue)) as engine:
            until(engine, is_live)
            with pytest.raises(JournalUnavailableError, match="no journal is kept"):
                engine.history.ask(long_question).result(WITHIN_S)
            assert engine.history.progress.problem == "no journal is kept here, so there is no history to read"

    def test_a_recording_has_none(self) -> None:
        view = NetworkView("testnet", "testnet", "dydx-testnet-4", "development", "default", True, True)
        engine = replay_engine((), None, 0.0, view)
        with started(engine):
            wait_for(lambda: engine.history.progress.problem)
            with pytest.raises(JournalUnavailableError, match="no journal is kept"):
                engine.history.ask(long_question).result(WITHIN_S)

    def test_a_loop_that_ends_while_a_question_is_handed_over(self) -> None:
        """The loop takes the call and never runs it."""
        loop = asyncio.new_event_loop()
        try:
            keeper: Any = type("Keeper", (), {"answer": lambda *_: None, "progress": None})()
            desk = Desk(lambda: (loop, keeper))
            answer = desk.ask(long_question)
            assert not answer.done()
        finally:
            loop.close()
        desk.close()
        with pytest.raises(JournalUnavailableError, match="ending"):
            answer.result(0)
        with pytest.raises(JournalUnavailableError, match="ending"):
            desk.ask(long_question).result(0)


class TestBeside:
    def test_a_console_that_looks_on_reads_and_has_the_owner_fetch(self, venue: SimUrls, tmp_path: Path) -> None:
        with child_on(venue, tmp_path) as child:
            child.until(lambda told: told["mode"] == "KEPT" and told["state"] == "LIVE")
            with started(engine_at(tmp_path, venue)) as second:
                until(second, lambda shown: shown.journal.mode is JournalMode.LOOKING)
                desk = second.history
                assert asked(desk) >= 0
                desk.fetch()
                until_state(desk, FetchState.DONE)
                assert desk.progress.sources[0].is_complete
                assert asked(desk, History.TRANSFERS) > 0
            child.end()


@pytest.mark.nightly
class TestAnotherChain:
    def test_it_is_fetched_anew_when_the_chain_has_begun_anew(self, tmp_path: Path) -> None:
        """The desk that a screen holds answers for the new chain; what is of the old one is in the old file."""
        numbers = ports()
        with ExitStack() as chains:
            venue = chains.enter_context(chain(numbers, 7))
            with started(engine_at(tmp_path, venue)) as engine:
                desk = engine.history
                first = until(engine, lambda shown: is_live(shown) and shown.fills_known > 0).height or 0
                desk.fetch()
                until_state(desk, FetchState.DONE)
                old = fills_of(desk)
                before = until(engine, lambda shown: (shown.height or 0) > first + 300, 60.0).height or 0
                chains.close()
                chains.enter_context(chain(numbers, 8))
                until(engine, lambda shown: shown.height is not None and shown.height < before, 60.0)
                until(engine, lambda shown: is_live(shown) and shown.fills_known > 0, 60.0)
                wait_for(lambda: True if desk.progress.state is FetchState.IDLE else None, lambda: desk.progress)
                desk.fetch()
                until_state(desk, FetchState.DONE)
                new = fills_of(desk)
                assert new
                assert old
                assert not old & new


class TestInterrupting:
    def engine(self, url: str, chain: str, root: Path) -> Engine:
        network = Network("old", kind_of(chain), chain, url, "ws://127.0.0.1:9/v4/ws", ())
        return engine_on(network, ADDRESS, journal=root)

    def past(self, turn: threading.Event) -> OldVenue:
        """Return a venue that answers its third page of transfers when it is let."""

        def grows(_venue: OldVenue, path: str) -> None:
            if "/transfers/" in path and path.endswith("page=3"):
                turn.wait(WITHIN_S)

        return OldVenue(
            fills=[fill(number) for number in range(1, 10)],
            transfers=[transfer(number) for number in range(1, 4_001)],
            payments=[payment(number) for number in range(1, 10)],
            orders=[order(number, block=number) for number in range(1, 10)],
            height=5_000,
            grows=grows,
        )

    def until_second_page(self, desk: HistoryDesk) -> None:
        wait_for(lambda: begun(desk), lambda: desk.progress)
        wait_for(lambda: transfers_read(desk), lambda: desk.progress)

    def test_what_came_is_kept_and_it_goes_on_from_there(self, venue: SimUrls, tmp_path: Path) -> None:
        turn = threading.Event()
        past = self.past(turn)
        with past.served() as (url, paths), started(self.engine(url, venue.chain_id, tmp_path)) as engine:
            desk = engine.history
            self.until_second_page(desk)
            desk.interrupt()
            until_state(desk, FetchState.INTERRUPTED)
            assert 2_000 <= asked(desk, History.TRANSFERS) < 4_000
            turn.set()
            desk.fetch()
            until_state(desk, FetchState.DONE, FetchState.FAILED)
            assert desk.progress.state is FetchState.DONE, desk.progress
            counts = [asked(desk, kind) for kind in (History.FILLS, History.ORDERS, History.TRANSFERS, History.FUNDING)]
            assert counts == [9, 9, 4_000, 9]
            assert len([path for path in paths if "/transfers/" in path and path.endswith("page=2")]) == 1

    def test_its_end_interrupts_it_in_time(self, venue: SimUrls, tmp_path: Path) -> None:
        turn = threading.Event()
        with self.past(turn).served() as (url, _):
            with started(self.engine(url, venue.chain_id, tmp_path)) as engine:
                self.until_second_page(engine.history)
            turn.set()
        reader = open_reader(Place(tmp_path, JournalId("old", venue.chain_id, ADDRESS)))
        assert asyncio.run(last_cursor(reader)) == 2_000


def transfers_read(desk: HistoryDesk) -> bool | None:
    found = [source.read for source in desk.progress.sources if source.kind is History.TRANSFERS]
    return True if found and found[0] >= 2_000 else None


def fills_of(desk: HistoryDesk) -> set[tuple[str, datetime]]:
    """Return fills by id and time: an id is made of a place in a block, which two chains share."""
    rows = desk.ask(lambda history: history.fills(WHOLE)).result(WITHIN_S).rows
    return {(row.fill.id, row.fill.created_at) for row in rows}


async def last_cursor(reader: Any) -> int:
    try:
        found = (await reader.cursors())["history/transfers/0"].read
        assert found == await reader.count(History.TRANSFERS, HistoryQuery())
        return int(found)
    finally:
        await reader.close()


def begun(desk: HistoryDesk) -> bool | None:
    desk.fetch()
    return True if desk.progress.state is FetchState.RUNNING else None

"""The journal's history for other threads: questions are answered, and older rows fetched, on the engine's loop."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock
from typing import Any, TypeVar

from dydx_console.domain.journal import JournalMode
from dydx_console.engine.control import ControlError, SilentError
from dydx_console.engine.fetching import Fetching
from dydx_console.engine.owner import JournalKeeper
from dydx_console.engine.relay import FETCH, fetch_by_owner, progress_json
from dydx_console.ports.clock import Clock
from dydx_console.ports.history import NO_PROGRESS, FetchState, HistoryProgress
from dydx_console.ports.journal import HistoryPort, JournalError, JournalUnavailableError
from dydx_console.state.console import Watched
from dydx_console.venue.indexer.history_reader import progress_in
from dydx_console.venue.indexer.rest import IndexerRest

__all__ = ["Desk", "HistoryKeeper"]

T = TypeVar("T")
Question = Callable[[HistoryPort], Coroutine[Any, Any, T]]

NO_JOURNAL = "no journal is kept here, so there is no history to read"
ENDING = "the console is ending"


class HistoryKeeper:
    """Answers questions and fetches older rows while an engine runs; everything of it is called on the engine's loop.

    Args:
        owner: opens the journal, or looks on.
        rest: asks the venue.
        watched: the account.
        clock: stamps what is written.
        wanted: begins to fetch at once, as where a chain has begun anew while history was being fetched.
    """

    def __init__(
        self, owner: JournalKeeper, rest: IndexerRest, watched: Watched, *, clock: Clock, wanted: bool = False
    ) -> None:
        self.progress = NO_PROGRESS
        """How far the venue's history is here."""
        self._owner = owner
        self._rest = rest
        self._watched = watched
        self._clock = clock
        self._wanted = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._fetching: asyncio.Task[None] | None = None
        if wanted:
            self.fetch()
        owner.handlers[FETCH] = self._asked_to_fetch

    @property
    def is_fetching(self) -> bool:
        """Whether history is being fetched, or will be as soon as it can."""
        return self._wanted.is_set() or self.progress.state is FetchState.RUNNING

    def fetch(self) -> None:
        """Begin to fetch, or go on; does nothing while that runs or is done."""
        if self.progress.state not in (FetchState.RUNNING, FetchState.DONE):
            self.progress = HistoryProgress(FetchState.RUNNING, self.progress.sources)
            self._wanted.set()

    def interrupt(self) -> None:
        """Stop fetching; what came is kept."""
        if self.progress.state is not FetchState.RUNNING:
            return
        self._wanted.clear()
        if self._fetching is not None:
            self._fetching.cancel()
        self.progress = HistoryProgress(FetchState.INTERRUPTED, self.progress.sources)

    async def run(self) -> None:
        """Answer and fetch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._look()
                while True:
                    await self._wanted.wait()
                    self._wanted.clear()
                    self._fetching = tasks.create_task(self._fetch(), name="history")
                    await asyncio.wait({self._fetching})
                    self._fetching = None
            finally:
                self._tasks = None

    def answer(self, question: "Question[T]", answer: "Future[T]") -> None:
        """Have a question answered; the future ends in any case."""
        if self._tasks is None:
            refuse(answer, ENDING)
            return
        task = self._tasks.create_task(self._answer(question, answer), name="history question")
        loop = asyncio.get_running_loop()

        def given_up(future: "Future[T]") -> None:
            if future.cancelled():
                with suppress(RuntimeError):  # the loop may have ended meanwhile
                    loop.call_soon_threadsafe(task.cancel)

        answer.add_done_callback(given_up)

    async def _answer(self, question: "Question[T]", answer: "Future[T]") -> None:
        try:
            # what a question raises is for whoever asked, not for the engine
            (found,) = await asyncio.gather(self._asked(question), return_exceptions=True)
            if not answer.set_running_or_notify_cancel():
                return
            if isinstance(found, BaseException):
                answer.set_exception(found)
            else:
                answer.set_result(found)
        finally:
            refuse(answer, ENDING)

    async def _asked(self, question: "Question[T]") -> T:
        await self._owner.recovered()
        history = self._owner.history
        if history is None:
            raise JournalUnavailableError(self._owner.view.text or "the journal cannot be read at the moment")
        return await question(history)

    async def _look(self) -> None:
        """Tell what is here already, before anything is fetched."""
        await self._owner.recovered()
        history = self._owner.history
        if history is not None:
            with suppress(JournalError):
                sources = progress_in(await history.cursors(), self._watched.parent)
                self._tell(HistoryProgress(self.progress.state, sources))

    async def _fetch(self) -> None:
        await self._owner.recovered()
        try:
            ended = await self._fetched()
        except JournalError as error:
            ended = HistoryProgress(FetchState.FAILED, self.progress.sources, str(error))
        self._tell(ended)

    async def _fetched(self) -> HistoryProgress:
        journal = self._owner.journal
        if journal is not None:
            return await Fetching(journal, self._rest, self._watched, self._clock, self._tell).run()
        view = self._owner.view
        if view.mode is not JournalMode.LOOKING:
            raise JournalUnavailableError(view.text or "the journal is not open")
        try:
            return await fetch_by_owner(self._owner.door, self._tell)
        except (SilentError, ControlError):
            raise JournalUnavailableError(f"{view.text}: history is fetched there") from None

    async def _asked_to_fetch(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if request.get("begin") is True:
            self.fetch()
        return progress_json(self.progress)

    def _tell(self, progress: HistoryProgress) -> None:
        self.progress = progress


class Desk:
    """What other threads hold of it. Implements `HistoryDesk`; it outlives the keepers of one chain after another.

    Args:
        reach: tells the engine's loop and the keeper of the moment; None while there is none.
    """

    def __init__(self, reach: "Callable[[], tuple[asyncio.AbstractEventLoop, HistoryKeeper | None] | None]") -> None:
        self._reach = reach
        self._waiting: set[Future[Any]] = set()
        self._turn = Lock()
        self._is_closed = False

    @property
    def progress(self) -> HistoryProgress:
        """How far the venue's history is here."""
        reached = self._reach()
        keeper = None if reached is None else reached[1]
        if keeper is None:
            return NO_PROGRESS if reached is None else HistoryProgress(FetchState.IDLE, problem=NO_JOURNAL)
        return keeper.progress

    def fetch(self) -> None:
        """Begin to fetch older history, or go on; does nothing while that runs or is done."""
        self._call(HistoryKeeper.fetch)

    def interrupt(self) -> None:
        """Stop fetching; what came is kept."""
        self._call(HistoryKeeper.interrupt)

    def ask(self, question: "Question[T]") -> "Future[T]":
        """Return the answer to come of a question; it ends in any case, at the latest when the engine does."""
        answer: Future[T] = Future()
        reached = self._reach()
        if reached is None or self._is_closed:
            refuse(answer, ENDING if self._is_closed else "the console has not started yet")
            return answer
        loop, keeper = reached
        if keeper is None:
            refuse(answer, NO_JOURNAL)
            return answer
        with self._turn:
            self._waiting.add(answer)
        answer.add_done_callback(self._forget)
        try:
            loop.call_soon_threadsafe(keeper.answer, question, answer)
        except RuntimeError:
            refuse(answer, ENDING)
        if self._is_closed:  # it was closed while this was being handed over
            refuse(answer, ENDING)
        return answer

    def close(self) -> None:
        """Refuse what nobody will answer any more; called when the engine's loop has ended."""
        self._is_closed = True
        with self._turn:
            left = list(self._waiting)
        for answer in left:
            refuse(answer, ENDING)

    def _forget(self, answer: "Future[Any]") -> None:
        with self._turn:
            self._waiting.discard(answer)

    def _call(self, what: Callable[[HistoryKeeper], None]) -> None:
        reached = self._reach()
        if reached is not None and reached[1] is not None:
            with suppress(RuntimeError):  # the loop has ended, and with it all fetching
                reached[0].call_soon_threadsafe(what, reached[1])


def refuse(answer: "Future[Any]", why: str) -> None:
    """End a future that nobody can answer, unless it has ended."""
    if not answer.done() and answer.set_running_or_notify_cancel():
        answer.set_exception(JournalUnavailableError(why))

"""The account's whole history for commands that print and end."""

import asyncio
import logging
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dydx_console.domain.events import HeightRead
from dydx_console.engine.bookkeeping import Bookkeeper
from dydx_console.engine.control import ControlError, SilentError, control_path
from dydx_console.engine.fetching import Fetching
from dydx_console.engine.live import user_agent
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.recover import HEIGHT
from dydx_console.engine.relay import fetch_by_owner
from dydx_console.ports.clock import Clock, SystemClock
from dydx_console.ports.history import FetchState, HistoryProgress
from dydx_console.ports.journal import (
    Cursor,
    History,
    HistoryPort,
    JournalError,
    JournalId,
    JournalOwnedError,
    JournalUnavailableError,
)
from dydx_console.ports.tap import NoTap
from dydx_console.state.console import Watched
from dydx_console.state.epoch import EpochWatch, Head
from dydx_console.venue.indexer.history_reader import KINDS, progress_in
from dydx_console.venue.indexer.rest import IndexerRest, RestLimits

if TYPE_CHECKING:  # SQLite is loaded by who reads a journal
    from dydx_console.journal.reader import JournalReader
    from dydx_console.journal.writer import Journal

__all__ = ["history_once"]

NEEDED = {History.LIVES: (History.FILLS, History.FUNDING)}
"""What has to be read for what the venue itself does not keep."""

Told = Callable[[HistoryProgress], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Filling:
    """What is filled, and from where."""

    root: Path
    identity: JournalId
    watched: Watched
    rest: IndexerRest
    clock: Clock
    told: Told
    kinds: tuple[History, ...]


@asynccontextmanager
async def history_once(
    plan: LivePlan,
    root: Path | None,
    *,
    kinds: Iterable[History] = KINDS,
    on_progress: Told | None = None,
    limits: RestLimits | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[HistoryPort]:
    """Yield the history of a plan's account, filled from the venue as far as it can be had.

    The journal under `root` is filled where nobody owns it, and let go of before this yields; where a console does, it
    is asked to fetch; without `root` a folder is filled that is removed afterwards. `on_progress` takes how far that
    is, and last how it ended: a venue that fails or cuts its history is told there, and the history is what it is.
    Where this is cancelled, what came is kept.

    Args:
        plan: which network and account.
        root: the folder of all journals.
        kinds: what the history is needed for.
        on_progress: takes every change.
        limits: of the reads.
        clock: stamps what is written.

    Raises JournalError where there is nothing that could be read.
    """
    if plan.address is None:
        raise JournalUnavailableError("a history is that of an address, and none is given")
    clock = SystemClock() if clock is None else clock
    async with AsyncExitStack() as stack:
        folder = root or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dydx-console-")))
        identity = JournalId(plan.network.name, plan.network.chain_id, plan.address)
        rest = IndexerRest(
            plan.network.indexer_rest,
            clock,
            NoTap(),
            random.Random(),  # noqa: S311 - it spreads retries
            user_agent(),
            allow_proxy=plan.allow_proxy,
            limits=limits or RestLimits(),
        )
        stack.push_async_callback(rest.close)
        wanted = tuple(needed for kind in kinds for needed in NEEDED.get(kind, (kind,)))
        watched = Watched(plan.address, plan.parent)
        filling = _Filling(folder, identity, watched, rest, clock, on_progress or _nobody, wanted)
        filling.told(await _filled(filling))
        reader = _reader_of(filling)
        stack.push_async_callback(reader.close)
        yield reader


async def _filled(filling: _Filling) -> HistoryProgress:
    """Fill the journal, or have it filled by whoever owns it."""
    from dydx_console.journal.writer import open_journal

    try:
        journal = await open_journal(filling.root, filling.identity, filling.clock)
    except JournalOwnedError as owned:
        return await _filled_by_owner(filling, owned)
    for sentence in journal.recovery.sentences:
        log.warning("%s", sentence)
    try:
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(journal.run(), name="journal writer")
            try:
                ended = await _fetched(filling, journal)
            except JournalError as error:
                ended = await _as_it_is(filling, str(error))
            writing.cancel()
    finally:
        await journal.close()
    return ended


async def _fetched(filling: _Filling, journal: "Journal") -> HistoryProgress:
    facts = await filling.rest.read_behind("/height")
    height = next((fact for fact in facts if isinstance(fact, HeightRead)), None)
    if height is not None:
        known = (await journal.history.cursors()).get(HEIGHT)
        if _is_other_chain(known, height):
            return await _as_it_is(
                filling, "the chain stands before the journal's newest block; a running console settles what that means"
            )
        if known is None or (known.newest_height or 0) < height.height:
            journal.write([Cursor(HEIGHT, filling.clock.utc(), newest_height=height.height, newest_at=height.time)])
    fetching = Fetching(
        journal, filling.rest, filling.watched, filling.clock, filling.told, kinds=filling.kinds, is_alone=True
    )
    ended = await fetching.run()
    # lives, and what each fill did, are derived from what there is now
    await Bookkeeper(journal, journal.history, filling.clock, parent=filling.watched.parent).catch_up()
    return ended


def _is_other_chain(known: Cursor | None, height: HeightRead) -> bool:
    """Return whether the newest block known to the journal does not lie before the chain's newest."""
    if known is None or known.newest_height is None or known.newest_at is None:
        return False
    compared = EpochWatch()
    compared.resume(Head(known.newest_height, known.newest_at))
    compared.head(height.height, height.time)
    return not compared.is_sure


async def _filled_by_owner(filling: _Filling, owned: JournalOwnedError) -> HistoryProgress:
    """Have the journal's owner fetch; where it cannot be asked, the journal is as it is."""
    door = control_path(filling.root, filling.identity.network, filling.identity.address)
    try:
        return await fetch_by_owner(door, filling.told)
    except (SilentError, ControlError) as error:
        log.info("the journal's owner does not fetch: %s", error)
        return await _as_it_is(filling, f"{owned}, and that console does not fetch")


async def _as_it_is(filling: _Filling, problem: str) -> HistoryProgress:
    """Return how far the journal reaches where nothing could be fetched."""
    reader = _reader_of(filling)
    try:
        sources = progress_in(await reader.cursors(), filling.watched.parent)
    except JournalError as error:
        return HistoryProgress(FetchState.FAILED, (), str(error))
    finally:
        await reader.close()
    return HistoryProgress(FetchState.FAILED, sources, problem)


def _reader_of(filling: _Filling) -> "JournalReader":
    from dydx_console.journal.files import Place
    from dydx_console.journal.reader import open_reader

    return open_reader(Place(filling.root, filling.identity))


def _nobody(_progress: HistoryProgress) -> None:
    return

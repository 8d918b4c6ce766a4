"""Ours against the Indexer's, all the time: what stands at two looks is told once, what comes and goes is not."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import ADDRESS, D, child, fill, position
from engine.engine_help import is_live, notices, started, until
from venues import engine_on, exchange, network_of

from dydx_console.domain import events as ev
from dydx_console.domain.events import ChannelKey
from dydx_console.domain.venue_pnl import HistoricalPnlRead, VenueTick
from dydx_console.engine.reconciling import MOST_HURRIED, ReconcileKeeper, ReconcilePace
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.notices import Notice
from dydx_console.state.accounting import bookings
from dydx_console.state.ages import PictureState
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.reconcile import Drift, Source, Why
from dydx_console.state.venue_books import venue_rows

ACCOUNT = ChannelKey("v4_parent_subaccounts", f"{ADDRESS}/0")
START = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
QUICK = ReconcilePace(every_s=600.0, after_hour_s=120.0, look_s=0.005, apart_s=0.02, again_s=60.0)
FILLS = (
    fill("a", "BUY", "2", "100", 1, fee=D("0.1"), order_id="o1"),
    fill("b", "SELL", "1", "110", 2, fee=D("0.1"), order_id="o2"),
)
WITHIN_S = 20.0


@dataclass
class Desk:
    """A live account with one position, and an Indexer that says of it what a test wants."""

    state: ConsoleState = field(default_factory=lambda: ConsoleState(Watched(ADDRESS)))
    clock: ManualClock = field(default_factory=lambda: ManualClock(100.0, START))
    drifts: list[Drift] = field(default_factory=list)
    told: list[Notice] = field(default_factory=list)
    reads: int = 0
    is_whole: bool = True
    during: Callable[[int], None] | None = None
    """Called with the number of the read, when all of it has come."""

    def __post_init__(self) -> None:
        fresh = self.state.freshness
        fresh.opened(1, 100.0)
        fresh.ready(1, 100.0)
        fresh.subscribing(ACCOUNT, 1, 100.0, is_account=True)
        fresh.subscribed(ACCOUNT, 1, 100.0, is_account=True)
        fresh.resynced(1, 100.0)
        self.at(100.0)
        self.state.apply(ev.FillsRead(ADDRESS, FILLS, True, 1.0, 0))
        self.says()

    def at(self, monotonic: float) -> None:
        """Go to a moment at which a block comes."""
        self.clock.move_to(monotonic)
        time = START + timedelta(seconds=monotonic - 100.0)
        self.state.apply(ev.TimeRead(time, monotonic, monotonic))
        self.state.freshness.block(1, int(monotonic), time, monotonic)

    def says(self, **stated: Any) -> None:
        """Have the Indexer state the position as it does by its own rules, but for `stated`."""
        row = venue_rows(bookings(FILLS))[-1]
        given = {"entry_price": row.entry_price, "venue_realized_pnl": row.realized, **stated}
        rows = (child(position("1", height=5, **given), height=5),)
        self.state.apply(ev.AccountRead(ADDRESS, 0, None, True, rows, 0, 1.0, 1.0))

    async def read(self, connection: int) -> bool:
        assert connection == 1
        self.reads += 1
        if self.during is not None:
            self.during(self.reads)
        return self.is_whole

    def keeper(self, pace: ReconcilePace = QUICK, **given: Any) -> ReconcileKeeper:
        return ReconcileKeeper(
            self, self.state, self.drifts.append, self.told.append, clock=self.clock, pace=pace, **given
        )


@asynccontextmanager
async def running(keeper: ReconcileKeeper) -> Any:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(keeper.run())
        yield
        task.cancel()


async def until_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.005)


async def test_known_reasons_are_listed_and_nobody_is_told() -> None:
    desk = Desk()
    assert await desk.keeper().compare()
    (drift,) = desk.drifts
    assert [(one.source, one.what, one.why) for one in drift.differences] == [
        (Source.POSITIONS, "realized", (Why.FEES,)),
    ]
    assert (drift.alarms, drift.at, drift.problem, desk.told) == ((), desk.clock.utc(), None, [])


async def test_an_alarm_that_stands_at_two_looks_is_told_once() -> None:
    desk = Desk()
    desk.says(venue_realized_pnl=D(99))
    keeper = desk.keeper()
    for _ in range(3):
        assert await keeper.compare()
    assert [[one.what for one in drift.alarms] for drift in desk.drifts] == [["realized"]] * 3
    (notice,) = desk.told
    assert "BTC-USD, subaccount 0; position, realized" in notice.text
    assert "the Indexer says 99, our books say 10" in notice.text
    desk.says()
    assert await keeper.compare()
    desk.says(venue_realized_pnl=D(99))
    assert await keeper.compare()
    assert len(desk.told) == 2, "another time is another notice"


async def test_an_alarm_that_is_gone_at_the_second_look_is_not_told() -> None:
    desk = Desk()
    desk.says(venue_realized_pnl=D(99))
    keeper = desk.keeper(replace(QUICK, apart_s=0.3))
    async with asyncio.TaskGroup() as tasks:
        compared = tasks.create_task(keeper.compare())
        await asyncio.sleep(0.1)
        desk.says()
    assert compared.result() is False, "it has to be looked at again"
    assert desk.told == []
    assert [drift.alarms for drift in desk.drifts] == [()]


async def test_an_alarm_flapping_from_look_to_look_is_never_told() -> None:
    desk = Desk()
    keeper = desk.keeper(replace(QUICK, apart_s=0.1))
    for _ in range(4):
        desk.says(venue_realized_pnl=D(99))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keeper.compare())
            await asyncio.sleep(0.05)
            desk.says()
    assert len(desk.drifts) == 4
    assert desk.told == []


async def test_an_alarm_of_a_position_that_trades_meanwhile_waits() -> None:
    desk = Desk()
    desk.says(venue_realized_pnl=D(99))
    desk.during = lambda number: desk.state.apply(
        ev.FillsRead(ADDRESS, (*FILLS, fill("c", "BUY", "1", "120", 3), fill("d", "SELL", "1", "120", 4)), True, 1.0, 0)
    ) if number == 1 else None  # fmt: skip
    keeper = desk.keeper()
    assert not await keeper.compare()
    assert desk.told == []
    assert await keeper.compare()
    assert [one.what for one in desk.drifts[-1].alarms] == ["entry_price", "realized"]
    assert len(desk.told) == 2


async def test_a_figure_of_hours_ago_needs_no_quiet() -> None:
    desk = Desk()
    at = START - timedelta(hours=2)
    tick = VenueTick(D(7), D(0), D(0), at, 1)
    desk.state.apply(HistoricalPnlRead(ADDRESS, None, (tick,), 1.0))
    desk.during = lambda number: desk.state.apply(
        ev.FillsRead(ADDRESS, (*FILLS, fill(f"n{number}", "BUY", "1", "1", 3, market="ETH-USD")), True, 1.0, 0)
    )  # fmt: skip
    assert await desk.keeper().compare()
    assert [(one.source, one.at) for one in desk.drifts[0].alarms] == [(Source.HISTORICAL_PNL, at)]


async def test_nothing_is_told_of_a_picture_that_is_not_live() -> None:
    desk = Desk()
    desk.says(venue_realized_pnl=D(99))
    desk.during = lambda _: desk.clock.move_to(desk.clock.monotonic() + 20.0)
    assert not await desk.keeper().compare()
    assert desk.state.freshness.view(desk.clock.monotonic()).state is PictureState.STALE
    assert desk.told == []


async def test_what_could_not_be_read_is_said() -> None:
    desk = Desk(is_whole=False)
    assert await desk.keeper().compare()
    assert desk.drifts[0].problem == "not all of the Indexer's figures could be read"


async def test_more_fills_than_are_compared_is_said() -> None:
    desk = Desk()
    desk.says(venue_realized_pnl=D(99))
    assert await desk.keeper(most=1).compare()
    assert desk.drifts == [Drift((), desk.clock.utc(), "more than 1 fills are held: they are not compared one by one")]


async def test_it_compares_when_live_every_so_often_after_the_hour_and_when_asked() -> None:
    desk = Desk()
    desk.clock.move_to(120.0)
    keeper = desk.keeper()
    async with running(keeper):
        await asyncio.sleep(0.05)
        assert desk.reads == 0, "the picture is not live"
        desk.at(121.0)
        await until_true(lambda: len(desk.drifts) == 1)
        desk.at(700.0)
        await asyncio.sleep(0.05)
        assert desk.reads == 1
        desk.at(722.0)
        await until_true(lambda: len(desk.drifts) == 2)
        keeper.ask()
        await until_true(lambda: len(desk.drifts) == 3)
        # 11:02 is 1,920 s after the start
        for second, count in ((1330.0, 4), (1940.0, 5), (2019.0, 5), (2021.0, 6)):
            desk.at(second)
            await until_true(lambda count=count: len(desk.drifts) >= count)  # type: ignore[misc]
            await asyncio.sleep(0.03)
            assert len(desk.drifts) == count


async def test_an_alarm_that_never_settles_is_not_looked_at_all_the_time() -> None:
    desk = Desk()
    desk.says(venue_realized_pnl=D(99))
    new = iter(range(1000))
    desk.during = lambda _: desk.state.apply(
        ev.FillsRead(ADDRESS, (fill(f"x{next(new)}", "BUY", "0", "1", 3),), True, 1.0, 2)
    )  # fmt: skip
    async with running(desk.keeper()):
        for number in range(12):
            desk.at(110.0 + 61.0 * number)
            await asyncio.sleep(0.08)
    assert 1 + MOST_HURRIED <= desk.reads <= 4 + MOST_HURRIED


def test_a_trading_account_is_compared_with_the_venues_own_figures_and_nothing_is_unexplained() -> None:
    with exchange() as venue, started(engine_on(network_of(venue), venue.account)) as engine:
        shown = until(engine, lambda snapshot: is_live(snapshot) and snapshot.drift.at is not None)
        assert shown.drift.alarms == ()
        assert shown.drift.problem is None
        assert all(one.why for one in shown.drift.differences)
        assert "Unexplained" not in notices(engine)
        engine.reconcile()
        assert until(engine, lambda snapshot: snapshot.drift.at != shown.drift.at).drift.alarms == ()


@pytest.mark.parametrize("missing", ["AccountRead", "account"])
def test_nothing_is_compared_without_an_account(missing: str) -> None:
    state = ConsoleState(None if missing == "account" else Watched(ADDRESS))
    compared = state.comparison()
    assert (compared is None) == (missing == "account")
    assert state.differences() == ()

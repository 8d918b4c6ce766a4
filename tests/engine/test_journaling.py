"""What the state accepts reaches the journal: all of it, once, and nothing while the chain is in doubt."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import ADDRESS, START, D, at_height, child, fill, patch, position, version

from dydx_console.domain.events import (
    AccountRead,
    AccountSnapshot,
    AccountUpdate,
    BlockHeight,
    Event,
    FaultsCounted,
    FillsRead,
    FundingRead,
    OrdersRead,
    TransfersRead,
)
from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.order import display_status
from dydx_console.engine.journaling import Journaling
from dydx_console.engine.publish import Publisher
from dydx_console.engine.recover import HEIGHT, NOTHING, Recollection, fills_source, recall, resume
from dydx_console.engine.replay import ReplaySource, watched_in
from dydx_console.journal.writer import Journal, open_journal
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.journal import (
    Cursor,
    EquityPoint,
    HistoryQuery,
    JournalFact,
    JournalId,
    OrderNote,
    PlacedFill,
    PositionNote,
)
from dydx_console.ports.mailbox import Mailbox
from dydx_console.recording.lines import read_entries
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.epoch import Head

WATCHED = Watched(ADDRESS)
DAY = Path(__file__).parents[1] / "fixtures" / "small_day.jsonl"
TRANSFER = Transfer("t1", "DEPOSIT", D(10), "USDC", "dydx1x", None, ADDRESS, 0, at_height(1), 1, "hash")
PAYMENT = FundingPayment(0, "BTC-USD", D("-0.1"), D("0.0001"), D(1), D(100), at_height(1), 1)
FAULT = FaultCount(FaultKind.TIMEOUT, FaultSource.REST, "fills", 1, START, "no answer")


class Written:
    """A journal that keeps what it is given in memory."""

    def __init__(self) -> None:
        self.facts: list[JournalFact] = []

    def write(self, facts: Iterable[JournalFact]) -> None:
        self.facts += facts

    def taken(self) -> list[JournalFact]:
        facts, self.facts = self.facts, []
        return facts


class Desk:
    """A state, its publisher and what writes of it into a journal."""

    def __init__(self, watched: Watched = WATCHED) -> None:
        self.clock = ManualClock(utc=START)
        self.state = ConsoleState(watched)
        self.publisher = Publisher(self.state, Mailbox(), self.clock)
        self.journaling = Journaling(self.state, watched, self.clock)
        self.publisher.listen(self.journaling.published)
        self.journal = Written()

    def begin(self, known: Recollection = NOTHING) -> None:
        self.journaling.begin(self.journal, known)  # type: ignore[arg-type]

    def take(self, *events: Event) -> list[JournalFact]:
        for event in events:
            self.publisher.take(event)
        self.publisher.publish()
        return [fact for fact in self.journal.taken() if not isinstance(fact, Cursor) or fact.source != HEIGHT]


def block(height: int, after: timedelta = timedelta()) -> BlockHeight:
    return BlockHeight(version(height), height, at_height(height) + after, 0.0)


def update(message_id: int, **given: object) -> AccountUpdate:
    return AccountUpdate(version(message_id), ADDRESS, 0, **given)  # type: ignore[arg-type]


def fills_read(*ids: str, offset: int = 0) -> FillsRead:
    rows = tuple(fill(each, height=place + 1, order_id="o") for place, each in enumerate(ids, offset))
    return FillsRead(ADDRESS, rows, True, 0.0, offset, offset + len(ids))


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.begin()
    made.take(block(10))
    return made


def test_each_kind_of_row_is_written_once(desk: Desk) -> None:
    reward = Reward(D("0.5"), at_height(5), 5)
    events = (
        OrdersRead(ADDRESS, (patch("o", flags="64", good_til_time=START + timedelta(days=1)),), 1, 0.0, 0.0),
        fills_read("f1", "f2"),
        TransfersRead(ADDRESS, (TRANSFER,), 0.0),
        FundingRead(ADDRESS, (PAYMENT,), 0.0, 0.0),
        update(2, reward=reward),
        FaultsCounted((FAULT,), 0.0),
    )
    facts = desk.take(*events)
    assert [fact for fact in facts if isinstance(fact, PlacedFill)] == [
        PlacedFill(desk.state.fills.get("f1"), 0),  # type: ignore[arg-type]
        PlacedFill(desk.state.fills.get("f2"), 1),  # type: ignore[arg-type]
    ]
    (note,) = (fact for fact in facts if isinstance(fact, OrderNote))
    assert (note.order, note.shown, note.height) == (desk.state.orders.get("o"), "FILLED", 10)
    assert {TRANSFER, PAYMENT, reward, FAULT} <= set(facts)
    (cursor,) = (fact for fact in facts if isinstance(fact, Cursor))
    assert (cursor.source, cursor.read, cursor.total, cursor.is_complete) == (fills_source(0), 2, 2, True)
    assert desk.take(*events) == [], "what is known already is not written again"
    assert desk.take() == []


def test_a_fill_is_written_again_where_more_of_it_becomes_known(desk: Desk) -> None:
    assert len(desk.take(update(2, fills=(fill("f1", event_id=None),)))) == 1
    assert desk.take(update(3, fills=(fill("f1", event_id="0a"),))) == [PlacedFill(fill("f1", event_id="0a"))]
    placed = [fact for fact in desk.take(FillsRead(ADDRESS, (fill("f1"),), True, 0.0, 7, 8))]
    assert PlacedFill(fill("f1", event_id="0a"), 7) in placed


def test_every_standing_of_an_order_is_noted_with_who_told_of_it(desk: Desk) -> None:
    told = []
    for events in (
        (update(2, orders=(patch("o", "BEST_EFFORT_OPENED", flags="0", good_til_block=12),)),),
        (update(3, orders=(patch("o", "OPEN", flags="0", good_til_block=12),)),),
        (update(4, fills=(fill("f1", size="0.5", order_id="o"),)),),
        (block(11),),
        (block(13),),
    ):
        told += [(fact.source, fact.shown) for fact in desk.take(*events) if isinstance(fact, OrderNote)]
    assert told == [("STREAM", "PENDING"), ("STREAM", "OPEN"), ("FILL", "PARTIALLY_FILLED"), ("HEIGHT", "EXPIRED")]


def account(*rows: object, connection: int = 1, height: int = 5) -> AccountSnapshot:
    whole = child(*rows, height=height)  # type: ignore[arg-type]
    return AccountSnapshot(version(1, connection), ADDRESS, 0, None, True, (whole,), (), height)


def test_a_position_is_noted_when_it_changes_and_when_it_ends(desk: Desk) -> None:
    first = [fact for fact in desk.take(account(position("2", height=5))) if isinstance(fact, PositionNote)]
    assert [(note.position.net_size, note.funding) for note in first] == [(D(2), D(0))]
    assert desk.take(account(position("2", height=5))) == []
    grown = [fact for fact in desk.take(update(3, positions=(position("3", height=6),), block_height=6))]
    assert [fact.position.net_size for fact in grown if isinstance(fact, PositionNote)] == [D(3)]
    gone = desk.take(update(4, positions=(position("0", height=7, status="CLOSED"),), block_height=7))
    (note,) = (fact for fact in gone if isinstance(fact, PositionNote))
    assert (note.position.net_size, note.position.status, note.average_cost) == (D(0), "CLOSED", None)
    assert desk.take(AccountRead(ADDRESS, 0, None, True, (child(height=8),), 1, 0.0, 0.0)) == []


def test_what_closed_between_two_runs_is_noted_once_the_venue_has_answered() -> None:
    desk = Desk()
    held = PositionNote(position("2"), D(100), D(0), D(1), D(0), START, START, 4)
    desk.begin(Recollection(positions=(held,)))
    assert desk.take(block(10)) == []
    (note,) = (fact for fact in desk.take(account(height=9)) if isinstance(fact, PositionNote))
    assert (note.position.market, note.position.net_size, note.life_opened_at) == ("BTC-USD", D(0), START)


def test_nothing_is_written_while_the_chain_is_in_doubt() -> None:
    desk = Desk()
    desk.state.epoch.resume(Head(1000, at_height(1000)))
    desk.begin()
    assert desk.take(fills_read("f1")) == []
    assert desk.take(block(5, timedelta(hours=1))) == []
    assert desk.take(FaultsCounted((FAULT,), 0.0)) == [FAULT]
    facts = desk.take(block(1001))
    assert PlacedFill(desk.state.fills.get("f1"), 0) in facts  # type: ignore[arg-type]


def test_everything_is_written_again_where_the_journal_has_missed_something(desk: Desk) -> None:
    desk.take(fills_read("f1", "f2"), TransfersRead(ADDRESS, (TRANSFER,), 0.0), FundingRead(ADDRESS, (PAYMENT,), 0, 0))
    desk.begin()
    facts = desk.take()
    assert {fact.fill.id for fact in facts if isinstance(fact, PlacedFill)} == {"f1", "f2"}
    assert {TRANSFER, PAYMENT} <= set(facts)
    assert any(isinstance(fact, Cursor) and fact.read == 2 for fact in facts)


def day_entries() -> list[Event]:
    entries = list(read_entries(DAY.read_text().splitlines()))
    source = ReplaySource()
    return [event for entry in entries for event in source.events(entry)]


async def journal_at(root: Path, watched: Watched) -> Journal:
    clock = ManualClock(utc=datetime(2026, 5, 2, tzinfo=UTC))
    return await open_journal(root, JournalId("test", "dydx-testnet-4", watched.address), clock)


async def test_a_day_in_the_journal_is_the_day_that_was_shown_and_comes_back(tmp_path: Path) -> None:
    watched = watched_in(read_entries(DAY.read_text().splitlines()))
    assert watched is not None
    desk = Desk(watched)
    journal = await journal_at(tmp_path, watched)
    desk.journaling.begin(journal)
    for place, event in enumerate(day_entries()):
        desk.publisher.take(event)
        if place % 3 == 0:
            desk.publisher.publish()
    desk.publisher.publish()
    desk.journaling.end()
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(journal.run())
        await journal.flush()
        writing.cancel()
    state, history = desk.state, journal.history
    fills = await history.fills(HistoryQuery(limit=1000))
    assert {placed.fill.id: placed.fill for placed in fills.rows} == {each.id: each for each in state.fills}
    orders = await history.orders(HistoryQuery(limit=1000))
    assert {record.order.id: (record.order, record.shown) for record in orders.rows} == {
        each.id: (each, display_status(each, state.height, state.block_time)) for each in state.orders
    }
    assert len(state.fills) > 0
    assert len(orders.rows) > 0

    again = Desk(watched)
    known = await recall(history, await journal.cursors(), watched)
    resume(again.state, known, watched)
    again.publisher.take(known.event(watched.address, 0.0))
    assert list(again.state.fills) == list(state.fills)
    assert again.state.fills.is_known is False
    assert again.state.funding.is_known is False
    assert {transfer.id for transfer in again.state.transfers.newest} == {
        transfer.id for transfer in state.transfers.newest
    }
    assert again.state.coverage.end == state.coverage.end
    assert again.state.epoch.newest == state.epoch.newest
    again.begin(known)
    assert [fact for fact in again.take() if not isinstance(fact, EquityPoint)] == [], "the journal has all of it"
    await journal.close()

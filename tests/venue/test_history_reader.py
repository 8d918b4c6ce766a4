"""Reading a whole history over real loopback sockets: nothing is lost, whatever pages do meanwhile."""

import asyncio
import json
import random
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from builders import ADDRESS
from engine.test_rest import reading
from hypothesis import given, settings
from hypothesis import strategies as st
from venue.old_venue import START, OldVenue, Row, at_block, fill, order, payment, reward, transfer

from dydx_console.domain.events import ReadFailed, TransfersRead
from dydx_console.domain.order import OrderPatch
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.history import SourceProgress
from dydx_console.ports.journal import Cursor, History, PlacedFill
from dydx_console.ports.tap import Tap
from dydx_console.venue.indexer.history_reader import HistoryPage, HistoryReader, progress_in
from dydx_console.venue.indexer.order_windows import BY_BLOCK, BY_TIME, Window, rest_of
from dydx_console.venue.indexer.rest import IndexerRest, RestLimits

PATIENT = RestLimits(try_s=20.0, whole_s=60.0, silence_s=20.0, first_delay_s=0.01, longest_delay_s=0.02)
BUSY = (429, {"RateLimit-Limit": "100", "Retry-After": "60"}, '{"errors":[{"msg":"Too many requests"}]}')


class Kept:
    """What a journal would have: rows by their names, cursors, and how far it was told to be."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.cursors: dict[str, Cursor] = {}
        self.progress = SourceProgress(History.FILLS)
        self.waits: list[str | None] = []
        self.pages = 0

    def take(self, page: HistoryPage) -> None:
        self.pages += 1
        self.rows.update((name_of(row), row) for row in page.rows)
        self.cursors.update((cursor.source, cursor) for cursor in page.cursors)
        self.progress = page.progress


def name_of(row: Any) -> str:
    if isinstance(row, PlacedFill):
        return row.fill.id
    found = getattr(row, "id", None)
    return str(found) if found is not None else f"{getattr(row, 'market', '')}/{row.height}"


async def read(
    venue: OldVenue,
    kind: History,
    kept: Kept | None = None,
    *,
    pages: int | None = None,
    limits: RestLimits = PATIENT,
) -> tuple[Kept, list[str]]:
    """Read a kind to its end, or so many pages of it, and go on from what was kept before."""
    kept = Kept() if kept is None else kept
    with venue.served() as (url, asked):
        async with reading(url, limits) as rest:
            reader = HistoryReader(rest, ADDRESS, 0, SystemClock(), waits=kept.waits.append)
            found = cast("AsyncGenerator[HistoryPage, None]", reader.pages(kind, dict(kept.cursors)))
            async with aclosing(found):
                async for page in found:
                    kept.take(page)
                    pages = None if pages is None else pages - 1
                    if pages == 0:
                        break
        return kept, list(asked)


def long_past(count: int = 2_300) -> OldVenue:
    numbers = range(1, count + 1)
    return OldVenue(
        fills=[fill(number) for number in numbers],
        transfers=[transfer(number) for number in numbers],
        payments=[payment(number) for number in numbers],
        rewards=[reward(number) for number in numbers],
        orders=[
            order(number, time=at_block(number)) if number % 3 else order(number, block=number) for number in numbers
        ],
        height=count + 10,
    )


KINDS = (History.FILLS, History.ORDERS, History.TRANSFERS, History.FUNDING, History.REWARDS)
each_kind = pytest.mark.parametrize("kind", KINDS)


class TestWhole:
    @each_kind
    async def test_more_than_a_page_is_read_to_where_it_begins(self, kind: History) -> None:
        kept, _ = await read(long_past(), kind)
        assert len(kept.rows) == 2_300
        assert kept.progress.is_complete
        assert kept.progress.problem is None
        assert kept.progress.read == 2_300
        assert kept.progress.oldest_at == at_block(1)
        assert next(source for source in progress_in(kept.cursors, 0) if source.kind is kind).is_complete

    @each_kind
    async def test_an_account_without_a_past_is_read_too(self, kind: History) -> None:
        kept, _ = await read(OldVenue(), kind)
        assert not kept.rows
        assert kept.progress.is_complete

    async def test_fills_have_their_places(self) -> None:
        kept, _ = await read(long_past(), History.FILLS)
        assert [kept.rows[f"fill-{number:06}"].place for number in (1, 1_000, 1_001, 2_300)] == [0, 999, 1_000, 2_299]

    @each_kind
    @pytest.mark.parametrize("pages", [1, 2])
    async def test_what_was_interrupted_goes_on_and_is_not_read_again(self, kind: History, pages: int) -> None:
        venue = long_past()
        kept, before = await read(venue, kind, pages=pages)
        _, after = await read(venue, kind, kept)
        assert len(kept.rows) == 2_300
        assert kept.progress.is_complete
        _, whole = await read(venue, kind)
        assert len(before) + len(after) <= len(whole) + 3

    @each_kind
    async def test_what_is_complete_costs_a_page_or_two_and_brings_what_is_new(self, kind: History) -> None:
        venue = long_past()
        kept, _ = await read(venue, kind)
        venue.fills.append(fill(9_001))
        venue.transfers.append(transfer(9_001))
        venue.payments.append(payment(9_001))
        venue.rewards.append(reward(9_001))
        venue.orders += [order(9_001, block=9_001), order(9_002, time=at_block(9_001))]
        _, asked = await read(venue, kind, kept)
        assert len(kept.rows) == (2_302 if kind is History.ORDERS else 2_301)
        assert len(asked) <= 3
        assert kept.progress.is_complete


class TestWhatPagesDo:
    @each_kind
    async def test_rows_that_are_added_while_it_reads_neither_push_others_out_nor_double_them(
        self, kind: History
    ) -> None:
        venue = long_past()
        added = 0

        def grows(old: OldVenue, _path: str) -> None:
            nonlocal added
            for _ in range(7):
                added += 1
                number = 2_300 + added
                old.fills.append(fill(number))
                old.transfers.append(transfer(number))
                old.payments.append(payment(number))
                old.rewards.append(reward(number))

        venue.grows = grows
        kept, _ = await read(venue, kind)
        names = {name for name in kept.rows if int(name[-6:].strip("/USD-")) <= 2_300}
        assert len(names) == 2_300
        if kind is History.FILLS:
            places = [row.place for row in kept.rows.values()]
            assert places == list(range(len(places)))

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (History.FILLS, "fills"),
            (History.TRANSFERS, "transfers"),
            (History.FUNDING, "fundingPayments"),
            (History.ORDERS, "orders"),
        ],
    )
    async def test_a_list_that_comes_the_other_way_round_is_read_whole_all_the_same(
        self, kind: History, name: str
    ) -> None:
        venue = long_past()
        venue.flipped.add(name)
        kept, _ = await read(venue, kind)
        assert len(kept.rows) == 2_300
        assert kept.progress.is_complete
        added: list[Row] = [fill(9_001)]
        venue.fills += added
        venue.transfers.append(transfer(9_001))
        venue.payments.append(payment(9_001))
        venue.orders.append(order(9_001, block=9_001))
        await read(venue, kind, kept)
        assert len(kept.rows) == 2_301

    async def test_fills_that_are_not_in_chain_order_get_no_places_and_no_cursor(self) -> None:
        venue = long_past()
        venue.flipped.add("fills")
        kept, _ = await read(venue, History.FILLS)
        assert {row.place for row in kept.rows.values()} == {None}
        assert not kept.cursors

    async def test_rewards_that_come_oldest_first_are_said_to_be_cut(self) -> None:
        venue = long_past()
        venue.flipped.add("rewards")
        kept, _ = await read(venue, History.REWARDS)
        assert not kept.progress.is_complete
        assert kept.progress.problem == "the venue lists rewards oldest first, so that only 1,000 of them can be read"

    @pytest.mark.parametrize("kind", [History.TRANSFERS, History.FUNDING])
    async def test_rows_of_one_block_may_change_places_between_two_pages(self, kind: History) -> None:
        """Thirty rows a block; each question meets them in an order of its own."""
        markets = [f"M{number}-USD" for number in range(30)]
        venue = OldVenue(
            transfers=[transfer(number, number // 30) for number in range(2_300)],
            payments=[payment(0, markets[number % 30], number // 30) for number in range(2_300)],
        )

        def shuffle(rows: list[Row], offset: int) -> list[Row]:
            rng = random.Random(offset)
            return sorted(rows, key=lambda row: (-int(row["createdAtHeight"]), rng.random()))

        venue.shuffle = shuffle
        kept, _ = await read(venue, kind)
        assert len(kept.rows) == 2_300

    async def test_a_row_that_cannot_be_read_leaves_no_cursor_behind(self) -> None:
        venue = long_past(1_500)
        venue.fills[1_200] = {**venue.fills[1_200], "price": "many"}
        kept, _ = await read(venue, History.FILLS)
        assert len(kept.rows) == 1_499
        assert kept.progress.problem == "1 row of the venue's could not be read"
        assert not kept.progress.is_complete
        assert kept.cursors["history/fills/0"].read == 1_000


class TestLiveReads:
    async def test_what_the_live_reads_have_whole_is_not_read_again(self) -> None:
        venue, kept = long_past(), Kept()
        kept.cursors["fills/0"] = Cursor("fills/0", START, read=2_300, total=2_300, is_complete=True)
        _, asked = await read(venue, History.FILLS, kept)
        assert len(asked) == 1
        assert kept.cursors["history/fills/0"].is_complete

    async def test_it_ends_where_the_live_reads_began(self) -> None:
        venue, kept = long_past(), Kept()
        kept.cursors["fills/0"] = Cursor(
            "fills/0", START, read=2_300, total=2_300, oldest_height=1_500, oldest_at=at_block(1_500)
        )
        _, asked = await read(venue, History.FILLS, kept)
        assert [int(path.rpartition("=")[2]) for path in asked] == [1, 2]
        assert {name for name in kept.rows} >= {f"fill-{number:06}" for number in range(1, 1_500)}
        assert kept.progress.is_complete
        assert kept.progress.read == 2_300

    async def test_a_venue_that_counts_anew_is_read_anew(self) -> None:
        venue, kept = long_past(50), Kept()
        kept.cursors["history/fills/0"] = Cursor("history/fills/0", START, read=2_300, total=2_300)
        await read(venue, History.FILLS, kept)
        assert len(kept.rows) == 50
        assert kept.cursors["history/fills/0"].read == 50


class TestOrders:
    async def test_orders_that_changed_or_came_since_are_read_again_whatever_ends_them(self) -> None:
        venue = long_past()
        venue.orders += [
            order(9_001, time=at_block(90_000), status="OPEN"),
            order(9_002, block=venue.height + 5, status="OPEN"),
        ]
        kept, _ = await read(venue, History.ORDERS)
        venue.orders[-2:] = [order(9_001, time=at_block(90_000)), order(9_002, block=venue.height + 5)]
        venue.height += 2_000
        venue.orders.append(order(9_003, time=at_block(venue.height + 1)))
        _, asked = await read(venue, History.ORDERS, kept)
        assert [kept.rows[f"order-{number}"].status for number in ("009001", "009002", "009003")] == ["CANCELED"] * 3
        assert len(asked) == 3

    async def test_an_interrupted_reading_takes_up_what_was_placed_meanwhile(self) -> None:
        venue = OldVenue(orders=[order(number, time=at_block(number)) for number in range(2_300)], height=500)
        kept, _ = await read(venue, History.ORDERS, pages=2)
        venue.height = 1_000
        venue.orders += [order(9_000 + number, time=at_block(1_001 + number)) for number in range(1_200)]
        await read(venue, History.ORDERS, kept)
        assert len(kept.rows) == 3_500
        assert kept.progress.is_complete

    async def test_a_thousand_orders_that_end_together_are_read_by_their_sides(self) -> None:
        venue = OldVenue(orders=[order(number, block=77) for number in range(1_800)])
        kept, _ = await read(venue, History.ORDERS)
        assert len(kept.rows) == 1_800
        assert kept.progress.is_complete

    async def test_where_the_venue_shows_no_more_it_is_said(self) -> None:
        venue = OldVenue(orders=[order(number * 2, block=77) for number in range(1_800)])
        venue.orders += [order(90_000 + number, block=50) for number in range(10)]
        kept, _ = await read(venue, History.ORDERS)
        assert len(kept.rows) == 1_010
        assert not kept.progress.is_complete
        assert kept.progress.problem == "more than 1,000 orders end at block 77: the venue shows no more of them"

    @settings(max_examples=150, deadline=None)
    @given(
        keys=st.lists(st.integers(1, 60), min_size=1, max_size=80),
        page=st.integers(10, 20),
        way=st.sampled_from(["falling", "rising", "neither"]),
        seed=st.integers(0, 99),
    )
    def test_windows_find_every_order_in_whatever_order_they_come(
        self, keys: list[int], page: int, way: str, seed: int
    ) -> None:
        """But for those that share their end with more than a page of others, which is said."""
        rng = random.Random(seed)
        orders = [
            OrderPatch(
                id=str(number), good_til_block=key, side=rng.choice(("BUY", "SELL")),
                status=rng.choice(("OPEN", "FILLED", "CANCELED")),
            )
            for number, key in enumerate(keys)
        ]  # fmt: skip
        waiting, found, is_cut, asked = [Window(BY_BLOCK)], set(), False, 0
        while waiting:
            asked += 1
            assert asked < 1_000
            window = waiting.pop()
            listed = [one for one in orders if self.holds(window, one)]
            if way == "neither":
                rng.shuffle(listed)
            else:
                listed.sort(key=lambda one: one.good_til_block or 0, reverse=way == "falling")
            shown = listed[:page]
            found |= {one.id for one in shown}
            if len(shown) == page:
                rest = rest_of(window, shown)
                is_cut |= rest is None
                waiting += rest or ()
        assert is_cut or found == {one.id for one in orders}

    @staticmethod
    def holds(window: Window, one: OrderPatch) -> bool:
        key = one.good_til_block or 0
        return (
            key > window.low
            and (window.high is None or key <= window.high)
            and window.side in (None, one.side)
            and window.status in (None, one.status)
        )

    def test_a_time_between_two_seconds_is_not_left_out(self) -> None:
        late = OrderPatch("1", good_til_time=START + timedelta(seconds=10, milliseconds=1))
        key = BY_TIME.of(late)
        assert key is not None
        assert Window(BY_TIME, high=key).query["goodTilBlockTimeBeforeOrAt"] == "2026-01-01T00:00:11.000Z"


class TestFailures:
    async def test_a_spent_budget_is_waited_for_and_told(self) -> None:
        venue = long_past(1_500)
        tight = (429, {"RateLimit-Limit": "100", "Retry-After": "40"}, BUSY[2])
        venue.replies = [None, tight, tight, tight]
        kept, _ = await read(venue, History.TRANSFERS)
        assert len(kept.rows) == 1_500

    async def test_a_budget_that_is_spent_for_longer_than_a_read_may_take_is_told_too(self) -> None:
        venue = long_past(10)
        kept = Kept()
        venue.replies = [(429, {"Retry-After": "5500"}, BUSY[2])]
        await read(venue, History.REWARDS, kept, limits=replace(PATIENT, whole_s=5.0))
        assert len(kept.rows) == 10
        assert kept.waits[0] is not None
        assert kept.waits[0].startswith("the venue's budget of requests is spent; it goes on in ")
        assert kept.waits[-1] is None

    async def test_a_failure_is_raised_and_what_came_before_is_kept(self) -> None:
        venue = long_past()
        venue.replies = [None, None, *[(500, {}, '{"errors":[{"msg":"Internal Server Error"}]}')] * 3]
        kept = Kept()
        with pytest.raises(VenueError) as raised:
            await read(venue, History.FILLS, kept)
        assert raised.value.kind is FaultKind.SERVER
        assert len(kept.rows) == 2_000
        venue.replies = []
        await read(venue, History.FILLS, kept)
        assert len(kept.rows) == 2_300

    async def test_an_answer_that_is_none_is_a_failure(self) -> None:
        venue = long_past(3)
        venue.replies = [(200, {}, json.dumps({"fills": "none"}))] * 3
        with pytest.raises(VenueError) as raised:
            await read(venue, History.FILLS)
        assert raised.value.kind is FaultKind.BAD_ANSWER

    async def test_what_the_venue_does_not_keep_is_not_asked_for(self) -> None:
        with pytest.raises(ValueError, match="the venue keeps no history of lives"):
            await read(OldVenue(), History.LIVES)


class Heard:
    """A tap that keeps the paths of what it hears."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def exchanged(self, path: str, status: int, body: str, at: float, took_ms: float) -> None:
        self.paths.append(path)

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_named: None


class TestBehindTheLiveReads:
    TRANSFERS = "/transfers/parentSubaccountNumber"

    async def test_what_comes_later_and_is_live_goes_first(self) -> None:
        """As many reads as may be on their way are; one of older history waits, and live ones that come after it."""
        turn = threading.Event()
        venue = long_past(3)
        venue.grows = lambda _venue, _path: cast("None", turn.wait(20.0))
        with venue.served() as (url, asked):
            async with reading(url, PATIENT) as rest, asyncio.TaskGroup() as tasks:
                for _ in range(8):
                    tasks.create_task(rest.read("/time", 0))
                async with asyncio.timeout(20.0):
                    while len(asked) < 8:  # noqa: ASYNC110 - the server is another thread
                        await asyncio.sleep(0.01)
                tasks.create_task(rest.read_behind(self.TRANSFERS, limit=1, page=1))
                await asyncio.sleep(0)
                for _ in range(8):
                    tasks.create_task(rest.read("/time", 0))
                await asyncio.sleep(0)
                turn.set()
        assert [path for path in asked if path != "/v4/time"] == [f"/v4{self.TRANSFERS}?limit=1&page=1"]
        # two places of the eight are kept for the account, and the last six live reads may be answered side by side
        assert asked.index(f"/v4{self.TRANSFERS}?limit=1&page=1") >= 11

    async def test_no_recording_hears_of_it_and_its_failures_do_not_stop_the_live_reads(self) -> None:
        venue, heard = long_past(3), Heard()
        venue.replies = [(500, {}, "{}")] * 12
        with venue.served() as (url, _):
            rest = IndexerRest(url, SystemClock(), cast("Tap", heard), random.Random(1), "test/1", limits=PATIENT)
            for _ in range(4):
                (failed,) = await rest.read_behind(self.TRANSFERS, limit=1, page=1)
                assert isinstance(failed, ReadFailed)
            venue.replies = []
            assert heard.paths == []
            (read_live,) = await rest.read(self.TRANSFERS, 0, limit=1)
            await rest.close()
        assert isinstance(read_live, TransfersRead)
        assert len(heard.paths) == 1

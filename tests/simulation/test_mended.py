"""What the simulation has found and was mended, each by its name."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from dydx_console.domain import events as ev
from dydx_console.domain.events import ChannelKey
from dydx_console.domain.order import OrderPatch
from dydx_console.domain.stream import StreamCondition
from dydx_console.sim.faults.kinds import Kind
from dydx_console.sim.faults.schedules import FaultPlan
from dydx_console.sim.indexer.rows import Message
from dydx_console.state.ages import LIVE_S, PictureState
from dydx_console.state.freshness import Freshness
from dydx_console.venue.indexer.limits import FeedLimits
from dydx_console.venue.indexer.subscriptions import Subscriptions
from dydx_console.venue.indexer.told import ToldOrders
from tests.simulation.memory import Ways
from tests.simulation.truth import differences, held_by_chain
from tests.simulation.world import HOUR_S, SILENT_S, Chances, World
from tests.virtual_time import BEGAN, run_virtually

BOOK = ChannelKey("v4_orderbook", "SOL-USD")
LIMITS = FeedLimits()
QUIET = Chances(
    1, FaultPlan(), 0.0, has_node=False, until_hour_s=HOUR_S / 2, ahead_s=0.0, most={"v4_orderbook": 32}, gap_ms=(0, 0)
)


class Scenario(World):
    """A run without chance: what happens is what the test has happen."""

    def __init__(self, chances: Chances) -> None:
        self.updated_on: set[int] = set()
        self.refused: set[ChannelKey | None] = set()
        super().__init__(chances)

    def take(self, event: ev.Event) -> None:
        """Apply an event, and note which connections tell of the account."""
        if isinstance(event, ev.Frame) and any(isinstance(fact, ev.AccountUpdate) for fact in event.facts):
            self.updated_on.add(event.connection)
        if isinstance(event, ev.Frame):
            self.refused |= {fact.key for fact in event.facts if isinstance(fact, ev.VenueRefusal)}
        super().take(event)

    async def live(self) -> None:
        """Leave it to the test."""
        await self.play()

    async def play(self) -> None:
        """Do what the test is about."""
        raise NotImplementedError

    async def until_well(self, within_s: float = 30.0) -> None:
        """Wait until all is well."""
        async with asyncio.timeout(within_s):
            while not self._is_well():  # noqa: ASYNC110 - there is nothing to wait for but time
                await asyncio.sleep(0.05)

    @property
    def conditions(self) -> list[StreamCondition]:
        """What was told, in order."""
        return [event.what for event in self.told]


def play(scenario: type[Scenario], chances: Chances = QUIET) -> None:
    async def main() -> None:
        assert (await scenario(chances).run()).complaints == []

    run_virtually(main())


def test_a_channel_that_ends_unwanted_without_a_word_of_the_venue_is_told_once() -> None:
    held = Subscriptions(LIMITS, random.Random(1))
    held.want((BOOK,))
    held.due(0.0)
    held.want(())
    held.refused(BOOK, "Internal error, could not fetch data for subscription: v4_orderbook.", 0.1)
    assert (held.take_dropped(), held.take_dropped()) == ((BOOK,), ())


def test_a_market_left_while_the_venue_fails_to_serve_it_holds_the_picture_back_no_longer() -> None:
    class Left(Scenario):
        async def play(self) -> None:
            self.feed.want((BOOK,))
            await self.until_well()
            self.venue.inflict(Kind.SUBSCRIBE_FAILS, self.line.now_ms, 5_000)
            await asyncio.sleep(4.0)
            assert BOOK in self.refused
            self.feed.want(())
            await self.until_well()
            assert self.state.freshness.view(self.now).state is PictureState.LIVE

    play(Left)


@pytest.mark.parametrize("slow_way", [0, 1])
def test_a_time_that_took_long_to_tell_replaces_none_that_came_at_once(slow_way: int) -> None:
    fresh = Freshness()
    fresh.clock(BEGAN + timedelta(seconds=10), 9.95, 10.05)
    read_at = 20.1 + 3.8 * (1 - slow_way)
    fresh.clock(BEGAN + timedelta(seconds=read_at), 20.0, 24.0)
    assert fresh.venue_time(24.0) == BEGAN + timedelta(seconds=24)


@pytest.mark.parametrize(("told_s", "right_s"), [(60.0, 60.0), (5.0, 9.0)])
def test_a_time_that_took_long_to_tell_corrects_a_clock_that_it_proves_wrong(told_s: float, right_s: float) -> None:
    fresh = Freshness()
    fresh.clock(BEGAN + timedelta(seconds=10), 9.95, 10.05)
    fresh.clock(BEGAN + timedelta(seconds=told_s), 20.0, 24.0)
    assert fresh.venue_time(24.0) == BEGAN + timedelta(seconds=right_s)


def test_the_venues_clock_is_asked_again_until_it_is_told_at_once() -> None:
    class Slow(Scenario):
        async def play(self) -> None:
            self.line.ways = Ways(slow_share=1.0, slow_s=6.0)
            await asyncio.sleep(8.0)
            self.line.ways = Ways(slow_share=0.0)
            await asyncio.sleep(60.0)
            told = self.state.freshness.venue_time(self.now)
            assert told is not None
            assert abs(told - self.clock.utc()) < timedelta(seconds=0.3)
            asked = [at for at, path in self.line.counted.requests if path == "/v4/time"]
            assert 2 <= len(asked) <= 8
            await asyncio.sleep(60.0)
            assert [at for at, path in self.line.counted.requests if path == "/v4/time"] == asked

    play(Slow)


def test_a_stream_that_is_deaf_to_the_account_is_found_out_though_the_account_is_read_again_meanwhile() -> None:
    class Deaf(Scenario):
        async def play(self) -> None:
            await self.until_well()
            (session,) = self.venue.socks.sessions
            session.deaf.add((self.key.channel, self.key.id))
            held = held_by_chain(self.venue)
            async with asyncio.timeout(4.0):
                while held_by_chain(self.venue) == held:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.05)
            self.stop_trading()
            await asyncio.sleep(LIMITS.second_reread_s + 2 * LIMITS.audit_s)
            assert StreamCondition.DEAF in self.conditions
            await self.until_well()

    play(Deaf)


def test_an_account_that_spoke_before_it_was_confirmed_is_joined_anew_on_another_connection() -> None:
    class Unconfirmed(Scenario):
        async def play(self) -> None:
            await self.until_well()
            self.venue.inflict(Kind.NO_ACK, self.line.now_ms, 3_000)  # cuts the connection first
            await asyncio.sleep(0.5)
            self.feed.reconnect()
            await asyncio.sleep(2.5)
            spoke_on = self.state.freshness.newest_connection
            assert spoke_on in self.updated_on
            await self.until_well(40.0)
            assert self.state.freshness.newest_connection > spoke_on
            assert StreamCondition.DEAF in self.conditions

    play(Unconfirmed)


def test_a_cancelled_order_is_found_out_though_no_block_and_no_number_shows_the_loss() -> None:
    class Lost(Scenario):
        async def play(self) -> None:
            await self.until_well()
            publish = self.venue.socks.publish

            def lossy(message: Message) -> None:
                rows = message.contents.get("orders")
                if not (isinstance(rows, list) and any(row.get("status") == "BEST_EFFORT_CANCELED" for row in rows)):
                    publish(message)

            self.venue.indexer.outlet.sink = lossy
            await asyncio.sleep(6.0)
            self.stop_trading()
            self.venue.indexer.outlet.sink = publish
            await asyncio.sleep(SILENT_S)
            assert self.conditions[0] is StreamCondition.GAP
            await self.until_well()
            assert differences(self.venue, self.state, self.line.now_ms, ()) == {}

    play(Lost)


@pytest.mark.parametrize(
    ("told", "listed", "height", "unlike"),
    [
        ([], ["OPEN"], 5, {"a"}),
        (["OPEN"], ["OPEN"], 5, set()),
        (["OPEN"], [], 5, {"a"}),
        (["OPEN"], [], 10, set()),
        (["OPEN", "BEST_EFFORT_CANCELED"], [], 5, set()),
        (["OPEN", "BEST_EFFORT_CANCELED"], ["OPEN"], 5, set()),
        ([], ["FILLED"], 5, set()),
    ],
    ids=["untold", "alike", "gone untold", "past its good-til", "gone", "gone first on the stream", "not working"],
)
def test_what_a_stream_told_of_an_order_is_held_against_what_rest_lists(
    told: list[str], listed: list[str], height: int, unlike: set[str]
) -> None:
    orders = ToldOrders()
    orders.take(OrderPatch("a", status=status, good_til_block=10) for status in told)
    rows = [OrderPatch("a", status=status, good_til_block=10) for status in listed]
    assert orders.unlike(rows, orders.working(height), height) == unlike


def test_an_order_that_came_while_rest_was_read_is_not_doubted() -> None:
    orders = ToldOrders()
    before = orders.working(5)
    orders.take([OrderPatch("a", status="OPEN", good_til_block=10)])
    assert orders.unlike((), before, 5) == set()


def test_a_stream_in_health_is_left_alone_for_minutes() -> None:
    class Healthy(Scenario):
        async def play(self) -> None:
            await asyncio.sleep(300.0)
            assert (self.conditions, len(self.line.counted.attempts)) == ([], 1)

    play(Healthy)


def test_a_book_that_changes_while_it_is_joined_is_the_venues_and_called_live_only_then() -> None:
    class Gap(Scenario):
        async def play(self) -> None:
            await self.until_well()
            self.feed.want((BOOK,))
            async with asyncio.timeout(20.0):
                while BOOK.id not in self.state.books:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
            view = self.state.freshness.channel(BOOK, self.now)
            assert view is not None
            assert view.state is PictureState.SYNCING
            await self.until_well()
            self.stop_trading()
            await self._between_blocks()
            assert differences(self.venue, self.state, self.line.now_ms, (BOOK.id,)) == {}
            asked = [path for _, path in self.line.counted.requests if "orderbooks" in path]
            assert asked == [f"/v4/orderbooks/perpetualMarket/{BOOK.id}"]

    play(Gap, replace(QUIET, gap_ms=(3_000, 3_000)))


def test_a_book_that_http_does_not_tell_yet_syncs_and_costs_nothing_else() -> None:
    class Failing(Scenario):
        async def play(self) -> None:
            await self.until_well()
            self.venue.inflict(Kind.REST_FAILS, self.line.now_ms, 8_000, 500)
            self.feed.want((BOOK,))
            await asyncio.sleep(6.0)
            states = {view.key: view.state for view in self.state.freshness.view(self.now).channels}
            assert (states[BOOK], states[self.key]) == (PictureState.SYNCING, PictureState.LIVE)
            await self.until_well()
            assert len(self.line.counted.attempts) == 1

    play(Failing)


def test_a_halt_among_the_first_blocks_makes_no_old_picture_live() -> None:
    fresh = Freshness()
    for height, block_s in ((1, 0), (2, 1), (3, 21)):
        fresh.block(None, height, BEGAN + timedelta(seconds=block_s), float(block_s))
    assert fresh.live_limit_s == LIVE_S
    fresh.block(None, 4, BEGAN + timedelta(seconds=22), 22.0)
    assert fresh.live_limit_s == LIVE_S

"""What takes minutes or hours on a wire, in virtual time: an Indexer that trails, and hundreds of resets."""

import asyncio
import random
from collections import Counter, deque
from dataclasses import replace

import pytest
from alive import alive

from dydx_console.domain import events as ev
from dydx_console.domain.stream import StreamCondition as C
from dydx_console.sim.faults import Faults
from dydx_console.sim.faults.kinds import Kind
from dydx_console.state.ages import BEST_FIRST, PictureState, state_by_age
from dydx_console.venue.indexer.limits import FeedLimits
from tests.simulation.test_mended import QUIET, Scenario, play
from tests.simulation.truth import differences

LOOK_S = 0.1
TOLD_S = 1.0
"""A state is shown within so long of the moment from which on it is so."""
CLOCK_S = 0.2
"""So far the venue's clock may be misjudged over a wire that takes up to 80 ms."""
LAGS = (0, 2, 3, 5, 10, 11, 20, 30, 31, 60, 100, 40, 10, 3, 0)
RESETS = 500


def rank(state: PictureState) -> int:
    return BEST_FIRST.index(state)


@pytest.mark.nightly
@pytest.mark.parametrize("has_node", [True, False], ids=["with a node", "without a node"])
def test_an_indexer_that_falls_up_to_a_hundred_blocks_behind_is_shown_as_late_as_it_is_at_any_moment(
    has_node: bool,
) -> None:
    class Trailing(Scenario):
        async def play(self) -> None:
            self.late: deque[float] = deque(maxlen=round(TOLD_S / LOOK_S))
            await self.until_well()
            shown: set[PictureState] = set()
            for lag in LAGS:
                self.venue.faults = Faults(indexer_lag_blocks=lag)
                until = self.now + max(lag, 5) + 3.0
                while self.now < until:
                    await asyncio.sleep(LOOK_S)
                    shown.add(self.shown_as_it_is())
            assert shown >= {PictureState.LIVE, PictureState.DELAYED, PictureState.STALE, PictureState.OFFLINE}
            await self.until_well()
            told = [what for what in self.conditions if what is not C.RESTORED]
            assert set(told) == {C.INDEXER_BEHIND if has_node else C.INDEXER_STILL}
            assert len(told) == len(self.conditions) - len(told), "told once, and once when it is over"
            assert len(self.line.counted.attempts) == 1, "nothing is connected to anew"

        def shown_as_it_is(self) -> PictureState:
            """Hold what is shown of the account against how late the Indexer was within the last second; return it."""
            view = self.state.freshness.channel(self.key, self.now)
            assert view is not None
            self.late.append((self.line.now_ms - self.venue.comlink.store.time_ms) / 1000)
            limit_s = self.state.freshness.live_limit_s
            assert rank(state_by_age(min(self.late), limit_s)) <= rank(view.state), (self.late, view)
            assert rank(view.state) <= rank(state_by_age(max(self.late) + CLOCK_S, limit_s)), (self.late, view)
            return view.state

    play(Trailing, replace(QUIET, has_node=has_node))


def test_while_stream_and_http_are_gone_the_age_goes_on_and_the_words_follow_it_within_a_second() -> None:
    gone_ms = 45_000

    class Gone(Scenario):
        async def play(self) -> None:
            await self.until_well()
            for kind in (Kind.HANDSHAKE_UNANSWERED, Kind.REST_UNANSWERED):
                self.venue.inflict(kind, self.line.now_ms, gone_ms)
            self.venue.inflict(Kind.RESET, self.line.now_ms, 0)
            self.line.turn()
            last_s, until = self.line.now_ms / 1000, self.now + gone_ms / 1000 - 2.0
            seen: list[PictureState] = []
            while self.now < until:
                await asyncio.sleep(LOOK_S)
                view = self.state.freshness.channel(self.key, self.now)
                assert view is not None
                assert view.age_s is not None
                gone_s = self.line.now_ms / 1000 - last_s
                assert gone_s - TOLD_S <= view.age_s <= gone_s + 2 * TOLD_S, "blocks come every second"
                limit_s = self.state.freshness.live_limit_s
                assert view.state is not PictureState.LIVE or view.age_s <= limit_s
                assert rank(state_by_age(max(gone_s - TOLD_S, 0.0), limit_s)) <= rank(view.state)
                seen += [] if seen[-1:] == [view.state] else [view.state]
            assert seen[-3:] == [PictureState.DELAYED, PictureState.STALE, PictureState.OFFLINE]
            await self.until_well(60.0)

    play(Gone)


def held_by_feed() -> Counter[str]:
    """Return how many objects of the feed and of what it is watched by are alive, by type."""
    return alive("dydx_console.venue.", "dydx_console.state.connections", "dydx_console.state.sequence", "_asyncio")


@pytest.mark.nightly
def test_five_hundred_resets_in_a_row_end_in_the_truth_and_leave_nothing_behind() -> None:
    class Reset(Scenario):
        limits = FeedLimits(first_delay_s=0.05, longest_delay_s=0.2, attempts_before_polling=10 * RESETS)

        async def play(self) -> None:
            rng = random.Random(5)
            self.feed.want((ev.ChannelKey(ev.BOOK_CHANNEL, "SOL-USD"),))
            await self.until_well()
            held, tasks = held_by_feed(), len(asyncio.all_tasks())
            for _ in range(RESETS):
                self.venue.inflict(Kind.RESET, self.line.now_ms, 0)
                self.line.turn()
                await asyncio.sleep(rng.uniform(0.0, 0.6))
            await self.until_well(60.0)
            assert self.state.freshness.view(self.now).reconnects >= RESETS // 2
            self.stop_trading()
            await self._between_blocks()
            assert differences(self.venue, self.state, self.line.now_ms, ("SOL-USD",)) == {}
            grown = held_by_feed() - held
            assert {name: more for name, more in grown.items() if more > 20} == {}
            assert len(asyncio.all_tasks()) <= tasks + 5
            assert len(self.state.freshness._connections) <= 3

        def _sum_up(self) -> None:
            """Leave out that nobody connects and reads so often: here somebody cuts as often."""
            super()._sum_up()
            self.outcome.complaints = [text for text in self.outcome.complaints if " in 10 s:" not in text]

    play(Reset)

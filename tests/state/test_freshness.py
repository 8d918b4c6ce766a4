"""How old the picture is: states by age, what must be read again, and what may never be called live."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from builders import at_height
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.events import ChannelKey
from dydx_console.state.ages import DELAYED_S, LIVE_S, STALE_S, PictureState, state_by_age
from dydx_console.state.freshness import ChannelView, Freshness
from dydx_console.state.sequence import HOLE_PATIENCE_S

ACCOUNT = ChannelKey("v4_parent_subaccounts", "a/0")
BOOK = ChannelKey("v4_orderbook", "BTC-USD")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
P = PictureState


def joined(*keys: ChannelKey, connection: int = 1, at: float = 0.0) -> Freshness:
    fresh = Freshness()
    fresh.opened(connection, at)
    fresh.ready(connection, at)
    for key in keys:
        fresh.subscribing(key, connection, at, is_account=key == ACCOUNT)
        fresh.subscribed(key, connection, at, is_account=key == ACCOUNT)
    return fresh


def block(fresh: Freshness, height: int, at: float, connection: int | None = 1) -> None:
    fresh.block(connection, height, EPOCH + timedelta(seconds=at), at)


def state(fresh: Freshness, key: ChannelKey, at: float) -> PictureState:
    view = fresh.channel(key, at)
    assert view is not None
    return view.state


@pytest.mark.parametrize(
    ("age", "want"),
    [
        (0.0, P.LIVE),
        (LIVE_S, P.LIVE),
        (3.1, P.DELAYED),
        (DELAYED_S, P.DELAYED),
        (11.0, P.STALE),
        (STALE_S, P.STALE),
        (31.0, P.OFFLINE),
    ],
)
def test_states_by_age(age: float, want: PictureState) -> None:
    assert state_by_age(age, LIVE_S) == want
    fresh = joined(BOOK)
    block(fresh, 1, 100.0)
    assert state(fresh, BOOK, 100.0 + age) == want


def test_slow_blocks_stretch_what_is_live() -> None:
    fresh = joined(BOOK)
    for number in range(4):
        block(fresh, number, 5.0 * number)
    assert fresh.block_interval_s == 5.0
    assert state(fresh, BOOK, 15.0 + 14.9) == P.LIVE
    assert state(fresh, BOOK, 15.0 + 15.1) == P.STALE
    assert state_by_age(14.0, 15.0) == P.LIVE


def test_the_block_interval_does_not_depend_on_the_order_of_blocks() -> None:
    fresh = joined(BOOK)
    for height in (4, 1, 9, 1, 2):
        fresh.block(1, height, at_height(2 * height), 100.0)
    assert fresh.block_interval_s == 2.0
    for height in range(100):
        fresh.block(None, height + 10, at_height(height), 0.0)
    assert Freshness().block_interval_s is None


def test_a_channel_syncs_until_it_is_answered_and_a_block_is_proven() -> None:
    fresh = Freshness()
    fresh.opened(1, 0.0)
    fresh.subscribing(BOOK, 1, 0.0, is_account=False)
    assert state(fresh, BOOK, 0.0) == P.SYNCING
    fresh.subscribed(BOOK, 1, 0.0, is_account=False)
    assert state(fresh, BOOK, 0.0) == P.SYNCING
    block(fresh, 1, 1.0)
    assert state(fresh, BOOK, 1.0) == P.LIVE
    assert fresh.channel(ACCOUNT, 0.0) is None


def test_an_account_syncs_until_it_is_read_again_and_anew_after_every_answer() -> None:
    fresh = joined(ACCOUNT, BOOK)
    block(fresh, 1, 1.0)
    assert (state(fresh, ACCOUNT, 1.0), state(fresh, BOOK, 1.0)) == (P.SYNCING, P.LIVE)
    fresh.resynced(1, 1.0)
    assert state(fresh, ACCOUNT, 1.0) == P.LIVE
    fresh.subscribed(ACCOUNT, 1, 2.0, is_account=True)
    assert state(fresh, ACCOUNT, 2.0) == P.SYNCING
    fresh.resynced(2, 2.0)
    assert state(fresh, ACCOUNT, 2.0) == P.SYNCING


def test_an_open_hole_makes_every_channel_of_the_connection_suspect() -> None:
    fresh = joined(ACCOUNT, BOOK)
    for number in (0, 1, 3):
        assert fresh.accept(1, number, 1.0)
    block(fresh, 1, 6.5)
    fresh.resynced(1, 1.0)
    assert state(fresh, ACCOUNT, 1.0 + HOLE_PATIENCE_S - 0.1) == P.LIVE
    late = 1.0 + HOLE_PATIENCE_S
    assert (state(fresh, ACCOUNT, late), state(fresh, BOOK, late)) == (P.SUSPECT, P.SUSPECT)
    assert [hole.message_id for hole in fresh.holes(late)] == [2]
    assert fresh.view(late).gaps == 1
    fresh.resynced(1, late)
    assert (state(fresh, ACCOUNT, late), state(fresh, BOOK, late)) == (P.LIVE, P.SUSPECT)
    assert fresh.view(late).gaps == 1
    fresh.subscribed(BOOK, 1, late, is_account=False)
    assert state(fresh, BOOK, late) == P.LIVE


def test_an_answer_that_is_awaited_raises_no_suspicion_but_not_for_ever() -> None:
    fresh = joined(BOOK)
    fresh.accept(1, 0, 1.0)
    fresh.subscribing(ACCOUNT, 1, 1.0, is_account=True)
    fresh.accept(1, 2, 1.5)
    assert fresh.holes(20.0) == ()
    assert len(fresh.holes(60.0)) == 1


def test_a_refused_subscription_is_no_loss_and_what_was_held_goes_on() -> None:
    fresh = joined(BOOK)
    block(fresh, 1, 9.5)
    fresh.accept(1, 0, 1.0)
    fresh.subscribing(BOOK, 1, 1.0, is_account=False)
    assert state(fresh, BOOK, 9.5) == P.LIVE
    fresh.excused(1, 1, 1.1)
    fresh.refused(BOOK, 1)
    fresh.refused(None, 1)
    fresh.refused(ACCOUNT, 1)
    fresh.accept(1, 2, 1.2)
    assert (fresh.holes(9.5), state(fresh, BOOK, 9.5)) == ((), P.LIVE)


def test_an_account_message_that_could_not_be_read_makes_it_suspect_until_the_re_read() -> None:
    fresh = joined(ACCOUNT, BOOK)
    block(fresh, 1, 1.0)
    fresh.resynced(1, 1.0)
    fresh.rejected(ACCOUNT)
    fresh.rejected(None)
    fresh.rejected(ChannelKey("http", "/v4/orders"))
    assert (state(fresh, ACCOUNT, 1.0), state(fresh, BOOK, 1.0)) == (P.SUSPECT, P.LIVE)
    assert fresh.view(1.0).rejected == 3
    fresh.resynced(1, 1.0)
    assert state(fresh, ACCOUNT, 1.0) == P.LIVE


def test_a_closed_connection_is_never_live() -> None:
    fresh = joined(BOOK, ACCOUNT)
    block(fresh, 1, 1.0)
    fresh.closed(1, 1.0)
    assert (state(fresh, BOOK, 1.0), state(fresh, ACCOUNT, 1.0)) == (P.DELAYED, P.SYNCING)
    assert state(fresh, ACCOUNT, 1.0 + STALE_S + 1) == P.OFFLINE
    assert fresh.view(1.0).connected_since is None


def test_what_is_missing_when_a_connection_ends_is_counted_once() -> None:
    fresh = joined(BOOK)
    fresh.accept(1, 0, 1.0)
    fresh.accept(1, 4, 1.0)
    fresh.closed(1, 1.5)
    fresh.closed(1, 1.6)
    assert (fresh.view(60.0).gaps, fresh.holes(60.0)) == (3, ())


def test_a_later_connection_takes_a_channel_over() -> None:
    fresh = joined(BOOK)
    block(fresh, 1, 1.0)
    fresh.counted(BOOK)
    fresh.counted(None)
    fresh.counted(ACCOUNT)
    fresh.closed(1, 2.0)
    fresh.opened(2, 3.0)
    fresh.subscribed(BOOK, 2, 3.0, is_account=False)
    fresh.subscribing(BOOK, 1, 3.0, is_account=False)
    fresh.subscribed(BOOK, 1, 3.0, is_account=False)
    assert state(fresh, BOOK, 3.0) == P.SYNCING
    block(fresh, 2, 3.0, connection=2)
    view = fresh.view(3.0)
    assert (view.state, view.reconnects, view.channels[0].messages) == (P.LIVE, 1, 1)


def test_a_channel_that_was_left_does_not_count_unless_all_were() -> None:
    fresh = joined(ACCOUNT, BOOK)
    block(fresh, 1, 1.0)
    fresh.unsubscribed(ACCOUNT)
    fresh.unsubscribed(ChannelKey("v4_trades", "X"))
    assert fresh.view(1.0).state == P.LIVE
    fresh.unsubscribed(BOOK)
    assert fresh.view(1.0).state == P.SYNCING
    fresh.subscribing(BOOK, 1, 2.0, is_account=False)
    assert state(fresh, BOOK, 2.0) == P.SYNCING
    assert Freshness().view(0.0).state == P.SYNCING


def test_the_measured_clock_stands_over_blocks() -> None:
    fresh = joined(BOOK)
    assert fresh.venue_time(1.0) is None
    fresh.block(1, 1, EPOCH + timedelta(seconds=50), 10.0)
    fresh.block(1, 2, EPOCH + timedelta(seconds=51), 12.0)
    assert fresh.venue_time(12.0) == EPOCH + timedelta(seconds=52)
    fresh.clock(EPOCH + timedelta(seconds=100), 20.0, 22.0)
    fresh.block(1, 1, EPOCH + timedelta(seconds=500), 22.0)
    fresh.block(1, 1, EPOCH + timedelta(seconds=400), 22.0)
    assert fresh.venue_time(21.0) == EPOCH + timedelta(seconds=100)
    assert fresh.view(21.0).age_s == 0.0


@given(
    st.sampled_from(list(PictureState)),
    st.none() | st.floats(0, 100),
    st.floats(0, 60),
    st.floats(0, 60),
    st.sampled_from([3.0, 15.0]),
)
def test_later_only_ages(start: PictureState, age: float | None, one: float, two: float, limit: float) -> None:
    order = [P.LIVE, P.DELAYED, P.STALE, P.OFFLINE]
    view = ChannelView(BOOK, start, age, 1, limit)
    first, second = view.later(one), view.later(one + two)
    if age is None or start not in order:
        assert first.state == start
        return
    assert first.age_s == age + one
    assert order.index(start) <= order.index(first.state) <= order.index(second.state)
    assert Decimal(first.live_limit_s) == Decimal(limit)

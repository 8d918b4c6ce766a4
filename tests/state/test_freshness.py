"""How old the picture is: states by age, what must be read again, and what may never be called live."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from builders import at_height
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain import events as ev
from dydx_console.domain.events import ChannelKey
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.market import Market, OraclePrice
from dydx_console.domain.stream import StreamCondition
from dydx_console.state.ages import DELAYED_S, LIVE_S, STALE_S, PictureState, state_by_age
from dydx_console.state.console import ConsoleState
from dydx_console.state.freshness import MOST_LEFT, ChannelView, Freshness
from dydx_console.state.pace import ChainState
from dydx_console.state.sequence import HOLE_PATIENCE_S

ACCOUNT = ChannelKey("v4_parent_subaccounts", "a/0")
TRADES = ChannelKey("v4_trades", "BTC-USD")
MARKETS = ChannelKey("v4_markets")
BLOCKS = ChannelKey("v4_block_height")
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
    fresh = joined(TRADES)
    block(fresh, 1, 100.0)
    assert state(fresh, TRADES, 100.0 + age) == want


def test_slow_blocks_stretch_what_is_live() -> None:
    fresh = joined(TRADES)
    for number in range(4):
        block(fresh, number, 5.0 * number)
    assert fresh.block_interval_s == 5.0
    assert state(fresh, TRADES, 15.0 + 14.9) == P.LIVE
    assert state(fresh, TRADES, 15.0 + 15.1) == P.STALE
    assert state_by_age(14.0, 15.0) == P.LIVE


def test_the_block_interval_does_not_depend_on_the_order_of_blocks() -> None:
    fresh = joined(TRADES)
    for height in (4, 1, 9, 1, 2):
        fresh.block(1, height, at_height(2 * height), 100.0)
    assert fresh.block_interval_s == 2.0
    for height in range(100):
        fresh.block(None, height + 10, at_height(height), 0.0)
    assert Freshness().block_interval_s is None


def test_a_channel_syncs_until_it_is_answered_and_a_block_is_proven() -> None:
    fresh = Freshness()
    fresh.opened(1, 0.0)
    fresh.subscribing(TRADES, 1, 0.0, is_account=False)
    assert state(fresh, TRADES, 0.0) == P.SYNCING
    fresh.subscribed(TRADES, 1, 0.0, is_account=False)
    assert state(fresh, TRADES, 0.0) == P.SYNCING
    block(fresh, 1, 1.0)
    assert state(fresh, TRADES, 1.0) == P.LIVE
    assert fresh.channel(ACCOUNT, 0.0) is None


def test_an_account_syncs_until_it_is_read_again_and_anew_after_every_answer() -> None:
    fresh = joined(ACCOUNT, TRADES)
    block(fresh, 1, 1.0)
    assert (state(fresh, ACCOUNT, 1.0), state(fresh, TRADES, 1.0)) == (P.SYNCING, P.LIVE)
    fresh.resynced(1, 1.0)
    assert state(fresh, ACCOUNT, 1.0) == P.LIVE
    fresh.subscribed(ACCOUNT, 1, 2.0, is_account=True)
    assert state(fresh, ACCOUNT, 2.0) == P.SYNCING
    fresh.resynced(2, 2.0)
    assert state(fresh, ACCOUNT, 2.0) == P.SYNCING


def test_an_open_hole_makes_every_channel_of_the_connection_suspect() -> None:
    fresh = joined(ACCOUNT, TRADES)
    for number in (0, 1, 3):
        assert fresh.accept(1, number, 1.0)
    block(fresh, 1, 6.5)
    fresh.resynced(1, 1.0)
    assert state(fresh, ACCOUNT, 1.0 + HOLE_PATIENCE_S - 0.1) == P.LIVE
    late = 1.0 + HOLE_PATIENCE_S
    assert (state(fresh, ACCOUNT, late), state(fresh, TRADES, late)) == (P.SUSPECT, P.SUSPECT)
    assert [hole.message_id for hole in fresh.holes(late)] == [2]
    assert fresh.view(late).gaps == 1
    fresh.resynced(1, late)
    assert (state(fresh, ACCOUNT, late), state(fresh, TRADES, late)) == (P.LIVE, P.SUSPECT)
    assert fresh.view(late).gaps == 1
    fresh.subscribed(TRADES, 1, late, is_account=False)
    assert state(fresh, TRADES, late) == P.LIVE


def test_an_answer_that_is_awaited_raises_no_suspicion_but_not_for_ever() -> None:
    fresh = joined(TRADES)
    fresh.accept(1, 0, 1.0)
    fresh.subscribing(ACCOUNT, 1, 1.0, is_account=True)
    fresh.accept(1, 2, 1.5)
    assert fresh.holes(20.0) == ()
    assert len(fresh.holes(60.0)) == 1


def test_a_refused_subscription_is_no_loss_and_what_was_held_goes_on() -> None:
    fresh = joined(TRADES)
    block(fresh, 1, 9.5)
    fresh.accept(1, 0, 1.0)
    fresh.subscribing(TRADES, 1, 1.0, is_account=False)
    assert state(fresh, TRADES, 9.5) == P.LIVE
    fresh.excused(1, 1, 1.1)
    fresh.refused(TRADES, 1)
    fresh.refused(None, 1)
    fresh.refused(ACCOUNT, 1)
    fresh.accept(1, 2, 1.2)
    assert (fresh.holes(9.5), state(fresh, TRADES, 9.5)) == ((), P.LIVE)


def test_an_account_message_that_could_not_be_read_makes_it_suspect_until_the_re_read() -> None:
    fresh = joined(ACCOUNT, TRADES)
    block(fresh, 1, 1.0)
    fresh.resynced(1, 1.0)
    fresh.rejected(ACCOUNT)
    fresh.rejected(None)
    fresh.rejected(ChannelKey("http", "/v4/orders"))
    assert (state(fresh, ACCOUNT, 1.0), state(fresh, TRADES, 1.0)) == (P.SUSPECT, P.LIVE)
    assert fresh.view(1.0).rejected == 3
    fresh.resynced(1, 1.0)
    assert state(fresh, ACCOUNT, 1.0) == P.LIVE


def test_a_closed_connection_is_never_live() -> None:
    fresh = joined(TRADES, ACCOUNT)
    block(fresh, 1, 1.0)
    fresh.closed(1, 1.0)
    assert (state(fresh, TRADES, 1.0), state(fresh, ACCOUNT, 1.0)) == (P.DELAYED, P.SYNCING)
    assert state(fresh, ACCOUNT, 1.0 + STALE_S + 1) == P.OFFLINE
    assert fresh.view(1.0).connected_since is None


def test_what_is_missing_when_a_connection_ends_is_counted_once() -> None:
    fresh = joined(TRADES)
    fresh.accept(1, 0, 1.0)
    fresh.accept(1, 4, 1.0)
    fresh.closed(1, 1.5)
    fresh.closed(1, 1.6)
    assert (fresh.view(60.0).gaps, fresh.holes(60.0)) == (3, ())


def test_a_later_connection_takes_a_channel_over() -> None:
    fresh = joined(TRADES)
    block(fresh, 1, 1.0)
    fresh.counted(TRADES)
    fresh.counted(None)
    fresh.counted(ACCOUNT)
    fresh.closed(1, 2.0)
    fresh.opened(2, 3.0)
    fresh.ready(2, 3.0)
    fresh.subscribed(TRADES, 2, 3.0, is_account=False)
    fresh.subscribing(TRADES, 1, 3.0, is_account=False)
    fresh.subscribed(TRADES, 1, 3.0, is_account=False)
    assert state(fresh, TRADES, 3.0) == P.SYNCING
    block(fresh, 2, 3.0, connection=2)
    view = fresh.view(3.0)
    assert (view.state, view.reconnects, view.channels[0].messages) == (P.LIVE, 1, 1)


def test_a_channel_that_was_left_does_not_count_unless_all_were() -> None:
    fresh = joined(ACCOUNT, TRADES)
    block(fresh, 1, 1.0)
    fresh.unsubscribed(ACCOUNT)
    fresh.unsubscribed(ChannelKey("v4_trades", "X"))
    assert fresh.view(1.0).state == P.LIVE
    fresh.unsubscribed(TRADES)
    assert fresh.view(1.0).state == P.SYNCING
    fresh.subscribing(TRADES, 1, 2.0, is_account=False)
    assert state(fresh, TRADES, 2.0) == P.SYNCING
    assert Freshness().view(0.0).state == P.SYNCING


def test_a_channel_that_was_dropped_with_its_connection_does_not_count_and_a_newer_one_does() -> None:
    fresh = joined(ACCOUNT, TRADES)
    fresh.dropped(ChannelKey("v4_trades", "X"), 9)
    fresh.closed(1, 1.0)
    fresh.opened(2, 1.0)
    fresh.subscribing(TRADES, 2, 1.0, is_account=False)
    fresh.subscribed(TRADES, 2, 1.0, is_account=False)
    fresh.dropped(TRADES, 1)
    block(fresh, 90, 90.0, connection=2)
    assert state(fresh, TRADES, 90.0) == P.LIVE
    fresh.dropped(ACCOUNT, 2)
    assert fresh.view(90.0).state == P.LIVE


def test_the_measured_clock_stands_over_blocks() -> None:
    fresh = joined(TRADES)
    assert fresh.venue_time(1.0) is None
    fresh.block(1, 1, EPOCH + timedelta(seconds=50), 10.0)
    fresh.block(1, 2, EPOCH + timedelta(seconds=51), 12.0)
    assert fresh.venue_time(12.0) == EPOCH + timedelta(seconds=52)
    fresh.clock(EPOCH + timedelta(seconds=100), 20.0, 22.0)
    fresh.block(1, 1, EPOCH + timedelta(seconds=500), 22.0)
    fresh.block(1, 1, EPOCH + timedelta(seconds=400), 22.0)
    assert fresh.venue_time(21.0) == EPOCH + timedelta(seconds=100)
    assert fresh.view(21.0).age_s == 0.0


def holed(*keys: ChannelKey) -> Freshness:
    """Return a watch over a connection that has lost message 2, noticed at 1 s and counted from then on."""
    fresh = joined(*keys)
    for number in (0, 1, 3):
        fresh.accept(1, number, 1.0)
    fresh.resynced(1, 0.5)
    return fresh


def test_what_was_joined_anew_after_a_loss_misses_nothing_and_the_rest_stays_suspect() -> None:
    fresh, late = holed(TRADES, MARKETS), 1.0 + HOLE_PATIENCE_S
    block(fresh, 1, late)
    assert fresh.suspects(1, late) == (TRADES, MARKETS)
    fresh.unsubscribed(TRADES, 1)
    fresh.subscribing(TRADES, 1, late, is_account=False)
    fresh.subscribed(TRADES, 1, late, is_account=False)
    assert fresh.suspects(1, late) == (MARKETS,)
    assert (state(fresh, TRADES, late), state(fresh, MARKETS, late), fresh.view(late).gaps) == (P.LIVE, P.SUSPECT, 1)
    fresh.subscribing(MARKETS, 1, late, is_account=False)
    fresh.subscribed(MARKETS, 1, late, is_account=False)
    assert (fresh.suspects(1, late), fresh.holes(late), fresh.view(late).gaps) == ((), (), 1)
    assert fresh.view(late).state == P.LIVE


def test_contents_asked_for_before_the_loss_showed_do_not_heal_it() -> None:
    fresh = joined(TRADES)
    fresh.subscribing(MARKETS, 1, 0.5, is_account=False)
    for number in (0, 1, 4):
        fresh.accept(1, number, 1.0)
    fresh.subscribed(MARKETS, 1, 1.5, is_account=False)
    late = 1.0 + HOLE_PATIENCE_S
    assert set(fresh.suspects(1, late)) == {TRADES, MARKETS}


def test_the_account_read_again_leaves_suspect_what_was_not_joined_since() -> None:
    fresh, late = holed(ACCOUNT, TRADES, MARKETS), 1.0 + HOLE_PATIENCE_S
    fresh.subscribing(TRADES, 1, late, is_account=False)
    fresh.subscribed(TRADES, 1, late, is_account=False)
    fresh.resynced(1, late)
    assert fresh.suspects(1, late) == (MARKETS,)


def test_nothing_is_suspect_on_a_connection_that_has_ended_or_never_was() -> None:
    fresh = holed(TRADES)
    fresh.closed(1, 2.0)
    assert (fresh.suspects(1, 60.0), fresh.suspects(7, 60.0)) == ((), ())


def two_lanes() -> Freshness:
    """Return a watch over the account's connection 1 and a further connection 2 with a book, each with its blocks."""
    fresh = joined(BLOCKS, ACCOUNT)
    fresh.resynced(1, 0.0)
    fresh.opened(2, 1.0, lane=1)
    fresh.ready(2, 1.0)
    for key in (BLOCKS, TRADES):
        fresh.subscribing(key, 2, 1.0, is_account=False)
        fresh.subscribed(key, 2, 1.0, is_account=False)
    block(fresh, 1, 2.0, connection=1)
    block(fresh, 1, 2.0, connection=2)
    return fresh


def test_a_further_connection_is_not_the_accounts_and_no_reconnect() -> None:
    fresh = two_lanes()
    view = fresh.view(2.0)
    assert (fresh.newest_connection, view.connected_since, view.reconnects) == (1, 0.0, 0)
    assert [channel.key for channel in view.channels] == [BLOCKS, ACCOUNT, TRADES]
    assert {channel.state for channel in view.channels} == {P.LIVE}


def test_every_channel_is_as_old_as_its_own_connections_blocks() -> None:
    fresh = two_lanes()
    block(fresh, 9, 10.0, connection=1)
    assert (state(fresh, ACCOUNT, 10.0), state(fresh, BLOCKS, 10.0), state(fresh, TRADES, 10.0)) == (
        P.LIVE,
        P.LIVE,
        P.DELAYED,
    )
    fresh.closed(2, 10.0)
    assert (state(fresh, ACCOUNT, 10.0), fresh.is_connected) == (P.LIVE, True)
    fresh.opened(3, 11.0, lane=1)
    fresh.ready(3, 11.0)
    assert (fresh.newest_connection, fresh.view(11.0).reconnects) == (1, 1)
    fresh.closed(1, 12.0)
    assert (fresh.is_connected, fresh.newest_ended, fresh.view(12.0).connected_since) == (False, 1, None)


def test_a_hole_on_one_connection_leaves_the_other_alone() -> None:
    fresh = two_lanes()
    fresh.accept(2, 5, 2.0)
    late = 2.0 + HOLE_PATIENCE_S
    block(fresh, 5, late, connection=1)
    block(fresh, 5, late, connection=2)
    assert (state(fresh, ACCOUNT, late), state(fresh, TRADES, late)) == (P.LIVE, P.SUSPECT)
    assert (fresh.suspects(1, late), fresh.suspects(2, late)) == ((), (TRADES,))


def test_block_messages_are_counted_over_reconnects() -> None:
    fresh = joined(BLOCKS)
    fresh.counted(BLOCKS, 1)
    fresh.closed(1, 1.0)
    fresh.opened(2, 2.0)
    fresh.subscribing(BLOCKS, 2, 2.0, is_account=False)
    fresh.counted(BLOCKS, 2)
    fresh.counted(BLOCKS, 9)
    assert fresh.view(2.0).channels[0].messages == 2


def test_what_is_read_by_http_is_called_so_while_it_is_young_and_by_its_age_afterwards() -> None:
    fresh = joined(BLOCKS, ACCOUNT, MARKETS)
    block(fresh, 1, 0.0)
    fresh.resynced(1, 0.0)
    fresh.closed(1, 1.0)
    fresh.polling(is_on=True)
    assert fresh.view(20.0).fallback == "POLLING"
    fresh.polled((BLOCKS, ACCOUNT), EPOCH + timedelta(seconds=19))
    view = fresh.view(20.0)
    assert [(channel.state, channel.age_s) for channel in view.channels] == [
        (P.POLLING, 1.0),
        (P.POLLING, 1.0),
        (P.STALE, 20.0),
    ]
    assert state(fresh, ACCOUNT, 19.0 + DELAYED_S) == P.POLLING
    assert state(fresh, ACCOUNT, 19.0 + DELAYED_S + 0.1) == P.STALE
    assert view.channels[1].later(9.0).state == P.POLLING
    assert view.channels[1].later(9.1).state == P.STALE
    assert view.channels[1].later(60.0).state == P.OFFLINE
    fresh.polling(is_on=False)
    assert (fresh.view(20.0).fallback, state(fresh, ACCOUNT, 20.0)) == (None, P.STALE)


def test_a_stream_that_is_better_than_polling_is_shown_as_what_it_is() -> None:
    fresh = joined(ACCOUNT)
    block(fresh, 1, 0.0)
    fresh.polling(is_on=True)
    fresh.polled((ACCOUNT,), EPOCH)
    assert state(fresh, ACCOUNT, 1.0) == P.POLLING
    fresh.resynced(1, 1.0)
    assert state(fresh, ACCOUNT, 1.0) == P.LIVE


def test_without_any_connection_the_polled_picture_has_its_channels() -> None:
    fresh = Freshness()
    fresh.opened(1, 0.0)
    fresh.closed(1, 0.0)
    fresh.polling(is_on=True)
    fresh.block(None, 5, EPOCH + timedelta(seconds=5), 5.5)
    fresh.polled((BLOCKS, ACCOUNT, MARKETS), EPOCH + timedelta(seconds=5))
    assert {channel.key: channel.state for channel in fresh.view(6.0).channels} == {
        BLOCKS: P.POLLING,
        ACCOUNT: P.POLLING,
        MARKETS: P.POLLING,
    }


def test_an_account_read_on_a_connection_that_has_ended_proves_nothing() -> None:
    fresh = joined(ACCOUNT)
    fresh.closed(1, 1.0)
    fresh.resynced(1, 2.0)
    assert fresh.view(2.0).resyncs == 0


def test_a_channel_that_is_denied_is_offline_until_it_is_answered() -> None:
    fresh = joined(MARKETS)
    block(fresh, 1, 1.0)
    fresh.subscribing(ACCOUNT, 1, 1.0, is_account=True)
    fresh.denied(ACCOUNT, 7)
    assert state(fresh, ACCOUNT, 1.0) == P.SYNCING
    fresh.denied(ACCOUNT, 1)
    fresh.denied(TRADES, 1)
    assert (state(fresh, ACCOUNT, 1.0), state(fresh, MARKETS, 1.0)) == (P.OFFLINE, P.LIVE)
    fresh.subscribed(ACCOUNT, 1, 2.0, is_account=True)
    fresh.resynced(1, 2.0)
    assert state(fresh, ACCOUNT, 2.0) == P.LIVE


def halted(until: int, *, node_until: int | None = None) -> Freshness:
    """Return a watch over a chain whose Indexer stands at second 9, and whose node was asked until `until`."""
    fresh = joined(TRADES)
    for second in range(10):
        block(fresh, second, float(second))
    for second in range(until + 1):
        head = min(second, 9) if node_until is None else min(second, node_until)
        fresh.node_block(EPOCH + timedelta(seconds=head), float(second))
    return fresh


def test_a_halted_chain_is_called_so_and_its_age_grows() -> None:
    assert state(halted(18), TRADES, 18.0) == P.DELAYED
    view = halted(30).channel(TRADES, 30.0)
    assert view is not None
    assert (view.state, view.age_s) == (P.CHAIN_HALTED, 21.0)
    assert halted(30).pace(30.0).state is ChainState.HALTED


def test_only_an_open_connection_and_a_node_that_stands_too_make_a_halt() -> None:
    assert state(halted(30, node_until=30), TRADES, 30.0) == P.STALE
    assert halted(30, node_until=30).pace(30.0).state is ChainState.BEHIND
    assert state(halted(30), TRADES, 60.0) == P.OFFLINE
    cut = halted(30)
    cut.closed(1, 30.0)
    assert state(cut, TRADES, 30.0) == P.STALE


def test_a_node_that_stands_while_the_indexer_goes_on_halts_nothing() -> None:
    fresh = joined(TRADES)
    for second in range(40):
        block(fresh, second, float(second))
        fresh.node_block(EPOCH + timedelta(seconds=5), float(second))
    assert (state(fresh, TRADES, 39.0), fresh.pace(39.0).state) == (P.LIVE, ChainState.MOVING)


def test_what_befell_the_stream_is_shown_until_it_is_over() -> None:
    fresh = Freshness()
    assert fresh.pace(0.0).state is ChainState.UNKNOWN
    fresh.changed(StreamCondition.CLOSED, 0, ())
    fresh.changed(StreamCondition.POLLING, 0, ())
    fresh.changed(StreamCondition.CLOSED, 1, ())
    assert fresh.view(0.0).trouble is StreamCondition.CLOSED
    fresh.changed(StreamCondition.RESTORED, 1, (StreamCondition.CLOSED,))
    assert fresh.view(0.0).trouble is StreamCondition.POLLING
    fresh.changed(StreamCondition.RESTORED, 0, (StreamCondition.CLOSED, StreamCondition.POLLING))
    assert fresh.view(0.0).trouble is None


def test_nothing_grows_with_the_number_of_connections_or_of_channels_looked_at() -> None:
    fresh = Freshness()
    for number in range(1, 1_000):
        fresh.opened(number, float(number))
        fresh.ready(number, float(number))
        key = ChannelKey("v4_trades", f"M{number}")
        for wanted in (BLOCKS, ACCOUNT, key):
            fresh.subscribing(wanted, number, float(number), is_account=wanted == ACCOUNT)
            fresh.subscribed(wanted, number, float(number), is_account=wanted == ACCOUNT)
        fresh.unsubscribed(key, number)
        fresh.closed(number, number + 0.5)
    assert fresh.view(1_000.0).reconnects == 998
    assert len(fresh.view(1_000.0).channels) == 2 + MOST_LEFT
    assert len(fresh._connections) <= 2 + MOST_LEFT


def test_prices_read_by_http_stand_over_a_stream_that_has_ended_and_under_the_next() -> None:
    console = ConsoleState(None)

    def price() -> Decimal | None:
        market = console.markets.get("BTC-USD")
        return None if market is None else market.oracle_price

    def streamed(connection: int, value: str) -> None:
        console.apply(
            ev.OracleUpdate(StreamVersion(connection, 5), (OraclePrice("BTC-USD", Decimal(value), None, 1, None),))
        )

    def read(value: str) -> None:
        console.apply(ev.MarketsRead((Market("BTC-USD", oracle_price=Decimal(value)),), 1.0))

    console.apply(ev.ConnectionOpened(1, 0.0))
    streamed(1, "100")
    read("90")
    assert price() == 100
    console.apply(ev.ConnectionClosed(1, 1006, "", 1.0))
    read("90")
    assert price() == 90
    console.apply(ev.ConnectionOpened(2, 2.0))
    streamed(2, "80")
    read("95")
    assert price() == 80


@given(
    st.sampled_from(list(PictureState)),
    st.none() | st.floats(0, 100),
    st.floats(0, 60),
    st.floats(0, 60),
    st.sampled_from([3.0, 15.0]),
)
def test_later_only_ages(start: PictureState, age: float | None, one: float, two: float, limit: float) -> None:
    order = [P.LIVE, P.DELAYED, P.STALE, P.OFFLINE]
    view = ChannelView(TRADES, start, age, 1, limit)
    first, second = view.later(one), view.later(one + two)
    if age is None or start not in order:
        assert first.state == start or (start is P.POLLING and first.state in order)
        return
    assert first.age_s == age + one
    assert order.index(start) <= order.index(first.state) <= order.index(second.state)
    assert Decimal(first.live_limit_s) == Decimal(limit)

"""Which channel goes to which connection."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.events import ChannelKey
from dydx_console.venue.indexer.allotment import Allotment

BLOCKS = ChannelKey("v4_block_height")
ACCOUNT = ChannelKey("v4_parent_subaccounts", "a/0")
MOST = {"v4_trades": 2, "v4_orderbook": 3, "v4_parent_subaccounts": 256}
KEYS = [ChannelKey(channel, str(number)) for channel in ("v4_trades", "v4_orderbook") for number in range(8)]


def test_the_account_comes_first_and_what_has_no_room_goes_to_further_connections() -> None:
    shares = Allotment(MOST).allot([ACCOUNT, *KEYS[:5]], [0])
    assert shares == [
        (BLOCKS, ACCOUNT, KEYS[0], KEYS[1]),
        (BLOCKS, KEYS[2], KEYS[3]),
        (BLOCKS, KEYS[4]),
    ]


def test_a_channel_never_returns_to_a_connection_older_than_its_last() -> None:
    allotment = Allotment(MOST)
    allotment.allot([ACCOUNT, *KEYS[:3]], [1])
    allotment.allot([ACCOUNT], [1, 2])
    assert allotment.allot([ACCOUNT, KEYS[2]], [1, 2])[1] == (BLOCKS, KEYS[2])
    allotment.allot([ACCOUNT], [1, 2])
    assert allotment.allot([ACCOUNT, KEYS[2]], [3, 2])[0] == (BLOCKS, ACCOUNT, KEYS[2])


@given(st.lists(st.tuples(st.sets(st.sampled_from(KEYS)), st.booleans()), min_size=1, max_size=12))
def test_no_connection_carries_more_than_it_takes_and_what_stays_wanted_stays_where_it_is(
    turns: list[tuple[set[ChannelKey], bool]],
) -> None:
    allotment = Allotment(MOST)
    connections, newest = [1], 1
    before: dict[ChannelKey, int] = {}
    last_on: dict[ChannelKey, int] = {}
    for wanted, reconnects in turns:
        shares = allotment.allot([ACCOUNT, *sorted(wanted)], connections)
        while len(connections) < len(shares):
            newest += 1
            connections.append(newest)
        now = {key: lane for lane, share in enumerate(shares) for key in share if key != BLOCKS}
        assert set(now) == {ACCOUNT, *wanted}
        assert now[ACCOUNT] == 0
        for lane, share in enumerate(shares):
            assert share[0] == BLOCKS
            counts = Counter(key.channel for key in share[1:])
            assert all(count <= MOST[channel] for channel, count in counts.items()), lane
        for key, lane in now.items():
            assert before.get(key, lane) == lane
            assert connections[lane] >= last_on.get(key, 0)
            last_on[key] = connections[lane]
        before = now
        if reconnects:
            newest += 1
            connections[0] = newest

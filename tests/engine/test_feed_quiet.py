"""Which channels are joined anew because they have been quiet for long."""

from dydx_console.domain.events import ChannelKey
from dydx_console.venue.indexer.quiet import LONGEST_S, Quietness

MARKETS = ChannelKey("v4_markets")
BOOK = ChannelKey("v4_orderbook", "BTC-USD")
OTHERS = (ChannelKey("v4_block_height"), ChannelKey("v4_parent_subaccounts", "a/0"))


def test_a_quiet_channel_is_joined_anew_and_the_patience_with_it_grows_until_it_speaks() -> None:
    quiet = Quietness(15.0)
    quiet.heard_at[MARKETS] = 0.0
    keys, joined = (MARKETS, BOOK), []
    for second in range(600):
        if quiet.due(keys, float(second)):
            joined.append(second)
            quiet.heard_at[MARKETS] = second + 0.1
    gaps = [later - earlier for earlier, later in zip([0, *joined], joined, strict=False)]
    assert gaps[:4] == [16, 31, 61, 121]
    assert max(gaps) <= LONGEST_S + 1
    quiet.heard_at[MARKETS] = 610.0
    assert quiet.due(keys, 624.9) == ()
    assert quiet.due(keys, 625.1) == (MARKETS,)


def test_what_speaks_is_left_alone_and_accounts_and_blocks_are_watched_otherwise() -> None:
    quiet = Quietness(15.0)
    for second in range(100):
        quiet.heard_at[BOOK] = float(second)
        assert quiet.due((BOOK, *OTHERS), second + 5.0) == ()
    quiet.heard_at.update(dict.fromkeys(OTHERS, 0.0))
    assert quiet.due((BOOK, *OTHERS), 200.0) == (BOOK,)


def test_a_channel_that_is_no_longer_wanted_is_forgotten() -> None:
    quiet = Quietness(15.0)
    quiet.heard_at[BOOK] = 0.0
    assert quiet.due((BOOK,), 20.0) == (BOOK,)
    quiet.forget((MARKETS,))
    assert quiet.heard_at == {}
    quiet.heard_at[BOOK] = 30.0
    assert quiet.due((BOOK,), 44.0) == ()
    assert quiet.due((BOOK,), 46.0) == (BOOK,)

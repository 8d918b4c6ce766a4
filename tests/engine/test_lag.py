"""What is shown of an Indexer that is so many blocks behind the node, block by block."""

from datetime import timedelta

import pytest
from builders import START

from dydx_console.domain import events as ev
from dydx_console.domain.chain import BlockHead
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.stream import StreamCondition
from dydx_console.engine.watching import ChainWatch
from dydx_console.ports.clock import SystemClock
from dydx_console.state.ages import PictureState
from dydx_console.state.console import ConsoleState
from dydx_console.state.snapshot import snapshot_of

P = PictureState
NEWEST, BEFORE, MOST = 1_000, 20, 100
BLOCKS = ev.ChannelKey("v4_block_height")


class At(SystemClock):
    """A clock that stands."""

    def __init__(self, at: float) -> None:
        self._at = at

    def monotonic(self) -> float:
        """Return where it stands."""
        return self._at


def trailing(lag: int, block_s: float) -> tuple[ConsoleState, float]:
    """Return a console whose Indexer stands `lag` blocks behind the node's newest block, and the moment of that."""
    state, height = ConsoleState(None), NEWEST
    state.apply(ev.ConnectionOpened(1, 0.0))
    state.apply(ev.ConnectionReady(1, "c", 0.0))
    state.apply(ev.Subscribed(StreamVersion(1, 0), BLOCKS, 0.0))
    for told in range(height - lag - BEFORE, height - lag + 1):
        time = START + timedelta(seconds=told * block_s)
        state.apply(ev.BlockHeight(StreamVersion(1, told), told, time, told * block_s))
    now = height * block_s
    state.apply(ev.NodeHead(BlockHead(height, START + timedelta(seconds=now), "node.test"), now))
    state.apply(ev.TimeRead(START + timedelta(seconds=now), now, now))
    return state, now


@pytest.mark.parametrize(
    ("block_s", "last_of", "told_from"),
    [
        (0.5, {P.LIVE: 6, P.DELAYED: 20, P.STALE: 60}, 21),
        (1.0, {P.LIVE: 3, P.DELAYED: 10, P.STALE: 30}, 11),
        (2.0, {P.LIVE: 3, P.DELAYED: 5, P.STALE: 15}, 6),
        (5.0, {P.LIVE: 3, P.STALE: 6}, 4),
    ],
)
def test_an_indexer_up_to_a_hundred_blocks_behind_the_node_is_called_as_late_as_it_is(
    block_s: float, last_of: dict[PictureState, int], told_from: int
) -> None:
    for lag in range(MOST + 1):
        state, now = trailing(lag, block_s)
        told: list[ev.Event] = []
        ChainWatch(state.freshness, told.append, At(now)).look()
        view = state.freshness.channel(BLOCKS, now)
        assert view is not None
        want = next((held for held, last in last_of.items() if lag <= last), P.OFFLINE)
        assert (view.state, view.age_s) == (want, pytest.approx(lag * block_s, abs=1e-6)), lag
        shown = snapshot_of(state, now, 1)
        assert (shown.stream.state, shown.node.lag_blocks) == (want, lag)
        what = [event.what for event in told if isinstance(event, ev.StreamChanged)]
        assert what == ([StreamCondition.INDEXER_BEHIND] if lag >= told_from else [])

"""What is known of the node, and what its head means for the age of the picture."""

from datetime import UTC, datetime, timedelta

import pytest

from dydx_console.domain import events as ev
from dydx_console.domain.chain import BlockHead, NodeInfo
from dydx_console.domain.ids import StreamVersion
from dydx_console.state.console import ConsoleState, Section
from dydx_console.state.freshness import PictureState
from dydx_console.state.node import NO_NODE, NodeWatch
from dydx_console.state.snapshot import snapshot_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
INFO = NodeInfo("node:443", "dydx-testnet-4", "9.6.0")


def head(height: int, *, seconds: float = 0.0, chain_id: str | None = "dydx-testnet-4") -> BlockHead:
    return BlockHead(height, NOON + timedelta(seconds=seconds), "node:443", chain_id)


def test_nothing_is_known_before_a_node_has_spoken() -> None:
    assert NodeWatch().view(5.0, 100) == NO_NODE


@pytest.mark.parametrize(("indexer", "lag"), [(100, 3), (103, 0), (105, -2), (None, None)])
def test_how_far_the_indexer_trails(indexer: int | None, lag: int | None) -> None:
    watch = NodeWatch()
    watch.head(head(103), 10.0)
    view = watch.view(12.5, indexer)
    assert (view.height, view.lag_blocks, view.age_s) == (103, lag, 2.5)


def test_a_failure_is_told_until_the_next_head_and_leaves_what_was_heard() -> None:
    watch = NodeWatch()
    watch.head(head(103), 10.0)
    watch.failed("node:443: refused")
    assert (watch.view(11.0, None).failure, watch.view(11.0, None).height) == ("node:443: refused", 103)
    watch.head(head(104), 12.0)
    assert watch.view(12.0, None).failure is None


def test_the_chain_of_the_newest_block_stands_over_what_the_node_said_of_itself() -> None:
    watch = NodeWatch()
    watch.checked(INFO, False, ("BOUND", "same"), None)
    assert watch.view(0.0, None).chain_id == "dydx-testnet-4"
    watch.head(head(5, chain_id="dydx-mainnet-1"), 1.0)
    assert watch.view(1.0, None).chain_id == "dydx-mainnet-1"
    watch.head(head(6, chain_id=None), 2.0)
    assert watch.view(2.0, None).chain_id == "dydx-testnet-4"


def test_events_of_the_node_change_its_section_alone_and_reach_the_snapshot() -> None:
    state = ConsoleState(None)
    assert state.apply(ev.NodeHead(head(7), 1.0)).sections == {Section.NODE}
    checked = ev.NodeChecked(INFO, True, ("MISMATCH", "apart"), "not on one chain", 2.0)
    assert state.apply(checked).sections == {Section.NODE}
    failed = state.apply(ev.NodeFailed("no answer", 3.0))
    assert failed.sections == {Section.NODE}
    assert [problem.text for problem in failed.problems] == ["no answer"]
    node = snapshot_of(state, 4.0, 1).node
    assert (node.height, node.version, node.syncing) == (7, "9.6.0", True)
    assert (node.binding, node.binding_reason, node.contradiction) == ("MISMATCH", "apart", "not on one chain")
    assert (node.failure, node.age_s) == ("no answer", 3.0)


@pytest.mark.parametrize(
    ("node_s", "age_s", "state"),
    [
        (None, 0.5, PictureState.LIVE),
        (1.0, 1.0, PictureState.LIVE),
        (-4.0, 0.5, PictureState.LIVE),
        (7.0, 7.0, PictureState.DELAYED),
        (20.0, 20.0, PictureState.STALE),
        (90.0, 90.0, PictureState.OFFLINE),
    ],
)
def test_a_picture_that_trails_the_node_is_as_old_as_it_trails(
    node_s: float | None, age_s: float, state: PictureState
) -> None:
    console, key = ConsoleState(None), ev.ChannelKey("v4_block_height")
    console.apply(ev.ConnectionOpened(1, 0.0))
    console.apply(ev.SubscribeSent(1, key, False, 0.1))
    console.apply(ev.Subscribed(StreamVersion(1, 1), key, 0.2))
    console.apply(ev.TimeRead(NOON, 9.5, 9.5))
    console.apply(ev.BlockHeight(StreamVersion(1, 2), 100, NOON, 9.5))
    if node_s is not None:
        console.apply(ev.NodeHead(head(101, seconds=node_s), 9.9))
    view = console.freshness.channel(key, 10.0)
    assert view is not None
    assert (view.age_s, view.state) == (pytest.approx(age_s), state)


def test_of_a_height_that_was_told_twice_differently_nothing_is_told() -> None:
    console = ConsoleState(None)
    for height, seconds in ((100, 0), (101, 1), (101, 2), (102, 3)):
        console.apply(ev.HeightRead(height, NOON + timedelta(seconds=seconds), 1.0))
    assert console.freshness.told() == {100: NOON, 102: NOON + timedelta(seconds=3)}

"""What is told of the chain's own pace, and how what befell the stream is worded for a person."""

from datetime import UTC, datetime, timedelta

import pytest

from dydx_console.domain.events import Event, StreamChanged
from dydx_console.domain.stream import StreamCondition as C
from dydx_console.engine.notices import stream_notice
from dydx_console.engine.publish import Publisher
from dydx_console.engine.watching import ChainWatch, KnownLosses
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.notices import Level
from dydx_console.state.ages import PictureState
from dydx_console.state.console import ConsoleState
from dydx_console.state.freshness import Freshness
from dydx_console.venue.indexer.telling import StreamTeller

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Watching:
    """A watch over a connection with blocks each second, and what it told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.fresh = Freshness()
        self.told: list[StreamChanged] = []
        self.watch = ChainWatch(self.fresh, self.take, self.clock)
        self.fresh.opened(1, 0.0)
        self.fresh.ready(1, 0.0)

    def take(self, event: Event) -> None:
        assert isinstance(event, StreamChanged)
        self.told.append(event)
        self.fresh.changed(event.what, event.lane, event.over)

    def pass_time(self, since: int, until: int, *, indexer: int | None = None, node: int | None = None) -> None:
        """Let seconds pass in which Indexer and node stand at a block, or follow the clock where none is given."""
        for second in range(since, until):
            self.clock.move_to(float(second))
            block = second if indexer is None else indexer
            self.fresh.block(1, block, EPOCH + timedelta(seconds=block), float(second))
            if node != -1:
                head = second if node is None else node
                self.fresh.node_block(EPOCH + timedelta(seconds=head), float(second))
            self.watch.look()

    def conditions(self) -> list[C]:
        return [event.what for event in self.told]


def test_nothing_is_told_of_a_chain_that_goes_on() -> None:
    watching = Watching()
    watching.pass_time(0, 60)
    assert watching.told == []


def test_an_indexer_behind_the_node_is_told_once_and_when_it_has_caught_up() -> None:
    watching = Watching()
    watching.pass_time(0, 10)
    watching.pass_time(10, 40, indexer=9)
    assert watching.conditions() == [C.INDEXER_BEHIND]
    assert "trails the chain by" in watching.told[0].text
    assert watching.fresh.view(39.0).trouble is C.INDEXER_BEHIND
    watching.pass_time(40, 44, indexer=35)
    assert watching.conditions() == [C.INDEXER_BEHIND]
    watching.pass_time(44, 46)
    assert watching.conditions() == [C.INDEXER_BEHIND, C.RESTORED]
    assert watching.told[1].over == (C.INDEXER_BEHIND,)
    assert watching.fresh.view(45.0).trouble is None


def test_a_halted_chain_is_told_as_such_and_not_as_a_late_indexer() -> None:
    watching = Watching()
    watching.pass_time(0, 10)
    watching.pass_time(10, 18, indexer=9, node=9)
    assert watching.told == []
    watching.pass_time(18, 700, indexer=9, node=9)
    assert watching.conditions() == [C.CHAIN_HALTED]
    watching.pass_time(700, 705)
    assert watching.conditions() == [C.CHAIN_HALTED, C.RESTORED]


def test_without_a_node_only_the_indexers_own_silence_is_told() -> None:
    watching = Watching()
    watching.pass_time(0, 10, node=-1)
    watching.pass_time(10, 40, indexer=9, node=-1)
    assert watching.conditions() == [C.INDEXER_STILL]


def test_a_stream_that_is_cut_off_says_nothing_of_the_indexer() -> None:
    watching = Watching()
    watching.pass_time(0, 10, node=-1)
    watching.fresh.closed(1, 10.0)
    for second in range(10, 60):
        watching.clock.move_to(float(second))
        watching.watch.look()
    assert watching.told == []


def test_a_node_that_is_heard_no_more_says_nothing_of_now() -> None:
    watching = Watching()
    watching.pass_time(0, 10)
    watching.pass_time(10, 24, indexer=9, node=-1)
    assert watching.told == []
    watching.pass_time(24, 40, indexer=9, node=-1)
    assert watching.conditions() == [C.INDEXER_STILL]


def test_the_losses_that_the_state_knows_are_those_of_this_moment() -> None:
    clock, fresh = ManualClock(), Freshness(hole_patience_s=5.0)
    assert KnownLosses(fresh, clock).suspects(1) == ()


@pytest.mark.parametrize(
    ("what", "level", "stays"),
    [
        (C.RESTORED, Level.INFO, False),
        (C.HALF_OPEN, Level.WARNING, False),
        (C.POLLING, Level.WARNING, False),
        (C.BLOCKED, Level.ERROR, True),
        (C.DENIED, Level.ERROR, True),
        (C.CHAIN_HALTED, Level.ERROR, True),
    ],
)
def test_a_notice_matters_as_much_as_what_it_tells(what: C, level: Level, stays: bool) -> None:
    notice = stream_notice(StreamChanged(what, "It is so.", 1.0), EPOCH)
    assert (notice.text, notice.level, notice.stays) == ("It is so.", level, stays)


@pytest.mark.parametrize(("tells", "notices"), [(True, 1), (False, 0)])
def test_what_befalls_the_stream_reaches_the_mailbox_as_a_notice(tells: bool, notices: int) -> None:
    mailbox = Mailbox()
    publisher = Publisher(ConsoleState(None), mailbox, ManualClock(), tells=tells)
    publisher.take(StreamChanged(C.HALF_OPEN, "The connection is dead", 1.0))
    publisher.publish()
    taken = mailbox.take()
    assert [notice.text for notice in taken.notices] == ["The connection is dead."] * notices
    assert publisher.state.freshness.view(1.0).trouble is C.HALF_OPEN
    assert publisher.state.freshness.view(1.0).state is PictureState.SYNCING


def test_a_trouble_is_told_once_until_all_is_well_and_what_is_denied_stays_so() -> None:
    told: list[StreamChanged] = []
    lines: list[str] = []
    clock = ManualClock()
    teller = StreamTeller(1, told.append, clock, lines.append)  # type: ignore[arg-type]
    teller.restored()
    teller.denied("account", "not for you")
    teller.denied("account", "not for you")
    teller.restored()
    assert [event.what for event in told] == [C.DENIED]
    for _ in range(3):
        teller.trouble(C.CLOSED, "it broke")
    teller.trouble(C.CLOSED, "it broke otherwise")
    clock.move_to(9.0)
    teller.restored()
    teller.trouble(C.CLOSED, "it broke")
    assert [event.what for event in told] == [C.DENIED, C.CLOSED, C.RESTORED, C.CLOSED]
    assert told[2].over == (C.CLOSED,)
    assert told[2].text == "The stream is whole again after 9 s (further channels, connection 2)"
    assert [line for line in lines if "otherwise" in line] == ["CLOSED: it broke otherwise"]
    teller.granted("account")
    teller.granted("account")
    assert (told[-1].what, told[-1].over, len(told)) == (C.RESTORED, (C.DENIED,), 5)


@pytest.mark.parametrize(("lasted_s", "told"), [(0.0, ""), (0.99, ""), (1.0, " after 1 s"), (61.4, " after 61 s")])
def test_a_trouble_of_less_than_a_second_has_no_length(lasted_s: float, told: str) -> None:
    events: list[StreamChanged] = []
    clock = ManualClock()
    teller = StreamTeller(0, events.append, clock, lambda _line: None)  # type: ignore[arg-type]
    teller.trouble(C.GAP, "a block is missing")
    clock.move_to(lasted_s)
    teller.restored()
    assert events[-1].text == f"The stream is whole again{told}"

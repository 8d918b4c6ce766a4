"""Lost messages: those that may still come are told apart, so that the others can be counted for ever."""

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.events import ChannelKey
from dydx_console.state.freshness import Freshness
from dydx_console.state.sequence import HOLE_PATIENCE_S

ACCOUNT = ChannelKey("v4_parent_subaccounts", "a/0")
LATE = HOLE_PATIENCE_S + 1.0


def opened(number: int, at: float, fresh: Freshness) -> None:
    fresh.opened(number, at)
    fresh.subscribing(ACCOUNT, number, at, is_account=True)
    fresh.subscribed(ACCOUNT, number, at, is_account=True)


def test_a_hole_is_open_until_it_is_filled_or_given_up() -> None:
    fresh = Freshness()
    opened(1, 0.0, fresh)
    fresh.accept(1, 0, 0.0)
    fresh.accept(1, 3, 0.0)
    view = fresh.view(LATE)
    assert (view.gaps, view.open_gaps) == (2, 2)
    fresh.accept(1, 1, LATE)
    view = fresh.view(LATE)
    assert (view.gaps, view.open_gaps) == (1, 1)
    fresh.resynced(1, LATE)
    view = fresh.view(LATE)
    assert (view.gaps, view.open_gaps) == (1, 0)


STEPS = st.one_of(
    st.tuples(st.just("accept"), st.integers(0, 12)),
    st.tuples(st.sampled_from(["read", "new", "close"]), st.just(0)),
)


@given(st.lists(STEPS, max_size=40))
def test_what_is_lost_for_good_never_gets_less(steps: list[tuple[str, int]]) -> None:
    fresh, number, at = Freshness(), 1, 0.0
    opened(number, at, fresh)
    before = 0
    for what, message_id in steps:
        at += LATE / 2
        if what == "accept":
            fresh.accept(number, message_id, at)
        elif what == "read":
            fresh.resynced(number, at)
        elif what == "close":
            fresh.closed(number, at)
        else:
            fresh.closed(number, at)
            number += 1
            opened(number, at, fresh)
        view = fresh.view(at)
        lost = view.gaps - view.open_gaps
        assert lost >= before
        assert view.open_gaps >= 0
        before = lost

"""What a person is told of budgets and breakers: each trouble once, its end once, and nothing per retry."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain import events as ev
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.engine.notices import CALM_S, LimitsTeller
from dydx_console.engine.publish import Publisher
from dydx_console.ports.clock import ManualClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.ports.notices import Level
from dydx_console.state.console import ConsoleState
from dydx_console.state.limits import LimitsView

AT = datetime(2026, 11, 21, tzinfo=UTC)
FREE = Budget("venue", "get", 100, 40, 10.0, AT, 0, 0.0)
SHORT = replace(FREE, remaining=0, waiting=7, expected_wait_s=12.4)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def breaker(group: str, state: BreakerState, text: str = "HTTP 503") -> BreakerStatus:
    return BreakerStatus(group, state, 5, None, text)


def told(teller: LimitsTeller, now: float, *, budgets: Sequence[Budget] = (), breakers: Sequence[BreakerStatus] = ()) \
        -> list[tuple[str, Level]]:  # fmt: skip
    notices = teller.look(LimitsView(tuple(budgets), tuple(breakers)), now, AT)
    assert all(notice.at == AT and not notice.stays for notice in notices)
    return [(notice.text, notice.level) for notice in notices]


def test_a_budget_that_is_used_up_is_told_with_the_wait_and_its_end_after_a_quiet_window() -> None:
    teller = LimitsTeller()
    assert told(teller, 0.0, budgets=(FREE, SHORT)) == [("REST budget used up: reads wait about 12 s.", Level.WARNING)]
    assert told(teller, 1.0, budgets=(FREE, replace(SHORT, expected_wait_s=29.0))) == []
    assert told(teller, 12.0, budgets=(FREE,)) == []
    assert told(teller, 13.0, budgets=(SHORT,)) == [], "the next window is used up as well"
    assert told(teller, 20.0, budgets=(FREE,)) == []
    assert told(teller, 20.0 + CALM_S - 0.1, budgets=(FREE,)) == []
    assert told(teller, 20.0 + CALM_S, budgets=(FREE,)) == [("REST budget is back: reads wait no longer.", Level.INFO)]
    assert told(teller, 60.0, budgets=(FREE,)) == []
    assert len(told(teller, 61.0, budgets=(SHORT,))) == 1, "another time is another trouble"


def test_a_short_wait_and_a_reserve_that_is_kept_are_not_worth_a_word() -> None:
    teller = LimitsTeller()
    assert told(teller, 0.0, budgets=(replace(SHORT, expected_wait_s=1.9),)) == []
    assert told(teller, 1.0, budgets=(replace(FREE, remaining=15, expected_wait_s=8.0),)) == []


def test_a_host_that_asks_to_be_left_alone_is_told_although_reads_do_not_queue() -> None:
    closed = replace(FREE, remaining=0, expected_wait_s=30.0)
    assert told(LimitsTeller(), 0.0, budgets=(closed,)) == [
        ("REST budget used up: reads wait about 30 s.", Level.WARNING)
    ]


def test_a_group_that_fails_is_told_once_however_often_it_is_tried() -> None:
    teller = LimitsTeller()
    assert told(teller, 0.0, breakers=(breaker("fills", OPEN),)) == [
        (
            "The Indexer keeps failing for fills (HTTP 503): what is shown keeps its age, and it is asked again by "
            "itself.",
            Level.WARNING,
        )
    ]
    for state in (HALF_OPEN, OPEN, HALF_OPEN, OPEN, HALF_OPEN):
        assert told(teller, 1.0, breakers=(breaker("fills", state, "no answer in time"),)) == []
    assert told(teller, 2.0, breakers=(breaker("fills", CLOSED, ""),)) == [
        ("The Indexer answers for fills again.", Level.INFO)
    ]
    assert told(teller, 3.0, breakers=(breaker("fills", CLOSED, ""),)) == []


def test_groups_that_fail_together_share_a_notice() -> None:
    teller = LimitsTeller()
    down = [breaker("account", OPEN), breaker("fills", OPEN), breaker("funding", OPEN, "no answer in time")]
    ((text, _),) = told(teller, 0.0, breakers=down)
    assert text.startswith(
        "The Indexer keeps failing for the account, fills and funding payments (HTTP 503; no answer in time): "
    )
    ((text, _),) = told(teller, 1.0, breakers=[*down[:1], *(replace(held, state=CLOSED) for held in down[1:])])
    assert text == "The Indexer answers for fills and funding payments again."


@given(st.lists(st.tuples(st.sampled_from(["fills", "orders"]), st.sampled_from(BreakerState)), max_size=40))
def test_beginnings_and_ends_alternate(turns: list[tuple[str, BreakerState]]) -> None:
    teller = LimitsTeller()
    states = dict.fromkeys(("fills", "orders"), CLOSED)
    for group, state in turns:
        was_open = states[group] is not CLOSED
        states[group] = state
        texts = [text for text, _ in told(teller, 0.0, breakers=[breaker(*held) for held in states.items()])]
        if was_open == (state is not CLOSED):
            assert texts == []
        else:
            (text,) = texts
            assert group in text
            assert ("again." in text) == was_open


def test_the_publisher_tells_what_it_publishes_and_a_silent_one_does_not() -> None:
    for tells in (True, False):
        mailbox, clock = Mailbox(), ManualClock()
        publisher = Publisher(ConsoleState(None), mailbox, clock, tells=tells)
        publisher.publish()
        publisher.take(ev.BudgetsTold((SHORT,), 0.0))
        publisher.take(ev.BreakerChanged(breaker("fills", OPEN), CLOSED, 0.0))
        publisher.publish()
        publisher.publish()
        texts = [notice.text.split(":")[0] for notice in mailbox.take().notices]
        assert texts == (["REST budget used up", "The Indexer keeps failing for fills (HTTP 503)"] if tells else [])

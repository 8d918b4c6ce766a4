"""Pages of a history: any walk shows what stands there, and late answers count for nothing."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.history_help import NOW, record, shelf
from tui.shelf import NOT_THERE, FakeDesk, Shelf

from dydx_console.ports.journal import History, HistoryQuery
from dydx_console.tui.asking import SLOW_S, Asking
from dydx_console.tui.history_reading import FRESH_S, Reading
from dydx_console.tui.history_tabs import TABS
from dydx_console.tui.paging import PAGE_ROWS, Pager

ORDERS, _, FUNDING, TRANSFERS, LIVES = TABS
STEPS = ("next", "previous", "first", "last")


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def answered(running: Coroutine[Any, Any, Any]) -> Any:
    try:
        running.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def walked(pager: Pager, page: Any, step: str, count: int) -> Pager:
    if step == "first":
        return Pager()
    if step == "last":
        return Pager.last(count)
    return (pager.next(page) if step == "next" else pager.previous(page)) or pager


@given(
    st.integers(min_value=0, max_value=230),
    st.booleans(),
    st.lists(st.sampled_from(STEPS), max_size=12),
    st.integers(min_value=1, max_value=4),
)
def test_any_walk_shows_the_rows_that_stand_there(count: int, oldest_first: bool, steps: list[str], same: int) -> None:
    """`same` rows share a moment, so that only their names tell them apart."""
    rows = [record(number) for number in range(count)]
    rows = [type(row)(row.order, row.shown, NOW - timedelta(hours=n // same), NOW) for n, row in enumerate(rows)]
    history = Shelf({History.ORDERS: rows})
    query = HistoryQuery(oldest_first=oldest_first)
    wanted = answered(history.orders(HistoryQuery(oldest_first=oldest_first, limit=10_000))).rows
    pages = max((count - 1) // PAGE_ROWS, 0)
    pager, number = Pager(), 0
    page = answered(history.orders(pager.question(query)))
    for step in steps:
        pager = walked(pager, page, step, count)
        page = answered(history.orders(pager.question(query)))
        number = {"next": min(number + 1, pages), "previous": max(number - 1, 0), "first": 0, "last": pages}[step]
        assert pager.rows(page) == wanted[number * PAGE_ROWS : (number + 1) * PAGE_ROWS]
        assert pager.first_row(page, count) == number * PAGE_ROWS + 1


def reading(desk: FakeDesk, tab: Any = ORDERS, clock: Hands | None = None) -> Reading:
    made = Reading(tab, desk, clock or Hands())
    made.begin()
    return made


def settled(shown: Reading) -> Reading:
    while shown.look() or shown.look():
        pass
    return shown


def names(shown: Reading) -> list[str]:
    return [row.order.id for row in shown.rows]


def test_a_late_answer_to_an_older_question_is_dropped() -> None:
    desk = FakeDesk(shelf(), is_held=True)
    shown = reading(desk)
    shown.search("order-7")
    shown.search("order-71")
    desk.release()
    shown.look()
    assert names(shown) == ["order-71"]
    assert shown.count is None
    desk.release()
    shown.look()
    assert (shown.count, shown.first_row) == (1, 1)
    assert desk.questions == 4


def test_pages_wanted_before_the_first_came_are_turned_one_after_another() -> None:
    desk = FakeDesk(shelf(), is_held=True)
    shown = reading(desk)
    shown.turn(1)
    shown.turn(1)
    for _ in range(3):
        desk.release()
        shown.look()
    assert names(shown)[0] == "order-100"
    assert shown.first_row == 101


def test_beyond_the_edges_nothing_is_asked() -> None:
    desk = FakeDesk(shelf())
    shown = settled(reading(desk))
    asked = desk.questions
    shown.turn(-1)
    assert desk.questions == asked
    shown.edge(is_last=True)
    settled(shown)
    assert (shown.first_row, len(shown.rows)) == (151, 20)
    shown.turn(1)
    assert len(settled(shown).rows) == 20
    shown.turn(-2)
    assert settled(shown).first_row == 51


def test_the_last_page_is_waited_for_until_the_rows_are_counted() -> None:
    desk = FakeDesk(shelf(), is_held=True)
    shown = reading(desk)
    desk.release()
    shown.look()
    shown.edge(is_last=True)
    assert names(shown)[0] == "order-0"
    desk.release()
    shown.look()
    desk.release()
    shown.look()
    assert names(shown)[-1] == "order-169"


def test_a_page_that_can_grow_is_asked_for_again_and_is_then_no_other_page() -> None:
    clock, history = Hands(), shelf()
    shown = settled(reading(FakeDesk(history), clock=clock))
    history.rows[History.ORDERS] = [record(500), record(-1), *history.rows[History.ORDERS]]
    shown.look()
    assert (shown.count, shown.shown) == (170, 1)
    clock.now += 2 * FRESH_S
    settled(shown)
    assert (names(shown)[0], shown.count, shown.shown) == ("order--1", 172, 1)
    shown.turn(1)
    settled(shown)
    clock.now += 2 * FRESH_S
    history.rows[History.ORDERS] = history.rows[History.ORDERS][:-1]
    settled(shown)
    assert (shown.first_row, shown.count, shown.shown) == (51, 171, 2)


@pytest.mark.parametrize(("tab", "kind"), [(FUNDING, "funding"), (TRANSFERS, "transfers"), (LIVES, "lives")])
def test_every_kind_turns_round(tab: Any, kind: str) -> None:
    shown = settled(reading(FakeDesk(shelf()), tab))
    newest = shown.rows
    assert len(newest) == shown.count
    shown.flip()
    assert settled(shown).rows == newest[::-1], kind


def test_without_a_journal_it_says_so_and_tries_again() -> None:
    clock, desk = Hands(), FakeDesk()
    shown = settled(reading(desk, clock=clock))
    assert (shown.failure, shown.rows, shown.first_row) == (NOT_THERE, (), None)
    desk.shelf = shelf()
    clock.now += 2 * FRESH_S
    settled(shown)
    assert (shown.failure, shown.count) == (None, 170)


def test_a_filter_that_cannot_be_read_leaves_the_rows_as_they_are() -> None:
    shown = settled(reading(FakeDesk(shelf())))
    shown.filter("status:filled", (), NOW)
    assert settled(shown).count == 43
    shown.filter("status:nonsense", (), NOW)
    assert settled(shown).count == 43
    assert shown.problem is not None
    assert "allowed are" in shown.problem
    shown.clear()
    assert (settled(shown).count, shown.problem, shown.words) == (170, None, "")


def test_it_is_slow_after_a_tenth_of_a_second_and_a_dead_engine_is_told() -> None:
    clock, desk = Hands(), FakeDesk(shelf(), is_held=True)
    asking: Asking[int] = Asking(desk, clock)
    asking.ask(lambda history: history.count(History.ORDERS, HistoryQuery()))
    assert (asking.is_waiting, asking.is_slow) == (True, False)
    clock.now += 2 * SLOW_S
    assert asking.is_slow
    for future, _ in desk._held:
        future.cancel()
    assert asking.take() is None
    assert asking.failure is not None
    assert "ended" in asking.failure
    assert not asking.is_waiting


def test_what_no_journal_raises_is_not_hidden() -> None:
    desk = FakeDesk(shelf(), is_held=True)
    asking: Asking[int] = Asking(desk, Hands())
    asking.ask(lambda history: history.count(History.ORDERS, HistoryQuery()))
    desk._held[0][0].set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        asking.take()

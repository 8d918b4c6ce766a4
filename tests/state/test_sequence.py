"""Message numbers: duplicates are known, late answers are no loss, and every loss is told."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.state.sequence import HOLE_PATIENCE_S, MOST_HOLES, Hole, Sequence

LATE = 2 * HOLE_PATIENCE_S


def fed(*numbers: int, at: float = 0.0) -> Sequence:
    sequence = Sequence()
    for number in numbers:
        assert sequence.accept(number, at)
    return sequence


def ids(holes: tuple[Hole, ...]) -> list[int]:
    return [hole.message_id for hole in holes]


def test_numbers_in_order_leave_no_hole() -> None:
    sequence = fed(0, 1, 2, 3)
    assert not sequence.has_holes
    assert sequence.holes(LATE) == ()


def test_a_hole_counts_as_lost_once_it_is_old() -> None:
    sequence = fed(0, 1, 4)
    assert sequence.has_holes
    assert sequence.holes(HOLE_PATIENCE_S - 0.1) == ()
    assert sequence.holes(HOLE_PATIENCE_S) == (Hole(2, 0.0), Hole(3, 0.0))


def test_a_late_message_fills_its_hole_once() -> None:
    sequence = fed(0, 1, 4, 2, 3)
    assert not sequence.has_holes
    for number in range(5):
        assert not sequence.accept(number, 1.0)


def test_an_awaited_answer_excuses_one_hole_seen_after_it_was_asked_for() -> None:
    sequence = fed(0, 1)
    sequence.accept(3, 10.0)
    sequence.accept(5, 11.0)
    assert ids(sequence.holes(100.0)) == [2, 4]
    assert ids(sequence.holes(100.0, [9.0])) == [4]
    assert ids(sequence.holes(100.0, [10.5])) == [2]
    assert ids(sequence.holes(100.0, [9.0, 10.5])) == []
    assert ids(sequence.holes(100.0, [11.5])) == [2, 4]


def test_what_was_read_again_is_no_loss_and_may_still_come_once() -> None:
    sequence = fed(0, 3, 5)
    assert sequence.give_up(LATE) == 3
    assert not sequence.has_holes
    assert sequence.accept(1, LATE)
    assert not sequence.accept(1, LATE)
    assert sequence.give_up(LATE) == 0


def test_giving_up_leaves_young_and_awaited_holes_alone() -> None:
    sequence = fed(0)
    sequence.accept(3, 0.0)
    sequence.accept(6, 4.0)
    assert sequence.give_up(HOLE_PATIENCE_S, [0.0]) == 1
    assert ids(sequence.holes(LATE)) == [1, 4, 5]
    assert sequence.accept(2, LATE)


@pytest.mark.parametrize("number", [2, 3, 9])
def test_an_errors_number_closes_its_hole_but_another_message_may_have_it_too(number: int) -> None:
    sequence = fed(0, 1, 4)
    sequence.excuse(number, 0.0)
    assert number not in ids(sequence.holes(LATE))
    assert sequence.accept(number, 0.0)
    assert not sequence.accept(number, 0.0)


def test_an_error_that_repeats_a_number_changes_nothing() -> None:
    sequence = fed(0, 1, 2)
    sequence.excuse(1, 0.0)
    assert not sequence.accept(1, 0.0)


def test_a_number_far_ahead_costs_no_more_than_the_next_one() -> None:
    sequence = fed(0)
    assert sequence.accept(10**15, 0.0)
    assert len(sequence.holes(LATE)) == MOST_HOLES
    assert sequence.accept(5, 0.0)
    assert sequence.give_up(LATE) == 10**15 - 2


@st.composite
def connections(draw: st.DrawFn) -> tuple[list[tuple[str, int, float]], set[int]]:
    """Return what a healthy server does: asks, data, and answers that come late; and the numbers of the answers."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    events: list[tuple[str, int, float]] = [("data", 0, 0.0)]
    pending: list[int] = []
    answers: set[int] = set()
    counter, now = 0, 0.0
    for _ in range(draw(st.integers(1, 60))):
        now += rng.choice([0.0, 0.01, 0.5, 3.0])
        what = rng.random()
        if what < 0.25:
            counter += 1
            pending.append(counter)
            answers.add(counter)
            events.append(("ask", counter, now))
        elif what < 0.5 and pending:
            events.append(("answer", pending.pop(rng.randrange(len(pending))), now))
        else:
            counter += 1
            events.append(("data", counter, now))
    return events, answers


@given(connections())
def test_no_interleaving_of_late_answers_raises_an_alarm(made: tuple[list[tuple[str, int, float]], set[int]]) -> None:
    sequence = Sequence()
    asked: dict[int, float] = {}
    for kind, number, at in made[0]:
        if kind == "ask":
            asked[number] = at
            continue
        asked.pop(number, None)
        assert sequence.accept(number, at)
        assert sequence.holes(at + LATE, asked.values()) == ()
        assert sequence.give_up(at + LATE, asked.values()) == 0


@given(connections(), st.integers(0, 2**32))
def test_every_drop_is_told(made: tuple[list[tuple[str, int, float]], set[int]], seed: int) -> None:
    rng = random.Random(seed)
    sequence = Sequence()
    asked: dict[int, float] = {}
    dropped: set[int] = set()
    highest, end = 0, 0.0
    for kind, number, at in made[0]:
        end = at
        if kind == "ask":
            asked[number] = at
        elif kind == "data" and number and rng.random() < 0.3:
            dropped.add(number)
        else:
            asked.pop(number, None)
            assert sequence.accept(number, at)
            highest = max(highest, number)
    unanswered = sorted(number for number in asked if number < highest)
    expected = {number for number in dropped if number < highest}
    assert set(ids(sequence.holes(end + LATE))) == expected | set(unanswered)
    told = sequence.holes(end + LATE, [asked[number] for number in unanswered])
    assert len(told) >= len(expected)
    for number in dropped | set(unanswered):
        assert sequence.accept(number, end)
    assert sequence.holes(end + LATE)[:1] == () or highest < max(dropped | set(unanswered), default=0)


@given(st.lists(st.integers(0, 40), max_size=80))
def test_every_number_is_taken_exactly_once(numbers: list[int]) -> None:
    sequence = Sequence()
    seen: set[int] = set()
    for number in numbers:
        assert sequence.accept(number, 0.0) == (number not in seen)
        seen.add(number)
    missing = set(range(max(seen, default=0))) - seen
    assert set(ids(sequence.holes(LATE))) == missing

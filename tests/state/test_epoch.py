"""A chain that begins anew is told from an Indexer that trails; and how far fills have been read."""

from datetime import timedelta

import pytest
from builders import START, fill
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.state.epoch import FAR_BELOW, EpochWatch, Head
from dydx_console.state.journal import Coverage

LATER = START + timedelta(hours=1)


def at(second: int):  # type: ignore[no-untyped-def]
    return START + timedelta(seconds=second)


def watch_at(height: int = 1000) -> EpochWatch:
    watch = EpochWatch()
    watch.head(height, START)
    return watch


class TestEpochs:
    def test_two_younger_blocks_far_below_are_a_new_chain(self) -> None:
        watch = watch_at()
        watch.head(7, LATER)
        assert not watch.has_begun
        assert not watch.is_sure
        watch.head(7, LATER)
        assert not watch.has_begun, "the same block told again confirms nothing"
        watch.head(8, LATER)
        assert watch.has_begun
        assert (watch.newest, watch.suspect) == (Head(1000, START), Head(8, LATER))

    def test_a_block_of_the_known_chain_in_between_refutes_it(self) -> None:
        watch = watch_at()
        watch.head(7, LATER)
        watch.head(1001, LATER)
        watch.head(8, LATER)
        assert not watch.has_begun
        assert watch.newest == Head(1001, LATER)

    @given(st.lists(st.integers(0, 5000), max_size=30))
    def test_an_indexer_that_trails_however_far_is_none(self, heights: list[int]) -> None:
        watch = EpochWatch()
        watch.resume(Head(2500, at(2500)))
        for height in heights:
            watch.head(height, at(height))
        assert not watch.has_begun
        assert watch.is_sure is bool(heights)
        assert watch.newest == Head(max([2500, *heights]), at(max([2500, *heights])))

    @pytest.mark.parametrize(("below", "is_far"), [(FAR_BELOW, False), (FAR_BELOW + 1, True)])
    def test_it_has_to_be_far_below(self, below: int, is_far: bool) -> None:
        watch = watch_at(5000)
        for step in (0, 1):
            watch.head(5000 - below - 1 + step, LATER)
        assert watch.has_begun is is_far

    def test_an_earlier_run_counts_and_is_in_doubt_until_a_block_has_come(self) -> None:
        watch = EpochWatch()
        assert watch.is_sure
        watch.resume(Head(1000, START))
        assert not watch.is_sure
        watch.head(990, LATER)
        assert watch.is_sure

    def test_an_earlier_run_that_becomes_known_late_is_held_against_what_came_before(self) -> None:
        watch = EpochWatch()
        watch.head(50, LATER)
        watch.resume(Head(1000, START))
        assert not watch.is_sure
        watch.head(51, LATER + timedelta(seconds=1))
        assert watch.has_begun
        watch = watch_at(1000)
        watch.resume(Head(990, START))
        assert watch.is_sure


def page(begin: int, end: int):  # type: ignore[no-untyped-def]
    return tuple(fill(f"f{number}", height=number + 1) for number in range(begin, end))


class TestCoverage:
    def test_pages_that_meet_are_joined(self) -> None:
        covered = Coverage()
        covered.page(0, page(0, 10), 25)
        covered.page(10, page(10, 20), 25)
        covered.page(5, page(5, 15), 25)
        assert (covered.end, covered.total, covered.is_complete, covered.oldest_height) == (20, 25, True, 1)
        assert covered.newest is not None
        assert covered.newest.id == "f19"

    def test_a_hole_leaves_only_what_comes_after_it(self) -> None:
        covered = Coverage()
        covered.page(0, page(0, 10), 40)
        covered.page(20, page(20, 30), 40)
        assert (covered.end, covered.is_complete, covered.oldest_height) == (30, False, 21)
        covered.page(10, page(10, 20), 40)
        assert (covered.end, covered.is_complete, covered.oldest_height) == (30, False, 11)
        covered.page(0, page(0, 10), 40)
        assert (covered.end, covered.is_complete, covered.oldest_height) == (30, True, 1)

    def test_an_earlier_run_is_gone_on_from(self) -> None:
        covered = Coverage()
        covered.resume(30, 30, (START, 4), whole=True)
        covered.page(20, page(20, 35), 35)
        assert (covered.end, covered.is_complete, covered.oldest_height) == (35, True, 4)
        covered = Coverage()
        covered.resume(30, 30, (START, 11), whole=False)
        covered.page(20, page(20, 35), 35)
        assert (covered.end, covered.is_complete, covered.oldest_height) == (35, False, 11)
        covered.resume(10, 30, (START, 1), whole=True)
        assert (covered.end, covered.oldest_height) == (35, 11)

    def test_an_empty_page_tells_only_how_many_there_are(self) -> None:
        covered = Coverage()
        covered.page(0, (), 0)
        assert (covered.end, covered.total, covered.is_complete) == (0, 0, False)

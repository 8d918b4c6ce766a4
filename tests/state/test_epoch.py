"""A chain that begins anew is told from an Indexer that trails; and how far fills have been read."""

from datetime import timedelta

import pytest
from builders import START, fill
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.state.epoch import EpochWatch, Head, contradicts
from dydx_console.state.journal import Coverage

LATER = START + timedelta(hours=1)


def at(second: int):  # type: ignore[no-untyped-def]
    return START + timedelta(seconds=second)


def watch_at(height: int = 1000) -> EpochWatch:
    watch = EpochWatch()
    watch.head(height, START)
    return watch


@pytest.mark.parametrize("first", [4_000, 4_899, 4_900, 4_998, 4_999])
def test_a_chain_that_begins_anew_shows_however_near_to_the_old_head(first: int) -> None:
    watch = watch_at(5000)
    watch.head(first, LATER)
    assert (watch.has_begun, watch.is_sure) == (False, False)
    watch.head(first + 1, LATER + timedelta(seconds=1))
    assert watch.has_begun


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

    def test_a_higher_block_that_is_older_is_of_another_chain(self) -> None:
        watch = EpochWatch()
        watch.resume(Head(1000, LATER))
        for second in (0, 1):
            watch.head(1003 + second, at(second))
        assert watch.has_begun
        watch = EpochWatch()
        watch.head(1003, at(0))
        watch.resume(Head(1000, LATER))
        assert not watch.is_sure
        watch.head(1004, at(1))
        assert watch.has_begun

    def test_blocks_that_contradict_one_another_settle_nothing(self) -> None:
        watch = watch_at(1000)
        watch.head(7, LATER)
        watch.head(9, LATER - timedelta(seconds=5))
        assert not watch.has_begun
        watch.head(10, LATER)
        assert watch.has_begun

    @given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3)), min_size=2, max_size=2), st.integers(0, 900))
    def test_blocks_of_one_chain_never_contradict_and_of_two_as_seen_from_either_side(
        self, blocks: list[tuple[int, int]], away: int
    ) -> None:
        heads = [Head(height, at(height) + timedelta(microseconds=100 * place)) for height, place in blocks]
        assert not contradicts(heads[0], heads[1])
        shifted = Head(heads[1].height, heads[1].time + timedelta(milliseconds=away))
        assert contradicts(heads[0], shifted) is contradicts(shifted, heads[0])

    @given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 5_000), st.lists(st.integers(0, 40), min_size=1))
    def test_a_chain_that_begins_anew_is_told_as_soon_as_two_of_its_blocks_cannot_be_of_the_old_one(
        self, old: int, first: int, later_s: int, steps: list[int]
    ) -> None:
        watch, known = EpochWatch(), Head(old, at(old))
        watch.resume(known)
        seen: set[int] = set()
        height = first
        for step in steps:
            height += step
            head = Head(height, at(old + later_s + height - first))
            watch.head(head.height, head.time)
            if not contradicts(known, head) and not watch.has_begun:
                assert watch.is_sure, "it has outgrown what is known of the old one: only a node can tell"
                return
            seen.add(height)
            assert watch.has_begun is (len(seen) >= 2)

    def test_a_node_that_has_another_block_where_an_earlier_run_knew_one_tells_of_a_new_chain(self) -> None:
        watch = EpochWatch()
        watch.resume(Head(1000, START))
        watch.head(1_400, LATER)
        assert (watch.is_sure, watch.remembered) == (True, Head(1000, START))
        watch.block(999, at(-1))
        watch.block(1000, at(77))
        assert (watch.has_begun, watch.is_sure) == (False, False)
        watch.head(1_401, LATER + timedelta(seconds=1))
        assert not watch.is_sure, "what a node denied is not settled by a newer block"
        watch.block(1000, at(77))
        assert watch.has_begun

    def test_a_chain_that_outgrew_what_was_known_while_the_stream_was_away_is_told_by_a_node(self) -> None:
        watch = EpochWatch()
        watch.part()
        assert watch.remembered is None, "nothing was known"
        watch.head(1000, START)
        watch.part()
        watch.head(1_200, LATER)
        watch.part()
        assert (watch.is_sure, watch.remembered) == (True, Head(1000, START))
        for _ in range(2):
            watch.block(1000, at(77))
        assert watch.has_begun

    def test_a_node_that_has_the_same_block_settles_that_it_is_the_same_chain(self) -> None:
        watch = EpochWatch()
        watch.resume(Head(1000, START))
        watch.block(1000, at(77))
        watch.block(1000, START + timedelta(microseconds=900))
        assert (watch.has_begun, watch.is_sure, watch.remembered) == (False, True, None)
        watch.block(1000, at(77))
        watch.resume(Head(1010, at(10)))
        assert (watch.has_begun, watch.remembered) == (False, None)

    def test_an_earlier_run_counts_and_is_in_doubt_until_a_block_has_come(self) -> None:
        watch = EpochWatch()
        assert watch.is_sure
        watch.resume(Head(1000, START))
        assert not watch.is_sure
        watch.head(990, at(-10))
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

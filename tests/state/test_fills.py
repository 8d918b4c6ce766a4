"""Fills: once each, in chain order however they arrive, at a cost that does not grow with their number."""

import random
from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest
from builders import fill
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey
from dydx_console.state.fills import Fills

KEY = PositionKey(0, "BTC-USD")


def event_id(height: int, event: int) -> str:
    return f"{height:08x}{1:08x}{event:08x}"


def ids(fills: Fills, key: PositionKey = KEY) -> list[str]:
    return [row.id for row in fills.of(key)]


def test_a_fill_seen_again_completes_the_row_and_counts_once() -> None:
    fills = Fills()
    assert fills.take((fill("a", order_id=None),))[0]
    new, touched = fills.take((fill("a", order_id="o", event_id=event_id(1, 1)),))
    assert (new, touched, len(fills)) == ((), {KEY}, 1)
    assert fills.get("a") == fill("a", order_id="o", event_id=event_id(1, 1))
    assert fills.take((fill("a"),)) == ((), set())
    assert fills.get("b") is None


def test_an_unknown_position_has_no_fills() -> None:
    fills = Fills()
    assert (ids(fills), list(fills.last(KEY)), fills.count(KEY), fills.newest(3), list(fills)) == ([], [], 0, (), [])


def test_fills_at_the_end_touch_nothing_and_others_do() -> None:
    fills = Fills()
    assert fills.take((fill("b", height=5),))[1] == set()
    assert fills.take((fill("c", height=6),))[1] == set()
    assert fills.take((fill("a", height=4),))[1] == {KEY}
    assert ids(fills) == ["a", "b", "c"]
    assert [row.id for row in fills.last(KEY)] == ["c", "b", "a"]


def test_newest_counts_over_all_positions() -> None:
    fills = Fills()
    fills.take((fill("a", height=1), fill("b", height=2, market="ETH-USD"), fill("c", height=2)))
    assert fills.keys() == {KEY, PositionKey(0, "ETH-USD")}
    assert {row.id for row in fills.newest(2)} == {"b", "c"}
    assert fills.newest(0) == ()
    assert [row.id for row in fills.newest(9)] == [row.id for row in reversed(list(fills))]


@given(st.permutations(range(6)))
def test_event_ids_order_a_block(order: list[int]) -> None:
    fills = Fills()
    for number in order:
        fills.take((fill(f"f{9 - number}", event_id=event_id(1, number)),))
    assert ids(fills) == [f"f{9 - number}" for number in range(6)]


@given(st.permutations(range(4)), st.booleans())
def test_pages_read_in_any_order_give_one_chain_order(order: list[int], streams_first: bool) -> None:
    rows = [fill(f"f{(7 * n) % 12}", height=1 + n // 5) for n in range(12)]
    fills = Fills()
    if streams_first:
        fills.take(reversed(rows))
    for page in order:
        fills.take(rows[page * 3 : page * 3 + 3], offset=page * 3)
    assert ids(fills) == [row.id for row in rows]
    assert [row.id for row in fills] == [row.id for row in rows]


def test_fills_of_several_positions_in_a_block_are_joined_by_what_is_told() -> None:
    fills = Fills()
    rows = [fill(f"f{9 - n}", market=("BTC-USD", "ETH-USD")[n % 2]) for n in range(6)]
    fills.take(rows, offset=0)
    assert [row.id for row in fills] == [row.id for row in rows]
    told = Fills()
    for number, row in enumerate(rows):
        told.take((fill(row.id, market=row.market, event_id=event_id(1, number)),))
    assert [row.id for row in told] == [row.id for row in rows]


def walk(sizes: list[int], height: int = 1) -> list[Fill]:
    """Return fills that move one position by these signed sizes, each with what the Indexer's row tells before it."""
    row, side, actual = Decimal(0), "LONG", Decimal(0)
    made: list[Fill] = []
    for number, move in enumerate(sizes):
        size, before = Decimal(move), actual
        actual += size
        told: dict[str, Any]
        if not before or ((before > 0) != (actual > 0) and actual):
            side = "LONG" if size > 0 else "SHORT"
            told = {"position_size_before": Decimal(0), "position_side_before": side}
            row = abs(size)
        else:
            told = {"position_size_before": row, "position_side_before": side}
            row += abs(size) if (size > 0) == (side == "LONG") else -abs(size)
        if not actual:
            row = Decimal(0)
        made.append(fill(f"f{number}", "BUY" if size > 0 else "SELL", str(abs(size)), height=height, **told))
    return made


@pytest.mark.parametrize(
    "sizes",
    [
        [33, -10, 5],
        [-33, 242],
        [18, 19, -37, -4],
        [5, -9, 2],
        [5, -5, -7, 3, 4],
        [1, 2, 3, 4, 5, 6, 7],
        [4, -6, -1, 9, -2, 3, -1, 2],
    ],
)
def test_without_ids_or_places_the_position_before_each_fill_tells_the_order(sizes: list[int]) -> None:
    rows = walk(sizes)
    for seed in range(5):
        shuffled = list(rows)
        random.Random(seed).shuffle(shuffled)
        fills = Fills()
        for row in shuffled:
            fills.take((row,))
        assert ids(fills) == [row.id for row in rows]


@given(st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=2, max_size=6), st.integers(0, 999))
def test_the_order_without_ids_is_a_function_of_the_fills(sizes: list[int], seed: int) -> None:
    rows = walk(sizes)
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    fills, again = Fills(), Fills()
    fills.take(rows)
    for row in shuffled:
        again.take((row,))
    assert ids(fills) == ids(again)


def test_many_fills_of_a_block_without_anything_told_stand_by_id() -> None:
    fills = Fills()
    fills.take(fill(f"f{n:02}") for n in reversed(range(45)))
    assert ids(fills) == [f"f{n:02}" for n in range(45)]


def test_event_ids_are_kept_where_other_fills_of_the_block_have_none() -> None:
    rows = walk([1, 2, -1, 1])
    fills = Fills()
    for number in (2, 0):
        row = rows[number]
        fills.take((fill(row.id, row.side, str(row.size), event_id=event_id(1, number)),))
    fills.take((rows[1], rows[3]))
    shown = ids(fills)
    assert shown.index("f0") < shown.index("f2")
    assert sorted(shown) == ["f0", "f1", "f2", "f3"]


def seconds_for(known: int, same_block: bool) -> float:
    fills = Fills()
    fills.take(fill(f"{n:06}", height=1 if same_block else n + 1, event_id=event_id(n, n)) for n in range(known))
    more = [
        fill(f"m{n:06}", height=1 if same_block else known + n + 1, event_id=event_id(known + n, n)) for n in range(300)
    ]
    best = 1.0
    started = perf_counter()
    for row in more:
        fills.take((row,))
        fills.take((row,))
    best = min(best, perf_counter() - started)
    return best / len(more)


def test_the_cost_of_a_fill_does_not_grow_with_their_number() -> None:
    """A guard against linear work, far from the benchmark's 20 %: at 10,000 fills a list scan costs a hundredfold."""
    few = min(seconds_for(10, False) for _ in range(5))
    many = min(seconds_for(10_000, False) for _ in range(3))
    assert many < 3 * few

"""Positions and balances: versions order the stream, heights order re-reads against it."""

import random
from decimal import Decimal
from typing import Any

import pytest
from builders import at_height, balance, child, position, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.ids import PositionKey
from dydx_console.domain.position import Position
from dydx_console.state.holdings import Holdings

D = Decimal
KEY = PositionKey(0, "BTC-USD")


def update(holdings: Holdings, *rows: Any, message_id: int = 1, connection: int = 1, height: int | None = 1) -> bool:
    positions = [row for row in rows if isinstance(row, Position)]
    balances = [row for row in rows if not isinstance(row, Position)]
    return holdings.take_update(positions, balances, version(message_id, connection), height)[1]


def size(holdings: Holdings) -> Decimal | None:
    held = holdings.position(KEY)
    return None if held is None else held.net_size


def usdc(holdings: Holdings) -> Decimal | None:
    return next((row.amount for row in holdings.balances if row.asset == "USDC"), None)


def test_nothing_is_held_before_anything_is_told() -> None:
    holdings = Holdings()
    assert (holdings.positions, holdings.balances, holdings.subaccounts, size(holdings)) == ((), (), (), None)


def test_rows_are_taken_by_their_versions() -> None:
    holdings = Holdings()
    assert update(holdings, position("2"), balance("20"), message_id=5)
    assert not update(holdings, position("1"), balance("10"), message_id=4)
    assert not update(holdings, position("2"), balance("20"), message_id=6)
    assert update(holdings, position("1"), balance("10"), message_id=1, connection=2)
    assert (size(holdings), usdc(holdings)) == (D(1), D(10))


@pytest.mark.parametrize("ended", [position("0", status="CLOSED"), position("1", status="LIQUIDATED"), position("0")])
def test_a_row_that_is_not_open_ends_the_position(ended: Position) -> None:
    holdings = Holdings()
    update(holdings, position("2"))
    assert update(holdings, ended, message_id=2)
    assert size(holdings) is None
    assert not update(holdings, position("2"), message_id=1)


@pytest.mark.parametrize("new_first", [False, True])
def test_a_flip_in_one_frame_leaves_the_new_position(new_first: bool) -> None:
    holdings = Holdings()
    update(holdings, position("2", position_id="a"))
    rows = [position("0", status="CLOSED", position_id="a"), position("-3", position_id="b")]
    update(holdings, *(reversed(rows) if new_first else rows), message_id=2)
    assert size(holdings) == D(-3)


def test_rest_never_goes_back_in_height() -> None:
    holdings = Holdings()
    assert holdings.take_read(child(position("2"), balance("20"), height=10))
    assert not holdings.take_read(child(position("1"), balance("10"), height=9))
    assert holdings.take_read(child(position("3"), balance("30"), height=10))
    assert (size(holdings), usdc(holdings)) == (D(3), D(30))


def test_of_the_same_block_rest_stands_and_of_a_later_one_the_stream() -> None:
    holdings = Holdings()
    update(holdings, position("1", height=10), balance("10", height=10), height=10)
    holdings.take_read(child(position("2"), balance("20"), height=10))
    assert (size(holdings), usdc(holdings)) == (D(2), D(20))
    assert not update(holdings, position("1"), balance("10"), message_id=2, height=10)
    assert update(holdings, position("3"), balance("30"), message_id=3, height=11)
    holdings.take_read(child(position("2"), balance("20"), height=10))
    assert (size(holdings), usdc(holdings)) == (D(3), D(30))


def test_what_a_re_read_does_not_have_does_not_exist() -> None:
    holdings = Holdings()
    update(holdings, position("1"), balance("1", "ETH"), height=5)
    holdings.take_read(child(balance("7"), height=6))
    assert (holdings.positions, [row.asset for row in holdings.balances]) == ((), ["USDC"])


def test_a_close_streamed_after_the_block_of_a_re_read_stands() -> None:
    holdings = Holdings()
    update(holdings, position("0", status="CLOSED"), height=12)
    holdings.take_read(child(position("1"), height=11))
    assert size(holdings) is None


def test_a_snapshot_replaces_what_came_before_it_and_not_what_came_after() -> None:
    holdings = Holdings()
    update(holdings, position("1"), balance("10"), message_id=3, height=5)
    update(holdings, position("4", "ETH-USD"), message_id=9, height=8)
    taken = holdings.take_snapshot([child(position("2"), balance("20"), height=6)], {0}, version(5))
    assert len(taken) == 1
    assert (size(holdings), usdc(holdings)) == (D(2), D(20))
    assert {row.market for row in holdings.positions} == {"BTC-USD", "ETH-USD"}
    assert not update(holdings, position("9"), message_id=4, height=7)
    assert not update(holdings, position("9"), message_id=8, height=5)
    assert update(holdings, position("9"), message_id=8, height=6)


def test_a_snapshot_of_a_lagging_replica_does_not_undo_later_blocks() -> None:
    holdings = Holdings()
    update(holdings, position("3"), message_id=3, height=12)
    holdings.take_snapshot([child(position("2"), height=11)], {0}, version(1, 2))
    assert size(holdings) == D(3)
    holdings.take_read(child(position("5"), height=14))
    assert holdings.take_snapshot([child(position("2"), height=13)], {0}, version(2, 2)) == ()
    assert size(holdings) == D(5)


def test_a_read_of_a_block_before_the_snapshots_is_not_taken() -> None:
    holdings = Holdings()
    holdings.take_snapshot([child(position("2"), height=11)], {0}, version(1))
    assert not holdings.take_read(child(position("1"), height=10))
    assert size(holdings) == D(2)


def test_a_read_without_a_height_replaces_and_forgets_no_height() -> None:
    holdings = Holdings()
    holdings.take_read(child(position("2"), height=11))
    assert holdings.take_read(child(position("3"), height=None))
    assert not holdings.take_read(child(position("1"), height=10))
    assert size(holdings) == D(3)


def test_an_older_snapshot_changes_nothing() -> None:
    holdings = Holdings()
    holdings.take_snapshot([child(position("2"), height=11)], {0}, version(1, 2))
    assert holdings.take_snapshot([child(position("1"), height=11)], {0}, version(7, 1)) == ()
    assert size(holdings) == D(2)


def test_a_covered_subaccount_that_a_snapshot_lacks_is_empty() -> None:
    holdings = Holdings()
    update(holdings, position("2"), balance("5"), height=None)
    holdings.take_snapshot([child(number=128, height=3)], {0, 128}, version(4))
    assert (holdings.positions, holdings.balances, holdings.subaccounts) == ((), (), (0, 128))


def test_parent_and_child_channel_tell_one_position() -> None:
    holdings = Holdings()
    for message_id in (4, 5):
        update(holdings, position("2", position_id="a"), balance("5"), message_id=message_id)
    holdings.take_snapshot([child(position("2"), balance("5"), height=1)], {0}, version(3))
    assert (len(holdings.positions), len(holdings.balances)) == (1, 1)


def test_a_position_keeps_the_opening_that_rest_told_and_a_new_one_has_none() -> None:
    read = position("2", opened_at=at_height(1), opened_at_height=1, sum_open=D(2))
    holdings = Holdings()
    holdings.take_read(child(read, height=1))
    update(holdings, position("3", position_id="a", sum_open=D(3)), message_id=1, height=2)
    assert holdings.positions[0].opened_at_height == 1
    update(holdings, position("0", status="CLOSED", position_id="a"), message_id=2, height=3)
    update(holdings, position("5", position_id="b", sum_open=D(5)), message_id=3, height=3)
    assert holdings.positions[0].opened_at_height is None


@pytest.mark.parametrize(
    ("net", "sum_open", "opened"), [("3", D(3), 1), ("3", None, 1), ("1", D(1), None), ("-3", D(3), None)]
)
def test_without_a_position_id_side_and_opened_sum_tell_the_position(
    net: str, sum_open: Decimal | None, opened: int | None
) -> None:
    holdings = Holdings()
    holdings.take_read(child(position("2", opened_at_height=1, sum_open=D(2)), height=1))
    update(holdings, position(net, sum_open=sum_open), height=2)
    assert holdings.positions[0].opened_at_height == opened


def test_a_re_read_that_came_late_still_tells_the_opening() -> None:
    holdings = Holdings()
    update(holdings, position("3", position_id="a"), message_id=7, height=5)
    holdings.take_read(child(position("2", opened_at_height=1), height=4))
    assert (size(holdings), holdings.positions[0].opened_at_height) == (D(3), 1)


@given(st.integers(0, 2**32))
def test_the_order_of_arrival_does_not_matter(seed: int) -> None:
    """A stream of rows with rising heights, shuffled: the last by version is what is held."""
    rng = random.Random(seed)
    height, rows = 1, []
    for message_id in range(1, rng.randint(2, 12)):
        height += rng.randint(0, 2)
        row = position(str(rng.choice([-2, -1, 0, 1, 2])), position_id=rng.choice("ab"), height=height)
        rows.append(((row, balance(str(rng.randint(-5, 5)), height=height)), message_id, height))
    clean, mixed = Holdings(), Holdings()
    for holdings in (clean, mixed):
        holdings.take_read(child(position("1", opened_at_height=1), height=1))
        for told, message_id, at in rows:
            update(holdings, *told, message_id=message_id, height=at)
        rng.shuffle(rows)
    assert mixed.positions == clean.positions
    assert mixed.balances == clean.balances

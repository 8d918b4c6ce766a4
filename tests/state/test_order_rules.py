"""Orders merged from every row seen of them: one named test for each rule, and the laws that hold for any rows."""

import random
from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest
from builders import at_height, patch, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.order import Order, OrderPatch, display_status
from dydx_console.state.orders import Listing, Orders

D = Decimal
SHORT: dict[str, Any] = {"flags": "0", "good_til_block": 100}
LONG: dict[str, Any] = {"flags": "64", "good_til_time": at_height(1000)}


def streamed(*rows: OrderPatch, connection: int = 1) -> Orders:
    orders = Orders()
    for number, row in enumerate(rows):
        orders.take_rows((row,), version(number + 1, connection))
    return orders


def shown(orders: Orders, height: int = 50, order_id: str = "o") -> str | None:
    return display_status(held(orders, order_id), height, at_height(height))


def held(orders: Orders, order_id: str = "o") -> Order:
    order = orders.get(order_id)
    assert order is not None
    return order


def listing(
    *ids: str, connection: int = 2, parent: int | None = 0, subaccount: int | None = None, height: int = 50
) -> Listing:
    return Listing(version(1, connection), parent, subaccount, frozenset(ids), height, at_height(height))


def opened(**given: Any) -> OrderPatch:
    return patch(status="BEST_EFFORT_OPENED", **{**SHORT, **given})


def cancelled(reason: str = "USER_CANCELED", **given: Any) -> OrderPatch:
    return patch(status="BEST_EFFORT_CANCELED", removal_reason=reason, **{**SHORT, **given})


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        (["BEST_EFFORT_OPENED"], "PENDING"),
        (["BEST_EFFORT_OPENED", "OPEN"], "OPEN"),
        (["OPEN", "BEST_EFFORT_OPENED"], "OPEN"),
        (["OPEN", "BEST_EFFORT_CANCELED"], "CANCELING"),
        (["BEST_EFFORT_CANCELED", "OPEN"], "CANCELING"),
        (["BEST_EFFORT_CANCELED", "BEST_EFFORT_OPENED"], "CANCELING"),
        (["CANCELED", "BEST_EFFORT_CANCELED"], "CANCELLED"),
        (["FILLED", "CANCELED"], "FILLED"),
        (["CANCELED", "FILLED"], "FILLED"),
        (["UNTRIGGERED", "OPEN"], "OPEN"),
        (["OPEN", "UNTRIGGERED"], "OPEN"),
        (["ERROR"], "CANCELLED"),
        (["MARTIAN"], "MARTIAN"),
        ([None], None),
    ],
)
def test_within_one_life_rank_decides_not_arrival(rows: list[str | None], status: str | None) -> None:
    assert shown(streamed(*(patch(status=row, **SHORT) for row in rows))) == status


def test_a_later_good_til_begins_a_new_life() -> None:
    orders = streamed(opened(), cancelled(), opened(good_til_block=110, size=D(2), price=D(90)))
    order = held(orders)
    assert (shown(orders), order.removal_reason, order.size, order.price) == ("PENDING", None, D(2), D(90))


def test_a_later_good_til_time_begins_a_new_life() -> None:
    orders = streamed(patch(status="CANCELED", **LONG), patch(**{**LONG, "good_til_time": at_height(2000)}))
    assert shown(orders) == "OPEN"


def test_a_lower_good_til_belongs_to_an_old_life_and_is_ignored() -> None:
    orders = streamed(opened(good_til_block=110), cancelled(good_til_block=100, size=D(7)))
    assert (shown(orders), held(orders).size) == ("PENDING", D(1))
    orders.take_read((cancelled(good_til_block=100),), 1)
    assert shown(orders) == "PENDING"


def test_filled_goes_on_counting_over_lives() -> None:
    orders = streamed(opened(), cancelled())
    assert orders.take_execution("o", D("0.4"), D(100))
    orders.take_rows((opened(good_til_block=110, size=D(2)),), version(9))
    orders.take_execution("o", D("0.2"), D(130))
    order = held(orders)
    assert (order.filled, order.remaining, order.average_fill_price) == (D("0.6"), D("1.4"), D(110))
    assert shown(orders) == "PARTIALLY_FILLED"


def test_replaced_changes_nothing() -> None:
    orders = streamed(opened(), cancelled("REPLACED", size=D(9)))
    assert (shown(orders), held(orders).size, held(orders).removal_reason) == ("PENDING", D(1), None)


def test_replaced_as_the_first_row_tells_no_status() -> None:
    orders = streamed(cancelled("REPLACED"))
    assert shown(orders) is None
    orders.take_rows((opened(good_til_block=110),), version(5))
    assert shown(orders) == "PENDING"


def test_a_best_effort_cancel_read_by_rest_is_ignored_when_the_stream_has_shown_the_placement() -> None:
    orders = streamed(opened())
    orders.take_read((cancelled(),), 1)
    assert shown(orders) == "PENDING"


def test_a_best_effort_cancel_read_by_rest_counts_for_a_life_that_the_stream_has_not_shown() -> None:
    orders = streamed(opened(good_til_block=90))
    orders.take_read((cancelled(),), 1)
    assert shown(orders) == "CANCELING"
    alone = Orders()
    alone.take_read((cancelled(),), 1)
    assert shown(alone) == "CANCELING"


def test_a_final_status_read_by_rest_stands_over_the_stream() -> None:
    for status, want in (("CANCELED", "CANCELLED"), ("FILLED", "FILLED")):
        orders = streamed(opened(), patch(**SHORT))
        orders.take_read((patch(status=status, **SHORT),), 1)
        assert shown(orders) == want


@pytest.mark.parametrize(("height", "want"), [(11, "OPEN"), (10, "CANCELING"), (9, "CANCELING")])
@pytest.mark.parametrize("by_rest", [False, True])
def test_a_stateful_order_reopens_by_a_higher_updated_at_height(height: int, want: str, by_rest: bool) -> None:
    row = patch(updated_at_height=height, **LONG)
    orders = streamed(
        patch(updated_at_height=5, **LONG), cancelled(updated_at_height=10, **LONG | {"good_til_block": None})
    )
    if by_rest:
        orders.take_read((row,), 1)
    else:
        orders.take_rows((row,), version(7))
    assert shown(orders) == want
    assert held(orders).removal_reason == (None if want == "OPEN" else "USER_CANCELED")


def test_a_short_term_order_does_not_reopen() -> None:
    orders = streamed(opened(), cancelled(updated_at_height=5), patch(updated_at_height=11, **SHORT))
    assert shown(orders) == "CANCELING"


def test_a_best_effort_cancelled_order_can_still_fill() -> None:
    orders = streamed(opened(), cancelled(), cancelled(total_filled=D("0.5")))
    assert (shown(orders), held(orders).filled) == ("CANCELING", D("0.5"))
    orders.take_execution("o", D(1), D(100))
    assert shown(orders) == "FILLED"


def test_a_row_without_a_reason_keeps_the_reason_of_the_same_status() -> None:
    orders = streamed(patch(status="CANCELED", removal_reason="EXPIRED", **SHORT), patch(status="CANCELED", **SHORT))
    assert (shown(orders), held(orders).reason_source) == ("EXPIRED", "VENUE")


def test_filled_counts_fills_alone_with_total_filled_as_a_floor() -> None:
    orders = streamed(patch(total_filled=D("0.3"), **SHORT))
    assert held(orders).filled == D("0.3")
    assert held(orders).average_fill_price is None
    orders.take_execution("o", D("0.2"), D(100))
    assert held(orders).filled == D("0.3")
    orders.take_execution("o", D("0.2"), D(100))
    assert held(orders).filled == D("0.4")
    orders.take_rows((patch(total_filled=D("0.1"), **SHORT),), version(8))
    assert held(orders).total_filled == D("0.3")


def test_a_fill_may_come_before_its_order() -> None:
    orders = Orders()
    assert not orders.take_execution("o", D(1), D(100))
    orders.take_rows((opened(),), version(3))
    assert shown(orders) == "FILLED"


TWAP: dict[str, Any] = {"flags": "128", "good_til_time": at_height(1000), "size": D(10)}
SUBORDER: dict[str, Any] = {"flags": "256", "good_til_time": at_height(2000), "size": D(1)}


@pytest.mark.parametrize("status", ["FILLED", "CANCELED", "OPEN"])
@pytest.mark.parametrize("by_rest", [False, True])
def test_a_twap_parent_takes_no_status_from_its_suborder(status: str, by_rest: bool) -> None:
    orders = streamed(patch(type="TWAP", **TWAP))
    row = patch(status=status, total_filled=D(1), **SUBORDER)
    if by_rest:
        orders.take_read((row,), 1)
        orders.take_read((row,), 1)
    else:
        orders.take_rows((row,), version(5))
    order = held(orders)
    assert (shown(orders), order.size, order.filled) == ("PARTIALLY_FILLED", D(10), D(1))
    assert (order.flags, order.type, order.good_til_time) == ("128", "TWAP", at_height(1000))


def test_a_suborder_before_its_parent_is_no_filled_order() -> None:
    orders = streamed(patch(status="FILLED", total_filled=D(1), **SUBORDER))
    assert shown(orders) is None
    orders.take_read((patch(status="FILLED", type="TWAP", **TWAP),), 1)
    assert shown(orders) == "PARTIALLY_FILLED"


def test_the_stream_calls_a_twap_order_a_limit_order() -> None:
    orders = streamed(patch(type="LIMIT", **TWAP))
    orders.take_read((patch(type="TWAP", **TWAP),), 1)
    assert held(orders).type == "TWAP"


def test_a_filled_word_of_a_twap_parent_does_not_fill_it() -> None:
    orders = streamed(patch(type="TWAP", status="FILLED", **TWAP), patch(status="CANCELED", **TWAP))
    assert shown(orders) == "CANCELLED"


# ---- snapshots and re-reads -----------------------------------------------------------------------------------------


def test_a_working_order_absent_from_a_later_snapshot_is_over() -> None:
    orders = streamed(opened())
    assert orders.take_listing(listing(), ()) == {"o"}
    assert (shown(orders), held(orders).reason_source, held(orders).removal_reason) == (
        "CANCELLED",
        "SNAPSHOT",
        "SNAPSHOT",
    )


def test_it_is_expired_when_its_good_til_had_passed() -> None:
    orders = streamed(opened())
    orders.take_listing(listing(height=101), ())
    assert (shown(orders), held(orders).reason_source) == ("EXPIRED", "SNAPSHOT")


def test_it_is_filled_when_its_fills_say_so() -> None:
    orders = streamed(opened())
    orders.take_listing(listing(), ())
    orders.take_execution("o", D(1), D(100))
    assert shown(orders) == "FILLED"


def test_an_order_that_a_snapshot_lists_goes_on() -> None:
    orders = streamed(opened())
    orders.take_listing(listing("o"), (patch(**SHORT),))
    assert shown(orders) == "OPEN"


def test_silence_of_the_same_connection_proves_nothing() -> None:
    orders = streamed(opened())
    orders.take_listing(listing(connection=1), ())
    assert shown(orders) == "PENDING"


def test_a_row_of_the_new_connection_stands_over_the_snapshots_silence() -> None:
    orders = streamed(opened())
    orders.take_listing(listing(), ())
    orders.take_rows((patch(**SHORT),), version(9, 2))
    assert shown(orders) == "OPEN"


def test_a_snapshot_speaks_only_of_its_own_subaccounts() -> None:
    for given_listing in (listing(parent=1), listing(parent=None, subaccount=128)):
        orders = streamed(opened())
        orders.take_listing(given_listing, ())
        assert shown(orders) == "PENDING"
    orders = streamed(opened(subaccount=None))
    orders.take_listing(listing(), ())
    assert shown(orders) == "PENDING"
    orders = streamed(opened(subaccount=128))
    orders.take_listing(listing(parent=None, subaccount=128), ())
    assert shown(orders) == "CANCELLED"


def test_a_delayed_row_of_an_old_connection_is_over_too() -> None:
    orders = Orders()
    orders.take_listing(listing(), ())
    orders.take_listing(listing(connection=3), ())
    orders.take_listing(listing(connection=2), ())
    orders.take_rows((opened(),), version(4, 1))
    assert shown(orders) == "CANCELLED"
    orders.take_rows((opened(order_id="new"),), version(4, 3))
    assert shown(orders, order_id="new") == "PENDING"


def test_an_order_read_after_the_snapshot_stands_over_its_silence() -> None:
    orders = streamed(opened())
    orders.take_listing(listing(), ())
    orders.take_read((patch(**SHORT),), 2)
    assert shown(orders) == "OPEN"
    orders.take_read((patch(**SHORT),), 1)
    assert shown(orders) == "OPEN"


def test_an_order_read_before_connecting_and_absent_from_the_snapshot_is_over() -> None:
    orders = Orders()
    orders.take_read((patch(**LONG),), 0)
    assert shown(orders) == "OPEN"
    orders.take_listing(listing(connection=1), ())
    assert shown(orders) == "CANCELLED"


def test_a_stateful_order_being_cancelled_and_absent_from_a_snapshot_is_cancelled_with_its_own_reason() -> None:
    orders = streamed(patch(**LONG), cancelled("UNDERCOLLATERALIZED", **LONG | {"good_til_block": None}))
    assert shown(orders) == "CANCELING"
    orders.take_listing(listing(), ())
    assert (shown(orders), held(orders).removal_reason) == ("CANCELLED", "UNDERCOLLATERALIZED")
    assert held(orders).reason_source == "VENUE"


def test_a_short_term_order_being_cancelled_can_still_fill_until_its_good_til() -> None:
    orders = streamed(opened(), cancelled())
    orders.take_listing(listing(), ())
    assert shown(orders) == "CANCELING"
    assert shown(orders, height=101) == "CANCELLED"


def test_absence_from_an_orders_answer_proves_nothing() -> None:
    orders = streamed(opened())
    assert orders.take_read((), 1) == set()
    assert orders.take_read((patch("other", **SHORT),), 1) == {"other"}
    assert shown(orders) == "PENDING"


def test_rest_never_goes_back_in_its_own_height() -> None:
    orders = Orders()
    orders.take_read((patch(updated_at_height=20, total_filled=D("0.5"), **LONG),), 1)
    orders.take_read((patch(updated_at_height=10, status="UNTRIGGERED", **LONG),), 1)
    assert (shown(orders), held(orders).filled) == ("PARTIALLY_FILLED", D("0.5"))


@pytest.mark.parametrize("later", [{}, {"updated_at_height": 30}])
def test_rest_never_leaves_a_final_status_within_a_life(later: dict[str, Any]) -> None:
    orders = Orders()
    orders.take_read((patch(status="CANCELED", updated_at_height=20, **LONG),), 1)
    orders.take_read((patch(status="OPEN", **later, **LONG),), 1)
    assert shown(orders) == "CANCELLED"


def test_a_rest_row_without_heights_or_status_says_no_less_than_was_known() -> None:
    orders = Orders()
    orders.take_read((patch(updated_at_height=20, **SHORT),), 1)
    orders.take_read((opened(),), 1)
    orders.take_read((patch(status=None, **SHORT),), 1)
    assert shown(orders) == "OPEN"


def test_rest_shows_a_new_life_and_forgets_the_old() -> None:
    orders = streamed(opened(), cancelled())
    orders.take_read((patch(status="CANCELED", **SHORT),), 1)
    orders.take_read((patch(**{**SHORT, "good_til_block": 120}),), 1)
    assert shown(orders) == "OPEN"
    orders.take_read((patch(status="CANCELED", **SHORT),), 1)
    assert shown(orders) == "OPEN"


def test_orders_come_by_id() -> None:
    orders = streamed(patch("b"), patch("a"), patch("c"))
    assert [order.id for order in orders] == ["a", "b", "c"]
    assert len(orders) == 3
    assert orders.get("z") is None


# ---- laws -----------------------------------------------------------------------------------------------------------

rows = st.builds(
    lambda status, block, filled, height, reason: patch(
        status=status,
        flags="0",
        good_til_block=block,
        total_filled=filled,
        updated_at_height=height,
        removal_reason=reason,
    ),
    st.sampled_from(["BEST_EFFORT_OPENED", "OPEN", "BEST_EFFORT_CANCELED", "CANCELED", "FILLED", None]),
    st.sampled_from([100, 110, None]),
    st.sampled_from([None, D("0.2"), D("0.4")]),
    st.sampled_from([None, 10, 20]),
    st.sampled_from([None, "REPLACED", "USER_CANCELED"]),
)


@given(st.lists(rows, max_size=8), st.lists(rows, max_size=2), st.integers(0, 2**32), st.booleans())
def test_the_merged_order_is_a_function_of_the_rows_not_of_their_arrival(
    streams: list[OrderPatch], reads: list[OrderPatch], seed: int, reconnects: bool
) -> None:
    def steps(orders: Orders) -> list[Any]:
        made = [
            lambda row=row, n=n: orders.take_rows((row,), version(n + 1, 1 if n < 5 or not reconnects else 2))
            for n, row in enumerate(streams)
        ]
        made.append(lambda: orders.take_execution("o", D("0.1"), D(100)))
        if reconnects:
            made.append(
                lambda: orders.take_listing(Listing(version(0, 2), 0, None, frozenset(), 50, at_height(50)), ())
            )
        return made

    clean, mixed = Orders(), Orders()
    for step in steps(clean):
        step()
    for row in reads:
        clean.take_read((row,), 1)
    shuffled = steps(mixed)
    random.Random(seed).shuffle(shuffled)
    for step in shuffled:
        step()
    for row in reads:
        mixed.take_read((row,), 1)
    assert mixed.get("o") == clean.get("o")


@given(st.lists(rows, min_size=1, max_size=8))
def test_no_order_works_after_its_best_effort_cancel(streams: list[OrderPatch]) -> None:
    orders = Orders()
    cancelled_life: object = ...
    for number, told in enumerate(streams):
        row = patch(**{name: getattr(told, name) for name in ("status", "removal_reason", "flags")}, good_til_block=100)
        orders.take_rows((row,), version(number + 1))
        if row.status == "BEST_EFFORT_CANCELED" and row.removal_reason != "REPLACED":
            cancelled_life = True
        if cancelled_life is True:
            assert shown(orders) in ("CANCELING", "CANCELLED", "FILLED")


def seconds_for(known: int) -> float:
    orders = streamed(*(patch(f"{n:06}", **SHORT) for n in range(known)))
    ids = [f"{n % known:06}" for n in range(300)]
    started = perf_counter()
    for number, order_id in enumerate(ids):
        orders.take_rows((patch(order_id, total_filled=D("0.1"), **SHORT),), version(known + number + 1))
    return (perf_counter() - started) / 300


def test_the_cost_of_a_row_does_not_grow_with_the_number_of_orders() -> None:
    few = min(seconds_for(300) for _ in range(5))
    many = min(seconds_for(10_000) for _ in range(3))
    assert many < 3 * few

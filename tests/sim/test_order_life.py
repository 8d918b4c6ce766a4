"""What the Indexer says during an order's life, on the channel and over REST."""

from dataclasses import replace

import pytest
from sim_help import ALICE, BOB, BUY, SELL, Desk, long_term, stop

from dydx_console.sim.core.orders import Cancel, ConditionType, OrderId, Place, TimeInForce
from dydx_console.sim.indexer.text import order_uuid, subaccount_uuid

IOC, POST_ONLY = TimeInForce.IOC, TimeInForce.POST_ONLY
OPENED = ("BEST_EFFORT_OPENED", "")


def rest_orders(desk: Desk, **query: str) -> list[dict[str, object]]:
    found = desk.get("/v4/orders", address=ALICE.owner, subaccountNumber="0", **query)
    assert isinstance(found, list)
    return found


def test_ids_can_be_computed_beforehand() -> None:
    address = "dydx18tkxrnrkqc2t0lr3zxr5g6a4hdvqksylxqje4r"
    assert subaccount_uuid(address, 0) == "c7169f81-0c80-54c5-a41f-9cbb6a538fdf"
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(ALICE, BUY, 10, 60_000, client=77)
    (order,) = watcher.orders()
    assert order["id"] == order_uuid(subaccount_uuid(ALICE.owner, 0), 77, 0, 0)


def test_a_resting_order_is_partly_filled_then_filled() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    order = desk.place(ALICE, BUY, 10, 60_000)
    (opened,) = watcher.orders()
    assert "totalFilled" not in opened
    assert opened["status"] == "BEST_EFFORT_OPENED"
    assert rest_orders(desk)[0]["status"] == "BEST_EFFORT_OPENED"
    desk.place(BOB, SELL, 4, 60_000, tif=IOC)
    assert watcher.orders() == [], "a match is seen when its block is"
    desk.block()
    (partly,) = watcher.orders()
    assert (partly["status"], partly["totalFilled"], partly["goodTilBlockTime"]) == ("OPEN", "0.0004", None)
    assert rest_orders(desk)[0]["totalFilled"] == "0.0004"
    desk.place(BOB, SELL, 6, 59_999, tif=IOC)
    desk.block()
    assert watcher.stories() == [("FILLED", "")]
    assert [o["status"] for o in rest_orders(desk)] == ["FILLED"]
    assert desk.exchange.resting_quantums(order.id) == 0


def test_a_cancel_and_its_trace() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    order = desk.place(ALICE, BUY, 10, 60_000)
    desk.cancel(order)
    opened, removed = watcher.orders()
    assert opened["id"] == removed["id"]
    assert (removed["status"], removed["removalReason"]) == (
        "BEST_EFFORT_CANCELED",
        "ORDER_REMOVAL_REASON_USER_CANCELED",
    )
    assert removed["totalOptimisticFilled"] == "0"
    assert rest_orders(desk) == []
    assert desk.request(f"/v4/orders/{removed['id']}").status == 404


def test_a_cancel_of_something_unknown_gives_the_minimal_message() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.send(Cancel(OrderId(ALICE, 4_711, 0, 0), good_til_block=desk.exchange.height + 5))
    (order,) = watcher.orders()
    assert set(order) == {
        "id", "subaccountId", "clientId", "clobPairId", "status", "orderFlags", "ticker", "removalReason",
    }  # fmt: skip


def test_expiry_is_final() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    order = desk.place(ALICE, BUY, 10, 60_000, life=3)
    desk.block(2)
    assert watcher.stories() == [OPENED]
    desk.block()
    assert desk.exchange.height == order.good_til_block
    assert watcher.stories() == [("CANCELED", "EXPIRED")]
    assert rest_orders(desk) == []


def test_a_replacement_is_a_removal_and_a_placement_of_one_id() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    order = desk.place(ALICE, BUY, 10, 60_000)
    later = replace(order, subticks=order.subticks + 100_000, good_til_block=(order.good_til_block or 0) + 5)
    assert desk.send(Place(later)).ok
    _, removed, opened = watcher.orders()
    assert (removed["status"], removed["removalReason"]) == ("BEST_EFFORT_CANCELED", "ORDER_REMOVAL_REASON_REPLACED")
    assert (opened["status"], opened["price"], opened["id"]) == ("BEST_EFFORT_OPENED", "60001", removed["id"])
    assert int(opened["goodTilBlock"]) == int(removed["goodTilBlock"]) + 5


def test_a_replaced_order_that_had_filled_shows_canceled_in_rest_until_its_next_fill() -> None:
    desk = Desk()
    order = desk.place(ALICE, BUY, 10, 60_000)
    desk.place(BOB, SELL, 4, 60_000, tif=IOC)
    desk.block()
    desk.send(Place(replace(order, good_til_block=(order.good_til_block or 0) + 5)))
    assert rest_orders(desk)[0]["status"] == "BEST_EFFORT_CANCELED"
    desk.place(BOB, SELL, 1, 60_000, tif=IOC)
    desk.block()
    assert (rest_orders(desk)[0]["status"], rest_orders(desk)[0]["totalFilled"]) == ("OPEN", "0.0005")


def test_an_ioc_that_meets_nobody() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(ALICE, BUY, 10, 60_000, tif=IOC)
    desk.block()
    reason = "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
    assert watcher.stories() == [OPENED, ("BEST_EFFORT_CANCELED", reason)]
    assert rest_orders(desk) == []


def test_an_ioc_partly_filled_is_cancelled_before_its_fill() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(BOB, SELL, 4, 60_000)
    desk.place(ALICE, BUY, 10, 60_000, tif=IOC)
    _, removed = watcher.orders()
    assert (removed["status"], removed["totalOptimisticFilled"]) == ("BEST_EFFORT_CANCELED", "0.0004")
    desk.block()
    (final,) = watcher.orders()
    assert (final["status"], final["totalFilled"]) == ("CANCELED", "0.0004")


def test_post_only_refused() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(BOB, SELL, 4, 60_000)
    assert desk.send(Place(desk.order(ALICE, BUY, 10, 60_000, tif=POST_ONLY))).code == 2003
    assert watcher.stories() == [OPENED, ("BEST_EFFORT_CANCELED", "POST_ONLY_WOULD_CROSS_MAKER_ORDER")]


def test_a_fill_after_the_cancel_is_still_a_fill() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    order = desk.place(ALICE, BUY, 10, 60_000)
    desk.place(BOB, SELL, 4, 60_000, tif=IOC)
    desk.cancel(order)
    desk.block()
    _, canceled, filled = watcher.orders()
    assert canceled["totalOptimisticFilled"] == "0.0004"
    assert (filled["status"], filled["totalFilled"]) == ("BEST_EFFORT_CANCELED", "0.0004")


def test_a_self_trade_removes_the_resting_order() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(ALICE, BUY, 10, 60_000)
    desk.place(BOB, BUY, 10, 60_000)
    desk.place(ALICE, SELL, 10, 60_000)
    assert watcher.stories() == [OPENED, OPENED, ("BEST_EFFORT_CANCELED", "SELF_TRADE_ERROR")]
    desk.block()
    assert watcher.stories() == [("FILLED", "")]


def test_a_taker_without_collateral() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(BOB, SELL, 9_000_000, 64_100)
    desk.place(ALICE, BUY, 9_000_000, 64_100)
    assert watcher.stories() == [OPENED, ("BEST_EFFORT_CANCELED", "UNDERCOLLATERALIZED")]


def test_a_long_term_order_opens_with_its_block_and_ends_by_cancel() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    order = long_term(desk, ALICE, BUY, 10, 60_000)
    assert watcher.orders() == []
    desk.block()
    (opened,) = watcher.orders()
    assert (opened["status"], opened["createdAtHeight"]) == ("OPEN", str(desk.exchange.height))
    assert "totalFilled" not in opened
    desk.place(BOB, SELL, 4, 60_000, tif=IOC)
    desk.block()
    assert watcher.stories() == [("OPEN", "")]
    desk.cancel(order)
    assert watcher.orders() == []
    desk.block()
    (removed,) = watcher.orders()
    assert (removed["status"], removed["totalFilled"], removed["removalReason"]) == (
        "CANCELED",
        "0.0004",
        "ORDER_REMOVAL_REASON_USER_CANCELED",
    )
    assert [o["status"] for o in rest_orders(desk)] == ["CANCELED"]


def test_a_long_term_order_expires_by_time() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    long_term(desk, ALICE, BUY, 10, 60_000, life=1)
    desk.block(59)
    assert watcher.stories() == [("OPEN", "")]
    desk.block(2)
    assert watcher.stories() == [("CANCELED", "EXPIRED")]


def test_a_stop_waits_for_the_oracle() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(BOB, BUY, 20, 58_000)
    stop(desk, ALICE, SELL, 10, 57_000, trigger=60_000, tif=IOC)
    desk.block()
    (waiting,) = watcher.orders()
    assert (waiting["status"], waiting["type"], waiting["triggerPrice"]) == ("UNTRIGGERED", "STOP_LIMIT", "60000")
    assert waiting["totalFilled"] == "0"
    desk.exchange.set_oracle(0, 59_999 * 100_000)
    desk.block()
    (triggered,) = watcher.orders()
    assert (triggered["status"], triggered["triggerPrice"]) == ("OPEN", "60000")
    desk.block()
    assert watcher.stories() == [("FILLED", "")]


@pytest.mark.parametrize(
    ("side", "condition", "moves", "fires"),
    [
        (SELL, ConditionType.STOP_LOSS, 59_000, True),
        (SELL, ConditionType.STOP_LOSS, 61_000, False),
        (BUY, ConditionType.STOP_LOSS, 61_000, True),
        (BUY, ConditionType.STOP_LOSS, 59_000, False),
        (SELL, ConditionType.TAKE_PROFIT, 61_000, True),
        (SELL, ConditionType.TAKE_PROFIT, 59_000, False),
        (BUY, ConditionType.TAKE_PROFIT, 59_000, True),
        (BUY, ConditionType.TAKE_PROFIT, 61_000, False),
    ],
)
def test_which_way_a_trigger_fires(side: object, condition: ConditionType, moves: int, fires: bool) -> None:
    desk = Desk()
    desk.exchange.set_oracle(0, moves * 100_000)
    desk.block()
    order = stop(desk, ALICE, side, 10, 60_000, trigger=60_000, condition=condition)  # type: ignore[arg-type]
    desk.block()
    assert (order.id in desk.exchange.state.untriggered) is not fires


def test_cancelling_an_untriggered_order() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    order = stop(desk, ALICE, SELL, 10, 40_000, trigger=50_000)
    desk.block()
    desk.cancel(order)
    desk.block()
    assert watcher.stories() == [("UNTRIGGERED", ""), ("CANCELED", "USER_CANCELED")]


def test_a_partly_filled_short_term_order_past_its_block_is_cleaned_up_silently() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.place(ALICE, BUY, 10, 60_000, life=2)
    desk.place(BOB, SELL, 4, 60_000, tif=IOC)
    desk.block(2)
    assert watcher.stories() == [OPENED, ("OPEN", ""), ("CANCELED", "EXPIRED")]
    assert [o["status"] for o in rest_orders(desk)] == ["CANCELED"]


def test_the_same_client_id_revives_a_row() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    for _ in range(2):
        desk.place(ALICE, BUY, 10, 60_000, client=5, life=2)
        desk.block(3)
    orders = watcher.orders()
    assert [o["status"] for o in orders] == ["BEST_EFFORT_OPENED", "CANCELED"] * 2
    assert len({o["id"] for o in orders}) == 1


def test_vulcan_heights_lag_behind() -> None:
    desk = Desk()
    watcher = desk.watch_account()
    desk.block(3)
    desk.now += 700
    desk.place(ALICE, BUY, 10, 60_000)
    (contents,) = watcher.contents()
    assert int(contents["blockHeight"]) < desk.exchange.height

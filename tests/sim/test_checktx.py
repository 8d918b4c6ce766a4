"""What a node answers to a broadcast: (codespace, code)."""

from dataclasses import replace

import pytest
from sim_help import ALICE, BOB, BUY, NOW, SELL, USDC, Desk, long_term, stop

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import ChainOptions
from dydx_console.sim.core.orders import (
    CONDITIONAL,
    LONG_TERM,
    BatchCancel,
    Cancel,
    ConditionType,
    Order,
    OrderId,
    Place,
    SubaccountId,
    TimeInForce,
    Transfer,
)


def code(desk: Desk, order: Order) -> int:
    answer = desk.send(Place(order))
    assert answer.codespace == ("" if answer.ok else "clob")
    return answer.code


def test_stateless_rules() -> None:
    desk = Desk()
    good = desk.order(ALICE, BUY, 10, 60_000)
    assert code(desk, replace(good, time_in_force=TimeInForce.FILL_OR_KILL)) == 48
    assert code(desk, replace(good, quantums=0)) == 4
    assert code(desk, replace(good, quantums=1)) == 12
    assert code(desk, replace(good, subticks=0)) == 6
    assert code(desk, replace(good, subticks=good.subticks + 1)) == 12
    assert code(desk, replace(good, good_til_block=None)) == 5
    assert code(desk, replace(good, reduce_only=True)) == 9003
    assert code(desk, replace(good, id=replace(good.id, flags=1))) == 3000
    assert code(desk, replace(good, id=replace(good.id, clob_pair_id=77))) == 8
    assert code(desk, replace(good, trigger_subticks=100)) == 6001
    assert code(desk, replace(good, condition=ConditionType.STOP_LOSS, trigger_subticks=1)) == 6000
    assert code(desk, good) == 0


@pytest.mark.parametrize(("ahead", "expected"), [(0, 10), (1, 0), (41, 0), (42, 11)])
def test_the_short_term_window_is_forty_blocks(ahead: int, expected: int) -> None:
    desk = Desk()
    assert code(desk, desk.order(ALICE, BUY, 10, 60_000, life=ahead)) == expected


def test_stateful_rules() -> None:
    desk = Desk(ChainOptions(unlimited_owners=frozenset([ALICE.owner])))
    assert code(desk, desk.order(ALICE, BUY, 10, 60_000, flags=LONG_TERM, tif=TimeInForce.IOC)) == 3002
    assert code(desk, desk.order(ALICE, BUY, 10, 60_000, flags=LONG_TERM, life=0)) == 3003
    assert code(desk, desk.order(ALICE, BUY, 10, 60_000, flags=LONG_TERM, life=95 * 24 * 60 + 1)) == 3004
    assert code(desk, desk.order(ALICE, BUY, 10_000_000, 64_000, flags=LONG_TERM)) == 3007
    order = long_term(desk, ALICE, BUY, 10, 60_000)
    assert code(desk, order) == 3005
    desk.block()
    assert code(desk, order) == 3005
    assert desk.cancel(order).ok
    assert desk.cancel(order).code == 32
    assert code(desk, order) == 3008
    desk.block()
    assert desk.cancel(order).code == 3006
    other = long_term(desk, ALICE, BUY, 1, 60_000)
    assert desk.send(Cancel(other.id, good_til_block_time_s=1)).code == 3003
    assert desk.send(Cancel(other.id, good_til_block_time_s=(other.good_til_block_time_s or 0) - 1)).code == 29
    assert (
        desk.send(Cancel(other.id, good_til_block_time_s=(other.good_til_block_time_s or 0) + 96 * 86_400)).code == 3004
    )


def test_a_conditional_order_is_taken_without_collateral() -> None:
    desk = Desk()
    poor = SubaccountId(ALICE.owner, 5)
    order = desk.order(poor, SELL, 1_000_000, 60_000, flags=CONDITIONAL, trigger=50_000)
    assert code(desk, order) == 10001, "below 20 USD of equity there are no stateful orders at all"
    desk.send(Transfer(ALICE, poor, 20 * USDC))
    desk.block()
    assert code(desk, order) == 0


def test_replacement_needs_a_later_block_and_the_same_side() -> None:
    desk = Desk()
    order = desk.place(ALICE, BUY, 10, 60_000, life=10)
    assert code(desk, order) == 20
    assert code(desk, replace(order, good_til_block=(order.good_til_block or 0) + 1, side=SELL)) == 20
    desk.place(BOB, SELL, 6, 60_000, tif=TimeInForce.IOC)
    smaller = replace(order, good_til_block=(order.good_til_block or 0) + 1, quantums=6 * desk.btc.step_base_quantums)
    assert code(desk, smaller) == 24
    assert code(desk, replace(smaller, quantums=7 * desk.btc.step_base_quantums)) == 0
    assert desk.exchange.resting_quantums(order.id) == desk.btc.step_base_quantums


def test_a_cancel_leaves_a_tombstone_until_its_block() -> None:
    desk = Desk()
    order = desk.order(ALICE, BUY, 10, 60_000, life=10)
    assert desk.cancel(order, life=10).ok
    assert desk.cancel(order, life=10).code == 9
    assert code(desk, order) == 7
    assert code(desk, replace(order, good_til_block=(order.good_til_block or 0) + 1)) == 0


def test_a_cancel_with_a_lower_block_answers_0_and_leaves_the_order_alive() -> None:
    desk = Desk()
    order = desk.place(ALICE, BUY, 10, 60_000, life=15)
    assert desk.cancel(order, life=5).ok
    assert desk.exchange.resting_quantums(order.id) == order.quantums
    assert desk.cancel(order, life=15).ok
    assert desk.exchange.resting_quantums(order.id) == 0


def test_a_batch_cancel_answers_0_even_when_its_block_is_too_far() -> None:
    desk = Desk()
    orders = [desk.place(ALICE, BUY, 10, 60_000 - n) for n in range(3)]
    ids = ((0, tuple(order.id.client_id for order in orders)),)
    assert desk.send(BatchCancel(ALICE, ids, desk.exchange.height + 99)).ok
    assert [desk.exchange.resting_quantums(order.id) for order in orders] == [orders[0].quantums] * 3
    assert desk.send(BatchCancel(ALICE, ids, desk.exchange.height + 30)).ok
    assert [desk.exchange.resting_quantums(order.id) for order in orders] == [0] * 3
    assert desk.send(BatchCancel(ALICE, (), desk.exchange.height + 30)).code == 45


def test_post_only_that_crosses_and_reduce_only_that_would_open() -> None:
    desk = Desk()
    desk.place(BOB, SELL, 10, 60_000)
    assert code(desk, desk.order(ALICE, BUY, 10, 60_000, tif=TimeInForce.POST_ONLY)) == 2003
    assert code(desk, desk.order(ALICE, BUY, 10, 60_000, tif=TimeInForce.IOC, reduce_only=True)) == 2001


def test_an_isolated_market_needs_a_subaccount_of_its_own() -> None:
    desk = Desk()
    desk.place(BOB, SELL, 10, 60_000)
    desk.place(ALICE, BUY, 10, 60_000)
    assert code(desk, desk.order(ALICE, BUY, 10, 3_100, market=desk.isolated)) == 0, "what rests is not asked"
    desk.place(SubaccountId(BOB.owner, 128), SELL, 10, 3_200, market=desk.isolated)
    assert code(desk, desk.order(ALICE, BUY, 10, 3_200, market=desk.isolated, flags=LONG_TERM)) == 2005


def test_an_ioc_id_fills_once() -> None:
    desk = Desk()
    desk.place(BOB, SELL, 4, 60_000)
    order = desk.place(ALICE, BUY, 10, 60_000, tif=TimeInForce.IOC)
    assert code(desk, replace(order, good_til_block=(order.good_til_block or 0) + 1)) == 2004


def test_block_rate_limits_count_by_owner() -> None:
    desk = Desk()
    for n in range(400):
        desk.place(ALICE, BUY, 1, 50_000 - n)
    assert code(desk, desk.order(SubaccountId(ALICE.owner, 3), BUY, 1, 50_000)) == 5001
    assert code(desk, desk.order(BOB, BUY, 1, 50_000)) == 0
    desk.block()
    assert code(desk, desk.order(ALICE, BUY, 1, 40_000)) == 0
    for _ in range(2):
        stop(desk, ALICE, SELL, 1, 40_000, trigger=50_000)
    assert code(desk, desk.order(ALICE, SELL, 1, 40_000, flags=CONDITIONAL, trigger=50_000)) == 5001


def test_transfers_need_free_money_in_their_block() -> None:
    desk = Desk()
    assert desk.send(Transfer(ALICE, BOB, 0)).code == 2
    assert desk.send(Transfer(ALICE, BOB, 1_000_001 * USDC)).ok
    assert desk.send(Transfer(ALICE, SubaccountId(ALICE.owner, 128), 400_000 * USDC)).ok
    assert desk.send(Transfer(ALICE, address_of("wallet"), 100_000 * USDC)).ok
    desk.block()
    truth = {who: state.usdc_quantums for who, state in desk.exchange.truth().subaccounts}
    assert truth[ALICE] == 500_000 * USDC
    assert truth[SubaccountId(ALICE.owner, 128)] == 400_000 * USDC


def test_blocks_come_at_their_own_times_and_are_remembered() -> None:
    desk = Desk()
    first = desk.exchange.height
    desk.exchange.advance(desk.now + 3_500)
    assert desk.exchange.height == first + 3
    assert [desk.exchange.block_times_ms[first + n] for n in range(4)] == [desk.now + 1_000 * n for n in range(4)]
    assert desk.exchange.block_times_ms[first - 1] == NOW
    assert desk.exchange.next_block_ms == desk.now + 4_000


def test_unknown_ids_cancel_with_code_0() -> None:
    desk = Desk()
    assert desk.send(Cancel(OrderId(ALICE, 999, 0, 0), good_til_block=desk.exchange.height + 10)).ok

"""Every combination of kind, time in force, reduce-only and trigger, sent to the node: the chain's own verdicts."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from node_help import (
    BUY,
    CONDITIONAL,
    FOK,
    IOC,
    LONG,
    OK,
    POST_ONLY,
    REST,
    SELL,
    SHORT,
    TICK,
    TWAP,
    Trader,
    clob,
    trading,
)
from v4_proto.dydxprotocol.clob.order_pb2 import Order

from dydx_console.sim.core.orders import SubaccountId

KINDS = {"short-term": SHORT, "long-term": LONG, "conditional": CONDITIONAL, "twap": TWAP}
FORCES = {"rest": REST, "ioc": IOC, "post-only": POST_ONLY, "fok": FOK}
TRIGGERS: dict[str, dict[str, Any]] = {
    "none": {"condition_type": Order.CONDITION_TYPE_UNSPECIFIED, "conditional_order_trigger_subticks": 0},
    "type": {"condition_type": Order.CONDITION_TYPE_STOP_LOSS, "conditional_order_trigger_subticks": 0},
    "price": {
        "condition_type": Order.CONDITION_TYPE_UNSPECIFIED,
        "conditional_order_trigger_subticks": 40_000 * TICK,
    },
    "stop": {"condition_type": Order.CONDITION_TYPE_STOP_LOSS, "conditional_order_trigger_subticks": 40_000 * TICK},
    "profit": {"condition_type": Order.CONDITION_TYPE_TAKE_PROFIT, "conditional_order_trigger_subticks": 90_000 * TICK},
}
TABLE = """
kind         force      open   reduce-only
short-term   rest       0      9003
short-term   ioc        0      0
short-term   post-only  0      9003
short-term   fok        48     48
long-term    rest       0      9003
long-term    ioc        3002   3002
long-term    post-only  0      9003
long-term    fok        48     48
conditional  rest       0      9003
conditional  ioc        0      0
conditional  post-only  0      9003
conditional  fok        48     48
twap         rest       12     9003
twap         ioc        12     12
twap         post-only  12     9003
twap         fok        48     48
"""
ROWS = {
    (kind, force): (int(opening), int(reducing))
    for kind, force, opening, reducing in map(str.split, TABLE.split("\n")[2:-1])
}
BEFORE_TRIGGERS = {48, 3002, 9003}
"""Codes of checks that come before those of conditions."""


def expected(kind: str, force: str, reduce_only: bool, trigger: str) -> int:
    """By the table, and the rule for triggers: both parts for conditional orders, none for the others."""
    code = ROWS[kind, force][reduce_only]
    if code in BEFORE_TRIGGERS:
        return code
    if kind == "conditional":
        return {"none": 6000, "price": 6000, "type": 6001}.get(trigger, code)
    return {"none": code, "price": 6001}.get(trigger, 6000)


async def long_position(me: Trader, friend: Trader, number: int) -> None:
    """So that a sell can reduce."""
    me.at.venue.fund(SubaccountId(me.owner, number), 10_000, me.at.exchange.time_ms)
    me.at.block()
    assert await friend.send(friend.order(SELL, 100, 64_000)) == OK
    assert await me.send(me.order(BUY, 100, 64_000, time_in_force=IOC, subaccount=number)) == OK
    me.at.block()


def test_the_table_is_whole() -> None:
    assert set(ROWS) == set(product(KINDS, FORCES))


@pytest.mark.parametrize("force", FORCES)
@pytest.mark.parametrize("kind", KINDS)
async def test_every_combination(kind: str, force: str) -> None:
    async with trading() as (me, friend):
        await long_position(me, friend, 1)
        wrong = {}
        for reduce_only, trigger in product((False, True), TRIGGERS):
            order = me.order(
                SELL,
                5,
                70_000,
                flags=KINDS[kind],
                time_in_force=FORCES[force],
                reduce_only=reduce_only,
                subaccount=1,
                **TRIGGERS[trigger],
            )
            answer = await me.send(order)
            code = expected(kind, force, reduce_only, trigger)
            if answer != (clob(code) if code else OK):
                wrong[reduce_only, trigger] = (answer, code)
            me.at.block()
            placed = await me.in_state(order)
            if (placed is not None) != (code == 0 and kind != "short-term"):
                wrong[reduce_only, trigger] = ("in state", placed)
        assert wrong == {}


@pytest.mark.parametrize(("kind", "code"), [("short-term", 2001), ("conditional", 0)])
async def test_reduce_only_without_a_position(kind: str, code: int) -> None:
    async with trading() as (me, _):
        order = me.order(SELL, 5, 70_000, flags=KINDS[kind], time_in_force=IOC, reduce_only=True)
        assert await me.send(order) == (clob(code) if code else OK)


FIELDS: list[tuple[dict[str, Any], int]] = [
    ({"side": Order.SIDE_UNSPECIFIED}, 3),
    ({"side": 7}, 3),
    ({"size": 0}, 4),
    ({"good_til_block": 0}, 5),
    ({"flags": LONG, "good_til_block_time": 0}, 3001),
    ({"flags": CONDITIONAL, "good_til_block_time": 0}, 3001),
    ({"price": 0}, 6),
    ({"pair": 77}, 8),
    ({"flags": 1}, 3000),
    ({"flags": 256}, 3000),
    ({"time_in_force": 9}, 44),
    ({"condition_type": 9}, 6000),
    ({"flags": CONDITIONAL, "conditional_order_trigger_subticks": 40_000 * TICK + 1}, 12),
]


@pytest.mark.parametrize(("changes", "code"), FIELDS, ids=str)
async def test_fields_that_cannot_be(changes: dict[str, Any], code: int) -> None:
    async with trading() as (me, _):
        assert await me.send(me.order(**changes)) == clob(code)
        off = me.order()
        off.order.quantums += 1
        assert await me.send(off) == clob(12)
        off = me.order()
        off.order.subticks += 1
        assert await me.send(off) == clob(12)


async def test_a_long_term_order_needs_collateral_and_a_resting_short_term_one_does_not() -> None:
    async with trading() as (me, _):
        assert await me.send(me.order(BUY, 10_000_000, 64_000, flags=LONG)) == clob(3007)
        assert await me.send(me.order(BUY, 10_000_000, 64_000)) == OK
        assert await me.send(me.order(SELL, 10_000_000, 64_001, flags=CONDITIONAL)) == OK

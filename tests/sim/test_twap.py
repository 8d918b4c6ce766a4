"""TWAP parents: placed, listed and cancelled; their parts are not simulated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sim_help import ALICE, BUY, USDC, Desk, TimeInForce

from dydx_console.sim.core.orders import TWAP, Order, Place, SubaccountId, Transfer, Twap

PLAN = Twap(duration_s=300, interval_s=30, tolerance_ppm=10_000)


def parent(desk: Desk, **changes: object) -> Order:
    order = replace(desk.order(ALICE, BUY, 100, 60_000, flags=TWAP, life=30), twap=PLAN)
    return replace(order, **changes)  # type: ignore[arg-type]


def test_a_parent_is_listed_and_cancelled() -> None:
    desk = Desk()
    order = parent(desk)
    watcher = desk.watch_account()
    assert desk.send(Place(order)).ok
    desk.block()
    [told] = watcher.orders()
    assert (told["status"], told["type"], told["orderFlags"]) == ("OPEN", "LIMIT", "128")
    assert "createdAtHeight" not in told
    [listed] = desk.get("/v4/orders", address=ALICE.owner, subaccountNumber="0")
    assert (listed["status"], listed["type"], listed["orderFlags"]) == ("OPEN", "TWAP", "128")
    assert (listed["duration"], listed["interval"], listed["priceTolerance"]) == ("300", "30", "10000")
    assert not desk.exchange.committed.placements, "the query for stateful orders does not find parents"
    assert desk.send(Place(order)).code == 3005
    assert desk.cancel(order).ok
    assert desk.cancel(order).code == 32
    desk.block()
    assert watcher.orders()[-1]["status"] == "CANCELED"
    [listed] = desk.get("/v4/orders", address=ALICE.owner, subaccountNumber="0")
    assert listed["status"] == "CANCELED"
    assert desk.cancel(order).code == 3006


def test_a_parent_expires_and_never_triggers() -> None:
    desk = Desk()
    order = parent(desk, good_til_block_time_s=desk.exchange.time_ms // 1_000 + 3)
    assert desk.send(Place(order)).ok
    desk.block(2)
    assert [held.id for held, _ in desk.exchange.truth().working] == [order.id]
    desk.block(2)
    assert desk.exchange.truth().working == ()


@pytest.mark.parametrize(
    ("twap", "code"),
    [
        (None, 12),
        (replace(PLAN, interval_s=29), 12),
        (replace(PLAN, interval_s=3_630, duration_s=7_260), 12),
        (replace(PLAN, duration_s=270), 12),
        (replace(PLAN, duration_s=86_430), 12),
        (replace(PLAN, duration_s=310), 12),
        (replace(PLAN, tolerance_ppm=1_000_000), 12),
        (PLAN, 0),
    ],
)
def test_plans(twap: Twap | None, code: int) -> None:
    desk = Desk()
    assert desk.send(Place(parent(desk, twap=twap))).code == code


def test_parts_of_less_than_a_step_and_parents_without_means() -> None:
    desk = Desk()
    step = desk.btc.step_base_quantums
    assert desk.send(Place(parent(desk, quantums=9 * step))).code == 12
    assert desk.send(Place(parent(desk, quantums=10 * step, subticks=0, time_in_force=TimeInForce.IOC))).code == 0
    desk.send(Transfer(ALICE, SubaccountId(ALICE.owner, 5), 100 * USDC))
    desk.block()
    poor = parent(desk)
    poor = replace(
        poor, id=replace(poor.id, subaccount=SubaccountId(ALICE.owner, 5)), quantums=10_000 * step, subticks=0
    )
    assert desk.send(Place(poor)).code == 3007, "at the oracle price, where there is no other"

"""What the real Indexer said, connection by connection: every frame is read, and the states are what the frames say."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shared_data import DATA, entries_of, events_of, needs_data, raw_lines, state_after

from dydx_console.domain import events as ev
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.order import display_status
from dydx_console.state.freshness import PictureState
from dydx_console.venue.indexer.answers import Answer, facts_of_answer

pytestmark = needs_data

TRANSCRIPTS = DATA / "transcripts"
LIFECYCLES = ("ws_lifecycle_single", "ws_lifecycle_batched")
STREAMS = (*LIFECYCLES, "ws_errors", "ws_heartbeat", "ws_comlink_faults")

NAMELESS = {"ws_errors": {""}}
"""The server takes the subscription ADDRESS/ (its number is read as 0); the console never asks for that."""


def path_of(name: str) -> Path:
    return TRANSCRIPTS / f"{name}.jsonl"


def said(name: str) -> list[dict[str, Any]]:
    return [json.loads(row["text"]) for row in raw_lines(path_of(name)) if row["ev"] == "<"]


def contents(message: dict[str, Any]) -> list[dict[str, Any]]:
    return message["contents"] if message["type"] == "channel_batch_data" else [message["contents"]]


@pytest.mark.parametrize("name", STREAMS)
def test_every_frame_is_read(name: str) -> None:
    frames = [event for event in events_of(entries_of(path_of(name))) if isinstance(event, ev.Frame)]
    assert len(frames) == len(said(name))
    rejected = [fact for frame in frames for fact in frame.facts if isinstance(fact, ev.MessageRejected)]
    assert {fact.key and fact.key.id.rpartition("/")[2] for fact in rejected} <= NAMELESS.get(name, set())


@pytest.mark.parametrize("name", STREAMS)
def test_no_connection_is_accused_of_a_loss(name: str) -> None:
    """Late answers and refused subscriptions take numbers too; nothing was lost on these connections."""
    state = state_after(entries_of(path_of(name)))
    last = entries_of(path_of(name))[-1].t
    assert state.freshness.holes(last + 3600) == ()
    assert state.freshness.view(last + 3600).gaps == 0


@pytest.mark.parametrize("name", LIFECYCLES)
def test_positions_and_balances_are_the_last_that_the_frames_state(name: str) -> None:
    state = state_after(entries_of(path_of(name)))
    positions: dict[tuple[int, str], dict[str, Any]] = {}
    balances: dict[tuple[int, str], Decimal] = {}
    for message in said(name):
        if "subaccounts" not in message.get("channel", "") or not message["type"].startswith("channel"):
            continue
        for part in contents(message):
            for row in part.get("perpetualPositions", ()):
                positions[row["subaccountNumber"], row["market"]] = row
            for row in part.get("assetPositions", ()):
                amount = Decimal(row["size"]) * (1 if row["side"] == "LONG" else -1)
                balances[row["subaccountNumber"], row["symbol"]] = amount
    assert positions
    assert balances
    for (number, market), row in positions.items():
        held = state.holdings.position(PositionKey(number, market))
        if row["status"] == "OPEN":
            assert held is not None
            assert held.net_size == Decimal(row["size"])
            assert held.entry_price == Decimal(row["entryPrice"])
        else:
            assert held is None
    held_balances = {(b.subaccount, b.asset): b.amount for b in state.holdings.balances}
    for key, amount in balances.items():
        assert held_balances[key] == amount


@pytest.mark.parametrize("name", LIFECYCLES)
def test_orders_and_fills_are_those_of_the_frames(name: str) -> None:
    state = state_after(entries_of(path_of(name)))
    fills: dict[str, dict[str, Any]] = {}
    last: dict[str, dict[str, Any]] = {}
    for message in said(name):
        if "subaccounts" in message.get("channel", "") and message["type"].startswith("channel"):
            for part in contents(message):
                fills.update({row["id"]: row for row in part.get("fills", ())})
                last.update({row["id"]: row for row in part.get("orders", ())})
    assert {fill.id for fill in state.fills} == set(fills)
    assert last
    for order_id, row in last.items():
        order = state.orders.get(order_id)
        assert order is not None
        executed = sum((Decimal(f["size"]) for f in fills.values() if f.get("orderId") == order_id), start=Decimal(0))
        assert order.filled == max(executed, Decimal(row.get("totalFilled") or 0))
        shown = display_status(order, None, None)
        allowed = {
            "FILLED": {"FILLED"},
            "CANCELED": {"CANCELLED", "EXPIRED", "FILLED"},
            "BEST_EFFORT_CANCELED": {"CANCELING", "FILLED"},
            "OPEN": {"OPEN", "PARTIALLY_FILLED", "CANCELING", "CANCELLED"},
            "BEST_EFFORT_OPENED": {"PENDING", "PARTIALLY_FILLED", "CANCELING"},
            "UNTRIGGERED": {"UNTRIGGERED"},
        }
        assert shown in allowed[row["status"]]


@pytest.mark.parametrize("name", LIFECYCLES)
def test_without_rest_the_account_stays_syncing(name: str) -> None:
    state = state_after(entries_of(path_of(name)))
    views = state.freshness.view(entries_of(path_of(name))[-1].t).channels
    accounts = [view for view in views if "subaccounts" in view.key.channel]
    assert len(accounts) == 2
    assert {view.state for view in accounts} <= {PictureState.SYNCING, PictureState.OFFLINE}


def test_parent_and_child_channel_tell_the_same_account_once() -> None:
    """The single transcript subscribes both; the same rows come twice, with different numbers."""
    state = state_after(entries_of(path_of("ws_lifecycle_single")))
    ids = [fill.id for fill in state.fills]
    assert len(ids) == len(set(ids))
    for order in state.orders:
        if order.id in {fill.order_id for fill in state.fills}:
            executed = sum((f.size for f in state.fills if f.order_id == order.id), start=Decimal(0))
            assert order.filled == max(executed, order.total_filled or Decimal(0))


def exchanges(name: str) -> list[dict[str, Any]]:
    return [row for row in raw_lines(path_of(name)) if row["ev"] == "http"]


@pytest.mark.parametrize("name", ["http_endpoints", "http_429"])
def test_every_answer_of_rest_is_read_or_names_its_failure(name: str) -> None:
    kinds: set[type[object]] = set()
    for row in exchanges(name):
        if row.get("method", "GET") != "GET" or row.get("status") is None or row.get("body") is None:
            continue
        facts = facts_of_answer(Answer(row["url"], row["status"], row["body"], row["t"], row["t"], 0))
        for fact in facts:
            kinds.add(type(fact))
            assert not isinstance(fact, ev.MessageRejected), (row["url"], fact)
            if isinstance(fact, ev.ReadFailed):
                assert fact.status == row["status"] != 200
                assert str(row["status"]) in fact.text
    if name == "http_endpoints":
        assert kinds >= {ev.AccountRead, ev.OrdersRead, ev.FillsRead, ev.MarketsRead, ev.BookRead, ev.HeightRead}
    else:
        assert ev.ReadFailed in kinds

"""The whole live path against the embedded exchange in a process of its own, and the recording of it replayed."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from venues import FUNDED_NOWHERE, engine_on, exchange, network_of

from dydx_console.cli.replay import final_snapshot, load_recording
from dydx_console.engine.child import SimUrls
from dydx_console.engine.runtime import Engine
from dydx_console.state.freshness import PictureState
from dydx_console.state.snapshot import Snapshot


@pytest.fixture(scope="module")
def venue() -> Iterator[SimUrls]:
    with exchange() as served:
        yield served


def until(engine: Engine, condition: Callable[[Snapshot], bool], within_s: float = 20.0) -> Snapshot:
    deadline = time.monotonic() + within_s
    while True:
        snapshot = engine.mailbox.latest()
        if snapshot is not None and condition(snapshot):
            return snapshot
        assert time.monotonic() < deadline, f"it did not come true in time: {snapshot and snapshot.stream}"
        assert engine.failure is None
        time.sleep(0.02)


def is_live(snapshot: Snapshot) -> bool:
    return snapshot.stream.state is PictureState.LIVE


def get(venue: SimUrls, path: str) -> dict[str, list[dict[str, str]]]:
    with urllib.request.urlopen(f"{venue.rest}/v4{path}", timeout=5) as answer:
        body: dict[str, list[dict[str, str]]] = json.load(answer)
        return body


def test_a_trading_account_becomes_live_and_every_fill_of_the_venue_is_known(venue: SimUrls) -> None:
    engine = engine_on(network_of(venue), venue.account)
    engine.start()
    try:
        first = until(engine, is_live)
        later = until(engine, lambda snapshot: snapshot.fills_known > first.fills_known)
        height = later.height or 0
        truth = get(
            venue,
            f"/fills/parentSubaccountNumber?address={venue.account}&parentSubaccountNumber=0&limit=1000&page=1",
        )
        due = {row["id"] for row in truth["fills"] if int(row["createdAtHeight"]) <= height - 2}
        settled = until(engine, lambda snapshot: (snapshot.height or 0) >= height + 2)
        assert due <= {fill.id for fill in settled.fills}
        assert settled.margin is not None
        assert settled.margin.equity is not None
        assert settled.margin.equity > Decimal(0)
        assert settled.pnl.net is not None
        assert all(view.cost_basis == "FILLS" for view in settled.positions)
    finally:
        assert engine.stop()


def test_a_recording_of_the_stream_replays_to_what_was_shown(venue: SimUrls, tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    engine = engine_on(network_of(venue), venue.account, record_to=path)
    engine.start()
    first = until(engine, is_live)
    until(engine, lambda snapshot: snapshot.fills_known > first.fills_known)
    assert engine.stop()
    shown = engine.mailbox.latest()
    assert shown is not None
    loaded = load_recording(path)
    assert loaded.problem is None
    replayed, _ = final_snapshot(loaded.entries)
    assert {order.id: order for order in replayed.orders} == {order.id: order for order in shown.orders}
    assert {fill.id for fill in shown.fills} <= {fill.id for fill in replayed.fills}
    assert replayed.balances == shown.balances
    assert [view.position for view in replayed.positions] == [view.position for view in shown.positions]
    assert replayed.height == shown.height


def test_an_account_that_was_never_funded_is_live_and_empty(venue: SimUrls) -> None:
    engine = engine_on(network_of(venue), FUNDED_NOWHERE)
    engine.start()
    try:
        snapshot = until(engine, is_live)
        assert snapshot.exists is False
        assert snapshot.positions == ()
        assert snapshot.orders == ()
    finally:
        assert engine.stop()


def test_after_a_reconnect_the_picture_is_live_again_and_nothing_is_doubled(venue: SimUrls) -> None:
    engine = engine_on(network_of(venue), venue.account)
    engine.start()
    try:
        until(engine, is_live)
        engine.reconnect()
        again = until(engine, lambda s: s.stream.reconnects >= 1 and is_live(s))
        ids = [fill.id for fill in again.fills]
        assert len(ids) == len(set(ids))
    finally:
        assert engine.stop()

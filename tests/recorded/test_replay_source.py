"""A recording as events: connections, re-reads, and what is made of a client that reconnects."""

import json
from typing import Any

from builders import ADDRESS, message
from shared_data import FIXTURES, entries_of, events_of, state_after

from dydx_console.domain import events as ev
from dydx_console.domain.order import display_status
from dydx_console.engine.replay import ReplaySource, watched_in
from dydx_console.recording.lines import Entry
from dydx_console.state.console import Watched
from dydx_console.state.freshness import PictureState

PARENT = "v4_parent_subaccounts"
ID = f"{ADDRESS}/0"
QUERY = f"?address={ADDRESS}&parentSubaccountNumber=0"


def line(t: float, kind: str, text: Any = None, c: str = "c0") -> Entry:
    return Entry(t=t, ev=kind, c=c, text=text)


def http(t: float, path: str, body: Any, status: int = 200, ms: float = 10.0, method: str | None = "GET") -> Entry:
    return Entry(t=t, ev="http", method=method, url=path, status=status, body=json.dumps(body), ms=ms)


def account(address: str = ADDRESS) -> dict[str, Any]:
    child = {"address": address, "subaccountNumber": 0, "updatedAtHeight": "1"}
    return {"subaccount": {"address": address, "parentSubaccountNumber": 0, "childSubaccounts": [child]}}


def joined(t: float, c: str = "c0", message_id: int = 1) -> Entry:
    return line(t, "<", message("subscribed", PARENT, {**account(), "orders": []}, message_id, id=ID), c)


def reread(t: float, address: str = ADDRESS, ms: float = 10.0) -> list[Entry]:
    query = f"?address={address}&parentSubaccountNumber=0"
    return [
        http(t, f"/v4/addresses/{address}/parentSubaccountNumber/0", account(address), ms=ms),
        http(t + 0.01, f"/v4/orders/parentSubaccountNumber{query}", [], ms=ms),
        http(t + 0.02, f"/v4/fills/parentSubaccountNumber{query}", {"fills": []}, ms=ms),
    ]


def resyncs(*entries: Entry) -> list[ev.Resynced]:
    return [event for event in events_of(entries) if isinstance(event, ev.Resynced)]


SUBSCRIBE = json.dumps({"type": "subscribe", "channel": PARENT, "id": ID})


def test_the_watched_account_is_the_first_that_is_subscribed() -> None:
    other = json.dumps({"type": "subscribe", "channel": PARENT, "id": f"{ADDRESS}/131"})
    assert watched_in([line(0, ">", "{oops"), line(1, ">", other), line(2, ">", SUBSCRIBE)]) == Watched(ADDRESS, 3)
    assert watched_in([line(0, "open"), line(1, ">", '{"type":"subscribe","channel":"v4_markets"}')]) is None


def test_connections_are_counted_and_a_name_may_come_again() -> None:
    events = events_of(
        (line(0, "open"), line(1, "closed"), line(2, "open"), line(3, "open", c="c1"), line(4, "closed"))
    )
    opened = [event.connection for event in events if isinstance(event, ev.ConnectionOpened)]
    closed = [event.connection for event in events if isinstance(event, ev.ConnectionClosed)]
    assert (opened, closed) == ([1, 2, 3], [1, 2])


def test_a_frame_before_the_opening_line_belongs_to_the_same_connection() -> None:
    greeting = '{"type":"connected","connection_id":"a","message_id":0}'
    events = events_of((line(0, "<", greeting), line(1, "open"), line(2, ">", SUBSCRIBE), line(3, ">", "{oops")))
    assert [type(event) for event in events] == [ev.ConnectionOpened, ev.Frame, ev.SubscribeSent]


def test_entries_that_lack_their_parts_tell_nothing() -> None:
    entries = (Entry(t=0, ev="open"), Entry(t=0, ev="http"), line(1, "open"), line(2, "<"), line(3, ">"))
    assert [type(event) for event in events_of(entries)] == [ev.ConnectionOpened]
    assert events_of((http(1, "/v4/height", {"height": "1", "time": "2026-05-01T00:00:00Z"}, method="POST"),)) == []


def test_the_account_is_in_step_once_all_of_it_was_asked_for_after_its_answer() -> None:
    assert [event.connection for event in resyncs(line(0, "open"), joined(1), *reread(2))] == [1]
    assert len(resyncs(line(0, "open"), joined(1), *reread(2), *reread(3))) == 2
    assert resyncs(line(0, "open"), joined(1), *reread(2)[:2]) == []
    assert resyncs(line(0, "open"), *reread(0.5), joined(1)) == []
    assert resyncs(line(0, "open"), joined(1), *reread(1.5, ms=900)) == []


def test_failed_answers_and_other_accounts_complete_nothing() -> None:
    failed = [http(2, f"/v4/{name}/parentSubaccountNumber{QUERY}", {"errors": []}, 404) for name in ("orders", "fills")]
    assert resyncs(line(0, "open"), joined(1), reread(2)[0], *failed) == []
    assert resyncs(line(0, "open"), joined(1), *reread(2, "dydx1other")) == []


def test_a_refused_subscription_is_not_answered() -> None:
    error = json.dumps({"type": "error", "message": "no", "message_id": 1, "channel": PARENT, "id": ID})
    assert resyncs(line(0, "open"), line(1, "<", error), *reread(2)) == []


def test_an_answer_names_the_newest_connection_whose_account_was_answered_when_it_was_asked() -> None:
    source = ReplaySource()
    entries = [
        *reread(0.1)[:1],
        line(1, "open"),
        *reread(1.5)[:1],
        joined(2),
        *reread(3)[:1],
        line(4, "open", c="c1"),
        *reread(5)[:1],
        joined(6, "c1"),
        *reread(6.1, ms=200)[:1],
        *reread(7)[:1],
    ]
    events = [event for entry in entries for event in source.events(entry)]
    reads = [event.connection for event in events if isinstance(event, ev.AccountRead)]
    assert reads == [0, 0, 1, 1, 1, 2]


def test_a_small_day_of_our_own() -> None:
    """tests/fixtures/small_day.jsonl: a reconnect, an order that ends unseen, one that goes on, two fills."""
    entries = entries_of(FIXTURES / "small_day.jsonl")
    state = state_after(entries)
    statuses = {order.id: display_status(order, state.height, state.block_time) for order in state.orders}
    assert statuses == {"order-gone": "CANCELLED", "order-kept": "PARTIALLY_FILLED"}
    assert [(p.market, str(p.net_size)) for p in state.holdings.positions] == [("BTC-USD", "0.4")]
    assert [(b.asset, str(b.amount)) for b in state.holdings.balances] == [("USDC", "-39900.5")]
    assert [fill.id for fill in state.fills] == ["fill-1", "fill-2"]
    view = state.freshness.view(entries[-1].t)
    assert (view.reconnects, view.resyncs, view.gaps, view.state) == (1, 2, 0, PictureState.LIVE)

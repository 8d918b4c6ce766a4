"""At debug level the log ties a message to what it changed; at any other level that costs nothing."""

import logging
from collections.abc import Iterator

import pytest
from builders import fill, patch, version

from dydx_console.domain.events import AccountUpdate, BlockHeight, ChannelKey, Frame, ReadFailed
from dydx_console.engine.publish import Publisher
from dydx_console.engine.publish import log as publish_log
from dydx_console.engine.trace import trace_fields
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.mailbox import Mailbox
from dydx_console.state.console import ConsoleState, Watched

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
KEY = ChannelKey("v4_parent_subaccounts", f"{ADDRESS}/0")


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    before = publish_log.level
    yield Publisher(ConsoleState(Watched(ADDRESS, 0)), Mailbox(), SystemClock())
    publish_log.setLevel(before)


def frame(message_id: int, *facts: object) -> Frame:
    return Frame(2, message_id, KEY, facts, 1.0)  # type: ignore[arg-type]


def update(message_id: int) -> AccountUpdate:
    return AccountUpdate(version(message_id, 2), ADDRESS, 0, orders=(patch("order-1"),), fills=(fill("fill-1"),))


def test_a_message_is_tied_to_what_it_changed(publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    publish_log.setLevel(logging.DEBUG)
    publisher.take(frame(7, update(7)))
    publisher.take(frame(7, update(7)))
    publisher.take(ReadFailed("/v4/height", 503, "no", 2.0))
    first, again, read = (record for record in caplog.records if record.levelno == logging.DEBUG)
    assert first.getMessage() == "Frame taken"
    told = {name: vars(first)[name] for name in trace_fields(frame(1), publisher.state.apply(frame(1)))}
    assert told == {
        "connection": 2,
        "message_id": 7,
        "channel": f"v4_parent_subaccounts {ADDRESS}/0",
        "facts": ["AccountUpdate"],
        "changed": ["account", "fills", "orders"],
        "orders": ["order-1"],
        "fills": ["fill-1"],
    }
    assert (vars(again)["message_id"], vars(again)["changed"], vars(again)["orders"]) == (7, [], [])
    assert (vars(read)["connection"], vars(read)["facts"], vars(read)["changed"]) == (None, ["ReadFailed"], ["stream"])


def test_at_other_levels_nothing_is_made(publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    publish_log.setLevel(logging.INFO)
    publisher.take(frame(7, update(7)))
    assert caplog.records == []


def test_a_message_of_several_facts_names_them_all(publisher: Publisher) -> None:
    facts = (update(8), BlockHeight(version(8, 2), 5, fill("x").created_at, 1.0))
    fields = trace_fields(frame(8, *facts), publisher.state.apply(frame(8, *facts)))
    assert fields["facts"] == ["AccountUpdate", "BlockHeight"]
    assert set(fields["changed"]) >= {"orders", "blocks"}  # type: ignore[call-overload]

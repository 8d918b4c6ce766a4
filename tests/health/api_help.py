"""An account's side of the API that a test moves by hand: a picture, a shelf of orders, and a token."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from health_help import ANY_PORT, Answer, FakeEngine, get, serving
from tui.pictures import NOW, D, fill, order, picture
from tui.shelf import FakeDesk, Shelf

from dydx_console.health.api import Api
from dydx_console.health.listen import Listen
from dydx_console.health.token import ApiToken
from dydx_console.ports.journal import History, OrderHop, OrderRecord, PlacedFill
from dydx_console.ports.mailbox import Mailbox
from dydx_console.state.snapshot import Snapshot

TOKEN = "t0ken-of-thirty-two-characters-or-more"
BEARER = f"Authorization: Bearer {TOKEN}"
HOPS = (
    OrderHop(NOW, 48_112_800, "STREAM", "OPEN", "OPEN", None, None, D(0), D("0.25"), D(15041), None, None, None),
    OrderHop(NOW, 48_112_900, "REST", "CANCELLED", "CANCELED", "USER_CANCELED", "VENUE", D(0), D("0.25"), D(15041),
             None, None, None),
)  # fmt: skip


def record(number: int, **changes: Any) -> OrderRecord:
    """Return an order of the history; higher numbers were placed earlier."""
    placed = NOW - timedelta(minutes=number)
    noted = order(number, created_at=placed, **changes)
    return OrderRecord(noted, changes.get("status", "OPEN"), placed, NOW)


def shelf(count: int = 120) -> Shelf:
    """Return a history: orders of which every third is for ETH and cancelled, two fills of the first."""
    records = [
        record(number, market="ETH-USD", status="CANCELED") if number % 3 == 0 else record(number)
        for number in range(count)
    ]
    records = [
        OrderRecord(one.order, "CANCELLED" if one.order.status == "CANCELED" else "OPEN", one.placed_at, one.noted_at)
        for one in records
    ]
    fills = [PlacedFill(fill(number, order_id="order-1"), number) for number in (7, 8)]
    return Shelf({History.ORDERS: records, History.FILLS: fills}, {"order-1": HOPS})


@dataclass
class Account:
    """An `AccountSource`; `now` is the engine's clock."""

    mailbox: Mailbox = field(default_factory=Mailbox)
    history: FakeDesk = field(default_factory=lambda: FakeDesk(shelf()))
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def show(self, snapshot: Snapshot | None = None) -> "Account":
        """Publish a picture."""
        self.mailbox.publish(picture() if snapshot is None else snapshot, ())
        return self


@contextmanager
def serving_account(account: Account, engine: FakeEngine | None = None, at: Listen = ANY_PORT) -> Iterator[Listen]:
    """Serve an account to who has the token."""
    with serving(engine or FakeEngine(), at, api=Api(account, ApiToken(TOKEN))) as place:
        yield place


def asked(at: Listen, path: str) -> Any:
    """Return the body of a 200."""
    answer = ask(at, path)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def ask(at: Listen, path: str) -> Answer:
    """Ask with the token."""
    return get(at, path, BEARER)

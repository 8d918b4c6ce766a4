"""A client of the venue without a socket, and the loop that turns the clock for both."""

import json
from dataclasses import dataclass, field
from typing import Any

from dydx_console.sim.faults.outcomes import Reset
from dydx_console.sim.faults.wire import Arrival, Wire
from dydx_console.sim.indexer.session import Close, Ping, Text
from dydx_console.sim.venue import Venue

RETRY_MS = 500
HEIGHT = {"channel": "v4_block_height"}


def message(text: str) -> dict[str, Any] | None:
    """A message of the Indexer, None for garbage."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and isinstance(body.get("connection_id"), str) else None


@dataclass
class Client:
    """Subscribes, keeps all that it hears with its time, and connects again half a second after a connection ended."""

    venue: Venue
    subscriptions: list[dict[str, Any]] = field(default_factory=lambda: [HEIGHT])
    again: bool = True
    heard: list[tuple[int, str, Arrival]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    refusals: list[object] = field(default_factory=list)
    wire: Wire | None = None
    due_ms: int | None = None

    def connect(self, now_ms: int) -> None:
        met = self.venue.handshake(now_ms)
        if met is not None:
            self.refusals.append(met)
            self.due_ms = now_ms + RETRY_MS
            return
        self.due_ms = None
        self.wire = self.venue.open(now_ms)
        self.ids.append(self.wire.id)
        for subscription in self.subscriptions:
            self.say({"type": "subscribe", **subscription}, now_ms)

    def say(self, message: dict[str, Any], now_ms: int) -> None:
        assert self.wire is not None
        self.wire.say(json.dumps(message), now_ms)

    def turn(self, now_ms: int) -> None:
        if self.due_ms is not None and self.due_ms <= now_ms:
            self.connect(now_ms)
        if self.wire is None:
            return
        for arrival in self.wire.hear(now_ms):
            self.heard.append((now_ms, self.wire.id, arrival))
            if isinstance(arrival, Ping):
                self.wire.pong()
            if isinstance(arrival, Close | Reset):
                self.wire = None
                self.due_ms = now_ms + RETRY_MS if self.again else None
                return

    def leave(self, now_ms: int) -> None:
        """Give up a connection that says nothing."""
        if self.wire is not None:
            self.wire.leave()
            self.wire, self.due_ms = None, now_ms

    def texts(self, since_ms: int = 0) -> list[str]:
        return [arrival.text for at, _, arrival in self.heard if isinstance(arrival, Text) and at >= since_ms]

    def frames(self, since_ms: int = 0) -> list[dict[str, Any]]:
        """Messages of the Indexer; what is no message is left out."""
        return [frame for text in self.texts(since_ms) if (frame := message(text)) is not None]

    def numbers(self, connection: str) -> list[int]:
        """The message ids of a connection in order of arrival."""
        return [f["message_id"] for f in self.frames() if f["connection_id"] == connection]


def drive(venue: Venue, client: Client, now_ms: int, until_ms: int) -> int:
    """Jump from one moment at which anything is due to the next; returns `until_ms`."""
    while now_ms < until_ms:
        client.turn(now_ms)
        due = [venue.next_due_ms, until_ms] + ([] if client.due_ms is None else [client.due_ms])
        now_ms = max(now_ms, min(due))
        venue.advance(now_ms)
    client.turn(now_ms)
    return now_ms

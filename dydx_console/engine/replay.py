"""A recording as a source of events, through the same protocol that reads the live stream."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dydx_console.domain.events import (
    AccountRead,
    ConnectionClosed,
    ConnectionOpened,
    Event,
    Fact,
    FillsRead,
    OrdersRead,
    Resynced,
    Subscribed,
)
from dydx_console.domain.ids import parent_of
from dydx_console.recording.lines import Entry
from dydx_console.state.console import Watched
from dydx_console.venue.indexer.answers import Answer, facts_of_answer
from dydx_console.venue.indexer.channels import account_of
from dydx_console.venue.indexer.protocol import IndexerProtocol

__all__ = ["ReplaySource", "watched_in"]

REREAD = frozenset({AccountRead, OrdersRead, FillsRead})
"""What must have been read again after an account's subscription before its channel is in step."""

STAMP_S = 0.001
"""How exact the moments of a recording are."""


def watched_in(entries: Iterable[Entry]) -> Watched | None:
    """Return the account that a recording subscribes to first, or None where it subscribes to none."""
    protocol = IndexerProtocol(0)
    for entry in entries:
        request = protocol.sent(entry.text, entry.t) if entry.ev == ">" and entry.text else None
        account = None if request is None else account_of(request.key)
        if account is not None:
            return Watched(account[0], parent_of(account[1]))
    return None


@dataclass(slots=True)
class Socket:
    """One recorded connection: its protocol, and whether its opening has been recorded."""

    protocol: IndexerProtocol
    is_opened: bool


class Reread:
    """What has been read again since an account was answered on a connection."""

    def __init__(self, connection: int, address: str, answered_at: float) -> None:
        self.connection = connection
        self.answered_at = answered_at
        self._address = address
        self._missing = set(REREAD)

    def note(self, facts: Iterable[Fact], asked_at: float) -> bool:
        """Note an answer's facts; returns whether all has been read again with it, and begins anew then."""
        if asked_at + STAMP_S < self.answered_at:
            return False
        for fact in facts:
            if isinstance(fact, (AccountRead, OrdersRead, FillsRead)) and fact.address == self._address:
                self._missing.discard(type(fact))
        if self._missing:
            return False
        self._missing = set(REREAD)
        return True


class ReplaySource:
    """Turns the entries of a recording into events, in order."""

    def __init__(self) -> None:
        self._sockets: dict[str, Socket] = {}
        self._opened = 0
        self._rereads: list[Reread] = []

    def events(self, entry: Entry) -> Iterator[Event]:
        """Yield what one entry tells."""
        if entry.ev == "http":
            yield from self._http(entry)
        elif entry.c is not None:
            yield from self._socket_events(entry, entry.c)

    def _socket_events(self, entry: Entry, name: str) -> Iterator[Event]:
        socket = self._sockets.get(name)
        if socket is None or (entry.ev == "open" and socket.is_opened):
            self._opened += 1
            socket = self._sockets[name] = Socket(IndexerProtocol(self._opened), False)
            yield ConnectionOpened(self._opened, entry.t)
        if entry.ev == "open":
            socket.is_opened = True
        elif entry.ev == "closed":
            yield ConnectionClosed(socket.protocol.connection, entry.code, entry.reason or "", entry.t)
        elif entry.text is not None and entry.ev == ">":
            request = socket.protocol.sent(entry.text, entry.t)
            if request is not None:
                yield request
        elif entry.text is not None and entry.ev == "<":
            yield self._received(socket.protocol, entry.text, entry.t)

    def _received(self, protocol: IndexerProtocol, text: str, at: float) -> Event:
        frame = protocol.receive(text, at)
        for fact in frame.facts:
            account = account_of(fact.key) if isinstance(fact, Subscribed) else None
            if account is not None:
                self._rereads.append(Reread(protocol.connection, account[0], at))
        return frame

    def _http(self, entry: Entry) -> Iterator[Event]:
        if entry.url is None or entry.status is None or entry.body is None or (entry.method or "GET") != "GET":
            return
        asked_at = entry.t - (entry.ms or 0.0) / 1000
        answered = (held.connection for held in self._rereads if held.answered_at <= asked_at + STAMP_S)
        connection = max(answered, default=0)
        facts = facts_of_answer(Answer(entry.url, entry.status, entry.body, asked_at, entry.t, connection))
        yield from facts
        for held in self._rereads[-1:]:
            if held.note(facts, asked_at):
                yield Resynced(held.connection, entry.t)

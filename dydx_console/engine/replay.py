"""A recording as a source of events, through the same protocol that reads the live stream."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from dydx_console.domain.events import ConnectionClosed, ConnectionOpened, Event, Resynced
from dydx_console.domain.ids import parent_of
from dydx_console.recording.lines import Entry
from dydx_console.state.console import Watched
from dydx_console.venue.indexer.answers import Answer, facts_of_answer
from dydx_console.venue.indexer.channels import ACCOUNT_CHANNELS, account_of
from dydx_console.venue.indexer.protocol import IndexerProtocol

__all__ = ["ReplaySource", "watched_in"]

REREAD = frozenset({"addresses", "orders", "fills"})
"""What must have been read again after an account's subscription before its channel is in step."""


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
    """One recorded connection: its protocol, and what has been read again since its account was answered."""

    protocol: IndexerProtocol
    is_subscribed: bool = False
    reread: set[str] = field(default_factory=set)


class ReplaySource:
    """Turns the entries of a recording into events, in order."""

    def __init__(self) -> None:
        self._sockets: dict[str, Socket] = {}
        self._newest: Socket | None = None

    def events(self, entry: Entry) -> Iterator[Event]:
        """Yield what one entry tells."""
        if entry.ev == "http":
            yield from self._http(entry)
        elif entry.c is not None:
            yield from self._socket_events(entry, entry.c)

    def _socket_events(self, entry: Entry, name: str) -> Iterator[Event]:
        if entry.ev == "open" or name not in self._sockets:
            self._newest = Socket(IndexerProtocol(len(self._sockets) + 1))
            self._sockets[name if name not in self._sockets else f"{name}#{len(self._sockets)}"] = self._newest
            self._sockets[name] = self._newest
            yield ConnectionOpened(self._newest.protocol.connection, entry.t)
        socket = self._sockets[name]
        if entry.ev == "closed":
            yield ConnectionClosed(socket.protocol.connection, entry.code, entry.reason or "", entry.t)
        elif entry.text is not None and entry.ev == ">":
            request = socket.protocol.sent(entry.text, entry.t)
            if request is not None:
                yield request
        elif entry.text is not None and entry.ev == "<":
            yield from self._received(socket, entry.text, entry.t)

    @staticmethod
    def _received(socket: Socket, text: str, at: float) -> Iterator[Event]:
        frame = socket.protocol.receive(text, at)
        if frame.key is not None and frame.key.channel in ACCOUNT_CHANNELS and not socket.is_subscribed:
            socket.is_subscribed = True
            socket.reread.clear()
        yield frame

    def _http(self, entry: Entry) -> Iterator[Event]:
        if entry.url is None or entry.status is None or entry.body is None or (entry.method or "GET") != "GET":
            return
        socket = self._newest
        connection = 0 if socket is None else socket.protocol.connection
        asked_at = entry.t - (entry.ms or 0.0) / 1000
        yield from facts_of_answer(Answer(entry.url, entry.status, entry.body, asked_at, entry.t, connection))
        if socket is not None and socket.is_subscribed and entry.status in (200, 404):
            yield from self._note_read(socket, entry.url, entry.t)

    @staticmethod
    def _note_read(socket: Socket, url: str, at: float) -> Iterator[Event]:
        split = urlsplit(url)
        parts = split.path.split("/v4/", 1)[-1].split("/")
        is_account = parts[0] == "addresses" or "address" in parse_qs(split.query)
        if not is_account or parts[0] not in REREAD or socket.reread >= REREAD:
            return
        socket.reread.add(parts[0])
        if socket.reread >= REREAD:
            yield Resynced(socket.protocol.connection, at)

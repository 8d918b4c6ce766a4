"""The Indexer's WebSocket side without a socket: messages and time in, frames out.

Rules and words: dydxprotocol/v4-chain indexer/services/socks/src/websocket/index.ts, src/lib/{subscription,
message-forwarder,rate-limit,invalid-message}.ts, src/helpers/{message,from-kafka-helpers}.ts.

A snapshot is taken first and the subscription registered a little later, so what is published in between is lost to
that subscriber, and `subscribed` comes late with the number reserved at receipt.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple
from uuid import UUID

from dydx_console.sim.indexer import outlet
from dydx_console.sim.indexer.candles import RESOLUTIONS
from dydx_console.sim.indexer.comlink import Comlink, dumps
from dydx_console.sim.indexer.javascript import js_number, js_text
from dydx_console.sim.indexer.limiter import Bucket, Limiter
from dydx_console.sim.indexer.parents import parent_contents
from dydx_console.sim.indexer.rows import Message
from dydx_console.sim.indexer.session import Close, Frame, Ping, Session, Text

__all__ = ["Close", "Frame", "Ping", "Session", "Socks", "SocksOptions", "Text"]

BATCH_MS = 250
HEARTBEAT_MS = 30_000
PONG_WAIT_MS = 10_000
POLICY_VIOLATION = 1008
HEARTBEAT_CODE = 1011
RESTART_CODE = 1012
RESTART_REASON = '{"message":"Service restarting"}'
SUBSCRIBES = Bucket("subscribe", 2, 1_000)
INVALIDS = Bucket("invalid", 2, 1_000)
LIMITS = {
    outlet.SUBACCOUNTS: 256,
    outlet.PARENT_SUBACCOUNTS: 256,
    outlet.ORDERBOOK: 32,
    outlet.TRADES: 32,
    outlet.CANDLES: 32,
    outlet.MARKETS: 32,
    outlet.BLOCK_HEIGHT: 1,
}
WITHOUT_ID = (outlet.MARKETS, outlet.BLOCK_HEIGHT)
MAX_SUBACCOUNT = {outlet.SUBACCOUNTS: 128_000, outlet.PARENT_SUBACCOUNTS: 128}
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SocksOptions:
    """Ranges (ms) of the time to the snapshot and from there to the registration."""

    snapshot_delay_ms: tuple[int, int] = (5, 20)
    registration_delay_ms: tuple[int, int] = (15, 60)


@dataclass(slots=True)
class _Subscribe:
    """A subscribe request on its way: reserved number, then its snapshot (or error)."""

    session: Session
    channel: str
    id: str
    asked_id: bool
    batched: bool
    message_id: int
    contents: str | None = None
    error: str = ""


class _Due(NamedTuple):
    due_ms: int
    order: int
    what: Literal["snapshot", "register", "ping", "pong", "flush"]
    subject: _Subscribe | Session | None


class Socks:
    """All connections. Drive it with `receive`, `publish`, `pong` and `advance`; read `session.take()`.

    While `failing`, no snapshot can be had; while `account_refusal` is a text, it is the answer to account channels.
    """

    def __init__(self, comlink: Comlink, random: Random, options: SocksOptions | None = None) -> None:
        self._comlink = comlink
        self._random = random
        self._options = options or SocksOptions()
        self._sessions: dict[str, Session] = {}
        self._subscribers: dict[Key, dict[str, Session]] = {}
        self._batched: dict[Key, dict[str, Session]] = {}
        self._buffers: dict[Key, list[tuple[str, int | None, str]]] = {}
        self._subscribes = Limiter()
        self._invalids = Limiter()
        self._due: list[_Due] = []
        self._order = 0
        self.failing = False
        self.account_refusal: str | None = None

    @property
    def next_due_ms(self) -> int | None:
        """When `advance` next has something to do."""
        return self._due[0].due_ms if self._due else None

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Every open connection."""
        return tuple(self._sessions.values())

    def watched(self, channel: str, id: str) -> bool:
        """Whether an update of (channel, id) would reach somebody."""
        key = (channel, id)
        return bool(self._subscribers.get(key)) or bool(self._batched.get(key))

    def connect(self, now_ms: int) -> Session:
        """A new connection; its first frame is `connected` with message id 0."""
        session = Session(str(UUID(int=self._random.getrandbits(128), version=4)))
        self._sessions[session.connection_id] = session
        session.send({"type": "connected", "connection_id": session.connection_id, "message_id": 0})
        self._schedule(now_ms + HEARTBEAT_MS, "ping", session)
        return session

    def disconnect(self, session: Session) -> None:
        """The connection is gone, from whichever end."""
        self._sessions.pop(session.connection_id, None)
        session.closed = True
        for subscribers in (self._subscribers, self._batched):
            for members in subscribers.values():
                members.pop(session.connection_id, None)

    def shut_down(self) -> None:
        """Tell every client that the service restarts."""
        for session in self.sessions:
            self.close(session, RESTART_CODE, RESTART_REASON)

    def close(self, session: Session, code: int, reason: str) -> None:
        """Close a connection from the server's end."""
        session.outbox.append(Close(code, reason))
        self.disconnect(session)

    def complain(self, session: Session) -> None:
        """Tell a client of an error that it has no part in."""
        self._error(session, "Internal error")

    def pong(self, session: Session) -> None:
        """A pong control frame arrived."""
        session.awaiting_pong = False

    def receive(self, session: Session, text: str, now_ms: int) -> None:
        """One message of a client (binary frames count as text)."""
        if session.closed:
            return
        try:
            message = json.loads(text)
        except ValueError:
            self._invalid(session, "Invalid message: could not parse", now_ms)
            return
        if message is None:
            self._error(session, "Internal error")
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if not kind:
            self._invalid(session, "Invalid message: type is required", now_ms)
        elif kind == "ping":
            return
        elif kind in ("subscribe", "unsubscribe"):
            self._request(session, kind, message, now_ms)
        else:
            self._invalid(session, f"Invalid message type: {js_text(kind)}", now_ms)

    def publish(self, message: Message) -> None:
        """Forward an update to its subscribers, and a subaccount's also to those of its parent."""
        self._forward((message.channel, message.id), message.version, None, message.contents)
        number = message.subaccount_number
        if number is None:
            return
        parent = (outlet.PARENT_SUBACCOUNTS, f"{message.address}/{number % 128}")
        if self.watched(*parent):
            self._forward(parent, message.version, number, parent_contents(message, number % 128))

    def advance(self, now_ms: int) -> None:
        """Do what is due by `now_ms`: snapshots, registrations, batches, heartbeats."""
        while self._due and self._due[0].due_ms <= now_ms:
            item = heapq.heappop(self._due)
            self._run(item)

    def _run(self, item: _Due) -> None:
        subject = item.subject
        if item.what == "flush":
            self._flush(item.due_ms)
        elif isinstance(subject, _Subscribe):
            if subject.session.closed:
                return
            if item.what == "snapshot":
                self._snapshot(subject, item.due_ms)
            else:
                self._register(subject, item.due_ms)
        elif isinstance(subject, Session) and not subject.closed:
            self._heartbeat(subject, item)

    def _heartbeat(self, session: Session, item: _Due) -> None:
        if item.what == "ping":
            session.outbox.append(Ping())
            session.awaiting_pong = True
            self._schedule(item.due_ms + PONG_WAIT_MS, "pong", session)
            self._schedule(item.due_ms + HEARTBEAT_MS, "ping", session)
        elif session.awaiting_pong:
            self.close(session, HEARTBEAT_CODE, "Heartbeat timeout")

    def _request(self, session: Session, kind: str, message: dict[str, object], now_ms: int) -> None:
        channel, id = message.get("channel"), message.get("id")
        if not channel:
            self._error(session, "Invalid subscribe message: channel is required")
            return
        if not isinstance(channel, str) or channel not in LIMITS:
            self._error(session, f"Invalid channel: {js_text(channel)}")
            return
        if channel not in WITHOUT_ID and not (isinstance(id, str) and id):
            self._error(session, f"Invalid id: {js_text(id) if 'id' in message else 'undefined'}")
            return
        known = id if isinstance(id, str) and id else channel
        session.message_id += 1
        if kind == "unsubscribe":
            self._unsubscribe(session, channel, known, asked=id is not None)
            return
        request = _Subscribe(session, channel, known, id is not None, bool(message.get("batched")), session.message_id)
        self._subscribe(request, now_ms)

    def _subscribe(self, request: _Subscribe, now_ms: int) -> None:
        session, label = request.session, f"{request.channel}-{request.id}"
        if not self._valid_id(request.channel, request.id):
            self._reply_error(request, f"Invalid subscription id for channel: ({label})")
            return
        if not self._subscribes.take(f"{session.connection_id}{label}", SUBSCRIBES, now_ms).allowed:
            text = f"Too many subscribe attempts for channel {label}. Please  reconnect and try again."
            self._reply_error(request, text)
            self.close(session, POLICY_VIOLATION, '{"message":"Rate limited"}')
            return
        limit = LIMITS[request.channel]
        if session.count(request.channel) >= limit:
            text = f"Per-connection subscription limit reached for {request.channel} (limit={limit})."
            self._reply_error(request, text)
            return
        self._schedule(now_ms + self._random.randint(*self._options.snapshot_delay_ms), "snapshot", request)

    def _valid_id(self, channel: str, id: str) -> bool:
        tickers = self._comlink.store.markets
        if channel in (outlet.ORDERBOOK, outlet.TRADES):
            return id in tickers
        parts = id.split("/")
        if channel == outlet.CANDLES:
            return len(parts) > 1 and parts[0] in tickers and parts[1] in RESOLUTIONS
        if channel in MAX_SUBACCOUNT:
            number = js_number(parts[1]) if len(parts) == 2 else None
            return number is not None and number < MAX_SUBACCOUNT[channel]
        return True

    def _snapshot(self, request: _Subscribe, now_ms: int) -> None:
        status, body = self._fetch(request.channel, request.id, now_ms)
        if self.failing:
            status = 500
        if self.account_refusal is not None and request.channel in MAX_SUBACCOUNT:
            request.error = self.account_refusal
        elif status == 200:
            request.contents = body
        elif status == 404 and request.channel in MAX_SUBACCOUNT:
            request.contents = "{}"
        elif status == 403:
            request.error = str(json.loads(body)["errors"][0]["msg"])
        else:
            request.error = f"Internal error, could not fetch data for subscription: {request.channel}."
        delay = self._random.randint(*self._options.registration_delay_ms)
        self._schedule(now_ms + delay, "register", request)

    def _fetch(self, channel: str, id: str, now_ms: int) -> tuple[int, str]:
        comlink = self._comlink
        if channel in MAX_SUBACCOUNT:
            address, number = id.split("/")
            return comlink.account_snapshot(address, number, now_ms, parent=channel == outlet.PARENT_SUBACCOUNTS)
        if channel == outlet.CANDLES:
            ticker, resolution = id.split("/")[:2]
            answer = comlink.fetch(f"/v4/candles/perpetualMarkets/{ticker}", now_ms, {"resolution": resolution})
        else:
            paths = {
                outlet.ORDERBOOK: f"/v4/orderbooks/perpetualMarket/{id}",
                outlet.TRADES: f"/v4/trades/perpetualMarket/{id}",
                outlet.MARKETS: "/v4/perpetualMarkets",
                outlet.BLOCK_HEIGHT: "/v4/height",
            }
            answer = comlink.fetch(paths[channel], now_ms)
        return answer.status, answer.body

    def _register(self, request: _Subscribe, now_ms: int) -> None:
        session, key = request.session, (request.channel, request.id)
        if request.contents is None:
            self._reply_error(request, request.error, named=True)
            return
        if key in session.subscriptions:
            text = f"Invalid subscribe message: already subscribed ({request.channel}-{request.id})"
            self._reply_error(request, text, named=True)
            return
        session.subscriptions[key] = request.batched
        target = self._batched if request.batched else self._subscribers
        target.setdefault(key, {})[session.connection_id] = session
        id = "" if request.channel == outlet.MARKETS else f',"id":{dumps(request.id)}'
        session.outbox.append(
            Text(
                f'{{"type":"subscribed","connection_id":"{session.connection_id}","message_id":{request.message_id},'
                f'"channel":"{request.channel}"{id},"contents":{request.contents}}}'
            )
        )
        if request.batched and not any(item.what == "flush" for item in self._due):
            self._schedule(now_ms // BATCH_MS * BATCH_MS + BATCH_MS, "flush", None)

    def _unsubscribe(self, session: Session, channel: str, id: str, *, asked: bool) -> None:
        session.subscriptions.pop((channel, id), None)
        session.deaf.discard((channel, id))
        for subscribers in (self._subscribers, self._batched):
            subscribers.get((channel, id), {}).pop(session.connection_id, None)
        reply: dict[str, object] = {
            "type": "unsubscribed",
            "connection_id": session.connection_id,
            "message_id": session.message_id,
            "channel": channel,
        }
        if asked and channel != outlet.MARKETS:
            reply["id"] = id
        session.send(reply)

    def _forward(self, key: Key, version: str, number: int | None, contents: dict[str, object]) -> None:
        plain, batched = self._subscribers.get(key), self._batched.get(key)
        if not plain and not batched:
            return
        text = dumps(contents)
        for session in (plain or {}).values():
            if key in session.deaf:
                continue
            session.data("channel_data", key, version, number, text)
        if batched:
            self._buffers.setdefault(key, []).append((version, number, text))

    def _flush(self, now_ms: int) -> None:
        """One message per version and, on the parent channel, per child: order across children is lost."""
        buffers, self._buffers = self._buffers, {}
        for key, items in buffers.items():
            groups: dict[tuple[str, int | None], list[str]] = {}
            for version, number, text in items:
                groups.setdefault((version, number), []).append(text)
            for session in self._batched.get(key, {}).values():
                if key in session.deaf:
                    continue
                for (version, number), texts in groups.items():
                    session.data("channel_batch_data", key, version, number, f"[{','.join(texts)}]")
        if any(self._batched.values()):
            self._schedule(now_ms + BATCH_MS, "flush", None)

    def _invalid(self, session: Session, text: str, now_ms: int) -> None:
        if self._invalids.take(session.connection_id, INVALIDS, now_ms).allowed:
            self._error(session, text)
            return
        self._error(session, "Too many invalid messages. Please reconnect and try again.")
        self.close(session, POLICY_VIOLATION, '{"message":"Rate limited"}')

    def _error(self, session: Session, text: str) -> None:
        """An error from before a number was taken: it repeats the counter."""
        session.send(_error_body(session, text, session.message_id))

    def _reply_error(self, request: _Subscribe, text: str, *, named: bool = False) -> None:
        """A late error, with the number reserved for the request."""
        body = _error_body(request.session, text, request.message_id)
        if named:
            body["channel"] = request.channel
            if request.channel != outlet.MARKETS and (request.asked_id or request.channel not in WITHOUT_ID):
                body["id"] = request.id
        request.session.send(body)

    def _schedule(
        self,
        due_ms: int,
        what: Literal["snapshot", "register", "ping", "pong", "flush"],
        subject: _Subscribe | Session | None,
    ) -> None:
        self._order += 1
        heapq.heappush(self._due, _Due(due_ms, self._order, what, subject))


def _error_body(session: Session, text: str, message_id: int) -> dict[str, object]:
    return {"type": "error", "message": text, "connection_id": session.connection_id, "message_id": message_id}

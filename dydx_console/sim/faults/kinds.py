"""What can go wrong on request: the kinds of fault, and one occurrence of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dydx_console.sim.faults import garbage
from dydx_console.sim.indexer import outlet

DEAF_TO = ("", *outlet.VERSIONS)
"""What a deaf connection does not hear, by the fault's value: everything, or one channel."""


class Kind(StrEnum):
    """A kind of fault. "Open connections" are those at its beginning; what a value means is in brackets.

    RESET            one open connection is cut without a closing handshake
    STALL            open connections go half-open: nothing passes either way, nothing is lost; new ones are well
    ZOMBIE           the server forgets its open connections, the sockets stay open and silent; cut at the end
    RESTART          all connections close with 1012, and handshakes meet 503 until the end
    CLOSE            one open connection is closed by the server [close code]
    DROP             of the data frames each n-th is numbered and not sent [n]
    DUPLICATE        of the data frames each n-th is sent twice [n]
    DRIP             frames come at so many characters a second, in order, and catch up at the end [characters]
    DEAF             registered subscriptions hear nothing, and no id shows it [index in DEAF_TO]; new ones hear
    NO_HELLO         new connections never get their `connected`
    NO_ACK           subscriptions are registered and never acknowledged; the number is taken
    SUBSCRIBE_FAILS  subscribing is answered with the Indexer's internal error
    ERROR_FRAME      one open connection gets an error that nobody asked for
    GARBAGE          one open connection gets a text that is not as agreed [index in garbage.SAMPLES]
    HANDSHAKE_REFUSED, HANDSHAKE_UNANSWERED, HANDSHAKE_GEO
                     what a new connection meets [status]
    ACCOUNTS_REFUSED the Indexer refuses what is about an account, by REST and by WebSocket; public data stays
    REST_LIMITED     429 [way of Retry-After: 0 milliseconds, 1 seconds, 2 date]
    REST_FAILS       an error, or HTML, in place of every answer [status]
    REST_UNANSWERED  answers wait until the end
    REST_RESET       the connection of every request is cut
    INDEXER_LAG      the Indexer is behind the node [blocks]
    NODE_DOWN        calls to the node end UNAVAILABLE
    NODE_SLOW        they take longer [ms]; a transaction is taken at once all the same, and only the answer is late
    HALT             no blocks; the chain's first block afterwards is at the end
    """

    RESET = "reset"
    STALL = "stall"
    ZOMBIE = "zombie"
    RESTART = "restart"
    CLOSE = "close"
    DROP = "drop"
    DUPLICATE = "duplicate"
    DRIP = "drip"
    DEAF = "deaf"
    NO_HELLO = "no-hello"
    NO_ACK = "no-ack"
    SUBSCRIBE_FAILS = "subscribe-fails"
    ERROR_FRAME = "error-frame"
    GARBAGE = "garbage"
    HANDSHAKE_REFUSED = "handshake-refused"
    HANDSHAKE_UNANSWERED = "handshake-unanswered"
    HANDSHAKE_GEO = "handshake-geo"
    ACCOUNTS_REFUSED = "accounts-refused"
    REST_LIMITED = "rest-limited"
    REST_FAILS = "rest-fails"
    REST_UNANSWERED = "rest-unanswered"
    REST_RESET = "rest-reset"
    INDEXER_LAG = "indexer-lag"
    NODE_DOWN = "node-down"
    NODE_SLOW = "node-slow"
    HALT = "halt"


AT_ONCE = frozenset({Kind.RESET, Kind.CLOSE, Kind.ERROR_FRAME, Kind.GARBAGE})
"""Kinds without a duration."""

FINAL = frozenset({Kind.HANDSHAKE_GEO, Kind.ACCOUNTS_REFUSED})
"""Kinds after which a client is right not to try again by itself."""

AT_CONNECTING = frozenset(
    {
        Kind.NO_HELLO,
        Kind.NO_ACK,
        Kind.SUBSCRIBE_FAILS,
        Kind.HANDSHAKE_REFUSED,
        Kind.HANDSHAKE_UNANSWERED,
        Kind.HANDSHAKE_GEO,
        Kind.ACCOUNTS_REFUSED,
    }
)
"""Kinds that only a new connection meets: the open ones are cut at their beginning, or nobody would notice."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One occurrence, in Unix milliseconds. `draw` picks one of several connections; `value` see `Kind`."""

    kind: Kind
    begin_ms: int
    end_ms: int
    value: int = 0
    draw: int = 0

    def __str__(self) -> str:
        lasting = f" for {(self.end_ms - self.begin_ms) / 1_000:.1f} s" if self.end_ms > self.begin_ms else ""
        return f"{self.kind}{self._detail()}{lasting}"

    def _detail(self) -> str:
        match self.kind:
            case Kind.GARBAGE:
                return f" ({garbage.SAMPLES[self.value].name})"
            case Kind.DEAF:
                return f" ({DEAF_TO[self.value] or 'everything'})"
        return f" {self.value}" if self.value else ""

"""One WebSocket connection as the server sees it: its counter, its subscriptions, and the frames waiting for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dydx_console.sim.indexer.comlink import dumps

MARKETS = "v4_markets"


@dataclass(frozen=True, slots=True)
class Text:
    """A text frame."""

    text: str


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping control frame without payload."""


@dataclass(frozen=True, slots=True)
class Close:
    """A close frame; nothing follows it."""

    code: int
    reason: str


Frame = Text | Ping | Close


@dataclass(slots=True)
class Session:
    """A connection. Frames pile up in `outbox` without limit: the Indexer knows no back-pressure either.

    `deaf` are the subscriptions that hear nothing although they are registered.
    """

    connection_id: str
    message_id: int = 0
    subscriptions: dict[tuple[str, str], bool] = field(default_factory=dict)
    outbox: list[Frame] = field(default_factory=list)
    deaf: set[tuple[str, str]] = field(default_factory=set)
    awaiting_pong: bool = False
    closed: bool = False

    def take(self) -> list[Frame]:
        """The waiting frames, removed."""
        frames, self.outbox = self.outbox, []
        return frames

    def count(self, channel: str) -> int:
        """Registered subscriptions of a channel."""
        return sum(1 for held, _ in self.subscriptions if held == channel)

    def send(self, body: dict[str, object]) -> None:
        """Queue a message."""
        self.outbox.append(Text(dumps(body)))

    def data(self, kind: str, key: tuple[str, str], version: str, number: int | None, contents: str) -> None:
        """Queue an update (contents already JSON); takes the next number."""
        self.message_id += 1
        channel, id = key
        named = "" if channel == MARKETS else f',"id":"{id}"'
        child = "" if number is None else f',"subaccountNumber":{number}'
        self.outbox.append(
            Text(
                f'{{"type":"{kind}","connection_id":"{self.connection_id}","message_id":{self.message_id}{named},'
                f'"channel":"{channel}","version":"{version}","contents":{contents}{child}}}'
            )
        )

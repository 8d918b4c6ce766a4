"""How old the picture is, and what may be said of it.

A socket is first-in-first-out, so a channel is as old as the newest block proven on its connection, however quiet its
own subject is. What was read by HTTP instead is as old as the block that was known before it was read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from dydx_console.domain.events import ChannelKey
from dydx_console.domain.stream import StreamCondition
from dydx_console.state.ages import (
    BEST_FIRST,
    DELAYED_S,
    LIVE_S,
    STALE_S,
    PictureState,
    grown_older,
    state_by_age,
    worst_of,
)
from dydx_console.state.connections import ANSWER_PATIENCE_S, Channel, Connection
from dydx_console.state.pace import BlockClock, ChainPace, ChainState
from dydx_console.state.sequence import HOLE_PATIENCE_S, Hole, Sequence

__all__ = ["ANSWER_PATIENCE_S", "ChannelView", "Freshness", "PictureState", "StreamView", "state_by_age"]

MOST_LEFT = 50
"""Channels that were left and are still listed."""
_BLOCKS = ChannelKey("v4_block_height")


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel's state at a moment; `age_s` is None where no block has been proven.

    Up to `live_limit_s` of age it may be called live.
    """

    key: ChannelKey
    state: PictureState
    age_s: float | None
    messages: int
    live_limit_s: float = LIVE_S

    def later(self, elapsed_s: float) -> "ChannelView":
        """Return the state `elapsed_s` after this one if nothing arrived."""
        state, age_s = grown_older(self.state, self.age_s, elapsed_s, self.live_limit_s)
        return replace(self, age_s=age_s, state=state)


@dataclass(frozen=True, slots=True)
class StreamView:
    """The stream as a whole: its worst channel's state, and counters of the run.

    `block_interval_s` is the median time between blocks, None before two are known. `fallback` is POLLING while the
    picture is read by HTTP, `trouble` the newest thing that befell the stream and is not over. `gaps` are the lost
    messages of the run, among them `open_gaps` that may still come or be read again: the others only grow.
    """

    state: PictureState
    age_s: float | None
    connected_since: float | None
    reconnects: int
    gaps: int
    resyncs: int
    rejected: int
    channels: tuple[ChannelView, ...]
    live_limit_s: float = LIVE_S
    block_interval_s: float | None = None
    fallback: str | None = None
    trouble: StreamCondition | None = None
    open_gaps: int = 0

    def later(self, elapsed_s: float) -> tuple[PictureState, float | None]:
        """Return state and age `elapsed_s` after this view if nothing arrived."""
        return grown_older(self.state, self.age_s, elapsed_s, self.live_limit_s)


class Freshness:
    """Watches connections, channels and blocks.

    Args:
        hole_patience_s: how long a message number may stay missing before it counts as lost.
    """

    def __init__(self, hole_patience_s: float = HOLE_PATIENCE_S) -> None:
        self._hole_patience_s = hole_patience_s
        self._connections: dict[int, Connection] = {}
        self._newest: dict[int, int] = {}
        self._greeted: dict[int, int] = {}
        self._channels: dict[ChannelKey, Channel] = {}
        self._clock = BlockClock()
        self._is_polling = False
        self._polled: dict[ChannelKey, datetime] = {}
        self._troubles: dict[tuple[int, StreamCondition], None] = {}
        self._gaps = 0
        self._resyncs = 0
        self._rejected = 0

    def opened(self, number: int, at: float, lane: int = 0) -> None:
        """Note a new connection; the subscriptions of its lane are being made again."""
        before = self._connections.get(self._newest.get(lane, 0))
        held = self._connections[number] = Connection(number, at, Sequence(self._hole_patience_s), lane)
        held.blocks = Channel(_BLOCKS, number, False, left=True)
        if before is not None and before.blocks is not None:
            held.blocks.messages = before.blocks.messages
        self._newest[lane] = max(number, self._newest.get(lane, 0))
        self._forget_connections()

    def ready(self, number: int, at: float) -> None:
        """Note the Indexer's greeting."""
        held = self._connection(number, at)
        held.ready_at = at
        self._greeted[held.lane] = self._greeted.get(held.lane, 0) + 1

    def closed(self, number: int, at: float) -> None:
        """Note the end of a connection: what is still missing then is lost, but for answers that were awaited."""
        held = self._connection(number, at)
        held.closed_at = at
        self._gaps += held.sequence.give_up(inf, self._awaited(held, at))

    def accept(self, number: int, message_id: int, at: float) -> bool:
        """Note a message's number; returns False for one that was taken before."""
        return self._connection(number, at).sequence.accept(message_id, at)

    def excused(self, number: int, message_id: int, at: float) -> None:
        """Note an error message's number, which another message may have too."""
        self._connection(number, at).sequence.excuse(message_id, at)

    def subscribing(self, key: ChannelKey, connection: int, at: float, *, is_account: bool) -> None:
        """Note that a channel was asked for. Asking again for one that is held changes nothing until the answer."""
        held = self._held(key, connection, at)
        if held is not None and held.connection > connection:
            return
        if held is None or held.connection < connection or held.left:
            messages = 0 if held is None else held.messages
            held = Channel(key, connection, is_account, messages=messages)
            self._hold(held, at)
        held.asked.append(at)

    def subscribed(self, key: ChannelKey, connection: int, at: float, *, is_account: bool) -> None:
        """Note a channel's first contents; an account's have to be read again, whatever was read before them."""
        held = self._held(key, connection, at)
        if held is None or held.connection < connection:
            self.subscribing(key, connection, at, is_account=is_account)
            held = self._held(key, connection, at)
        if held is not None and held.connection == connection:
            held.take_answer(at)
            self._settle(self._connection(connection, at), at)

    def unsubscribed(self, key: ChannelKey, connection: int | None = None) -> None:
        """Note that a channel was left; it keeps the state that it had."""
        held = self._channels.get(key)
        if key.is_block_height and connection in self._connections:
            held = self._connections[connection].blocks
        if held is not None and connection in (None, held.connection):
            held.left = True
            self._forget_channels()

    def dropped(self, key: ChannelKey, connection: int) -> None:
        """Note that nobody wants a channel any more that was on this connection or on one before it."""
        held = self._channels.get(key)
        if held is not None and held.connection <= connection:
            self.unsubscribed(key)

    def counted(self, key: ChannelKey | None, connection: int = 0) -> None:
        """Count a message of a channel."""
        channel = None if key is None else self._channels.get(key)
        if channel is not None:
            channel.messages += 1
        elif key is not None and key.is_block_height and connection in self._connections:
            blocks = self._connections[connection].blocks
            if blocks is not None:
                blocks.messages += 1

    def rejected(self, key: ChannelKey | None) -> None:
        """Note a message that could not be read: what its channel shows may miss it."""
        self._rejected += 1
        if key is not None and key in self._channels:
            self._channels[key].suspect = True

    def refused(self, key: ChannelKey | None, connection: int) -> None:
        """Note that the Indexer refused a subscription; one that was held before goes on."""
        channel = None if key is None else self._held(key, connection, 0.0)
        if channel is not None and channel.connection == connection:
            del channel.asked[:1]

    def denied(self, key: ChannelKey, connection: int) -> None:
        """Note that a subscription was refused for good."""
        channel = self._channels.get(key)
        if channel is not None and channel.connection == connection:
            channel.denied = True

    def resynced(self, connection: int, at: float) -> None:
        """Note that the account was read again on this connection; on one that has ended it proves nothing.

        What was lost no longer matters to the account's channels; the others stay suspect until they are joined anew.
        """
        held = self._connections.get(connection)
        if held is not None and not held.is_open:
            return
        self._resyncs += 1
        awaited = [] if held is None else self._awaited(held, at)
        since = None if held is None else held.sequence.newest_loss(at, awaited)
        self._gaps += 0 if held is None else held.sequence.give_up(at, awaited)
        for channel in self._on(connection):
            if channel.is_account:
                channel.resynced, channel.suspect = True, False
            elif since is not None and channel.answered and channel.has_missed(since):
                channel.suspect = True

    def book_read(self, key: ChannelKey, asked_at: float) -> bool:
        """Note a book's answer by REST; returns whether it completes the first contents that are held.

        It does if it was asked for after they came: the venue told of every change by then. An older one proves
        nothing.
        """
        held = self._channels.get(key)
        if held is None or held.answered_at is None or asked_at < held.answered_at:
            return False
        held.resynced = True
        return True

    def polling(self, *, is_on: bool) -> None:
        """Note that reading by HTTP in place of the stream began or ended."""
        self._is_polling = is_on
        self._polled.clear()

    def polled(self, keys: Iterable[ChannelKey], block_time: datetime) -> None:
        """Note that channels were read whole by HTTP after this block was known."""
        for key in keys:
            self._polled[key] = block_time
            if key not in self._channels and not key.is_block_height:
                self._channels[key] = Channel(key, 0, key.is_account)

    def changed(self, what: StreamCondition, lane: int, over: Iterable[StreamCondition]) -> None:
        """Note what befell the stream, and what of it is over."""
        for ended in over:
            self._troubles.pop((lane, ended), None)
        if what is not StreamCondition.RESTORED:
            self._troubles[(lane, what)] = None

    def block(self, connection: int | None, height: int, block_time: datetime, at: float) -> None:
        """Note a block; `connection` is None where REST told of it."""
        if connection is not None:
            held = self._connection(connection, at)
            if held.block_time is None or block_time > held.block_time:
                held.block_time = block_time
        self._clock.block(height, block_time, at)

    def node_block(self, block_time: datetime, at: float) -> None:
        """Note the node's newest block: what trails it is as old as that block is newer, whatever our clock says."""
        self._clock.node_block(block_time, at)

    def told(self) -> dict[int, datetime]:
        """Return the newest blocks that the Indexer told of, by height; of one told twice differently, none."""
        return self._clock.told()

    @property
    def newest_connection(self) -> int:
        """The number of the newest connection that carries the account, 0 before the first."""
        return self._newest.get(0, 0)

    @property
    def newest_ended(self) -> int | None:
        """The number of the newest connection of the account while it is not open, None while it is."""
        held = self._connections.get(self.newest_connection)
        return held.number if held is not None and not held.is_open else None

    def clock(self, venue_time: datetime, asked_at: float, at: float) -> None:
        """Note the Indexer's clock."""
        self._clock.measured(venue_time, asked_at, at)

    @property
    def block_interval_s(self) -> float | None:
        """Median time between blocks, None before two are known."""
        return self._clock.interval_s

    @property
    def live_limit_s(self) -> float:
        """Up to which age a picture may be called live."""
        return self._clock.live_limit_s

    @property
    def is_connected(self) -> bool:
        """Whether the account's connection is open and greeted."""
        held = self._connections.get(self.newest_connection)
        return held is not None and held.is_open and held.ready_at is not None

    def venue_time(self, at: float) -> datetime | None:
        """Return the Indexer's clock at a moment, None before anything measured it."""
        return self._clock.venue_time(at)

    def age_s(self, block_time: datetime | None, at: float) -> float | None:
        """Return how old a picture is that rests on a block, None where that is not known."""
        return self._clock.age_s(block_time, at)

    def pace(self, at: float) -> ChainPace:
        """Return how the blocks go on."""
        return self._clock.pace(at)

    def holes(self, at: float) -> tuple[Hole, ...]:
        """Return the message numbers that count as lost on open connections."""
        found: list[Hole] = []
        for connection in self._connections.values():
            if connection.is_open:
                found.extend(connection.sequence.holes(at, self._awaited(connection, at)))
        return tuple(found)

    def suspects(self, connection: int, at: float) -> tuple[ChannelKey, ...]:
        """Return the channels of an open connection that miss something, for good unless they are joined anew."""
        held = self._connections.get(connection)
        if held is None or not held.is_open:
            return ()
        since = self._lost_since(held, at)
        return tuple(channel.key for channel in self._on(connection) if _is_suspect(channel, since))

    def channel(self, key: ChannelKey, at: float) -> ChannelView | None:
        """Return a channel's state at a moment."""
        held = next((channel for channel in self._shown() if channel.key == key), None)
        return None if held is None else self._view(held, at)

    def view(self, at: float) -> StreamView:
        """Return the whole stream's state at a moment."""
        shown = tuple(self._shown())
        views = tuple(self._view(channel, at) for channel in shown)
        live = [view for view, channel in zip(views, shown, strict=True) if not channel.left] or list(views)
        primary = self._connections.get(self.newest_connection)
        open_gaps = len(self.holes(at))
        return StreamView(
            state=worst_of(view.state for view in live),
            age_s=max((view.age_s for view in live if view.age_s is not None), default=None),
            connected_since=primary.ready_at if primary is not None and primary.is_open else None,
            reconnects=sum(count - 1 for count in self._greeted.values()),
            gaps=self._gaps + open_gaps,
            resyncs=self._resyncs,
            rejected=self._rejected,
            channels=views,
            live_limit_s=self._clock.live_limit_s,
            block_interval_s=self.block_interval_s,
            fallback=PictureState.POLLING.value if self._is_polling else None,
            trouble=next((what for _, what in reversed(self._troubles)), None),
            open_gaps=open_gaps,
        )

    def _connection(self, number: int, at: float) -> Connection:
        if number not in self._connections:
            self.opened(number, at)
        return self._connections[number]

    def _held(self, key: ChannelKey, connection: int, at: float) -> Channel | None:
        if key.is_block_height:
            return self._connection(connection, at).blocks
        return self._channels.get(key)

    def _hold(self, channel: Channel, at: float) -> None:
        if channel.key.is_block_height:
            self._connection(channel.connection, at).blocks = channel
        else:
            self._channels[channel.key] = channel

    def _on(self, connection: int) -> Iterator[Channel]:
        """Yield the channels of a connection but its blocks, of which the next is as good as one that was lost."""
        return (channel for channel in self._channels.values() if channel.connection == connection)

    def _shown(self) -> Iterator[Channel]:
        primary = self._connections.get(self.newest_connection)
        if primary is not None and primary.blocks is not None and (not primary.blocks.left or primary.blocks.answered):
            yield primary.blocks
        elif _BLOCKS in self._polled:
            yield Channel(_BLOCKS, 0, False)
        yield from self._channels.values()

    def _awaited(self, connection: Connection, at: float) -> list[float]:
        channels = [*self._on(connection.number), *((connection.blocks,) if connection.blocks is not None else ())]
        return [asked for channel in channels for asked in channel.awaited(at)]

    def _lost_since(self, connection: Connection, at: float) -> float | None:
        if not connection.sequence.has_holes:
            return None
        return connection.sequence.newest_loss(at, self._awaited(connection, at))

    def _settle(self, connection: Connection, at: float) -> None:
        """Close the holes of a connection whose channels were all joined anew since."""
        since = self._lost_since(connection, at)
        if since is None or any(_is_suspect(channel, since) for channel in self._on(connection.number)):
            return
        self._gaps += connection.sequence.give_up(at, self._awaited(connection, at))

    def _forget_connections(self) -> None:
        """Forget connections that have ended and on which nothing rests."""
        kept = {channel.connection for channel in self._channels.values()} | set(self._newest.values())
        self._connections = {
            number: held for number, held in self._connections.items() if held.is_open or number in kept
        }

    def _forget_channels(self) -> None:
        left = [key for key, channel in self._channels.items() if channel.left]
        for key in left[:-MOST_LEFT]:
            del self._channels[key]

    def _view(self, channel: Channel, at: float) -> ChannelView:
        connection = self._connections.get(channel.connection)
        live_limit_s = self._clock.live_limit_s
        age_s = None if connection is None else self._clock.age_s(connection.block_time, at)
        state = self._state(channel, connection, age_s, at)
        polled_s = self._clock.age_s(self._polled.get(channel.key), at)
        if polled_s is not None and polled_s <= max(DELAYED_S, live_limit_s):
            better = min(state, PictureState.POLLING, key=BEST_FIRST.index)
            if better is not state:
                state, age_s = better, polled_s
        return ChannelView(channel.key, state, age_s, channel.messages, live_limit_s)

    def _state(self, channel: Channel, connection: Connection | None, age_s: float | None, at: float) -> PictureState:
        is_open = connection is not None and connection.is_open
        if channel.denied:
            return PictureState.OFFLINE
        if not channel.answered or age_s is None or channel.is_unread:
            return PictureState.SYNCING if is_open or age_s is None or age_s <= STALE_S else PictureState.OFFLINE
        if connection is not None and is_open and _is_suspect(channel, self._lost_since(connection, at)):
            return PictureState.SUSPECT
        by_age = PictureState.SUSPECT if channel.suspect else state_by_age(age_s, self._clock.live_limit_s)
        if by_age is PictureState.LIVE:
            return by_age if is_open else PictureState.DELAYED
        is_halted = is_open and by_age is not PictureState.SUSPECT and self._clock.pace(at).state is ChainState.HALTED
        return PictureState.CHAIN_HALTED if is_halted else by_age


def _is_suspect(channel: Channel, lost_since: float | None) -> bool:
    if channel.left or channel.denied or channel.key.is_block_height:
        return False
    return channel.suspect or (lost_since is not None and channel.answered and channel.has_missed(lost_since))

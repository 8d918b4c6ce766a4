"""How old the picture is, and what may be said of it.

A socket is first-in-first-out, so a channel is as old as the newest block proven on its connection, however quiet its
own subject is. The venue's clock is the run's monotonic clock plus an offset, measured from `/v4/time` at the middle
of the round trip, or, before that, from the newest block seen (which can only make things look younger than block
propagation takes).
"""

from bisect import insort
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf
from statistics import median

from dydx_console.domain.events import ChannelKey
from dydx_console.state.ages import LIVE_S, STALE_S, PictureState, grown_older, state_by_age, worst_of
from dydx_console.state.sequence import Hole, Sequence

__all__ = ["ChannelView", "Freshness", "PictureState", "StreamView", "state_by_age"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BLOCKS_KEPT = 50
ANSWER_PATIENCE_S = 30.0
"""How long an unanswered subscription may explain a missing message number (the venue's own time limit is shorter)."""


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

    `block_interval_s` is the median time between blocks, None before two are known.
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

    def later(self, elapsed_s: float) -> tuple[PictureState, float | None]:
        """Return state and age `elapsed_s` after this view if nothing arrived."""
        return grown_older(self.state, self.age_s, elapsed_s, self.live_limit_s)


@dataclass(slots=True)
class Connection:
    """One socket: its numbers, and the newest block proven on it."""

    number: int
    opened_at: float
    sequence: Sequence
    ready_at: float | None = None
    closed_at: float | None = None
    block_time: datetime | None = None


@dataclass(slots=True)
class Channel:
    """A subscription: where it lives, whether it was answered and read again, what it lost."""

    key: ChannelKey
    connection: int
    is_account: bool
    answered: bool = False
    resynced: bool = False
    left: bool = False
    suspect: bool = False
    messages: int = 0
    asked: list[float] = field(default_factory=list)


class Freshness:
    """Watches connections, channels and blocks."""

    def __init__(self) -> None:
        self._connections: dict[int, Connection] = {}
        self._channels: dict[ChannelKey, Channel] = {}
        self._offset_s: float | None = None
        self._measured = False
        self._block_times: list[tuple[int, datetime]] = []
        self._node_time: datetime | None = None
        self._gaps = 0
        self._resyncs = 0
        self._rejected = 0

    def opened(self, number: int, at: float) -> None:
        """Note a new connection; subscriptions of earlier ones are being made again."""
        self._connections[number] = Connection(number, at, Sequence())

    def ready(self, number: int, at: float) -> None:
        """Note the Indexer's greeting."""
        self._connection(number, at).ready_at = at

    def closed(self, number: int, at: float) -> None:
        """Note the end of a connection: what is still missing then is lost, but for answers that were awaited."""
        held = self._connection(number, at)
        held.closed_at = at
        self._gaps += held.sequence.give_up(inf, self._awaited(number, at))

    def accept(self, number: int, message_id: int, at: float) -> bool:
        """Note a message's number; returns False for one that was taken before."""
        return self._connection(number, at).sequence.accept(message_id, at)

    def excused(self, number: int, message_id: int, at: float) -> None:
        """Note an error message's number, which another message may have too."""
        self._connection(number, at).sequence.excuse(message_id, at)

    def subscribing(self, key: ChannelKey, connection: int, at: float, *, is_account: bool) -> None:
        """Note that a channel was asked for. Asking again for one that is held changes nothing until the answer."""
        held = self._channels.get(key)
        if held is not None and held.connection > connection:
            return
        if held is None or held.connection < connection or held.left:
            messages = 0 if held is None else held.messages
            held = self._channels[key] = Channel(key, connection, is_account, messages=messages)
        held.asked.append(at)

    def subscribed(self, key: ChannelKey, connection: int, at: float, *, is_account: bool) -> None:
        """Note a channel's first contents; an account's have to be read again, whatever was read before them."""
        held = self._channels.get(key)
        if held is None or held.connection < connection:
            self.subscribing(key, connection, at, is_account=is_account)
        channel = self._channels[key]
        if channel.connection == connection:
            del channel.asked[:1]
            channel.answered, channel.resynced, channel.left, channel.suspect = True, False, False, False

    def unsubscribed(self, key: ChannelKey) -> None:
        """Note that a channel was left; it keeps the state that it had."""
        if key in self._channels:
            self._channels[key].left = True

    def counted(self, key: ChannelKey | None) -> None:
        """Count a message of a channel."""
        channel = None if key is None else self._channels.get(key)
        if channel is not None:
            channel.messages += 1

    def rejected(self, key: ChannelKey | None) -> None:
        """Note a message that could not be read: what its channel shows may miss it."""
        self._rejected += 1
        if key is not None and key in self._channels:
            self._channels[key].suspect = True

    def refused(self, key: ChannelKey | None, connection: int) -> None:
        """Note that the Indexer refused a subscription; one that was held before goes on."""
        channel = None if key is None else self._channels.get(key)
        if channel is not None and channel.connection == connection:
            del channel.asked[:1]

    def resynced(self, connection: int, at: float) -> None:
        """Note that the account was read again on this connection.

        What was lost no longer matters to the account's channels; the others stay suspect until they are joined anew.
        """
        self._resyncs += 1
        held = self._connections.get(connection)
        lost = 0 if held is None else held.sequence.give_up(at, self._awaited(connection, at))
        self._gaps += lost
        for channel in self._channels.values():
            if channel.connection != connection:
                continue
            if channel.is_account:
                channel.resynced, channel.suspect = True, False
            elif lost and channel.answered:
                channel.suspect = True

    def block(self, connection: int | None, height: int, block_time: datetime, at: float) -> None:
        """Note a block; `connection` is None where REST told of it."""
        if connection is not None:
            held = self._connection(connection, at)
            if held.block_time is None or block_time > held.block_time:
                held.block_time = block_time
        if (height, block_time) not in self._block_times:
            insort(self._block_times, (height, block_time))
            del self._block_times[:-BLOCKS_KEPT]
        if not self._measured:
            offset = _seconds(block_time) - at
            self._offset_s = offset if self._offset_s is None else max(self._offset_s, offset)

    def node_block(self, block_time: datetime) -> None:
        """Note the node's newest block: what trails it is as old as that block is newer, whatever our clock says."""
        self._node_time = block_time

    def told(self) -> dict[int, datetime]:
        """Return the newest blocks that the Indexer told of, by height; of one told twice differently, none."""
        heights = [height for height, _ in self._block_times]
        return {height: time for height, time in self._block_times if heights.count(height) == 1}

    @property
    def newest_connection(self) -> int:
        """The number of the newest connection, 0 before the first."""
        return max(self._connections, default=0)

    def clock(self, venue_time: datetime, asked_at: float, at: float) -> None:
        """Note the Indexer's clock."""
        self._offset_s = _seconds(venue_time) - (asked_at + at) / 2
        self._measured = True

    @property
    def block_interval_s(self) -> float | None:
        """Median time between blocks, None before two are known."""
        pairs = pairwise(self._block_times)
        steps = [(late - early).total_seconds() / (high - low) for (low, early), (high, late) in pairs if high > low]
        return median(steps) if steps else None

    def venue_time(self, at: float) -> datetime | None:
        """Return the Indexer's clock at a moment, None before anything measured it."""
        return None if self._offset_s is None else EPOCH + timedelta(seconds=self._offset_s + at)

    def holes(self, at: float) -> tuple[Hole, ...]:
        """Return the message numbers that count as lost on open connections."""
        found: list[Hole] = []
        for connection in self._connections.values():
            if connection.closed_at is None:
                found.extend(connection.sequence.holes(at, self._awaited(connection.number, at)))
        return tuple(found)

    def channel(self, key: ChannelKey, at: float) -> ChannelView | None:
        """Return a channel's state at a moment."""
        held = self._channels.get(key)
        return None if held is None else self._view(held, at)

    def view(self, at: float) -> StreamView:
        """Return the whole stream's state at a moment."""
        views = tuple(self._view(channel, at) for channel in self._channels.values())
        live = [view for view in views if not self._channels[view.key].left] or list(views)
        ages = [view.age_s for view in live if view.age_s is not None]
        newest = max(self._connections, default=None)
        open_now = newest is not None and self._connections[newest].closed_at is None
        return StreamView(
            state=worst_of(view.state for view in live),
            age_s=max(ages, default=None),
            connected_since=self._connections[newest].ready_at if open_now and newest is not None else None,
            reconnects=max(len(self._connections) - 1, 0),
            gaps=self._gaps + len(self.holes(at)),
            resyncs=self._resyncs,
            rejected=self._rejected,
            channels=views,
            live_limit_s=self._live_limit_s,
            block_interval_s=self.block_interval_s,
        )

    def _connection(self, number: int, at: float) -> Connection:
        if number not in self._connections:
            self.opened(number, at)
        return self._connections[number]

    def _awaited(self, connection: int, at: float) -> list[float]:
        own = (channel for channel in self._channels.values() if channel.connection == connection)
        return [asked for channel in own for asked in channel.asked if at - asked < ANSWER_PATIENCE_S]

    def _age_s(self, connection: Connection | None, at: float) -> float | None:
        if connection is None or connection.block_time is None or self._offset_s is None:
            return None
        behind_s = 0.0 if self._node_time is None else (self._node_time - connection.block_time).total_seconds()
        return max(self._offset_s + at - _seconds(connection.block_time), behind_s, 0.0)

    def _view(self, channel: Channel, at: float) -> ChannelView:
        connection = self._connections.get(channel.connection)
        age_s = self._age_s(connection, at)
        state = self._state(channel, connection, age_s, at)
        return ChannelView(channel.key, state, age_s, channel.messages, self._live_limit_s)

    def _state(self, channel: Channel, connection: Connection | None, age_s: float | None, at: float) -> PictureState:
        is_open = connection is not None and connection.closed_at is None
        if not channel.answered or age_s is None or (channel.is_account and not channel.resynced):
            return PictureState.SYNCING if is_open or age_s is None or age_s <= STALE_S else PictureState.OFFLINE
        if channel.suspect or (connection is not None and is_open and self._has_lost(connection, at)):
            return PictureState.SUSPECT
        by_age = state_by_age(age_s, self._live_limit_s)
        return PictureState.DELAYED if by_age is PictureState.LIVE and not is_open else by_age

    def _has_lost(self, connection: Connection, at: float) -> bool:
        return connection.sequence.has_holes and bool(
            connection.sequence.holes(at, self._awaited(connection.number, at))
        )

    @property
    def _live_limit_s(self) -> float:
        return max(LIVE_S, 3 * (self.block_interval_s or 0.0))


def _seconds(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds()

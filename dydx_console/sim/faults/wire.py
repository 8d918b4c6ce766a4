"""One client's connection as the faults make it: what the server sends goes in, what arrives comes out.

Without faults a wire passes everything on at once. It has no socket: listeners and tests under virtual time use it
alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from dydx_console.sim.faults.kinds import Fault, Kind
from dydx_console.sim.faults.outcomes import Reset
from dydx_console.sim.indexer.session import Close, Frame, Session, Text
from dydx_console.sim.indexer.socks import Socks

Arrival = Frame | Reset
"""What reaches the client; after `Close` or `Reset` nothing more comes."""

HELLO = '{"type":"connected"'
ACK = '{"type":"subscribed"'
DATA = ('{"type":"channel_data"', '{"type":"channel_batch_data"')
SILENCING = frozenset({Kind.STALL, Kind.ZOMBIE})


class Wire:
    """A connection from the client's side. Times are Unix milliseconds of the venue's clock, never backwards."""

    def __init__(self, socks: Socks, session: Session, faults: Iterable[Fault] = ()) -> None:
        self.session = session
        self._socks = socks
        self._faults = list(faults)
        self._line: deque[tuple[int, Arrival]] = deque()
        self._arrived: list[Arrival] = []
        self._said: list[str | None] = []
        self._busy_until_ms = 0
        self._data_frames = 0
        self._left = False
        self.over = False

    @property
    def id(self) -> str:
        """The connection's id, as its frames say it."""
        return self.session.connection_id

    @property
    def silent(self) -> bool:
        """Whether nothing passes, either way."""
        return any(fault.kind in SILENCING for fault in self._faults)

    @property
    def ready(self) -> bool:
        """Whether `hear` has something, as of the last `carry`."""
        return bool(self._arrived)

    @property
    def next_due_ms(self) -> int | None:
        """When the next frame on its way arrives by itself."""
        return self._line[0][0] if self._line and not self.silent else None

    def say(self, text: str, now_ms: int) -> None:
        """The client sends a message."""
        if self.silent:
            self._said.append(text)
        else:
            self._socks.receive(self.session, text, now_ms)

    def pong(self) -> None:
        """The client answers the server's ping."""
        if self.silent:
            self._said.append(None)
        else:
            self._socks.pong(self.session)

    def leave(self) -> None:
        """The client goes. Over a silent wire the server does not learn of it yet."""
        self.over = True
        self._left = True
        if not self.silent:
            self._socks.disconnect(self.session)

    def hear(self, now_ms: int) -> list[Arrival]:
        """What has arrived by `now_ms` and was not heard yet, in order."""
        self.carry(now_ms)
        arrived, self._arrived = self._arrived, []
        if arrived and isinstance(arrived[-1], Close | Reset):
            self.over = True
        return arrived

    def carry(self, now_ms: int) -> None:
        """Take over what the server has sent by `now_ms`, and let arrive what is due."""
        frames = self.session.take()
        if not self._faults and not self._line:
            self._arrived += frames
            return
        for frame in frames:
            for passed in self._filtered(frame):
                self._line.append((self._arrival_ms(passed, now_ms), passed))
        if not self.silent:
            while self._line and self._line[0][0] <= now_ms:
                self._arrived.append(self._line.popleft()[1])

    def cut(self, now_ms: int) -> None:
        """Reset the connection; what was on its way is lost."""
        self._socks.disconnect(self.session)
        self.session.take()
        self._line.clear()
        self._line.append((now_ms, Reset()))

    def afflict(self, fault: Fault) -> None:
        """A fault begins."""
        self._faults.append(fault)

    def relieve(self, fault: Fault, now_ms: int) -> None:
        """A fault ends: what it held back goes on. A zombie is cut instead."""
        if fault not in self._faults:
            return
        self._faults.remove(fault)
        if fault.kind is Kind.ZOMBIE:
            self.cut(now_ms)
        if fault.kind is Kind.DRIP:
            self._line = deque((now_ms, arrival) for _, arrival in self._line)
            self._busy_until_ms = now_ms
        if not self.silent:
            self._pass_on(now_ms)

    def _pass_on(self, now_ms: int) -> None:
        said, self._said = self._said, []
        for text in said:
            if text is None:
                self._socks.pong(self.session)
            else:
                self._socks.receive(self.session, text, now_ms)
        if self._left:
            self._socks.disconnect(self.session)

    def _filtered(self, frame: Frame) -> Iterator[Frame]:
        if not isinstance(frame, Text):
            yield frame
            return
        if frame.text.startswith(DATA):
            self._data_frames += 1
            if not self._every_nth(Kind.DROP):
                yield frame
                if self._every_nth(Kind.DUPLICATE):
                    yield frame
        elif not self._swallowed(frame.text):
            yield frame

    def _swallowed(self, text: str) -> bool:
        held = {fault.kind for fault in self._faults}
        return (Kind.NO_HELLO in held and text.startswith(HELLO)) or (Kind.NO_ACK in held and text.startswith(ACK))

    def _every_nth(self, kind: Kind) -> bool:
        return any(fault.kind is kind and self._data_frames % fault.value == 0 for fault in self._faults)

    def _arrival_ms(self, frame: Frame, now_ms: int) -> int:
        """Frames come one after the other, at the slowest pace that holds."""
        paces = [fault.value for fault in self._faults if fault.kind is Kind.DRIP]
        size = len(frame.text) if isinstance(frame, Text) else 1
        busy_ms = -(-size * 1_000 // min(paces)) if paces else 0
        self._busy_until_ms = max(now_ms, self._busy_until_ms) + busy_ms
        return self._busy_until_ms

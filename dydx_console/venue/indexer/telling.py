"""Tells what befalls one lane of the stream, each thing once until it is over."""

from collections.abc import Callable

from dydx_console.domain.events import Event, StreamChanged
from dydx_console.domain.stream import StreamCondition
from dydx_console.ports.clock import Clock

__all__ = ["StreamTeller"]


class StreamTeller:
    """Turns troubles into events: the first of its kind is told, others go to the log alone, in other words only.

    Args:
        lane: whose troubles these are.
        sink: takes the events.
        clock: stamps them.
        log: takes every line.
    """

    def __init__(self, lane: int, sink: Callable[[Event], None], clock: Clock, log: Callable[[str], None]) -> None:
        self._lane = lane
        self._sink = sink
        self._clock = clock
        self._log = log
        self._told: dict[StreamCondition, str] = {}
        self._denied: dict[str, str] = {}
        self._since: float | None = None

    def trouble(self, what: StreamCondition, text: str) -> None:
        """Tell a trouble, unless it was told since the last time that all was well."""
        before = self._told.get(what)
        self._told[what] = text
        if text != before:
            self._log(f"{what}: {text}")
        if before is None:
            self._since = self._clock.monotonic() if self._since is None else self._since
            self._tell(what, text)

    def restored(self) -> None:
        """Tell that all is well again, where something was told before; what is denied stays denied."""
        if self._since is None:
            return
        lasted_s = self._clock.monotonic() - self._since
        text = "The stream is whole again" + (f" after {lasted_s:.0f} s" if lasted_s >= 1 else "")
        over = tuple(self._told)
        self._since = None
        self._told.clear()
        self._log(text)
        self._tell(StreamCondition.RESTORED, text, over)

    def denied(self, whom: str, text: str) -> None:
        """Tell, once for each of them, that the venue refuses something whatever becomes of the connection."""
        if self._denied.get(whom) != text:
            self._log(f"{StreamCondition.DENIED}: {text}")
        if whom not in self._denied:
            self._tell(StreamCondition.DENIED, text)
        self._denied[whom] = text

    def granted(self, whom: str) -> None:
        """Tell that what was denied is denied no longer, where that was told."""
        if self._denied.pop(whom, None) is not None:
            over = () if self._denied else (StreamCondition.DENIED,)
            self._tell(StreamCondition.RESTORED, f"The Indexer serves {whom} again", over)

    def _tell(self, what: StreamCondition, text: str, over: tuple[StreamCondition, ...] = ()) -> None:
        worded = text if self._lane == 0 else f"{text} (further channels, connection {self._lane + 1})"
        self._sink(StreamChanged(what, worded, self._clock.monotonic(), self._lane, over))

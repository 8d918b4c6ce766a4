"""Notices: passing ones as toasts, the ones that stay as lines under the banner until they are dismissed."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from dydx_console.ports.notices import Level, Notice
from dydx_console.tui.picture import Picture
from dydx_console.tui.widgets.pane import Drawn, LineWidget, harmless
from dydx_console.views.format import clock as clock_text
from dydx_console.views.table import Cell, Ink
from dydx_console.views.width import cut

__all__ = ["Announcer", "StickyNotices", "Toasts", "notice_text"]

MOST_LINES = 4
TOASTS_PER_S = 3
_INKS = {Level.INFO: Ink.GOOD, Level.WARNING: Ink.WARN, Level.ERROR: Ink.ALARM}
_SIGNS = {Level.INFO: "●", Level.WARNING: "!", Level.ERROR: "‼"}


def notice_text(notice: Notice) -> str:
    """Return a notice with its time."""
    return notice.text if notice.at is None else f"{clock_text(notice.at)}  {notice.text}"


class StickyNotices(LineWidget):
    """Notices that somebody must have seen: the oldest ones are shown, all are kept until they are dismissed."""

    def __init__(self, picture: Picture, clock: Callable[[], float], *, id: str) -> None:
        super().__init__(picture, clock, id=id)
        self._held: deque[Notice] = deque()
        self._failure: Notice | None = None

    @property
    def held(self) -> tuple[Notice, ...]:
        """The notices that wait to be dismissed, oldest first."""
        return tuple(self._held)

    def add(self, notices: Iterable[Notice]) -> None:
        """Keep notices."""
        self._held.extend(notices)
        self._lay_out()

    def fail(self, text: str) -> None:
        """Say above all else that the engine ended; that cannot be dismissed."""
        if self._failure is None:
            self._failure = Notice(f"the engine stopped: {text} · figures below only grow older", Level.ERROR)
            self._lay_out()

    def dismiss(self) -> None:
        """Take the oldest away."""
        if self._held:
            self._held.popleft()
            self._lay_out()

    def _lay_out(self) -> None:
        lines = min(len(self._held), MOST_LINES) + (self._failure is not None)
        self.display = lines > 0
        self.styles.height = max(lines, 1)
        self.repaint()

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the failure, then the oldest notices and how many there are."""
        shown = list(self._held)[:MOST_LINES]
        drawn = [] if self._failure is None else [self._line(self._failure, "")]
        for index, notice in enumerate(shown):
            rest = len(self._held) - len(shown)
            more = f", {rest} more" if rest and index == len(shown) - 1 else ""
            drawn.append(self._line(notice, f"   d dismisses{more}" if index == 0 or more else ""))
        return drawn

    def _line(self, notice: Notice, tail: str) -> Drawn:
        room = max(self.size.width - len(tail) - 5, 10)
        head = Cell(f" {_SIGNS[notice.level]} {cut(harmless(notice_text(notice)), room)} ", _INKS[notice.level])
        return Drawn((head, Cell(tail, Ink.DIM)))


class Toasts:
    """Shows passing notices, a few a second; the rest becomes one that counts them.

    Args:
        show: puts one toast on the screen: text and level.
        clock: seconds that never go back.
    """

    def __init__(self, show: Callable[[str, Level], None], clock: Callable[[], float]) -> None:
        self._show = show
        self._clock = clock
        self._second = -1.0
        self._shown = 0
        self._left = 0

    def add(self, notices: Iterable[Notice]) -> None:
        """Show notices."""
        for notice in notices:
            self._renew()
            if self._shown < TOASTS_PER_S:
                self._shown += 1
                self._show(notice_text(notice), notice.level)
            else:
                self._left += 1

    def tick(self) -> None:
        """Tell of what was left out once its second is over."""
        if self._left and self._clock() - self._second >= 1.0:
            left, self._left = self._left, 0
            self._renew()
            self._shown += 1
            self._show(f"{left} more notices", Level.INFO)

    def _renew(self) -> None:
        now = self._clock()
        if now - self._second >= 1.0:
            self._second, self._shown = now, 0


class Announcer:
    """Tells people: what stays goes below the banner, what passes becomes a toast, what rings rings.

    `sticky` is None until there is a screen.

    Args:
        toast: puts one toast on the screen: text and level.
        ring: rings the bell, None where it is turned off.
        clock: seconds that never go back.
    """

    def __init__(
        self, toast: Callable[[str, Level], None], ring: Callable[[], None] | None, clock: Callable[[], float]
    ) -> None:
        self.sticky: StickyNotices | None = None
        self._toasts = Toasts(toast, clock)
        self._ring = ring

    def announce(self, notices: Sequence[Notice]) -> None:
        """Tell notices."""
        if not notices:
            return
        self._keep(notice for notice in notices if notice.stays)
        self._toasts.add(notice for notice in notices if not notice.stays)
        if self._ring is not None and any(notice.rings for notice in notices):
            self._ring()

    def warn(self, texts: Iterable[str]) -> None:
        """Tell warnings that stay."""
        self._keep(Notice(text, Level.WARNING, stays=True) for text in texts)

    def tick(self, failure: str | None) -> None:
        """Tell of toasts that were left out, and that the engine ended."""
        self._toasts.tick()
        if failure is not None and self.sticky is not None:
            self.sticky.fail(failure)

    def _keep(self, notices: Iterable[Notice]) -> None:
        staying = tuple(notices)
        if staying and self.sticky is not None:
            self.sticky.add(staying)

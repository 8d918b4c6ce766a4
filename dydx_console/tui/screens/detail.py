"""Everything about one row, and what the journal tells beyond it."""

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content

from dydx_console.ports.journal import HistoryPort
from dydx_console.tui.asking import Asking
from dydx_console.tui.frames import TICK_S
from dydx_console.tui.history_questions import (
    FillStory,
    LifeStory,
    OrderStory,
    fill_story,
    life_story,
    order_story,
)
from dydx_console.tui.screens.modal import LinesModal
from dydx_console.tui.widgets.sheet import ScrolledLines
from dydx_console.views.detail import detail_lines, detail_title
from dydx_console.views.fills import FillLine
from dydx_console.views.history import Context, LifeLine, PastFill, covered
from dydx_console.views.orders import OrderLine
from dydx_console.views.stories import fill_story_lines, folded, life_story_lines, order_story_lines
from dydx_console.views.table import Cell, Ink, Line

if TYPE_CHECKING:
    from dydx_console.tui.app import ConsoleApp

__all__ = ["DetailModal"]

Story: TypeAlias = OrderStory | FillStory | LifeStory
Question: TypeAlias = Callable[[HistoryPort], Coroutine[Any, Any, Story]]


class DetailModal(LinesModal):
    """Shows label and value of every fact of a row; what the journal knows of it follows as soon as it has come."""

    BINDINGS = [Binding("escape,enter,q", "dismiss", "Close", show=False)]  # noqa: RUF012

    def __init__(self, item: object, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._item = item
        self._asking: Asking[Story] | None = None
        self._story: Story | None = None
        self._was_slow = False

    def compose(self) -> ComposeResult:
        """Write the facts down; the text is never parsed."""
        with Vertical(classes="sheet") as sheet:
            sheet.border_title = self.titled(detail_title(self._item))
            sheet.border_subtitle = Content("esc back")
            yield ScrolledLines(self._shown_by.picture, self._clock, self.lines, id="lines")

    def on_mount(self) -> None:
        """Ask the journal, and look for its answer."""
        question = _question(self._item)
        if question is not None:
            self._asking = Asking(self._shown_by.port.history, self._clock)
            self._asking.ask(question)
            self.set_interval(TICK_S, self.look, name="story")

    def on_unmount(self) -> None:
        """Wait for nothing any more."""
        if self._asking is not None:
            self._asking.give_up()

    def look(self) -> None:
        """Show the answer once it is there, and that it is waited for."""
        asking = self._asking
        if asking is None or (not asking.is_waiting and asking.is_slow == self._was_slow):
            return
        story = asking.take()
        if not asking.is_waiting or asking.is_slow != self._was_slow:
            self._story, self._was_slow = story, asking.is_slow
            self.lay_out()

    def lines(self, width: int) -> Sequence[Line]:
        """Return the facts, then what the journal tells."""
        item = covered(self._item) if self._shown_by.picture.masked else self._item
        return folded([*detail_lines(item), *self._told()], width)

    @property
    def _shown_by(self) -> "ConsoleApp":
        return cast("ConsoleApp", self.app)

    def _told(self) -> list[Line]:
        asking = self._asking
        if asking is None:
            return []
        if asking.failure is not None:
            return [(Cell(f"more is not known: {asking.failure}", Ink.DIM),)]
        if self._story is None:
            return [(Cell("reading…", Ink.DIM),)] if asking.is_slow else []
        return _story_lines(self._item, self._story, self._writing())

    def _writing(self) -> Context:
        picture = self._shown_by.picture
        snapshot = picture.snapshot
        if snapshot is None:
            return Context({}, masked=picture.masked)
        return Context(snapshot.markets, snapshot.venue_time or snapshot.block_time, None, picture.masked)


def _question(item: object) -> Question | None:
    """Return what to ask the journal about a row."""
    if isinstance(item, OrderLine):
        order_id = item.order.id
        return lambda history: order_story(history, order_id)
    fill = item.line.fill if isinstance(item, PastFill) else item.fill if isinstance(item, FillLine) else None
    if fill is not None:
        return lambda history: fill_story(history, fill)
    if isinstance(item, LifeLine):
        life = item.life
        return lambda history: life_story(history, life)
    return None


def _story_lines(item: object, story: Story, context: Context) -> list[Line]:
    if isinstance(story, OrderStory) and isinstance(item, OrderLine):
        return order_story_lines(item.order, story.hops, story.fills, story.lives, context, has_all=story.has_all)
    if isinstance(story, FillStory):
        is_told = isinstance(item, PastFill)
        return fill_story_lines(None if is_told else story.booked, story.order, story.lives, context)
    if isinstance(story, LifeStory) and isinstance(item, LifeLine):
        return life_story_lines(item.life, story.fills, context, has_all=story.has_all)
    return []

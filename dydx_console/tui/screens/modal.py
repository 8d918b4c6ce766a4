"""The base of every modal: it must have been seen before it takes a key, and it never hides where the money is."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from textual.content import Content
from textual.screen import ModalScreen

from dydx_console.tui.layout import LAYOUTS, layout_class
from dydx_console.tui.widgets.pane import harmless
from dydx_console.tui.widgets.sheet import ScrolledLines
from dydx_console.views.table import Line

if TYPE_CHECKING:
    from dydx_console.tui.app import ConsoleApp

__all__ = ["GUARD_S", "GuardedModal", "LinesModal"]

R = TypeVar("R")
GUARD_S = 0.25
SHEET_WIDTH = 116
FRAME_WIDTH = 4
MARK_STYLE = "bold $background on $error"
"""The alarm's colours, as the banner has them."""


class GuardedModal(ModalScreen[R], Generic[R]):
    """A modal that ignores keys from before its first paint and a quarter of a second.

    It leaves the banner free, which it dims, and says real money outside production in the title of its sheet.

    Args:
        clock: the clock that key events are stamped with.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._open_from: float | None = None

    def on_mount(self) -> None:
        """Start to count once the modal was painted."""
        self.call_after_refresh(self._painted)

    def on_resize(self) -> None:
        """Leave as many lines free as the banner has at this size."""
        self.remove_class(*LAYOUTS)
        self.add_class(layout_class(*self.outer_size))

    def _painted(self) -> None:
        self._open_from = self._clock() + GUARD_S

    def titled(self, text: str) -> Content:
        """Return a sheet's title: `text`, which is never parsed, behind the mark of real money out of place."""
        mark = cast("ConsoleApp", self.app).picture.facts.mark
        title = Content(harmless(text))
        return Content.assemble((f" {harmless(mark)} ", MARK_STYLE), " ", title) if mark else title

    def takes_key(self, at: float) -> bool:
        """Return whether a key that was pressed at a moment was meant for this modal."""
        return self._open_from is not None and at >= self._open_from


class LinesModal(GuardedModal[None]):
    """A sheet of lines, as tall as they are: `#lines` within `.sheet`."""

    AUTO_FOCUS = "#lines"

    def on_mount(self) -> None:
        """Make room for the first lines."""
        self.lay_out()

    def on_resize(self) -> None:
        """Use the room."""
        self.lay_out()

    @abstractmethod
    def lines(self, width: int) -> Sequence[Line]:
        """Return the lines to show, each of at most `width` cells."""

    def lay_out(self) -> None:
        """Give the sheet the size of its lines, and paint them."""
        width = self.outer_size.width
        is_small = layout_class(*self.outer_size) in ("-small", "-tiny")
        outer = width if is_small else min(SHEET_WIDTH, width - FRAME_WIDTH)
        sheet = self.query_one(".sheet")
        sheet.styles.width = outer
        sheet.styles.height = len(self.lines(outer - FRAME_WIDTH)) + 2
        self.query_one("#lines", ScrolledLines).repaint(is_dirty=True)

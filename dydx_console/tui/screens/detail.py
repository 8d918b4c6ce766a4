"""Everything about one row."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from dydx_console.tui.screens.modal import GuardedModal
from dydx_console.tui.widgets.pane import harmless
from dydx_console.views.detail import detail_lines, detail_title

__all__ = ["DetailModal"]


class DetailModal(GuardedModal[None]):
    """Shows label and value of every fact of an order, fill or position."""

    BINDINGS = [Binding("escape,enter,q", "dismiss", "Close", show=False)]  # noqa: RUF012

    def __init__(self, item: object, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._item = item

    def compose(self) -> ComposeResult:
        """Write the facts down; the text is never parsed."""
        lines = ["".join(harmless(cell.text) for cell in line) for line in detail_lines(self._item)]
        with VerticalScroll(classes="sheet") as sheet:
            sheet.border_title = self.titled(detail_title(self._item))
            sheet.border_subtitle = Content("esc back")
            yield Static(Content("\n".join(lines)), markup=False)

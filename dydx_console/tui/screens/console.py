"""Screen 1: balances, positions, orders, fills and PNL at a glance."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.events import Resize
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from dydx_console.tui.actions import bindings_of
from dydx_console.tui.frames import Frames
from dydx_console.tui.layout import LAYOUTS, layout_class
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.desk import desk_panes
from dydx_console.tui.widgets.banner import Banner
from dydx_console.tui.widgets.facts import FactsPane
from dydx_console.tui.widgets.filterbar import FilterBar
from dydx_console.tui.widgets.grid import GridPane
from dydx_console.tui.widgets.keybar import KeyBar
from dydx_console.tui.widgets.notices import StickyNotices
from dydx_console.tui.widgets.orders import OrdersPane
from dydx_console.tui.widgets.pane import LineWidget, Pane
from dydx_console.tui.widgets.pnl import PnlPane
from dydx_console.views.compact import compact_lines

__all__ = ["ConsoleScreen"]

LOOK_S = 0.5


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """The desk: five panes under the banner; one of them alone where it is maximised or the terminal is small."""

    BINDINGS = bindings_of("app")
    AUTO_FOCUS = ""
    TAKES_TYPING: ClassVar = True

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """The pane that keys go to. Panes show it themselves; the whole screen need not be painted again for it."""

    def __init__(
        self,
        picture: Picture,
        frames: Frames,
        clock: Callable[[], float],
        keymap: Mapping[str, str],
        size: tuple[int, int],
    ) -> None:
        super().__init__(classes=layout_class(*size))
        self.set_class(picture.facts.is_out_of_place, "-alarm")
        self._picture = picture
        self._frames = frames
        self._clock = clock
        self._keymap = keymap
        self._filtered: GridPane[Any] | None = None
        self.sticky = StickyNotices(picture, clock, id="notices")
        """Notices that stay until somebody dismisses them."""

    def compose(self) -> ComposeResult:
        """Make the panes; they are painted by the scheduler."""
        yield Banner(self._picture, self._clock, id="banner")
        yield self.sticky
        with Container(id="desk"):
            yield from desk_panes(self._picture, self._clock)
        yield FactsPane(
            self._picture,
            self._clock,
            id="compact",
            number=0,
            title="Prices and positions",
            shows_holdings=True,
            view=lambda picture, width: compact_lines(picture.snapshot, picture.facts.name, width),
        )
        yield Static("too small\n20×5 needed", id="too-small", markup=False)
        yield KeyBar(self._picture, self._clock, self._keymap, id="keys")

    def on_mount(self) -> None:
        """Hand the widgets to the scheduler; hot ones may be painted more often."""
        prices = ("account", "stream", "markets", "fills", "funding")
        for name, hz, sections in (
            ("banner", 20.0, ("stream", "blocks", "node", "account", "markets", "orders")),
            ("positions", 20.0, prices),
            ("orders", 20.0, ("orders", "blocks", "fills", "stream")),
            ("fills", 20.0, ("fills", "stream")),
            ("balances", 20.0, prices),
            ("pnl", 10.0, prices),
            ("compact", 4.0, prices),
            ("keys", 1.0, ()),
            ("notices", 1.0, ()),
        ):
            self._frames.add(name, self.query_one(f"#{name}", LineWidget), hz, sections)
        self.set_interval(LOOK_S, self._note_trends, name="trends")
        self._focus_first()

    def _note_trends(self) -> None:
        """Take a sample of the prices where one is due; the rows show it with their next paint."""
        if self._picture.note_trends(self._clock()):
            self._frames.mark(("markets",))

    def on_resize(self, event: Resize) -> None:
        """Choose the layout for the size."""
        wanted = layout_class(event.size.width, event.size.height)
        if self.has_class(wanted):
            return
        self.remove_class(*LAYOUTS)
        self.add_class(wanted)
        self._focus_first()

    def _focus_first(self) -> None:
        """Put the focus on a pane that the layout shows; one that has it and is shown keeps it."""
        is_small = self.has_class("-small") or self.has_class("-tiny")
        is_compact = self.focused is not None and self.focused.id == "compact"
        if self.focused is None or is_small != is_compact:
            self.query_one("#compact" if is_small else "#positions").focus()

    def on_descendant_focus(self) -> None:
        """Show the keys of the pane that has the focus."""
        keys = self.query_one(KeyBar)
        focused = self.focused
        groups: tuple[str, ...] = ("app",)
        if isinstance(focused, OrdersPane):
            groups = ("app", "table", "orders")
        elif isinstance(focused, GridPane):
            groups = ("app", "table")
        elif isinstance(focused, PnlPane):
            groups = ("app", "pnl")
        keys.groups = groups
        keys.repaint()

    def action_focus_pane(self, name: str) -> None:
        """Move to a pane; where one is maximised, it takes its place."""
        pane = self.query_one(f"#{name}", Pane)
        if self.has_class("-maximised"):
            self._maximise(pane)
        self.set_focus(pane)

    def action_maximise(self) -> None:
        """Give the focused pane the whole desk, or give it back."""
        if self.has_class("-maximised"):
            self._restore()
        elif isinstance(self.focused, Pane):
            self._maximise(self.focused)

    def action_back(self) -> None:
        """Undo the nearest thing: filter or chosen row, then the maximised pane."""
        focused = self.focused
        if isinstance(focused, GridPane) and focused.wanted:
            focused.back()
        elif self.has_class("-maximised"):
            self._restore()
        elif isinstance(focused, GridPane):
            focused.back()

    def _maximise(self, pane: Widget) -> None:
        for other in self.query(Pane):
            other.set_class(other is pane, "-maximised")
        self.add_class("-maximised")

    def _restore(self) -> None:
        self.remove_class("-maximised")
        for pane in self.query(Pane):
            pane.remove_class("-maximised")

    async def action_filter(self) -> None:
        """Open the line in which the focused table's filter is typed; the very next key goes there."""
        grid = self.focused
        if not isinstance(grid, GridPane):
            return
        self._filtered = grid
        found = self.query(FilterBar)
        bar = found.first() if found else FilterBar()
        if not found:
            await self.mount(bar)
        bar.open(grid.title, grid.wanted)

    def action_detail(self) -> None:
        """Show everything about the row under the focused table's cursor."""
        from dydx_console.tui.screens.detail import DetailModal

        if isinstance(self.focused, GridPane) and self.focused.chosen is not None:
            self.app.push_screen(DetailModal(self.focused.chosen, self._clock))

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Filter while it is typed."""
        if self._filtered is not None:
            self._filtered.wanted = event.text

    def on_filter_bar_closed(self, event: FilterBar.Closed) -> None:
        """Go back to the pane."""
        self.query_one(FilterBar).close()
        if self._filtered is not None:
            if not event.is_kept:
                self._filtered.wanted = ""
            self.set_focus(self._filtered)

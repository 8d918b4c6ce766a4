"""Commands of the palette, made from the table of actions."""

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from dydx_console.tui.actions import in_group
from dydx_console.tui.themes import OWN_THEMES
from dydx_console.tui.widgets.grid import GridPane
from dydx_console.tui.widgets.orders import OrdersPane
from dydx_console.tui.widgets.pnl import PnlPane

__all__ = ["ConsoleCommands"]


class ConsoleCommands(Provider):
    """Offers what the keys do, and the themes by name."""

    def _commands(self) -> Iterator[tuple[str, str]]:
        groups = ["app", "pane"]
        if isinstance(self.focused, GridPane):
            groups.append("table")
        if isinstance(self.focused, OrdersPane):
            groups.append("orders")
        if isinstance(self.focused, PnlPane):
            groups.append("pnl")
        for action in in_group(*groups):
            if action.in_palette:
                yield action.label, action.name
        for theme in OWN_THEMES:
            yield f"Theme {theme.name.removeprefix('console-')}", f"app.use_theme('{theme.name}')"

    def _run(self, action: str) -> Callable[[], Coroutine[Any, Any, bool]]:
        return partial(self.app.run_action, action, self.focused or self.screen)

    async def discover(self) -> Hits:
        """Offer everything before anything was typed."""
        for label, action in self._commands():
            yield DiscoveryHit(label, self._run(action))

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for label, action in self._commands():
            score = matcher.match(label)
            if score > 0:
                yield Hit(score, matcher.highlight(label), self._run(action))

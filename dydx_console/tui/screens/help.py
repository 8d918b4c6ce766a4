"""The keys that work where the person is, made from the bindings."""

from collections.abc import Callable, Mapping

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from dydx_console.tui.actions import in_group, key_name, keys_of
from dydx_console.tui.screens.modal import GuardedModal

__all__ = ["HelpModal", "help_text"]

_HEADS = {
    "history": "History",
    "orders": "Orders",
    "pnl": "PNL",
    "table": "Tables",
    "pane": "Moving",
    "app": "Everywhere",
}


def help_text(groups: tuple[str, ...], keymap: Mapping[str, str]) -> str:
    """Return the keys of some groups with what they do, the nearest first."""
    blocks: list[str] = []
    for group, head in _HEADS.items():
        if group not in groups:
            continue
        rows = [
            f"  {' '.join(key_name(key) for key in keys_of(action, keymap)):<16}{action.label}"
            for action in in_group(group)
        ]
        blocks.append("\n".join([head, *rows]))
    return "\n\n".join(blocks)


class HelpModal(GuardedModal[None]):
    """Lists the keys of the focused pane."""

    BINDINGS = [Binding("escape,q,question_mark,enter", "dismiss", "Close", show=False)]  # noqa: RUF012

    def __init__(
        self, title: str, groups: tuple[str, ...], keymap: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        super().__init__(clock)
        self._title = title
        self._text = help_text(groups, keymap)

    def compose(self) -> ComposeResult:
        """Write the keys down."""
        with VerticalScroll(classes="sheet") as sheet:
            sheet.border_title = self.titled(f"Keys · {self._title}")
            sheet.border_subtitle = Content("esc back")
            yield Static(Content(self._text), markup=False)

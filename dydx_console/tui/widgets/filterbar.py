"""The line in which a filter is typed."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key
from textual.message import Message
from textual.widgets import Input, Label

__all__ = ["FilterBar"]


class FilterBar(Horizontal):
    """A text field that says at every key what it holds. Enter keeps the filter, Escape drops it."""

    class Changed(Message):
        """The filter reads differently now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing is over; `is_kept` is False where the filter was dropped."""

        def __init__(self, *, is_kept: bool) -> None:
            super().__init__()
            self.is_kept = is_kept

    def compose(self) -> ComposeResult:
        """Make the label and the field."""
        yield Label("", classes="filter--label", markup=False)
        yield Input(select_on_focus=False)

    def open(self, title: str, text: str) -> None:
        """Begin to type a filter for a pane."""
        self.query_one(Label).update(f"filter {title}")
        field = self.query_one(Input)
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.add_class("-open")
        self.screen.set_focus(field)

    def close(self) -> None:
        """Hide the line."""
        self.remove_class("-open")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass on what was typed."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        event.stop()
        self.post_message(self.Closed(is_kept=True))

    def on_key(self, event: Key) -> None:
        """Drop the filter on Escape."""
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.Closed(is_kept=False))

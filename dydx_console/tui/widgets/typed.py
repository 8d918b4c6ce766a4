"""A text field for what a person has to type: nothing can be pasted into it."""

from textual.events import Paste
from textual.message import Message
from textual.widgets import Input

__all__ = ["TypedInput"]

LONGEST = 100


class TypedInput(Input):
    """A field that takes keys alone, neither the terminal's pastes nor the clipboard."""

    class PasteRefused(Message):
        """Somebody tried to paste."""

    def __init__(self, *, id: str) -> None:
        super().__init__(select_on_focus=False, max_length=LONGEST, id=id)
        self.cursor_blink = False

    def on_paste(self, event: Paste) -> None:
        """Take nothing of a paste."""
        event.stop()
        event.prevent_default()
        self.post_message(self.PasteRefused())

    def action_paste(self) -> None:
        """Take nothing of the clipboard."""
        self.post_message(self.PasteRefused())

"""Where the cursor of a table is: on an id, wherever its row moves."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cursor"]


@dataclass(slots=True)
class Cursor:
    """The row that keys act on, and the first row that is shown.

    `row_id` is None until a key or click chose a row: the table then stays at its top.
    """

    row_id: str | None = None
    index: int = 0
    top: int = 0

    def follow(self, ids: Sequence[str], height: int) -> None:
        """Find the row again among `ids`; it keeps its place on the screen, and where it is gone its neighbour's."""
        if self.row_id is None:
            self.index = 0
        elif self.index < len(ids) and ids[self.index] == self.row_id:
            pass
        elif self.row_id in ids:
            found = ids.index(self.row_id)
            self.top += found - self.index
            self.index = found
        else:
            self.index = max(min(self.index, len(ids) - 1), 0)
            self.row_id = ids[self.index] if ids else None
        self._scroll(len(ids), height)

    def move(self, steps: int, ids: Sequence[str], height: int) -> None:
        """Step through the rows."""
        if not ids:
            return
        self.index = max(min(self.index + steps, len(ids) - 1), 0)
        self.row_id = ids[self.index]
        self._scroll(len(ids), height)

    def reset(self) -> None:
        """Choose no row, and show the first."""
        self.row_id, self.index, self.top = None, 0, 0

    def _scroll(self, count: int, height: int) -> None:
        if self.index < self.top:
            self.top = self.index
        elif self.index >= self.top + height:
            self.top = self.index - height + 1
        self.top = max(min(self.top, count - height), 0)

"""Pictures of the screen as SVG."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dydx_console.tui.widgets.pane import LineWidget

if TYPE_CHECKING:
    from dydx_console.tui.app import ConsoleApp

__all__ = ["next_path", "write_picture"]


def next_path(folder: Path, at: datetime | None = None) -> Path:
    """Return a file name in `folder` that tells the time."""
    return folder / f"dydx-console-{at or datetime.now(UTC):%Y%m%d-%H%M%S}.svg"


def write_picture(app: "ConsoleApp", path: Path, *, masked: bool) -> None:
    """Write what the screen shows; `masked` covers address and balances for that moment. Raises OSError."""
    app.picture.masked = masked
    try:
        _repaint(app)
        svg = app.export_screenshot(title=app.TITLE)
    finally:
        app.picture.masked = False
        _repaint(app)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg, encoding="utf-8")


def _repaint(app: "ConsoleApp") -> None:
    for screen in app.screen_stack:
        for widget in screen.query(LineWidget):
            widget.repaint(is_dirty=True)

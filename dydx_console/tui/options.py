"""How the screen is to behave."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dydx_console.tui.themes import DEFAULT_THEME

__all__ = ["UiOptions"]


@dataclass(frozen=True, slots=True)
class UiOptions:
    """What a person asked of the screen.

    `for_seconds` ends the console by itself; `screenshot` is written then, or at the end. Addresses and balances are
    covered in screenshots unless `unmasked_screenshots`. `keymap` gives actions other keys, by action id. Errors and
    whatever libraries write to standard error go to `log_path`; F12 writes into `screenshot_dir`.
    """

    log_path: Path
    for_seconds: float | None = None
    screenshot: Path | None = None
    unmasked_screenshots: bool = False
    screenshot_dir: Path = Path()
    theme: str = DEFAULT_THEME
    bell: bool = True
    mouse: bool = True
    keymap: Mapping[str, str] = field(default_factory=dict)

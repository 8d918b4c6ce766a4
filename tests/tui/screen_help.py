"""Runs the app without a terminal and reads what it would show."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual._context import visible_screen_stack
from textual.pilot import Pilot
from tui.fakes import FakePort
from tui.pictures import picture

from dydx_console.tui.app import ConsoleApp
from dydx_console.tui.options import UiOptions
from dydx_console.tui.screens.modal import GuardedModal

DEADLINE_S = 20.0


class Jumping:
    """The machine's clock, which a test moves on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@dataclass
class Desk:
    """A running app, its port and the hands on its keyboard."""

    app: ConsoleApp
    port: FakePort
    pilot: Pilot[None]

    def text(self) -> str:
        """Return the screen as lines of text, what shines through a modal included.

        What is below must be named as the compositor's own updates name it, or a modal that is dirty at this moment
        would keep an empty background.
        """
        below = visible_screen_stack.set(self.app._background_screens)
        try:
            return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())
        finally:
            visible_screen_stack.reset(below)

    def pane(self, name: str) -> Any:
        """Return a pane of the desk."""
        return self.app.screen_stack[0].query_one(f"#{name}")

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until something holds; fails with the screen's text where it never does."""
        end = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < end, self.text()
            await asyncio.sleep(0.01)

    async def press(self, *keys: str) -> None:
        """Press keys one after another, slowly enough for a person."""
        for key in keys:
            await self.pilot.press(key)


@asynccontextmanager
async def desk(
    tmp_path: Path,
    size: tuple[int, int] = (160, 50),
    port: FakePort | None = None,
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> AsyncIterator[Desk]:
    """Run the app over a port; without one, over a live account."""
    if port is None:
        port = FakePort(now=0.0)
        port.show(picture())
    app = ConsoleApp(port, UiOptions(log_path=tmp_path / "ui.log", screenshot_dir=tmp_path, **options), clock)
    async with app.run_test(size=size, notifications=True, tooltips=True) as pilot:
        shown = Desk(app, port, pilot)
        hidden = port.asked is not None or port.mailbox.latest() is None
        await shown.until(lambda: hidden or app.picture.snapshot is not None)
        await shown.until(lambda: not any(slot.is_dirty and slot.painter.is_on_screen for slot in app.frames._slots))
        await pilot.pause()
        yield shown


async def opened(shown: Desk, key: str, screen: type[GuardedModal[Any]]) -> None:
    """Press the key of a sheet and wait until it takes keys."""
    await shown.press(key)
    await shown.until(lambda: isinstance(shown.app.screen, screen))
    await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))

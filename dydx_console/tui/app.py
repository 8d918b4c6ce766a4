"""The Textual application: it looks into the engine's mailbox and paints; it never waits for the engine."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.widgets import Input

from dydx_console.ports.console import ConsolePort
from dydx_console.ports.mailbox import Mail
from dydx_console.ports.notices import Level, Notice
from dydx_console.tui.actions import conflicts
from dydx_console.tui.crash import note_crash
from dydx_console.tui.driver import ConsoleDriver
from dydx_console.tui.frames import TICK_S, Frames
from dydx_console.tui.keys import KeyFlood
from dydx_console.tui.options import UiOptions
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.console import ConsoleScreen
from dydx_console.tui.screens.modal import GuardedModal
from dydx_console.tui.themes import DEFAULT_THEME, OWN_THEMES, VARIABLES, next_theme
from dydx_console.tui.widgets.notices import StickyNotices, Toasts
from dydx_console.tui.widgets.pane import harmless
from dydx_console.views.banner import BannerFacts

if TYPE_CHECKING:
    from textual.command import Provider

__all__ = ["ConsoleApp"]

TOAST_S = 6.0


def _commands() -> "type[Provider]":
    from dydx_console.tui.palette import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(App[None], inherit_bindings=False):
    """The console's screen over an engine.

    Args:
        port: the engine.
        options: what the person asked for.
        clock: seconds that never go back, for painting; ages come from the engine's own clock.
    """

    TITLE = "dydx-console"
    CSS_PATH = "console.tcss"
    COMMANDS: ClassVar = {_commands}
    COMMAND_PALETTE_BINDING = "f20"
    ESCAPE_TO_MINIMIZE = False

    def __init__(self, port: ConsolePort, options: UiOptions, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(driver_class=ConsoleDriver)
        self.port = port
        self.options = options
        self.clock = clock
        network = port.network
        facts = BannerFacts(network.name, network.kind, network.chain_id, network.environment, network.read_only)
        self.picture = Picture(facts)
        self.frames = Frames(clock, self._backlog)
        self.crash: BaseException | None = None
        self._flood = KeyFlood()
        self._is_flooded = False
        self._toasts = Toasts(self._toast, clock)
        for theme in OWN_THEMES:
            self.register_theme(theme)
        self.theme = options.theme if options.theme in self.available_themes else DEFAULT_THEME
        self.animation_level = "none"
        self.set_keymap(options.keymap)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give themes of others the colours that only the console uses."""
        return VARIABLES

    def get_default_screen(self) -> Screen[object]:
        """Return the console screen: there is no other below it."""
        self._console = ConsoleScreen(self.picture, self.frames, self.clock, self.options.keymap, self.size)
        return self._console  # type: ignore[return-value]

    def on_mount(self) -> None:
        """Begin to look into the mailbox, and say what must be known from the start."""
        self.set_interval(TICK_S, self.tick, name="paint")
        if self.options.for_seconds is not None:
            self.set_timer(self.options.for_seconds, self.end)
        warnings = [*self.port.network.warnings, *conflicts(self.options.keymap)]
        if self.options.theme not in self.available_themes:
            warnings.append(f"there is no theme {self.options.theme!r}")
        if warnings:
            self.call_after_refresh(self._warn, warnings)
        self.call_after_refresh(self.port.start)

    def _warn(self, warnings: list[str]) -> None:
        self._sticky.add(Notice(text, Level.WARNING, stays=True) for text in warnings)

    @property
    def _sticky(self) -> StickyNotices:
        return self._console.sticky

    def _backlog(self) -> int:
        return self._driver.backlog if isinstance(self._driver, ConsoleDriver) else 0

    def tick(self) -> None:
        """Take what the engine left, and paint what is due."""
        mail = self.port.mailbox.take()
        self._take(mail)
        if self.picture.snapshot is not None:
            self.picture.elapsed_s = max(self.port.monotonic() - self.picture.snapshot.at, 0.0)
        self._toasts.tick()
        if self.port.failure is not None:
            self._sticky.fail(self.port.failure)
        self.frames.tick()

    def _take(self, mail: Mail) -> None:
        picture = self.picture
        if mail.snapshot is not None:
            if picture.snapshot is None:
                self.frames.mark_all()
            picture.snapshot = mail.snapshot
        if mail.changed:
            self.frames.mark(mail.changed)
        if mail.notices:
            self._announce(mail.notices)

    def _announce(self, notices: tuple[Notice, ...]) -> None:
        staying = [notice for notice in notices if notice.stays]
        if staying:
            self._sticky.add(staying)
        self._toasts.add(notice for notice in notices if not notice.stays)
        if self.options.bell and any(notice.rings for notice in notices):
            self.bell()

    def _toast(self, text: str, level: Level) -> None:
        self.notify(harmless(text), severity=level.value, timeout=TOAST_S, markup=False)

    async def on_event(self, event: events.Event) -> None:
        """Drop keys that nobody meant before any binding sees them; the others act in the order of typing."""
        if not isinstance(event, events.Key) or event.is_forwarded or not await self._is_done_with(event):
            await super().on_event(event)

    async def _is_done_with(self, event: events.Key) -> bool:
        return self._is_unmeant(event) or await self._acted_at_once(event)

    async def _acted_at_once(self, event: events.Key) -> bool:
        """Act on a key of the desk before the next one is looked at, so that `/q` filters for q and never quits."""
        if not isinstance(self.screen, ConsoleScreen) or isinstance(self.focused, Input):
            return False
        active = self.screen.active_bindings.get(event.key)
        return active is not None and active.enabled and await self.run_action(active.binding.action, active.node)

    def _is_unmeant(self, event: events.Key) -> bool:
        screen = self.screen
        if isinstance(screen, GuardedModal) and not screen.takes_key(event.time):
            return True
        if isinstance(self.focused, Input):
            return False
        is_flood = self._flood.is_flood(event.time)
        if is_flood and not self._is_flooded:
            self._toast("keys came faster than anybody types; they were ignored", Level.WARNING)
        self._is_flooded = is_flood
        return is_flood

    def action_help(self) -> None:
        """Show the keys of the focused pane."""
        from dydx_console.tui.screens.help import HelpModal
        from dydx_console.tui.widgets.keybar import KeyBar

        if isinstance(self.screen, ConsoleScreen):
            title = getattr(self.focused, "title", None) or "console"
            groups = ("pane", *self.screen.query_one(KeyBar).groups)
            self.push_screen(HelpModal(title, groups, self.options.keymap, self.clock))

    def action_reconnect(self) -> None:
        """Ask the engine for a fresh connection."""
        self.port.reconnect()
        self._toast("reconnecting", Level.INFO)

    def action_next_theme(self) -> None:
        """Change to the next of our themes."""
        self.action_use_theme(next_theme(self.theme))

    def action_use_theme(self, name: str) -> None:
        """Change the theme."""
        self.theme = name
        self.frames.mark_all()

    def action_dismiss(self) -> None:
        """Take away the oldest notice that stays."""
        self._sticky.dismiss()

    def action_snap(self) -> None:
        """Write a picture of the screen into the screenshot folder."""
        from dydx_console.tui.screenshot import next_path

        self.save_picture(next_path(self.options.screenshot_dir))

    def save_picture(self, path: Path) -> None:
        """Write the screen as SVG, address and balances covered unless the options say otherwise."""
        from dydx_console.tui.screenshot import write_picture

        try:
            write_picture(self, path, masked=not self.options.unmasked_screenshots)
        except OSError as error:
            self._toast(f"no screenshot: {error.strerror}: {path}", Level.ERROR)
        else:
            self._toast(f"screenshot in {path}", Level.INFO)

    async def action_quit(self) -> None:
        """Leave."""
        self.end()

    def end(self, code: int = 0) -> None:
        """Leave with an exit code, after the screenshot that was asked for."""
        if self.options.screenshot is not None and not code:
            self.save_picture(self.options.screenshot)
        self.exit(return_code=code)

    def _handle_exception(self, error: Exception) -> None:
        """Log an error that nobody handled, and end; the terminal gets one line, and nobody's variables."""
        if self.crash is None:
            self.crash = error
            note_crash(error, self.options.log_path)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def panic(self, *renderables: object) -> None:
        """End without printing: what is to be said was logged."""
        self._close_messages_no_wait()

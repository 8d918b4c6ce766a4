"""The Textual application: it looks into the engine's mailbox and paints; it never waits for the engine."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
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
from dydx_console.tui.actions import action_of, binding_of, conflicts, first_key
from dydx_console.tui.admission import REFUSED, Admission
from dydx_console.tui.crash import note_crash
from dydx_console.tui.driver import ConsoleDriver
from dydx_console.tui.frames import TICK_S, Frames
from dydx_console.tui.keys import KeyFlood
from dydx_console.tui.options import UiOptions
from dydx_console.tui.picture import Picture
from dydx_console.tui.screens.console import ConsoleScreen
from dydx_console.tui.screens.modal import GuardedModal
from dydx_console.tui.themes import DEFAULT_THEME, OWN_THEMES, VARIABLES, next_theme
from dydx_console.tui.watch import NetworkWatch
from dydx_console.tui.widgets.notices import Announcer
from dydx_console.tui.widgets.pane import harmless

if TYPE_CHECKING:
    from textual.command import Provider

__all__ = ["ConsoleApp"]

TOAST_S = 6.0
READY_S = 1.5
"""After this the start is over, and screens that are dear to load are loaded."""


def _commands() -> "type[Provider]":
    from dydx_console.tui.palette import ConsoleCommands

    return ConsoleCommands


class ConsoleApp(App[None], inherit_bindings=False):
    """The console's screen over an engine. Where the network has to be confirmed, it shows nothing else before.

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
    BINDINGS = [binding_of(action_of("app.quit_now"))]  # noqa: RUF012

    def __init__(self, port: ConsolePort, options: UiOptions, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(driver_class=ConsoleDriver)
        self.port = port
        self.options = options
        self.clock = clock
        self.admission = Admission(port.confirmation())
        self._watch = NetworkWatch(port, first_key(action_of("app.checks"), options.keymap))
        self.picture = Picture(self._watch.facts)
        self.frames = Frames(clock, self._backlog)
        self.crash: BaseException | None = None
        self._flood = KeyFlood()
        self._is_flooded = False
        self._announcer = Announcer(self._toast, self._ring if options.bell else None, clock)
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
        self._announcer.sticky = self._console.sticky
        return self._console  # type: ignore[return-value]

    def on_mount(self) -> None:
        """Begin to look into the mailbox, and say what must be known from the start."""
        self.set_interval(TICK_S, self.tick, name="paint")
        self.set_timer(READY_S, self._load)
        if self.options.for_seconds is not None:
            self.set_timer(self.options.for_seconds, self.end)
        warnings = [*self._watch.warnings(), *conflicts(self.options.keymap)]
        if self.options.theme not in self.available_themes:
            warnings.append(f"there is no theme {self.options.theme!r}")
        if warnings:
            self.call_after_refresh(self._warn, warnings)
        if self.admission.is_waiting:
            self._ask()
        self.call_after_refresh(self.port.start)

    def _load(self) -> None:
        """Have what History needs loaded in another thread, so that its first opening is as quick as the next."""
        self.run_worker(partial(import_module, "dydx_console.tui.screens.history"), thread=True)

    def _ask(self) -> None:
        from dydx_console.tui.screens.confirm import ConfirmModal

        if self.admission.asked is not None:
            self.push_screen(ConfirmModal(self.admission.asked, self.port, self.picture, self.clock), self._answered)

    def _answered(self, why_not: str | None) -> None:
        self.admission.answer(why_not)
        if self.admission.is_waiting:
            self.end()

    def _backlog(self) -> int:
        return self._driver.backlog if isinstance(self._driver, ConsoleDriver) else 0

    def tick(self) -> None:
        """Take what the engine left, and paint what is due."""
        if self._watch.is_changed():
            self._show_network()
        if not self.admission.is_waiting:
            for failure in self._watch.failures():
                self.port.mailbox.notify(failure)
            self._take(self.port.mailbox.take())
        if self.picture.snapshot is not None:
            self.picture.elapsed_s = max(self.port.monotonic() - self.picture.snapshot.at, 0.0)
        self._announcer.tick(self.port.failure)
        self.frames.tick()

    def _show_network(self) -> None:
        self.picture.facts = self._watch.facts
        self._console.set_class(self.picture.facts.is_out_of_place, "-alarm")
        self._warn(self._watch.warnings())
        self.frames.mark_all()

    def _warn(self, texts: Sequence[str]) -> None:
        self._announcer.warn(texts)
        for text in texts:
            self.port.mailbox.remember(Notice(text, Level.WARNING, stays=True))

    def _take(self, mail: Mail) -> None:
        picture = self.picture
        if mail.snapshot is not None:
            if picture.snapshot is None:
                self.frames.mark_all()
            picture.snapshot = mail.snapshot
        if mail.changed:
            self.frames.mark(mail.changed)
        self._announcer.announce(mail.notices)

    def _toast(self, text: str, level: Level) -> None:
        self.notify(harmless(text), severity=level.value, timeout=TOAST_S, markup=False)

    def _ring(self) -> None:
        self.bell()

    async def on_event(self, event: events.Event) -> None:
        """Drop keys that nobody meant before any binding sees them; the others act in the order of typing."""
        if not isinstance(event, events.Key) or event.is_forwarded or not await self._is_done_with(event):
            await super().on_event(event)

    async def _is_done_with(self, event: events.Key) -> bool:
        return self._is_unmeant(event) or await self._acted_at_once(event)

    async def _acted_at_once(self, event: events.Key) -> bool:
        """Act on a key of the desk or the history before the next is looked at, so that `/q` looks for q and never
        quits."""
        if not getattr(self.screen, "TAKES_TYPING", False) or isinstance(self.focused, Input):
            return False
        active = self.screen.active_bindings.get(event.key)
        return active is not None and active.enabled and await self.run_action(active.binding.action, active.node)

    def _is_unmeant(self, event: events.Key) -> bool:
        screen = self.screen
        if isinstance(screen, GuardedModal):
            if not screen.takes_key(event.time):
                return True
        elif self.admission.is_waiting:
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

    def action_command_palette(self) -> None:
        """Open the palette over the desk; over a modal there is none."""
        if isinstance(self.screen, ConsoleScreen):
            super().action_command_palette()

    def action_checks(self) -> None:
        """Show the checks of the network."""
        from dydx_console.tui.screens.checks import ChecksModal

        if isinstance(self.screen, ConsoleScreen):
            self.push_screen(ChecksModal(self.port, self.picture, self.clock))

    def action_log(self) -> None:
        """Show the notices of this run."""
        from dydx_console.tui.screens.log import LogModal

        if isinstance(self.screen, ConsoleScreen):
            self.push_screen(LogModal(self.port, self.picture, self.clock))

    def action_diagnostics(self) -> None:
        """Show how the console itself does."""
        from dydx_console.tui.screens.diagnostics import DiagnosticsModal

        if isinstance(self.screen, ConsoleScreen):
            self.push_screen(DiagnosticsModal(self.port, self.picture, self.frames, self._backlog, self.clock))

    def action_history(self) -> None:
        """Show what the journal holds, page by page."""
        from dydx_console.tui.screens.history import HistoryModal

        if isinstance(self.screen, ConsoleScreen):
            self.push_screen(HistoryModal(self.port.history, self.picture, self.clock, self.options.keymap))

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
        self._console.sticky.dismiss()

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
        """Leave with an exit code, after the screenshot that was asked for; where nobody confirmed, with 77."""
        code = code or (REFUSED if self.admission.is_waiting else 0)
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

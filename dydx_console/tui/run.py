"""The entry point of the screen."""

import asyncio
import sys

from dydx_console.ports.console import ConsolePort
from dydx_console.tui.admission import REFUSED
from dydx_console.tui.app import ConsoleApp
from dydx_console.tui.crash import crash_line
from dydx_console.tui.options import UiOptions
from dydx_console.tui.terminal import on_signals, owned_terminal

__all__ = ["UiOptions", "run_console"]

SWITCH_INTERVAL_S = 0.0005
"""How long the engine's thread may keep the interpreter while a key waits."""


def run_console(port: ConsolePort, options: UiOptions) -> int:
    """Show the console in the main thread until it is left; the terminal is restored whatever happens.

    Returns 0 after quitting, 1 after a crash (told in one line on standard error, in full in the log), 77 where the
    network had to be confirmed and was not (told in one line), 128 + n after signal n.
    """
    app = ConsoleApp(port, options)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with owned_terminal(options.log_path):
            asyncio.run(_run(app, options))
    finally:
        sys.setswitchinterval(before)
    if app.crash is not None:
        sys.stderr.write(crash_line(app.crash, options.log_path) + "\n")
        return 1
    if app.return_code == REFUSED and app.admission.refusal is not None:
        sys.stderr.write(f"dydx-console: {app.admission.refusal}\n")
    return app.return_code or 0


async def _run(app: ConsoleApp, options: UiOptions) -> None:
    on_signals(asyncio.get_running_loop(), app.end)
    await app.run_async(mouse=options.mouse)

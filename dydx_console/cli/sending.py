"""What every command that sends does before anything else: find out whether it may."""

from pathlib import Path
from typing import Any, NoReturn

from dydx_console.cli.admission import Wanted, admit, loaded_or_fail
from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.log import open_log
from dydx_console.safety.policy import Entry, Purpose

__all__ = ["refuse_or_say_not_built"]


def refuse_or_say_not_built(config: Path | None, overrides: dict[str, Any]) -> NoReturn:
    """End the command: 78 or 77 where the network may not be traded on, else 1, because trading is not built yet."""
    loaded = loaded_or_fail(config, overrides)
    open_log(loaded.settings)
    admission = admit(loaded, Wanted(Entry.COMMAND, Purpose.SEND))
    fail(
        Exit.UNEXPECTED,
        f"trading is not built yet; nothing was sent to {admission.network.name} ({admission.network.chain_id})",
    )

"""`health ready` and `health live`: for probes that have a shell but no port."""

import json
from pathlib import Path

import platformdirs

from dydx_console.cli.admission import loaded_or_fail
from dydx_console.cli.exits import Exit, fail

__all__ = ["ask_health", "default_listen"]


def default_listen() -> str:
    """Return where `watch` serves health, and where it is asked for, when nobody says where: a socket of the user's."""
    return f"unix:{Path(platformdirs.user_state_dir('dydx-console')) / 'health.sock'}"


def ask_health(what: str, listen: str | None, config: Path | None, timeout_s: float) -> int:
    """Ask a running console `/health/WHAT`, print its one-line answer and return 0 or 69."""
    from dydx_console.health.asking import ask
    from dydx_console.health.listen import parse_listen

    where = listen or loaded_or_fail(config, {}).settings.health.listen or default_listen()
    try:
        status, body = ask(parse_listen(where), f"/health/{what}", timeout_s)
    except ValueError as error:
        fail(Exit.USAGE, str(error))
    except OSError as error:
        reason = f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else error.strerror or error
        fail(Exit.UNREACHABLE, f"{where}: {reason}")
    print(f"{status} {_status_in(body)}")
    return Exit.OK if status == 200 else Exit.UNREACHABLE


def _status_in(body: str) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return "?"
    return str(told.get("status", "?")) if isinstance(told, dict) else "?"

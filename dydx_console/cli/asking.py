"""`health ready` and `health live`: for probes that have a shell but no port."""

import json
from pathlib import Path

import platformdirs

from dydx_console.cli.admission import loaded_or_fail
from dydx_console.cli.exits import Exit, fail
from dydx_console.domain.text import clean

__all__ = ["ask_health", "default_listen", "prepared_listen"]

MOST_TEXT = 300


def default_listen() -> str:
    """Return where `watch` serves health, and where it is asked for, when nobody says where: a socket of the user's."""
    return f"unix:{Path(platformdirs.user_state_dir('dydx-console')) / 'health.sock'}"


def prepared_listen() -> str:
    """Return `default_listen`, after making its folder for the user alone."""
    folder = Path(platformdirs.user_state_dir("dydx-console"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        fail(
            Exit.CONFIGURATION, f"cannot make {folder} for the health socket: {error.strerror or error}; give --health"
        )
    return default_listen()


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
    print(f"{status} {what if status == 200 else _refusal_in(body)}")
    return Exit.OK if status == 200 else Exit.UNREACHABLE


def _refusal_in(body: str) -> str:
    """Return why not, as one line: another program may have answered."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return "an answer that cannot be read"
    return clean(f"{told.get('error')}: {told.get('detail')}", MOST_TEXT)

"""Entry point of `dydx-console` and of `python -m dydx_console`."""

import os
import sys
import threading
from typing import NoReturn

__all__ = ["main"]


def main() -> None:
    """Run the command line, after what could steer it from the environment was taken away."""
    from dydx_console.cli.scrub import keep_in_mind, scrub

    keep_in_mind(scrub(os.environ))
    from dydx_console.cli.app import app

    try:
        app()
    except SystemExit as ended:
        if _is_held_up():
            _leave(ended.code)
        raise


def _is_held_up() -> bool:
    """Return whether a thread would keep the process: one that waits for a name server cannot be stopped."""
    return any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())


def _leave(code: object) -> NoReturn:
    """End now, with everything written."""
    if isinstance(code, str):
        sys.stderr.write(code + "\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()

"""The log file."""

import logging
import logging.handlers
import os
from pathlib import Path

from dydx_console.cli.exits import Exit, fail
from dydx_console.config.load import default_log_path
from dydx_console.config.settings import Settings

__all__ = ["open_log"]

LOG_BYTES = 5_000_000
LOG_FILES = 3
_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def open_log(settings: Settings, *, aloud: bool = False) -> Path:
    """Send log lines to the rotating log file and return its path; ends the command where it cannot be written.

    `aloud` sends them to standard error too, as a service without a screen does.
    """
    path = settings.log.file or default_log_path()
    previous = os.umask(0o077)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    except OSError as error:
        fail(Exit.CONFIGURATION, f"cannot write the log {path}: {error.strerror or error}")
    finally:
        os.umask(previous)
    handlers: list[logging.Handler] = [handler, *([logging.StreamHandler()] if aloud else [])]
    for one in handlers:
        one.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(settings.log.level.upper())
    for noisy in ("httpx", "httpcore", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return path

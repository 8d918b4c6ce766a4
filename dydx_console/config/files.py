"""Reads the configuration file, if nobody but its owner can have written it."""

import os
import stat
from pathlib import Path

from dydx_console.config.errors import ConfigError

__all__ = ["MAX_BYTES", "objection", "read_config"]

MAX_BYTES = 1_000_000
_ROOT = 0


def read_config(file: Path, *, required: bool) -> str:
    """Return the text of a file, nothing where it need not exist and does not.

    Raises ConfigError for one that cannot be read, is no ordinary file, or may be someone else's words.
    """
    try:
        # without waiting: opening a pipe would otherwise last until somebody writes to it
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(file, flags)
    except FileNotFoundError:
        if file.is_symlink():
            raise ConfigError(f"{file}: the link leads to no file") from None
        if required:
            raise ConfigError(f"{file}: there is no such file") from None
        return ""
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from None
    try:
        return _text_of(file, descriptor)
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: cannot be read: it is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from None
    finally:
        os.close(descriptor)


def objection(status: os.stat_result, user: int) -> str | None:
    """Return why a file of that status is not taken as the words of a user, None where it is."""
    if stat.S_ISDIR(status.st_mode):
        return "it is a directory"
    if not stat.S_ISREG(status.st_mode):
        return "it is not an ordinary file"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it; make it yours alone: chmod go-w"
    return _owner_objection(status, user)


def _owner_objection(status: os.stat_result, user: int) -> str | None:
    if status.st_uid in (user, _ROOT):
        return None
    return f"it belongs to user {status.st_uid}, not to you ({user}); use a file of your own"


def _text_of(file: Path, descriptor: int) -> str:
    status = os.fstat(descriptor)
    reason = objection(status, os.getuid()) if os.name == "posix" else None
    if reason is None and os.name == "posix" and file.is_symlink():
        link = _owner_objection(file.lstat(), os.getuid())
        reason = None if link is None else f"the link to it: {link}"
    if reason is None and status.st_size > MAX_BYTES:
        reason = f"it is larger than {MAX_BYTES:,} bytes"
    if reason is not None:
        raise ConfigError(f"{file}: {reason}")
    with os.fdopen(descriptor, "rb", closefd=False) as stream:
        return stream.read(MAX_BYTES + 1).decode("utf-8")

"""Reads the settings, and says of a wrong one where it stands and what was probably meant."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ValidationError

from dydx_console.config.settings import Settings

__all__ = ["ConfigError", "default_config_path", "default_log_path", "load_settings"]

APP = "dydx-console"


class ConfigError(Exception):
    """A configuration that cannot be used; the message names file, line, key and what is allowed."""


def default_config_path() -> Path:
    """Return where the config file is looked for when none is named."""
    return Path(platformdirs.user_config_dir(APP)) / "config.toml"


def default_log_path() -> Path:
    """Return where the log goes when none is named."""
    return Path(platformdirs.user_log_dir(APP)) / "dydx-console.log"


def load_settings(path: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings of a file, the environment and `overrides` (which stand over both).

    Without `path` the default file is read if it exists. Raises ConfigError.
    """
    file = path if path is not None else default_config_path()
    text = _text_of(file, required=path is not None)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not TOML: {error}") from None
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**{**values, **given})
    except ValidationError as error:
        raise ConfigError("\n".join(_sentences(error, file, text, given))) from None


def _text_of(file: Path, *, required: bool) -> str:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise ConfigError(f"{file}: there is no such file") from None
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{file}: others may write to it; make it yours alone: chmod go-w")
    return text


def _sentences(error: ValidationError, file: Path, text: str, given: Mapping[str, Any]) -> list[str]:
    return [_sentence(dict(entry), file, text, given) for entry in error.errors(include_url=False)]


def _sentence(entry: dict[str, Any], file: Path, text: str, given: Mapping[str, Any]) -> str:
    path = [str(part) for part in entry["loc"]]
    name = ".".join(path)
    reason = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        reason = "there is no such key" + _suggestion(path)
    return f"{_place(path, file, text, given)}: {name}: {reason}"


def _place(path: Sequence[str], file: Path, text: str, given: Mapping[str, Any]) -> str:
    if path and path[0] in given:
        return f"option --{path[0].replace('_', '-')}"
    line = _line_of(path, text)
    if line is not None:
        return f"{file}:{line}"
    variable = "DYDX_CONSOLE_" + "__".join(path).upper()
    found = next((name for name in os.environ if name.upper() == variable), None)
    return f"variable {found}" if found is not None else str(file)


def _line_of(path: Sequence[str], text: str) -> int | None:
    """Return the line where a key stands, or its table's where the key is missing."""
    table: tuple[str, ...] = ()
    best: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            if tuple(path[: len(table)]) == table:
                best = number
            continue
        key = re.match(r"\s*([A-Za-z0-9_.\"'-]+?)\s*=", line)
        if key and (*table, *(part.strip("\"'") for part in key[1].split("."))) == tuple(path):
            return number
    return best if path[:-1] else None


def _suggestion(path: Sequence[str]) -> str:
    known = _keys_beside(path)
    close = get_close_matches(path[-1], known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are: {', '.join(sorted(known))}" if known else ""


def _keys_beside(path: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in path[:-1]:
        field = model.model_fields.get(part)
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)

"""Reads the settings, and says of a wrong one where it stands and what was probably meant."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import ValidationError
from pydantic_settings import SettingsError

from dydx_console.config.errors import ConfigError
from dydx_console.config.files import read_config
from dydx_console.config.keys import meant, suggestion
from dydx_console.config.networks import network_problems
from dydx_console.config.places import Sources
from dydx_console.config.settings import Settings
from dydx_console.config.variables import PREFIX, variable_problems, variables_in
from dydx_console.domain.text import clean

__all__ = [
    "ConfigError",
    "Loaded",
    "default_config_path",
    "default_journal_path",
    "default_log_path",
    "load",
    "load_settings",
]

APP = "dydx-console"
MAX_SENTENCE = 2_000
DECIDES = ("environment", "network")
"""Settings for which file and environment must not differ: it would decide which network is used."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and who decided each."""

    settings: Settings
    sources: Sources

    def origin_of(self, name: str) -> str:
        """Return who decided a setting, by its dotted name.

        That is `option --NAME`, `FILE:LINE`, `variable NAME` or `default`.
        """
        return self.sources.origin(name.split("."))


def default_config_path() -> Path:
    """Return where the config file is looked for when none is named."""
    return Path(platformdirs.user_config_dir(APP)) / "config.toml"


def default_log_path() -> Path:
    """Return where the log goes when none is named."""
    return Path(platformdirs.user_log_dir(APP)) / "dydx-console.log"


def default_journal_path() -> Path:
    """Return where journals lie when no folder is named."""
    return Path(platformdirs.user_state_dir(APP)) / "journal"


def load_settings(path: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings alone; see `load`."""
    return load(path, overrides).settings


def load(path: Path | None, overrides: Mapping[str, Any]) -> Loaded:
    """Return the settings of a file and the environment, the file over the environment and `overrides` over both.

    Without `path` the default file is read if it exists. `overrides` are options by name, None where not given.
    Raises ConfigError with a line for each thing that is wrong: whatever has two meanings is refused, not chosen.
    """
    sources = _sources(path if path is not None else default_config_path(), overrides, required=path is not None)
    _refuse(variable_problems(sources.variables))
    _refuse(_hidden_keys(sources))
    try:
        settings = Settings(**{**sources.values, **sources.options})
    except ValidationError as error:
        raise _error(_sentence(dict(entry), sources) for entry in error.errors(include_url=False)) from None
    except SettingsError as error:
        raise _error([f"variables {PREFIX}…: {error}"]) from None
    _refuse(_contradictions(sources))
    found = (*network_problems(settings), *_risk_problems(settings, sources))
    _refuse(f"{sources.place(where)}: {'.'.join(where)}: {reason}" for where, reason in found)
    return Loaded(settings, sources)


def _sources(file: Path, overrides: Mapping[str, Any], *, required: bool) -> Sources:
    text = read_config(file, required=required)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _error([f"{file}: not TOML: {error}"]) from None
    except RecursionError:
        raise _error([f"{file}: not TOML: it is nested too deeply"]) from None
    options = {key: value for key, value in overrides.items() if value is not None}
    return Sources(options, file, text, values, variables_in(os.environ))


def _refuse(sentences: Iterator[str]) -> None:
    found = list(sentences)
    if found:
        raise _error(found)


def _error(sentences: Iterator[str] | list[str]) -> ConfigError:
    # keys and values come from a file or the environment, and are shown in a terminal
    return ConfigError("\n".join(clean(sentence, MAX_SENTENCE) for sentence in sentences))


def _sentence(entry: dict[str, Any], sources: Sources) -> str:
    # what is said of a table's key itself has a part of its own in the path
    path = [str(part) for part in entry["loc"] if part != "[key]"]
    reason = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        reason = "there is no such key" + suggestion(path)
    elif entry["type"] in ("enum", "literal_error"):
        reason += meant(str(entry["input"]), _allowed(entry))
    return f"{sources.place(path)}: {'.'.join(path)}: {reason}"


def _allowed(entry: dict[str, Any]) -> list[str]:
    return [word.strip("' ") for word in str(entry["ctx"]["expected"]).replace(" or ", ",").split(",")]


def _risk_problems(settings: Settings, sources: Sources) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield levels of risk that contradict each other: an alarm that would come before its warning."""
    risk = settings.risk
    pairs = (
        ("margin_usage", "below", risk.margin_usage_warn < risk.margin_usage_alarm),
        ("liquidation_distance", "above", risk.liquidation_distance_warn > risk.liquidation_distance_alarm),
    )
    for name, side, is_ordered in pairs:
        if not is_ordered:
            warn, alarm = f"{name}_warn", f"{name}_alarm"
            is_alarm_given = sources.origin(("risk", warn)) == "default"
            yield (
                ("risk", alarm if is_alarm_given else warn),
                f"the warning comes before the alarm: {warn} ({getattr(risk, warn)}) has to be {side} {alarm}"
                f" ({getattr(risk, alarm)})",
            )


def _hidden_keys(sources: Sources) -> Iterator[str]:
    # the settings' constructor has parameters of its own, all beginning so
    for name in sources.values:
        if name.startswith("_"):
            yield f"{sources.in_file([name])}: {name}: there is no such key{suggestion([name])}"


def _contradictions(sources: Sources) -> Iterator[str]:
    for name in DECIDES:
        variable = sources.variable([name])
        if name in sources.options or variable is None or name not in sources.values:
            continue
        if sources.values[name] != variable.value:
            yield (
                f"{sources.in_file([name])} says {name} = {sources.values[name]!r}, variable {variable.name} says"
                f" {variable.value!r}; remove one, or give --{name}"
            )

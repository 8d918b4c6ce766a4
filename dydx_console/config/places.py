"""Where a setting was named: on the command line, in the file, in the environment, or nowhere."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dydx_console.config.variables import Variable

__all__ = ["Sources", "line_of"]

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+(?:\s*\.\s*[A-Za-z0-9_\"'-]+)*)\s*=")


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that named settings: options by name, the file with its text and values, and variables."""

    options: Mapping[str, Any]
    file: Path
    text: str
    values: Mapping[str, Any]
    variables: tuple[Variable, ...]

    def origin(self, path: Sequence[str]) -> str:
        """Return who decided a setting: `option --…`, `FILE:LINE`, `variable …` or `default`."""
        if path[0] in self.options:
            return _option(path)
        if self._in_file(path):
            return self.in_file(path)
        variable = self.variable(path)
        return "default" if variable is None else f"variable {variable.name}"

    def place(self, path: Sequence[str]) -> str:
        """Return where something wrong with a setting is to be mended; the file where nothing nearer is known."""
        origin = self.origin(path)
        if origin != "default":
            return origin
        if line_of(path, self.text) is None:
            beside = next((variable for variable in self.variables if variable.path[:-1] == tuple(path[:-1])), None)
            return str(self.file) if beside is None else f"variable {beside.name}"
        return self.in_file(path)

    def in_file(self, path: Sequence[str]) -> str:
        """Return the place in the file, with its line where one is found."""
        line = line_of(path, self.text)
        return str(self.file) if line is None else f"{self.file}:{line}"

    def variable(self, path: Sequence[str]) -> Variable | None:
        """Return the variable that names a setting, or the table that it is in."""
        near = [variable for variable in self.variables if tuple(path[: len(variable.path)]) == variable.path]
        return max(near, key=lambda variable: len(variable.path), default=None)

    def _in_file(self, path: Sequence[str]) -> bool:
        values: Any = self.values
        for part in path:
            if isinstance(values, Mapping):
                if part not in values:
                    return False
                values = values[part]
        return True


def line_of(path: Sequence[str], text: str) -> int | None:
    """Return the line where a key stands, or the nearest table or key around it; None where nothing is found."""
    table: tuple[str, ...] = ()
    best, depth = None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            here = table = _parts(header[1])
        elif key:
            here = (*table, *_parts(key[1]))
        else:
            continue
        if len(here) > depth and tuple(path[: len(here)]) == here:
            best, depth = number, len(here)
    return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _option(path: Sequence[str]) -> str:
    return f"option --{path[0].replace('_', '-')}"

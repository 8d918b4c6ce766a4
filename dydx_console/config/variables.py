"""The environment variables that name settings: which there are, and where they contradict each other."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

from dydx_console.config.keys import is_key, suggestion, takes_json

__all__ = ["PREFIX", "Variable", "variable_problems", "variables_in"]

PREFIX = "DYDX_CONSOLE_"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as it is spelt in the environment, and the setting that it names."""

    name: str
    value: str

    @property
    def path(self) -> tuple[str, ...]:
        """The setting's path: two underscores lead into a table, capitals do not count."""
        return tuple(self.name[len(PREFIX) :].lower().split("__"))


def variables_in(environ: Mapping[str, str]) -> tuple[Variable, ...]:
    """Return the variables that are addressed to the console, in the order of their settings."""
    found = (Variable(name, value) for name, value in environ.items() if name.upper().startswith(PREFIX))
    return tuple(sorted(found, key=lambda variable: (variable.path, variable.name)))


def variable_problems(variables: tuple[Variable, ...]) -> Iterator[str]:
    """Yield a sentence for each variable that is empty, that names no setting, or that contradicts another."""
    for variable in variables:
        if not is_key(variable.path):
            yield f"variable {variable.name}: there is no such setting{suggestion(variable.path)}"
        elif not variable.value.strip():
            yield f"variable {variable.name}: is set and empty; give it a value or unset it"
        elif takes_json(variable.path) and not _is_json(variable.value):
            yield f"variable {variable.name}: is a table or a list, and its value is not JSON"
    for one, other in pairwise(variables):
        if one.path == other.path and one.value != other.value:
            yield f"variables {one.name} and {other.name}: name one setting and differ; unset one of them"
    for one, other in combinations(variables, 2):
        if one.path != other.path and other.path[: len(one.path)] == one.path:
            yield f"variables {one.name} and {other.name}: the first names the whole table of the second; unset one"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True

"""The names of the settings, and which one was probably meant."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TypeGuard, get_args, get_origin

from pydantic import BaseModel

from dydx_console.config.settings import Settings

__all__ = ["is_key", "meant", "suggestion", "takes_json"]


def is_key(path: Sequence[str]) -> bool:
    """Return whether there is such a setting or table."""
    annotation: object = Settings
    for part in path:
        annotation = _inside(annotation, part)
        if annotation is None:
            return False
    return True


def suggestion(path: Sequence[str]) -> str:
    """Return the end of a sentence about a key that does not exist: the nearest one, or those that there are."""
    known = _keys_beside(path)
    close = meant(path[-1], known)
    if close:
        return close
    return f"; there are: {', '.join(sorted(known))}" if known else ""


def meant(given: str, known: Iterable[str]) -> str:
    """Return the end of a sentence naming what was probably meant, empty where nothing is near."""
    close = get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def takes_json(path: Sequence[str]) -> bool:
    """Return whether a variable of that name would have to be written as JSON: a table or a list."""
    annotation: object = Settings
    for part in path:
        annotation = _inside(annotation, part)
    choices = (annotation, *get_args(annotation))
    return any(_is_table(choice) or get_origin(choice) in (dict, tuple) for choice in choices)


def _keys_beside(path: Sequence[str]) -> list[str]:
    annotation: object = Settings
    for part in path[:-1]:
        annotation = _inside(annotation, part)
    return list(annotation.model_fields) if _is_table(annotation) else []


def _is_table(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _inside(annotation: object, part: str) -> object:
    """Return the type of a key in a table or mapping, None where there is no such key."""
    if _is_table(annotation):
        field = annotation.model_fields.get(part)
        return None if field is None else field.annotation
    return get_args(annotation)[1] if get_origin(annotation) is dict else None

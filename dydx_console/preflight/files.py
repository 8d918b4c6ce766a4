"""Reads who may write to the console's files."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from dydx_console.preflight.evidence import FileFacts
from dydx_console.preflight.plan import WatchedFile

__all__ = ["file_facts"]


def file_facts(files: Iterable[WatchedFile]) -> tuple[FileFacts, ...]:
    """Return who may write to each file and to the folder that holds it; whoever writes there can put another in."""
    return tuple(fact for file in files for fact in _facts_of(file))


def _facts_of(file: WatchedFile) -> Iterator[FileFacts]:
    fact = _stat(file.what, file.path)
    yield fact
    if fact.mode is not None and not stat.S_ISDIR(fact.mode):
        # of a link, both the folder that holds it and the one that it leads to matter
        for folder in dict.fromkeys((file.path.absolute().parent, file.path.resolve().parent)):
            yield _stat(f"folder of the {file.what}", folder)


def _stat(what: str, path: Path) -> FileFacts:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return FileFacts(what, str(path))
    except OSError as error:
        return FileFacts(what, str(path), trouble=error.strerror or type(error).__name__)
    return FileFacts(what, str(path), found.st_mode, found.st_uid)

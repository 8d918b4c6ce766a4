"""What journals are called on the disk; nothing else, so that looking for one costs a start nothing."""

import os
import re
from pathlib import Path
from urllib.parse import quote

__all__ = ["epochs_in", "file_name", "name_of"]


def name_of(text: str) -> str:
    """Return a text as a part of a file name, different for different texts."""
    quoted = quote(text, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E") or "%"


def file_name(chain_id: str, epoch: int) -> str:
    """Return the name of an epoch's file."""
    return f"{name_of(chain_id)}.{epoch}.db"


def epochs_in(folder: Path, chain_id: str) -> tuple[int, ...]:
    """Return the epochs of a chain that have a file in a folder, ascending."""
    pattern = re.compile(re.escape(name_of(chain_id)) + r"\.([1-9][0-9]{0,8})\.db")
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return ()
    return tuple(sorted(int(match[1]) for name in names if (match := pattern.fullmatch(name))))

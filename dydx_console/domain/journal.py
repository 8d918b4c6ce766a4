"""Whether the console's own history is being written down, as people are told of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["NO_JOURNAL", "JournalMode", "JournalView"]


class JournalMode(StrEnum):
    """What becomes of the history."""

    NONE = "NONE"
    """No journal is kept, as for a recording."""
    OPENING = "OPENING"
    """It is being opened."""
    KEPT = "KEPT"
    """This console writes it."""
    LOOKING = "LOOKING"
    """Another console writes it; this one reads it and sends nothing."""
    OFF = "OFF"
    """It cannot be written now."""


@dataclass(frozen=True, slots=True)
class JournalView:
    """The journal's state since `since`, and a sentence on it where there is something to say.

    `owner_pid` is the process that writes it where that is another one, None where it cannot be told. `missed` facts
    were too many to wait for the disk, `rejected` ones could not be kept as they were. `epoch` numbers the file that is
    written, `fill_place` is the place in the venue's order up to which its fills are known, `waiting` counts the rows
    that have yet to be committed; `error` is the last one of this run, told at `error_at`.
    """

    mode: JournalMode = JournalMode.NONE
    text: str | None = None
    since: datetime | None = None
    owner_pid: int | None = None
    missed: int = 0
    rejected: int = 0
    epoch: int | None = None
    fill_place: int | None = None
    waiting: int = 0
    error: str | None = None
    error_at: datetime | None = None


NO_JOURNAL = JournalView()
"""No journal is kept."""

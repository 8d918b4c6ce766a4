"""Things worth telling a person once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Level", "Notice"]


class Level(StrEnum):
    """How much a notice matters."""

    INFO = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: `rings` asks for the bell, `stays` keeps it on the screen until it is dismissed."""

    text: str
    level: Level = Level.INFO
    at: datetime | None = None
    rings: bool = False
    stays: bool = False

"""What an engine is to do, as plain values."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LivePlan"]


@dataclass(frozen=True, slots=True)
class LivePlan:
    """Where to connect, whom to follow, and whether to write a recording."""

    rest_url: str
    websocket_url: str
    address: str | None
    parent: int
    record_to: Path | None = None
    record_megabytes: int = 256

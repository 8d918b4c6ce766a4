"""Connections and the channels on them, as the freshness of the picture needs them."""

from dataclasses import dataclass, field
from datetime import datetime

from dydx_console.domain.events import ChannelKey
from dydx_console.state.sequence import Sequence

__all__ = ["ANSWER_PATIENCE_S", "Channel", "Connection"]

ANSWER_PATIENCE_S = 30.0
"""How long an unanswered subscription may explain a missing message number (the venue's own time limit is shorter)."""


@dataclass(slots=True)
class Connection:
    """One socket: its numbers, the newest block proven on it, and its own channel of blocks."""

    number: int
    opened_at: float
    sequence: Sequence
    lane: int = 0
    ready_at: float | None = None
    closed_at: float | None = None
    block_time: datetime | None = None
    blocks: "Channel | None" = None

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.closed_at is None


@dataclass(slots=True)
class Channel:
    """A subscription: where it lives, whether it was answered and read again, what it lost.

    `answered_at` is when its first contents came, `answers_to` when the subscription was asked for whose contents they
    are; both are None before.
    """

    key: ChannelKey
    connection: int
    is_account: bool
    answered: bool = False
    resynced: bool = False
    left: bool = False
    suspect: bool = False
    denied: bool = False
    messages: int = 0
    asked: list[float] = field(default_factory=list)
    answered_at: float | None = None
    answers_to: float | None = None

    @property
    def is_unread(self) -> bool:
        """Whether its first contents are still to be completed by REST."""
        return self.key.needs_read and not self.resynced

    def awaited(self, at: float) -> list[float]:
        """Return when the subscriptions were asked for whose answers may still come."""
        return [asked for asked in self.asked if at - asked < ANSWER_PATIENCE_S]

    def take_answer(self, at: float) -> None:
        """Note first contents: whatever was lost before they were asked for no longer matters."""
        self.answers_to = self.asked[0] if self.asked else at
        self.answered_at = at
        del self.asked[:1]
        self.answered, self.resynced, self.left, self.suspect, self.denied = True, False, False, False, False

    def has_missed(self, since: float) -> bool:
        """Return whether a loss that showed at `since` may be missing from it."""
        return self.answers_to is None or self.answers_to < since

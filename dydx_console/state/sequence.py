"""The message numbers of one connection: duplicates, and holes that mean a loss.

One counter serves a whole connection, and the number of a subscription is reserved when it is asked for but arrives
with its answer, so numbers come out of order on a healthy socket (dydxprotocol/v4-chain
indexer/services/socks/src/websocket/index.ts). Only a hole that stays open is a loss.
"""

from dataclasses import dataclass

__all__ = ["HOLE_PATIENCE_S", "Hole", "Sequence"]

HOLE_PATIENCE_S = 5.0
"""How long a number may stay missing, beyond the answers that are awaited, before it counts as lost."""

MOST_AHEAD = 20_000


@dataclass(frozen=True, slots=True)
class Hole:
    """A missing message number and when a higher one was first seen (monotonic seconds)."""

    message_id: int
    since: float


class Sequence:
    """Tracks one connection's numbers; memory is bounded by the messages that arrived beyond the oldest hole."""

    def __init__(self) -> None:
        self._next = 0
        self._ahead: set[int] = set()
        self._holes: dict[int, float] = {}
        self._given_up: set[int] = set()

    def accept(self, message_id: int, at: float) -> bool:
        """Note a message's number. Returns False where a message with it was taken before."""
        if message_id in self._given_up:
            self._given_up.discard(message_id)
            return True
        if message_id < self._next or message_id in self._ahead:
            return False
        highest = max(self._ahead, default=self._next - 1) if message_id > self._next else self._next - 1
        for missing in range(max(highest + 1, self._next), message_id):
            if len(self._holes) < MOST_AHEAD:
                self._holes[missing] = at
        self._holes.pop(message_id, None)
        self._ahead.add(message_id)
        self._advance()
        return True

    def _advance(self) -> None:
        while self._next in self._ahead:
            self._ahead.discard(self._next)
            self._next += 1

    def holes(self, at: float, awaited: int = 0) -> tuple[Hole, ...]:
        """Return the numbers that count as lost at `at`, while `awaited` answers may still fill the oldest holes."""
        old = sorted(number for number, since in self._holes.items() if at - since >= HOLE_PATIENCE_S)
        return tuple(Hole(number, self._holes[number]) for number in old[awaited:])

    @property
    def has_holes(self) -> bool:
        """Whether any number is missing, however recent."""
        return bool(self._holes)

    def give_up(self) -> int:
        """Close every hole, because what was lost has been read again; returns how many there were.

        A message that fills one later is still taken.
        """
        count = len(self._holes)
        self._given_up.update(self._holes)
        self._ahead.update(self._holes)
        self._holes.clear()
        self._advance()
        return count

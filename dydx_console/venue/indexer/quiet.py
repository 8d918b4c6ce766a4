"""Which public channels have told nothing for so long that their contents are better fetched anew.

Whether such a channel is deaf or its subject quiet cannot be told apart from outside, and joining it anew costs little;
where that brings nothing, the patience with it grows.
"""

from collections.abc import Iterable

from dydx_console.domain.events import ChannelKey

__all__ = ["Quietness"]

LONGEST_S = 240.0
ANSWER_S = 3.0
"""What comes later than this after a channel was joined anew is no part of the answer."""


class Quietness:
    """Keeps when each channel was heard.

    Args:
        patience_s: how long a channel may be quiet at first.
    """

    def __init__(self, patience_s: float) -> None:
        self.heard_at: dict[ChannelKey, float] = {}
        """When each channel last told something."""
        self._first_s = patience_s
        self._patience_s: dict[ChannelKey, float] = {}
        self._renewed_at: dict[ChannelKey, float] = {}

    def due(self, keys: Iterable[ChannelKey], at: float) -> tuple[ChannelKey, ...]:
        """Return which of the channels are to be joined anew, and take it as done."""
        found = []
        for key in keys:
            heard_at = self.heard_at.get(key)
            if heard_at is None or key.is_account or key.is_block_height:
                continue
            renewed_at = self._renewed_at.get(key)
            if renewed_at is not None and heard_at - renewed_at > ANSWER_S:
                del self._renewed_at[key], self._patience_s[key]
            patience_s = self._patience_s.get(key, self._first_s)
            if at - max(heard_at, self._renewed_at.get(key, heard_at)) > patience_s:
                self._renewed_at[key] = at
                self._patience_s[key] = min(2 * patience_s, LONGEST_S)
                found.append(key)
        return tuple(found)

    def forget(self, keys: Iterable[ChannelKey]) -> None:
        """Forget all channels but these."""
        kept = set(keys)
        for held in (self.heard_at, self._patience_s, self._renewed_at):
            for key in [key for key in held if key not in kept]:
                del held[key]

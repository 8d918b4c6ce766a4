"""What a connection is subscribed to, and what is to be asked for next; without a socket and without a clock.

The venue reserves nothing for a request on its way: leaving a channel whose answer is still out does nothing, asking
for one that is held is refused, and asking for the same more than twice in a second ends the connection
(dydxprotocol/v4-chain indexer/services/socks/src/lib/subscription.ts). So a channel is left only once it has been
answered or has been silent for long, and is asked for again only once it has been left.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import NamedTuple

from dydx_console.domain.events import ChannelKey
from dydx_console.venue.indexer.limits import FeedLimits
from dydx_console.venue.resilience.delays import Delays

__all__ = ["Request", "Subscriptions", "Verdict", "key_named_in", "verdict_of"]


class Verdict(Enum):
    """What a refused subscription calls for."""

    AGAIN = auto()
    """The venue could not serve it now."""
    LATER = auto()
    """It has no room for it, or does not know it yet."""
    HELD = auto()
    """It believes to serve it already."""
    NEVER = auto()
    """It will not serve it."""


def verdict_of(text: str) -> Verdict:
    """Return what an error message to a subscription means; texts as in socks' src/lib/{subscription,constants}.ts.

    What is none of the venue's own messages is the text of a compliance refusal.
    """
    if text.startswith("Internal error"):
        return Verdict.AGAIN
    if "already subscribed" in text:
        return Verdict.HELD
    if text.startswith(("Invalid subscription id", "Per-connection subscription limit", "Too many", "Invalid id")):
        return Verdict.LATER
    return Verdict.NEVER


def key_named_in(text: str, keys: Iterable[ChannelKey]) -> ChannelKey | None:
    """Return which of the keys an error message without channel and id is about, None where it names none."""
    for key in keys:
        if f"{key.channel}-{key.id or key.channel}" in text or f"reached for {key.channel} " in text:
            return key
    return None


class Request(NamedTuple):
    """A request to send: `kind` is subscribe or unsubscribe."""

    kind: str
    key: ChannelKey


class Status(Enum):
    """Where a subscription stands."""

    IDLE = auto()
    ASKED = auto()
    ANSWERED = auto()
    LEAVING = auto()
    DENIED = auto()


@dataclass(slots=True)
class Subscription:
    """One channel of a connection; `due_at` is when to act on it next, `again` asks to leave and join it anew."""

    key: ChannelKey
    is_wanted: bool = True
    status: Status = Status.IDLE
    due_at: float = -inf
    asked_at: float = -inf
    again: bool = False
    why: str | None = None
    was_refused: bool = False
    put_off: bool = False
    delays: Delays | None = None


class Subscriptions:
    """The channels of one connection.

    Args:
        limits: how long to wait for answers, and between requests.
        rng: spreads the delays.
    """

    def __init__(self, limits: FeedLimits, rng: random.Random) -> None:
        self._limits = limits
        self._rng = rng
        self._held: dict[ChannelKey, Subscription] = {}
        self._asked_at: dict[ChannelKey, float] = {}
        self._dropped: list[ChannelKey] = []

    def want(self, keys: Iterable[ChannelKey]) -> None:
        """Take what is wanted from now on, in the order in which to ask for it."""
        wanted = dict.fromkeys(keys)
        for held in self._held.values():
            held.is_wanted = held.key in wanted
        made = {key: self._held.get(key) or Subscription(key, asked_at=self._asked_at.get(key, -inf)) for key in wanted}
        self._held = made | {key: held for key, held in self._held.items() if key not in made}

    def due(self, at: float) -> list[Request]:
        """Return what is to be sent now, and take it as sent."""
        found = [self._next(held, at) for held in tuple(self._held.values())]
        return [request for request in found if request is not None]

    def take_dropped(self) -> tuple[ChannelKey, ...]:
        """Return, once, which channels ended because nobody wanted them, whether or not the venue said so."""
        dropped, self._dropped = tuple(self._dropped), []
        return dropped

    def next_at(self) -> float:
        """Return when `due` has something next, if nothing arrives until then."""
        return min((self._acts_at(held) for held in self._held.values()), default=inf)

    def answered(self, key: ChannelKey) -> None:
        """Note first contents; those of a channel that nobody wants have it left."""
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = Subscription(key, is_wanted=False)
        if held.status is not Status.LEAVING:
            held.status, held.again, held.why, held.delays = Status.ANSWERED, False, None, None
            held.put_off = False

    def left(self, key: ChannelKey, at: float) -> None:
        """Note that the venue serves a channel no longer."""
        held = self._held.get(key)
        if held is not None and held.status in (Status.LEAVING, Status.ANSWERED):
            wait_s = 0.0 if held.delays is None else held.delays.next_s()
            held.status, held.again, held.due_at = Status.IDLE, False, at + wait_s
            self._drop_unwanted(held)

    def refused(self, key: ChannelKey, text: str, at: float) -> Verdict | None:
        """Note a refusal; returns what it calls for, None where the channel was not asked for."""
        held = self._held.get(key)
        if held is None or held.status is not Status.ASKED:
            return None
        verdict = verdict_of(text)
        held.why, held.was_refused, held.put_off = text, True, verdict is Verdict.LATER
        if verdict is Verdict.NEVER:
            held.status = Status.DENIED
        elif verdict is Verdict.HELD:
            held.status, held.again = Status.ANSWERED, True
        else:
            wait_s = self._limits.longest_retry_s if verdict is Verdict.LATER else self._delays(held).next_s()
            held.status, held.due_at = Status.IDLE, at + wait_s
        self._drop_unwanted(held)
        return verdict

    def renew(self, keys: Iterable[ChannelKey]) -> None:
        """Have channels left and joined anew, for their contents as they are now."""
        for key in keys:
            held = self._held.get(key)
            if held is not None and held.status is Status.ANSWERED:
                held.again = True

    @property
    def is_whole(self) -> bool:
        """Whether every wanted channel has its contents, but for those that are refused for good or for long."""
        return all(_is_settled(held) for held in self._held.values() if held.is_wanted)

    def serves(self, keys: Iterable[ChannelKey]) -> bool:
        """Return whether these channels have their contents, but for those that are refused for good or for long."""
        found = [self._held.get(key) for key in keys]
        return all(held is not None and _is_settled(held) for held in found)

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is out."""
        return any(held.status in (Status.ASKED, Status.LEAVING) for held in self._held.values())

    @property
    def keys(self) -> tuple[ChannelKey, ...]:
        """The channels that are known here, wanted or not."""
        return tuple(self._held)

    @property
    def unwanted(self) -> tuple[ChannelKey, ...]:
        """The channels that are known here although nobody wants them any more."""
        return tuple(held.key for held in self._held.values() if not held.is_wanted)

    @property
    def unserved(self) -> tuple[tuple[ChannelKey, str, bool], ...]:
        """The wanted channels without contents, why, and whether the venue said so; not those that are settled."""
        return tuple(
            (held.key, held.why, held.was_refused)
            for held in self._held.values()
            if held.why is not None and held.is_wanted and not _is_settled(held)
        )

    def _delays(self, held: Subscription) -> Delays:
        if held.delays is None:
            held.delays = Delays(self._rng, self._limits.retry_s, self._limits.longest_retry_s)
        return held.delays

    def _drop_unwanted(self, held: Subscription) -> None:
        if not held.is_wanted and held.status in (Status.IDLE, Status.DENIED):
            self._held.pop(held.key, None)
            self._dropped.append(held.key)
            self._asked_at = {
                key: asked for key, asked in self._asked_at.items() if held.asked_at - asked < self._limits.spacing_s
            }
            self._asked_at[held.key] = held.asked_at

    def _acts_at(self, held: Subscription) -> float:
        if held.status is Status.ANSWERED:
            return -inf if held.again or not held.is_wanted else inf
        if held.status is Status.DENIED:
            return inf
        if held.status is Status.IDLE:
            return max(held.due_at, held.asked_at + self._limits.spacing_s)
        return held.due_at

    def _next(self, held: Subscription, at: float) -> Request | None:
        if held.status is Status.IDLE and not held.is_wanted:
            self._drop_unwanted(held)
            return None
        if self._acts_at(held) > at:
            return None
        if held.status is Status.IDLE:
            held.status, held.asked_at, held.due_at = Status.ASKED, at, at + self._limits.answer_s
            return Request("subscribe", held.key)
        if held.status is Status.ASKED:
            held.why, held.was_refused = f"no answer for {self._limits.answer_s:g} s", False
            self._delays(held)
        held.status, held.due_at = Status.LEAVING, at + self._limits.answer_s
        return Request("unsubscribe", held.key)


def _is_settled(held: Subscription) -> bool:
    """Return whether nothing is to be waited for."""
    return held.put_off or held.status is Status.DENIED or (held.status is Status.ANSWERED and not held.again)

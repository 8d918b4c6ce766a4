"""What may be said of a picture of a given age."""

from collections.abc import Iterable
from enum import StrEnum

__all__ = [
    "BEST_FIRST",
    "DELAYED_S",
    "LIVE_S",
    "STALE_S",
    "PictureState",
    "grown_older",
    "state_by_age",
    "worst_of",
]

LIVE_S = 3.0
DELAYED_S = 10.0
STALE_S = 30.0


class PictureState(StrEnum):
    """What a pane or section may say of its figures."""

    SYNCING = "SYNCING"
    LIVE = "LIVE"
    DELAYED = "DELAYED"
    STALE = "STALE"
    OFFLINE = "OFFLINE"
    SUSPECT = "SUSPECT"
    POLLING = "POLLING"
    CHAIN_HALTED = "CHAIN HALTED"


BEST_FIRST = (
    PictureState.LIVE,
    PictureState.POLLING,
    PictureState.DELAYED,
    PictureState.STALE,
    PictureState.SUSPECT,
    PictureState.SYNCING,
    PictureState.CHAIN_HALTED,
    PictureState.OFFLINE,
)
"""The states from the best to the worst: what rests on several pictures is as bad as the worst of them."""

_BY_AGE = (PictureState.LIVE, PictureState.DELAYED, PictureState.STALE, PictureState.OFFLINE)


def worst_of(states: Iterable[PictureState]) -> PictureState:
    """Return the worst of some states; SYNCING where there is none."""
    return max(states, key=BEST_FIRST.index, default=PictureState.SYNCING)


def state_by_age(age_s: float, live_limit_s: float) -> PictureState:
    """Return what age alone allows to say of a picture."""
    if age_s <= live_limit_s:
        return PictureState.LIVE
    if age_s <= max(DELAYED_S, live_limit_s):
        return PictureState.DELAYED
    return PictureState.STALE if age_s <= STALE_S else PictureState.OFFLINE


def grown_older(
    state: PictureState, age_s: float | None, elapsed_s: float, live_limit_s: float
) -> tuple[PictureState, float | None]:
    """Return state and age `elapsed_s` later if nothing arrived: a picture can only have become older."""
    if age_s is None:
        return state, None
    later_s = age_s + elapsed_s
    if state is PictureState.POLLING and later_s > max(DELAYED_S, live_limit_s):
        return state_by_age(later_s, live_limit_s), later_s
    if state not in _BY_AGE:
        return state, later_s
    return max(state, state_by_age(later_s, live_limit_s), key=_BY_AGE.index), later_s

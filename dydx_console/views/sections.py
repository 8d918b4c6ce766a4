"""How good the figures of each section are, from the channels that they rest on."""

from dataclasses import dataclass

from dydx_console.state.freshness import ChannelView, PictureState
from dydx_console.state.snapshot import Snapshot

__all__ = ["SectionAge", "section_ages"]

_WORST_FIRST = (
    PictureState.OFFLINE,
    PictureState.CHAIN_HALTED,
    PictureState.SYNCING,
    PictureState.SUSPECT,
    PictureState.STALE,
    PictureState.DELAYED,
    PictureState.POLLING,
    PictureState.LIVE,
)
_ACCOUNT = ("v4_parent_subaccounts", "v4_subaccounts")
_BY_CHANNEL = {
    "account": (_ACCOUNT, ("v4_markets",)),
    "balances": (_ACCOUNT,),
    "positions": (_ACCOUNT, ("v4_markets",)),
    "orders": (_ACCOUNT,),
    "fills": (_ACCOUNT,),
    "transfers": (_ACCOUNT,),
    "pnl": (_ACCOUNT, ("v4_markets",)),
    "markets": (("v4_markets",),),
}


@dataclass(frozen=True, slots=True)
class SectionAge:
    """A section's state and the age of its newest block in seconds, None before one is known."""

    state: PictureState
    age_s: float | None


def section_ages(snapshot: Snapshot, elapsed_s: float) -> dict[str, SectionAge]:
    """Return every section's state `elapsed_s` seconds after the snapshot.

    A section that rests on several channels is as bad as the worst of them; one without a subscription is SYNCING.
    """
    views = [view.later(elapsed_s) for view in snapshot.stream.channels]
    return {name: _worst([_best(views, names) for names in groups]) for name, groups in _BY_CHANNEL.items()}


def _best(views: list[ChannelView], channels: tuple[str, ...]) -> SectionAge:
    for channel in channels:
        found = next((view for view in views if view.key.channel == channel), None)
        if found is not None:
            return SectionAge(found.state, found.age_s)
    return SectionAge(PictureState.SYNCING, None)


def _worst(ages: list[SectionAge]) -> SectionAge:
    worst = min(ages, key=lambda age: _WORST_FIRST.index(age.state))
    known = [age.age_s for age in ages if age.age_s is not None]
    return SectionAge(worst.state, max(known, default=None))

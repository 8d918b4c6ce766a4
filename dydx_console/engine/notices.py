"""What the engine has to tell a person, in a trader's words."""

from datetime import datetime
from decimal import Decimal

from dydx_console.domain.enums import FillType
from dydx_console.domain.events import StreamChanged
from dydx_console.domain.fill import Fill, is_forced
from dydx_console.domain.stream import StreamCondition
from dydx_console.ports.notices import Level, Notice

__all__ = ["fill_notice", "stream_notice"]

_FORCED = {
    FillType.LIQUIDATED: "LIQUIDATED",
    FillType.DELEVERAGED: "DELEVERAGED",
    FillType.OFFSETTING: "DELEVERAGED (offsetting)",
}

_GOOD = frozenset({StreamCondition.RESTORED})
_BAD = frozenset(
    {
        StreamCondition.BLOCKED,
        StreamCondition.DENIED,
        StreamCondition.UNTRUSTED,
        StreamCondition.OFFLINE,
        StreamCondition.CHAIN_HALTED,
    }
)


def stream_notice(changed: StreamChanged, at: datetime) -> Notice:
    """Return the notice of what befell the stream; what needs a person stays until it is dismissed."""
    level = Level.INFO if changed.what in _GOOD else Level.ERROR if changed.what in _BAD else Level.WARNING
    return Notice(f"{changed.text.rstrip('.')}.", level, at, stays=level is Level.ERROR)


def fill_notice(fill: Fill, at: datetime) -> Notice:
    """Return the notice of a fill; one that was forced on the account stays until it is dismissed."""
    traded = f"{fill.side} {_shown(fill.size)} {fill.market} @ {_shown(fill.price)}"
    if is_forced(fill):
        word = _FORCED[FillType(fill.type)]
        return Notice(f"{word}: {traded}, subaccount {fill.subaccount}", Level.ERROR, at, rings=True, stays=True)
    return Notice(f"Filled: {traded} ({fill.liquidity.lower()})", Level.INFO, at, rings=True)


def _shown(value: Decimal) -> str:
    return f"{value:,f}"

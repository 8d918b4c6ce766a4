"""What the engine has to tell a person, in a trader's words."""

from datetime import datetime
from decimal import Decimal

from dydx_console.domain.enums import FillType
from dydx_console.domain.fill import Fill, is_forced
from dydx_console.ports.notices import Level, Notice

__all__ = ["fill_notice"]

_FORCED = {
    FillType.LIQUIDATED: "LIQUIDATED",
    FillType.DELEVERAGED: "DELEVERAGED",
    FillType.OFFSETTING: "DELEVERAGED (offsetting)",
}


def fill_notice(fill: Fill, at: datetime) -> Notice:
    """Return the notice of a fill; one that was forced on the account stays until it is dismissed."""
    traded = f"{fill.side} {_shown(fill.size)} {fill.market} @ {_shown(fill.price)}"
    if is_forced(fill):
        word = _FORCED[FillType(fill.type)]
        return Notice(f"{word}: {traded}, subaccount {fill.subaccount}", Level.ERROR, at, rings=True, stays=True)
    return Notice(f"Filled: {traded} ({fill.liquidity.lower()})", Level.INFO, at, rings=True)


def _shown(value: Decimal) -> str:
    return f"{value:,f}"

"""Figures, times and ages as text: exact where the venue is exact, never a sign lost, `—` for what is unknown."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

from dydx_console.domain.numbers import ZERO

__all__ = [
    "DASH",
    "MINUS",
    "age",
    "amount",
    "clock",
    "day",
    "exact",
    "moment",
    "money",
    "near_price",
    "percent",
    "places_of",
    "price",
    "size",
]

DASH = "—"
MINUS = "−"
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)
_SUFFIXES = ((Decimal("1e12"), "T"), (Decimal("1e9"), "B"), (Decimal("1e6"), "M"), (Decimal("1e3"), "K"))
_HUNDRED = Decimal(100)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(maxsize=1024)
def places_of(step: Decimal | None) -> int | None:
    """Return how many decimal places a tick or step size has; None where it is unknown or not positive."""
    if step is None or step <= ZERO:
        return None
    exponent = step.normalize(_WIDE).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else None


def _places(value: Decimal) -> int:
    """Return the decimal places that a value needs to be written in full."""
    exponent = value.normalize(_WIDE).as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _signed(value: Decimal, digits: str, *, plus: bool) -> str:
    if value < ZERO:
        return MINUS + digits
    return f"+{digits}" if plus and value > ZERO else digits


def _fixed(value: Decimal, places: int, *, plus: bool) -> str:
    """Return the value rounded half-even to `places`; what is not zero never reads as zero."""
    rounded = value.quantize(Decimal(1).scaleb(-places), context=_WIDE)
    if not rounded and value:
        return _signed(value, _tiny(abs(value), places), plus=plus)
    return _signed(value, f"{abs(rounded):,f}", plus=plus)


def _tiny(value: Decimal, places: int) -> str:
    """Return a value that `places` would show as zero, with its first digit; as a power of ten beyond six zeros."""
    first = -value.adjusted()
    if first > places + 6:
        return f"{int(value.scaleb(first).to_integral_value(ROUND_HALF_EVEN))}e-{first}"
    return f"{value.quantize(Decimal(1).scaleb(-first), context=_WIDE):f}"


def exact(value: Decimal | None, least_places: int = 0, *, plus: bool = False) -> str:
    """Return every digit of a value with thousands separated, padded with zeros to `least_places`."""
    if value is None:
        return DASH
    places = max(_places(value), least_places)
    return _signed(value, f"{abs(value).quantize(Decimal(1).scaleb(-places), context=_WIDE):,f}", plus=plus)


def money(value: Decimal | None, places: int = 2, *, plus: bool = False) -> str:
    """Return an amount of USDC to the cent; a debt or gain below that keeps its sign and its first digit."""
    return DASH if value is None else _fixed(value, places, plus=plus)


def price(value: Decimal | None, tick: Decimal | None) -> str:
    """Return a price as the venue stated it: all its digits, at least as many as the tick size has."""
    return exact(value, places_of(tick) or 0)


def near_price(value: Decimal | None, tick: Decimal | None) -> str:
    """Return a price that was reckoned (an average, a liquidation price) or that is finer than orders can be.

    It is rounded to one place more than the tick size; where that is unknown, to five significant digits.
    """
    if value is None:
        return DASH
    least = places_of(tick)
    most = min(max(4 - value.adjusted(), 0) if least is None else least + 1, 18)
    rounded = value.quantize(Decimal(1).scaleb(-most), context=_WIDE)
    return _fixed(value, min(max(_places(rounded), least or 0), most), plus=False)


def size(value: Decimal | None, step: Decimal | None, *, plus: bool = False) -> str:
    """Return a size in base units: all its digits, at least as many as the step size has."""
    return exact(value, places_of(step) or 0, plus=plus)


def percent(fraction: Decimal | None, places: int = 2, *, plus: bool = False) -> str:
    """Return a fraction in per cent, rounded, without the unit; a sign stays even where the digits are zeros."""
    if fraction is None:
        return DASH
    rounded = (fraction * _HUNDRED).quantize(Decimal(1).scaleb(-places), context=_WIDE)
    return _signed(fraction, f"{abs(rounded):,f}", plus=plus)


def amount(text: str, value: Decimal | None, width: int) -> str:
    """Return `text`, or where it is wider than `width` the value shortened to a few digits and K, M, B or T.

    The sign and the order of magnitude always stay; only digits behind the leading ones go.
    """
    if len(text) <= width or value is None:
        return text
    for unit, suffix in _SUFFIXES:
        if abs(value) >= unit:
            return _shortened(value, unit, suffix, width, plus=text.startswith("+"))
    room = max(width - 2 - (1 if text[0] in "+" + MINUS else 0), 0)
    return _fixed(value, room, plus=text.startswith("+"))[: max(width, 4)]


def _shortened(value: Decimal, unit: Decimal, suffix: str, width: int, *, plus: bool) -> str:
    shown = ""
    for places in (0, 1, 2, 3):
        longer = _fixed(_WIDE.divide(value, unit), places, plus=plus) + suffix
        if shown and len(longer) > width:
            break
        shown = longer
    return shown


def age(seconds: float | None) -> str:
    """Return an age in words that fit a pane's title."""
    if seconds is None:
        return DASH
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def clock(at: datetime | None) -> str:
    """Return the time of day in UTC."""
    return DASH if at is None else f"{at.hour:02}:{at.minute:02}:{at.second:02}"


def day(at: datetime | None) -> str:
    """Return the date in UTC without its year."""
    return DASH if at is None else f"{at.day:02} {_MONTHS[at.month - 1]}"


def moment(at: datetime | None, now: datetime | None) -> str:
    """Return the time of day, or the date where that is another day than `now`'s."""
    if at is None or now is None or at.date() == now.date():
        return clock(at)
    return day(at)

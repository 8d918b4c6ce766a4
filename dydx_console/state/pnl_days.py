"""PNL by day and over ranges of days, in a given time zone, from bookings and funding payments.

A day goes from midnight to midnight of the zone, so it has 23 or 25 hours where clocks change. What a day realized,
paid and received is certain; what its open positions gained is the change of the net PNL between two marks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dydx_console.domain.flows import FundingPayment, Reward
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import ZERO
from dydx_console.state.accounting import SUMS, Booking

__all__ = [
    "DayBook",
    "DayPnl",
    "NetMark",
    "Span",
    "SpanPnl",
    "ZoneError",
    "day_of",
    "day_start",
    "first_day",
    "zone_of",
]


class ZoneError(ValueError):
    """A text that names no time zone; the message says so."""


class Span(StrEnum):
    """A range of days that ends today."""

    TODAY = "TODAY"
    WEEK = "WEEK"
    """Today and the six days before it."""
    MONTH = "MONTH"
    """Today and the 29 days before it."""
    ALL = "ALL"


_EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
_LATEST = datetime(9998, 12, 31, tzinfo=UTC)
"""Times beyond these, which only a hostile answer states, have no days around them in every zone."""
_DAYS = {Span.TODAY: 1, Span.WEEK: 7, Span.MONTH: 30}


@dataclass(frozen=True, slots=True)
class DayPnl:
    """What a day brought, in one subaccount and market or, where `key` is None, in all.

    `realized` is price PNL alone, None where the cost of a closing is not known; `fees` positive when paid, `funding`
    positive when received, `volume` Σ price × size, all in USDC. `booked` = realized − fees + funding.
    """

    day: date
    key: PositionKey | None
    realized: Decimal | None
    fees: Decimal
    funding: Decimal
    volume: Decimal
    fills: int

    @property
    def booked(self) -> Decimal | None:
        """What is booked for good, None where a part is not known."""
        with localcontext(SUMS):
            return None if self.realized is None else self.realized - self.fees + self.funding


@dataclass(frozen=True, slots=True)
class NetMark:
    """The account's net PNL (unrealized included) since its figures hold, as it stood at a moment."""

    at: datetime
    net: Decimal


@dataclass(frozen=True, slots=True)
class SpanPnl:
    """PNL over a range of days, in USDC.

    `start` is the first moment of it, None for all that is known. net = realized + unrealized − fees + funding, where
    `unrealized` is how much the open positions' unrealized PNL changed; these two are None where no mark of the net
    PNL is known from when the range began (`marked_at` is when the mark that counts was taken).
    """

    span: Span
    start: datetime | None
    realized: Decimal | None
    unrealized: Decimal | None
    fees: Decimal
    funding: Decimal
    net: Decimal | None
    marked_at: datetime | None
    by_market: tuple[DayPnl, ...]


def zone_of(name: str) -> tzinfo:
    """Return the time zone of an IANA name such as Europe/Zurich. Raises ZoneError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ZoneError(f"there is no time zone {name[:60]!r}; names are like UTC or Europe/Zurich") from None


def day_of(at: datetime, zone: tzinfo) -> date:
    """Return the day of a moment in a zone."""
    return min(max(at, _EARLIEST), _LATEST).astimezone(zone).date()


def day_start(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a day in a zone, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def first_day(span: Span, today: date) -> date | None:
    """Return the first day of a range that ends `today`, None for all."""
    days = _DAYS.get(span)
    return None if days is None else today - timedelta(days=days - 1)


@dataclass(slots=True)
class Sums:
    """What one day brought in one subaccount and market, while it is being added up."""

    realized: Decimal | None = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    volume: Decimal = ZERO
    fills: int = 0

    def add(self, other: "Sums") -> None:
        """Add another's figures; unknown stays unknown."""
        known = self.realized is not None and other.realized is not None
        self.realized = self.realized + other.realized if known else None  # type: ignore[operator]
        self.fees += other.fees
        self.funding += other.funding
        self.volume += other.volume
        self.fills += other.fills

    def told(self, day: date, key: PositionKey | None) -> DayPnl:
        """Return the figures as they stand."""
        return DayPnl(day, key, self.realized, self.fees, self.funding, self.volume, self.fills)


class Bounds(NamedTuple):
    """A day with its first moment and that of the next: most rows fall into the one that was looked up last."""

    day: date
    start: datetime
    end: datetime


@dataclass(slots=True)
class DayBook:
    """Adds bookings, funding payments and rewards up by day of `zone`; each is given once, in any order.

    It holds one row per day, subaccount and market, however many fills there were.
    """

    zone: tzinfo
    _sums: dict[date, dict[PositionKey, Sums]] = field(default_factory=dict)
    _rewards: dict[date, Decimal] = field(default_factory=dict)
    _bounds: Bounds | None = None

    def take(self, booking: Booking) -> None:
        """Add what a fill did."""
        fill = booking.fill
        with localcontext(SUMS):
            sums = self._of(fill.created_at, PositionKey(fill.subaccount, fill.market))
            known = sums.realized is not None and booking.closed_pnl is not None
            sums.realized = sums.realized + booking.closed_pnl if known else None  # type: ignore[operator]
            sums.fees += fill.paid
            sums.volume += fill.price * fill.size
            sums.fills += 1

    def pay(self, payment: FundingPayment) -> None:
        """Add a funding payment."""
        with localcontext(SUMS):
            self._of(payment.created_at, PositionKey(payment.subaccount, payment.market)).funding += payment.payment

    def reward(self, reward: Reward) -> None:
        """Add a trading reward; it is in the chain's token and in no PNL."""
        with localcontext(SUMS):
            day = self._day(reward.created_at)
            self._rewards[day] = self._rewards.get(day, ZERO) + reward.amount

    def days(self, first: date | None = None, last: date | None = None) -> tuple[DayPnl, ...]:
        """Return the whole account day by day, oldest first; days on which nothing happened are left out."""
        return tuple(self._sum((day,)).told(day, None) for day in self._within(first, last))

    def by_market(self, first: date | None = None, last: date | None = None) -> tuple[DayPnl, ...]:
        """Return each day's subaccounts and markets, oldest day first."""
        rows = ((day, key) for day in self._within(first, last) for key in sorted(self._sums[day]))
        return tuple(self._sums[day][key].told(day, key) for day, key in rows)

    def rewards(self, first: date | None = None, last: date | None = None) -> Decimal:
        """Return the trading rewards of a range of days, in the chain's token."""
        with localcontext(SUMS):
            held = (amount for day, amount in self._rewards.items() if _holds(day, first, last))
            return sum(held, start=ZERO)

    def span(self, span: Span, now: datetime, net: Decimal | None, marks: Sequence[NetMark] = ()) -> SpanPnl:
        """Return the PNL of a range that ends `now`, when the account's net PNL is `net` (None where unknown).

        `marks` are earlier standings of the net PNL, oldest first. The one that counts is the last before the range
        began; where nothing had been booked until then the standing was zero.
        """
        today = day_of(now, self.zone)
        first = first_day(span, today)
        with localcontext(SUMS):
            rows = self._totals(first, today)
            every = Sums()
            for sums in rows.values():
                every.add(sums)
            before, marked_at = self._standing(first, marks)
            gained = None if net is None or before is None else net - before
            booked = None if every.realized is None else every.realized - every.fees + every.funding
            return SpanPnl(
                span=span,
                start=None if first is None else day_start(first, self.zone),
                realized=every.realized,
                unrealized=None if gained is None or booked is None else gained - booked,
                fees=every.fees,
                funding=every.funding,
                net=gained,
                marked_at=marked_at,
                by_market=tuple(rows[key].told(first or today, key) for key in sorted(rows)),
            )

    def _standing(self, first: date | None, marks: Sequence[NetMark]) -> tuple[Decimal | None, datetime | None]:
        """Return the net PNL when the range began, None where it is not known, and when it was marked."""
        begun = min(self._sums, default=None)
        if first is None or begun is None or begun >= first:
            return ZERO, None
        start = day_start(first, self.zone)
        mark = max((mark for mark in marks if mark.at <= start), key=lambda mark: mark.at, default=None)
        return (None, None) if mark is None else (mark.net, mark.at)

    def _totals(self, first: date | None, last: date) -> dict[PositionKey, Sums]:
        rows: dict[PositionKey, Sums] = {}
        for day in self._within(first, last):
            for key, sums in self._sums[day].items():
                rows.setdefault(key, Sums()).add(sums)
        return rows

    def _sum(self, days: Iterable[date]) -> Sums:
        every = Sums()
        with localcontext(SUMS):
            for day in days:
                for sums in self._sums[day].values():
                    every.add(sums)
        return every

    def _within(self, first: date | None, last: date | None) -> list[date]:
        return sorted(day for day in self._sums if _holds(day, first, last))

    def _of(self, at: datetime, key: PositionKey) -> Sums:
        return self._sums.setdefault(self._day(at), {}).setdefault(key, Sums())

    def _day(self, at: datetime) -> date:
        bounds = self._bounds
        if bounds is None or not bounds.start <= at < bounds.end:
            day = day_of(at, self.zone)
            end = day_start(day + timedelta(days=1), self.zone)
            bounds = self._bounds = Bounds(day, day_start(day, self.zone), end)
        return bounds.day


def _holds(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)

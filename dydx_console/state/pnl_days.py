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

from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import ZERO
from dydx_console.state.accounting import SUMS, Booking

__all__ = [
    "Booked",
    "DayBook",
    "DayPnl",
    "NetMark",
    "Span",
    "SpanPnl",
    "Sums",
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
    """What one day brought in one subaccount and market, while it is being added up.

    `unknown` counts fills that closed what nobody knows the cost of; they are not in `realized`.
    """

    realized: Decimal = ZERO
    unknown: int = 0
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    volume: Decimal = ZERO
    fills: int = 0
    payments: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not self.fills and not self.payments

    def add(self, other: "Sums") -> None:
        """Add another's figures."""
        self.realized += other.realized
        self.unknown += other.unknown
        self.fees += other.fees
        self.funding += other.funding
        self.volume += other.volume
        self.fills += other.fills
        self.payments += other.payments

    def remove(self, other: "Sums") -> None:
        """Take figures away that were added before."""
        self.realized -= other.realized
        self.unknown -= other.unknown
        self.fees -= other.fees
        self.funding -= other.funding
        self.volume -= other.volume
        self.fills -= other.fills
        self.payments -= other.payments

    def take(self, fill: Fill, closed_pnl: Decimal | None) -> None:
        """Add what a fill did."""
        if closed_pnl is None:
            self.unknown += 1
        elif closed_pnl:
            self.realized += closed_pnl
        self.fees += fill.paid
        self.volume += fill.price * fill.size
        self.fills += 1

    def told(self, day: date, key: PositionKey | None) -> DayPnl:
        """Return the figures as they stand."""
        realized = None if self.unknown else self.realized
        return DayPnl(day, key, realized, self.fees, self.funding, self.volume, self.fills)


class Booked(NamedTuple):
    """What was booked in a range: by subaccount and market and in all; the range's first and last day, and whether
    nothing had been booked before it.
    """

    first: date | None
    today: date
    rows: dict[PositionKey, Sums]
    every: Sums
    is_first: bool


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
        with localcontext(SUMS):
            self.add(booking.fill, booking.closed_pnl)

    def add(self, fill: Fill, closed_pnl: Decimal | None) -> None:
        """Add what a fill did, for a caller that reckons with `SUMS` itself."""
        self._of(fill.created_at, PositionKey(fill.subaccount, fill.market)).take(fill, closed_pnl)

    def absorb(self, other: "DayBook") -> None:
        """Add everything of another book of the same zone, rewards aside."""
        with localcontext(SUMS):
            for day, rows in other._sums.items():
                mine = self._sums.setdefault(day, {})
                for key, sums in rows.items():
                    mine.setdefault(key, Sums()).add(sums)

    def release(self, other: "DayBook") -> None:
        """Take everything of another book away, which was added before, rewards aside."""
        with localcontext(SUMS):
            for day, rows in other._sums.items():
                mine = self._sums[day]
                for key, sums in rows.items():
                    mine[key].remove(sums)
                    if mine[key].is_empty:
                        del mine[key]
                if not mine:
                    del self._sums[day]

    @property
    def rows(self) -> tuple[tuple[date, PositionKey, Sums], ...]:
        """Every day, subaccount and market with its sums, oldest day first."""
        return tuple((day, key, self._sums[day][key]) for day in sorted(self._sums) for key in sorted(self._sums[day]))

    def put(self, day: date, key: PositionKey, sums: Sums) -> None:
        """Add the sums of a day, subaccount and market, as `rows` told them."""
        with localcontext(SUMS):
            self._sums.setdefault(day, {}).setdefault(key, Sums()).add(sums)

    def pay(self, payment: FundingPayment) -> None:
        """Add a funding payment."""
        with localcontext(SUMS):
            sums = self._of(payment.created_at, PositionKey(payment.subaccount, payment.market))
            sums.funding += payment.payment
            sums.payments += 1

    def amend(self, payment: FundingPayment, now: FundingPayment) -> None:
        """Replace a funding payment that was added before."""
        with localcontext(SUMS):
            sums = self._of(payment.created_at, PositionKey(payment.subaccount, payment.market))
            sums.funding -= payment.payment
            sums.payments -= 1
        self.pay(now)

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
        return self.worth(span, self.booked(span, now), net, marks)

    def booked(self, span: Span, now: datetime) -> Booked:
        """Return what was booked in a range that ends `now`: the part of `span` that prices leave alone."""
        today = day_of(now, self.zone)
        first = first_day(span, today)
        with localcontext(SUMS):
            rows = self._totals(first, today)
            every = Sums()
            for sums in rows.values():
                every.add(sums)
        begun = min(self._sums, default=None)
        return Booked(first, today, rows, every, first is None or begun is None or begun >= first)

    def worth(self, span: Span, booked: Booked, net: Decimal | None, marks: Sequence[NetMark]) -> SpanPnl:
        """Return the PNL of a range of which is known what was booked in it."""
        first, today, rows, every, _ = booked
        start = None if first is None else day_start(first, self.zone)
        with localcontext(SUMS):
            before, marked_at = (ZERO, None) if booked.is_first else _standing(start, marks)
            gained = None if net is None or before is None else net - before
            realized = None if every.unknown else every.realized
            settled = None if realized is None else realized - every.fees + every.funding
            return SpanPnl(
                span=span,
                start=start,
                realized=realized,
                unrealized=None if gained is None or settled is None else gained - settled,
                fees=every.fees,
                funding=every.funding,
                net=gained,
                marked_at=marked_at,
                by_market=tuple(rows[key].told(first or today, key) for key in sorted(rows)),
            )

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


def _standing(start: datetime | None, marks: Sequence[NetMark]) -> tuple[Decimal | None, datetime | None]:
    """Return the net PNL when a range began, None where it is not known, and when it was marked."""
    earlier = (mark for mark in marks if start is not None and mark.at <= start)
    mark = max(earlier, key=lambda mark: mark.at, default=None)
    return (None, None) if mark is None else (mark.net, mark.at)

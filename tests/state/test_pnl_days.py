"""PNL by day and over ranges of days: every fill on its day of the zone, and ranges add up."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from builders import fill
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Reward
from dydx_console.domain.ids import PositionKey
from dydx_console.state.accounting import SUMS, Anchor, bookings
from dydx_console.state.pnl_days import DayBook, NetMark, Span, ZoneError, day_of, day_start, first_day, zone_of

D = Decimal
KEY = PositionKey(0, "BTC-USD")
ZURICH = zone_of("Europe/Zurich")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def at(fill_id: str, when: str, side: str, size: str, price: str, **given_: object) -> Fill:
    return fill(fill_id, side, size, price, int(moment(when).timestamp()), created_at=moment(when), **given_)


def payment(when: str, amount: str, market: str = "BTC-USD") -> FundingPayment:
    return FundingPayment(0, market, D(amount), D(0), D(1), D(100), moment(when), 1)


WEEK = (
    at("a", "2026-03-01T10:00", "BUY", "2", "100", fee=D("0.2")),
    at("b", "2026-03-09T22:30", "SELL", "1", "110", fee=D("0.1")),
    at("c", "2026-03-09T23:30", "SELL", "1", "120", fee=D("0.1")),
    at("d", "2026-03-10T09:00", "BUY", "3", "100", fee=D("0.3")),
)
NOW = moment("2026-03-10T12:00")


def day_book(zone: object = ZURICH) -> DayBook:
    book = DayBook(zone)  # type: ignore[arg-type]
    for booking in bookings(WEEK):
        book.take(booking)
    book.pay(payment("2026-03-09T20:00", "-0.5"))
    book.pay(payment("2026-03-10T08:00", "0.25", "ETH-USD"))
    return book


def test_a_fill_counts_on_its_day_of_the_zone() -> None:
    """23:30 UTC is half past midnight of the next day in Zurich."""
    days = {row.day.isoformat(): (row.realized, row.fees, row.funding, row.fills) for row in day_book().days()}
    assert days == {
        "2026-03-01": (D(0), D("0.2"), D(0), 1),
        "2026-03-09": (D(10), D("0.1"), D("-0.5"), 1),
        "2026-03-10": (D(20), D("0.4"), D("0.25"), 2),
    }
    utc = {row.day.isoformat(): row.booked for row in day_book(UTC).days()}
    assert utc == {"2026-03-01": D("-0.2"), "2026-03-09": D("29.3"), "2026-03-10": D("-0.05")}


def test_markets_stand_apart_and_add_up_to_the_day() -> None:
    book = day_book()
    rows = book.by_market(date(2026, 3, 10), date(2026, 3, 10))
    assert [(row.key, row.realized, row.funding, row.volume) for row in rows] == [
        (KEY, D(20), D(0), D(420)),
        (PositionKey(0, "ETH-USD"), D(0), D("0.25"), D(0)),
    ]


@pytest.mark.parametrize(
    ("span", "start", "realized", "fees", "funding"),
    [
        (Span.TODAY, "2026-03-09T23:00", "20", "0.4", "0.25"),
        (Span.WEEK, "2026-03-03T23:00", "30", "0.5", "-0.25"),
        (Span.MONTH, "2026-02-08T23:00", "30", "0.7", "-0.25"),
        (Span.ALL, None, "30", "0.7", "-0.25"),
    ],
)
def test_a_range_ends_today(span: Span, start: str | None, realized: str, fees: str, funding: str) -> None:
    told = day_book().span(span, NOW, None)
    assert told.start == (None if start is None else moment(start))
    assert (told.realized, told.fees, told.funding) == (D(realized), D(fees), D(funding))
    assert (told.net, told.unrealized) == (None, None)


def test_what_open_positions_gained_is_the_change_of_the_net_since_the_mark() -> None:
    marks = [NetMark(moment("2026-03-02T00:00"), D(4)), NetMark(moment("2026-03-09T22:59"), D(7)), NetMark(NOW, D(1))]
    today = day_book().span(Span.TODAY, NOW, D(40), marks)
    assert (today.net, today.unrealized, today.marked_at) == (D(33), D("13.15"), marks[1].at)
    week = day_book().span(Span.WEEK, NOW, D(40), marks)
    assert (week.net, week.marked_at) == (D(36), marks[0].at)
    assert day_book().span(Span.WEEK, NOW, D(40), marks[1:]).net is None


def test_where_nothing_had_been_booked_before_the_range_its_net_is_all_of_it() -> None:
    for span in (Span.MONTH, Span.ALL):
        told = day_book().span(span, NOW, D(40))
        assert (told.net, told.unrealized, told.marked_at) == (D(40), D("10.95"), None)
    assert DayBook(UTC).span(Span.TODAY, NOW, D(0)).net == 0


def test_a_closing_whose_cost_is_not_known_leaves_its_days_unknown() -> None:
    book = DayBook(UTC)
    for booking in bookings(WEEK[1:3], Anchor(D(0), None, None)):
        book.take(booking)
    (day,) = book.days()
    assert (day.realized, day.booked, day.fees) == (None, None, D("0.2"))
    assert book.span(Span.ALL, NOW, D(5)).unrealized is None


def test_rewards_are_apart() -> None:
    book = day_book()
    for when, amount in (("2026-03-01T10:00", "1.5"), ("2026-03-10T10:00", "2")):
        book.reward(Reward(D(amount), moment(when), 1))
    assert (book.rewards(), book.rewards(date(2026, 3, 2)), book.rewards(None, date(2026, 3, 1))) == (
        D("3.5"),
        D(2),
        D("1.5"),
    )
    assert book.span(Span.ALL, NOW, None).realized == D(30)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_has_as_many_hours_as_the_clocks_give_it(day: str, hours: int) -> None:
    first = date.fromisoformat(day)
    assert day_start(first + timedelta(days=1), ZURICH) - day_start(first, ZURICH) == timedelta(hours=hours)
    assert day_of(day_start(first, ZURICH), ZURICH) == first
    assert day_of(day_start(first, ZURICH) - timedelta(microseconds=1), ZURICH) == first - timedelta(days=1)


@pytest.mark.parametrize("name", ["", "Nowhere/At_All", "../../etc/passwd", "/etc/localtime", "a\0b", "x" * 500])
def test_a_name_of_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ZoneError, match="there is no time zone"):
        zone_of(name)


def test_times_at_the_ends_of_the_calendar_have_a_day() -> None:
    book = DayBook(timezone(timedelta(hours=14)))
    for edge in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        book.pay(FundingPayment(0, "BTC-USD", D(1), D(0), D(1), D(1), edge, 1))
    assert [row.funding for row in book.days()] == [D(1), D(1)]
    assert first_day(Span.WEEK, date(2026, 3, 10)) == date(2026, 3, 4)


trades = st.lists(
    st.tuples(
        st.integers(0, 40 * 24),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 40),
        st.integers(90, 110),
        st.integers(-9, 9).map(lambda n: D(n).scaleb(-2)),
    ),
    max_size=30,
)


@given(trades, st.integers(-12, 14), st.randoms(use_true_random=False))
def test_days_add_up_whatever_the_zone_and_the_order_of_giving(
    made: list[tuple[int, str, int, int, Decimal]], offset: int, rng: object
) -> None:
    start = moment("2026-03-01T00:00")
    rows = [
        fill(f"{n:03}", side, str(size), str(price), n + 1, fee=fee, created_at=start + timedelta(hours=hour))
        for n, (hour, side, size, price, fee) in enumerate(sorted(made))
    ]
    done = list(bookings(rows))
    book = DayBook(timezone(timedelta(hours=offset)))
    for booking in rng.sample(done, len(done)):  # type: ignore[attr-defined]
        book.take(booking)
    every = book.span(Span.ALL, start + timedelta(days=60), None)
    assert sum(Fraction(row.realized or 0) for row in book.days()) == sum(Fraction(b.closed_pnl or 0) for b in done)
    assert every.fees == sum((row.fee for row in rows), start=D(0))
    with localcontext(SUMS):
        assert every.realized == sum((row.realized or D(0) for row in book.days()), start=D(0))
    assert sum(row.fills for row in book.days()) == len(rows)

"""Ours against the Indexer's: known reasons are named, what they do not account for is an alarm."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from builders import ADDRESS, at_height, child, fill, position
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.events import AccountRead, FillsRead, FundingRead, TransfersRead
from dydx_console.domain.fill import Fill
from dydx_console.domain.flows import FundingPayment, Transfer
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.venue_pnl import (
    HistoricalPnlRead,
    PnlRead,
    TradeHistoryRead,
    VenuePnl,
    VenueTick,
    VenueTrade,
)
from dydx_console.state.accounting import bookings
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.fills import Fills
from dydx_console.state.ledgers import Ledgers
from dydx_console.state.reconcile import (
    Difference,
    Scope,
    Source,
    Why,
    pnl_differences,
    position_differences,
    tick_differences,
    trade_differences,
)
from dydx_console.state.venue_books import TradeLine, by_order, by_order_and_block, trade_lines, venue_rows

D = Decimal
KEY = PositionKey(0, "BTC-USD")
SCOPE = Scope(ADDRESS, 0, None)
WHOLE = (
    fill("a", "BUY", "2", "100", 1, fee=D("0.1"), order_id="o1"),
    fill("b", "SELL", "1", "110", 2, fee=D("0.1"), order_id="o2"),
    fill("c", "BUY", "1", "120", 3, fee=D("0.1"), order_id="o3"),
)
FLIPPED = (
    fill("a", "BUY", "2", "100", 1, fee=D("0.1"), order_id="o1"),
    fill("b", "SELL", "5", "110", 2, fee=D("0.5"), order_id="o2"),
)
FORCED = (*WHOLE, fill("d", "SELL", "1", "90", 4, fee=D("0.3"), type="LIQUIDATED", order_id=None))


def compared(fills: tuple[Fill, ...], **stated: Any) -> list[Difference]:
    """Return the differences of a position row that the Indexer states as the fills have it but for `stated`."""
    known = Fills()
    known.take(fills)
    ledger = Ledgers(known).of(KEY)
    row = venue_rows(bookings(fills))[-1]
    given = {"entry_price": row.entry_price, "venue_realized_pnl": row.realized, **stated}
    return position_differences(position(str(ledger.net_size), **given), ledger, list(bookings(fills)))


def told(found: list[Difference], what: str) -> Difference:
    return next(difference for difference in found if difference.what == what)


def test_a_position_that_was_only_opened_differs_by_its_fees() -> None:
    (realized,) = compared(WHOLE[:1])
    assert (realized.source, realized.what, realized.why) == (Source.POSITIONS, "realized", (Why.FEES,))
    assert (realized.ours, realized.venue, realized.is_alarm) == (D(0), D("-0.1"), False)
    assert realized.text == "the Indexer's figure and ours count fees differently"


@pytest.mark.parametrize(
    ("fills", "entry", "realized"),
    [
        (WHOLE, (Why.AVERAGE,), (Why.FEES, Why.AVERAGE)),
        (FLIPPED, (), (Why.FEES, Why.FLIP, Why.INHERITED, Why.AVERAGE)),
        (FORCED, (Why.AVERAGE,), (Why.FEES, Why.FORCED, Why.AVERAGE)),
    ],
)
def test_the_known_oddities_are_named(
    fills: tuple[Fill, ...], entry: tuple[Why, ...], realized: tuple[Why, ...]
) -> None:
    found = compared(fills)
    assert [difference.is_alarm for difference in found] == [False] * len(found)
    assert told(found, "realized").why == realized
    assert [difference.why for difference in found if difference.what == "entry_price"] == ([entry] if entry else [])


def test_the_streams_figure_differs_by_funding() -> None:
    row = venue_rows(bookings(WHOLE))[-1]
    found = compared(WHOLE, venue_realized_pnl=row.closed_gain + 7, net_funding=D(7))
    assert told(found, "realized").why == (Why.FUNDING, Why.AVERAGE)
    assert not told(found, "realized").is_alarm


def test_a_row_older_than_the_field_has_no_realized_pnl() -> None:
    old = {"venue_realized_pnl": D(0), "opened_at": datetime(2025, 10, 1, tzinfo=UTC)}
    assert told(compared(WHOLE, **old), "realized").why == (Why.NOT_KEPT,)
    new = {**old, "opened_at": datetime(2025, 11, 1, tzinfo=UTC)}
    assert told(compared(WHOLE, **new), "realized").is_alarm


@pytest.mark.parametrize(
    ("what", "stated"), [("entry_price", {"entry_price": D(99)}), ("realized", {"venue_realized_pnl": D(99)})]
)
def test_what_no_reason_accounts_for_is_an_alarm(what: str, stated: dict[str, Decimal]) -> None:
    found = told(compared(WHOLE, **stated), what)
    assert found.is_alarm
    assert found.why == ()
    assert found.unexplained
    assert found.text.startswith("unexplained")


def test_another_size_is_an_alarm_unless_fills_are_missing() -> None:
    known = Fills()
    known.take(WHOLE)
    ledger = Ledgers(known).of(KEY)
    (alarm,) = position_differences(position("5"), ledger, list(bookings(WHOLE)))
    assert (alarm.what, alarm.unexplained, alarm.ours, alarm.venue) == ("net_size", D(3), D(2), D(5))
    (missing,) = position_differences(position("5"), replace(ledger, is_complete=False), list(bookings(WHOLE)))
    assert (missing.why, missing.is_alarm) == ((Why.HISTORY,), False)
    assert position_differences(position("2"), replace(ledger, is_complete=False), list(bookings(WHOLE))) == []


# trade history


def trade(line: TradeLine, **given: Any) -> VenueTrade:
    fields: dict[str, Any] = {
        "id": line.id,
        "subaccount": 0,
        "market": "BTC-USD",
        "action": line.action,
        "side": "BUY" if line.added_size > 0 else "SELL",
        "position_side": None,
        "price": line.price,
        "entry_price": line.entry_price,
        "prev_size": line.prev_size,
        "added_size": line.added_size,
        "value": abs(line.added_size) * line.price,
        "net_fee": line.net_fee,
        "net_realized": line.net_realized,
        "net_realized_fraction": None,
        "at": at_height(1),
        "order_id": None,
        "order_type": None,
    }
    return VenueTrade(**{**fields, **given})


def history(fills: tuple[Fill, ...], name_of: Callable[[Fill], str] = by_order_and_block) -> list[VenueTrade]:
    return [trade(line) for line in trade_lines(fills, name_of)]


def lives_of(fills: tuple[Fill, ...]) -> Any:
    known = Fills()
    known.take(fills)
    return Ledgers(known).lives(KEY)


@pytest.mark.parametrize("name_of", [by_order, by_order_and_block])
@pytest.mark.parametrize("fills", [WHOLE, FLIPPED, FORCED])
def test_a_trade_history_like_our_lives_has_no_difference(
    fills: tuple[Fill, ...], name_of: Callable[[Fill], str]
) -> None:
    assert trade_differences(history(fills, name_of), list(bookings(fills)), lives_of(fills)) == []


def test_builder_fees_are_not_in_the_trade_history() -> None:
    fills = (replace(WHOLE[0], builder_fee=D("0.02")), *WHOLE[1:])
    (fees,) = trade_differences(history(fills), list(bookings(fills)), lives_of(fills))
    assert (fees.what, fees.why, fees.ours, fees.venue) == ("fees", (Why.BUILDER_FEES,), D("0.32"), D("0.3"))


def test_fills_of_one_order_are_one_trade_at_their_average_price() -> None:
    fills = (
        fill("a", "BUY", "1", "100", 1, order_id="o1"),
        fill("b", "SELL", "1", "110", 2, order_id="o2"),
        fill("c", "SELL", "1", "120", 2, order_id="o2"),
        fill("d", "BUY", "1", "120", 3, order_id="o3"),
    )
    first, second = trade_differences(history(fills), list(bookings(fills)), lives_of(fills))
    assert (first.what, first.why, first.ours, first.venue) == ("realized", (Why.GROUPED,), D(10), D(15))
    assert (second.what, second.why, second.ours, second.venue) == ("realized", (Why.GROUPED,), D(0), D(-5))


def test_an_order_that_was_filled_in_many_blocks_hides_lives() -> None:
    fills = (
        fill("a", "BUY", "1", "100", 1, order_id="o1"),
        fill("b", "SELL", "1", "110", 2, order_id="o2"),
        fill("c", "BUY", "1", "120", 3, order_id="o1"),
        fill("d", "SELL", "1", "140", 4, order_id="o3"),
    )
    found = trade_differences(history(fills, by_order), list(bookings(fills)), lives_of(fills))
    assert [difference.is_alarm for difference in found] == [False] * len(found)


@pytest.mark.parametrize("name", ["price", "net_fee", "net_realized", "prev_size", "added_size", "entry_price"])
def test_a_row_that_the_fills_do_not_give_is_an_alarm(name: str) -> None:
    rows = history(WHOLE)
    wrong = replace(rows[1], **{name: D(77)})
    (alarm,) = trade_differences([rows[0], wrong, rows[2]], list(bookings(WHOLE)), lives_of(WHOLE))
    assert (alarm.what, alarm.is_alarm, alarm.venue) == ("row", True, wrong.net_realized)


def test_a_row_of_an_unknown_order_is_an_alarm_and_a_later_one_has_to_wait() -> None:
    strange = replace(history(WHOLE)[0], id="somebody else's")
    (alarm,) = trade_differences([strange], list(bookings(WHOLE)), lives_of(WHOLE))
    assert (alarm.ours, alarm.is_alarm) == (None, True)
    late = replace(strange, at=at_height(99))
    assert trade_differences([late], list(bookings(WHOLE)), lives_of(WHOLE)) == []


def test_a_history_whose_beginning_is_not_known_is_not_compared() -> None:
    done = list(bookings(WHOLE[1:]))
    known = [replace(booking, closed=booking.fill.size, opened=D(0)) for booking in done]
    (told_,) = trade_differences(history(WHOLE), known, ())
    assert (told_.why, told_.is_alarm) == ((Why.HISTORY,), False)


# PNL over time


def payment(height: int, size: str, price: str, amount: str = "0") -> FundingPayment:
    return FundingPayment(0, "BTC-USD", D(amount), D(0), D(size), D(price), at_height(height), height)


def point(height: int, total: str) -> VenuePnl:
    return VenuePnl(D(total), D(0), D(total), at_height(height), height)


SPAN = (payment(1, "2", "100"), payment(3, "2", "130", "-0.5"))
"""From block 1 to 3: −0.5 funding, one sold at 110 and one bought at 120, 0.2 of fees, and 2 × 30 of value."""


@pytest.mark.parametrize(
    ("total", "why", "is_alarm"),
    [
        ("49.3", None, False),
        ("49.5", (Why.FEES,), False),
        ("49.3000019", None, False),
        ("48", (), True),
    ],
)
def test_a_span_of_pnl(total: str, why: tuple[Why, ...] | None, is_alarm: bool) -> None:
    found = pnl_differences(SCOPE, [point(3, total), point(1, "0")], WHOLE, SPAN)
    assert [(d.why, d.is_alarm, d.ours) for d in found] == ([] if why is None else [(why, is_alarm, D("49.3"))])


@pytest.mark.parametrize(("total", "why"), [("49.3", (Why.BUILDER_FEES,)), ("49.5", (Why.FEES, Why.BUILDER_FEES))])
def test_builder_fees_are_not_in_the_pnl(total: str, why: tuple[Why, ...]) -> None:
    fills = (*WHOLE[:2], replace(WHOLE[2], builder_fee=D("0.02")))
    (found,) = pnl_differences(SCOPE, [point(1, "0"), point(3, total)], fills, SPAN)
    assert (found.why, found.ours) == (why, D("49.28"))


@pytest.mark.parametrize("payments", [SPAN[:1], (SPAN[0], payment(3, "1", "130")), ()])
def test_a_span_whose_value_is_not_known_is_not_compared(payments: tuple[FundingPayment, ...]) -> None:
    assert pnl_differences(SCOPE, [point(1, "0"), point(3, "999")], WHOLE, payments) == []


def test_other_parents_are_nobodys_business() -> None:
    others = tuple(replace(row, subaccount=1) for row in WHOLE)
    assert pnl_differences(SCOPE, [point(1, "0"), point(3, "0")], others, ()) == []


def transfer(amount: str, height: int, *, out: bool = False, asset: str = "USDC", to: int = 0) -> Transfer:
    ends = (ADDRESS, 0, "bank", None) if out else ("bank", None, ADDRESS, to)
    return Transfer(None, "DEPOSIT", D(amount), asset, *ends, at_height(height), height, f"hash {height}")


def tick(height: int, equity: str, total: str) -> VenueTick:
    return VenueTick(D(equity), D(0), D(total), at_height(height), height)


FLOWS = (
    transfer("1000", 1),
    transfer("50", 5, out=True),
    transfer("9", 6, asset="ETH"),
    Transfer(None, "TRANSFER_IN", D(70), "USDC", ADDRESS, 0, ADDRESS, 128, at_height(2), 2, "hash"),
    transfer("5", 7, to=1),
)


def test_a_points_equity_less_its_pnl_is_what_was_put_in() -> None:
    ticks = [tick(4, "1010", "10"), tick(8, "955.5", "5.5")]
    assert tick_differences(SCOPE, ticks, FLOWS, {4: D(1010)}, is_alone=True) == []
    wrong = [tick(8, "955.5", "5.6")]
    (alarm,) = tick_differences(SCOPE, wrong, FLOWS, {}, is_alone=True)
    assert (alarm.what, alarm.ours, alarm.venue, alarm.unexplained) == ("transfers", D(950), D("949.9"), D("-0.1"))
    (known,) = tick_differences(SCOPE, wrong, FLOWS, {}, is_alone=False)
    assert (known.why, known.is_alarm) == ((Why.CHILDREN,), False)


def test_our_equity_at_a_points_block_is_compared() -> None:
    (alarm,) = tick_differences(SCOPE, [tick(4, "1010", "10")], FLOWS, {4: D(1011)}, is_alone=True)
    assert (alarm.what, alarm.unexplained) == ("equity", D(-1))


# all of it


def state_with(*facts: Any) -> ConsoleState:
    state = ConsoleState(Watched(ADDRESS))
    for fact in facts:
        state.apply(fact)
    return state


def test_nothing_is_compared_before_the_fills_have_been_read() -> None:
    rows = (child(position("7"), height=5),)
    state = state_with(AccountRead(ADDRESS, 0, None, True, rows, 0, 1.0, 1.0))
    assert state.differences() == ()
    assert ConsoleState(None).differences() == ()


def test_the_console_compares_everything_that_the_indexer_has_stated() -> None:
    row = venue_rows(bookings(WHOLE))[-1]
    held = position("2", entry_price=row.entry_price, venue_realized_pnl=D(99))
    wrong = replace(history(WHOLE)[2], net_fee=D(9))
    state = state_with(
        AccountRead(ADDRESS, 0, None, True, (child(held, height=5),), 0, 1.0, 1.0),
        FillsRead(ADDRESS, WHOLE, True, 1.0, 0),
        FundingRead(ADDRESS, SPAN, 1.0, 1.0),
        TransfersRead(ADDRESS, FLOWS, 1.0),
        TradeHistoryRead(ADDRESS, (wrong,), 1, 1.0),
        PnlRead(ADDRESS, None, (point(1, "0"), point(3, "48")), 1.0),
        HistoricalPnlRead(ADDRESS, None, (tick(8, "955.5", "5.6"),), 1.0),
    )
    alarms = {(found.source, found.what) for found in state.differences({8: D(1)}) if found.is_alarm}
    assert alarms == {
        (Source.POSITIONS, "realized"),
        (Source.TRADE_HISTORY, "row"),
        (Source.PNL, "total_pnl"),
        (Source.HISTORICAL_PNL, "transfers"),
        (Source.HISTORICAL_PNL, "equity"),
    }
    stranger = TradeHistoryRead("dydx1other", (wrong,), 1, 1.0)
    other = state_with(FillsRead(ADDRESS, WHOLE, True, 1.0, 0), stranger)
    assert other.differences() == ()


@given(st.data())
def test_walking_from_point_to_point_is_summing_up_each_span(data: st.DataObject) -> None:
    """What a span brought is the cash, fees and funding of its blocks, and what its positions' value changed by."""
    amounts = st.decimals("0.01", "50", places=2)
    drawn = data.draw(st.lists(st.tuples(st.integers(1, 9), amounts, amounts, st.sampled_from(("BUY", "SELL")))))
    fills = tuple(
        fill(f"f{number}", side, str(size), str(price), height, fee=D("0.01"))
        for number, (height, size, price, side) in enumerate(drawn)
    )
    sizes = {height: sum((f.signed_size for f in fills if f.height <= height), D(0)) for height in range(1, 10)}
    price = {height: data.draw(amounts) for height in range(1, 10)}
    payments = [payment(height, str(size), str(price[height]), "0.5") for height, size in sizes.items()]
    heights = sorted(data.draw(st.sets(st.integers(1, 9), min_size=2)))
    found = {d.at: d.ours for d in pnl_differences(SCOPE, [point(h, "1e6" if i % 2 else "-1e6")
             for i, h in enumerate(heights)], fills, payments)}  # fmt: skip
    for first, last in pairwise(heights):
        inside = [f for f in fills if first < f.height <= last]
        cash = sum((-f.signed_size * f.price - f.fee for f in inside), D(0)) + D("0.5") * (last - first)
        gained = sizes[last] * price[last] - sizes[first] * price[first]
        assert found[at_height(last)] == cash + gained

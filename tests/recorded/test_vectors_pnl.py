"""PNL against the web's calculators, the generator's own books of the recorded day, and all that its Indexer said.

Where the console decides otherwise than the web, the case or its kind is named with the reason.
"""

import json
from decimal import Decimal, localcontext
from typing import Any

import pytest
from recorded.test_desk_day import DESK, model, truth
from recorded.test_vectors import account_state, cases
from shared_data import cases_of, entries_of, needs_data, raw_lines, state_after

from dydx_console.domain.events import FillsRead
from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import PositionKey, is_isolated
from dydx_console.domain.venue_pnl import TradeHistoryRead, VenueTrade, web_fill_type
from dydx_console.engine.replay import ReplaySource
from dydx_console.recording.lines import Entry
from dydx_console.state.accounting import SUMS, Book, stated_closed_pnl
from dydx_console.state.console import ConsoleState
from dydx_console.state.reconcile import Source, Why
from dydx_console.state.snapshot import snapshot_of
from dydx_console.state.venue_books import VenueRow, venue_rows
from dydx_console.venue.indexer import rows, wire
from dydx_console.venue.indexer.answers import Answer, facts_of_answer

pytestmark = needs_data

D = Decimal
CLOSE = D("1e-12")
DOUBLE = D("1e-9")
TWELVE = D("1e-12")


def near(got: Decimal | None, want: str | float | None, close: Decimal) -> bool:
    if got is None or want is None:
        return got is None and want is None
    expected = D(str(want))
    return abs(got - expected) <= close * max(D(1), abs(expected))


@pytest.mark.parametrize("case", cases("fills"))
def test_fills(case: dict[str, Any]) -> None:
    fill, want = rows.fill_of(wire.msgspec.convert(case["input"], wire.FillRow), None), case["expected"]
    assert web_fill_type(fill) == want["type"]
    assert near(stated_closed_pnl(fill), want.get("closedPnl"), DOUBLE)
    assert ("ISOLATED" if is_isolated(fill.subaccount) else "CROSS") == want["marginMode"]


@pytest.mark.parametrize("case", cases("fills"))
def test_a_fill_realizes_in_our_books_what_the_web_states(case: dict[str, Any]) -> None:
    """Ours is price PNL alone, the web's less the fee; both from the position that the Indexer says the fill met."""
    fill, want = rows.fill_of(wire.msgspec.convert(case["input"], wire.FillRow), None), case["expected"]
    if fill.position_size_before is None or want.get("closedPnl") is None:
        return
    size = fill.position_size_before.copy_abs()
    held = size if fill.position_side_before == "LONG" else -size
    book = Book(PositionKey(fill.subaccount, fill.market), held, fill.entry_price_before)
    book.take(fill)
    assert near(book.realized - fill.fee, want["closedPnl"], DOUBLE)


def trade_of(row: dict[str, Any]) -> VenueTrade:
    body = json.dumps({"tradeHistory": [row]})
    (read,) = facts_of_answer(Answer("/v4/tradeHistory?address=x&subaccountNumber=0", 200, body, 1.0, 1.0, 0))
    assert isinstance(read, TradeHistoryRead), read
    return read.rows[0]


def is_misread(trade: VenueTrade) -> bool:
    """Return whether the web has the sign of `closedPnlPercent` wrong: a sale that closed a long.

    After a close the row names no side, and the web then takes every position for a short one. Ours goes by the trade.
    """
    return trade.position_side is None and trade.side == "SELL" and trade.entry_price is not None


@pytest.mark.parametrize("case", cases("trade_history"))
def test_trade_history(case: dict[str, Any]) -> None:
    trade, want = trade_of(case["input"]), case["expected"]
    assert trade.label == want["action"]
    moved = trade.moved_fraction
    assert near(-moved if is_misread(trade) and moved is not None else moved, want.get("closedPnlPercent"), DOUBLE)
    shown = {
        "price": trade.price,
        "entryPrice": trade.entry_price,
        "size": trade.added_size,
        "prevSize": trade.prev_size,
        "value": trade.value,
        "closedPnl": trade.net_realized,
        "netClosedPnlPercent": trade.net_realized_fraction,
    }
    assert [name for name, value in shown.items() if not near(value, want.get(name), DOUBLE)] == []
    assert ("ISOLATED" if is_isolated(trade.subaccount) else "CROSS") == want["marginMode"] or trade.subaccount == 0


@pytest.mark.parametrize("case", cases("apply_trade"))
def test_a_trade_leaves_our_books_as_the_web_leaves_its_position(case: dict[str, Any]) -> None:
    """The account's figures after it are a what-if's; here it is booked as a fill, which no reduce-only rule cut."""
    state = account_state(case["input"])
    for number, operation in enumerate(case["input"]["operations"]):
        trade = operation["payload"]
        if operation["operation"] != "ApplyTrade" or trade["reduceOnly"]:
            continue
        key = PositionKey(trade["subaccountNumber"], trade["marketId"])
        held = state.holdings.position(key)
        book = Book(key) if held is None else Book(key, held.net_size, held.entry_price)
        book.take(fill_of(trade, number))
        after = case["expected"]["rawAfter"][str(key.subaccount)]["positions"].get(key.market)
        is_carried = held is not None and held.net_size * book.net_size > 0
        if after is None:
            assert book.net_size == 0
            continue
        assert near(abs(book.net_size), str(D(after["size"]).copy_abs()), CLOSE)
        assert (book.net_size > 0) == (after["side"] == "LONG")
        assert near(book.average_cost, after["entryPrice"], CLOSE)
        gained = D(after["realizedPnl"]) - (
            held.venue_realized_pnl or D(0) if held is not None and is_carried else D(0)
        )
        assert near(book.realized if is_carried else D(0), str(gained), CLOSE)


def fill_of(trade: dict[str, Any], number: int) -> Fill:
    size, price, fee = (str(trade[name]) for name in ("size", "averagePrice", "fee"))
    row = {"id": f"f{number}", "side": trade["side"], "liquidity": "TAKER", "type": "LIMIT", "price": price}
    row |= {"size": size, "fee": fee, "createdAt": "2026-05-01T00:00:00Z", "createdAtHeight": str(number + 1)}
    row |= {"market": trade["marketId"]}
    return rows.fill_of(wire.msgspec.convert(row, wire.FillRow), trade["subaccountNumber"])


def test_every_case_of_these_kinds_is_held() -> None:
    for kind in ("fills", "trade_history", "apply_trade"):
        assert len(cases_of(kind)) >= 3


# ---- the recorded day -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def day() -> ConsoleState:
    """The recorded day with all that REST answers after its last block, the Indexer's own word on PNL too."""
    state = state_after(entries_of(DESK))
    source = ReplaySource()
    for row in raw_lines(DESK):
        if row["ev"] == "truth" and row["name"].startswith(("trade_history", "historical_pnl", "parent_sub", "chrono")):
            entry = Entry(t=row["t"], ev="http", method="GET", url=row["url"], status=row["status"], body=row["body"])
            for event in source.events(entry):
                state.apply(event)
    return state


def test_our_pnl_is_that_of_the_generators_books_to_the_last_digit_they_state(day: ConsoleState) -> None:
    """They state twelve decimals; sums without a division are equal as they stand."""
    checked = 0
    for number, subaccount in model()["subaccounts"].items():
        if int(number) % 128:
            continue  # it belongs to another parent, which this client never watched
        for market, want in subaccount["markets"].items():
            key = PositionKey(int(number), market)
            ledger = day.ledger(key)
            assert ledger.net_size == D(want["size"])
            assert ledger.realized.quantize(TWELVE) == D(want["realizedPricePnl"])
            average = None if ledger.average_cost is None else ledger.average_cost.quantize(TWELVE)
            assert average == (None if want["avgEntry"] is None else D(want["avgEntry"]))
            assert ledger.fees == D(want["fees"]) + D(want["builderFees"])
            assert day.funding.total(key) == D(want["settledFunding"]) + D(want["unsettledFunding"])
            assert day.fills.count(key) == want["fills"]
            volume = sum((fill.price * fill.size for fill in day.fills.of(key)), start=D(0))
            assert volume == D(want["volume"])
            checked += 1
    assert checked == 4


def test_the_fills_leave_the_positions_that_the_generator_has(day: ConsoleState) -> None:
    for number, subaccount in model()["subaccounts"].items():
        if int(number) % 128:
            continue
        told = [(row[1], D(row[8])) for row in subaccount["fillsInOrder"]]
        for market in subaccount["markets"]:
            booked = [booking.net_size for booking in day.bookings(PositionKey(int(number), market))]
            assert booked == [size for name, size in told if name == market]


def test_the_days_law_holds_to_the_last_digit(day: ConsoleState) -> None:
    """The account began with nothing: what it made is what it is worth less what was put in."""
    snapshot = snapshot_of(day, 0.0, 1)
    with localcontext(SUMS):
        worth = sum((row.amount for row in snapshot.balances if row.asset == "USDC"), start=D(0))
        for view in snapshot.positions:
            assert view.oracle_price is not None
            worth += view.position.net_size * view.oracle_price
        made = snapshot.pnl.net
        assert made is not None
        put_in = sum((row.size * sign(row, day) for row in snapshot.transfers), start=D(0))
        assert made == worth - put_in


def sign(row: Any, day: ConsoleState) -> int:
    assert day.watched is not None

    def is_within(address: str, number: int | None) -> bool:
        return day.watched is not None and address == day.watched.address and number is not None and number % 128 == 0

    return is_within(row.recipient, row.recipient_subaccount) - is_within(row.sender, row.sender_subaccount)


def close_rows() -> list[dict[str, Any]]:
    return [row for body in truth("positions_CLOSED") for row in body["positions"]]


def figures(row: VenueRow) -> tuple[Decimal, ...]:
    return row.realized, row.sum_open, row.sum_close, row.entry_price, row.exit_price


def test_the_indexers_rows_are_what_its_known_booking_makes_of_the_same_fills(day: ConsoleState) -> None:
    """Every closed row, its oddities included: fills through zero, inherited sums, forced fills left out."""
    compared = 0
    for key in day.ledger_keys():
        told = [row for row in close_rows() if PositionKey(row["subaccountNumber"], row["market"]) == key]
        made = venue_rows(day.bookings(key))[: len(told)]
        told.sort(key=lambda row: (row["createdAt"], row["closedAt"]))
        for row, want in zip(made, told, strict=True):
            stated = (*(D(want[name]) for name in ("realizedPnl", "sumOpen", "sumClose", "entryPrice")),)
            stated += (D(want["exitPrice"] or 0),)
            assert all(near(got, str(told_), CLOSE) for got, told_ in zip(figures(row), stated, strict=True)), want
            compared += 1
    assert compared == 26


def test_ours_differs_from_the_indexer_only_for_known_reasons(day: ConsoleState) -> None:
    assert len(day.stated.trades) == 161
    found = day.differences()
    assert [difference for difference in found if difference.is_alarm] == []
    reasons = {source: {why for d in found if d.source is source for why in d.why} for source in Source}
    assert reasons[Source.POSITIONS] == {Why.FEES, Why.FLIP, Why.INHERITED, Why.FORCED, Why.AVERAGE}
    assert reasons[Source.TRADE_HISTORY] == {Why.BUILDER_FEES, Why.GROUPED}
    assert reasons[Source.HISTORICAL_PNL] == {Why.CHILDREN}


@pytest.mark.parametrize("market", ["BTC-USD", "ETH-USD"])
def test_a_fill_that_was_lost_raises_an_alarm(day: ConsoleState, market: str) -> None:
    """The comparison is worth something: what the day's fills do not give is noticed."""
    assert day.watched is not None
    lost = list(day.fills.of(PositionKey(0, market)))[20]
    state = ConsoleState(day.watched)
    state.apply(FillsRead(day.watched.address, tuple(fill for fill in day.fills if fill.id != lost.id), True, 1.0, 0))
    state.apply(TradeHistoryRead(day.watched.address, tuple(day.stated.trades.values()), None, 1.0))
    alarms = {difference.market for difference in state.differences() if difference.is_alarm}
    assert alarms == {market}

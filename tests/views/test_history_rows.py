"""What the History screen writes: filters judged in words, rows, stories, and how far fetching has come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.history_help import OTHER, booked, hop, life, payment, record, transfers
from tui.pictures import ADDRESS, MARKETS, NOW

from dydx_console.domain.numbers import ZERO
from dydx_console.ports.history import FetchState, HistoryProgress, SourceProgress
from dydx_console.ports.journal import History
from dydx_console.tui.history_tabs import TABS
from dydx_console.views.detail import LABEL_WIDTH, detail_lines, detail_title
from dydx_console.views.fetching import fetch_lines, gauge
from dydx_console.views.history import (
    Context,
    life_net,
    past_fill,
    past_life,
    past_order,
    past_payment,
    past_transfer,
    place_text,
    span,
    stamp,
)
from dydx_console.views.history_filter import (
    FILLS_FILTER,
    FUNDING_FILTER,
    LIVES_FILTER,
    NO_FILTER,
    ORDERS_FILTER,
    TRANSFERS_FILTER,
    Filter,
    FilterError,
    FilterSpec,
    filter_text,
    read_filter,
)
from dydx_console.views.stories import average_price, fill_story_lines, folded, life_story_lines, order_story_lines
from dydx_console.views.table import Line, line_width

D = Decimal
DAY = datetime(2026, 11, 1, tzinfo=UTC)
CONTEXT = Context(MARKETS, NOW, ADDRESS)
SPECS = (ORDERS_FILTER, FILLS_FILTER, FUNDING_FILTER, TRANSFERS_FILTER, LIVES_FILTER)


def words(lines: list[Line]) -> str:
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def cells_of(past: Any, tab: int) -> dict[str, str]:
    return {column.key: column.cell(past).text for column in TABS[tab].spec.columns}


def read(text: str, spec: FilterSpec = ORDERS_FILTER) -> Filter:
    return read_filter(text, spec, MARKETS, NOW)


class TestFilter:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("", NO_FILTER),
            ("status:filled", Filter(statuses=("FILLED",))),
            ("STATUS=Filled,open", Filter(statuses=("FILLED", "OPEN"))),
            ("status:cancel", Filter(statuses=("CANCELING", "CANCELLED"))),
            ("status:partially-filled,partial", Filter(statuses=("PARTIALLY_FILLED",))),
            ("market:btc,ETH-USD,btc-usd", Filter(markets=("BTC-USD", "ETH-USD"))),
            ("side:b type:stop", Filter(sides=("BUY",), types=("STOP_LIMIT", "STOP_MARKET"))),
            ("sub:0,128", Filter(subaccounts=(0, 128))),
            ("since:2026-11-01 until:2026-11-02T06:30", Filter(since=DAY, until=DAY + timedelta(days=1, hours=6.5))),
            ("since:2026-11-01T01:00+01:00", Filter(since=DAY)),
            ("since:2026-11-01T00:00Z", Filter(since=DAY)),
            ("since:today", Filter(since=NOW.replace(hour=0, minute=0, second=0))),
            ("since:7d until:12H", Filter(since=NOW - timedelta(days=7), until=NOW - timedelta(hours=12))),
        ],
    )
    def test_what_is_asked_for(self, text: str, wanted: Filter) -> None:
        assert read(text) == wanted

    @pytest.mark.parametrize(
        ("text", "spec", "told"),
        [
            ("filled", ORDERS_FILTER, "orders have no filter 'filled': write key:value with status, market, side"),
            ("status:nonsense", ORDERS_FILTER, "there is no status 'nonsense': allowed are pending, rejected"),
            ("status:filled", FILLS_FILTER, "fills have no filter 'status'"),
            ("market:btc", TRANSFERS_FILTER, "transfers have no filter 'market': write key:value with type, since"),
            ("side:buy", LIVES_FILTER, "there is no side 'buy': allowed are long, short"),
            ("market:DOGE", ORDERS_FILTER, "there is no market 'DOGE': the venue has no such market"),
            ("market:bt", ORDERS_FILTER, "there is no market 'bt': did you mean BTC-USD?"),
            ("sub:-1", ORDERS_FILTER, "'-1' is no subaccount: allowed are numbers from 0 to 128,000"),
            ("sub:128001", FILLS_FILTER, "'128001' is no subaccount"),
            ("sub:²", FILLS_FILTER, "'²' is no subaccount"),
            ("status:", ORDERS_FILTER, "status of what? write status:value"),
            ("side:buy side:sell", ORDERS_FILTER, "side is given twice"),
            ("since:2026-11-21 until:2026-11-01", FILLS_FILTER, "since 2026-11-21 is not before until 2026-11-01"),
            ("since:2026-11-01 until:2026-11-01", FUNDING_FILTER, "is not before until"),
            ("since:2026-13-01", ORDERS_FILTER, "since:2026-13-01 is no moment: write 2026-11-01"),
            ("until:999999d", ORDERS_FILTER, "until:999999d is no moment"),
            ("since:0001-01-01T00:00+14:00", ORDERS_FILTER, "is no moment"),
            ("since:1d,2d", ORDERS_FILTER, "since takes one moment, not 2"),
        ],
    )
    def test_what_is_wrong_is_said_in_words(self, text: str, spec: FilterSpec, told: str) -> None:
        with pytest.raises(FilterError) as caught:
            read(text, spec)
        assert told in str(caught.value)

    def test_without_markets_or_time_it_takes_names_and_no_counted_moments(self) -> None:
        assert read_filter("market:doge,FOO-USD", ORDERS_FILTER, (), None).markets == ("DOGE-USD", "FOO-USD")
        with pytest.raises(FilterError, match="the venue's time is not known yet"):
            read_filter("since:7d", ORDERS_FILTER, (), None)

    @given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=40), st.sampled_from(SPECS))
    def test_any_text_is_a_filter_or_a_sentence(self, text: str, spec: FilterSpec) -> None:
        told = "a filter that can be read"
        try:
            read_filter(text, spec, MARKETS, NOW)
        except FilterError as error:
            told = str(error)
        assert len(told) > 10

    @given(
        st.builds(
            Filter,
            statuses=st.lists(st.sampled_from(ORDERS_FILTER.statuses), unique=True).map(tuple),
            markets=st.lists(st.sampled_from(sorted(MARKETS)), unique=True).map(tuple),
            sides=st.lists(st.sampled_from(ORDERS_FILTER.sides), unique=True).map(tuple),
            types=st.lists(st.sampled_from(ORDERS_FILTER.types), unique=True).map(tuple),
            subaccounts=st.lists(st.integers(0, 128_000), unique=True).map(tuple),
            since=st.none() | st.just(DAY),
            until=st.none() | st.just(NOW),
        )
    )
    def test_a_filter_written_in_full_is_the_same_filter(self, wanted: Filter) -> None:
        assert read(filter_text(wanted)) == wanted


class TestTexts:
    @pytest.mark.parametrize(
        ("at", "now", "text"),
        [
            (NOW, NOW, "21 Nov 01:49:30"),
            (NOW, NOW + timedelta(days=365), "2026-11-21 01:49"),
            (NOW, None, "2026-11-21 01:49"),
            (None, NOW, "—"),
        ],
    )
    def test_moments(self, at: datetime | None, now: datetime | None, text: str) -> None:
        assert stamp(at, now) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0 s"), (61, "1 min 1 s"), (3_599, "59 min 59 s"), (7_500, "2 h 5 min"), (90_000_000, "1,041 d 16 h")],
    )
    def test_durations(self, seconds: int, text: str) -> None:
        assert span(timedelta(seconds=seconds)) == text

    @pytest.mark.parametrize(
        ("first", "shown", "count", "text"),
        [
            (1, 50, 100_000, "1–50 of 100,000"),
            (151, 20, None, "151–170 of —"),
            (None, 50, None, "50 of —"),
            (None, 0, None, "—"),
            (1, 0, 0, "none"),
        ],
    )
    def test_places(self, first: int | None, shown: int, count: int | None, text: str) -> None:
        assert place_text(first, shown, count) == text

    @given(st.integers(0, 10_000), st.integers(1, 10_000))
    def test_a_gauge_is_full_only_at_the_end(self, read: int, total: int) -> None:
        bar = gauge(read / total)
        assert len(bar) == 12
        assert (bar == "█" * 12) == (read >= total)


class TestRows:
    def test_an_order(self) -> None:
        cells = cells_of(past_order(record(1, removal_reason="USER_CANCELED"), CONTEXT), 0)
        assert cells["time"] == "21 Nov 00:49:30"
        assert (cells["status"], cells["average"], cells["note"]) == ("CANCELLED", "—", "cancelled by its owner")

    def test_what_is_not_known_is_a_dash(self) -> None:
        bare = record(
            2, subaccount=None, market=None, side=None, type=None, size=None, price=None, average_fill_price=None
        )
        cells = cells_of(past_order(replace(bare, shown=None), Context({})), 0)
        assert {cells[key] for key in ("market", "sub", "side", "type", "size", "filled", "price", "status")} == {"—"}
        cells = cells_of(past_fill(booked(2, closed_pnl=None, net_size=None), CONTEXT), 1)
        assert (cells["closed"], cells["position"]) == ("—", "—")
        cells = cells_of(past_life(life(funding=None, entry_price=None), Context({})), 4)
        assert {cells[key] for key in ("entry", "exit", "funding", "net", "held")} == {"—"}

    def test_a_fill_with_what_it_closed(self) -> None:
        cells = cells_of(past_fill(booked(7), CONTEXT), 1)
        assert (cells["closed"], cells["position"], cells["fee"]) == ("+0.70", "+0.400", "1.1280")

    def test_a_payment(self) -> None:
        cells = cells_of(past_payment(payment(3), CONTEXT), 2)
        assert (cells["payment"], cells["rate"], cells["size"]) == ("−0.012345", "+0.001250", "+0.40")

    def test_transfers_name_the_accounts_own_ends(self) -> None:
        deposit, own = (past_transfer(row, CONTEXT) for row in transfers())
        assert (deposit.row.sender, deposit.row.recipient) == ("dydx1qqqs…qqqqqq", "subaccount 0")
        assert (own.row.sender, own.row.recipient) == ("subaccount 0", "subaccount 128")
        assert cells_of(own, 3)["size"] == "50.125"
        assert "dydx1qqqsyq" in words(detail_lines(deposit.row))

    def test_covered_transfers_show_neither_amount_nor_address(self) -> None:
        covered = [past_transfer(row, replace(CONTEXT, masked=True)) for row in transfers()]
        text = "".join("".join(cells_of(past, 3).values()) + words(detail_lines(past.row)) for past in covered)
        for secret in ("1,000", "50.125", OTHER, "dydx1", ADDRESS):
            assert secret not in text

    def test_a_life(self) -> None:
        cells = cells_of(past_life(life(), CONTEXT), 4)
        assert (cells["net"], cells["fees"], cells["held"], cells["closed"]) == ("+237.82", "−1.50", "3 d 0 h", "open")
        partly = past_life(life(is_complete=False, closed_at=NOW, fees=ZERO), CONTEXT)
        cells = cells_of(partly, 4)
        assert (cells["time"], cells["closed"], cells["fees"]) == ("≤ 18 Nov 01:49:30", "21 Nov 01:49:30", "0.00")
        assert "or before: older fills are not known" in words(detail_lines(partly.row))

    @given(st.decimals(-1000, 1000, places=6), st.decimals(-10, 10, places=6), st.decimals(-10, 10, places=6))
    def test_net_is_made_of_its_parts(self, realized: Decimal, fees: Decimal, funding: Decimal) -> None:
        net = life_net(life(realized=realized, fees=fees, funding=funding))
        assert net is not None
        assert net + fees == realized + funding

    @pytest.mark.parametrize(
        ("past", "title"),
        [
            (past_order(record(1), CONTEXT), "Order BUY BTC-USD"),
            (past_fill(booked(3), CONTEXT), "Fill SELL BTC-USD"),
            (past_payment(payment(1), CONTEXT), "Funding payment ETH-USD"),
            (past_transfer(transfers()[0], CONTEXT), "Transfer DEPOSIT"),
            (past_life(life(), CONTEXT), "Position LONG BTC-USD"),
        ],
    )
    def test_every_kind_of_row_has_a_detail(self, past: Any, title: str) -> None:
        assert detail_title(past.row) == title
        assert len(detail_lines(past.row)) > 5


class TestStories:
    def test_an_order(self) -> None:
        fills = (booked(1, price=D("15040"), size=D("0.1")), booked(2, price=D("15043"), size=D("0.2")))
        hops = (hop(NOW, "OPEN"), hop(NOW, "CANCELLED", height=None, removal_reason="USER_CANCELED", filled=D("0.3")))
        order = replace(record(0).order, filled=D("0.3"))
        text = words(order_story_lines(order, hops, fills, (life(),), CONTEXT, has_all=True))
        assert "Fills 2 · 0.300 at 15,042 on average · fees 2.2560" in text
        assert "closed +0.10" in text
        assert "#48,112,907  STREAM    OPEN" in text
        assert "—  STREAM    CANCELLED  filled 0.300  cancelled by its owner" in text
        assert "Position LONG BTC-USD held 3 d 0 h" in text
        assert "net +237.82" in text
        assert "where" not in text

    def test_missing_fills_are_told_and_more_than_are_shown_too(self) -> None:
        order = replace(record(0).order, filled=D("0.5"))
        text = words(order_story_lines(order, (), (booked(1),), (), CONTEXT, has_all=True))
        assert "the journal has fills of 0.150 where 0.500 are known to be filled" in text
        assert "Hops none are known" in text
        text = words(order_story_lines(order, (), (booked(1),), (), CONTEXT, has_all=False))
        assert "the first 1" in text
        assert "where 0.500" not in text

    def test_a_fill_and_a_life(self) -> None:
        text = words(fill_story_lines(booked(3), record(0), (life(),), CONTEXT))
        for part in ("closed PNL      +0.30", "position after  +0.400", "status          FILLED", "0.000 of 0.250"):
            assert part in text
        assert fill_story_lines(None, None, (), CONTEXT) == []
        text = words(life_story_lines(life(), (booked(1), booked(2)), CONTEXT, has_all=True))
        assert "Fills 2 · fees 2.2560" in text
        assert "BUY" in text

    @given(st.lists(st.tuples(st.integers(1, 9_999), st.integers(1, 999)), min_size=1, max_size=9))
    def test_an_average_lies_between_the_prices_and_is_exact(self, pairs: list[tuple[int, int]]) -> None:
        fills = [booked(n, price=D(price) / 10, size=D(size)) for n, (price, size) in enumerate(pairs)]
        average = average_price(fills)
        assert average is not None
        prices = [row.fill.price for row in fills]
        assert min(prices) <= average <= max(prices)
        total = sum(row.fill.size for row in fills)
        assert abs(average * total - sum(row.fill.price * row.fill.size for row in fills)) < D("1e-15")
        assert average_price([]) is None

    @given(st.text("ab-#% ", max_size=200), st.integers(30, 100))
    def test_long_values_go_on_below(self, text: str, width: int) -> None:
        transfer = replace(transfers()[0], transaction_hash=text)
        lines = folded(detail_lines(past_transfer(transfer, CONTEXT).row), width)
        assert all(line_width(line) <= width for line in lines)
        told = "".join("".join(cell.text for cell in line)[LABEL_WIDTH:] for line in lines)
        assert text.replace(" ", "") in told.replace(" ", "") or not text


class TestFetching:
    AT = NOW - timedelta(days=30)
    KEYS = ("F", "i")

    def told(self, state: str, *sources: SourceProgress, problem: str | None = None, width: int = 100) -> str:
        progress = HistoryProgress(FetchState(state), sources, problem)
        lines = fetch_lines(progress, History.FILLS, self.KEYS, width)
        assert all(line_width(line) <= max(width, 100) for line in lines)
        return words(lines)

    def test_states(self) -> None:
        orders = SourceProgress(History.ORDERS, 500, 500, self.AT, True)
        fills = SourceProgress(History.FILLS, 4_200, 10_000, self.AT)
        assert "F fetches older history" in self.told("IDLE")
        running = self.told("RUNNING", orders, fills)
        assert "i stops ▕█████       ▏ 42 % · fills 4,200 of 10,000, back to 22 Oct 2026" in running
        assert "fills 4,200" in self.told("RUNNING", orders, replace(fills, total=None))
        assert "%" not in self.told("RUNNING", orders, replace(fills, total=None))
        assert "stopped · fills 4,200 of 10,000" in self.told("INTERRUPTED", orders, fills)
        assert "fetching stopped: HTTP 503 · fills" in self.told("FAILED", fills, problem="HTTP 503")
        assert "F goes on" in self.told("FAILED", fills, problem="HTTP 503")
        assert "all that the venue gives is here" in self.told("DONE", orders)

    def test_it_is_never_done_before_the_end(self) -> None:
        assert "99 %" in self.told("RUNNING", SourceProgress(History.FILLS, 9_999, 10_000))
        assert "100 %" in self.told("RUNNING", SourceProgress(History.FILLS, 12_000, 10_000))

    def test_a_history_that_the_venue_cuts_is_told_where_it_is_looked_at(self) -> None:
        cut = "the venue gives no more than 10,000 of them"
        text = self.told("DONE", SourceProgress(History.FILLS, 10_000, None, self.AT, False, cut))
        assert f"fills: {cut}; known from 22 Oct 2026 on" in text
        assert cut not in self.told("DONE", SourceProgress(History.ORDERS, 10_000, None, self.AT, False, cut))

    def test_without_a_journal_nothing_is_offered(self) -> None:
        text = self.told("IDLE", problem="no journal is kept here")
        assert "no journal is kept here" in text
        assert "F fetches" not in text

"""What the panes say of a picture."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tui.pictures import NOW, fill, order, picture, stream

from dydx_console.domain.order import Order
from dydx_console.state.freshness import PictureState
from dydx_console.views.balances import balance_lines, hidden
from dydx_console.views.compact import compact_lines
from dydx_console.views.detail import detail_lines, detail_title
from dydx_console.views.fills import FILLS, fill_lines
from dydx_console.views.orders import ORDERS, filled_text, order_counts, order_lines, outliving
from dydx_console.views.panes import NODE, PaneHealth, SteadyHealth, health_line, pane_health, stream_health
from dydx_console.views.pnl import pnl_lines, since_text
from dydx_console.views.positions import POSITIONS, liquidation_distance, position_lines
from dydx_console.views.table import Cell, Ink, Line, line_width

D = Decimal
LIVE = PaneHealth(PictureState.LIVE, 0.8)


def words(lines: list[Line]) -> str:
    """Return lines as text."""
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def cells_of(spec: object, item: object) -> dict[str, Cell]:
    """Return an item's cells by column."""
    return {column.key: column.cell(item) for column in spec.columns}  # type: ignore[attr-defined]


class TestHealth:
    def test_the_worse_of_account_and_markets_counts(self) -> None:
        channels = stream().channels
        late = replace(channels[1], state=PictureState.STALE, age_s=14.0)
        snapshot = picture(stream=replace(stream(), channels=(channels[0], late)))
        assert pane_health(snapshot, 0.0, needs_markets=False).state is PictureState.LIVE
        assert pane_health(snapshot, 0.0, needs_markets=True) == PaneHealth(PictureState.STALE, 14.0)

    def test_nothing_known_is_syncing(self) -> None:
        assert pane_health(None, 0.0, needs_markets=True).state is PictureState.SYNCING
        bare = picture(stream=replace(stream(), channels=()))
        assert pane_health(bare, 0.0, needs_markets=False).state is PictureState.SYNCING
        assert stream_health(None, 0.0).state is PictureState.SYNCING
        assert stream_health(bare, 0.0).state is PictureState.LIVE

    @pytest.mark.parametrize(
        ("elapsed_s", "state"),
        [(0.0, "LIVE"), (5.0, "DELAYED"), (14.0, "STALE"), (40.0, "OFFLINE")],
    )
    def test_age_alone_makes_it_worse(self, elapsed_s: float, state: str) -> None:
        snapshot = picture()
        assert pane_health(snapshot, elapsed_s, needs_markets=True).state == state
        assert stream_health(snapshot, elapsed_s).state == state

    def test_live_is_quiet_and_the_rest_has_a_word(self) -> None:
        assert health_line(LIVE) == (Cell("0.8 s", Ink.DIM),)
        assert health_line(PaneHealth(PictureState.STALE, 14.0)) == (Cell("STALE 14 s", Ink.BAD),)
        assert health_line(PaneHealth(PictureState.SYNCING, None)) == (Cell("SYNCING", Ink.WARN),)

    @pytest.mark.parametrize(
        ("state", "age_s", "text"),
        [(PictureState.POLLING, 1.2, "from NODE 1.2 s"), (PictureState.STALE, 14.0, "STALE 14 s · from NODE")],
    )
    def test_figures_of_a_node_are_named_and_dimmed(self, state: PictureState, age_s: float, text: str) -> None:
        health = PaneHealth(state, age_s, NODE)
        assert "".join(cell.text for cell in health_line(health)) == text
        assert health.is_dim
        # another source shows at once, whatever the state
        assert SteadyHealth(PaneHealth(state, 1.0), 100.0).after(health, 100.1).shown == health

    def test_an_age_is_renewed_once_a_second_a_state_at_once(self) -> None:
        shown = SteadyHealth().after(LIVE, 100.0)
        assert shown.after(PaneHealth(PictureState.LIVE, 0.2), 100.5) is shown
        assert shown.after(PaneHealth(PictureState.LIVE, 0.2), 101.0).shown.age_s == 0.2
        assert shown.after(PaneHealth(PictureState.STALE, 12.0), 100.1).shown.state is PictureState.STALE


class TestPositions:
    def test_cells(self) -> None:
        line = position_lines(picture())[0]
        cells = cells_of(POSITIONS, line)
        assert cells["size"].text == "+0.40"
        assert cells["cost"].text == "1,002.01"
        assert cells["unrealized"] == Cell("−0.96", Ink.LOSS)
        assert cells["distance"].text == "−31 %"
        assert cells_of(POSITIONS, position_lines(picture())[1])["liquidation"].text == "—"

    def test_near_liquidation_is_an_alarm(self) -> None:
        snapshot = picture()
        margin = snapshot.positions[0].margin
        assert margin is not None
        near = replace(snapshot.positions[0], margin=replace(margin, liquidation_price=D("960")))
        far = replace(snapshot.positions[0], margin=replace(margin, liquidation_price=D("99960")))
        lines = position_lines(replace(snapshot, positions=(near, far)))
        assert cells_of(POSITIONS, lines[0])["distance"] == Cell("−4.0 %", Ink.ALARM)
        assert cells_of(POSITIONS, lines[1])["distance"].text == "> +999 %"
        assert liquidation_distance(replace(near, oracle_price=None)) is None

    def test_without_an_oracle_price_nothing_is_invented(self) -> None:
        blind = replace(picture().positions[0], oracle_price=None, margin=None, unrealized_pnl=None,
                        unrealized_fraction=None)  # fmt: skip
        cells = cells_of(POSITIONS, position_lines(picture(positions=(blind,), markets={}))[0])
        for key in ("oracle", "notional", "unrealized", "percent", "liquidation"):
            assert cells[key].text == "—", key


class TestOrders:
    def test_what_works_stands_first_and_what_is_over_last(self) -> None:
        lines = order_lines(picture(), None, working_only=False)
        assert [line.order.id for line in lines] == [f"order-{number}" for number in (1, 2, 3, 6, 4, 5)]
        assert [line.is_over for line in lines] == [False] * 4 + [True] * 2
        assert order_counts(lines) == (2, 1)
        assert len(order_lines(picture(), None, working_only=True)) == 4

    @pytest.mark.parametrize("turn", range(4))
    def test_what_no_block_has_told_of_yet_stands_first_the_newest_placed_before_the_others(self, turn: int) -> None:
        def pending(number: int, good_til: int | None) -> Order:
            return replace(
                order(number, status="BEST_EFFORT_OPENED", good_til_block=good_til),
                created_at=None,
                created_at_height=None,
                updated_at=None,
                updated_at_height=None,
            )

        blocks = {7: 30, 8: 10, 9: 20, 3: 20}
        placed = [pending(number, 48_113_000 + later) for number, later in blocks.items()] + [pending(2, None)]
        mixed = (*placed[turn:], order(1), *placed[:turn])
        lines = order_lines(picture(orders=mixed), None, working_only=True)
        assert [line.order.id for line in lines] == [f"order-{number}" for number in (7, 9, 3, 8, 2, 1)]

    def test_within_a_block_time_the_higher_height_stands_first(self) -> None:
        one, two = (replace(order(number), updated_at=NOW, updated_at_height=100 - number) for number in (1, 2))
        lines = order_lines(picture(orders=(two, one)), None, working_only=True)
        assert [line.order.id for line in lines] == ["order-1", "order-2"]

    def test_what_ended_long_ago_is_left_out(self) -> None:
        old = order(9, status="CANCELED", updated_at=NOW - timedelta(hours=1))
        assert order_lines(picture(orders=(old,)), None, working_only=False) == []

    def test_cells(self) -> None:
        lines = {line.order.id: cells_of(ORDERS, line) for line in order_lines(picture(), 0.5, working_only=False)}
        assert lines["order-1"]["filled"].text == "▕███  ▏60 %"
        assert lines["order-1"]["good_til"].text == "#48,112,919 6 s"
        assert lines["order-2"]["type"].text == "STOP MKT"
        assert lines["order-2"]["price"].text == "—"
        assert lines["order-2"]["trigger"].text == "948.0"
        assert lines["order-2"]["good_til"].text == "28 Nov 01:49"
        assert lines["order-2"]["note"].text == "reduce-only"
        assert lines["order-3"]["status"].text == "CANCELING"
        assert lines["order-5"]["note"].text == "cancelled by its owner"
        assert lines["order-6"]["status"].text == "SOMETHING_NEW"

    def test_an_order_of_which_little_is_known_is_dashes(self) -> None:
        bare = replace(order(1), subaccount=None, market=None, side=None, type=None, size=None, price=None,
                       status=None, good_til_time=None, created_at=None, updated_at=None, flags=None)  # fmt: skip
        cells = cells_of(ORDERS, order_lines(picture(orders=(bare,)), None, working_only=False)[0])
        assert {cells[key].text for key in ("time", "market", "side", "type", "size", "filled", "price", "status")} == {
            "—"
        }

    @pytest.mark.parametrize(
        ("fraction", "text"),
        [("0", "0 %"), ("1", "100 %"), ("0.0001", "▕▏    ▏ 0 %"), ("0.999", "▕████▉▏99 %"), ("0.5", "▕██▌  ▏50 %")],
    )
    def test_the_bar_never_claims_more_than_is_filled(self, fraction: str, text: str) -> None:
        assert filled_text(D(fraction)) == text

    def test_outliving_orders_are_the_working_stateful_ones(self) -> None:
        assert outliving(picture()) == 1


class TestFills:
    def test_cells(self) -> None:
        forced = fill(41, type="LIQUIDATED", fee=D("-0.5"), builder_fee=D("0.1"))
        lines = fill_lines(picture(fills=(forced, fill(40))))
        cells = cells_of(FILLS, lines[0])
        assert cells["type"] == Cell(" LIQUIDATED ", Ink.ALARM)
        assert cells["fee"].text == "−0.4000"
        assert cells_of(FILLS, lines[1])["type"].text == ""
        assert cells_of(FILLS, lines[1])["closed"].text == "—"

    @pytest.mark.parametrize(
        ("realized", "cell"),
        [
            (D("12.345"), Cell("+12.34", Ink.GAIN)),
            (D("-0.5"), Cell("−0.50", Ink.LOSS)),
            (D(0), Cell("")),
            (None, Cell("—", Ink.DIM)),
        ],
    )
    def test_what_a_fill_closed(self, realized: Decimal | None, cell: Cell) -> None:
        lines = fill_lines(picture(fills=(fill(40),), closed_pnl={"fill-40": realized}))
        assert cells_of(FILLS, lines[0])["closed"] == cell

    def test_older_pages_follow_and_count_once(self) -> None:
        lines = fill_lines(picture(fills=(fill(2), fill(1))), (fill(1), fill(0)))
        assert [line.fill.id for line in lines] == ["fill-2", "fill-1", "fill-0"]


class TestBalances:
    def test_totals_and_debts(self) -> None:
        text = words(balance_lines(picture(), "testnet", 60))
        assert "403,105.93" in text
        assert "−37.48 DEBT" in text
        assert "USDC" in text

    def test_masked_lines_hold_no_digit(self) -> None:
        text = words(balance_lines(picture(), "testnet", 60, masked=True))
        assert not any(char.isdigit() for char in text)
        assert hidden("a1−2") == "a•−•"

    def test_never_funded(self) -> None:
        assert "never funded on mainnet" in words(balance_lines(picture(exists=False), "mainnet", 60))
        assert "waiting" in words(balance_lines(None, "mainnet", 60))

    def test_missing_collateral_is_a_word(self) -> None:
        snapshot = picture()
        assert snapshot.margin is not None
        short = replace(snapshot, margin=replace(snapshot.margin, raw_free_collateral=D("-5"), margin_usage=D(1)))
        assert "−5.00  SHORT" in words(balance_lines(short, "testnet", 60))
        unknown = replace(snapshot, margin=None)
        assert words(balance_lines(unknown, "testnet", 60)).count("—") >= 3


class TestPnl:
    @pytest.mark.parametrize("width", [54, 60, 90])
    def test_totals_fit_and_fees_are_what_was_paid(self, width: int) -> None:
        lines = pnl_lines(picture(), width)
        assert all(line_width(line) <= width for line in lines)
        text = words(lines)
        for figure in ("+205.84", "+240.10", "−7.13", "−30.40", "+3.27"):
            assert figure in text

    def test_unknown_totals_are_dashes(self) -> None:
        pnl = replace(picture().pnl, realized=None, net=None, fees=None)
        assert words(pnl_lines(picture(pnl=pnl), 90)).count("—") == 3
        assert "waiting" in words(pnl_lines(None, 90))

    def test_since(self) -> None:
        assert since_text(NOW, NOW) == "since 01:49:30"
        assert since_text(NOW, NOW + timedelta(days=1)) == "since 21 Nov 2026"
        assert since_text(None, NOW) == "—"


class TestSmall:
    @pytest.mark.parametrize("width", [18, 30, 48, 80])
    def test_lines_fit(self, width: int) -> None:
        lines = compact_lines(picture(), "testnet", width)
        assert all(line_width(line) <= width for line in lines)
        assert "ETH-USD" in words(lines)
        assert "BTC-USD" in words(lines)

    def test_states_without_figures(self) -> None:
        assert "waiting" in words(compact_lines(None, "testnet", 50))
        assert "never funded on testnet" in words(compact_lines(picture(exists=False), "testnet", 50))


class TestDetail:
    def test_every_kind_of_row(self) -> None:
        snapshot = picture()
        for item, title, word in (
            (order_lines(snapshot, None, working_only=False)[0], "Order BUY BTC-USD", "order-1"),
            (fill_lines(snapshot)[0], "Fill BUY ETH-USD", "1.128"),
            (position_lines(snapshot)[0], "Position ETH-USD", "688.1"),
        ):
            assert detail_title(item) == title
            assert word in words(detail_lines(item))
        assert detail_title(object()) == ""
        assert detail_lines(object()) == []

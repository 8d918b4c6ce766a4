"""The whole state: what belongs to the watched account, what an event changes, and unknown where nothing is known."""

import json
from dataclasses import replace
from typing import Any

import pytest
from builders import ADDRESS, D, at_height, balance, child, fill, message, patch, position, received, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain import events as ev
from dydx_console.domain.events import ChannelKey
from dydx_console.domain.flows import FundingPayment, Reward, Transfer
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.domain.tape import Candle, Trade
from dydx_console.state.accounting import Ledger
from dydx_console.state.console import ConsoleState, Section, Watched
from dydx_console.state.margin import account_margin
from dydx_console.state.pnl import cost_of, market_pnl, pnl_totals, unrealized_fraction, unrealized_pnl
from dydx_console.state.snapshot import next_snapshot, snapshot_of

KEY = PositionKey(0, "BTC-USD")
WATCHED = Watched(ADDRESS)
TRANSFER = Transfer("t", "DEPOSIT", D(5), "USDC", ADDRESS, None, ADDRESS, 0, at_height(1), 1, "AB")
PAYMENT = FundingPayment(0, "BTC-USD", D(2), D(0), D(1), D(100), at_height(1), 1)


def update(message_id: int = 1, **given: Any) -> ev.AccountUpdate:
    fields: dict[str, Any] = {"version": version(message_id), "address": ADDRESS, "subaccount": 0, "block_height": 1}
    return ev.AccountUpdate(**{**fields, **given})


def read(*children: Any, **given: Any) -> ev.AccountRead:
    fields: dict[str, Any] = {
        "address": ADDRESS, "parent": 0, "subaccount": None, "exists": True, "children": children,
        "connection": 1, "asked_at": 0.0, "at": 0.0,
    }  # fmt: skip
    return ev.AccountRead(**{**fields, **given})


FULL = update(
    positions=(position("1"),),
    balances=(balance("7"),),
    orders=(patch(),),
    fills=(fill("f", order_id="o"), fill("liquidated", height=2)),
    transfers=(TRANSFER,),
    reward=Reward(D(1), at_height(1), 1),
)


def everything(state: ConsoleState) -> tuple[Any, ...]:
    parts = (state.holdings.positions, state.holdings.balances, tuple(state.orders), tuple(state.fills))
    return (*parts, state.transfers.newest, state.funding.payments, state.rewards, state.exists)


OF_OTHERS: list[ev.Fact] = [
    replace(FULL, address="dydx1other"),
    replace(FULL, subaccount=1),
    read(child(position("1")), address="dydx1other"),
    read(child(position("1")), parent=3),
    ev.AccountSnapshot(version(1), "dydx1other", 0, None, True, (child(position("1")),), (patch(),), 1),
    ev.AccountSnapshot(version(1), ADDRESS, None, 1, True, (child(position("1"), number=1),), (patch(),), 1),
    ev.OrdersRead("dydx1other", (patch(),), 1, 0.0, 0.0),
    ev.OrdersRead(None, (patch(subaccount=1),), 1, 0.0, 0.0),
    ev.FillsRead("dydx1other", (fill("f"),), False, 0.0),
    ev.TransfersRead("dydx1other", (TRANSFER,), 0.0),
    ev.FundingRead("dydx1other", (PAYMENT,), 0.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("fact", OF_OTHERS)
@pytest.mark.parametrize("watched", [WATCHED, None])
def test_what_belongs_to_others_is_not_taken(fact: ev.Fact, watched: Watched | None) -> None:
    state = ConsoleState(watched)
    before = everything(state)
    state.apply(fact)
    assert everything(state) == before


def test_an_update_touches_every_section_that_it_speaks_of() -> None:
    state = ConsoleState(WATCHED)
    changes = state.apply(FULL)
    assert changes.sections == {Section.ACCOUNT, Section.ORDERS, Section.FILLS, Section.TRANSFERS}
    assert [row.id for row in changes.new_fills] == ["f", "liquidated"]
    order = state.orders.get("o")
    assert order is not None
    assert (order.filled, state.exists, len(state.rewards)) == (D(1), True, 1)
    assert state.apply(update(2)).sections == set()
    assert state.ledger(KEY).net_size == D(2)


def test_a_message_that_was_taken_before_changes_nothing() -> None:
    state = ConsoleState(WATCHED)
    frame = ev.Frame(1, 5, ChannelKey("v4_parent_subaccounts", f"{ADDRESS}/0"), (FULL, FULL), 1.0)
    assert state.apply(frame).sections
    assert state.apply(frame).sections == set()


def test_existence_is_never_unlearned() -> None:
    state = ConsoleState(WATCHED)
    state.apply(read(exists=False))
    assert state.exists is False
    state.apply(read(child()))
    state.apply(read(exists=False))
    assert state.exists is True


def test_heights_only_rise() -> None:
    state = ConsoleState(None)
    assert state.apply(ev.BlockHeight(version(1), 5, at_height(5), 0.0)).sections == {Section.BLOCKS}
    assert state.apply(ev.HeightRead(5, at_height(5), 0.0)).sections == set()
    assert state.apply(ev.HeightRead(6, at_height(6), 0.0)).sections == {Section.BLOCKS}
    assert (state.height, state.block_time) == (6, at_height(6))


def test_problems_are_told_where_they_came_from() -> None:
    state = ConsoleState(None)
    refusal = state.apply(ev.VenueRefusal(1, ChannelKey("v4_trades", "X"), "no", 1.0)).problems[0]
    assert (refusal.source, refusal.text) == ("v4_trades X", "no")
    assert state.apply(ev.VenueRefusal(4, None, "no", 1.0, 7)).problems[0].source == "connection 4"
    assert state.apply(ev.ReadFailed("/v4/fills", 429, "slow down", 1.0)).problems[0].source == "/v4/fills"
    rejected = ev.MessageRejected("connection 1", None, "bad", "sample", 1.0)
    assert state.apply(rejected).problems[0].sample == "sample"


def test_market_data_goes_to_its_sections() -> None:
    state = ConsoleState(None)
    candle = Candle("X", "1MIN", at_height(0), D(1), D(1), D(1), D(1), D(0), D(0), 0, None, None, None)
    trade = Trade("a", "X", "BUY", D(1), D(1), "LIMIT", at_height(1))
    facts: dict[Section | None, list[ev.Fact]] = {
        Section.MARKETS: [ev.MarketsRead((Market("X"),), 0.0)],
        Section.TRADES: [ev.TradesRead("X", (trade,), 0.0), ev.TradesUpdate(version(1), "X", (trade,), False)],
        Section.CANDLES: [
            ev.CandlesRead("X", "1MIN", (candle,), 0.0),
            ev.CandleUpdate(version(1), "X", "1MIN", (candle,), True),
        ],
        Section.STREAM: [
            ev.TimeRead(at_height(0), 0.0, 0.0),
            ev.Resynced(1, 0.0),
            ev.ConnectionOpened(1, 0.0),
            ev.ConnectionReady(1, "x", 0.0),
            ev.SubscribeSent(1, ChannelKey("v4_trades", "X"), False, 0.0),
            ev.Unsubscribed(version(1), ChannelKey("v4_trades", "X"), 0.0),
            ev.ConnectionClosed(1, 1000, "", 0.0),
        ],
        None: [ev.BookRead("X", (), (), 0.0)],
    }
    for section, listed in facts.items():
        for fact in listed:
            assert state.apply(fact).sections == ({section} if section else set())


def test_nothing_is_known_before_it_is_read() -> None:
    snapshot = snapshot_of(ConsoleState(WATCHED), 0.0, 1)
    assert (snapshot.margin, snapshot.exists, snapshot.height, snapshot.pnl.by_market) == (None, None, None, ())
    state = ConsoleState(WATCHED)
    state.apply(FULL)
    row = snapshot_of(state, 0.0, 1).pnl.by_market[0]
    assert (row.realized, row.fees, row.funding, row.net, row.unrealized) == (None, None, None, None, None)


def test_fills_that_do_not_explain_the_position_leave_the_venues_price() -> None:
    state = ConsoleState(WATCHED)
    state.apply(read(child(position("3", entry_price=D(90)), height=1)))
    state.apply(ev.FillsRead(None, (fill("f", height=1),), False, 0.0))
    state.apply(ev.MarketsRead((Market("BTC-USD", oracle_price=D(100)),), 0.0))
    view = snapshot_of(state, 0.0, 1).positions[0]
    assert (view.cost_basis, view.average_cost, view.unrealized_pnl) == ("VENUE", D(90), D(30))
    state.apply(ev.FillsRead(None, (fill("g", size="2", price="85", height=1),), False, 0.0))
    view = snapshot_of(state, 0.0, 1).positions[0]
    assert (view.cost_basis, view.average_cost) == ("FILLS", D(90))


def test_pages_without_an_offset_are_placed_from_the_first() -> None:
    state = ConsoleState(WATCHED)
    state.apply(ev.FillsRead(ADDRESS, (fill("b"), fill("a")), True, 0.0))
    assert [row.id for row in state.fills] == ["b", "a"]


def test_pnl_parts() -> None:
    held, market = position("2"), Market("BTC-USD", oracle_price=D(110))
    assert unrealized_pnl(held, D(100), market) == D(20)
    assert unrealized_pnl(held, None, market) is None
    assert unrealized_pnl(held, D(100), None) is None
    assert unrealized_pnl(held, D(100), Market("BTC-USD")) is None
    assert unrealized_fraction(held, D(100), market, D(10)) == D(1)
    assert unrealized_fraction(held, D(100), market, None) == D("0.1")
    assert unrealized_fraction(held, None, market, None) is None
    assert unrealized_fraction(position("2"), D(0), market, None) is None
    ledger = Ledger(D(2), D(100), realized=D(7), fees=D(1))
    assert cost_of(held, ledger).source == "FILLS"
    assert cost_of(held, replace(ledger, is_complete=False)).source == "VENUE"
    row = market_pnl(KEY, ledger, D(20), D("0.5"))
    assert row.net == D("26.5")
    assert market_pnl(KEY, ledger, None, D(1)).net is None
    assert market_pnl(KEY, ledger, D(1), None).net is None
    assert pnl_totals([row, row]).net == D(53)
    assert pnl_totals([row, market_pnl(KEY, None, D(1), D(1))]).net is None
    assert pnl_totals([]).net == 0


def margin(*positions: Any, usdc: str = "100", **market: Any) -> Any:
    fields: dict[str, Any] = {
        "oracle_price": D(100),
        "initial_margin_fraction": D("0.1"),
        "maintenance_margin_fraction": D("0.05"),
    }
    markets = {"BTC-USD": Market("BTC-USD", **{**fields, **market})}
    return account_margin([0], positions, [balance(usdc), balance("9", "ETH")], markets, 0)


def test_a_missing_price_or_fraction_is_unknown_and_never_a_number() -> None:
    for missing in ("oracle_price", "initial_margin_fraction", "maintenance_margin_fraction"):
        figures = margin(position("1"), **{missing: None})
        assert (figures.equity, figures.free_collateral, figures.children[0].usdc) == (None, None, D(100))
        assert figures.positions == {}
    known = Market("X", oracle_price=D(100), initial_margin_fraction=D("0.1"), maintenance_margin_fraction=D("0.05"))
    both = account_margin(
        [0], [position("1"), position("1", "ETH-USD")], [], {
            "BTC-USD": replace(known, ticker="BTC-USD"),
            "ETH-USD": Market("ETH-USD"),
        }, 0,
    )  # fmt: skip
    own = both.positions[KEY]
    assert (own.notional, own.effective_leverage, own.liquidation_price) == (D(100), None, None)


def test_an_unknown_market_is_left_out_of_the_sums() -> None:
    assert margin(position("1", "NEW-USD")).equity == D(100)
    assert margin(position("1", subaccount=128)).equity == D(200)


@given(st.integers(-50, 50).filter(bool), st.integers(-5000, 5000), st.integers(1, 500))
def test_at_the_liquidation_price_equity_meets_the_maintenance_margin(size: int, usdc: int, price: int) -> None:
    own = margin(position(str(size)), usdc=str(usdc), oracle_price=D(price))
    figures, equity = own.positions[KEY], own.children[0].equity
    if figures.liquidation_price is None or not equity:
        return
    at = figures.liquidation_price
    assert abs(D(usdc) + size * at - abs(size) * at * D("0.05")) < D("1e-20")


def test_a_clamped_account() -> None:
    figures = margin(position("-5"), usdc="100")
    assert (figures.equity, figures.raw_free_collateral, figures.free_collateral) == (D(0), D(-50), D(0))
    assert (figures.margin_usage, figures.effective_leverage) == (None, None)


def test_a_position_margin_without_a_base_fraction_of_more_than_nothing() -> None:
    own = margin(position("1"), initial_margin_fraction=D(0)).positions[KEY]
    assert own.selected_leverage == D(1)


def test_the_example_of_a_whole_connection() -> None:
    state = ConsoleState(WATCHED)
    identity, opened = f"{ADDRESS}/0", {"orders": [{"id": "o", "status": "OPEN"}]}
    for text in (
        '{"type":"connected","connection_id":"c","message_id":0}',
        message("subscribed", "v4_parent_subaccounts", {}, 1, id=identity),
        message("channel_data", "v4_parent_subaccounts", opened, 2, id=identity, subaccountNumber=0),
    ):  # fmt: skip
        state.apply(received(text))
    assert state.exists is False
    assert json.loads('"OPEN"') == next(iter(state.orders)).status


@pytest.mark.parametrize(
    ("changed", "rebuilt"),
    [
        (set(), set()),
        ({Section.STREAM}, set()),
        ({Section.ORDERS}, {"orders"}),
        ({Section.TRANSFERS}, {"transfers"}),
        ({Section.MARKETS}, {"positions", "pnl", "markets"}),
        ({Section.FILLS}, {"orders", "fills", "positions", "pnl", "markets"}),
    ],
)
def test_a_snapshot_shares_what_the_changed_sections_leave_alone(changed: set[Section], rebuilt: set[str]) -> None:
    state = ConsoleState(WATCHED)
    state.apply(FULL)
    state.apply(ev.MarketsRead((Market("BTC-USD", oracle_price=D(100)),), 0.0))
    first = snapshot_of(state, 0.0, 1)
    later = next_snapshot(state, first, 1.0, changed, revision=2)
    assert (later.revision, later.at) == (2, 1.0)
    for name in ("orders", "transfers", "positions", "pnl", "markets", "fills"):
        assert getattr(later, name) == getattr(first, name)
        if name not in rebuilt:
            assert getattr(later, name) is getattr(first, name)

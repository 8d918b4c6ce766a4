"""A node's figures stand beside the Indexer's, are never mixed into them, and give way to them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from builders import ADDRESS, START, balance, child, fill, position, version
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain import events as ev
from dydx_console.domain.chain import BlockHead
from dydx_console.domain.market import Market
from dydx_console.domain.nodeaccount import ToldAccount
from dydx_console.domain.position import Balance, ChildState, Position
from dydx_console.state.ages import DELAYED_S, PictureState
from dydx_console.state.console import ConsoleState, Section, Watched
from dydx_console.state.freshness import ChannelView
from dydx_console.state.nodeaccount import Absence
from dydx_console.state.snapshot import Snapshot, next_snapshot, snapshot_of
from dydx_console.views.compose import document_of
from dydx_console.views.documents import NetworkSection

D = Decimal
AT = 50.0
MARKETS = tuple(
    Market(
        ticker,
        oracle_price=D(price),
        initial_margin_fraction=D("0.05"),
        maintenance_margin_fraction=D("0.03"),
        tick_size=D(1),
    )
    for ticker, price in (("BTC-USD", "100"), ("ETH-USD", "10"))
)


def told(*rows: Position | Balance, number: int = 0, height: int = 200, **prices: str) -> ev.NodeAccountRead:
    """Return a reading of one subaccount; prices by the first letters of the ticker."""
    head = BlockHead(height, START + timedelta(seconds=height), "node.example:443", "dydx-testnet-4")
    state = child(*(replace(row, height=height, subaccount=number) for row in rows), number=number, height=height)
    by_ticker = {f"{name}-USD": D(price) for name, price in prices.items()}
    return ev.NodeAccountRead(ToldAccount(head, (state,), by_ticker), 1.0, AT)


def bare(size: str, market: str = "BTC-USD", **given: object) -> Position:
    """Return a position as a node knows it."""
    return position(size, market, entry_price=None, net_funding=None, **given)


def by_indexer(*children: ChildState) -> ConsoleState:
    """Return a state that the Indexer told an account of, at the hundredth block."""
    state = ConsoleState(Watched(ADDRESS, 0))
    state.apply(ev.MarketsRead(MARKETS, 1.0))
    state.apply(ev.FillsRead(ADDRESS, (fill("f", size="2", price="90"),), True, 1.0, 0, 1))
    state.apply(ev.FundingRead(ADDRESS, (), 1.0, 1.0))
    state.apply(ev.AccountSnapshot(version(1), ADDRESS, 0, None, True, children, (), 100))
    return state


def shown(state: ConsoleState) -> Snapshot:
    return snapshot_of(state, AT, 1)


def test_an_unchanged_size_keeps_its_cost_at_the_nodes_price() -> None:
    state = by_indexer(child(position("2", entry_price=D(90), net_funding=D(3)), balance("1000")))
    state.apply(told(bare("2"), balance("990"), BTC="110"))
    (view,) = shown(state).positions
    assert (view.position.net_size, view.position.entry_price, view.position.height) == (D(2), D(90), 200)
    assert (view.average_cost, view.oracle_price, view.unrealized_pnl) == (D(90), D(110), D(40))
    assert view.funding is not None
    assert shown(state).balances == (Balance(0, "USDC", D(990), 200),)
    margin = shown(state).margin
    assert margin is not None
    assert (margin.equity, margin.free_collateral) == (D(990) + 220, D(990) + 220 - 11)


def test_a_changed_size_has_neither_cost_nor_pnl_nor_funding() -> None:
    state = by_indexer(child(position("2"), balance("1000")))
    state.apply(told(bare("3"), bare("-1", "ETH-USD"), balance("-200"), BTC="110", ETH="10"))
    for view in shown(state).positions:
        assert (view.position.entry_price, view.average_cost, view.cost_basis) == (None, None, "VENUE")
        assert (view.unrealized_pnl, view.unrealized_fraction, view.funding) == (None, None, None)
        assert view.margin is not None
        assert view.margin.liquidation_price is not None


def test_a_price_that_the_node_does_not_tell_is_unknown_and_not_the_indexers() -> None:
    state = by_indexer(child(position("2"), balance("1000")))
    state.apply(told(bare("2"), balance("1000")))
    snapshot = shown(state)
    assert [view.oracle_price for view in snapshot.positions] == [None]
    assert snapshot.margin is not None
    assert snapshot.margin.equity is None
    # the markets themselves stay the Indexer's
    assert snapshot.markets["BTC-USD"].oracle_price == D(100)


def test_a_market_that_the_indexer_never_described_makes_the_margin_unknown() -> None:
    state = ConsoleState(Watched(ADDRESS, 0))
    state.apply(told(bare("2"), balance("1000"), BTC="110"))
    snapshot = shown(state)
    (view,) = snapshot.positions
    assert (view.position.net_size, view.oracle_price, view.margin) == (D(2), D(110), None)
    assert snapshot.margin is not None
    assert (snapshot.margin.equity, snapshot.margin.margin_usage) == (None, None)
    assert snapshot.exists is True


def test_the_whole_accounts_equity_is_unknown_while_nobody_told_its_subaccounts() -> None:
    state = ConsoleState(Watched(ADDRESS, 0))
    state.apply(ev.MarketsRead(MARKETS, 1.0))
    state.apply(told(bare("2"), balance("1000"), BTC="110"))
    margin = shown(state).margin
    assert margin is not None
    assert (margin.equity, margin.free_collateral) == (None, D(1000) + 220 - 11)


sizes = st.sampled_from(["-2", "0.5", "1", "2"])
holdings = st.dictionaries(st.sampled_from(["BTC-USD", "ETH-USD"]), sizes, max_size=2)


@given(holdings, st.lists(st.tuples(st.sampled_from([0, 128]), holdings, st.integers(190, 210)), max_size=5), holdings)
def test_the_indexers_figures_are_what_they_would_be_without_a_node(
    before: dict[str, str], readings: list[tuple[int, dict[str, str], int]], after: dict[str, str]
) -> None:
    def rows(held: dict[str, str]) -> list[Position]:
        return [position(size, market) for market, size in held.items()]

    alone, beside = (by_indexer(child(*rows(before), balance("7"))) for _ in range(2))
    newest: dict[int, dict[str, str]] = {}
    height = 0
    for number, held, at_height in readings:
        taken = beside.apply(told(*rows(held), number=number, height=at_height, BTC="1", ETH="1"))
        assert bool(taken.sections) == (at_height >= height)
        if taken.sections:
            height, newest[number] = at_height, held
        assert shown(beside).fills == shown(alone).fills
        assert beside.holdings.positions == alone.holdings.positions
        assert beside.holdings.balances == alone.holdings.balances
        assert shown(beside).pnl == shown(alone).pnl
        assert {(v.position.subaccount, v.position.market): v.position.net_size for v in shown(beside).positions} == {
            (number, market): D(size) for number, held in newest.items() for market, size in held.items()
        }
    for state in (alone, beside):
        state.apply(ev.AccountRead(ADDRESS, 0, None, True, (child(*rows(after), height=300),), 1, 2.0, 2.0))
    beside.apply(ev.NodeAccountLeft(AT))
    assert shown(beside) == shown(alone)


def test_the_next_snapshot_has_the_other_source_at_once() -> None:
    state = by_indexer(child(position("2"), balance("1000")))
    first = shown(state)
    assert first.node_account is None
    changes = state.apply(told(bare("3"), BTC="110"))
    second = next_snapshot(state, first, AT, changes.sections, revision=2)
    assert second.node_account is not None
    assert second.node_account.height == 200
    assert second.positions[0].position.net_size == D(3)
    third = next_snapshot(state, second, AT, state.apply(ev.NodeAccountLeft(AT)).sections, revision=3)
    assert (third.node_account, third.positions) == (None, first.positions)


def test_failures_are_counted_and_told_once_in_a_row() -> None:
    state = by_indexer()
    first = state.apply(ev.NodeAccountFailed("no route", True, AT))
    again = state.apply(ev.NodeAccountFailed("no route", False, AT))
    assert ([problem.text for problem in first.problems], again.problems) == (["no route"], ())
    assert first.sections == {Section.NODE}
    assert state.node_account.failures == 2
    assert not state.node_account.stands_in


def test_the_figures_are_as_old_as_the_oldest_answer_that_weighs() -> None:
    state = by_indexer()
    state.apply(told(number=256, height=190))
    state.apply(told(bare("1"), number=128, height=195, BTC="1"))
    state.apply(told(bare("1"), number=0, height=200, BTC="1"))
    view = state.node_account.view(state.freshness, AT + 2)
    assert view is not None
    # no Indexer has told a time, so this machine's clock counted: a second then, and two since
    assert (view.height, view.age_s, view.state) == (195, 3.0, PictureState.POLLING)
    assert view.later(10.0).state is PictureState.STALE
    assert view.later(40.0).state is PictureState.OFFLINE


def test_the_age_goes_by_the_venues_clock_where_that_is_known() -> None:
    state = by_indexer()
    state.apply(ev.TimeRead(START + timedelta(seconds=210), AT, AT))
    state.apply(told(bare("1"), height=195, BTC="1"))
    view = state.node_account.view(state.freshness, AT + 2)
    assert view is not None
    assert view.age_s == 17.0
    assert view.state is PictureState.STALE


def test_the_document_names_the_source_of_balances_positions_and_account() -> None:
    state = by_indexer(child(position("2"), balance("1000")))
    state.apply(told(bare("2"), balance("990"), BTC="110"))
    section = NetworkSection(
        name="test", chain_id=None, environment=None, environment_from=None, confirmed=True, read_only=True, warnings=()
    )
    document = document_of(shown(state), section)
    for held in (document.sections.balances, document.sections.positions, document.account):
        assert (held.source, held.state, held.age_s) == ("NODE", "POLLING", 1.0)
    assert document.sections.orders.state == "SYNCING"
    state.apply(ev.NodeAccountLeft(AT))
    after = document_of(shown(state), section)
    assert {after.sections.balances.source, after.sections.positions.source, after.account.source} == {"INDEXER"}
    assert after.sections.positions.state == "SYNCING"


def channel(state: PictureState, age_s: float | None) -> tuple[ChannelView, ...]:
    return (ChannelView(ev.ChannelKey("v4_parent_subaccounts", f"{ADDRESS}/0"), state, age_s, 1),)


@pytest.mark.parametrize(
    ("state", "age_s", "is_absent"),
    [
        (PictureState.LIVE, 1.0, False),
        (PictureState.POLLING, 4.0, False),
        (PictureState.DELAYED, 9.0, False),
        (PictureState.CHAIN_HALTED, 60.0, False),
        (PictureState.STALE, 11.0, True),
        (PictureState.OFFLINE, 40.0, True),
        (PictureState.OFFLINE, 0.5, True),
        (PictureState.SUSPECT, 1.0, False),
        (PictureState.SUSPECT, 11.0, True),
        (PictureState.SYNCING, None, False),
    ],
)
def test_what_makes_the_indexer_absent_at_first_sight(
    state: PictureState, age_s: float | None, is_absent: bool
) -> None:
    assert Absence().look(channel(state, age_s), AT) is is_absent


@pytest.mark.parametrize("channels", [(), channel(PictureState.SYNCING, None), channel(PictureState.SUSPECT, 1.0)])
def test_what_has_been_of_no_use_for_ten_seconds_is_absent(channels: tuple[ChannelView, ...]) -> None:
    absence = Absence()
    assert not absence.look(channel(PictureState.LIVE, 0.1), AT)
    assert not absence.look(channels, AT + DELAYED_S)
    assert absence.look(channels, AT + DELAYED_S + 0.1)
    assert not absence.look(channel(PictureState.LIVE, 0.1), AT + 11)


def test_an_edge_is_not_crossed_to_and_fro() -> None:
    absence = Absence()
    assert absence.look(channel(PictureState.STALE, 10.2), AT)
    assert absence.look(channel(PictureState.DELAYED, 9.5), AT + 1)
    assert absence.look(channel(PictureState.SYNCING, None), AT + 2)
    assert not absence.look(channel(PictureState.DELAYED, 4.9), AT + 3)
    assert not absence.look(channel(PictureState.DELAYED, 9.5), AT + 4)

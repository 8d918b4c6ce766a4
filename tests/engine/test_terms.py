"""Chosen leverages and fees: the chain's where a node tells them, else the configuration's, else none."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from builders import ADDRESS, D, balance, child, position
from engine.engine_help import is_live, started, until
from venue_node.fake_node import CHAIN_ID, Failure, FakeNode, grpc, running
from venues import decision_for, exchange, network_of

from dydx_console.cli.preflighting import demo_plan
from dydx_console.domain import events as ev
from dydx_console.domain.chain import ChosenLeverage, FeeTier
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.market import Market
from dydx_console.engine.child import SimUrls
from dydx_console.engine.compose import live_engine
from dydx_console.engine.gate import Gate
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.runtime import Engine
from dydx_console.engine.terms import TermsKeeper
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.network import NetworkView
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.snapshot import Snapshot
from dydx_console.venue.node.client import NodeClient

FRACTIONS = {"initial_margin_fraction": D("0.05"), "maintenance_margin_fraction": D("0.03")}
MARKETS = (
    Market("BTC-USD", "0", oracle_price=D(100), **FRACTIONS),
    Market("ETH-USD", "1", oracle_price=D(100), **FRACTIONS),
)
BTC, ETH = PositionKey(0, "BTC-USD"), PositionKey(0, "ETH-USD")


@dataclass
class Desk:
    """An account with two positions and the keeper that asks a node."""

    node: FakeNode
    state: ConsoleState = field(default_factory=lambda: ConsoleState(Watched(ADDRESS)))

    def __post_init__(self) -> None:
        self.state.leverages.configured = {"BTC-USD": D(4), "ETH-USD": D(5)}
        held = (position("1"), position("1", "ETH-USD"), balance("1000"))
        self.state.apply(ev.AccountRead(ADDRESS, 0, None, True, (child(*held, height=5),), 0, 1.0, 1.0))
        self.state.apply(ev.MarketsRead(MARKETS, 1.0))

    def selected(self) -> dict[PositionKey, Decimal]:
        margin = self.state.margin()
        assert margin is not None
        return {key: own.selected_leverage for key, own in margin.positions.items()}

    async def read(self) -> bool:
        client = NodeClient((self.node.url,), SystemClock(), "test/1")
        keeper = TermsKeeper(
            Watched(ADDRESS), client, self.state, self.state.apply, chain_id=CHAIN_ID, clock=SystemClock()
        )
        try:
            return await keeper.read()
        finally:
            await client.close()


async def test_the_chains_choice_stands_over_the_configuration_and_stays() -> None:
    node = FakeNode()
    async with running(node):
        desk = Desk(node)
        assert desk.selected() == {BTC: 4, ETH: 5}
        assert desk.state.fee_tier is None
        assert await desk.read()
        assert desk.selected() == {BTC: 20, ETH: 10}, "nothing was chosen for BTC on the chain: 1 ÷ base"
        assert desk.state.fee_tier is not None
        assert (desk.state.fee_tier.name, desk.state.fee_tier.maker_fee_ppm) == ("3", -110)
        node.failures["*"] = Failure(grpc.StatusCode.INTERNAL)
        assert not await desk.read()
        assert desk.selected() == {BTC: 20, ETH: 10}


async def test_a_node_of_before_leverages_leaves_it_to_the_configuration_with_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    node = FakeNode(knows_leverage=False)
    async with running(node):
        desk = Desk(node)
        with caplog.at_level(logging.INFO, "dydx_console.engine.terms"):
            assert await desk.read(), "it will not know it in a minute either"
        assert desk.selected() == {BTC: 4, ETH: 5}
        assert desk.state.fee_tier is not None
    (line,) = caplog.messages
    assert "no node tells the leverages that were chosen" in line
    assert line.endswith("those of the configuration count")


async def test_a_node_of_another_chain_tells_nothing() -> None:
    node = FakeNode(chain_id="dydx-mainnet-1")
    async with running(node):
        desk = Desk(node)
        assert not await desk.read()
        assert desk.selected() == {BTC: 4, ETH: 5}
        assert desk.state.fee_tier is None
        assert "Leverage" not in node.asked


def test_a_choice_for_a_market_that_is_not_known_yet_waits_for_it() -> None:
    state = ConsoleState(Watched(ADDRESS))
    state.apply(ev.LeveragesRead(ADDRESS, 0, (ChosenLeverage(1, 200_000), ChosenLeverage(77, 500_000)), 1.0))
    assert state.leverages.selected(0, state.markets.all) == {}
    state.apply(ev.MarketsRead((replace(MARKETS[1], clob_pair_id=None),), 1.0))
    assert state.leverages.selected(0, state.markets.all) == {}
    state.apply(ev.MarketsRead(MARKETS, 2.0))
    assert state.leverages.selected(0, state.markets.all) == {ETH: 5}


def test_another_owners_choice_changes_nothing() -> None:
    state = ConsoleState(Watched(ADDRESS))
    assert not state.apply(ev.LeveragesRead("dydx1other", 0, (), 1.0)).sections
    assert not state.apply(ev.LeveragesRead(ADDRESS, 1, (), 1.0)).sections
    assert not state.apply(ev.FeeTierRead("dydx1other", FeeTier(0, "1", 1, 1), 1.0)).sections
    assert (state.leverages.is_told, state.fee_tier) == (False, None)


@pytest.fixture(scope="module")
def venue() -> Iterator[SimUrls]:
    with exchange("--leverage", "ETH-USD=3", "--leverage", "BTC-USD=7") as served:
        yield served


def engine_with(venue: SimUrls, **plan: Any) -> Engine:
    network = network_of(venue)
    decision = decision_for(network)
    view = NetworkView("test", network.kind, network.chain_id, None, None, confirmed=False, read_only=True)
    planned = LivePlan(network, venue.account, 0, **plan)
    return live_engine(planned, demo_plan(network, decision, venue.account), Gate(decision), view)


def chosen_in(shown: Snapshot) -> dict[str, Decimal | None]:
    """Return the leverage of the parent's own positions by market, of those whose margin is known."""
    return {v.position.market: v.margin.selected_leverage for v in shown.positions
            if v.margin is not None and v.position.subaccount == 0}  # fmt: skip


def test_the_whole_way_from_the_simulated_node_to_the_position(venue: SimUrls) -> None:
    with started(engine_with(venue, leverage={"ETH-USD": D(2)})) as engine:
        shown = until(engine, lambda s: is_live(s) and s.fee_tier is not None and chosen_in(s))
        chosen = chosen_in(shown)
        assert shown.fee_tier is not None
        assert shown.fee_tier.name == "6"
        expected = {"ETH-USD": Decimal(1_000_000) / 333_333, "BTC-USD": Decimal(1_000_000) / 142_857}
        assert all(abs(times - expected[market]) < D("1e-20") for market, times in chosen.items() if market in expected)

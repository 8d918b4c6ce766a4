"""Laws of liquidation under random trading and random shocks: no money lost, nobody below zero, every flow named."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sim_help import NOW, USDC

from dydx_console.sim.core.accounts import Subaccount
from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.deleveraging import bankruptcy_quote
from dydx_console.sim.core.events import Block, Event
from dydx_console.sim.core.exchange import ChainOptions, Exchange
from dydx_console.sim.core.fees import TIER_9
from dydx_console.sim.core.insurance import CROSS_FUND
from dydx_console.sim.core.markets import MARKETS, Market
from dydx_console.sim.core.orders import SHORT_TERM, Order, OrderId, Place, Side, SubaccountId, TimeInForce, Transfer
from dydx_console.sim.indexer.rows import FillType
from dydx_console.sim.indexer.service import Indexer
from dydx_console.sim.indexer.text import plus, times

BTC, ETH, _, EIGEN = MARKETS
CHILD = 128
FUNDS = {"none": {}, "small": {CROSS_FUND: 40 * USDC, "insurance_fund:300": 40 * USDC}, "large": None}

TRADE = st.fixed_dictionaries(
    {
        "who": st.integers(0, 4),
        "side": st.sampled_from(Side),
        "dollars": st.integers(100, 60_000),
        "ppm": st.integers(-12_000, 12_000),
        "ioc": st.booleans(),
        "market": st.integers(0, 1),
    }
)
STEP = st.one_of(
    TRADE.map(lambda v: ("trade", v)),
    TRADE.map(lambda v: ("trade", v)),
    TRADE.map(lambda v: ("trade", v)),
    st.tuples(st.integers(0, 1), st.integers(-400_000, 400_000)).map(lambda v: ("shock", v)),
    st.tuples(st.integers(0, 1), st.integers(-15_000, 15_000)).map(lambda v: ("shock", v)),
)


@dataclass
class Crowd:
    """Four traders with 1,000 USDC each and a fifth with a hundred times as much, on one or two markets."""

    markets: tuple[Market, ...]
    insurance: dict[str, int] | None

    def __post_init__(self) -> None:
        number = CHILD if self.markets[0].isolated else 0
        self.traders = tuple(SubaccountId(address_of(f"trader {n}"), number) for n in range(5))
        options = {"funding_speedup": 3_600, "fee_tiers": {self.traders[1].owner: TIER_9}}
        if self.insurance is not None:
            options["insurance"] = self.insurance
        self.exchange = Exchange(ChainOptions(**options), NOW)
        self.indexer = Indexer(MARKETS, self.exchange.height, NOW, 3_600)
        self.start = dict(self.exchange.state.insurance.balances)
        self.clients = 0
        self.now = NOW
        for n, trader in enumerate(self.traders):
            usdc = 100_000 if n == 4 else 1_000
            self.exchange.submit(Transfer(address_of("bank"), trader, usdc * USDC), self.now)
        self.block()

    def block(self) -> list[Event]:
        self.now += self.exchange.block_ms
        self.exchange.advance(self.now)
        events = self.exchange.drain()
        self.indexer.consume(events, self.now)
        return events

    def step(self, kind: str, value: Any) -> list[Event]:
        if kind == "shock":
            market = self.markets[value[0] % len(self.markets)]
            self.exchange.set_oracle(market.market_id, self.moved(market, value[1]))
        else:
            self.exchange.submit(Place(self.order(value)), self.now)
        return self.block()

    def moved(self, market: Market, ppm: int) -> int:
        oracle, start = self.exchange.oracle_value(market), market.start_oracle_value
        return min(start * 4, max(start // 4, oracle + oracle * ppm // 1_000_000))

    def order(self, spec: dict[str, Any]) -> Order:
        market = self.markets[spec["market"] % len(self.markets)]
        oracle = self.exchange.oracle_value(market)
        self.clients += 1
        subticks = market.oracle_subticks(oracle + oracle * spec["ppm"] // 1_000_000)
        quantums = market.quantums_worth(oracle, spec["dollars"] * USDC) // market.step_base_quantums
        return Order(
            OrderId(self.traders[spec["who"]], self.clients, SHORT_TERM, market.clob_pair_id),
            spec["side"],
            max(1, quantums) * market.step_base_quantums,
            max(1, subticks // market.subticks_per_tick) * market.subticks_per_tick,
            good_til_block=self.exchange.height + 12,
            time_in_force=TimeInForce.IOC if spec["ioc"] else TimeInForce.UNSPECIFIED,
        )

    def check_money(self) -> None:
        state, accounts = self.exchange.state, self.exchange.state.accounts
        held = sum(account.usdc_quantums for account in accounts.all())
        assert accounts.insured == state.insurance.total
        assert held + accounts.collected_fees + accounts.funding_pool + accounts.insured == accounts.net_deposits
        for market in MARKETS:
            assert sum(accounts.position_quantums(a.id, market.perpetual_id) for a in accounts.all()) == 0
        flows: dict[str, int] = dict(self.start)
        for flow in state.insurance.flows:
            flows[flow.fund] = flows.get(flow.fund, 0) + flow.quote_quantums
        assert flows == state.insurance.balances
        assert min(flows.values(), default=0) >= 0

    def below_zero(self) -> list[Subaccount]:
        accounts = self.exchange.state.accounts
        return [account for account in accounts.all() if accounts.equity(account) < 0]

    def takers(self, account: Subaccount) -> list[SubaccountId]:
        """Who could take over a position of an account below zero."""
        accounts, found = self.exchange.state.accounts, []
        for perpetual, position in account.positions.items():
            market, sign = self.exchange.state.perpetuals[perpetual], 1 if position.quantums > 0 else -1
            for other in accounts.all():
                size = min(-sign * accounts.position_quantums(other.id, perpetual), abs(position.quantums))
                if size > 0:
                    quote = sign * bankruptcy_quote(accounts, account, market, -sign * size)
                    side = Side.BUY if sign > 0 else Side.SELL
                    found += [other.id] if accounts.can_trade(other.id, market, side, size, quote) else []
        return found

    def check_rows(self) -> None:
        """Every account's money is what its transfers, fills and funding say, and the funds' flows are its fees."""
        named: dict[SubaccountId, int] = {}
        for flow in self.exchange.insurance_flows():
            named[flow.subaccount] = named.get(flow.subaccount, 0) + flow.quote_quantums
        for subaccount, truth in self.exchange.truth().subaccounts:
            row = self.indexer.store.ensure(subaccount)
            expected = row.net_transfers
            for fill in row.fills:
                quote = -fill.quote_amount if fill.side == "BUY" else fill.quote_amount
                expected = plus(expected, plus(quote, -fill.fee))
                assert abs(times(fill.size, fill.price) - fill.quote_amount) <= Decimal("0.000001")
            for position in row.positions:
                expected = plus(expected, position.settled_funding)
            assert expected * USDC == row.usdc * USDC == truth.usdc_quantums
            paid = sum((fill.fee for fill in row.fills if fill.type is FillType.LIQUIDATED), Decimal(0))
            assert paid * USDC == named.get(subaccount, 0)
            assert {f.fee for f in row.fills if f.type in (FillType.DELEVERAGED, FillType.OFFSETTING)} <= {Decimal(0)}


@pytest.mark.parametrize("funds", FUNDS)
@pytest.mark.parametrize("market", [BTC, EIGEN], ids=lambda market: market.ticker)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEP, max_size=40))
def test_nobody_is_below_zero_and_no_quantum_is_lost(market: Market, funds: str, steps: list[tuple[str, Any]]) -> None:
    crowd = Crowd((market,), FUNDS[funds])
    for kind, value in steps:
        crowd.step(kind, value)
        crowd.check_money()
        assert crowd.below_zero() == []
    while crowd.exchange.state.pending_operations:
        crowd.block()
    crowd.check_rows()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(list(FUNDS)), st.lists(STEP, max_size=40))
def test_with_two_markets_only_those_stay_below_zero_whom_nobody_can_take(
    funds: str, steps: list[tuple[str, Any]]
) -> None:
    crowd = Crowd((BTC, ETH), FUNDS[funds])
    for kind, value in steps:
        crowd.step(kind, value)
        crowd.check_money()
        for account in crowd.below_zero():
            assert crowd.takers(account) == []
    assume(not crowd.below_zero())
    while crowd.exchange.state.pending_operations:
        crowd.block()
    crowd.check_rows()


def day(random: Random) -> list[tuple[str, Any]]:
    """Steps of a busy day: trades near the price, and now and then a small or a great shock."""
    steps: list[tuple[str, Any]] = []
    for _ in range(random.randint(20, 60)):
        if random.random() < 0.7:
            spec = {"who": random.randint(0, 4), "side": random.choice(list(Side)), "market": random.randint(0, 1)}
            reach = random.choice((12_000, 12_000, 80_000))
            spec |= {"dollars": random.randint(100, 60_000), "ppm": random.randint(-reach, reach)}
            steps.append(("trade", {**spec, "ioc": random.random() < 0.5}))
        else:
            widest = random.choice((15_000, 400_000))
            steps.append(("shock", (random.randint(0, 1), random.randint(-widest, widest))))
    return steps


@pytest.mark.parametrize("funds", FUNDS)
def test_busy_days_know_every_kind_of_fill(funds: str) -> None:
    kinds: set[FillType] = set()
    flows: set[bool] = set()
    for seed in range(60):
        crowd = Crowd((EIGEN,) if seed % 2 else (BTC,), FUNDS[funds])
        for kind, value in day(Random(seed)):
            crowd.step(kind, value)
            assert crowd.below_zero() == []
        while crowd.exchange.state.pending_operations:
            crowd.block()
        crowd.check_money()
        crowd.check_rows()
        kinds |= {fill.type for row in crowd.indexer.store.subaccounts.values() for fill in row.fills}
        flows |= {flow.quote_quantums > 0 for flow in crowd.exchange.insurance_flows()}
    assert kinds == set(FillType)
    assert flows == {True, False} if funds != "none" else True in flows


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, max_size=40))
def test_the_same_trades_and_shocks_tell_the_same_story(steps: list[tuple[str, Any]]) -> None:
    stories: list[list[Event]] = []
    for _ in range(2):
        crowd = Crowd((BTC, ETH), {})
        stories.append([event for kind, value in steps for event in crowd.step(kind, value)])
    assert stories[0] == stories[1]
    assert sum(isinstance(event, Block) for event in stories[0]) == len(steps)

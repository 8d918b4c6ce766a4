"""Laws that hold whatever the traders do: money, sizes, the book, and what the Indexer says against the truth."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sim_help import NOW, USDC

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.exchange import ChainOptions, Exchange
from dydx_console.sim.core.fees import TIER_9
from dydx_console.sim.core.orders import (
    CONDITIONAL,
    LONG_TERM,
    SHORT_TERM,
    Cancel,
    ConditionType,
    Order,
    OrderId,
    Place,
    Side,
    SubaccountId,
    TimeInForce,
    Transfer,
)
from dydx_console.sim.indexer.comlink import Comlink
from dydx_console.sim.indexer.service import Indexer

TRADERS = tuple(SubaccountId(address_of(f"trader {n}"), n % 2 * 128) for n in range(4))
POOR = 3_000 * USDC

PLACE = st.fixed_dictionaries(
    {
        "who": st.integers(0, 3),
        "side": st.sampled_from(Side),
        "size": st.integers(1, 2_000),
        "price": st.integers(63_700, 64_300),
        "client": st.integers(0, 12),
        "life": st.integers(1, 12),
        "flags": st.sampled_from([SHORT_TERM, SHORT_TERM, SHORT_TERM, LONG_TERM, CONDITIONAL]),
        "tif": st.sampled_from([TimeInForce.UNSPECIFIED, TimeInForce.IOC, TimeInForce.POST_ONLY]),
        "reduce_only": st.booleans(),
        "market": st.integers(0, 1),
    }
)
CANCEL = st.tuples(st.integers(0, 30), st.integers(0, 20))
MOVE = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 500))
STEP = st.one_of(
    PLACE.map(lambda v: ("place", v)),
    PLACE.map(lambda v: ("place", v)),
    CANCEL.map(lambda v: ("cancel", v)),
    MOVE.map(lambda v: ("move", v)),
    st.integers(63_000, 65_000).map(lambda v: ("block", v)),
)


def order_from(exchange: Exchange, spec: dict[str, Any]) -> Order:
    market = exchange.options.markets[spec["market"]]
    flags = spec["flags"]
    scale = 1 if spec["market"] == 0 else 30_000
    ticks = spec["price"] if scale == 1 else spec["price"] * 30_000 // 64_000
    stateful = flags != SHORT_TERM
    trigger = ticks * market.subticks_per_tick if flags == CONDITIONAL else 0
    return Order(
        id=OrderId(TRADERS[spec["who"]], spec["client"], flags, market.clob_pair_id),
        side=spec["side"],
        quantums=spec["size"] * market.step_base_quantums,
        subticks=ticks * market.subticks_per_tick,
        good_til_block=None if stateful else exchange.height + spec["life"],
        good_til_block_time_s=exchange.time_ms // 1000 + spec["life"] if stateful else None,
        time_in_force=spec["tif"],
        reduce_only=spec["reduce_only"] and spec["tif"] is TimeInForce.IOC,
        condition=ConditionType.STOP_LOSS if trigger else ConditionType.UNSPECIFIED,
        trigger_subticks=trigger,
    )


class Model:
    """Drives an exchange by generated steps and checks after each."""

    def __init__(self) -> None:
        options = ChainOptions(
            funding_speedup=3_600,
            fee_tiers={TRADERS[1].owner: TIER_9},
            unlimited_owners=frozenset(t.owner for t in TRADERS),
        )
        self.exchange = Exchange(options, NOW)
        self.indexer = Indexer(options.markets, self.exchange.height, NOW, 3_600)
        self.orders: list[Order] = []
        self.believed_gone: set[OrderId] = set()
        self.now = NOW
        for trader in TRADERS:
            self.exchange.submit(Transfer(address_of("bank"), trader, POOR), self.now)
        self.block(64_000)

    def block(self, price: int) -> None:
        self.exchange.set_oracle(0, price * 100_000)
        self.now += self.exchange.block_ms
        self.exchange.advance(self.now)

    def step(self, kind: str, value: Any) -> None:
        if kind == "block":
            self.block(value)
        elif kind == "place":
            order = order_from(self.exchange, value)
            self.orders.append(order)
            self.exchange.submit(Place(order), self.now)
        elif kind == "cancel" and self.orders:
            order = self.orders[value[0] % len(self.orders)]
            limit = None if order.good_til_block is None else self.exchange.height + value[1]
            if self.exchange.submit(Cancel(order.id, limit, order.good_til_block_time_s), self.now).ok:
                # A cancel with a lower good-til-block leaves the order alive; the Indexer is told otherwise.
                self.believed_gone.add(order.id)
        elif kind == "move":
            self.exchange.submit(Transfer(TRADERS[value[0]], TRADERS[value[1]], value[2] * USDC), self.now)
        self.indexer.consume(self.exchange.drain(), self.now)

    def check(self) -> None:
        state = self.exchange.state
        accounts = state.accounts
        held = sum(account.usdc_quantums for account in accounts.all())
        insured = state.insurance.total
        assert held + accounts.collected_fees + accounts.funding_pool + insured == accounts.net_deposits
        for market in self.exchange.options.markets:
            sizes = [accounts.position_quantums(a.id, market.perpetual_id) for a in accounts.all()]
            assert sum(sizes) == 0
            assert accounts.open_interest[market.perpetual_id] == sum(size for size in sizes if size > 0)
            book = state.books[market.clob_pair_id]
            assert not book.crossed
            for side in (book.bids, book.asks):
                totals: dict[int, int] = {}
                for resting in book.resting():
                    if book.side(resting.order.side) is side:
                        assert resting.remaining_quantums == state.remaining(resting.order) > 0
                        totals[resting.order.subticks] = (
                            totals.get(resting.order.subticks, 0) + resting.remaining_quantums
                        )
                assert dict(side.levels()) == totals
        for row in self.indexer.store.markets.values():
            book = state.books[row.market.clob_pair_id]
            assert {p: level.quantums for p, level in row.bids.items()} == dict(book.bids.levels())
            assert {p: level.quantums for p, level in row.asks.items()} == dict(book.asks.levels())

    def check_indexer(self) -> None:
        """After a block with nothing in flight, REST tells the truth of the chain."""
        comlink = Comlink(self.indexer.store)
        for subaccount, truth in self.exchange.truth().subaccounts:
            path = f"/v4/addresses/{subaccount.owner}/subaccountNumber/{subaccount.number}"
            body: Any = comlink.fetch(path, self.now).json()
            positions = body["subaccount"]["openPerpetualPositions"]
            sizes = {t: self.exchange.market(t).quantums(Decimal(p["size"])) for t, p in positions.items()}
            assert sizes == dict(truth.positions)
            row = self.indexer.store.subaccount(subaccount.owner, subaccount.number)
            assert row is not None
            assert row.usdc * USDC == truth.usdc_quantums
            account = self.exchange.state.accounts.get(subaccount)
            assert account is not None
            due = sum(self.exchange.state.accounts.unsettled_funding(p, i) for i, p in account.positions.items())
            shown = self.indexer.store.usdc_with_funding(row) * USDC
            assert abs(shown - (truth.usdc_quantums - due)) <= len(account.positions)
            fills = sum((f.size if f.side == "BUY" else -f.size) for f in row.fills if f.market.ticker == "BTC-USD")
            assert fills == self.exchange.market("BTC-USD").size(dict(truth.positions).get("BTC-USD", 0))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, max_size=80))
def test_money_sizes_books_and_the_indexers_word(steps: list[tuple[str, Any]]) -> None:
    model = Model()
    for kind, value in steps:
        model.step(kind, value)
        model.check()
    model.step("block", 64_000)
    model.step("block", 64_000)
    if not model.exchange.state.pending_operations:
        model.check_indexer()
    working = {order.id for order, _ in model.exchange.truth().working}
    listed = {
        order.id
        for row in model.indexer.store.subaccounts.values()
        for order_id, order in row.cached_orders.items()
        if order_id not in model.indexer.store.orders or model.indexer.store.orders[order_id].status != "FILLED"
    }
    untriggered = {order.id for order in model.exchange.state.untriggered.values()}
    assert (listed | untriggered) - working == set()
    assert working - (listed | untriggered) <= model.believed_gone


@settings(max_examples=25, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_the_same_steps_give_the_same_events(steps: list[tuple[str, Any]]) -> None:
    traces = []
    for _ in range(2):
        model = Model()
        events = []
        for kind, value in steps:
            if kind == "block":
                model.block(value)
            elif kind == "place":
                model.exchange.submit(Place(order_from(model.exchange, value)), model.now)
            events += model.exchange.drain()
        traces.append(events)
    assert traces[0] == traces[1]

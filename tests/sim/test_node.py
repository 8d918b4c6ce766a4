"""The node's queries over real gRPC with the chain's own stubs, against what the exchange knows."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim_help import BUY, NOW, SELL, USDC
from test_process import client_script, end, start
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth
from v4_proto.cosmos.auth.v1beta1.auth_pb2 import BaseAccount
from v4_proto.cosmos.auth.v1beta1.query_pb2_grpc import QueryStub as AuthStub
from v4_proto.cosmos.bank.v1beta1 import query_pb2 as bank
from v4_proto.cosmos.bank.v1beta1.query_pb2_grpc import QueryStub as BankStub
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2_grpc import ServiceStub
from v4_proto.cosmos.tx.v1beta1.service_pb2 import GetBlockWithTxsRequest
from v4_proto.cosmos.tx.v1beta1.service_pb2_grpc import ServiceStub as TxStub
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.accountplus.query_pb2_grpc import QueryStub as AccountplusStub
from v4_proto.dydxprotocol.clob import query_pb2 as clob
from v4_proto.dydxprotocol.clob.query_pb2_grpc import QueryStub as ClobStub
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers
from v4_proto.dydxprotocol.feetiers.query_pb2_grpc import QueryStub as FeetiersStub
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals
from v4_proto.dydxprotocol.perpetuals.query_pb2_grpc import QueryStub as PerpetualsStub
from v4_proto.dydxprotocol.prices import query_pb2 as prices
from v4_proto.dydxprotocol.prices.query_pb2_grpc import QueryStub as PricesStub
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts
from v4_proto.dydxprotocol.subaccounts.query_pb2_grpc import QueryStub as SubaccountsStub
from websockets.asyncio.client import connect

from dydx_console.sim.core.addresses import address_of
from dydx_console.sim.core.events import Block, Event, OracleUpdated
from dydx_console.sim.core.fees import TIER_1, TIER_6
from dydx_console.sim.core.markets import MARKETS
from dydx_console.sim.core.orders import LONG_TERM, Order, OrderId, Place, SubaccountId, TimeInForce, Transfer
from dydx_console.sim.faults import NODE_VERSION, Faults
from dydx_console.sim.indexer.backlog import Backlog
from dydx_console.sim.node.encoding import header_time, serializable_int
from dydx_console.sim.shell.server import Served, running
from dydx_console.sim.venue import Venue, VenueOptions

QUICK = VenueOptions(history_hours=0, block_ms=50)
STRANGER = address_of("stranger")
ME = SubaccountId(VenueOptions().account, 0)
USDC_DENOM = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"


def plain_int(data: bytes) -> int:
    """A SerializableInt read back, written apart from the simulator's own."""
    assert data[0] in (2, 3)
    magnitude = int.from_bytes(data[1:], "big")
    return -magnitude if data[0] == 3 else magnitude


class Stubs:
    """The chain's stubs on one channel."""

    def __init__(self, channel: Any) -> None:
        self.service = ServiceStub(channel)
        self.auth = AuthStub(channel)
        self.bank = BankStub(channel)
        self.subaccounts = SubaccountsStub(channel)
        self.accountplus = AccountplusStub(channel)
        self.prices = PricesStub(channel)
        self.clob = ClobStub(channel)
        self.perpetuals = PerpetualsStub(channel)
        self.feetiers = FeetiersStub(channel)
        self.tx = TxStub(channel)

    async def block(self, height: int) -> Any:
        return await self.service.GetBlockByHeight(tendermint.GetBlockByHeightRequest(height=height))

    async def latest(self) -> Any:
        return (await self.service.GetLatestBlock(tendermint.GetLatestBlockRequest())).block.header

    async def info(self) -> Any:
        return await self.service.GetNodeInfo(tendermint.GetNodeInfoRequest())


@asynccontextmanager
async def node(url: object) -> AsyncIterator[Stubs]:
    async with grpc.aio.insecure_channel(str(url).removeprefix("http://")) as channel:
        yield Stubs(channel)


class Still:
    """A venue whose clock only the test turns."""

    def __init__(self, venue: Venue, served: Served, stubs: Stubs, hands: list[int]) -> None:
        self.venue, self.served, self.node, self._hands = venue, served, stubs, hands
        self.client_ids = count()

    @property
    def exchange(self) -> Any:
        return self.venue.exchange

    def block(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self._hands[0] = self.exchange.next_block_ms
            self.venue.advance(self._hands[0])


@asynccontextmanager
async def still(options: VenueOptions) -> AsyncIterator[Still]:
    hands = [NOW]
    venue = Venue(options, NOW)
    async with (
        running(options, clock=lambda: hands[0], venue=venue) as served,
        node(served.grpc_url) as stubs,
    ):
        yield Still(venue, served, stubs, hands)


@contextmanager
def refused(code: grpc.StatusCode, text: str) -> Iterator[None]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        yield
    assert (error.value.code(), error.value.details()) == (code, text)


def header_ms(time: Any) -> int:
    return int(time.seconds) * 1_000 + int(time.nanos) // 1_000_000


@pytest.mark.parametrize(
    ("value", "data"),
    [(0, "02"), (1, "0201"), (-1, "0301"), (255, "02ff"), (256, "020100"), (-(2**64), "03010000000000000000")],
)
def test_integers_of_the_chain(value: int, data: str) -> None:
    assert serializable_int(value).hex() == data


@given(st.integers(-(2**200), 2**200))
def test_integers_of_the_chain_read_back(value: int) -> None:
    data = serializable_int(value)
    assert plain_int(data) == value
    assert data[1:2] != b"\0"


@given(st.integers(1, 10**7), st.integers(0, 4 * 10**12))
def test_a_header_has_the_milliseconds_that_the_indexer_tells(height: int, time_ms: int) -> None:
    time = header_time(height, time_ms)
    assert time["seconds"] * 1_000 + time["nanos"] // 1_000_000 == time_ms
    assert 0 <= time["nanos"] < 10**9


@given(st.lists(st.lists(st.booleans(), max_size=6), max_size=30), st.integers(0, 5))
def test_a_backlog_keeps_order_and_trails_by_exactly_its_lag(turns: list[list[bool]], lag: int) -> None:
    backlog, height, told, passed = Backlog(), 0, list[Event](), list[Event]()
    for turn in turns:
        events: list[Event] = []
        for is_block in turn:
            height += is_block
            events.append(Block(height, 0, ()) if is_block else _memory(len(told) + len(events)))
        told += events
        passed += backlog.delay(events, height, lag)
        assert passed == told[: len(passed)]
        blocks = [event.height for event in passed if isinstance(event, Block)]
        assert blocks == list(range(1, max(0, height - lag) + 1))
    assert passed + backlog.delay([], height, 0) == told


def _memory(mark: int) -> Any:
    """Stands for something that a node's memory told between blocks."""
    return OracleUpdated(mark, mark)


async def test_the_node_says_what_it_is() -> None:
    async with still(QUICK) as venue:
        info = await venue.node.info()
        assert info.default_node_info.network == "dydx-sim-1"
        assert info.application_version.version == NODE_VERSION
        assert info.application_version.app_name == "dydxprotocold"
        assert len(info.default_node_info.default_node_id) == 40
        assert not (await venue.node.service.GetSyncing(tendermint.GetSyncingRequest())).syncing
        assert venue.served.facts()["grpc"] == venue.served.grpc_url
        assert venue.served.facts()["chain_id"] == "dydx-sim-1"
        with refused(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"):
            await venue.node.tx.GetBlockWithTxs(GetBlockWithTxsRequest())


async def test_blocks_are_those_of_the_exchange() -> None:
    async with still(replace(QUICK, chain_id="dydx-testnet-4")) as venue:
        venue.block(3)
        latest = await venue.node.service.GetLatestBlock(tendermint.GetLatestBlockRequest())
        height = venue.exchange.height
        assert (latest.block.header.height, latest.block.header.chain_id) == (height, "dydx-testnet-4")
        assert header_ms(latest.block.header.time) == venue.exchange.time_ms
        assert latest.block.header.time.nanos % 1_000_000, "a real header has more digits than the Indexer tells"
        same = await venue.node.block(height)
        assert same.SerializeToString() == latest.SerializeToString()
        before = await venue.node.block(height - 1)
        assert latest.block.header.last_block_id == before.block_id
        assert len(before.block_id.hash) == 32
        assert before.block_id.hash != same.block_id.hash
        assert len(latest.block.header.proposer_address) == 20
        assert latest.sdk_block.header.proposer_address.startswith("dydxvalcons1")
        assert latest.sdk_block.header.time == latest.block.header.time


async def test_heights_that_the_node_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dydx_console.sim.core.exchange.KEPT_BLOCK_TIMES", 5)
    async with still(QUICK) as venue:
        venue.block(20)
        height = venue.exchange.height
        lowest = height - 4
        assert (await venue.node.block(lowest)).block.header.height == lowest
        pruned = f"height {lowest - 1} is not available, lowest height is {lowest}"
        with refused(grpc.StatusCode.UNKNOWN, pruned):
            await venue.node.block(lowest - 1)
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "requested block height is bigger then the chain length"):
            await venue.node.block(height + 1)
        with refused(grpc.StatusCode.UNKNOWN, "height must be greater than 0, but got 0"):
            await venue.node.block(0)


async def test_the_indexer_and_the_node_tell_one_time_per_block() -> None:
    async with (
        running(QUICK) as served,
        node(served.grpc_url) as stubs,
        httpx.AsyncClient(base_url=served.rest_url) as rest,
        connect(served.websocket_url) as websocket,
        asyncio.timeout(20),
    ):
        await websocket.send('{"type":"subscribe","channel":"v4_block_height"}')
        told: dict[int, str] = {}
        while len(told) < 8:
            contents = json.loads(await websocket.recv()).get("contents")
            if contents:
                told[int(contents.get("blockHeight") or contents["height"])] = contents["time"]
            head = (await rest.get("/v4/height")).json()
            assert told.setdefault(int(head["height"]), head["time"]) == head["time"]
        for height, text in told.items():
            time = (await stubs.block(height)).block.header.time
            assert time.ToJsonString()[:23] + "Z" == text


@pytest.mark.parametrize("asked", ["0", "last"])
async def test_an_answer_names_its_height(asked: str) -> None:
    async with still(QUICK) as venue:
        last = str(venue.exchange.height)
        metadata = (("x-cosmos-block-height", last if asked == "last" else asked),)
        call = venue.node.service.GetNodeInfo(tendermint.GetNodeInfoRequest(), metadata=metadata)
        assert ("x-cosmos-block-height", last) in tuple(await call.initial_metadata())
        assert (await call).default_node_info.network == "dydx-sim-1"


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (1, "cannot query with height in the future; please provide a valid height: invalid height"),
        (-1, "failed to load state at height {}; version does not exist (latest height: {}): not found"),
        (-9_999_999, "cannot query with height < 0; please provide a valid height: invalid request"),
        (None, 'Baseapp.RegisterGRPCServer: invalid height header "x": invalid request'),
    ],
)
async def test_older_state_is_refused_and_not_passed_off_as_the_present(offset: int | None, text: str) -> None:
    async with still(QUICK) as venue:
        last = venue.exchange.height
        asked = "x" if offset is None else str(last + offset)
        with refused(grpc.StatusCode.UNKNOWN, text.format(asked, last)):
            await venue.node.prices.AllMarketPrices(
                prices.QueryAllMarketPricesRequest(), metadata=(("x-cosmos-block-height", asked),)
            )


async def account(stubs: Stubs, address: str) -> Any:
    packed = (await stubs.auth.Account(auth.QueryAccountRequest(address=address))).account
    assert packed.type_url == "/cosmos.auth.v1beta1.BaseAccount"
    found = BaseAccount()
    assert packed.Unpack(found)
    return found


async def test_accounts_have_a_number_that_stays() -> None:
    async with still(QUICK) as venue:
        mine = await account(venue.node, ME.owner)
        assert (mine.address, mine.sequence) == (ME.owner, 0)
        with refused(grpc.StatusCode.NOT_FOUND, f"account {STRANGER} not found"):
            await account(venue.node, STRANGER)
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "Address cannot be empty"):
            await account(venue.node, "")
        with refused(grpc.StatusCode.UNKNOWN, "decoding bech32 failed: invalid checksum"):
            await account(venue.node, ME.owner[:-1] + "x")
        assert venue.served.submit(Transfer(ME, SubaccountId(STRANGER, 0), 5 * USDC)).ok
        with refused(grpc.StatusCode.NOT_FOUND, f"account {STRANGER} not found"):
            await account(venue.node, STRANGER)
        venue.block()
        theirs = await account(venue.node, STRANGER)
        assert theirs.account_number > mine.account_number
        assert (await account(venue.node, ME.owner)).account_number == mine.account_number


async def test_wallets_hold_what_was_withdrawn() -> None:
    async with still(QUICK) as venue:

        async def held() -> tuple[list[tuple[str, str]], str]:
            everything = await venue.node.bank.AllBalances(bank.QueryAllBalancesRequest(address=STRANGER))
            one = await venue.node.bank.Balance(bank.QueryBalanceRequest(address=STRANGER, denom=USDC_DENOM))
            return [(coin.denom, coin.amount) for coin in everything.balances], one.balance.amount

        assert await held() == ([], "0")
        assert venue.served.submit(Transfer(ME, STRANGER, 7 * USDC)).ok
        venue.block()
        assert await held() == ([(USDC_DENOM, "7000000")], "7000000")
        native = await venue.node.bank.Balance(bank.QueryBalanceRequest(address=STRANGER, denom="adydx"))
        assert (native.balance.denom, native.balance.amount) == ("adydx", "0")


def shape(subaccount: Any) -> tuple[int, dict[int, tuple[int, int]]]:
    """(USDC quantums, {perpetual: (quantums, funding index)}) of a subaccount message."""
    assert [position.asset_id for position in subaccount.asset_positions] in ([], [0])
    assert all(plain_int(position.quote_balance) == 0 for position in subaccount.perpetual_positions)
    positions = {
        position.perpetual_id: (plain_int(position.quantums), plain_int(position.funding_index))
        for position in subaccount.perpetual_positions
    }
    return sum(plain_int(position.quantums) for position in subaccount.asset_positions), positions


async def subaccount(stubs: Stubs, which: SubaccountId) -> Any:
    request = subaccounts.QueryGetSubaccountRequest(owner=which.owner, number=which.number)
    return (await stubs.subaccounts.Subaccount(request)).subaccount


async def test_subaccounts_are_those_of_the_last_block() -> None:
    options = VenueOptions(history_hours=2, funding_speedup=60)
    async with still(options) as venue:
        venue.block(5)
        tickers = {market.perpetual_id: market.ticker for market in MARKETS}
        truth = venue.exchange.truth().subaccounts
        every = await venue.node.subaccounts.SubaccountAll(subaccounts.QueryAllSubaccountRequest())
        told = {SubaccountId(s.id.owner, s.id.number): s for s in every.subaccount}
        assert set(told) == {which for which, _ in truth}
        assert any(held.positions for _, held in truth)
        for which, held in truth:
            usdc, positions = shape(told[which])
            assert usdc == held.usdc_quantums
            assert tuple(sorted((tickers[p], q) for p, (q, _) in positions.items())) == held.positions
        assert await subaccount(venue.node, ME) == told[ME]


async def test_funding_indices_are_those_that_positions_were_settled_up_to() -> None:
    """A node's memory and its last block say the same of everybody whom no waiting match concerns."""
    async with still(VenueOptions(history_hours=0, funding_speedup=1_800, trader=False)) as venue:
        compared, moved = 0, set[int]()
        for _ in range(12):
            venue.block()
            waiting = {e.subaccount for e in venue.exchange.state.pending_operations if hasattr(e, "subaccount")}
            for memory in venue.exchange.state.accounts.all():
                if memory.id in waiting:
                    continue
                _, positions = shape(await subaccount(venue.node, memory.id))
                held = {p: (position.quantums, position.funding_index) for p, position in memory.positions.items()}
                assert positions == held
                compared += len(held)
                moved |= {index for _, index in held.values()}
        assert compared > 50
        assert len(moved) > 4


async def test_a_subaccount_that_was_never_funded_is_empty_not_missing() -> None:
    async with still(QUICK) as venue:
        empty = await subaccount(venue.node, SubaccountId(STRANGER, 3))
        assert (empty.id.owner, empty.id.number, shape(empty)) == (STRANGER, 3, (0, {}))
        assert not empty.asset_positions


async def test_a_match_is_told_when_it_is_in_a_block() -> None:
    async with still(replace(QUICK, trader=False, makers=False)) as venue:
        btc = venue.exchange.market("BTC-USD")
        other = SubaccountId(STRANGER, 0)
        assert venue.served.submit(Transfer(ME, other, 5_000 * USDC)).ok
        venue.block()
        before = await subaccount(venue.node, ME)
        for who, side in ((other, SELL), (ME, BUY)):
            order_id = OrderId(who, 1, 0, btc.clob_pair_id)
            good_til = venue.exchange.height + 5
            order = Order(order_id, side, btc.step_base_quantums, 6_000_000_000, good_til_block=good_til)
            assert venue.served.submit(Place(order)).ok
        assert venue.exchange.position_quantums(other, btc) == -btc.step_base_quantums
        assert await subaccount(venue.node, ME) == before
        venue.block()
        after = shape(await subaccount(venue.node, other))
        index = venue.exchange.state.accounts.funding_indices[btc.perpetual_id]
        assert after[1] == {btc.perpetual_id: (-btc.step_base_quantums, index)}
        assert after[0] > 5_000 * USDC, "it sold"


async def test_prices_and_markets_are_those_of_the_exchange() -> None:
    async with still(VenueOptions(history_hours=1)) as venue:
        venue.block(3)
        exchange = venue.exchange
        every = (await venue.node.prices.AllMarketPrices(prices.QueryAllMarketPricesRequest())).market_prices
        assert {(p.id, p.exponent, p.price) for p in every} == {
            (m.market_id, m.oracle_exponent, exchange.oracle_value(m)) for m in MARKETS
        }
        one = await venue.node.prices.MarketPrice(prices.QueryMarketPriceRequest(id=1))
        assert one.market_price in every
        pairs = (await venue.node.clob.ClobPairAll(clob.QueryAllClobPairRequest())).clob_pair
        for pair, market in zip(pairs, MARKETS, strict=True):
            assert (
                pair == (await venue.node.clob.ClobPair(clob.QueryGetClobPairRequest(id=market.clob_pair_id))).clob_pair
            )
            assert pair.perpetual_clob_metadata.perpetual_id == market.perpetual_id
            assert (pair.step_base_quantums, pair.subticks_per_tick) == (
                market.step_base_quantums,
                market.subticks_per_tick,
            )
        found = (await venue.node.perpetuals.AllPerpetuals(perpetuals.QueryAllPerpetualsRequest())).perpetual
        for perpetual, market in zip(found, MARKETS, strict=True):
            assert (perpetual.params.ticker, perpetual.params.atomic_resolution) == (
                market.ticker,
                market.atomic_resolution,
            )
            held = [dict(s.positions).get(market.ticker, 0) for _, s in exchange.truth().subaccounts]
            assert sum(held) == 0
            assert plain_int(perpetual.open_interest) == sum(q for q in held if q > 0) > 0
            index = exchange.state.accounts.funding_indices[market.perpetual_id]
            assert plain_int(perpetual.funding_index) == index


async def test_what_does_not_exist_is_not_found() -> None:
    async with still(QUICK) as venue:
        with refused(grpc.StatusCode.NOT_FOUND, "not found"):
            await venue.node.prices.MarketPrice(prices.QueryMarketPriceRequest(id=77))
        with refused(grpc.StatusCode.NOT_FOUND, "not found"):
            await venue.node.clob.ClobPair(clob.QueryGetClobPairRequest(id=77))
        with refused(grpc.StatusCode.NOT_FOUND, "Perpetual id 77 not found."):
            await venue.node.perpetuals.Perpetual(perpetuals.QueryPerpetualRequest(id=77))
        with refused(grpc.StatusCode.INVALID_ARGUMENT, "invalid bech32 address"):
            await venue.node.feetiers.UserFeeTier(feetiers.QueryUserFeeTierRequest(user="dydx1nobody"))


async def test_fees_are_what_the_exchange_charges() -> None:
    async with still(QUICK) as venue:
        every = (await venue.node.feetiers.PerpetualFeeParams(feetiers.QueryPerpetualFeeParamsRequest())).params.tiers
        assert [tier.name for tier in every] == [str(n) for n in range(1, 10)]
        for who, tier in ((ME.owner, TIER_6), (STRANGER, TIER_1)):
            mine = await venue.node.feetiers.UserFeeTier(feetiers.QueryUserFeeTierRequest(user=who))
            assert (mine.tier.maker_fee_ppm, mine.tier.taker_fee_ppm) == (tier.maker_ppm, tier.taker_ppm)
            assert every[mine.index] == mine.tier
            assert venue.exchange.state.fees.tier(who) == tier


async def test_nobody_has_an_authenticator() -> None:
    async with still(QUICK) as venue:
        answer = await venue.node.accountplus.GetAuthenticators(accountplus.GetAuthenticatorsRequest(account=ME.owner))
        assert not answer.account_authenticators


async def test_block_rate_limits_are_those_that_refuse() -> None:
    async with still(replace(QUICK, makers=False, trader=False)) as venue:
        request = clob.QueryBlockRateLimitConfigurationRequest()
        config = (await venue.node.clob.BlockRateLimitConfiguration(request)).block_rate_limit_config
        assert not config.max_short_term_orders_per_n_blocks
        short = [(x.num_blocks, x.limit) for x in config.max_short_term_orders_and_cancels_per_n_blocks]
        stateful = [(x.num_blocks, x.limit) for x in config.max_stateful_orders_per_n_blocks]
        assert [blocks for blocks, _ in short] == [1]
        assert accepted(venue, 0, short[0][1] + 3) == short[0][1]
        (one, per_block), (many, per_many) = stateful
        assert one == 1
        taken = accepted(venue, LONG_TERM, per_block + 1)
        assert taken == per_block
        for _ in range(per_many):
            venue.block()
            taken += accepted(venue, LONG_TERM, 1)
        assert taken == per_many - 1, "the refused attempt counts too"
        venue.block(many)
        assert accepted(venue, LONG_TERM, 1) == 1


def accepted(venue: Still, flags: int, tries: int) -> int:
    """How many of some tiny orders of mine, far from the market, get through before the rate limit."""
    btc = venue.exchange.market("BTC-USD")
    taken = 0
    for _ in range(tries):
        order = Order(
            OrderId(ME, next(venue.client_ids), flags, btc.clob_pair_id),
            BUY,
            btc.step_base_quantums,
            1_000_000_000,
            good_til_block=None if flags else venue.exchange.height + 3,
            good_til_block_time_s=venue.exchange.time_ms // 1_000 + 3_600 if flags else None,
            time_in_force=TimeInForce.UNSPECIFIED,
        )
        answer = venue.served.submit(Place(order))
        assert answer.ok or answer.code == 5001
        taken += answer.ok
    return taken


async def test_equity_tiers_are_those_that_refuse() -> None:
    async with still(replace(QUICK, makers=False, trader=False)) as venue:
        request = clob.QueryEquityTierLimitConfigurationRequest()
        config = (await venue.node.clob.EquityTierLimitConfiguration(request)).equity_tier_limit_config
        tiers = [(plain_int(t.usd_tnc_required), t.limit) for t in config.stateful_order_equity_tiers]
        assert [limit for _, limit in tiers] == [0, 1, 5, 10, 100, 200]
        assert len(config.short_term_order_equity_tiers) == len(tiers)
        btc = venue.exchange.market("BTC-USD")
        for number, (required, limit) in enumerate(tiers[:3]):
            poor = SubaccountId(STRANGER, number)
            assert venue.served.submit(Transfer(ME, poor, max(1, required))).ok
            venue.block()
            answers = []
            for client in range(limit + 1):
                order = Order(
                    OrderId(poor, client, LONG_TERM, btc.clob_pair_id),
                    BUY,
                    btc.step_base_quantums,
                    1_000_000_000,
                    good_til_block_time_s=venue.exchange.time_ms // 1_000 + 3_600,
                )
                answers.append(venue.served.submit(Place(order)).code)
                venue.block()
            assert answers == [0] * limit + [10001]


async def test_faults_are_set_while_it_runs() -> None:
    async with still(QUICK) as venue:
        venue.venue.faults = Faults(node_catching_up=True, node_version="9.4.1")
        assert (await venue.node.service.GetSyncing(tendermint.GetSyncingRequest())).syncing
        assert (await venue.node.info()).application_version.version == "9.4.1"
        venue.venue.faults = Faults()
        assert not (await venue.node.service.GetSyncing(tendermint.GetSyncingRequest())).syncing


async def told_height(websocket: Any) -> int:
    """The height that the next update tells."""
    while True:
        frame = json.loads(await websocket.recv())
        if frame["type"] == "channel_data":
            return int(frame["contents"]["blockHeight"])


async def test_an_indexer_that_trails_says_what_was_so_then() -> None:
    lag = 4
    async with (
        still(replace(QUICK, faults=Faults(indexer_lag_blocks=lag))) as venue,
        httpx.AsyncClient(base_url=venue.served.rest_url) as rest,
        connect(venue.served.websocket_url) as websocket,
        asyncio.timeout(20),
    ):
        await websocket.send('{"type":"subscribe","channel":"v4_block_height"}')
        venue.block(3)
        for _ in range(3):
            venue.block()
            head = (await rest.get("/v4/height")).json()
            latest = await venue.node.latest()
            assert latest.height - int(head["height"]) == lag
            then = (await venue.node.block(int(head["height"]))).block.header.time
            assert then.ToJsonString()[:23] + "Z" == head["time"]
        heard = [await told_height(websocket)]
        assert heard[0] <= int(head["height"])
        venue.venue.faults = Faults()
        venue.block()
        head = (await rest.get("/v4/height")).json()
        assert int(head["height"]) == venue.exchange.height, "it catches up"
        while heard[-1] < venue.exchange.height:
            heard.append(await told_height(websocket))
        assert heard == list(range(heard[0], venue.exchange.height + 1)), "no block is left out"


PAGES = ("fills/parentSubaccountNumber", "orders/parentSubaccountNumber", "perpetualPositions/parentSubaccountNumber")


def test_a_trailing_indexer_is_in_the_state_of_then_and_the_market_is_the_same() -> None:
    lag = 5
    healthy = Venue(VenueOptions(history_hours=1), NOW)
    trailing = Venue(VenueOptions(history_hours=1, faults=Faults(indexer_lag_blocks=lag)), NOW)
    moment = NOW + 30_000
    healthy.advance(moment - 1)
    trailing.advance(moment - 1 + lag * 1_000)
    who = {"address": ME.owner, "parentSubaccountNumber": "0"}
    assert trailing.comlink.fetch("/v4/height", 0).json() == healthy.comlink.fetch("/v4/height", 0).json()
    for page in PAGES:
        then, now = (venue.comlink.fetch(f"/v4/{page}", moment, who).json() for venue in (healthy, trailing))
        assert now == then
    healthy.advance(moment - 1 + lag * 1_000)
    assert healthy.exchange.truth() == trailing.exchange.truth()


async def test_a_clock_that_is_off_takes_the_blocks_with_it() -> None:
    skew = -7_200_000
    async with still(replace(QUICK, faults=Faults(clock_skew_ms=0))) as venue:
        venue.block()
        assert venue.exchange.time_ms > NOW + skew
    options = replace(QUICK, faults=Faults(clock_skew_ms=skew))
    async with (
        running(options, clock=lambda: NOW) as served,
        node(served.grpc_url) as stubs,
        httpx.AsyncClient(base_url=served.rest_url) as rest,
    ):
        assert header_ms((await stubs.latest()).time) == served.venue.exchange.time_ms <= NOW + skew
        assert round((await rest.get("/v4/time")).json()["epoch"] * 1_000) == NOW + skew


async def test_the_node_can_be_left_out() -> None:
    async with running(QUICK, grpc_port=None) as served:
        assert served.grpc_url is None
        assert served.facts()["grpc"] is None


async def test_a_taken_port_is_an_error_and_no_port_is_shared() -> None:
    async with running(QUICK) as served:
        port = int(str(served.grpc_url).rsplit(":", 1)[1])
        with pytest.raises(OSError, match="use"):
            async with running(QUICK, grpc_port=port):
                pass
    async with running(QUICK, grpc_port=port) as again, node(again.grpc_url) as stubs:
        assert again.grpc_url == served.grpc_url
        before = again.venue.exchange.height
        assert before <= (await stubs.latest()).height <= again.venue.exchange.height


async def test_the_process_takes_faults_and_a_chain_id() -> None:
    process, line = start(
        *("--chain-id", "dydx-mainnet-1", "--indexer-lag-blocks", "3", "--node-catching-up"),
        *("--node-version", "9.4.1", "--clock-skew-ms", "-7200000"),
    )
    try:
        assert line["chain_id"] == "dydx-mainnet-1"
        async with node(line["grpc"]) as stubs, httpx.AsyncClient(base_url=line["rest"]) as rest:
            info = await stubs.info()
            assert info.default_node_info.network == "dydx-mainnet-1"
            assert info.application_version.version == "9.4.1"
            assert (await stubs.service.GetSyncing(tendermint.GetSyncingRequest())).syncing
            before = (await stubs.latest()).height
            told = int((await rest.get("/v4/height")).json()["height"])
            latest = await stubs.latest()
            assert before - 3 <= told <= latest.height - 3
            answer = await rest.get("/v4/time")
            assert abs(answer.json()["epoch"] - header_ms(latest.time) / 1_000) < 60
    finally:
        process.terminate()
    assert end(process) == (0, "", "")


def test_the_official_node_client(tmp_path: Any) -> None:
    process, line = start("--no-rate-limits")
    try:
        found = client_script("official_node.py", line, tmp_path)
    finally:
        process.terminate()
        said = end(process)
    failed = {name: outcome for name, outcome in found.items() if outcome != "ok"}
    assert failed == {}
    assert len(found) >= 18
    assert said == (0, "", "")

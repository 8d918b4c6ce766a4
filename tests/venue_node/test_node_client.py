"""The client against real gRPC servers on loopback: what is read, and what every way of failing becomes."""

import asyncio
import contextlib
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from v4_proto.cosmos.auth.v1beta1 import auth_pb2
from v4_proto.cosmos.base.query.v1beta1 import pagination_pb2
from v4_proto.dydxprotocol.prices import query_pb2 as prices_query
from venue_node.fake_node import (
    ADDRESS,
    CHAIN_ID,
    Failure,
    FakeNode,
    account_answer,
    block_time,
    certificate,
    closed_port,
    http_1,
    http_only,
    listening,
    running,
    served,
)

from dydx_console.domain.chain import Authenticator, BlockRateLimit, EquityTier, NodeAsset, NodePosition
from dydx_console.domain.nodeaccount import Perpetual
from dydx_console.domain.text import clean
from dydx_console.ports.clock import Clock, ManualClock, SystemClock
from dydx_console.ports.faults import FaultKind, FaultSource, VenueError
from dydx_console.ports.node import NodePort
from dydx_console.venue.node.channels import Channels, ClosedError
from dydx_console.venue.node.client import NodeClient, NodeOptions
from dydx_console.venue.node.endpoints import parse_endpoint
from dydx_console.venue.resilience.counters import FaultCounters

QUICK = NodeOptions(call_timeout_s=0.8, total_timeout_s=5.0)
TESTS = Path(__file__).parent.parent
GENEROUS_S = 10.0
"""No call of these tests takes this long, unless a deadline has been lost."""


@asynccontextmanager
async def client_of(
    *endpoints: str,
    options: NodeOptions | None = None,
    clock: Clock | None = None,
    counters: FaultCounters | None = None,
) -> AsyncIterator[NodeClient]:
    client = NodeClient(endpoints, clock or SystemClock(), "test/1", options, counters)
    try:
        yield client
    finally:
        await client.close()


async def failure_of(call: Awaitable[Any]) -> VenueError:
    with pytest.raises(VenueError) as caught:
        await call
    assert clean(caught.value.text) == caught.value.text != ""
    return caught.value


async def test_everything_that_the_port_promises_is_read_from_the_real_services() -> None:
    node = FakeNode(catching_up=True)
    async with running(node), client_of(node.url) as client:
        port: NodePort = client
        assert port.endpoints == (node.label,)
        info = await port.info()
        assert (info.endpoint, info.chain_id, info.version) == (node.label, CHAIN_ID, "9.6.1")
        assert await port.syncing() is True
        head = await port.latest_block()
        assert (head.height, head.time, head.source, head.chain_id) == (100, block_time(100), node.label, CHAIN_ID)
        assert (await port.block(98)).time == block_time(98)
        account = await port.account(ADDRESS)
        assert (account.number, account.sequence) == (17, 4)
        subaccount = await port.subaccount(ADDRESS, 0)
        assert subaccount.assets == (NodeAsset(0, 1_234_567_890),)
        assert subaccount.positions == (NodePosition(1, -25_000_000, -7, 0),)
        never_funded = await port.subaccount(ADDRESS, 128_000)
        assert (never_funded.number, never_funded.assets, never_funded.positions) == (128_000, (), ())
        assert [price.value for price in await port.oracle_prices()][:2] == [Decimal(100_000), Decimal("100000.00001")]
        limits = await port.block_rate_limits()
        assert limits.short_term_orders_and_cancels == (BlockRateLimit(5, 4000),)
        assert limits.stateful_orders == (BlockRateLimit(1, 2), BlockRateLimit(100, 20))
        assert (await port.equity_tier_limits()).stateful_orders[1] == EquityTier(Decimal(20), 1)
        assert (await port.fee_tier(ADDRESS)).maker_fee_ppm == -110
        (chosen,) = await port.leverages(ADDRESS, 0)
        assert (chosen.clob_pair_id, chosen.leverage) == (1, 10)
        assert await port.leverages(ADDRESS, 300) == ()
        assert await port.authenticators(ADDRESS) == (Authenticator(3, "AllOf", b"[]"),)
    assert len(node.peers) == 1, "one connection serves all calls"
    assert all(agent.startswith("test/1 ") for agent in node.user_agents)


async def test_a_node_of_before_leverages_refuses_and_another_one_is_asked() -> None:
    older, newer = FakeNode(version="8.1", knows_leverage=False), FakeNode()
    async with running(older, newer):
        async with client_of(older.url) as client:
            refused = await failure_of(client.leverages(ADDRESS, 0))
            assert refused.kind is FaultKind.REJECTED
            assert "does not offer the query" in refused.text
        async with client_of(older.url, newer.url) as client:
            assert [row.leverage for row in await client.leverages(ADDRESS, 0)] == [10]


@pytest.mark.parametrize(
    "answer", [b"\xff", b"\x0a\x7f", b"\x0a\x06\x08\x01\x10\xc1\x84\x3d"], ids=["no message", "cut off", "below 1"]
)
async def test_a_leverage_that_cannot_be_is_no_answer(answer: bytes) -> None:
    node = FakeNode(answers={"Leverage": answer})
    async with running(node), client_of(node.url) as client:
        assert (await failure_of(client.leverages(ADDRESS, 0))).kind is FaultKind.BAD_ANSWER


async def test_every_answer_is_asked_for_anew() -> None:
    node = FakeNode()
    async with running(node), client_of(node.url) as client:
        assert (await client.info()).chain_id == CHAIN_ID
        node.chain_id = "dydx-mainnet-1"
        assert (await client.info()).chain_id == "dydx-mainnet-1"
        assert (await client.latest_block()).chain_id == "dydx-mainnet-1"


@pytest.mark.parametrize("markets", [0, 1, 7, 8, 2345])
async def test_oracle_prices_are_read_to_the_last_page(markets: int) -> None:
    node = FakeNode(markets=markets, page_limit=7 if markets < 10 else 1000)
    async with running(node), client_of(node.url) as client:
        assert [price.market_id for price in await client.oracle_prices()] == list(range(markets))


@pytest.mark.parametrize("markets", [0, 1, 8])
async def test_perpetuals_are_read_to_the_last_page(markets: int) -> None:
    node = FakeNode(markets=markets, page_limit=7)
    async with running(node), client_of(node.url) as client:
        told = await client.perpetuals()
    assert told == tuple(Perpetual(one, f"M{one}-USD", 1000 + one, -9, -one) for one in range(markets))


async def test_pages_without_an_end_are_given_up() -> None:
    again = prices_query.QueryAllMarketPricesResponse(pagination=pagination_pb2.PageResponse(next_key=b"1"))
    node = FakeNode(answers={"AllMarketPrices": again})
    async with running(node), client_of(node.url) as client:
        error = await failure_of(client.oracle_prices())
    assert error.kind is FaultKind.BAD_ANSWER
    assert "no end" in error.text
    assert len(node.asked) <= 50


@pytest.mark.parametrize("height", [49, 101, 10**15, 0, -1, 2**63])
async def test_a_pruned_or_future_block_is_not_found_and_no_other_node_is_asked(height: int) -> None:
    node, other = FakeNode(), FakeNode(height=10**16, lowest_height=-1)
    async with running(node, other), client_of(node.url, other.url) as client:
        assert (await failure_of(client.block(height))).kind is FaultKind.NOT_FOUND
        assert other.asked == []
        assert (await client.block(49, other.label)).source == other.label


async def test_an_address_that_the_chain_never_saw_is_not_found() -> None:
    node, other = FakeNode(), FakeNode()
    async with running(node, other), client_of(node.url, other.url) as client:
        error = await failure_of(client.account("dydx1never"))
    assert (error.kind, error.endpoint, other.asked) == (FaultKind.NOT_FOUND, node.label, [])
    assert "dydx1never not found" in error.text


async def test_a_module_account_is_told_in_words_and_once() -> None:
    module = account_answer(auth_pb2.ModuleAccount(name="bridge"))
    node, other = FakeNode(answers={"Account": module}), FakeNode()
    async with running(node, other), client_of(node.url, other.url) as client:
        error = await failure_of(client.account(ADDRESS))
    assert (error.kind, other.asked) == (FaultKind.BAD_ANSWER, [])
    assert "module of the chain" in error.text


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(grpc.StatusCode.UNAVAILABLE, "shutting down"), FaultKind.UNREACHABLE),
        (Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down"), FaultKind.RATE_LIMITED),
        (Failure(grpc.StatusCode.INTERNAL, "panic"), FaultKind.SERVER),
        (Failure(grpc.StatusCode.UNKNOWN, "\x1b[2J\x07oh\r\nno"), FaultKind.SERVER),
        (Failure(grpc.StatusCode.UNIMPLEMENTED, "unknown service"), FaultKind.REJECTED),
        (Failure(grpc.StatusCode.PERMISSION_DENIED, "key needed"), FaultKind.REJECTED),
        (Failure(grpc.StatusCode.CANCELLED, "by the node"), FaultKind.SERVER),
        (Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "of the node's own"), FaultKind.TIMEOUT),
    ],
)
async def test_a_node_that_fails_is_named_alone_and_replaced_where_there_is_another(
    failure: Failure, kind: FaultKind
) -> None:
    node, other = FakeNode(failures={"*": failure}), FakeNode()
    async with running(node, other):
        async with client_of(node.url) as client:
            error = await failure_of(client.latest_block())
        assert (error.kind, error.endpoint) == (kind, node.label)
        async with client_of(node.url, other.url) as client:
            assert (await client.latest_block()).source == other.label
            alone = await failure_of(client.latest_block(node.label))
        assert (alone.kind, alone.endpoint) == (kind, node.label)
    assert other.asked == ["GetLatestBlock"]


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.OUT_OF_RANGE]
)
async def test_a_refusal_of_the_question_itself_is_final(code: grpc.StatusCode) -> None:
    node, other = FakeNode(failures={"Account": Failure(code, "decoding bech32 failed")}), FakeNode()
    async with running(node, other), client_of(node.url, other.url) as client:
        error = await failure_of(client.account("nonsense"))
    assert (error.kind, other.asked) == (FaultKind.REJECTED, [])
    assert "decoding bech32 failed" in error.text


@pytest.mark.parametrize("answer", [b"", b"\xff\xff\xff", b"\x0a\x02\x08\x01"])
async def test_an_answer_that_cannot_be_read_is_bad_and_the_next_node_is_asked(
    answer: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    node, other = FakeNode(answers={"GetLatestBlock": answer}), FakeNode()
    async with running(node, other), client_of(node.url, other.url) as client:
        assert (await failure_of(client.latest_block(node.label))).kind is FaultKind.BAD_ANSWER
        assert (await client.latest_block()).source == other.label
    assert "Traceback" not in capfd.readouterr().err


async def test_an_answer_beyond_the_limit_is_refused() -> None:
    node = FakeNode(markets=500)
    async with running(node), client_of(node.url, options=NodeOptions(max_answer_bytes=1000)) as client:
        error = await failure_of(client.oracle_prices())
        assert (await client.info()).chain_id == CHAIN_ID
    assert (error.kind, error.text) == (FaultKind.BAD_ANSWER, "the answer is too large")


async def test_a_full_block_comes_through_the_limit_of_the_library() -> None:
    node = FakeNode()
    # an unknown field of 5 MiB stands for the transactions; the library by itself would take 4
    node.answers["AllMarketPrices"] = b"\xfa\x01" + b"\x80\x80\xc0\x02" + bytes(5 << 20)
    async with running(node), client_of(node.url) as client:
        assert await client.oracle_prices() == ()


async def test_a_closed_port_is_unreachable_at_once() -> None:
    started = time.monotonic()
    label = f"127.0.0.1:{closed_port()}"
    async with client_of(f"http://{label}", options=NodeOptions(call_timeout_s=60, total_timeout_s=60)) as client:
        error = await failure_of(client.info())
    assert (error.kind, error.endpoint, error.text) == (FaultKind.UNREACHABLE, label, "connection refused")
    assert time.monotonic() - started < GENEROUS_S


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_peer_that_accepts_and_never_speaks_times_out_within_the_deadline(scheme: str) -> None:
    started = time.monotonic()
    with listening() as (port,):
        async with client_of(f"{scheme}://127.0.0.1:{port}", options=QUICK) as client:
            error = await failure_of(client.info())
    assert (error.kind, error.text) == (FaultKind.TIMEOUT, "no answer within 0.8 s")
    assert time.monotonic() - started < GENEROUS_S


async def test_an_unknown_host_is_unreachable() -> None:
    async with client_of("no-such-host.invalid:443", options=NodeOptions(call_timeout_s=8)) as client:
        error = await failure_of(client.info())
    # where no name server answers at all, it takes the deadline to find out
    assert error.kind in (FaultKind.UNREACHABLE, FaultKind.TIMEOUT)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, FaultKind.RATE_LIMITED), (451, FaultKind.GEO_BLOCKED), (502, FaultKind.SERVER), (403, FaultKind.REJECTED)],
)
async def test_something_in_front_of_the_node_that_answers_in_plain_http(status: int, kind: FaultKind) -> None:
    async with http_only(status) as port, client_of(f"http://127.0.0.1:{port}") as client:
        error = await failure_of(client.info())
    assert (error.kind, error.text) == (kind, f"HTTP {status} instead of an answer")


async def test_a_server_of_another_protocol_is_told() -> None:
    async with http_1() as port, client_of(f"http://127.0.0.1:{port}") as client:
        error = await failure_of(client.info())
    assert (error.kind, error.text) == (FaultKind.BAD_ANSWER, "what listens there does not speak gRPC")


async def test_a_wait_that_the_node_asks_for_is_passed_on_and_kept() -> None:
    exhausted = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", (("retry-after", "40"),))
    node, other, clock = FakeNode(failures={"*": exhausted}), FakeNode(), ManualClock()
    async with running(node, other), client_of(node.url, other.url, clock=clock) as client:
        assert (await failure_of(client.info(node.label))).retry_after_s == 40
        node.failures.clear()
        for at, source in ((39.0, other.label), (40.0, node.label)):
            clock.move_to(at)
            assert (await client.latest_block()).source == source


@pytest.mark.parametrize("words", ["soon", "-1", "1.5", ""])
async def test_a_wait_in_other_words_is_none(words: str) -> None:
    exhausted = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "", (("retry-after", words),))
    node = FakeNode(failures={"*": exhausted})
    async with running(node), client_of(node.url) as client:
        assert (await failure_of(client.info())).retry_after_s is None


# --- trust ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "hosts", "days", "trusted", "words"),
    [
        ("localhost", ("localhost",), (-1, 1), False, "the certificate was refused"),
        ("localhost", ("localhost",), (-3, -2), True, "the certificate was refused"),
        ("localhost", ("node.example.com",), (-1, 1), True, "the certificate is for another host"),
        ("127.0.0.1", ("localhost",), (-1, 1), True, "the certificate is for another host"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_refused(
    host: str, hosts: tuple[str, ...], days: tuple[int, int], trusted: bool, words: str
) -> None:
    key, cert = certificate(hosts, days)
    node = FakeNode()
    options = NodeOptions(roots=cert if trusted else None)
    async with running(node, tls=(key, cert)), client_of(f"{host}:{node.port}", options=options) as client:
        error = await failure_of(client.info())
    assert (error.kind, node.asked) == (FaultKind.TLS, [])
    assert words in error.text


async def test_a_certificate_that_holds_is_taken() -> None:
    key, cert = certificate()
    node = FakeNode()
    options = NodeOptions(roots=cert)
    async with running(node, tls=(key, cert)), client_of(f"https://localhost:{node.port}", options=options) as client:
        assert (await client.info()).endpoint == f"localhost:{node.port}"


async def test_tls_is_never_given_up_for_a_peer_without_it() -> None:
    node = FakeNode()
    async with running(node), client_of(node.label) as client:
        error = await failure_of(client.info())
    assert (error.kind, node.asked) == (FaultKind.TLS, [])
    assert "does not speak TLS" in error.text


@pytest.mark.parametrize("endpoints", [(), ("http://node.example.com:443",), ("node.example.com",)])
def test_endpoints_that_may_not_be_used_are_refused_before_anything_is_opened(endpoints: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        NodeClient(endpoints, SystemClock(), "test/1")


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(
    ("name", "scheme"),
    [("grpc_proxy", "http://"), ("https_proxy", "http://"), ("http_proxy", "http://"), ("GRPC_ADDRESS_HTTP_PROXY", "")],
)
async def test_a_proxy_of_the_environment_is_used_only_where_it_is_allowed(
    name: str, scheme: str, allow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("no_proxy", "no_grpc_proxy", "grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES", "127.0.0.0/8")
    node = FakeNode()
    async with running(node), http_1() as proxy:
        monkeypatch.setenv(name, f"{scheme}127.0.0.1:{proxy}")
        async with client_of(node.url, options=NodeOptions(allow_proxy=allow)) as client:
            if allow:
                await failure_of(client.info())
            else:
                await client.info()
    assert node.asked == ([] if allow else ["GetNodeInfo"])


# --- fail-over -----------------------------------------------------------------------------------------------------


async def test_a_node_that_hangs_is_asked_last_for_a_while_and_then_preferred_again() -> None:
    node, other, clock = FakeNode(hanging={"*"}), FakeNode(), ManualClock()
    async with running(node, other), client_of(node.url, other.url, options=QUICK, clock=clock) as client:
        assert (await client.latest_block()).source == other.label
        assert (await client.latest_block()).source == other.label
        assert (len(node.asked), len(other.asked)) == (1, 2), "the second call did not wait for the dead node"
        node.hanging.clear()
        clock.move_to(14.9)
        assert (await client.latest_block()).source == other.label
        clock.move_to(15.0)
        assert (await client.latest_block()).source == node.label


async def test_a_demoted_node_is_still_asked_where_the_others_fail_too() -> None:
    node, other, clock = FakeNode(hanging={"*"}), FakeNode(), ManualClock()
    async with running(node, other), client_of(node.url, other.url, options=QUICK, clock=clock) as client:
        assert (await client.latest_block()).source == other.label
        node.hanging.clear()
        other.failures["*"] = Failure(grpc.StatusCode.UNAVAILABLE, "going down")
        assert (await client.latest_block()).source == node.label
        assert (await client.latest_block()).source == node.label, "having answered, it is preferred again"


async def test_an_error_of_one_query_leaves_the_preference_alone() -> None:
    node, other = FakeNode(failures={"GetAuthenticators": Failure(grpc.StatusCode.UNIMPLEMENTED)}), FakeNode()
    async with running(node, other), client_of(node.url, other.url) as client:
        assert len(await client.authenticators(ADDRESS)) == 1
        assert (await client.latest_block()).source == node.label


async def test_where_all_fail_each_is_named_and_the_first_gives_the_kind() -> None:
    closed = f"127.0.0.1:{closed_port()}"
    node = FakeNode(failures={"*": Failure(grpc.StatusCode.INTERNAL, "panic")})
    async with running(node), client_of(f"http://{closed}", node.url) as client:
        error = await failure_of(client.info())
    assert (error.kind, error.endpoint) == (FaultKind.UNREACHABLE, closed)
    assert error.text == f"connection refused; {node.label}: the node failed (INTERNAL): panic"


async def test_the_whole_of_a_call_is_bounded_however_many_nodes_hang() -> None:
    options = NodeOptions(call_timeout_s=0.4, total_timeout_s=1.0)
    started = time.monotonic()
    with listening(12) as ports:
        async with client_of(*(f"http://127.0.0.1:{port}" for port in ports), options=options) as client:
            error = await failure_of(client.info())
    assert time.monotonic() - started < GENEROUS_S
    assert error.kind is FaultKind.TIMEOUT
    asked = error.text.count("no answer within")
    assert 2 <= asked <= 3, "0.4 + 0.4 + what is left of 1.0 s"
    assert error.text.startswith("no answer within 0.4 s; ")


async def test_every_failed_attempt_is_counted_by_kind_node_and_method() -> None:
    node = FakeNode(failures={"GetLatestBlock": Failure(grpc.StatusCode.UNAVAILABLE, "shutting \x1b[2Jdown")})
    other = FakeNode(answers={"AllMarketPrices": b"\xff\xff\xff"}, hanging={"GetSyncing"})
    counters = FaultCounters(SystemClock())
    async with running(node, other):
        async with client_of(node.url, other.url, options=QUICK, counters=counters) as client:
            for _ in range(3):
                assert (await client.latest_block()).source == other.label
            assert await client.oracle_prices()
            assert await client.info()
            await failure_of(client.latest_block(node.label))
            await failure_of(client.block(49))
            await failure_of(client.syncing(other.label))
        await failure_of(client.info())
    counted = {(row.kind, row.source, row.endpoint): row.count for row in counters.rows()}
    assert counted == {
        (FaultKind.UNREACHABLE, FaultSource.GRPC, f"{node.label}/GetLatestBlock"): 2,
        (FaultKind.BAD_ANSWER, FaultSource.GRPC, f"{other.label}/AllMarketPrices"): 1,
        (FaultKind.NOT_FOUND, FaultSource.GRPC, f"{other.label}/GetBlockByHeight"): 1,
        (FaultKind.TIMEOUT, FaultSource.GRPC, f"{other.label}/GetSyncing"): 1,
    }, "closing the client is nobody's failure"
    assert all(clean(row.last_text) == row.last_text != "" for row in counters.rows())


class HurryingClock(SystemClock):
    """Three seconds later at each look."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 3.0
        return self._now


async def test_the_pages_of_one_answer_count_as_one_call() -> None:
    node = FakeNode(markets=9, page_limit=1)
    async with running(node), client_of(node.url, clock=HurryingClock()) as client:
        error = await failure_of(client.oracle_prices())
    assert (error.kind, error.text) == (FaultKind.TIMEOUT, "no complete answer in time")
    assert node.asked == ["AllMarketPrices"]


async def test_one_endpoint_that_is_named_is_asked_alone() -> None:
    node, other = FakeNode(), FakeNode()
    async with running(node, other), client_of(node.url, other.url) as client:
        assert (await client.info(other.label)).endpoint == other.label
        assert (await client.syncing(other.label)) is False
        assert (await client.latest_block(other.label)).source == other.label
        with pytest.raises(ValueError, match="not among the endpoints"):
            await client.info("evil.example.com:443")
    assert node.asked == []


async def test_a_node_that_comes_back_is_found_again() -> None:
    node = FakeNode()
    async with client_of(f"http://127.0.0.1:{closed_port()}") as client:
        label = client.endpoints[0]
        node.port = int(label.rpartition(":")[2])
        async with running(node):
            await eventually(client)
        assert (await failure_of(client.info())).kind is FaultKind.UNREACHABLE
        async with running(node):
            await eventually(client)


async def eventually(client: NodeClient) -> None:
    """Ask until there is an answer: a channel waits up to three seconds between its attempts to connect."""
    ends_at = time.monotonic() + 20
    while True:
        try:
            assert (await client.info()).chain_id == CHAIN_ID
        except VenueError:
            assert time.monotonic() < ends_at
            await asyncio.sleep(0.05)
        else:
            return


class Stalling:
    """Passes bytes between client and node, until told to swallow what comes on the connections that there are."""

    def __init__(self, node: FakeNode) -> None:
        self._node = node
        self._stalled = 0
        self.connections = 0
        self.ended = 0

    def stall(self) -> None:
        self._stalled = self.connections

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        mine = self.connections
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._node.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass(mine, reader, inner_writer))
            group.create_task(self._pass(mine, inner_reader, writer))
        self.ended += 1

    async def _pass(self, mine: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if mine > self._stalled:
                    writer.write(data)
        writer.close()


async def test_after_a_connection_has_died_without_a_word_the_next_call_uses_another() -> None:
    node = FakeNode()
    between = Stalling(node)
    async with running(node), served(between.serve) as port:
        async with client_of(f"http://127.0.0.1:{port}", options=QUICK) as client:
            await client.info()
            await client.info()
            assert between.connections == 1
            between.stall()
            assert (await failure_of(client.info())).kind is FaultKind.TIMEOUT
            assert (await client.info()).chain_id == CHAIN_ID
            assert between.connections == 2
            await until(lambda: between.ended == 1)
        await until(lambda: between.ended == 2)


async def test_a_retired_channel_lives_until_its_last_call_has_ended() -> None:
    endpoint = parse_endpoint(f"http://127.0.0.1:{closed_port()}")
    channels, label = Channels([endpoint], "test/1"), endpoint.label
    async with channels.to(label) as first, channels.to(label) as same:
        assert first is same
        channels.retire(label, first)
        async with channels.to(label) as fresh:
            assert fresh is not first
            channels.retire(label, first)
            async with channels.to(label) as again:
                assert again is fresh
        assert first.get_state() is not grpc.ChannelConnectivity.SHUTDOWN
    assert first.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    assert fresh.get_state() is not grpc.ChannelConnectivity.SHUTDOWN
    await channels.close()
    with pytest.raises(ClosedError):
        async with channels.to(label):
            raise AssertionError("lent after the end")


# --- ending --------------------------------------------------------------------------------------------------------


async def test_cancelling_a_call_cancels_it_at_the_node_and_asks_no_other() -> None:
    node, other = FakeNode(hanging={"GetNodeInfo"}), FakeNode()
    options = NodeOptions(call_timeout_s=60, total_timeout_s=60)
    async with running(node, other), client_of(node.url, other.url, options=options) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.info()
        await until(lambda: node.cancelled == ["GetNodeInfo"])
        assert other.asked == []
        assert (await client.latest_block()).source == node.label


async def test_closing_ends_calls_under_way_with_a_sentence() -> None:
    node, other = FakeNode(hanging={"GetNodeInfo"}), FakeNode()
    options = NodeOptions(call_timeout_s=60, total_timeout_s=60)
    async with running(node, other), client_of(node.url, other.url, options=options) as client:
        async with asyncio.TaskGroup() as group:
            call = group.create_task(failure_of(client.info()))
            await until(lambda: node.asked == ["GetNodeInfo"])
            await client.close()
        for error in (call.result(), await failure_of(client.latest_block())):
            assert (error.kind, error.text) == (FaultKind.UNREACHABLE, "the connections were closed")
        await client.close()
    assert other.asked == []


async def until(holds: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + GENEROUS_S
    while not holds():
        assert time.monotonic() < ends_at
        await asyncio.sleep(0.01)


async def test_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    node = FakeNode(hanging={"GetNodeInfo"})
    async with running(node):
        async with client_of(node.url, f"http://127.0.0.1:{closed_port()}", options=QUICK) as client:
            await asyncio.gather(*(client.latest_block() for _ in range(20)))
            await failure_of(client.info())
        gc.collect()
    assert asyncio.all_tasks() == before


async def test_calls_at_the_same_time_share_a_connection() -> None:
    node = FakeNode()
    async with running(node), client_of(node.url) as client:
        heads = await asyncio.gather(*(client.block(height) for height in range(50, 90)))
    assert [head.height for head in heads] == list(range(50, 90))
    assert len(node.peers) == 1
    assert heads[1].time - heads[0].time == timedelta(seconds=1)


# --- the process -----------------------------------------------------------------------------------------------------

HANDSHAKE = """
import asyncio, os, sys
from dydx_console.venue.node.environment import NEEDED
os.environ.update(NEEDED)
sys.path.insert(0, "tests")
from venue_node.fake_node import FakeNode, certificate, running
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.faults import VenueError
from dydx_console.venue.node.client import NodeClient

async def main():
    node = FakeNode()
    async with running(node, tls=certificate()):
        client = NodeClient([f"localhost:{node.port}"], SystemClock(), "test/1")
        try:
            await client.info()
        except VenueError as error:
            print(error.kind)
        await client.close()

asyncio.run(main())
"""


def test_a_refused_handshake_does_not_write_over_the_screen() -> None:
    run = subprocess.run(
        [sys.executable, "-c", HANDSHAKE.replace('"tests"', repr(str(TESTS)))],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert (run.stdout, run.stderr) == ("TLS\n", "")


LOADED = """
import sys
import dydx_console.venue.node, dydx_console.venue.node.environment
assert "grpc" not in sys.modules and "v4_proto" not in sys.modules
import dydx_console.venue.node.endpoints, dydx_console.venue.node.failover, dydx_console.venue.node.statuses
assert "grpc" not in sys.modules and "v4_proto" not in sys.modules
import dydx_console.venue.node.client
print([name for name in sys.modules if name.endswith("_pb2_grpc") or name.startswith("dydx_v4_client")])
print(sum(name.startswith("v4_proto.") and name.endswith("_pb2") for name in sys.modules))
"""


def test_only_what_is_needed_is_loaded_and_only_with_the_client() -> None:
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)
    generated, messages = run.stdout.splitlines()
    assert generated == "[]"
    assert int(messages) < 100

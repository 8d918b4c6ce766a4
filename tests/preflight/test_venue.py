"""The checks over real sockets: a healthy exchange, and hosts that nothing good comes from."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from preflight.fakes import PLAN
from venue.hosts import http, raw

from dydx_console.domain.preflight import Report, Verdict
from dydx_console.ports.clock import SystemClock
from dydx_console.preflight.run import run_preflight, step_deadline_s
from dydx_console.safety.networks import MAINNET_CHAIN_ID, SIM_CHAIN_ID, TESTNET_CHAIN_ID, Network
from dydx_console.sim.core.addresses import DEMO_ADDRESS
from dydx_console.sim.faults import Faults
from dydx_console.sim.shell.server import Served, running, wall_ms
from dydx_console.sim.venue import VenueOptions
from dydx_console.venue.indexer.probe import HttpIndexerProbe
from dydx_console.venue.node.client import NodeClient


class OffClock(SystemClock):
    """The machine's clock, two hours ahead."""

    def utc(self) -> datetime:
        return super().utc() + timedelta(hours=2)


async def checked(
    rest: str,
    websocket: str,
    clock: SystemClock,
    timeout_s: float,
    *,
    nodes: tuple[str, ...] = (),
    chain_id: str = SIM_CHAIN_ID,
) -> Report:
    network = Network("mine", "sim", chain_id, rest, websocket, nodes)
    indexer = HttpIndexerProbe(rest, websocket, clock, "test/1", step_deadline_s(timeout_s))
    node = NodeClient(nodes, clock, "test/1") if nodes else None
    try:
        plan = replace(PLAN, network=network, address=DEMO_ADDRESS)
        return await run_preflight(plan, node, indexer, clock, timeout_s=timeout_s)
    finally:
        await indexer.close()
        if node is not None:
            await node.close()


def found(report: Report, verdict: Verdict) -> set[str]:
    return {check.name for check in report.checks if check.verdict is verdict}


@asynccontextmanager
async def exchange(
    chain_id: str = SIM_CHAIN_ID, *, lag_blocks: int = 0, history_hours: int = 0, odd: bool = False
) -> AsyncIterator[Served]:
    """Serve an exchange whose block times are even milliseconds, or odd ones, so that two never agree by accident."""
    options = VenueOptions(history_hours=history_hours, chain_id=chain_id, faults=Faults(indexer_lag_blocks=lag_blocks))
    async with running(options, clock=lambda: wall_ms() // 2 * 2 + odd) as served:
        yield served


@pytest.fixture
async def venue() -> AsyncIterator[Served]:
    async with exchange() as served:
        yield served


def node_of(served: Served) -> tuple[str, ...]:
    return (str(served.facts()["grpc"]),)


async def test_a_healthy_exchange_with_its_node(venue: Served) -> None:
    report = await checked(venue.rest_url, venue.websocket_url, SystemClock(), 30.0, nodes=node_of(venue))
    assert report.exit_code == 0, report
    assert found(report, Verdict.SKIP) == {"key", "key encrypted", "key permissions"}
    assert found(report, Verdict.WARN) == found(report, Verdict.FAIL) == set()


async def test_a_healthy_exchange_without_a_node(venue: Served) -> None:
    report = await checked(venue.rest_url, venue.websocket_url, SystemClock(), 30.0)
    assert report.exit_code == 0, report
    assert found(report, Verdict.OK) >= {"indexer", "stream", "clock", "account", "compliance"}
    assert found(report, Verdict.WARN) == {"node"}


CHAINS = pytest.mark.parametrize("chain", [MAINNET_CHAIN_ID, TESTNET_CHAIN_ID])


@CHAINS
@pytest.mark.parametrize("configured", [MAINNET_CHAIN_ID, TESTNET_CHAIN_ID])
async def test_a_node_of_another_chain_than_configured(chain: str, configured: str) -> None:
    async with exchange(chain) as one:
        rest, websocket = one.rest_url, one.websocket_url
        report = await checked(rest, websocket, SystemClock(), 30.0, nodes=node_of(one), chain_id=configured)
    if configured == chain:
        assert report.exit_code == 0, report
    else:
        assert (report.exit_code, found(report, Verdict.FAIL)) == (78, {"chain id"})
        assert "binding" in found(report, Verdict.SKIP)


@CHAINS
async def test_an_indexer_of_another_chain_than_its_node(chain: str) -> None:
    """Its blocks have the same heights and other times; it has no chain id that would tell."""
    async with exchange(chain) as one, exchange(chain, odd=True) as other:
        nodes, clock = node_of(one), SystemClock()
        for rest, websocket in (
            (other.rest_url, other.websocket_url),
            (one.rest_url, other.websocket_url),
            (other.rest_url, one.websocket_url),
        ):
            report = await checked(rest, websocket, clock, 30.0, nodes=nodes, chain_id=chain)
            assert (report.exit_code, found(report, Verdict.FAIL)) == (78, {"binding"}), report


@pytest.mark.parametrize(("lag_blocks", "verdict", "code"), [(12, Verdict.WARN, 0), (50, Verdict.FAIL, 69)])
async def test_a_trailing_indexer(lag_blocks: int, verdict: Verdict, code: int) -> None:
    async with exchange(lag_blocks=lag_blocks, history_hours=1) as venue:
        report = await checked(venue.rest_url, venue.websocket_url, SystemClock(), 30.0, nodes=node_of(venue))
    assert report.exit_code == code, report
    binding = next(check for check in report.checks if check.name == "binding")
    assert binding.verdict is verdict
    assert "same block time" in binding.text
    assert "the Indexer is" in binding.text


async def test_a_clock_two_hours_off(venue: Served) -> None:
    report = await checked(venue.rest_url, venue.websocket_url, OffClock(), 30.0)
    assert report.exit_code == 78
    assert found(report, Verdict.FAIL) == {"clock"}
    assert "2.0 h ahead" in next(check.text for check in report.checks if check.name == "clock")


async def test_nothing_listens() -> None:
    with socket.socket() as taken:  # bound, so that nobody else can listen there meanwhile
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        report = await checked(f"http://{host}", f"ws://{host}/v4/ws", SystemClock(), 30.0)
    assert report.exit_code == 69
    assert found(report, Verdict.FAIL) == {"indexer", "stream"}


async def test_a_host_that_accepts_and_hangs() -> None:
    began = time.monotonic()
    async with raw(None) as host:
        report = await checked(f"http://{host.at}", f"ws://{host.at}/v4/ws", SystemClock(), 1.0)
    assert time.monotonic() - began < 5.0
    assert report.exit_code == 69
    assert found(report, Verdict.FAIL) == {"indexer", "stream"}


async def test_a_host_that_has_had_enough() -> None:
    async with raw(http(429, '{"errors":[{"msg":"Too many requests"}]}', "Retry-After: 8701")) as host:
        report = await checked(f"http://{host.at}", f"ws://{host.at}/v4/ws", SystemClock(), 30.0)
    assert report.exit_code == 75
    assert {check.remedy for check in report.checks if check.verdict is Verdict.FAIL} == {"wait 8.7 s and try again"}

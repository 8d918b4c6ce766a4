"""Which of several nodes is asked for evidence, and which of their answers counts."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from venues import decision_for

from dydx_console.domain.chain import BlockHead, NodeInfo
from dydx_console.domain.events import HeightRead, NodeChecked
from dydx_console.engine.evidence import EvidenceKeeper
from dydx_console.engine.gate import Gate
from dydx_console.engine.live import LiveSource
from dydx_console.engine.plan import LivePlan
from dydx_console.engine.publish import Publisher
from dydx_console.ports.clock import ManualClock, SystemClock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.mailbox import Mailbox
from dydx_console.safety.grants import BindingState
from dydx_console.safety.networks import Network
from dydx_console.state.console import ConsoleState

TESTNET, MAINNET = "dydx-testnet-4", "dydx-mainnet-1"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NETWORK = Network("paper", "testnet", TESTNET, "http://127.0.0.1:9", "ws://127.0.0.1:9/v4/ws", ("a:1", "b:1", "c:1"))
HEAD = 100
LONG_S = 20.0


class Nodes:
    """Nodes that are what their words say, in their order: same, other, pruned, elsewhere, gone.

    `same` has the Indexer's blocks, `other` has blocks of other times, `pruned` has none to compare, `elsewhere` is on
    another chain and has none to compare either, `gone` does not answer.
    """

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = words
        self.asked: list[str] = []
        self.is_asked = asyncio.Event()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Return them all."""
        return tuple(self.words)

    async def info(self, endpoint: str | None = None) -> NodeInfo:
        """Return the chain id, which is another one's where the node is elsewhere."""
        at = self._at(endpoint)
        self.asked.append(at)
        self.is_asked.set()
        return NodeInfo(at, MAINNET if self.words[at] == "elsewhere" else TESTNET, "9.6")

    async def syncing(self, endpoint: str | None = None) -> bool:
        """Return that it is up to date."""
        return not self._at(endpoint)

    async def latest_block(self, endpoint: str | None = None) -> BlockHead:
        """Return a head like the Indexer's."""
        return await self.block(HEAD, endpoint, is_head=True)

    async def block(self, height: int, endpoint: str | None = None, *, is_head: bool = False) -> BlockHead:
        """Return a block where there is one."""
        at = self._at(endpoint)
        if self.words[at] in ("pruned", "elsewhere") and not is_head:
            raise VenueError(FaultKind.NOT_FOUND, at, "there is no such block")
        apart = timedelta(seconds=self.words[at] == "other")
        return BlockHead(height, AT + timedelta(seconds=height) + apart, at, TESTNET)

    async def close(self) -> None:
        """Close nothing."""

    def _at(self, endpoint: str | None) -> str:
        at = endpoint or next(one for one in self.words if self.words[one] != "gone")
        if self.words[at] == "gone":
            raise VenueError(FaultKind.UNREACHABLE, at, "nobody is there")
        return at


def keeper_over(nodes: Nodes) -> tuple[EvidenceKeeper, list[object]]:
    """Return a keeper whose Indexer told of the blocks up to the head."""
    state, told = ConsoleState(None), list[object]()
    for height in range(HEAD - 5, HEAD + 1):
        state.apply(HeightRead(height, AT + timedelta(seconds=height), 0.0))
    keeper = EvidenceKeeper(
        NETWORK,
        nodes,  # type: ignore[arg-type]
        state.freshness,
        told.append,
        told.append,
        clock=ManualClock(),
    )
    return keeper, told


@pytest.mark.parametrize(
    ("words", "asked", "counts", "binding"),
    [
        ("same same same", "a", "a", BindingState.BOUND),
        ("other same same", "a", "a", BindingState.MISMATCH),
        ("pruned same same", "ab", "b", BindingState.BOUND),
        ("pruned other same", "ab", "b", BindingState.MISMATCH),
        ("pruned pruned same", "abc", "c", BindingState.BOUND),
        ("pruned pruned pruned", "abc", "a", BindingState.UNKNOWN),
        ("gone pruned pruned", "bc", "b", BindingState.UNKNOWN),
        ("pruned gone same", "ac", "c", BindingState.BOUND),
        ("gone same same", "b", "b", BindingState.BOUND),
        ("elsewhere same same", "a", "a", BindingState.UNKNOWN),
        ("pruned elsewhere same", "ab", "b", BindingState.UNKNOWN),
    ],
)
async def test_an_endpoint_that_cannot_be_compared_is_passed_over(
    words: str, asked: str, counts: str, binding: BindingState
) -> None:
    nodes = Nodes(dict(zip(NETWORK.nodes, words.split(), strict=True)))
    keeper, told = keeper_over(nodes)
    evidence = await keeper.fresh()
    assert evidence is not None
    assert nodes.asked == [f"{name}:1" for name in asked]
    assert (evidence.info.endpoint, evidence.binding.state) == (f"{counts}:1", binding)
    is_wrong = binding is BindingState.MISMATCH or evidence.info.chain_id != TESTNET
    assert (keeper.contradiction(evidence) is not None) == is_wrong
    checked = [event for event in told if isinstance(event, NodeChecked)]
    assert [(event.info, event.contradiction is not None) for event in checked] == [(evidence.info, is_wrong)]


async def test_where_no_node_answers_there_is_no_evidence() -> None:
    keeper, told = keeper_over(Nodes(dict.fromkeys(NETWORK.nodes, "gone")))
    assert await keeper.fresh() is None
    assert [event.info for event in told if isinstance(event, NodeChecked)] == [None]


async def test_the_endpoint_in_use_is_asked_first() -> None:
    nodes = Nodes({"a:1": "gone", "b:1": "pruned", "c:1": "same"})
    keeper, _ = keeper_over(nodes)
    following = asyncio.create_task(keeper.run())
    async with asyncio.timeout(LONG_S):
        while "c:1" not in nodes.asked:
            nodes.is_asked.clear()
            await nodes.is_asked.wait()
    following.cancel()
    await asyncio.wait({following})
    words = {"a:1": "same", "b:1": "same", "c:1": "same"}
    nodes.words = words
    nodes.asked.clear()
    evidence = await keeper.fresh()
    assert evidence is not None
    assert nodes.asked == ["b:1"]


async def test_a_source_asks_its_nodes_once_the_gate_is_open() -> None:
    nodes = Nodes(dict.fromkeys(NETWORK.nodes, "same"))
    clock = SystemClock()
    publisher = Publisher(ConsoleState(None), Mailbox(), clock)
    gate = Gate(decision_for(NETWORK))
    source = LiveSource(
        LivePlan(NETWORK, None, 0),
        gate,
        nodes,  # type: ignore[arg-type]
        publisher,
        clock=clock,
        rng=random.Random(1),
    )
    following = asyncio.create_task(source.run())
    try:
        async with asyncio.timeout(LONG_S):
            await nodes.is_asked.wait()
    finally:
        following.cancel()
        await asyncio.wait({following})
        await source.close()

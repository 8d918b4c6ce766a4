"""Asks the ports. Nothing is raised for what a venue does or leaves: a failure is an answer too.

Every question has a deadline of its own, whether or not the port keeps one.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from dydx_console.domain.chain import BlockHead
from dydx_console.ports.clock import Clock
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.ports.node import NodePort
from dydx_console.ports.probe import IndexerProbe
from dydx_console.preflight.evidence import BoundBlock, EndpointSeen, Heard, IndexerSeen
from dydx_console.safety.grants import Binding, BindingState, bind

__all__ = ["ask_binding", "ask_indexer", "ask_nodes", "ask_stream", "attempt"]

ROUNDS = 4
"""How often a node is asked for a block that it may not have yet."""
ROUND_GAP_S = 0.25
RECENT_BLOCKS = 10
"""A block this near to the node's head is not pruned: where a node has it not, another machine behind the same name
answered, or it is still to come."""

Told = TypeVar("Told")


async def attempt(ask: Awaitable[Told], who: str, deadline_s: float) -> Told | VenueError:
    """Return the answer, or what failed; after `deadline_s` seconds that is a TIMEOUT of `who`."""
    try:
        async with asyncio.timeout(deadline_s):
            return await ask
    except VenueError as error:
        return error
    except TimeoutError:
        return VenueError(FaultKind.TIMEOUT, who, f"no answer within {deadline_s:g} s")


async def ask_indexer(indexer: IndexerProbe, clock: Clock, who: str, deadline_s: float) -> IndexerSeen:
    """Return the Indexer's newest block and its clock, asked at the same time."""
    head, venue_clock = await asyncio.gather(
        attempt(_heard(indexer.head(), clock), who, deadline_s), attempt(indexer.clock(), who, deadline_s)
    )
    return IndexerSeen(head, venue_clock)


async def ask_stream(indexer: IndexerProbe, clock: Clock, who: str, deadline_s: float) -> Heard | VenueError:
    """Return the block that the stream tells first."""
    return await attempt(_heard(indexer.streams(), clock), who, deadline_s)


async def ask_nodes(node: NodePort, clock: Clock, deadline_s: float) -> tuple[EndpointSeen, ...]:
    """Return what every endpoint says of itself, in their order, all asked at the same time.

    All of them, because the next one is used without a question where the first one fails.
    """
    return tuple(await asyncio.gather(*(_endpoint(node, name, clock, deadline_s) for name in node.endpoints)))


async def ask_binding(
    node: NodePort, seen: Sequence[EndpointSeen], heads: Sequence[BlockHead], deadline_s: float
) -> tuple[BoundBlock, ...]:
    """Return each of the Indexer's blocks held against the node's of that height.

    Compared is the very block that REST or the stream told, because nothing older was heard in so short a run and the
    time in a committed block's header is final. A node that has it not yet is asked again, briefly; where it is pruned,
    the next endpoint is asked. REST and stream are held against it each: they may be different hosts.
    """
    endpoints = tuple(one for one in seen if not isinstance(one.info, VenueError))
    return tuple(await asyncio.gather(*(_bound(node, endpoints, head, deadline_s) for head in heads)))


async def _endpoint(node: NodePort, name: str, clock: Clock, deadline_s: float) -> EndpointSeen:
    info, syncing, head = await asyncio.gather(
        attempt(node.info(name), name, deadline_s),
        attempt(node.syncing(name), name, deadline_s),
        attempt(_heard(node.latest_block(name), clock), name, deadline_s),
    )
    return EndpointSeen(name, info, syncing, head)


async def _heard(ask: Awaitable[BlockHead], clock: Clock) -> Heard:
    head = await ask
    return Heard(head, clock.monotonic(), clock.utc())


async def _bound(node: NodePort, endpoints: Sequence[EndpointSeen], head: BlockHead, deadline_s: float) -> BoundBlock:
    found = await attempt(_compared(node, endpoints, head), head.source, deadline_s)
    return BoundBlock(head.source, head.height, bind((), None) if isinstance(found, VenueError) else found)


async def _compared(node: NodePort, endpoints: Sequence[EndpointSeen], head: BlockHead) -> Binding:
    for turn in range(ROUNDS):
        if turn:
            await asyncio.sleep(ROUND_GAP_S)
        for one in endpoints:
            binding = await _held_against(node, one.endpoint, head)
            if binding.state is not BindingState.UNKNOWN:
                return binding
        if not any(_may_come(one, head.height) for one in endpoints):
            break
    return bind((), None)


async def _held_against(node: NodePort, endpoint: str, head: BlockHead) -> Binding:
    try:
        block = await node.block(head.height, endpoint)
    except VenueError:
        return bind((), None)
    return bind((head,), block)


def _may_come(one: EndpointSeen, height: int) -> bool:
    return isinstance(one.head, Heard) and one.head.head.height < height + RECENT_BLOCKS

"""Permission to sign, made from fresh evidence only.

A node tells its own chain id; the Indexer has none, so the two are bound by the time of one block: the Indexer's time
of a block is its header's, cut to the millisecond (dydxprotocol/v4-chain indexer/services/ender, blocks table), and no
two chains agree on it by accident. The chain id is a part of what is signed, so what is signed for one chain is void
on every other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from json import dumps
from typing import Final

from dydx_console.domain.chain import BlockHead, NodeInfo
from dydx_console.safety.networks import Network
from dydx_console.safety.policy import Decision, Environment

__all__ = [
    "BLOCKS_BEHIND",
    "EVIDENCE_MAX_AGE_S",
    "Binding",
    "BindingState",
    "CancelGrant",
    "CurrentFacts",
    "NodeEvidence",
    "Refusal",
    "TradingGrant",
    "bind",
    "cancel_grant",
    "comparable_height",
    "fingerprint",
    "height_to_compare",
    "trading_grant",
]

BLOCKS_BEHIND: Final = 2
"""How far below both heads blocks are compared, so that neither side is asked for one that it has only just got."""
EVIDENCE_MAX_AGE_S: Final = 10.0
"""Evidence older than this makes no grant."""

_SEAL: Final = object()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CONTRADICTED, _REFUSED, _UNKNOWN = 78, 77, 75


class BindingState(StrEnum):
    """Whether Indexer and node are on one chain."""

    BOUND = "BOUND"
    MISMATCH = "MISMATCH"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Binding:
    """What comparing one block said; made by `bind` alone.

    `height`, `endpoint` and `chain_id` are those of the node's block, None where there was none.
    """

    state: BindingState
    reason: str
    height: int | None
    endpoint: str | None
    chain_id: str | None
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse to be made anywhere else."""
        _only_from(seal, "a Binding is made by bind() alone")


@dataclass(frozen=True, slots=True)
class NodeEvidence:
    """What a node said, and what it was compared with.

    `syncing` is None where it did not say whether it is catching up. `connection` is a number that changes with every
    new connection to the Indexer or the node. `asked_at` is monotonic seconds, before the first question was sent.
    """

    info: NodeInfo
    syncing: bool | None
    binding: Binding
    connection: int
    asked_at: float


@dataclass(frozen=True, slots=True)
class CurrentFacts:
    """How things stand when a grant is to be used: None is not known at the moment.

    `configuration` is the fingerprint of the configuration in force; `node_chain_id` what the node in use reported
    last, since it is in use.
    """

    configuration: str
    endpoint: str | None
    connection: int | None
    node_chain_id: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """No grant, and why. `exit_code` is 78 for a contradiction, 77 for policy, 75 for what is not known yet."""

    exit_code: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CancelGrant:
    """Permission to cancel on one chain; made by `cancel_grant` alone.

    It is made from the chain id, the node that reported it, the configuration's fingerprint and the moment (monotonic
    seconds).
    """

    chain_id: str
    endpoint: str
    configuration: str
    made_at: float
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse to be made anywhere else."""
        _only_from(seal, "a CancelGrant is made by cancel_grant() alone")

    def holds(self, now: CurrentFacts) -> bool:
        """Return whether it may still be used.

        It outlives the Indexer, reconnects and another node of the network, but neither another configuration nor a
        node that reports another chain.
        """
        return now.configuration == self.configuration and now.node_chain_id in (None, self.chain_id)


@dataclass(frozen=True, slots=True)
class TradingGrant:
    """Permission to place orders and move own money on one chain; made by `trading_grant` alone.

    It is made from the chain id, the node that reported it, the connection, the height at which Indexer and node had
    the same block, the configuration's fingerprint and the moment (monotonic seconds).
    """

    chain_id: str
    endpoint: str
    connection: int
    height: int
    configuration: str
    made_at: float
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse to be made anywhere else."""
        _only_from(seal, "a TradingGrant is made by trading_grant() alone")

    def holds(self, now: CurrentFacts) -> bool:
        """Return whether it may still be used: with configuration, node, connection and chain all as they were."""
        return now == CurrentFacts(self.configuration, self.endpoint, self.connection, self.chain_id)


def fingerprint(network: Network, environment: Environment) -> str:
    """Return a text that is the same for the same network in the same environment, and for nothing else."""
    facts = {"environment": environment.value, "network": asdict(network)}
    return sha256(dumps(facts, sort_keys=True).encode()).hexdigest()


def height_to_compare(indexer_height: int, node_height: int) -> int:
    """Return the height at which Indexer and node should be compared, given the newest block of each."""
    return min(indexer_height, node_height) - BLOCKS_BEHIND


def comparable_height(indexer_heights: Iterable[int], node_height: int) -> int | None:
    """Return the highest block that the Indexer told of and that is old enough to be compared; None where none is.

    `indexer_heights` are all that it told in this run.
    """
    told = tuple(indexer_heights)
    if not told:
        return None
    limit = height_to_compare(max(told), node_height)
    return max((height for height in told if 0 < height <= limit), default=None)


def bind(indexer_blocks: Mapping[int, datetime] | Iterable[BlockHead], node_block: BlockHead | None) -> Binding:
    """Compare a node's block with what the Indexer told of the same height earlier in this run.

    The same time to the millisecond is BOUND, another is MISMATCH. What cannot be compared is UNKNOWN: no block from
    the node, one without a chain id, a height of which the Indexer told nothing or two different things.
    """
    if node_block is None:
        return Binding(BindingState.UNKNOWN, "no block from a node to compare", None, None, None, seal=_SEAL)
    state, reason = _compared(_times_at(node_block.height, indexer_blocks), node_block)
    return Binding(state, reason, node_block.height, node_block.source, node_block.chain_id, seal=_SEAL)


def cancel_grant(
    network: Network, environment: Environment, info: NodeInfo | None, *, asked_at: float, now: float
) -> CancelGrant | Refusal:
    """Return the permission to cancel: the configured chain id is the one that the node reports.

    `asked_at` is when the node was asked, `now` the moment of the grant, both monotonic seconds.
    """
    if info is None:
        return Refusal(_UNKNOWN, ("no node said which chain it is on",))
    objections = [*_wrong_chain(network, info), *_too_old(asked_at, now)]
    if objections:
        return _refusal(objections)
    return CancelGrant(network.chain_id, info.endpoint, fingerprint(network, environment), now, seal=_SEAL)


def trading_grant(decision: Decision, evidence: NodeEvidence | None, *, now: float) -> TradingGrant | Refusal:
    """Return the permission to trade.

    It takes a decision that allows sending, a node on the configured chain that is not catching up, and an Indexer
    bound to that very node. `now` is the moment of the grant in monotonic seconds.
    """
    objections = list(_policy(decision))
    if evidence is None:
        return _refusal([*objections, (_UNKNOWN, "no node said which chain it is on")])
    network, binding = decision.network, evidence.binding
    objections += _wrong_chain(network, evidence.info)
    objections += _unbound(network, evidence)
    objections += _too_old(evidence.asked_at, now)
    if evidence.syncing is not False:
        objections.append((_UNKNOWN, "the node is catching up, or does not say whether it is"))
    if objections or binding.height is None:
        return _refusal(objections)
    return TradingGrant(
        chain_id=network.chain_id,
        endpoint=evidence.info.endpoint,
        connection=evidence.connection,
        height=binding.height,
        configuration=fingerprint(network, decision.environment),
        made_at=now,
        seal=_SEAL,
    )


def _only_from(seal: object, text: str) -> None:
    if seal is not _SEAL:
        raise TypeError(text)


def _times_at(height: int, blocks: Mapping[int, datetime] | Iterable[BlockHead]) -> frozenset[int]:
    if isinstance(blocks, Mapping):
        return frozenset({_milliseconds(blocks[height])}) if height in blocks else frozenset()
    return frozenset(_milliseconds(block.time) for block in blocks if block.height == height)


def _compared(indexer_times: frozenset[int], node_block: BlockHead) -> tuple[BindingState, str]:
    height = f"#{node_block.height:,}"
    if node_block.chain_id is None:
        return BindingState.UNKNOWN, f"the node's block {height} names no chain"
    if not indexer_times:
        return BindingState.UNKNOWN, f"the Indexer told nothing of block {height}"
    if len(indexer_times) > 1:
        return BindingState.UNKNOWN, f"the Indexer told two different times of block {height}"
    (indexer_time,) = indexer_times
    apart_ms = indexer_time - _milliseconds(node_block.time)
    if apart_ms:
        return BindingState.MISMATCH, f"block {height} is {abs(apart_ms):,} ms apart between Indexer and node"
    return BindingState.BOUND, f"block {height} has the same time at Indexer and node"


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _policy(decision: Decision) -> Iterable[tuple[int, str]]:
    if not decision.runs:
        for reason in decision.reasons:
            yield int(decision.exit_code), reason
    elif not decision.may_send:
        yield _REFUSED, "the console is read-only"


def _wrong_chain(network: Network, info: NodeInfo) -> Iterable[tuple[int, str]]:
    if not network.chain_id or info.chain_id != network.chain_id:
        yield (
            _CONTRADICTED,
            f"node {info.endpoint} reports chain {info.chain_id!r}, configured is {network.chain_id!r}",
        )


def _unbound(network: Network, evidence: NodeEvidence) -> Iterable[tuple[int, str]]:
    binding = evidence.binding
    if binding.state is BindingState.MISMATCH:
        yield _CONTRADICTED, f"the Indexer is not on the node's chain: {binding.reason}"
    elif binding.state is not BindingState.BOUND:
        yield _UNKNOWN, f"Indexer and node could not be compared: {binding.reason}"
    elif binding.chain_id != network.chain_id:
        yield _CONTRADICTED, f"the node's block is of chain {binding.chain_id!r}, configured is {network.chain_id!r}"
    elif binding.endpoint != evidence.info.endpoint:
        yield _UNKNOWN, f"the block is from {binding.endpoint}, the chain id from {evidence.info.endpoint}"


def _too_old(asked_at: float, now: float) -> Iterable[tuple[int, str]]:
    if not 0.0 <= now - asked_at <= EVIDENCE_MAX_AGE_S:
        yield _UNKNOWN, f"the evidence is older than {EVIDENCE_MAX_AGE_S:g} s"


def _refusal(objections: list[tuple[int, str]]) -> Refusal:
    """Return a refusal with the code of the first kind in the order configuration, policy, not known."""
    return Refusal(max(code for code, _ in objections), tuple(reason for _, reason in objections))

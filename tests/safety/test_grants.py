"""Permission to sign: only from evidence that is fresh and agrees with the configuration."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.chain import BlockHead, NodeInfo
from dydx_console.safety.grants import (
    EVIDENCE_MAX_AGE_S,
    Binding,
    BindingState,
    CancelGrant,
    CurrentFacts,
    NodeEvidence,
    Refusal,
    TradingGrant,
    bind,
    cancel_grant,
    comparable_height,
    fingerprint,
    height_to_compare,
    trading_grant,
)
from dydx_console.safety.networks import Network, network_named
from dydx_console.safety.policy import Decision, Entry, Environment, Purpose, Request, confirmed_by, decide

HEIGHT = 48_112_907
TIMES = {
    "mainnet": datetime(2026, 11, 20, 12, 0, 0, 123_456, tzinfo=UTC),
    "testnet": datetime(2026, 11, 20, 12, 0, 0, 124_456, tzinfo=UTC),
}
CHAINS = {"mainnet": "dydx-mainnet-1", "testnet": "dydx-testnet-4"}
NODE = "node.desk.example:443"
NOW = 1_000.0


def decision_for(name: str, purpose: Purpose = Purpose.SEND, *, read_only: bool = False) -> Decision:
    """Return a decision that lets a network run: production for mainnet, development for testnet."""
    environment = Environment.PRODUCTION if name == "mainnet" else Environment.DEVELOPMENT
    return decide(Request(environment, network_named(name), Entry.SCREEN, True, purpose, read_only))


def info_of(name: str, endpoint: str = NODE) -> NodeInfo:
    return NodeInfo(endpoint, CHAINS[name], "9.6.0")


def node_block(name: str, height: int = HEIGHT, endpoint: str = NODE) -> BlockHead:
    return BlockHead(height, TIMES[name], endpoint, CHAINS[name])


def indexer_blocks(name: str) -> dict[int, datetime]:
    """Return what the Indexer told: it has no more than milliseconds."""
    return {HEIGHT: TIMES[name].replace(microsecond=TIMES[name].microsecond // 1000 * 1000)}


def evidence_of(node: str, indexer: str) -> NodeEvidence:
    return NodeEvidence(info_of(node), False, bind(indexer_blocks(indexer), node_block(node)), 3, NOW - 1)


def good_grant() -> TradingGrant:
    grant = trading_grant(decision_for("testnet"), evidence_of("testnet", "testnet"), now=NOW)
    assert isinstance(grant, TradingGrant)
    return grant


def facts_of(grant: TradingGrant) -> CurrentFacts:
    return CurrentFacts(grant.configuration, grant.endpoint, grant.connection, grant.chain_id)


@pytest.mark.parametrize(("configured", "node", "indexer"), list(product(CHAINS, repeat=3)))
def test_only_consistent_rows_give_a_grant(configured: str, node: str, indexer: str) -> None:
    decision = decision_for(configured)
    trading = trading_grant(decision, evidence_of(node, indexer), now=NOW)
    cancel = cancel_grant(decision.network, decision.environment, info_of(node), asked_at=NOW, now=NOW)
    if configured == node == indexer:
        assert isinstance(trading, TradingGrant)
        assert (trading.chain_id, trading.endpoint, trading.connection) == (CHAINS[configured], NODE, 3)
        assert (trading.height, trading.made_at) == (HEIGHT, NOW)
        assert trading.configuration == fingerprint(decision.network, decision.environment)
    else:
        assert isinstance(trading, Refusal)
        assert trading.exit_code == 78
    if configured == node:
        assert isinstance(cancel, CancelGrant)
        assert (cancel.chain_id, cancel.endpoint, cancel.made_at) == (CHAINS[configured], NODE, NOW)
    else:
        assert isinstance(cancel, Refusal)
        assert cancel.exit_code == 78
        assert CHAINS[configured] in cancel.reasons[0]
        assert CHAINS[node] in cancel.reasons[0]


@given(
    names=st.tuples(*[st.sampled_from(sorted(CHAINS))] * 5),
    shift_us=st.integers(-3_000, 3_000),
    syncing=st.sampled_from([True, False, None]),
    age_s=st.floats(-5, 30),
    height=st.sampled_from([HEIGHT, HEIGHT - 1]),
    endpoint=st.sampled_from([NODE, "other.example:443"]),
    allowed=st.booleans(),
)
def test_a_trading_grant_takes_every_piece_of_the_evidence(
    names: tuple[str, ...],
    shift_us: int,
    syncing: bool | None,
    age_s: float,
    height: int,
    endpoint: str,
    allowed: bool,
) -> None:
    configured, node, block_chain, block_time, indexer = names
    block = replace(node_block(block_time, height, endpoint), chain_id=CHAINS[block_chain])
    block = replace(block, time=block.time + timedelta(microseconds=shift_us))
    asked_at = NOW - age_s
    evidence = NodeEvidence(info_of(node), syncing, bind(indexer_blocks(indexer), block), 1, asked_at)
    decision = decision_for(configured, Purpose.SEND if allowed else Purpose.READ)
    grant = trading_grant(decision, evidence, now=NOW)
    same_time = (block.time - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == (
        TIMES[indexer] - datetime(2000, 1, 1, tzinfo=UTC)
    ) // timedelta(milliseconds=1)
    agrees = configured == node == block_chain and same_time and height == HEIGHT and endpoint == NODE
    fresh = 0 <= NOW - asked_at <= EVIDENCE_MAX_AGE_S and syncing is False
    assert isinstance(grant, TradingGrant) is (agrees and fresh and allowed)


@pytest.mark.parametrize(
    ("decision", "code", "word"),
    [
        (decision_for("testnet", Purpose.READ), 77, "read-only"),
        (decision_for("testnet", Purpose.READ, read_only=True), 77, "read-only"),
        (decision_for("testnet", read_only=True), 77, "nothing is sent"),
        (decide(Request(Environment.PRODUCTION, network_named("testnet"), Entry.SCREEN, True, Purpose.SEND)),
         78, "production runs on mainnet"),
    ],
)  # fmt: skip
def test_without_the_policy_there_is_no_trading_whatever_the_evidence(decision: Decision, code: int, word: str) -> None:
    refusal = trading_grant(decision, evidence_of("testnet", "testnet"), now=NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.exit_code == code
    assert word in refusal.reasons[0]


def test_mainnet_outside_production_trades_only_after_its_chain_id_was_typed() -> None:
    waiting = decide(Request(Environment.STAGING, network_named("mainnet"), Entry.COMMAND, True, Purpose.SEND))
    evidence = evidence_of("mainnet", "mainnet")
    for decision in (waiting, confirmed_by(waiting, "mainnet")):
        refusal = trading_grant(decision, evidence, now=NOW)
        assert isinstance(refusal, Refusal)
        assert refusal.exit_code == 77
    assert isinstance(trading_grant(confirmed_by(waiting, CHAINS["mainnet"]), evidence, now=NOW), TradingGrant)


GOOD = evidence_of("testnet", "testnet")


@pytest.mark.parametrize(
    ("evidence", "code", "word"),
    [
        (None, 75, "no node said"),
        (replace(GOOD, syncing=True), 75, "catching up"),
        (replace(GOOD, syncing=None), 75, "catching up"),
        (replace(GOOD, asked_at=NOW - EVIDENCE_MAX_AGE_S - 0.1), 75, "older than"),
        (replace(GOOD, asked_at=NOW + 0.1), 75, "older than"),
        (replace(GOOD, asked_at=float("nan")), 75, "older than"),
        (replace(GOOD, binding=bind({}, node_block("testnet"))), 75, "could not be compared"),
        (replace(GOOD, binding=bind(indexer_blocks("testnet"), None)), 75, "could not be compared"),
        (replace(GOOD, info=info_of("testnet", "other.example:443")), 75, "the chain id from other.example"),
        (replace(GOOD, info=info_of("mainnet")), 78, "reports chain 'dydx-mainnet-1'"),
        (replace(GOOD, binding=bind(indexer_blocks("testnet"), node_block("mainnet"))), 78, "ms apart"),
        (replace(GOOD, info=info_of("mainnet"), syncing=True, asked_at=0.0), 78, "reports chain"),
        (
            replace(GOOD, binding=bind(indexer_blocks("testnet"), replace(node_block("testnet"), chain_id="desk-1"))),
            78,
            "block is of chain 'desk-1'",
        ),
    ],
)
def test_a_refusal_says_why_with_the_code_of_the_gravest_reason(
    evidence: NodeEvidence | None, code: int, word: str
) -> None:
    refusal = trading_grant(decision_for("testnet"), evidence, now=NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.exit_code == code
    assert any(word in reason for reason in refusal.reasons)


@pytest.mark.parametrize(
    ("info", "asked_at", "code"),
    [
        (None, NOW, 75),
        (info_of("testnet"), NOW - 11, 75),
        (info_of("testnet"), NOW + 1, 75),
        (info_of("mainnet"), 0, 78),
    ],
)
def test_a_cancel_needs_a_node_that_said_its_chain_just_now(info: NodeInfo | None, asked_at: float, code: int) -> None:
    refusal = cancel_grant(network_named("testnet"), Environment.DEVELOPMENT, info, asked_at=asked_at, now=NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.exit_code == code


def test_a_network_without_a_chain_id_matches_no_node() -> None:
    network = replace(network_named("testnet"), chain_id="")
    mute = NodeInfo(NODE, "", "9.6.0")
    assert isinstance(cancel_grant(network, Environment.STAGING, mute, asked_at=NOW, now=NOW), Refusal)


@pytest.mark.parametrize(
    ("change", "trading", "cancelling"),
    [
        ({}, True, True),
        ({"configuration": "another"}, False, False),
        ({"endpoint": "other.example:443"}, False, True),
        ({"endpoint": None}, False, True),
        ({"connection": 4}, False, True),
        ({"connection": None}, False, True),
        ({"node_chain_id": None}, False, True),
        ({"node_chain_id": "dydx-mainnet-1"}, False, False),
        ({"endpoint": "other.example:443", "node_chain_id": "dydx-mainnet-1"}, False, False),
    ],
)
def test_what_a_grant_outlives(change: dict[str, object], trading: bool, cancelling: bool) -> None:
    grant = good_grant()
    decision = decision_for("testnet")
    cancel = cancel_grant(decision.network, decision.environment, info_of("testnet"), asked_at=NOW, now=NOW)
    assert isinstance(cancel, CancelGrant)
    now = replace(facts_of(grant), **change)  # type: ignore[arg-type]
    assert grant.holds(now) is trading
    assert cancel.holds(now) is cancelling


def test_evidence_is_fresh_up_to_its_very_limit() -> None:
    for age_s in (0.0, EVIDENCE_MAX_AGE_S):
        evidence = replace(GOOD, asked_at=NOW - age_s)
        assert isinstance(trading_grant(decision_for("testnet"), evidence, now=NOW), TradingGrant)


def test_a_node_swapped_behind_the_same_address_gives_no_next_grant() -> None:
    grant = good_grant()
    swapped = trading_grant(decision_for("testnet"), evidence_of("mainnet", "testnet"), now=NOW)
    assert isinstance(swapped, Refusal)
    assert not grant.holds(replace(facts_of(grant), node_chain_id=CHAINS["mainnet"]))


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (good_grant(), "chain_id"),
        (GOOD.binding, "chain_id"),
        (decision_for("testnet"), "network"),
        (decision_for("testnet"), "outcome"),
    ],
)
def test_what_was_made_cannot_be_changed(made: object, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(made, field, CHAINS["mainnet"])


def test_grants_and_bindings_are_made_by_their_functions_alone() -> None:
    grant = good_grant()
    decision = decision_for("testnet")
    cancel = cancel_grant(decision.network, decision.environment, info_of("testnet"), asked_at=NOW, now=NOW)
    assert isinstance(cancel, CancelGrant)
    with pytest.raises(TypeError, match="trading_grant"):
        replace(grant, chain_id=CHAINS["mainnet"])
    with pytest.raises(TypeError, match="trading_grant"):
        TradingGrant("dydx-mainnet-1", NODE, 1, HEIGHT, "", NOW)
    with pytest.raises(TypeError, match="cancel_grant"):
        replace(cancel, chain_id=CHAINS["mainnet"])
    with pytest.raises(TypeError, match="cancel_grant"):
        CancelGrant("dydx-mainnet-1", NODE, "", NOW)
    with pytest.raises(TypeError, match="bind"):
        Binding(BindingState.BOUND, "", HEIGHT, NODE, CHAINS["mainnet"])


@pytest.mark.parametrize(
    ("blocks", "block", "state", "word"),
    [
        (indexer_blocks("mainnet"), node_block("mainnet"), BindingState.BOUND, "same time"),
        ([BlockHead(HEIGHT, TIMES["mainnet"], "indexer")], node_block("mainnet"), BindingState.BOUND, "same time"),
        (indexer_blocks("testnet"), node_block("mainnet"), BindingState.MISMATCH, "1 ms apart"),
        (indexer_blocks("mainnet"), None, BindingState.UNKNOWN, "no block"),
        ({}, node_block("mainnet"), BindingState.UNKNOWN, "told nothing of block #48,112,907"),
        ([], node_block("mainnet"), BindingState.UNKNOWN, "told nothing"),
        (indexer_blocks("mainnet"), node_block("mainnet", HEIGHT - 1), BindingState.UNKNOWN, "told nothing"),
        (indexer_blocks("mainnet"), replace(node_block("mainnet"), chain_id=None), BindingState.UNKNOWN, "no chain"),
        ([BlockHead(HEIGHT, TIMES["mainnet"], "rest"), BlockHead(HEIGHT, TIMES["testnet"], "stream")],
         node_block("mainnet"), BindingState.UNKNOWN, "two different times"),
    ],
)  # fmt: skip
def test_binding(
    blocks: dict[int, datetime] | list[BlockHead], block: BlockHead | None, state: BindingState, word: str
) -> None:
    binding = bind(blocks, block)
    assert binding.state is state
    assert word in binding.reason
    if block is not None:
        assert (binding.height, binding.endpoint, binding.chain_id) == (block.height, block.source, block.chain_id)


@given(
    node_us=st.integers(0, 5_000),
    indexer_ms=st.integers(0, 5),
    offset_h=st.integers(-12, 12),
)
def test_times_are_equal_when_the_nodes_cut_to_the_millisecond_is_the_indexers(
    node_us: int, indexer_ms: int, offset_h: int
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    block = BlockHead(5, start + timedelta(microseconds=node_us), NODE, CHAINS["testnet"])
    told = {5: start + timedelta(milliseconds=indexer_ms)}
    bound = bind(told, block).state is BindingState.BOUND
    assert bound is (node_us // 1_000 == indexer_ms)


def test_blocks_are_compared_two_below_the_lower_head() -> None:
    assert height_to_compare(100, 105) == 98
    assert height_to_compare(105, 100) == 98


@pytest.mark.parametrize(
    ("told", "node", "height"),
    [
        ([], 100, None),
        ([100], 100, None),
        ([98, 100], 100, 98),
        ([90, 97, 99, 100], 100, 97),
        ([97, 98, 99, 100], 99, 97),
        ([100, 98, 97], 105, 98),
        ([1, 2], 3, None),
        ([0, 2], 9, None),
        ([200, 98], 100, 98),
    ],
)
def test_the_height_to_compare_is_one_that_the_indexer_told(told: list[int], node: int, height: int | None) -> None:
    assert comparable_height(told, node) == height


def test_the_fingerprint_changes_with_every_part_of_the_configuration() -> None:
    network = network_named("testnet")
    others = [
        replace(network, **{name: value})  # type: ignore[arg-type]
        for name, value in {
            "name": "x", "kind": "custom", "chain_id": "x", "indexer_rest": "x", "indexer_websocket": "x",
            "nodes": ("x",), "ethereum_chain_id": 1, "native_denom": "x", "usdc_denom": "x", "faucet": None,
        }.items()
    ]  # fmt: skip
    assert len(others) == len(Network.__slots__)
    prints = {fingerprint(changed, Environment.STAGING) for changed in (network, *others)}
    prints.add(fingerprint(network, Environment.DEVELOPMENT))
    assert len(prints) == len(others) + 2
    assert fingerprint(network, Environment.STAGING) == fingerprint(replace(network), Environment.STAGING)

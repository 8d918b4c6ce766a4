"""What is said of a network before it is used."""

import json
from dataclasses import replace

import pytest

from dydx_console.safety.findings import Severity, errors_of, warnings_of
from dydx_console.safety.networks import KNOWN_NETWORKS, MAINNET, Network, NetworkKeys, custom_network, network_named
from dydx_console.safety.policy import Entry, Environment, Outcome, Purpose, Request
from dydx_console.safety.validator import NetworkValidator

DESK = custom_network(
    "desk",
    NetworkKeys(
        chain_id="desk-1",
        indexer_rest="https://indexer.desk.example",
        indexer_websocket="wss://indexer.desk.example/v4/ws",
        nodes=("node.desk.example:443",),
    ),
)


def errors(network: Network) -> list[tuple[str, str]]:
    return [(finding.key, finding.text) for finding in errors_of(NetworkValidator().network_findings(network))]


@pytest.mark.parametrize("network", KNOWN_NETWORKS, ids=lambda network: network.name)
def test_there_is_nothing_to_say_against_the_catalogue(network: Network) -> None:
    assert NetworkValidator().network_findings(network) == ()


@pytest.mark.parametrize(
    ("changes", "key", "word"),
    [
        ({"name": "De sk"}, "name", "a–z"),
        ({"name": ""}, "name", "1 to 32"),
        ({"chain_id": ""}, "chain_id", "1 to 50"),
        ({"chain_id": "desk 1"}, "chain_id", "1 to 50"),
        ({"chain_id": "d" * 51}, "chain_id", "1 to 50"),
        ({"name": "testnet"}, "chain_id", "testnet is dydx-testnet-4"),
        ({"name": "mainnet"}, "chain_id", "mainnet is dydx-mainnet-1"),
        ({"name": "desk-testnet", "chain_id": "dydx-mainnet-1"}, "chain_id", "mainnet's"),
        ({"name": "demo", "chain_id": "dydx-mainnet-1"}, "chain_id", "mainnet's"),
        ({"native_denom": "a b"}, "native_denom", "denom"),
        ({"indexer_rest": "http://desk.example"}, "indexer_rest", "for this machine only"),
        ({"indexer_rest": "https://indexer.dydx.trade"}, "indexer_rest", "belongs to mainnet"),
        ({"indexer_websocket": "wss://indexer.desk.example"}, "indexer_websocket", "/v4/ws"),
        ({"nodes": ("desk.example",)}, "nodes[0]", "port is missing"),
        ({"nodes": ("desk.example:1", "desk.example:1")}, "nodes", "twice"),
        ({"nodes": tuple(f"desk.example:{port}" for port in range(1, 22))}, "nodes", "more than 20"),
        ({"nodes": ("desk.example:1", "oegs-testnet.dydx.exchange:443")}, "nodes[1]", "belongs to testnet"),
        ({"faucet": "http://desk.example"}, "faucet", "for this machine only"),
    ],
)
def test_an_error_names_the_key_and_the_reason(changes: dict[str, object], key: str, word: str) -> None:
    found = errors(replace(DESK, **changes))  # type: ignore[arg-type]
    assert [found_key for found_key, _ in found] == [key]
    assert word in found[0][1]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "desk-testnet"},
        {"name": "desk-testnet", "chain_id": "dydx-testnet-4"},
        {"name": "local-mainnet", "chain_id": "dydx-mainnet-1"},
        {"name": "local-sim", "chain_id": "dydx-sim-1-abc"},
    ],
)
def test_a_name_that_promises_no_less_than_there_is_may_be_used(changes: dict[str, str]) -> None:
    assert errors(replace(DESK, **changes)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["'desk-1' is not known", "indexer.desk.example is not a host", "indexer.desk.example", "node.desk"]),
        ({"nodes": ()}, ["not known", "no node is named", "indexer.desk.example", "indexer.desk.example"]),
        ({"chain_id": "dydx-mainnet-1", "kind": "testnet", "indexer_rest": "https://indexer.dydx.trade",
          "indexer_websocket": "wss://indexer.dydx.trade/v4/ws", "nodes": ("oegs.dydx.trade:443",)},
         ["called testnet, the chain id is that of mainnet"]),
        ({"chain_id": "dydx-mainnet-1", "indexer_rest": "http://127.0.0.1:1", "nodes": ("http://127.0.0.1:2",),
          "indexer_websocket": "ws://127.0.0.1:1/v4/ws"},
         ["not encrypted, and so for this machine alone: indexer_rest, indexer_websocket, nodes[0]"]),
        ({"chain_id": "dydx-sim-1-abc", "indexer_rest": "http://127.0.0.1:1", "nodes": ("http://127.0.0.1:2",),
          "indexer_websocket": "ws://127.0.0.1:1/v4/ws"}, []),
    ],
)  # fmt: skip
def test_what_asks_for_attention_is_a_warning(changes: dict[str, object], words: list[str]) -> None:
    network = replace(DESK, **changes)  # type: ignore[arg-type]
    found = NetworkValidator().network_findings(network)
    assert all(finding.severity is Severity.WARNING for finding in found)
    assert len(found) == len(words)
    for finding, word in zip(found, words, strict=True):
        assert word in finding.text


@pytest.mark.parametrize("url", ["https://", "http://127.0.0.1/x", "http://desk.example"])
def test_an_address_that_is_an_error_is_no_warning_too(url: str) -> None:
    found = warnings_of(NetworkValidator().network_findings(replace(DESK, indexer_rest=url)))
    assert "indexer_rest" not in {finding.key for finding in found}


@pytest.mark.parametrize("environment", Environment)
def test_there_is_no_warning_of_testnet(environment: Environment) -> None:
    assert NetworkValidator().safety_warnings(network_named("testnet"), environment) == ()


@pytest.mark.parametrize("environment", Environment)
def test_mainnet_outside_production_comes_first_among_the_warnings(environment: Environment) -> None:
    warnings = NetworkValidator().safety_warnings(DESK, environment)
    assert DESK.policy_kind == MAINNET
    assert warnings[0].startswith("mainnet outside production") is (environment is not Environment.PRODUCTION)
    assert len(warnings) == 4 + (environment is not Environment.PRODUCTION)


def test_the_configured_networks_stand_for_the_catalogues_of_the_same_name() -> None:
    mine = custom_network("testnet", NetworkKeys(nodes=("node.desk.example:443",)))
    validator = NetworkValidator((mine, DESK))
    assert [network.name for network in validator.networks()] == ["testnet", "desk", "mainnet", "local"]
    decision = validator.combination(Request(Environment.STAGING, None, Entry.WATCH, False, Purpose.READ))
    assert decision.network is mine


def test_the_combination_is_what_the_policy_says() -> None:
    request = Request(
        Environment.PRODUCTION, network_named("testnet"), Entry.SCREEN, has_terminal=True, purpose=Purpose.READ
    )
    assert NetworkValidator().combination(request).exit_code == 78


def test_information_is_everything_as_plain_values() -> None:
    validator = NetworkValidator((DESK,))
    decision = validator.combination(
        Request(Environment.DEVELOPMENT, DESK, Entry.COMMAND, has_terminal=True, purpose=Purpose.READ)
    )
    told = validator.information(DESK, decision)
    assert json.loads(json.dumps(told)) == told
    assert told["outcome"] == Outcome.NEEDS_CONFIRMATION
    assert (told["name"], told["kind"], told["policy_kind"]) == ("desk", "custom", "mainnet")
    assert (told["environment"], told["exit_code"], told["read_only"]) == ("development", 77, False)
    assert told["nodes"] == ["node.desk.example:443"]
    assert told["ethereum_chain_id"] is None
    assert told["errors"] == []
    assert told["warnings"] == list(validator.safety_warnings(DESK, Environment.DEVELOPMENT))


def test_information_without_a_decision_leaves_it_unknown() -> None:
    told = NetworkValidator().information(replace(network_named("testnet"), nodes=()))
    assert (told["environment"], told["outcome"], told["exit_code"], told["reasons"]) == (None, None, None, [])
    assert told["ethereum_chain_id"] == 11155111
    assert told["faucet"] == "https://faucet.v4testnet.dydx.exchange"
    assert [warning.split(",")[0] for warning in told["warnings"]] == ["no node is named"]  # type: ignore[attr-defined]


def test_errors_come_before_warnings() -> None:
    found = NetworkValidator().network_findings(replace(DESK, faucet="http://desk.example"))
    assert found == (*errors_of(found), *warnings_of(found))
    assert errors_of(found)
    assert warnings_of(found)

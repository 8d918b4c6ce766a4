"""The catalogue, and what a network of one's own takes from it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.safety.networks import (
    CUSTOM,
    KNOWN_NETWORKS,
    LOCAL,
    MAINNET,
    SIM,
    TESTNET,
    MissingKeysError,
    NetworkKeys,
    UnknownNetworkError,
    catalogued,
    custom_network,
    kind_of,
    network_named,
)
from dydx_console.safety.urls import check_faucet, check_node, check_rest, check_websocket

OWN = NetworkKeys(
    chain_id="desk-1", indexer_rest="https://indexer.desk.example", indexer_websocket="wss://indexer.desk.example/v4/ws"
)
NEAR_MISSES = (
    "",
    "dydx-testnet-40",
    "DYDX-TESTNET-4",
    "dydx-testnet-4 ",
    "dydx\u2011testnet-4",
    "dydx-sim-10",
    "dydx-sim-1-",
    "dydx-sim-1-AB",
    "dydx-sim-1-a b",
    "dydx-sim-1\n",
    "dydx-mainnet-2",
    "localdydxprotocol-1",
    "custom",
    "testnet",
)


@pytest.mark.parametrize(
    ("name", "kind", "chain_id", "ethereum", "denom", "nodes"),
    [
        ("mainnet", MAINNET, "dydx-mainnet-1", 1, "adydx", 7),
        ("testnet", TESTNET, "dydx-testnet-4", 11155111, "adv4tnt", 2),
        ("local", LOCAL, "localdydxprotocol", None, "adv4tnt", 1),
    ],
)
def test_the_catalogue_has_the_networks_facts(
    name: str, kind: str, chain_id: str, ethereum: int | None, denom: str, nodes: int
) -> None:
    network = network_named(name)
    assert (network.kind, network.chain_id, network.ethereum_chain_id) == (kind, chain_id, ethereum)
    assert (network.native_denom, len(network.nodes)) == (denom, nodes)
    assert network.usdc_denom is not None
    assert network.usdc_denom.startswith("ibc/8E27BA2D")


def test_only_testnet_has_a_faucet() -> None:
    assert [network.name for network in KNOWN_NETWORKS if network.faucet] == ["testnet"]


@pytest.mark.parametrize("network", KNOWN_NETWORKS, ids=lambda network: network.name)
def test_every_address_of_the_catalogue_is_written_as_the_rules_write_it(network: object) -> None:
    held = network_named(network.name)  # type: ignore[attr-defined]
    assert check_rest(held.indexer_rest).text == held.indexer_rest
    assert check_websocket(held.indexer_websocket).text == held.indexer_websocket
    assert [check_node(node).text for node in held.nodes] == list(held.nodes)
    assert held.faucet is None or check_faucet(held.faucet).text == held.faucet
    assert held.kind == kind_of(held.chain_id) == held.policy_kind


def test_no_address_of_mainnet_or_testnet_is_plaintext() -> None:
    for name in ("mainnet", "testnet"):
        network = network_named(name)
        assert not any(check_node(node).plaintext for node in network.nodes)
        assert not check_rest(network.indexer_rest).plaintext


@pytest.mark.parametrize(
    ("chain_id", "kind"),
    [
        ("dydx-mainnet-1", MAINNET),
        ("dydx-testnet-4", TESTNET),
        ("localdydxprotocol", LOCAL),
        ("dydx-sim-1", SIM),
        ("dydx-sim-1-a7x2k9", SIM),
        *((chain_id, CUSTOM) for chain_id in NEAR_MISSES),
    ],
)
def test_the_kind_follows_the_chain_id_to_the_letter(chain_id: str, kind: str) -> None:
    assert kind_of(chain_id) == kind


@given(kind=st.sampled_from([MAINNET, TESTNET, LOCAL, SIM, CUSTOM]), chain_id=st.text(max_size=30))
def test_what_a_network_is_called_never_softens_the_policy(kind: str, chain_id: str) -> None:
    network = replace(network_named("testnet"), kind=kind, chain_id=chain_id)
    assert network.policy_kind == (MAINNET if kind_of(chain_id) == CUSTOM else kind_of(chain_id))


def test_a_network_of_ones_own_needs_its_three_addresses_named() -> None:
    with pytest.raises(MissingKeysError, match=r"'desk' .* indexer_rest, indexer_websocket") as caught:
        custom_network("desk", NetworkKeys(chain_id="desk-1"))
    assert caught.value.keys == ("indexer_rest", "indexer_websocket")


def test_an_unknown_chain_takes_nothing_from_the_catalogue() -> None:
    network = custom_network("desk", OWN)
    assert (network.name, network.kind, network.policy_kind) == ("desk", CUSTOM, MAINNET)
    assert network.nodes == ()
    assert (network.ethereum_chain_id, network.native_denom, network.usdc_denom, network.faucet) == (None,) * 4


def test_a_known_chain_elsewhere_keeps_the_facts_of_the_chain_but_not_its_nodes() -> None:
    network = custom_network("desk", replace(OWN, chain_id="dydx-testnet-4"))
    assert (network.name, network.kind, network.nodes) == ("desk", TESTNET, ())
    assert (network.ethereum_chain_id, network.native_denom) == (11155111, "adv4tnt")
    assert network.indexer_rest == OWN.indexer_rest


def test_under_a_known_name_only_what_is_said_differs() -> None:
    network = custom_network("testnet", NetworkKeys(nodes=("node.desk.example:443",)))
    assert network == replace(network_named("testnet"), nodes=("node.desk.example:443",))


def test_a_configured_network_stands_before_the_catalogues() -> None:
    mine = custom_network("testnet", NetworkKeys(nodes=()))
    assert network_named("testnet", (mine,)) is mine
    assert network_named("mainnet", (mine,)) == catalogued("mainnet")


@pytest.mark.parametrize("name", ["tesnet", "Testnet", "testnet ", "", "dydx-testnet-4"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownNetworkError, match="known are: desk, local, mainnet, testnet"):
        network_named(name, (custom_network("desk", OWN),))


def test_a_misspelt_name_is_guessed_at_but_never_used() -> None:
    with pytest.raises(UnknownNetworkError, match="did you mean 'testnet'"):
        network_named("tesnet")

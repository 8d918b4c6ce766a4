"""The networks that a configuration describes, and the example file."""

from dataclasses import replace
from pathlib import Path

import pytest
from config.config_help import write

from dydx_console.cli.configuring import example_text
from dydx_console.config.load import load_settings
from dydx_console.config.networks import configured_networks
from dydx_console.safety.networks import Network, network_named


def networks_in(folder: Path, text: str) -> tuple[Network, ...]:
    return configured_networks(load_settings(write(folder, text), {}))


def test_only_what_is_said_of_a_known_network_differs(tmp_path: Path) -> None:
    text = '[networks.testnet]\nnodes = ["node.desk.example:443"]\n[networks.mainnet]\nfaucet = "https://e.org"\n'
    assert networks_in(tmp_path, text) == (
        replace(network_named("testnet"), nodes=("node.desk.example:443",)),
        replace(network_named("mainnet"), faucet="https://e.org"),
    )


@pytest.mark.parametrize(
    ("chain_id", "kind", "policy_kind", "ethereum"),
    [
        ("dydx-mainnet-1", "mainnet", "mainnet", 1),
        ("dydx-testnet-4", "testnet", "testnet", 11155111),
        ("localdydxprotocol", "local", "local", None),
        ("dydx-sim-1-ab12cd", "sim", "sim", None),
        ("desk-1", "custom", "mainnet", None),
    ],
)
def test_a_network_of_ones_own_takes_part_by_its_chain_id(
    tmp_path: Path, chain_id: str, kind: str, policy_kind: str, ethereum: int | None
) -> None:
    text = (
        f'network = "x"\n[networks.x]\nchain_id = "{chain_id}"\n'
        'indexer_rest = "https://e.org"\nindexer_websocket = "wss://e.org/v4/ws"\n'
    )
    (network,) = networks_in(tmp_path, text)
    assert (network.name, network.kind, network.policy_kind) == ("x", kind, policy_kind)
    assert network.ethereum_chain_id == ethereum
    assert network.nodes == ()


def test_every_key_of_a_network_reaches_it(tmp_path: Path) -> None:
    text = (
        '[networks.x]\nchain_id = "desk-1"\nindexer_rest = "https://e.org"\nindexer_websocket = "wss://e.org/v4/ws"\n'
        'nodes = ["e.org:1"]\nfaucet = "https://f.org"\nethereum_chain_id = 7\nnative_denom = "adesk"\n'
    )
    assert networks_in(tmp_path, text) == (
        Network(
            name="x",
            kind="custom",
            chain_id="desk-1",
            indexer_rest="https://e.org",
            indexer_websocket="wss://e.org/v4/ws",
            nodes=("e.org:1",),
            ethereum_chain_id=7,
            native_denom="adesk",
            faucet="https://f.org",
        ),
    )


def test_the_example_can_be_used_as_it_stands(tmp_path: Path) -> None:
    assert networks_in(tmp_path, example_text()) == ()


def test_the_example_can_be_used_with_every_key_taken_in(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("# ") if line.startswith("# [") or " = " in line else line
        for line in example_text().splitlines()
        if "dydx1" not in line
    ]
    settings = load_settings(write(tmp_path, "\n".join(lines)), {})
    assert settings.health.listen == "127.0.0.1:8788"
    assert [network.kind for network in configured_networks(settings)] == ["local"]

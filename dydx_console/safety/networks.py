"""The networks that the console knows.

Source: dydxprotocol/v4-documentation interaction/endpoints and nodes/network-constants; dydxprotocol/v4-clients
v4-client-py-v2/dydx_v4_client/network.py.
"""

from dataclasses import dataclass

__all__ = ["KNOWN_NETWORKS", "SIM_CHAIN_ID", "Network", "UnknownNetworkError", "network_named"]

SIM_CHAIN_ID = "dydx-sim-1"


@dataclass(frozen=True, slots=True)
class Network:
    """One network. `kind` is mainnet, testnet, local or sim; `indexer_rest` has no path, the prefix /v4 is added."""

    name: str
    kind: str
    chain_id: str
    indexer_rest: str
    indexer_websocket: str


class UnknownNetworkError(ValueError):
    """A network name that is not known; the message lists the known ones."""


KNOWN_NETWORKS: tuple[Network, ...] = (
    Network(
        "mainnet",
        "mainnet",
        "dydx-mainnet-1",
        "https://indexer.dydx.trade",
        "wss://indexer.dydx.trade/v4/ws",
    ),
    Network(
        "testnet",
        "testnet",
        "dydx-testnet-4",
        "https://indexer.v4testnet.dydx.exchange",
        "wss://indexer.v4testnet.dydx.exchange/v4/ws",
    ),
    Network(
        "local",
        "local",
        "localdydxprotocol",
        "http://localhost:3002",
        "ws://localhost:3003/v4/ws",
    ),
)


def network_named(name: str, custom: tuple[Network, ...] = ()) -> Network:
    """Return a network by name, a custom one before a known one of the same name.

    Raises UnknownNetworkError listing what there is.
    """
    for network in (*custom, *KNOWN_NETWORKS):
        if network.name == name:
            return network
    names = ", ".join(sorted({network.name for network in (*custom, *KNOWN_NETWORKS)}))
    raise UnknownNetworkError(f"unknown network {name!r}; known are: {names}")

"""The networks that the console knows, and how a network of one's own is told from its chain id.

Source: dydxprotocol/v4-documentation interaction/endpoints, nodes/resources and nodes/network-constants;
dydxprotocol/v4-clients v4-client-py-v2/dydx_v4_client/network.py; of dydxprotocol/v4-chain
protocol/x/bridge/types/genesis.go (the test networks' Ethereum chain id).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Final

__all__ = [
    "CUSTOM",
    "KNOWN_NETWORKS",
    "LOCAL",
    "LOCAL_CHAIN_ID",
    "MAINNET",
    "MAINNET_CHAIN_ID",
    "SIM",
    "SIM_CHAIN_ID",
    "TESTNET",
    "TESTNET_CHAIN_ID",
    "MissingKeysError",
    "Network",
    "NetworkKeys",
    "UnknownNetworkError",
    "catalogued",
    "custom_network",
    "kind_of",
    "network_named",
]

MAINNET: Final = "mainnet"
TESTNET: Final = "testnet"
LOCAL: Final = "local"
SIM: Final = "sim"
CUSTOM: Final = "custom"
"""Kinds of network. A custom one has a chain id that the console does not know."""

MAINNET_CHAIN_ID: Final = "dydx-mainnet-1"
TESTNET_CHAIN_ID: Final = "dydx-testnet-4"
LOCAL_CHAIN_ID: Final = "localdydxprotocol"
SIM_CHAIN_ID: Final = "dydx-sim-1"
"""The simulator's own chain id; each run may add `-` and an id of its own."""

USDC_DENOM: Final = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"

_SIM_CHAIN_ID = re.compile(re.escape(SIM_CHAIN_ID) + r"(-[a-z0-9]+)?")
_KIND_BY_CHAIN_ID: Final = {MAINNET_CHAIN_ID: MAINNET, TESTNET_CHAIN_ID: TESTNET, LOCAL_CHAIN_ID: LOCAL}


def kind_of(chain_id: str) -> str:
    """Return the kind that a chain id stands for, CUSTOM for one that is not known; letters count as they are."""
    if _SIM_CHAIN_ID.fullmatch(chain_id):
        return SIM
    return _KIND_BY_CHAIN_ID.get(chain_id, CUSTOM)


@dataclass(frozen=True, slots=True)
class Network:
    """One network.

    `kind` is for people to read: mainnet, testnet, local, sim or custom; decisions ask `policy_kind`, which follows
    the chain id. `indexer_rest` has no path, the prefix /v4 is added. `nodes` are gRPC endpoints, the preferred one
    first: `host:port` speaks TLS, `http://127.0.0.1:port` does not and stays on this machine; without any there is no
    evidence from the chain. `ethereum_chain_id` is that of the bridge. None is unknown, or there is none.
    """

    name: str
    kind: str
    chain_id: str
    indexer_rest: str
    indexer_websocket: str
    nodes: tuple[str, ...] = ()
    ethereum_chain_id: int | None = None
    native_denom: str | None = None
    usdc_denom: str | None = None
    faucet: str | None = None

    @property
    def policy_kind(self) -> str:
        """The kind that decides what is allowed: by the chain id alone, and one that is not known counts as mainnet."""
        kind = kind_of(self.chain_id)
        return MAINNET if kind == CUSTOM else kind


@dataclass(frozen=True, slots=True)
class NetworkKeys:
    """What a configuration says of a network; None is not said."""

    chain_id: str | None = None
    indexer_rest: str | None = None
    indexer_websocket: str | None = None
    nodes: tuple[str, ...] | None = None
    ethereum_chain_id: int | None = None
    native_denom: str | None = None
    faucet: str | None = None


class UnknownNetworkError(ValueError):
    """A network name that is not known; the message lists the known ones."""


class MissingKeysError(ValueError):
    """A network of one's own of which too little is said. `keys` are those that are missing."""

    def __init__(self, name: str, keys: tuple[str, ...]) -> None:
        super().__init__(f"network {name!r} is in no catalogue and needs {', '.join(keys)}")
        self.keys = keys


KNOWN_NETWORKS: tuple[Network, ...] = (
    Network(
        name="mainnet",
        kind=MAINNET,
        chain_id=MAINNET_CHAIN_ID,
        indexer_rest="https://indexer.dydx.trade",
        indexer_websocket="wss://indexer.dydx.trade/v4/ws",
        nodes=(
            "oegs.dydx.trade:443",
            "dydx-dao-grpc-1.polkachu.com:443",
            "dydx-dao-grpc-2.polkachu.com:443",
            "dydx-dao-grpc-3.polkachu.com:443",
            "dydx-ops-grpc.kingnodes.com:443",
            "dydx-dao-grpc.enigma-validator.com:443",
            "dydx-grpc.publicnode.com:443",
        ),
        ethereum_chain_id=1,
        native_denom="adydx",
        usdc_denom=USDC_DENOM,
    ),
    Network(
        name="testnet",
        kind=TESTNET,
        chain_id=TESTNET_CHAIN_ID,
        indexer_rest="https://indexer.v4testnet.dydx.exchange",
        indexer_websocket="wss://indexer.v4testnet.dydx.exchange/v4/ws",
        nodes=("oegs-testnet.dydx.exchange:443", "test-dydx-grpc.kingnodes.com:443"),
        ethereum_chain_id=11155111,
        native_denom="adv4tnt",
        usdc_denom=USDC_DENOM,
        faucet="https://faucet.v4testnet.dydx.exchange",
    ),
    Network(
        name="local",
        kind=LOCAL,
        chain_id=LOCAL_CHAIN_ID,
        indexer_rest="http://localhost:3002",
        indexer_websocket="ws://localhost:3003/v4/ws",
        nodes=("http://127.0.0.1:9090",),
        native_denom="adv4tnt",
        usdc_denom=USDC_DENOM,
    ),
)


def catalogued(name: str) -> Network | None:
    """Return the catalogue's network of a name, None where it has none."""
    return next((network for network in KNOWN_NETWORKS if network.name == name), None)


def custom_network(name: str, keys: NetworkKeys) -> Network:
    """Return the network that a configuration describes.

    Under a name of the catalogue, what is not said keeps the catalogue's value. Under a new name, chain id and both
    Indexer addresses have to be said (MissingKeysError); facts of the chain itself (denoms, Ethereum chain id, faucet)
    come from the catalogue where it has the chain. Whether the whole may be used is for the validator to say.
    """
    said = {field.name: value for field in fields(keys) if (value := getattr(keys, field.name)) is not None}
    held = catalogued(name)
    if held is None:
        held = _chain_alone(name, keys)
    network = replace(held, **said)
    return replace(network, kind=kind_of(network.chain_id))


def _chain_alone(name: str, keys: NetworkKeys) -> Network:
    missing = tuple(key for key in ("chain_id", "indexer_rest", "indexer_websocket") if getattr(keys, key) is None)
    if missing:
        raise MissingKeysError(name, missing)
    same_chain = next((network for network in KNOWN_NETWORKS if network.chain_id == keys.chain_id), None)
    if same_chain is None:
        return Network(name, CUSTOM, "", "", "")
    return replace(same_chain, name=name, nodes=())


def network_named(name: str, custom: Iterable[Network] = ()) -> Network:
    """Return a network by name, a custom one before a known one of the same name.

    Raises UnknownNetworkError listing what there is, with the nearest name.
    """
    networks = (*custom, *KNOWN_NETWORKS)
    for network in networks:
        if network.name == name:
            return network
    names = sorted({network.name for network in networks})
    close = get_close_matches(name, names, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    raise UnknownNetworkError(f"unknown network {name!r}; known are: {', '.join(names)}{meant}")

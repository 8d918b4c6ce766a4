"""The networks that the settings describe."""

import re
from collections.abc import Iterator

from dydx_console.config.settings import CustomNetwork, Settings
from dydx_console.safety.findings import errors_of
from dydx_console.safety.networks import (
    MissingKeysError,
    Network,
    NetworkKeys,
    UnknownNetworkError,
    custom_network,
    network_named,
)
from dydx_console.safety.validator import NetworkValidator

__all__ = ["configured_networks", "network_problems"]


def configured_networks(settings: Settings) -> tuple[Network, ...]:
    """Return the networks under `[networks]`, each complete; MissingKeysError where one is not."""
    return tuple(custom_network(name, _keys(given)) for name, given in settings.networks.items())


def network_problems(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with networks as a whole: the path of the key, and the sentence."""
    complete = []
    for name, given in settings.networks.items():
        try:
            network = custom_network(name, _keys(given))
        except MissingKeysError as error:
            for key in error.keys:
                yield ("networks", name, key), "is required for a network that is not in the catalogue"
            continue
        complete.append(network)
        for finding in errors_of(NetworkValidator().network_findings(network)):
            key = re.sub(r"\[[0-9]+\]$", "", finding.key)
            yield ("networks", name) if key == "name" else ("networks", name, key), finding.text
    if settings.network is not None and settings.network not in settings.networks:
        try:
            network_named(settings.network, complete)
        except UnknownNetworkError as error:
            yield ("network",), str(error)


def _keys(given: CustomNetwork) -> NetworkKeys:
    return NetworkKeys(
        chain_id=given.chain_id,
        indexer_rest=given.indexer_rest,
        indexer_websocket=given.indexer_websocket,
        nodes=given.nodes,
        ethereum_chain_id=given.ethereum_chain_id,
        native_denom=given.native_denom,
        faucet=given.faucet,
    )

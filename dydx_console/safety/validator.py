"""What is to be said of a network before it is used: errors, warnings, and all that is known of it."""

import re
from collections.abc import Iterator
from typing import Final

from dydx_console.safety.findings import Finding, Severity, errors_of, warnings_of
from dydx_console.safety.hosts import belongs_to, is_loopback
from dydx_console.safety.networks import (
    CUSTOM,
    KNOWN_NETWORKS,
    LOCAL,
    MAINNET,
    SIM,
    Network,
    catalogued,
    kind_of,
)
from dydx_console.safety.policy import Decision, Environment, Request, decide
from dydx_console.safety.urls import (
    CheckedUrl,
    check_faucet,
    check_node,
    check_rest,
    check_websocket,
    mixed_network_reasons,
)

__all__ = ["MAX_CHAIN_ID", "NetworkValidator"]

MAX_CHAIN_ID: Final = 50
"""Longest chain id (cometbft/cometbft types/genesis.go)."""
MAX_NODES: Final = 20
_WITHOUT_RISK: Final = frozenset({"testnet", "local", "sim", "demo"})
"""Words in a network's name that promise that no real money is there."""

_CHAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_DENOM = re.compile(r"[A-Za-z][A-Za-z0-9/:._-]{2,127}")


class NetworkValidator:
    """Answers whether a network may be used. It asks nobody: what the venue says is for the checks of a network.

    Args:
        custom: the configured networks, which stand before the catalogue's.
    """

    def __init__(self, custom: tuple[Network, ...] = ()) -> None:
        self._custom = custom

    def networks(self) -> tuple[Network, ...]:
        """Return every network that can be chosen, the configured ones first."""
        names = {network.name for network in self._custom}
        return (*self._custom, *(network for network in KNOWN_NETWORKS if network.name not in names))

    def network_findings(self, network: Network) -> tuple[Finding, ...]:
        """Return everything that is found about a network's configuration, errors first."""
        found = (*_identity(network), *self.url_findings(network), *_cautions(network))
        return (*errors_of(found), *warnings_of(found))

    def url_findings(self, network: Network) -> tuple[Finding, ...]:
        """Return what is wrong with a network's addresses, each alone and together."""
        checked = _addresses(network)
        found = [_error(key, reason) for key, url in checked.items() for reason in url.reasons]
        if len(set(network.nodes)) != len(network.nodes):
            found.append(_error("nodes", "a node is named twice"))
        hosts = {key: url.host for key, url in checked.items() if url.host}
        found += [_error(key, reason) for key, reason in mixed_network_reasons(network.chain_id, hosts).items()]
        return tuple(found)

    def combination(self, request: Request) -> Decision:
        """Return what the environment allows to do with the network."""
        return decide(request, self._custom)

    def safety_warnings(self, network: Network, environment: Environment) -> tuple[str, ...]:
        """Return what a person should know before using the network there, as sentences."""
        warnings = [finding.text for finding in warnings_of(self.network_findings(network))]
        if network.policy_kind == MAINNET and environment is not Environment.PRODUCTION:
            warnings.insert(0, f"mainnet outside production ({environment}): real money")
        return tuple(warnings)

    def information(self, network: Network, decision: Decision | None = None) -> dict[str, object]:
        """Return what is known of a network as plain values (text, numbers, lists, None), with the decision if given.

        The keys are name, kind, policy_kind, chain_id, ethereum_chain_id, indexer_rest, indexer_websocket, nodes,
        native_denom, usdc_denom, faucet, environment, outcome, exit_code, reasons, read_only, errors and warnings.
        """
        findings = self.network_findings(network)
        warnings = (
            tuple(finding.text for finding in warnings_of(findings))
            if decision is None
            else self.safety_warnings(network, decision.environment)
        )
        return {
            "name": network.name,
            "kind": network.kind,
            "policy_kind": network.policy_kind,
            "chain_id": network.chain_id,
            "ethereum_chain_id": network.ethereum_chain_id,
            "indexer_rest": network.indexer_rest,
            "indexer_websocket": network.indexer_websocket,
            "nodes": list(network.nodes),
            "native_denom": network.native_denom,
            "usdc_denom": network.usdc_denom,
            "faucet": network.faucet,
            "environment": None if decision is None else decision.environment.value,
            "outcome": None if decision is None else decision.outcome.value,
            "exit_code": None if decision is None else int(decision.exit_code),
            "reasons": [] if decision is None else list(decision.reasons),
            "read_only": None if decision is None else decision.read_only,
            "errors": [f"{finding.key}: {finding.text}" for finding in errors_of(findings)],
            "warnings": list(warnings),
        }


def _error(key: str, text: str) -> Finding:
    return Finding(Severity.ERROR, key, text)


def _warning(key: str, text: str) -> Finding:
    return Finding(Severity.WARNING, key, text)


def _addresses(network: Network) -> dict[str, CheckedUrl]:
    checked = {
        "indexer_rest": check_rest(network.indexer_rest),
        "indexer_websocket": check_websocket(network.indexer_websocket),
    }
    checked |= {f"nodes[{place}]": check_node(node) for place, node in enumerate(network.nodes)}
    if network.faucet is not None:
        checked["faucet"] = check_faucet(network.faucet)
    return checked


def _identity(network: Network) -> Iterator[Finding]:
    if not _NAME.fullmatch(network.name):
        yield _error("name", "a network's name has 1 to 32 of a–z, 0–9, - and _")
    if len(network.chain_id) > MAX_CHAIN_ID or not _CHAIN_ID.fullmatch(network.chain_id):
        yield _error("chain_id", f"a chain id has 1 to {MAX_CHAIN_ID} of letters, digits, . _ and -")
    if network.native_denom is not None and not _DENOM.fullmatch(network.native_denom):
        yield _error("native_denom", "a denom has 3 to 128 of letters, digits and / : . _ -, a letter first")
    if len(network.nodes) > MAX_NODES:
        yield _error("nodes", f"there are more than {MAX_NODES}")
    reason = _misnamed(network)
    if reason is not None:
        yield _error("chain_id", reason)


def _misnamed(network: Network) -> str | None:
    """Return why the name promises another chain than the chain id is, None where it does not."""
    known = catalogued(network.name)
    if known is not None and known.chain_id != network.chain_id:
        return f"{known.name} is {known.chain_id}; a network on {network.chain_id!r} needs another name"
    promised = _WITHOUT_RISK & set(re.split("[-_]", network.name))
    if kind_of(network.chain_id) == MAINNET and promised and MAINNET not in network.name:
        return f"the name {network.name!r} says {' '.join(sorted(promised))}, and the chain id is mainnet's"
    return None


def _cautions(network: Network) -> Iterator[Finding]:
    if kind_of(network.chain_id) == CUSTOM:
        yield _warning("chain_id", f"chain id {network.chain_id!r} is not known, so it counts as mainnet")
    elif network.kind not in (kind_of(network.chain_id), CUSTOM):
        yield _warning("chain_id", f"called {network.kind}, the chain id is that of {kind_of(network.chain_id)}")
    if not network.nodes:
        yield _warning("nodes", "no node is named, so nothing proves which chain this is and nothing can be sent")
    addresses = _addresses(network)
    plain = [key for key, url in addresses.items() if url.text and url.plaintext]
    if plain and kind_of(network.chain_id) not in (LOCAL, SIM):
        yield _warning(plain[0], f"not encrypted, and so for this machine alone: {', '.join(plain)}")
    for key, url in addresses.items():
        if url.text and belongs_to(url.host) is None and not is_loopback(url.host):
            yield _warning(key, f"{url.host} is not a host of the catalogue")

"""Engines and networks for tests that run against an embedded exchange in a process of its own."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dydx_console.cli.preflighting import demo_plan
from dydx_console.engine.child import SimChild, SimUrls
from dydx_console.engine.compose import live_engine
from dydx_console.engine.gate import Gate
from dydx_console.engine.plan import JournalPlan, LivePlan
from dydx_console.engine.runtime import Engine
from dydx_console.ports.network import NetworkView
from dydx_console.safety.networks import Network, kind_of
from dydx_console.safety.policy import Decision, Entry, Environment, Purpose, Request, decide

FUNDED_NOWHERE = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"


@contextmanager
def exchange(*arguments: str) -> Iterator[SimUrls]:
    """Run an exchange with small blocks and little history."""
    child = SimChild(("--seed", "7", "--block-ms", "200", "--history-hours", "2", *arguments))
    try:
        yield child.urls()
    finally:
        child.stop()


def network_of(venue: SimUrls, **changes: object) -> Network:
    """Return a running exchange as a network under the chain id that it reports."""
    made = Network("test", kind_of(venue.chain_id), venue.chain_id, venue.rest, venue.websocket, (venue.grpc,))
    return replace(made, **changes)  # type: ignore[arg-type]


def decision_for(
    network: Network, environment: Environment = Environment.DEVELOPMENT, *, purpose: Purpose = Purpose.READ
) -> Decision:
    """Return what the policy says to a person at a terminal."""
    return decide(Request(environment, network, Entry.SCREEN, has_terminal=True, purpose=purpose))


def engine_on(
    network: Network,
    address: str | None,
    *,
    record_to: Path | None = None,
    gate: Gate | None = None,
    journal: Path | None = None,
    program: str = "run",
) -> Engine:
    """Return an engine on a network; it is not started."""
    decision = decision_for(network)
    view = NetworkView(
        network.name, network.kind, network.chain_id, "development", "default", confirmed=False, read_only=True
    )
    kept = None
    if journal is not None and address is not None:
        kept = JournalPlan(journal, program)
    plan = LivePlan(network, address, 0, record_to, journal=kept)
    return live_engine(plan, demo_plan(network, decision, address), gate or Gate(decision), view)


def toml_of(venue: SimUrls, *, name: str = "mine", address: str | None = None, **changes: str) -> str:
    """Return a configuration file that names a running exchange."""
    network = network_of(venue)
    keys = {
        "chain_id": network.chain_id,
        "indexer_rest": network.indexer_rest,
        "indexer_websocket": network.indexer_websocket,
        "nodes": list(network.nodes),
        **changes,
    }
    lines = [f"network = {json.dumps(name)}", f"address = {json.dumps(address or venue.account)}", f"[networks.{name}]"]
    return "\n".join([*lines, *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]) + "\n"


def written(path: Path, text: str) -> Path:
    """Write a file that its owner alone may write to."""
    path.write_text(text)
    path.chmod(0o600)
    return path


def console(*arguments: str) -> list[str]:
    """Return the command line of the console."""
    return [sys.executable, "-m", "dydx_console", *arguments]

"""The one way from a command to a network: settings, the validator's findings, the policy, a person's confirmation."""

import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.scrub import removed, restore_proxies
from dydx_console.config.load import ConfigError, Loaded, load
from dydx_console.config.networks import configured_networks
from dydx_console.config.settings import Settings
from dydx_console.domain.ids import AddressError, parse_address
from dydx_console.engine.gate import Gate
from dydx_console.ports.network import Confirmation, NetworkView
from dydx_console.safety.findings import errors_of, warnings_of
from dydx_console.safety.networks import MAINNET, Network, UnknownNetworkError, network_named
from dydx_console.safety.policy import (
    CONFIRMATION_TIMEOUT_S,
    Decision,
    Entry,
    Outcome,
    Purpose,
    Request,
    default_network,
)
from dydx_console.safety.validator import NetworkValidator

__all__ = [
    "Admission",
    "Wanted",
    "admit",
    "checked_address",
    "chosen_network",
    "confirm_at_prompt",
    "decided",
    "let_proxies_in",
    "loaded_or_fail",
    "scrubbed_warnings",
]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a network is to be used, and what the command line said about that.

    `tells` is False where warnings need not be told on standard error, because the log goes there too.
    """

    entry: Entry
    purpose: Purpose = Purpose.READ
    read_only: bool = False
    confirm_network: str | None = None
    tells: bool = True


@dataclass(frozen=True, slots=True)
class Admission:
    """A network that may be used, or that a person may still confirm at the screen; and what the banner says of it."""

    loaded: Loaded
    network: Network
    gate: Gate
    view: NetworkView

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.loaded.settings

    @property
    def address(self) -> str | None:
        """The account, None where none is named."""
        return self.settings.address

    @property
    def parent(self) -> int:
        """Its parent subaccount."""
        return self.settings.parent_subaccount


def checked_address(text: str | None) -> str | None:
    """Return an address from the command line, or end the command saying what is wrong with it."""
    if text is None:
        return None
    try:
        return parse_address(text)
    except AddressError as error:
        fail(Exit.USAGE, f"{error} (given: {text[:80]!r})")


def loaded_or_fail(config: Path | None, overrides: dict[str, Any]) -> Loaded:
    """Return the settings and who decided them, or end the command naming what is wrong with them."""
    try:
        loaded = load(config, overrides)
    except ConfigError as error:
        fail(Exit.CONFIGURATION, str(error))
    let_proxies_in(loaded.settings)
    return loaded


def let_proxies_in(settings: Settings) -> None:
    """Put the proxy variables back into the environment, where the settings allow them."""
    if settings.proxy.allow:
        restore_proxies(removed().proxies, os.environ)


def scrubbed_warnings(settings: Settings) -> tuple[str, ...]:
    """Return the warning about variables that were taken out of the environment, if any were."""
    return removed().warnings(proxies_allowed=settings.proxy.allow)


def chosen_network(settings: Settings) -> Network:
    """Return the network that is named, or the one that the environment chooses. Raises UnknownNetworkError."""
    return network_named(settings.network or default_network(settings.environment), configured_networks(settings))


def decided(settings: Settings, network: Network, wanted: Wanted) -> Decision:
    """Return what the policy says."""
    request = Request(
        environment=settings.environment,
        network=network,
        entry=wanted.entry,
        has_terminal=_has_terminal(wanted.entry),
        purpose=wanted.purpose,
        read_only=wanted.read_only,
        confirm_network=wanted.confirm_network,
    )
    return NetworkValidator(configured_networks(settings)).combination(request)


def admit(loaded: Loaded, wanted: Wanted) -> Admission:
    """Return the network to use, or end the command: 78 for configuration, 77 for policy or no confirmation.

    A command asks on the terminal. The screen asks by itself, beside what the checks of the network found; until it is
    answered its engine follows nothing.
    """
    settings = loaded.settings
    try:
        network = chosen_network(settings)
    except UnknownNetworkError as error:
        fail(Exit.CONFIGURATION, str(error))
    findings = NetworkValidator(configured_networks(settings)).network_findings(network)
    errors = errors_of(findings)
    if errors:
        fail(Exit.CONFIGURATION, "\n".join(f"network {network.name}: {found.key}: {found.text}" for found in errors))
    decision = decided(settings, network, wanted)
    # of an unknown chain id the decision tells already
    cautions = tuple(found.text for found in warnings_of(findings) if found.key != "chain_id")
    warnings = tuple(dict.fromkeys((*decision.warnings, *cautions, *scrubbed_warnings(settings))))
    for warning in warnings:
        log.warning("%s", warning)
    if decision.outcome is Outcome.REFUSED:
        fail(Exit(int(decision.exit_code)), "; ".join(decision.reasons))
    confirmation = _confirmation(loaded, network)
    gate = Gate(decision, confirmation)
    if wanted.entry is not Entry.SCREEN:
        if wanted.tells:
            _say(warnings)
        confirm_at_prompt(gate, confirmation)
    return Admission(loaded, network, gate, _view(loaded, network, wanted, warnings))


def _view(loaded: Loaded, network: Network, wanted: Wanted, warnings: tuple[str, ...]) -> NetworkView:
    return NetworkView(
        name=network.name,
        kind=network.kind,
        chain_id=network.chain_id,
        environment=str(loaded.settings.environment),
        environment_from=loaded.origin_of("environment"),
        confirmed=False,
        read_only=wanted.read_only or wanted.purpose is Purpose.READ,
        warnings=warnings,
        real_money=network.policy_kind == MAINNET,
    )


def _confirmation(loaded: Loaded, network: Network) -> Confirmation:
    return Confirmation(
        network=network.name,
        chain_id=network.chain_id,
        indexer_hosts=tuple(dict.fromkeys(map(_host, (network.indexer_rest, network.indexer_websocket)))),
        node_hosts=tuple(map(_host, network.nodes)),
        environment=str(loaded.settings.environment),
        environment_from=loaded.origin_of("environment"),
        address=loaded.settings.address,
        parent=loaded.settings.parent_subaccount,
        timeout_s=CONFIRMATION_TIMEOUT_S,
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc if "://" in url else url


def _has_terminal(entry: Entry) -> bool:
    shown = sys.stdout if entry is Entry.SCREEN else sys.stderr
    return sys.stdin.isatty() and shown.isatty()


def confirm_at_prompt(gate: Gate, asked: Confirmation) -> None:
    """Ask for the chain id where the gate waits for it; ends the command (77) unless it is typed."""
    if gate.confirmation() is None:
        return
    typed = _typed_line(_question(asked), asked.timeout_s)
    if typed is None:
        sys.stderr.write("\n")
        gate.refuse(f"nothing was typed within {asked.timeout_s:g} s, or it was left before")
    else:
        gate.confirm(typed)
    if not gate.decision.runs:
        fail(Exit.REFUSED, "; ".join(gate.decision.reasons))


def _question(asked: Confirmation) -> str:
    account = f"{asked.address}, parent {asked.parent}" if asked.address is not None else "none"
    return (
        f"\n{asked.network} counts as MAINNET: real money.\n"
        f"  chain id     {asked.chain_id}\n"
        f"  indexer      {asked.indexer_hosts[0]}\n"
        f"  nodes        {', '.join(asked.node_hosts) or 'none'}\n"
        f"  environment  {asked.environment} ({asked.environment_from})\n"
        f"  account      {account}\n"
        f"Type the chain id to go on ({asked.timeout_s:.0f} s): "
    )


def _typed_line(question: str, timeout_s: float) -> str | None:
    """Ask, and return the line that is typed from then on; None where none is in time, at Ctrl-C or Ctrl-D."""
    import termios  # there is none on Windows, where nothing is confirmed

    stdin = sys.stdin.fileno()
    try:
        with _woken_by_signals() as signals:  # before the question: who reads it may leave at once
            sys.stderr.write(question)
            sys.stderr.flush()
            termios.tcflush(stdin, termios.TCIFLUSH)  # what was typed before the question is no answer to it
            ready, _, _ = select.select([stdin, signals], [], [], timeout_s)
            line = os.read(stdin, 4096) if stdin in ready else b""
    except (KeyboardInterrupt, OSError, termios.error):  # the terminal may be gone
        return None
    return line.decode("utf-8", "replace") if line else None


@contextmanager
def _woken_by_signals() -> Iterator[int]:
    """Yield a descriptor that can be read after a signal: one just before a select would else go unheard in it.

    Ctrl-C is heard meanwhile also where the program was started to ignore it, as background jobs are.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        before, handler = signal.set_wakeup_fd(writer.fileno()), signal.getsignal(signal.SIGINT)
        if handler is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield reader.fileno()
        finally:
            if handler is signal.SIG_IGN:
                signal.signal(signal.SIGINT, handler)
            signal.set_wakeup_fd(before)


def _say(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        sys.stderr.write(f"dydx-console: warning: {warning}\n")

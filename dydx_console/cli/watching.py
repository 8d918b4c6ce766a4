"""What `run` and `record` share: settings, network, account, log."""

import logging
import logging.handlers
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dydx_console.cli.exits import Exit, fail
from dydx_console.config.load import ConfigError, default_log_path, load_settings
from dydx_console.config.settings import Settings
from dydx_console.domain.ids import AddressError, parse_address
from dydx_console.ports.network import NetworkView
from dydx_console.safety.networks import Network, UnknownNetworkError, network_named

__all__ = ["Watching", "checked_address", "open_log", "reach", "settings_or_fail", "watching"]

LOG_BYTES = 5_000_000
LOG_FILES = 3
REACH_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Watching:
    """A network to watch, an account on it, and what the banner says of them."""

    settings: Settings
    network: Network
    view: NetworkView
    address: str | None
    parent: int


def checked_address(text: str | None) -> str | None:
    """Return an address from the command line, or end the command saying what is wrong with it."""
    if text is None:
        return None
    try:
        return parse_address(text)
    except AddressError as error:
        fail(Exit.USAGE, f"{error} (given: {text[:80]!r})")


def settings_or_fail(config: Path | None, overrides: dict[str, Any]) -> Settings:
    """Return the settings, or end the command naming what is wrong with them."""
    try:
        return load_settings(config, overrides)
    except ConfigError as error:
        fail(Exit.CONFIGURATION, str(error))


def watching(settings: Settings) -> Watching:
    """Return what the settings say to watch, or end the command where they name an unknown network."""
    custom = tuple(
        Network(name, "custom", given.chain_id, given.indexer_rest, given.indexer_websocket)
        for name, given in settings.networks.items()
    )
    name = settings.network or "testnet"
    try:
        network = network_named(name, custom)
    except UnknownNetworkError as error:
        fail(Exit.CONFIGURATION, str(error))
    view = NetworkView(
        name=network.name,
        kind=network.kind,
        chain_id=network.chain_id,
        environment=settings.environment,
        environment_from=None,
        confirmed=False,
        read_only=True,
    )
    return Watching(settings, network, view, settings.address, settings.parent_subaccount)


def open_log(settings: Settings) -> Path:
    """Send log lines to the rotating log file and return its path; ends the command where it cannot be written."""
    path = settings.log.file or default_log_path()
    previous = os.umask(0o077)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    except OSError as error:
        fail(Exit.CONFIGURATION, f"cannot write the log {path}: {error.strerror or error}")
    finally:
        os.umask(previous)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log.level.upper())
    for noisy in ("httpx", "httpcore", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return path


def reach(url: str, log_path: Path) -> None:
    """End the command with one line where the Indexer's host cannot be reached at all."""
    split = urlsplit(url)
    port = split.port or (443 if split.scheme in ("https", "wss") else 80)
    host = split.hostname or ""
    try:
        socket.create_connection((host, port), REACH_TIMEOUT_S).close()
    except OSError as error:
        logging.getLogger(__name__).error("cannot reach %s:%d", host, port, exc_info=error)
        fail(Exit.UNREACHABLE, f"cannot reach {host}:{port}: {error.strerror or error} (log: {log_path})")

"""`config init`: an example file made from the settings' own sentences."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dydx_console.cli.exits import Exit, fail
from dydx_console.config.load import default_config_path
from dydx_console.config.settings import CustomNetwork, Settings

__all__ = ["check", "example_text", "write_example"]

_EXAMPLES: dict[str, Any] = {
    "network": "testnet",
    "address": "dydx1…",
    "file": "/path/to/dydx-console.log",
    "folder": "/path/to/journals",
    "keys": {},
    "chain_id": "localdydxprotocol",
    "indexer_rest": "http://127.0.0.1:3002",
    "indexer_websocket": "ws://127.0.0.1:3003/v4/ws",
    "nodes": ["http://127.0.0.1:9090"],
    "ethereum_chain_id": 11155111,
    "native_denom": "adv4tnt",
    "faucet": "http://127.0.0.1:8087",
    "listen": "127.0.0.1:8788",
    "api_token_file": "/path/to/api-token",
}


def example_text() -> str:
    """Return the example configuration: every key with its sentence, commented out at its default."""
    lines = ["# Configuration of dydx-console. Every key is optional; what is commented out shows the default."]
    lines += _table(Settings)
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            lines += ["", f"# {field.description}", f"[{name}]", *_table(model)]
    lines += ["", f"# {Settings.model_fields['leverage'].description}", "# [leverage]", "# BTC-USD = 10"]
    lines += ["", f"# {Settings.model_fields['networks'].description}", "# [networks.mine]", *_table(CustomNetwork)]
    return "\n".join(lines) + "\n"


def _table(model: type[BaseModel]) -> list[str]:
    lines: list[str] = []
    for name, field in model.model_fields.items():
        is_table = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        if is_table or name in ("networks", "leverage"):
            continue
        default = field.get_default(call_default_factory=True)
        value = _EXAMPLES.get(name, default) if name in _EXAMPLES else default
        lines += ["", f"# {field.description}", f"# {name} = {_toml(value)}"]
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return "{}" if value == {} else json.dumps(value, ensure_ascii=False)


def write_example(path: Path | None) -> Path:
    """Write the example file, readable by its owner alone, and return its path; ends the command where it exists."""
    target = path or default_config_path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        fail(Exit.USAGE, f"{target} exists already; it is never written over")
    except OSError as error:
        fail(Exit.USAGE, f"cannot write {target}: {error.strerror or error}")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(example_text())
    return target


def check(path: Path | None) -> str:
    """Return in one line what the configuration means; ends the command where it cannot be used (78)."""
    from dydx_console.cli.admission import Wanted, chosen_network, decided, loaded_or_fail
    from dydx_console.safety.policy import Entry, PolicyExit

    loaded = loaded_or_fail(path, {})
    settings = loaded.settings
    network = chosen_network(settings)
    decision = decided(settings, network, Wanted(Entry.COMMAND))
    if decision.exit_code is PolicyExit.CONFIGURATION:
        fail(Exit.CONFIGURATION, "; ".join(decision.reasons))
    return (
        f"fine: environment {settings.environment} ({loaded.origin_of('environment')}),"
        f" network {network.name} ({network.chain_id}): {'; '.join(decision.reasons)}"
    )

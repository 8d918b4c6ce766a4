"""What the tests of the configuration share."""

from pathlib import Path

import pytest

from dydx_console.config.load import ConfigError, load

__all__ = ["problem", "write"]


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a configuration file and return its path."""
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def problem(folder: Path, text: str, **overrides: object) -> str:
    """Return what is said against a configuration."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), overrides)
    return str(caught.value)

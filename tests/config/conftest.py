"""No test of the configuration hears what the machine's own environment says to the console."""

import os

import pytest

from dydx_console.config.variables import PREFIX


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)

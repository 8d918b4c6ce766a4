"""The rooms are what docs/architecture.md says: at run time, and to the letter of the code."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dydx_console"

LOADS = """
import importlib, json, pkgutil, sys
package = importlib.import_module("dydx_console.{room}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""

NETWORK = {"httpx", "websockets", "grpc"}
SCREEN = {"textual", "rich"}
STORE = {"sqlite3", "aiosqlite"}
CLIENT = {"dydx_v4_client"}
NEVER_LOADED = {
    "domain": NETWORK | SCREEN | STORE | CLIENT | {"asyncio", "random", "pydantic"},
    "state": NETWORK | SCREEN | STORE | CLIENT | {"asyncio", "pydantic"},
    "safety": NETWORK | SCREEN | STORE | CLIENT | {"asyncio"},
    "ports": NETWORK | SCREEN | STORE | CLIENT | {"asyncio"},
    "recording": NETWORK | SCREEN | STORE | CLIENT,
    "views": NETWORK | SCREEN | STORE | CLIENT,
    "preflight": NETWORK | SCREEN | STORE | CLIENT | {"pydantic"},
    "journal": NETWORK | SCREEN | CLIENT | {"pydantic"},
    "health": NETWORK | SCREEN | STORE | CLIENT | {"dydx_console.engine", "dydx_console.venue"},
    # httpx loads rich by itself where it is installed; the contracts hold our own imports of it
    "venue": {"textual"} | STORE | CLIENT,
    "engine": {"textual"} | STORE | CLIENT,
    "tui": NETWORK | STORE | CLIENT | {"dydx_console.engine", "dydx_console.venue"},
    "sim": {"dydx_console." + room for room in ("domain", "state", "venue", "engine", "views", "tui", "cli", "ports")},
}


@pytest.mark.parametrize("room", sorted(NEVER_LOADED))
def test_a_room_loads_nothing_that_it_must_not(room: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOADS.format(room=room)], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(run.stdout))
    assert f"dydx_console.{room}" in loaded
    assert not loaded & NEVER_LOADED[room]


ACCOUNT = {f"dydx_console.{name}" for name in ("state", "domain.order", "domain.fill", "domain.position")}
OF_THE_ACCOUNT = {"accounts", "api", "application", "asked", "openapi", "server"}
"""Modules of health/ that tell the account to who has the token, and those that bring all of it together."""


def test_what_tells_health_to_everybody_does_not_know_the_account() -> None:
    names = sorted(path.stem for path in (PACKAGE / "health").glob("*.py") if path.stem not in OF_THE_ACCOUNT)
    assert {"documents", "metrics", "probing", "asking"} <= set(names)
    imports = "; ".join(f"import dydx_console.health.{name}" for name in names if name != "__init__")
    run = subprocess.run(
        [sys.executable, "-c", f"{imports}; import json, sys; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert not set(json.loads(run.stdout)) & ACCOUNT


CLOCKS = {"time.time", "time.monotonic", "time.perf_counter", "datetime.now", "datetime.utcnow", "date.today"}
PURE = ("domain", "state", "safety", "views")


def clock_reads(source: str) -> list[str]:
    """Return every read of a clock in a source text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            found += [text for clock in CLOCKS if text.endswith(clock)]
            if node.attr in ("utcnow", "today") and ast.unparse(node.value) in ("date", "datetime", "dt"):
                found.append(text)
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if "time" in names or (isinstance(node, ast.ImportFrom) and node.module == "time"):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "source", ["import time", "from time import monotonic", "datetime.now(UTC)", "x = date.today()", "dt.utcnow()"]
)
def test_a_clock_read_is_found(source: str) -> None:
    assert clock_reads(source)


def test_no_pure_room_reads_a_clock() -> None:
    files = [path for room in PURE for path in (PACKAGE / room).rglob("*.py")]
    assert len(files) > 30
    assert {str(path): reads for path in files if (reads := clock_reads(path.read_text()))} == {}


def test_no_task_is_left_without_a_supervisor() -> None:
    """`create_task` stands only on a task group, or on the loop where the engine's thread begins."""
    bare = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("create_task", "ensure_future"):
                owner = ast.unparse(node.value)
                if owner in ("asyncio", "self._loop"):
                    bare.append(f"{path.name}:{node.lineno}")
    assert bare == []


def test_nothing_waits_in_a_way_that_loses_a_cancellation() -> None:
    """Up to Python 3.11 `asyncio.wait_for` drops a cancellation that comes together with what it waits for."""
    found = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]
    assert found == []


def test_the_example_configuration_is_what_the_settings_say() -> None:
    from dydx_console.cli.configuring import example_text

    example = PACKAGE.parent / "config.example.toml"
    assert example.read_text(encoding="utf-8") == example_text()

"""Every row of environment, network, entry and terminal, run for real against exchanges that are such networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli.terminals import (
    SENDERS,
    in_terminal,
    networks_file,
    ran,
    said,
    serving,
    short_home,
    together,
    until,
)
from tui.pty_harness import Terminal
from venues import console, exchange, written

from dydx_console.engine.child import SimUrls
from dydx_console.health.asking import ask
from dydx_console.health.listen import UnixListen

MAINNET = "dydx-mainnet-1"
QUESTION = "Type the chain id to go on"
TABLE = """
# environment  network    terminal: run   watch  send     none: run    watch  send
  development  none       runs     runs   runs            runs   runs   runs
  development  mainnet    asks     asks   asks            77     77     77
  development  testnet    runs     runs   runs            runs   runs   runs
  development  simulator  runs     runs   runs            runs   runs   runs
  staging      none       runs     runs   runs            runs   runs   runs
  staging      mainnet    asks     asks   asks            77     77     77
  staging      testnet    runs     runs   runs            runs   runs   runs
  staging      simulator  runs     runs   runs            runs   runs   runs
  production   none       runs     runs   runs            runs   runs   runs
  production   mainnet    runs     runs   runs            runs   runs   runs
  production   testnet    78       78     78              78     78     78
  production   simulator  78       78     78              78     78     78
"""
"""`asks` is: only the chain id, typed at the question, goes on. `runs` is: it does, unasked. Numbers are exit codes."""

CELLS = tuple(f"{where} {entry}" for where in ("terminal", "none") for entry in ("run", "watch", "send"))
ROWS = [line.split() for line in TABLE.splitlines() if line.strip() and not line.startswith("#")]
QUICK_ROWS = ("development mainnet", "development testnet", "production mainnet", "production testnet")
NAMES = {
    "none": (),
    "mainnet": ("--network", "real"),
    "testnet": ("--network", "paper"),
    "simulator": ("--network", "toy"),
}


@dataclass(frozen=True)
class Desk:
    """A home whose configuration names networks of every kind, each of them a running exchange."""

    home: Path
    config: Path
    account: str


@pytest.fixture(scope="module")
def venues() -> Iterator[dict[str, SimUrls]]:
    calm = ("--rate", "0", "--history-hours", "0", "--block-ms", "500")
    with (
        exchange(*calm, "--chain-id", MAINNET) as mainnet,
        exchange(*calm, "--chain-id", "dydx-testnet-4") as testnet,
        exchange(*calm) as simulator,
    ):
        yield {"real": mainnet, "paper": testnet, "toy": simulator, "mainnet": mainnet, "testnet": testnet}


@pytest.fixture
def desk(venues: dict[str, SimUrls]) -> Iterator[Desk]:
    with short_home() as home:
        config = networks_file(home, venues)
        yield Desk(home, config, venues["real"].account)


def is_shown(shown: Terminal, account: str) -> bool:
    return all(words in shown.text for words in (f"…{account[-6:]}", "● LIVE", "1 Balances"))


def words_of(entry: str, sender: str, *, is_timed: bool) -> tuple[str, ...]:
    if entry == "send":
        return SENDERS[sender]
    place = () if entry == "run" else ("--health", "127.0.0.1:0")
    return (entry, *place, *(("--for", "0.2") if is_timed else ()))


def told(code: int, text: str, entry: str) -> str:
    """Return how a command ended, in a word of the table."""
    assert "Traceback" not in text, text
    if entry == "send":
        return "runs" if code == 1 and "trading is not built yet" in text else str(code)
    return "runs" if code == 0 and (entry == "run" or "watching" in text) else str(code)


def without_terminal(desk: Desk, entry: str, sender: str, *options: str) -> str:
    done = ran(desk.home, *words_of(entry, sender, is_timed=True), *options)
    return told(done.returncode, done.stderr, entry)


def at_terminal(desk: Desk, entry: str, sender: str, *options: str) -> str:
    command = console(*words_of(entry, sender, is_timed=entry == "watch"), *options)
    with in_terminal(desk.home, command) as shown:
        shown.until(lambda: shown.process.poll() is not None or QUESTION in shown.text or is_shown(shown, desk.account))
        is_asked = QUESTION in shown.text
        if is_asked:
            shown.pump(0.6)
            shown.keys(f"{MAINNET}\r")
        if entry == "run" and shown.process.poll() is None:
            shown.until(lambda: is_shown(shown, desk.account))
            shown.keys("q")
        ended = told(shown.exit_code(), said(shown), entry)
    return f"asks, then {ended}" if is_asked else ended


def as_param(row: list[str]) -> Any:
    """Return a row as a parameter; all but the quick ones run nightly alone."""
    name = f"{row[0]} {row[1]}"
    return pytest.param(row, id=name, marks=[] if name in QUICK_ROWS else [pytest.mark.nightly])


@pytest.mark.parametrize("row", [as_param(row) for row in ROWS])
def test_row(desk: Desk, row: list[str]) -> None:
    named, network, *expected = row
    options = ("--config", str(desk.config), "--environment", named, *NAMES[network])
    senders = sorted(SENDERS)
    sender = senders[ROWS.index(row) % len(senders)]
    ways = {"terminal": at_terminal, "none": without_terminal}
    jobs = {}
    for cell in CELLS:
        where, entry = cell.split()
        jobs[cell] = partial(ways[where], desk, entry, sender, *options)
    found = together(jobs)
    wanted = {cell: "asks, then runs" if word == "asks" else word for cell, word in zip(CELLS, expected, strict=True)}
    assert found == wanted


def test_the_table_has_every_row() -> None:
    rows = {(row[0], row[1]) for row in ROWS}
    assert len(rows) == len(ROWS) == 3 * 4
    assert all(len(row) == 2 + len(CELLS) for row in ROWS)
    assert rows >= {tuple(name.split()) for name in QUICK_ROWS}


def test_mainnet_is_recorded_after_the_chain_id_was_typed(desk: Desk) -> None:
    path = desk.home / "day.jsonl"
    command = console("record", str(path), "--network", "real", "--config", str(desk.config))
    with in_terminal(desk.home, command) as shown:
        shown.until(lambda: QUESTION in shown.text)
        assert not path.exists()
        shown.pump(0.2)
        shown.keys(f"{MAINNET}\r")
        shown.until(lambda: path.exists() and b'"subscribed' in path.read_bytes())
        shown.keys("\x03")
        assert shown.exit_code() == 0
        assert "recorded" in said(shown)


@pytest.mark.parametrize("entry", ["watch", "record", "run"])
def test_reading_mainnet_alone_needs_no_terminal_when_both_options_say_so(desk: Desk, entry: str) -> None:
    path = desk.home / "day.jsonl"
    words = {"watch": ("watch",), "record": ("record", str(path)), "run": ("run", "--record", str(path))}[entry]
    options = ("--network", "real", "--config", str(desk.config), "--read-only", "--confirm-network", MAINNET)
    with serving(*words, *options, home=desk.home) as process:
        if entry == "watch":
            until(lambda: "stream LIVE" in (desk.home / "stderr").read_text(), (desk.home / "stderr").read_text)
        else:
            until(lambda: path.exists() and desk.account.encode() in path.read_bytes())
        process.terminate()
        assert process.wait(20) == (143 if entry == "run" else 0)


def test_a_configuration_that_is_rewritten_counts_from_the_next_start(desk: Desk) -> None:
    text = desk.config.read_text()
    written(desk.config, f'network = "paper"\n{text}')
    place = desk.home / "h.sock"
    options = ("watch", "--config", str(desk.config), "--health", f"unix:{place}")
    with serving(*options, home=desk.home) as process:
        until(place.exists, (desk.home / "stderr").read_text)
        written(desk.config, f'network = "real"\n{text}')
        until(lambda: "stream LIVE" in (desk.home / "stderr").read_text())
        status, body = ask(UnixListen(place), "/health/network?probe=1", 10.0)
        assert (status, "dydx-testnet-4" in body, MAINNET in body) == (200, True, False)
        process.terminate()
        assert process.wait(20) == 0
    done = ran(desk.home, *options)
    assert done.returncode == 77
    assert MAINNET in done.stderr

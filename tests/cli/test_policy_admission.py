"""How a command is admitted: who counts as a terminal, what is refused with what, and what the question takes."""

import contextvars
import logging
import os
import pty
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli.terminals import ADDRESS, networks_file, until, urls_at
from venues import written

from dydx_console.cli.admission import (
    Admission,
    Wanted,
    admit,
    checked_address,
    confirm_at_prompt,
    decided,
    loaded_or_fail,
    scrubbed_warnings,
)
from dydx_console.cli.scrub import Scrubbed, keep_in_mind
from dydx_console.cli.sending import refuse_or_say_not_built
from dydx_console.config.load import Loaded, load
from dydx_console.config.settings import CustomNetwork
from dydx_console.engine.gate import Gate
from dydx_console.safety.policy import CONFIRMATION_TIMEOUT_S, Entry, Outcome, Purpose

MAINNET = "dydx-mainnet-1"
BOTH = {"read_only": True, "confirm_network": MAINNET}
STREAMS = ("stdin", "stdout", "stderr")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, where no variable of the console's is set."""
    for name in list(os.environ):
        if name.upper().startswith("DYDX_CONSOLE_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    chain_ids = {"real": MAINNET, "odd": "desk-7", "paper": "dydx-testnet-4"}
    networks_file(tmp_path, {name: urls_at("127.0.0.1:9", chain_id) for name, chain_id in chain_ids.items()})
    return tmp_path


def loaded(home: Path, **overrides: object) -> Loaded:
    return load(home / "config.toml", overrides)


class Hands:
    """What is typed into a terminal, and what was shown there."""

    def __init__(self, master: int) -> None:
        self._master = master
        self.shown = b""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def read(self) -> None:
        """Take in what is shown until the terminal is gone."""
        try:
            while data := os.read(self._master, 4096):
                self.shown += data
        except OSError:
            return


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, streams: tuple[str, ...] = STREAMS) -> Iterator[Hands]:
    """Make a real terminal of some of the standard streams, and nothing at all of the others."""
    master, slave = pty.openpty()
    hands = Hands(master)
    with (
        open(slave, closefd=False) as reads,
        open(slave, "w", closefd=False) as writes,
        open(os.devnull, "r+") as nothing,
        monkeypatch.context() as patch,
    ):
        for name in STREAMS:
            patch.setattr(sys, name, (reads if name == "stdin" else writes) if name in streams else nothing)
        reading = threading.Thread(target=hands.read)
        reading.start()
        try:
            yield hands
        finally:
            writes.flush()
            os.close(slave)
            reading.join()
            os.close(master)


def at_the_question(hands: Hands, act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as the question is on the terminal."""

    def waited() -> None:
        until(lambda: b"Type the chain id" in hands.shown)
        until(lambda: b"s): " in hands.shown)
        act()

    thread = threading.Thread(target=waited)
    thread.start()
    return thread


def code_of(run: Callable[[], object]) -> object:
    """Return the exit code that ends a command, None where it is admitted."""
    try:
        run()
    except SystemExit as ended:
        return ended.code
    return None


@pytest.mark.parametrize("entry", Entry)
@pytest.mark.parametrize(
    "streams", [(), ("stdin",), ("stdin", "stdout"), ("stdin", "stderr"), ("stdout", "stderr"), STREAMS]
)
def test_a_person_can_be_asked_where_the_input_and_the_output_of_the_question_are_a_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch, entry: Entry, streams: tuple[str, ...]
) -> None:
    settings = loaded(home, network="real")
    network = next(iter(admitted_networks(home)))
    with terminal(monkeypatch, streams):
        outcome = decided(settings.settings, network, Wanted(entry)).outcome
    shown = "stdout" if entry is Entry.SCREEN else "stderr"
    is_asked = "stdin" in streams and shown in streams
    assert outcome is (Outcome.NEEDS_CONFIRMATION if is_asked else Outcome.REFUSED)


def admitted_networks(home: Path) -> Iterator[Any]:
    yield admit(loaded(home, network="real", environment="production"), Wanted(Entry.WATCH)).network


@pytest.mark.parametrize(
    ("overrides", "wanted", "code"),
    [
        ({"network": "real"}, Wanted(Entry.SCREEN), 77),
        ({"network": "real"}, Wanted(Entry.WATCH), 77),
        ({"network": "real"}, Wanted(Entry.COMMAND, Purpose.SEND), 77),
        ({"network": "real", "environment": "staging"}, Wanted(Entry.WATCH), 77),
        ({"network": "odd"}, Wanted(Entry.WATCH), 77),
        ({"network": "real"}, Wanted(Entry.WATCH, **BOTH), None),
        ({"network": "real"}, Wanted(Entry.WATCH, read_only=True), 77),
        ({"network": "real"}, Wanted(Entry.WATCH, confirm_network=MAINNET), 77),
        ({"network": "real"}, Wanted(Entry.WATCH, read_only=True, confirm_network="mainnet"), 77),
        ({"network": "real"}, Wanted(Entry.COMMAND, Purpose.SEND, **BOTH), 77),
        ({"network": "paper"}, Wanted(Entry.COMMAND, Purpose.SEND), None),
        ({"network": "paper"}, Wanted(Entry.COMMAND, Purpose.SEND, read_only=True), 77),
        ({"network": "paper", "environment": "production"}, Wanted(Entry.WATCH), 78),
        ({"network": "paper", "environment": "production"}, Wanted(Entry.COMMAND, Purpose.SEND, **BOTH), 78),
        ({"network": "real", "environment": "production"}, Wanted(Entry.COMMAND, Purpose.SEND), None),
        ({}, Wanted(Entry.WATCH), None),
        ({"environment": "production"}, Wanted(Entry.WATCH), None),
    ],
)
def test_without_a_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch, overrides: Mapping[str, str], wanted: Wanted, code: int | None
) -> None:
    with terminal(monkeypatch, ()):
        assert code_of(lambda: admit(loaded(home, **overrides), wanted)) == code


def test_where_none_is_named_the_environment_chooses(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, ()):
        chosen = {
            name: admit(loaded(home, environment=name), Wanted(Entry.WATCH)).network.name
            for name in ("development", "staging", "production")
        }
    assert chosen == {"development": "testnet", "staging": "testnet", "production": "mainnet"}


def test_at_a_terminal_the_screen_asks_by_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as hands:
        admission = admit(loaded(home, network="real"), Wanted(Entry.SCREEN))
    asked = admission.gate.confirmation()
    assert hands.shown == b""
    assert asked is not None
    assert (asked.network, asked.chain_id, asked.timeout_s) == ("real", MAINNET, CONFIRMATION_TIMEOUT_S)
    assert (asked.environment, asked.address, asked.parent) == ("development", ADDRESS, 0)
    assert not admission.gate.decision.runs
    assert admission.view.real_money
    assert admission.view.read_only
    assert not admission.view.confirmed


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (f"{MAINNET}\n", None),
        (f"\t{MAINNET} \n", None),
        ("dydx-mainnet-2\n", 77),
        ("\n", 77),
        (f"{MAINNET}\x04", None),
        ("\x04", 77),
        ("dydx\x04", 77),
    ],
    ids=repr,
)
@pytest.mark.parametrize("wanted", [Wanted(Entry.WATCH), Wanted(Entry.COMMAND, Purpose.SEND)], ids=["watch", "send"])
def test_at_a_terminal_a_command_waits_for_the_chain_id(
    home: Path, monkeypatch: pytest.MonkeyPatch, wanted: Wanted, keys: str, code: int | None
) -> None:
    found: list[Admission] = []
    with terminal(monkeypatch) as hands:
        typing = at_the_question(hands, lambda: hands.type(keys))
        ended = code_of(lambda: found.append(admit(loaded(home, network="real"), wanted)))
        typing.join()
    assert ended == code
    assert [admission.gate.decision.runs for admission in found] == ([True] if code is None else [])
    if code == 77:
        assert b"was not confirmed" in hands.shown


def test_type_ahead_is_thrown_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as hands:
        hands.type(f"{MAINNET}\n{MAINNET}\n{MAINNET}")
        typing = at_the_question(hands, lambda: hands.type("\n"))
        assert code_of(lambda: admit(loaded(home, network="real"), Wanted(Entry.WATCH))) == 77
        typing.join()
    assert f"what was typed is not {MAINNET}".encode() in hands.shown


def test_a_terminal_that_goes_away_confirms_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch):
        admission = admit(loaded(home, network="real"), Wanted(Entry.SCREEN))
        asked = admission.gate.confirmation()
        assert asked is not None
        with open(os.devnull, encoding="utf-8") as gone, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", gone)
            assert code_of(lambda: confirm_at_prompt(admission.gate, asked)) == 77
    assert admission.gate.decision.outcome is Outcome.REFUSED


def test_what_needs_no_confirmation_is_not_asked_about(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as hands:
        admission = admit(loaded(home, network="paper"), Wanted(Entry.COMMAND, Purpose.SEND, tells=False))
    assert admission.gate.decision.may_send
    assert not admission.view.read_only
    assert not admission.view.real_money
    assert hands.shown == b""


def test_warnings_are_told_to_a_person_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with terminal(monkeypatch, ("stderr",)) as hands, caplog.at_level("WARNING"):
        admission = admit(loaded(home, network="real"), Wanted(Entry.WATCH, **BOTH))
    assert admission.view.warnings[0] == "mainnet in development: real money"
    lines = hands.shown.decode().splitlines()
    assert lines == [f"dydx-console: warning: {text}" for text in admission.view.warnings]
    assert [record.getMessage() for record in caplog.records] == list(admission.view.warnings)


def test_a_network_that_contradicts_itself_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(
        home / "config.toml",
        '[networks.mixed]\nchain_id = "dydx-testnet-4"\nindexer_rest = "https://indexer.dydx.trade"\n'
        'indexer_websocket = "wss://indexer.dydx.trade/v4/ws"\n',
    )
    with terminal(monkeypatch, ()):
        assert code_of(lambda: loaded_or_fail(home / "config.toml", {"network": "mixed"})) == 78
        assert code_of(lambda: loaded_or_fail(home / "config.toml", {"network": "nowhere"})) == 78


def test_what_the_configuration_let_pass_is_judged_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = loaded(home, network="paper")
    swapped = CustomNetwork(
        chain_id="dydx-testnet-4",
        indexer_rest="https://indexer.dydx.trade",
        indexer_websocket="wss://indexer.dydx.trade/v4/ws",
    )
    for changed in ({"network": "nowhere"}, {"networks": {"paper": swapped}}):
        settings = good.settings.model_copy(update=changed)
        assert code_of(partial(admit, replace(good, settings=settings), Wanted(Entry.WATCH))) == 78
    unknown, mixed, *_ = capsys.readouterr().err.splitlines()
    assert "unknown network 'nowhere'" in unknown
    assert "network paper: indexer_rest: indexer.dydx.trade belongs to mainnet" in mixed


def test_a_chain_that_nobody_knows_is_warned_of_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, ()):
        wanted = Wanted(Entry.WATCH, read_only=True, confirm_network="desk-7")
        warnings = admit(loaded(home, network="odd"), wanted).view.warnings
    assert [text for text in warnings if "desk-7" in text] == [
        "chain id 'desk-7' is not known and is treated as mainnet's"
    ]
    assert any("not encrypted" in text for text in warnings)


@pytest.mark.parametrize("allow", [True, False])
def test_proxies_come_back_where_the_configuration_allows_them(
    home: Path, monkeypatch: pytest.MonkeyPatch, allow: bool
) -> None:
    for name in ("ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "set, so that it is put back as it was")
        monkeypatch.delenv(name)
    config = home / "config.toml"
    written(config, f"{config.read_text()}[proxy]\nallow = {str(allow).lower()}\n")

    def asked() -> tuple[str | None, tuple[str, ...]]:
        keep_in_mind(Scrubbed(("TEXTUAL_PRESS",), (("ALL_PROXY", "http://127.0.0.1:1"),)))
        settings = loaded_or_fail(config, {"network": "paper"}).settings
        return os.environ.get("ALL_PROXY"), scrubbed_warnings(settings)

    proxy, (warning,) = contextvars.copy_context().run(asked)
    assert proxy == ("http://127.0.0.1:1" if allow else None)
    assert warning == f"ignored from the environment: {'' if allow else 'ALL_PROXY, '}TEXTUAL_PRESS"


@pytest.mark.parametrize("text", ["cosmos1abc", ADDRESS[:-1], ADDRESS.upper(), ""])
def test_a_wrong_address_is_a_usage_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(lambda: checked_address(text)) == 2
    assert "given:" in capsys.readouterr().err


def test_a_right_address_is_taken_as_it_is() -> None:
    assert checked_address(ADDRESS) == ADDRESS
    assert checked_address(None) is None


@pytest.mark.parametrize(
    ("overrides", "code", "words"),
    [
        ({"network": "real"}, 77, "sending on network 'real' (dydx-mainnet-1) in development needs a person"),
        ({"network": "paper"}, 1, "trading is not built yet; nothing was sent to paper (dydx-testnet-4)"),
        ({"network": "paper", "environment": "production"}, 78, "production"),
    ],
    ids=["mainnet", "testnet", "testnet in production"],
)
def test_a_command_that_sends(
    home: Path, capsys: pytest.CaptureFixture[str], overrides: dict[str, Any], code: int, words: str
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        assert code_of(lambda: refuse_or_say_not_built(home / "config.toml", overrides)) == code
    finally:
        for handler in root.handlers:
            if handler not in before[0]:
                handler.close()
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    assert words in capsys.readouterr().err
    assert list(home.rglob("*.log"))


def test_a_gate_that_is_open_asks_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as hands:
        admission = admit(loaded(home, network="paper"), Wanted(Entry.WATCH))
        shut = admit(loaded(home, network="real"), Wanted(Entry.SCREEN)).gate.confirmation()
        assert shut is not None
        gate = Gate(admission.gate.decision, shut)
        assert code_of(lambda: confirm_at_prompt(gate, shut)) is None
    assert b"Type the chain id" not in hands.shown

"""The question for the chain id in a real terminal: nothing but the chain id, typed after the question, goes on."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cli.terminals import SENDERS, Trap, in_terminal, networks_file, said, short_home, together, trap, urls_at
from tui.pty_harness import Terminal
from venues import console

MAINNET = "dydx-mainnet-1"
QUESTION = "Type the chain id to go on"
ENTRIES = {
    "watch": ("watch", "--for", "1"),
    "record": ("record", "none.jsonl", "--for", "1"),
    "faucet": ("faucet",),
    **{name: (*words, "--yes") for name, words in SENDERS.items()},
}
CTRL_C, CTRL_D, ESCAPE = "\x03", "\x04", "\x1b"


@dataclass(frozen=True)
class Place:
    home: Path
    config: Path
    trap: Trap


@pytest.fixture
def place() -> Iterator[Place]:
    """A home whose chosen network is mainnet's, at a socket that nothing may touch."""
    with short_home() as home, trap() as counting:
        yield Place(home, networks_file(home, {"real": urls_at(counting.at, MAINNET)}, "real"), counting)


def command(place: Place, *words: str) -> list[str]:
    return console(*words, "--config", str(place.config))


def is_asked(shown: Terminal) -> bool:
    return QUESTION in said(shown)


def answered(place: Place, words: tuple[str, ...], keys: str) -> tuple[int, str]:
    """Return what a command ends with whose question is answered by `keys`, and what it said."""
    with in_terminal(place.home, command(place, *words)) as shown:
        shown.until(lambda: is_asked(shown))
        shown.pump(0.2)
        assert shown.process.poll() is None, said(shown)
        shown.keys(keys)
        return shown.exit_code(), said(shown)


@pytest.mark.parametrize(
    ("keys", "why", "entries"),
    [
        ("dydx-testnet-4\r", f"what was typed is not {MAINNET}", ENTRIES),
        (CTRL_D, "nothing was typed", ("watch", "record", "cancel-all")),
        (CTRL_C, "nothing was typed", ("watch", "record", "cancel-all")),
    ],
    ids=["another chain", "Ctrl-D", "Ctrl-C"],
)
def test_at_the_prompt_of_every_command_anything_else_ends_it(
    place: Place, keys: str, why: str, entries: Iterable[str]
) -> None:
    jobs = {entry: partial(answered, place, ENTRIES[entry], keys) for entry in entries}
    for code, text in together(jobs).values():
        assert code == 77, text
        assert f"network 'real' ({MAINNET}) was not confirmed: {why}" in text
        assert "built yet" not in text
    assert place.trap.heard == []


def test_words_that_mean_yes_elsewhere_are_no_chain_id(place: Place) -> None:
    tries = ("yes\r", "mainnet\r", "\r", f"{MAINNET.upper()}\r", f"{MAINNET} {MAINNET}\r")
    jobs = {keys: partial(answered, place, ENTRIES["cancel-all"], keys) for keys in tries}
    for code, text in together(jobs).values():
        assert code == 77, text
        assert f"what was typed is not {MAINNET}" in text
    assert place.trap.heard == []


def test_the_question_shows_what_it_is_about_and_how_long_it_waits(place: Place) -> None:
    _, text = answered(place, ENTRIES["place"], CTRL_D)
    for words in ("real counts as MAINNET: real money", MAINNET, place.trap.at, "development (default)", "dydx1n88uc"):
        assert words in text
    assert f"{QUESTION} (60 s):" in text


def test_the_chain_id_goes_on_with_blanks_around_it_and_says_where_to(place: Place) -> None:
    jobs = {entry: partial(answered, place, ENTRIES[entry], f" {MAINNET} \r") for entry in SENDERS}
    for code, text in together(jobs).values():
        assert code == 1, text
        assert f"trading is not built yet; nothing was sent to real ({MAINNET})" in text
    assert place.trap.heard == []


def typed_ahead(place: Place, words: tuple[str, ...]) -> tuple[int, str]:
    with in_terminal(place.home, command(place, *words)) as shown:
        shown.keys(f"{MAINNET}\r{MAINNET}")
        shown.until(lambda: is_asked(shown))
        shown.pump(0.5)
        assert shown.process.poll() is None, said(shown)
        shown.keys("\r")
        return shown.exit_code(), said(shown)


def test_what_was_typed_before_the_question_is_no_answer(place: Place) -> None:
    jobs = {entry: partial(typed_ahead, place, ENTRIES[entry]) for entry in ("watch", "record", "cancel-all")}
    for code, text in together(jobs).values():
        assert code == 77, text
        assert f"what was typed is not {MAINNET}" in text
    assert place.trap.heard == []


ASKS_BRIEFLY = """
import sys
from dydx_console.cli.admission import confirm_at_prompt
from dydx_console.engine.gate import Gate
from dydx_console.ports.network import Confirmation
from venues import decision_for, network_of
from cli.terminals import urls_at

network = network_of(urls_at("127.0.0.1:9", "dydx-mainnet-1"))
asked = Confirmation(
    "real", network.chain_id, ("127.0.0.1",), (), "development", "default", None, 0, timeout_s=float(sys.argv[1])
)
gate = Gate(decision_for(network), asked)
confirm_at_prompt(gate, asked)
print("went on", gate.decision.runs)
"""


@pytest.mark.parametrize(
    ("timeout_s", "keys", "code", "words"),
    [
        ("0.3", "", 77, "nothing was typed within 0.3 s"),
        ("0.3", MAINNET, 77, "nothing was typed within 0.3 s"),
        ("30", f"{MAINNET}\r", 0, "went on True"),
    ],
    ids=["nobody", "no Enter", "in time"],
)
def test_the_question_waits_no_longer_than_it_says(
    place: Place, timeout_s: str, keys: str, code: int, words: str
) -> None:
    with in_terminal(place.home, [sys.executable, "-c", ASKS_BRIEFLY, timeout_s]) as shown:
        shown.until(lambda: is_asked(shown))
        shown.pump(0.1)
        shown.keys(keys)
        assert shown.exit_code() == code, said(shown)
        assert words in said(shown)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (ESCAPE, "it was left before the chain id was typed"),
        (CTRL_C, "it was left before the chain id was typed"),
        ("dydx-testnet-4\r", f"what was typed is not {MAINNET}"),
        ("\r", f"what was typed is not {MAINNET}"),
    ],
    ids=["Esc", "Ctrl-C", "another chain", "nothing"],
)
def test_at_the_screen_anything_else_ends_it(place: Place, keys: str, why: str) -> None:
    with in_terminal(place.home, command(place, "run", "--record", "none.jsonl")) as shown:
        shown.until(lambda: QUESTION in shown.text)
        shown.pump(0.6)
        assert "Real money" in shown.text
        shown.keys(keys)
        assert shown.exit_code() == 77
        assert f"network 'real' ({MAINNET}) was not confirmed: {why}" in said(shown)
        assert shown.attrs == shown.attrs_before


@pytest.mark.parametrize(
    "more",
    [{"TEXTUAL_PRESS": ",".join(("wait:1000", *MAINNET, "enter"))}, {"TEXTUAL_DRIVER": "no.such:Driver"}],
    ids="+".join,
)
def test_no_variable_types_into_the_screen(place: Place, more: dict[str, str]) -> None:
    with in_terminal(place.home, command(place, "run"), more) as shown:
        shown.until(lambda: QUESTION in shown.text)
        shown.pump(2.0)
        assert QUESTION in shown.text
        assert shown.process.poll() is None
        shown.keys(ESCAPE)
        assert shown.exit_code() == 77

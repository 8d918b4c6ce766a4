"""What is refused without a terminal, by every entry: with 77 or 78, in one line, and before anything is asked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cli.terminals import SENDERS, Ran, Trap, networks_file, ran, short_home, together, trap, urls_at
from venues import written

MAINNET = "dydx-mainnet-1"
ENTRIES = {
    "run": ("run", "--for", "1"),
    "watch": ("watch", "--for", "1"),
    "record": ("record", "none.jsonl", "--for", "1"),
    "faucet": ("faucet",),
    **{name: (*words, "--yes") for name, words in SENDERS.items()},
}


@dataclass(frozen=True)
class Place:
    home: Path
    config: Path
    trap: Trap


@pytest.fixture
def place() -> Iterator[Place]:
    """A home whose every network is a socket that nothing may touch."""
    with short_home() as home, trap() as counting:
        chain_ids = {
            "real": MAINNET,
            "odd": "desk-7",
            "paper": "dydx-testnet-4",
            "toy": "dydx-sim-1-a1",
            "mainnet": MAINNET,
        }
        urls = {name: urls_at(counting.at, chain_id) for name, chain_id in chain_ids.items()}
        yield Place(home, networks_file(home, urls), counting)


def tried(place: Place, *words: str, typed: str | None = None, **more: str) -> Ran:
    return ran(place.home, *words, "--config", str(place.config), more=more, typed=typed)


def assert_refused(place: Place, done: Ran, code: int, *words: str) -> None:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert "built yet" not in done.stderr
    refusal = done.stderr.splitlines()[-1]
    for word in words:
        assert word in refusal
    assert place.trap.heard == []
    assert not (place.home / "none.jsonl").exists()


def all_tried(place: Place, entries: Iterable[str], *options: str, typed: str | None = None) -> dict[str, Ran]:
    jobs = {entry: partial(tried, place, *ENTRIES[entry], *options, typed=typed) for entry in entries}
    return together(jobs)


def test_mainnet_outside_production_starts_by_nothing_that_is_piped(place: Place) -> None:
    for done in all_tried(place, ENTRIES, "--network", "real", typed=f"{MAINNET}\n{MAINNET}\n").values():
        assert_refused(place, done, 77, MAINNET, "development", "terminal")


@pytest.mark.parametrize("network", ["paper", "toy"])
def test_production_runs_on_no_other_network(place: Place, network: str) -> None:
    entries = ("run", "watch", "record", "faucet", "place") if network == "paper" else ("watch", "cancel-all")
    for done in all_tried(place, entries, "--network", network, "--environment", "production").values():
        assert_refused(place, done, 78, "production", network)


def test_a_chain_that_nobody_knows_counts_as_mainnet(place: Place) -> None:
    for done in all_tried(place, ("watch", "cancel-all"), "--network", "odd").values():
        assert_refused(place, done, 77, "desk-7", "terminal")


@pytest.mark.parametrize(
    ("entry", "options", "why"),
    [
        ("watch", ("--read-only",), "--confirm-network is missing"),
        ("watch", ("--confirm-network", MAINNET), "--read-only is missing"),
        ("watch", ("--read-only", "--confirm-network", "dydx-testnet-4"), "--confirm-network says 'dydx-testnet-4'"),
        ("record", ("--read-only", "--confirm-network", "mainnet"), "--confirm-network says 'mainnet'"),
        ("run", ("--read-only", "--confirm-network", "DYDX-MAINNET-1"), "--confirm-network says 'DYDX-MAINNET-1'"),
    ],
)
def test_reading_mainnet_without_a_terminal_takes_both_options_and_the_chain_id(
    place: Place, entry: str, options: tuple[str, ...], why: str
) -> None:
    assert_refused(place, tried(place, *ENTRIES[entry], "--network", "real", *options), 77, why)


def test_no_command_that_sends_takes_the_options_for_reading(place: Place) -> None:
    for done in all_tried(place, SENDERS, "--network", "real", "--read-only", "--confirm-network", MAINNET).values():
        assert done.returncode == 2
    assert place.trap.heard == []


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"DYDX_CONSOLE_NETWORK": "real"}, 77),
        ({"DYDX_CONSOLE_NETWORK": "mainnet", "DYDX_CONSOLE_ENVIRONMENT": "staging"}, 77),
        ({"DYDX_CONSOLE_NETWORK": "real", "DYDX_CONSOLE_CONFIRM": MAINNET}, 78),
        ({"DYDX_CONSOLE_NETWORK": "real", "DYDX_CONSOLE_CONFIRM_NETWORK": MAINNET, "DYDX_CONSOLE_READ_ONLY": "1"}, 78),
        ({"DYDX_CONSOLE_NETWORK": "real", "DYDX_CONSOLE_YES": "1"}, 78),
        ({"DYDX_CONSOLE_NETWORK": "real", "TEXTUAL_PRESS": "d,y,d,x,enter", "TEXTUAL_DRIVER": "x:Y"}, 77),
        ({"DYDX_CONSOLE_NETWORK": "real", "YES": "1", "CI": "1", "FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}, 77),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else str(value),
)
def test_no_variable_stands_in_for_a_person(place: Place, variables: dict[str, str], code: int) -> None:
    jobs = {entry: partial(tried, place, *ENTRIES[entry], **variables) for entry in ("watch", "cancel-all")}
    for done in together(jobs).values():
        assert_refused(place, done, code)


@pytest.mark.parametrize(
    "line",
    [f'confirm = "{MAINNET}"', f'confirm_network = "{MAINNET}"', "confirmed = true", "read_only = true", "yes = true"],
)
def test_no_key_of_the_configuration_stands_in_for_a_person(place: Place, line: str) -> None:
    written(place.config, f"{line}\n{place.config.read_text()}")
    done = tried(place, "watch", "--for", "1", "--network", "real")
    assert_refused(place, done, 78, str(place.config), line.split(maxsplit=1)[0], "no such key")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("faucet", "--network", "mainnet"), 2, "which account?"),
        (("run", "--network", "real"), 2, "which account?"),
        (("watch", "--network", "real", "--environment", "test"), 78, "'development', 'staging' or 'production'"),
        (("watch", "--network", "reel"), 78, "did you mean 'real'?"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_usage_and_configuration_are_refused_before_policy(
    place: Place, words: tuple[str, ...], code: int, told: str
) -> None:
    text = place.config.read_text()
    written(place.config, "\n".join(line for line in text.splitlines() if not line.startswith("address")))
    assert_refused(place, tried(place, *words), code, told)


def test_variable_and_file_that_name_different_networks_are_refused(place: Place) -> None:
    written(place.config, f'network = "toy"\n{place.config.read_text()}')
    done = tried(place, "watch", "--for", "1", DYDX_CONSOLE_NETWORK="real")
    assert_refused(place, done, 78, f"{place.config}:1", "DYDX_CONSOLE_NETWORK", "remove one")

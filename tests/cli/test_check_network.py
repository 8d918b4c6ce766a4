"""`check-network` by the command line: against a healthy venue, and against everything that can be wrong with one."""

import json
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli.certificates import self_signed
from cli.sites import site
from cli.terminals import Ran, in_terminal, networks_file, ran, said, short_home, together, urls_at
from venues import console, exchange, written

from dydx_console.engine.child import SimUrls
from dydx_console.preflight.run import CHECKS
from dydx_console.views.documents import PreflightDocument

CALM = ("--rate", "0", "--no-trader")
STARTING_S = 6.0
"""What starting Python and importing may take on a busy machine, beside the 4.5 s that the checks have."""


@pytest.fixture(scope="module")
def venue() -> Iterator[SimUrls]:
    with exchange() as served:
        yield served


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


def checked(home: Path, config: Path, *options: str, **more: str) -> Ran:
    done = ran(home, "check-network", "--config", str(config), *options, more=more)
    assert done.stderr == ""
    return done


def report(home: Path, config: Path, *options: str, **more: str) -> dict[str, Any]:
    """Return the document of a report: its exit code is the command's, and the checks are all there, in order."""
    done = checked(home, config, "--json", *options, **more)
    document = PreflightDocument.model_validate_json(done.stdout, strict=False)
    assert json.loads(document.model_dump_json()) == json.loads(done.stdout)
    assert document.exit_code == done.returncode
    assert tuple(check.name for check in document.checks) == CHECKS
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in document["checks"]}


def check_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(check for check in document["checks"] if check["name"] == name)


def failed(document: dict[str, Any]) -> set[str]:
    return {name for name, verdict in verdicts(document).items() if verdict == "FAIL"}


def test_a_healthy_venue_is_fine(home: Path, venue: SimUrls) -> None:
    document = report(home, networks_file(home, {"mine": venue}, "mine"))
    keys = ("key", "key encrypted", "key permissions")
    assert verdicts(document) == {name: "SKIP" if name in keys else "OK" for name in CHECKS}
    assert document["exit_code"] == 0
    assert document["network"]["chain_id"] == venue.chain_id
    assert document["took_ms"] < 4_500
    assert all(check["text"] for check in document["checks"])


def test_in_a_pipe_it_is_plain_lines(home: Path, venue: SimUrls) -> None:
    config = networks_file(home, {"mine": venue}, "mine")
    runs = together({"short": partial(checked, home, config), "long": partial(checked, home, config, "--verbose")})
    for done in runs.values():
        assert done.returncode == 0
        assert done.stdout.isascii() or "…" in done.stdout
        assert "\x1b" not in done.stdout
        assert "all is well" in done.stdout.splitlines()[-1]
        assert max(map(len, done.stdout.splitlines())) <= 120
    assert runs["short"].stdout.count("no key store yet") == 1
    assert runs["long"].stdout.count("no key store yet") == 3


def test_in_a_terminal_it_is_a_table(home: Path, venue: SimUrls) -> None:
    config = networks_file(home, {"mine": venue}, "mine")
    with in_terminal(home, console("check-network", "--config", str(config))) as shown:
        assert shown.exit_code() == 0
        text = said(shown)
    assert "\x1b[32m" in text
    assert "skipped: key, key encrypted, key permissions" in text
    assert "all is well" in text


def test_on_a_terminal_mainnet_is_diagnosed_without_being_confirmed(home: Path) -> None:
    with site(lambda *_: (404, {})) as served:
        config = networks_file(home, {"real": urls_at(served.at, "dydx-mainnet-1")}, "real")
        with in_terminal(home, console("check-network", "--config", str(config))) as shown:
            assert shown.exit_code() not in (0, 77)
            assert "have dydx-mainnet-1 at hand" in said(shown)
        asked = len(served.asked)
        assert asked > 0
        assert report(home, config)["exit_code"] == 77
        assert len(served.asked) == asked


def test_a_host_where_nothing_listens(home: Path) -> None:
    document = report(home, networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine"))
    assert document["exit_code"] == 69
    assert failed(document) == {"indexer", "node", "stream"}
    assert all(check_of(document, name)["remedy"] for name in failed(document))


def test_a_host_that_accepts_and_hangs_takes_no_more_than_its_time(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        config = networks_file(home, {"mine": urls_at(place, "localdydxprotocol")}, "mine")
        began = time.monotonic()
        document = report(home, config)
        took_s = time.monotonic() - began
    assert document["exit_code"] == 69
    assert failed(document) == {"indexer", "node", "stream"}
    assert "no answer within" in check_of(document, "indexer")["text"]
    assert document["took_ms"] < 5_000
    assert took_s < 5.0 + STARTING_S


def test_the_time_may_be_shorter(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        config = networks_file(home, {"mine": urls_at(place, "localdydxprotocol")}, "mine")
        assert report(home, config, "--timeout", "0.6")["took_ms"] < 1_500


def test_a_node_of_another_chain_is_a_contradiction(home: Path, venue: SimUrls) -> None:
    config = networks_file(home, {"mine": venue}, "mine")
    written(config, config.read_text().replace(venue.chain_id, "localdydxprotocol"))
    document = report(home, config)
    assert document["exit_code"] == 78
    assert failed(document) == {"chain id"}
    assert venue.chain_id in check_of(document, "chain id")["text"]
    assert "localdydxprotocol" in check_of(document, "chain id")["text"]
    assert verdicts(document)["binding"] == "SKIP"


def test_nodes_of_two_exchanges_are_a_contradiction(home: Path, venue: SimUrls) -> None:
    with exchange(*CALM, "--chain-id", venue.chain_id) as other:
        mixed = SimUrls(venue.rest, venue.websocket, venue.chain_id, venue.account, other.grpc)
        document = report(home, networks_file(home, {"mine": mixed}, "mine"))
    assert failed(document) >= {"binding"}
    assert document["exit_code"] in (75, 78)
    assert document["exit_code"] == (75 if "unknown" in check_of(document, "binding")["text"] else 78)


@pytest.mark.parametrize(("lag_blocks", "code", "verdict"), [("60", 0, "WARN"), ("300", 69, "FAIL")])
def test_an_indexer_that_trails(home: Path, lag_blocks: str, code: int, verdict: str) -> None:
    with exchange(*CALM, "--indexer-lag-blocks", lag_blocks) as late:
        document = report(home, networks_file(home, {"mine": late}, "mine"))
    assert document["exit_code"] == code
    assert verdicts(document)["indexer"] == verdict
    assert "behind" in check_of(document, "binding")["text"]


def test_a_clock_that_is_two_hours_off(home: Path) -> None:
    with exchange(*CALM, "--clock-skew-ms", str(2 * 3_600_000)) as ahead:
        document = report(home, networks_file(home, {"mine": ahead}, "mine"))
    assert (document["exit_code"], failed(document)) == (78, {"clock"})
    assert "2.0 h behind" in check_of(document, "clock")["text"]
    assert "NTP" in check_of(document, "clock")["remedy"]


def test_too_many_requests_are_temporary(home: Path) -> None:
    with site(lambda *_: (429, {"errors": [{"msg": "Too many requests"}]}), {"retry-after": "7000"}) as served:
        urls = urls_at(served.at, "localdydxprotocol")
        config = networks_file(home, {"mine": urls}, "mine")
        written(config, "\n".join(line for line in config.read_text().splitlines() if not line.startswith("nodes")))
        document = report(home, config)
    assert document["exit_code"] == 75
    assert failed(document) == {"indexer", "stream"}
    assert check_of(document, "indexer")["remedy"] == "wait 7.0 s and try again"


def test_a_certificate_that_nobody_vouches_for(home: Path) -> None:
    with site(lambda *_: (200, {}), tls=self_signed(home)) as served:
        secret = SimUrls(
            f"https://{served.at}",
            f"wss://{served.at}/v4/ws",
            "localdydxprotocol",
            "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf",
            served.at,
        )
        document = report(home, networks_file(home, {"mine": secret}, "mine"))
        assert served.asked == []
    assert document["exit_code"] == 69
    assert failed(document) == {"indexer", "node", "stream"}
    for name in ("indexer", "stream"):
        assert "certificate" in check_of(document, name)["text"] + check_of(document, name)["remedy"]


@pytest.mark.parametrize("mode", [0o666, 0o622, 0o602])
def test_a_configuration_that_others_can_write_to_is_not_used(home: Path, mode: int) -> None:
    config = networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine")
    config.chmod(mode)
    document = report(home, config)
    assert document["exit_code"] == 78
    assert document["network"] is None
    assert failed(document) == {"config"}
    assert "others may write to it" in check_of(document, "config")["text"]


@pytest.mark.parametrize(
    ("options", "more", "words"),
    [
        (("--environment", "test"), {}, ("option --environment", "'development', 'staging' or 'production'")),
        (("--network", "minne"), {}, ("option --network", "known are: local, mainnet, mine, testnet", "'mine'")),
        ((), {"DYDX_CONSOLE_ENVIRONMENT": "prod"}, ("variable DYDX_CONSOLE_ENVIRONMENT",)),
        ((), {"DYDX_CONSOLE_NETWORK": "testnet"}, ("config.toml:1", "DYDX_CONSOLE_NETWORK", "remove one")),
        ((), {"DYDX_CONSOLE_NETWORK": "mine", "dydx_console_network": "local"}, ("name one setting and differ",)),
        ((), {"DYDX_CONSOLE_NETWERK": "mine"}, ("DYDX_CONSOLE_NETWERK", "no such setting")),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
def test_what_has_no_meaning_or_two_is_named(
    home: Path, options: tuple[str, ...], more: dict[str, str], words: tuple[str, ...]
) -> None:
    config = networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine")
    document = report(home, config, *options, **more)
    assert document["exit_code"] == 78
    assert failed(document) == {"config"}
    assert all(word in check_of(document, "config")["text"] for word in words), check_of(document, "config")["text"]
    assert {verdicts(document)[name] for name in ("indexer", "node", "stream", "account")} == {"SKIP"}


def test_production_with_another_network_than_mainnet_asks_nobody(home: Path) -> None:
    with site(lambda *_: (200, {})) as served:
        config = networks_file(home, {"mine": urls_at(served.at, "localdydxprotocol")}, "mine")
        document = report(home, config, "--environment", "production")
    assert (document["exit_code"], failed(document)) == (78, {"policy"})
    assert served.asked == []

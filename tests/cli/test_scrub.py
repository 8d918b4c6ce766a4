"""Variables that could type, trace, write keys down or lead traffic elsewhere: without effect, and named once."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cli.certificates import self_signed
from cli.sites import site
from cli.terminals import (
    ADDRESS,
    Trap,
    ended,
    environment,
    networks_file,
    ran,
    serving,
    short_home,
    trap,
    until,
    urls_at,
)
from hypothesis import given
from hypothesis import strategies as st
from venues import exchange, written

from dydx_console.cli.scrub import restore_proxies, scrub
from dydx_console.engine.child import SimUrls

UNWANTED = {
    "TEXTUAL_PRESS": "q",
    "TEXTUAL_DRIVER": "no.such:Driver",
    "TEXTUAL": "devtools",
    "WEBSOCKETS_MAX_LOG_SIZE": "not a number",
    "GRPC_TRACE": "all",
    "GRPC_VERBOSITY": "DEBUG",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/none",
}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "ws_proxy")
NAMES = [
    "GRPC_TRACE",
    "HTTPS_PROXY",
    "NO_PROXY",
    "PATH",
    "SSLKEYLOGFILE",
    "TEXTUAL_PRESS",
    "WEBSOCKETS_X",
    "grpc_proxy",
    "all_proxy",
    "TEXTUALS",
    "HOME",
    "MY_TEXTUAL_PRESS",
    "DYDX_CONSOLE_NETWORK",
    "GRPC_VERBOSITY",
    "Textual_Press",
    "Https_Proxy",
]
KEPT = {"PATH", "HOME", "MY_TEXTUAL_PRESS", "DYDX_CONSOLE_NETWORK"}
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ dydx_console\.|dydx-console: ")


@pytest.fixture(scope="module")
def venue() -> Iterator[SimUrls]:
    with exchange("--rate", "0") as served:
        yield served


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


def log_of(home: Path) -> str:
    log = home / "state" / "dydx-console" / "log" / "dydx-console.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return "\n".join(f"{line['level']} {line['message']}" for line in lines)


def ignored(text: str) -> list[list[str]]:
    """Return the names of each warning about variables in a text; the report of the checks repeats them apart."""
    lines = [line for line in text.splitlines() if " ignored from the environment: " in line and " check " not in line]
    return [line.split("environment: ")[1].split(", ") for line in lines]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(st.characters(codec="ascii", exclude_characters="\0"))))
def test_what_steers_goes_and_everything_else_stays(variables: Mapping[str, str]) -> None:
    environ = dict(variables)
    scrubbed = scrub(environ)
    assert (environ.pop("GRPC_VERBOSITY"), environ.pop("TEXTUAL_FPS")) == ("NONE", "120")
    assert environ == {name: value for name, value in variables.items() if name in KEPT}
    told = " ".join(scrubbed.warnings(proxies_allowed=False))
    silent = {*KEPT, "NO_PROXY", "GRPC_VERBOSITY"}
    assert (told == "") == (not set(variables) - silent)
    assert all((name in told) == (name not in silent) for name in variables if name not in ("TEXTUAL", "TEXTUALS"))
    restore_proxies(scrubbed.proxies, environ)
    proxies = {"HTTPS_PROXY", "NO_PROXY", "all_proxy", "Https_Proxy"}
    again = {name: value for name, value in variables.items() if name in KEPT | proxies}
    assert {name: value for name, value in environ.items() if name in variables} == again
    assert set(environ) - set(again) <= {"https_proxy", "no_proxy"}
    assert not proxies & set(" ".join(scrubbed.warnings(proxies_allowed=True)).replace(",", "").split())


def test_they_are_without_effect_and_named_in_one_warning(home: Path, venue: SimUrls) -> None:
    config = networks_file(home, {"mine": venue}, "mine")
    with trap() as proxy:
        more = {**UNWANTED, "SSLKEYLOGFILE": str(home / "keys"), **{name: f"http://{proxy.at}" for name in PROXIES}}
        with serving("watch", "--config", str(config), home=home, more=more) as process:
            stderr = home / "stderr"
            until(lambda: "stream LIVE" in stderr.read_text(), stderr.read_text)
            process.terminate()
            assert process.wait(20) == 0
        assert proxy.heard == []
    named = sorted(name for name in more if name != "GRPC_VERBOSITY")
    assert ignored(stderr.read_text()) == ignored(log_of(home)) == [named]
    assert all(LINE.match(line) for line in stderr.read_text().splitlines()), stderr.read_text()
    assert not (home / "keys").exists()


def test_commands_say_it_once_on_standard_error_and_once_in_the_log(home: Path) -> None:
    config = networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine")
    done = ran(home, "cancel-all", "--config", str(config), more={"TEXTUAL_PRESS": "q", "ALL_PROXY": "http://x"})
    assert done.returncode == 1
    assert ignored(done.stderr) == ignored(log_of(home)) == [["ALL_PROXY", "TEXTUAL_PRESS"]]


def test_without_any_nothing_is_said(home: Path) -> None:
    config = networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine")
    done = ran(home, "cancel-all", "--config", str(config), more={"NO_PROXY": "localhost"})
    assert ignored(done.stderr) == ignored(log_of(home)) == []


def test_the_report_of_the_checks_names_them(home: Path) -> None:
    config = networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine")
    done = ran(home, "check-network", "--config", str(config), more={"TEXTUAL_DRIVER": "x:Y"})
    assert "ignored from the environment:" in done.stdout
    assert "TEXTUAL_DRIVER" in done.stdout
    assert "unset them where they are set" in done.stdout


WITHOUT_SCRUB = (sys.executable, "-c", "from dydx_console.cli.app import app; app()")


@pytest.mark.parametrize(
    "command", [(sys.executable, "-m", "dydx_console"), WITHOUT_SCRUB], ids=["scrubbed", "control"]
)
def test_no_session_keys_are_written_down(home: Path, command: tuple[str, ...]) -> None:
    keys = home / "keys"
    with site(lambda *_: (200, {}), tls=self_signed(home)) as served:
        secret = SimUrls(f"https://{served.at}", f"wss://{served.at}/v4/ws", "localdydxprotocol", ADDRESS, served.at)
        config = networks_file(home, {"mine": secret}, "mine")
        words = [*command, "check-network", "--config", str(config)]
        done = ended(words, environment(home, {"SSLKEYLOGFILE": str(keys)}))
    assert done.returncode == 69
    assert keys.exists() == (command is WITHOUT_SCRUB)


def proxied(home: Path, proxy: Trap, target: Trap, *, allow: bool) -> str:
    """Watch a network through whatever way there is until somebody has heard of it; returns what was said."""
    secret = SimUrls(f"https://{target.at}", f"wss://{target.at}/v4/ws", "localdydxprotocol", ADDRESS, target.at)
    config = networks_file(home, {"mine": secret}, "mine")
    written(config, f"{config.read_text()}[proxy]\nallow = {str(allow).lower()}\n")
    more = {name: f"http://{proxy.at}" for name in ("HTTPS_PROXY", "HTTP_PROXY")}
    stderr = home / "stderr"
    with serving("watch", "--config", str(config), home=home, more=more) as process:
        until(lambda: len(proxy.heard) + len(target.heard) >= 4, stderr.read_text)
        process.terminate()
        assert process.wait(20) == 0
    return stderr.read_text()


def test_a_proxy_is_used_where_the_configuration_allows_it_and_nothing_goes_round_it(home: Path) -> None:
    with trap() as proxy, trap() as target:
        text = proxied(home, proxy, target, allow=True)
        assert {heard.split(b"\r\n")[0] for heard in proxy.heard} == {f"CONNECT {target.at} HTTP/1.1".encode()}
        assert target.heard == []
    assert ignored(text) == []


def test_a_proxy_is_not_used_where_the_configuration_does_not_say_so(home: Path) -> None:
    with trap() as proxy, trap() as target:
        text = proxied(home, proxy, target, allow=False)
        assert proxy.heard == []
        assert target.heard != []
    assert ignored(text) == [["HTTPS_PROXY", "HTTP_PROXY"]]

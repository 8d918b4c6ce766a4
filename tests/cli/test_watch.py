"""`watch` and `health` as processes, while the venue behind them is stopped, held or another one than configured."""

import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli.terminals import Venue, networks_file, ran, serving, short_home, together, until, urls_at, venue
from venues import written

from dydx_console.health.asking import ask
from dydx_console.health.listen import Listen, parse_listen

LOST_S = 40.0
"""A stream without blocks is lost after ten seconds; a busy machine may take its time besides."""


@dataclass
class Watch:
    """A running `watch`: its process, its home, where it serves health, and what it said."""

    process: subprocess.Popen[str]
    home: Path
    at: Listen

    def said(self) -> str:
        return (self.home / "stderr").read_text()

    def health(self, path: str = "/health/network") -> tuple[int, dict[str, Any]]:
        status, body = ask(self.at, path, 20.0)
        told: dict[str, Any] = json.loads(body)
        return status, told

    def until_status(self, wanted: int, path: str = "/health/network", status: str | None = None) -> dict[str, Any]:
        def held() -> dict[str, Any] | None:
            code, told = self.health(path)
            return told if code == wanted and (status is None or told["status"] == status) else None

        found: dict[str, Any] = until(held, lambda: (self.health(path), self.said()), LOST_S)
        return found


@contextmanager
def watching(home: Path, config: Path, *options: str, more: Mapping[str, str] | None = None) -> Iterator[Watch]:
    with serving("watch", "--config", str(config), *options, home=home, more=more) as process:
        stderr = home / "stderr"
        at = until(lambda: re.search(r"health at (\S+)", stderr.read_text()), stderr.read_text)
        yield Watch(process, home, parse_listen(at[1]))


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def healthy() -> Iterator[Venue]:
    with venue() as served:
        yield served


def probed(home: Path, what: str, *options: str) -> tuple[int, str]:
    done = ran(home, "health", what, *options)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.strip() or done.stderr.strip()


def test_by_default_it_serves_a_socket_of_the_users_which_probes_find_by_themselves(home: Path, healthy: Venue) -> None:
    config = networks_file(home, {"mine": healthy.urls}, "mine")
    assert probed(home, "live")[0] == 69
    with watching(home, config) as watch:
        place = home / "state" / "dydx-console" / "health.sock"
        assert str(watch.at) == f"unix:{place}"
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        told = watch.until_status(200, status="ok")
        assert told["network"]["chain_id"] == healthy.urls.chain_id
        assert told["environment"] == {"name": "development", "source": "default"}
        assert healthy.urls.account not in json.dumps(told)
        assert probed(home, "ready") == (0, "200 ready")
        assert probed(home, "live")[0] == 0
        watch.process.send_signal(signal.SIGTERM)
        assert watch.process.wait(20) == 0
        assert not place.exists()
    assert probed(home, "ready")[0] == 69
    assert "Traceback" not in watch.said()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_port_that_is_free_is_told_and_signals_end_it_cleanly(home: Path, healthy: Venue, number: int) -> None:
    config = networks_file(home, {"mine": healthy.urls}, "mine")
    with watching(home, config, "--health", "127.0.0.1:0") as watch:
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d+", str(watch.at))
        watch.until_status(200, "/health/ready")
        assert probed(home, "ready", "--listen", str(watch.at))[0] == 0
        watch.process.send_signal(number)
        assert watch.process.wait(20) == 0
    assert probed(home, "live", "--listen", str(watch.at))[0] == 69


def test_where_it_listens_can_stand_in_the_configuration(home: Path, healthy: Venue) -> None:
    config = networks_file(home, {"mine": healthy.urls}, "mine")
    written(config, f'{config.read_text()}[health]\nlisten = "unix:{home}/own.sock"\n')
    with watching(home, config) as watch:
        watch.until_status(200, "/health/ready")
        assert probed(home, "ready", "--config", str(config))[0] == 0


def stopped() -> None:
    with short_home() as home, venue() as first:
        config = networks_file(home, {"mine": first.urls}, "mine")
        with watching(home, config, "--health", "127.0.0.1:0") as watch:
            watch.until_status(200, status="ok")
            first.process.kill()
            first.process.wait()
            told = watch.until_status(503)
            assert (told["status"], told["error"]) == ("unreachable", "unreachable")
            assert told["detail"]
            assert watch.health("/health/live")[0] == 200
            assert watch.until_status(503, "/health/ready")["error"] == "not_ready"
            assert probed(home, "live", "--listen", str(watch.at)) == (0, "200 live")
            code, text = probed(home, "ready", "--listen", str(watch.at))
            assert code == 69
            assert text.startswith("503 not_ready: ")
            watch.process.terminate()
            assert watch.process.wait(20) == 0


def held() -> None:
    with short_home() as home, venue() as hanging:
        config = networks_file(home, {"mine": hanging.urls}, "mine")
        with watching(home, config, "--health", "127.0.0.1:0") as watch:
            watch.until_status(200, status="ok")
            hanging.process.send_signal(signal.SIGSTOP)
            try:
                told = watch.until_status(503, "/health/network?probe=1")
                assert told["probed"] is True
                assert told["indexer"]["stream_age_s"] < 10, "asked anew, it is known before the stream counts as lost"
                told = watch.until_status(503)
                assert told["status"] == "unreachable"
                assert watch.until_status(503, "/health/ready")
                until(lambda: watch.health()[1]["indexer"]["stream_state"] in ("STALE", "OFFLINE"), watch.said)
                assert watch.health()[0] == 503
            finally:
                hanging.process.send_signal(signal.SIGCONT)
            watch.until_status(200, "/health/ready")


def test_a_venue_that_stops_or_hangs_is_unreachable_and_one_that_goes_on_is_not() -> None:
    together({"stopped": stopped, "held": held})


def test_another_chain_than_configured_is_a_contradiction(home: Path, healthy: Venue) -> None:
    config = networks_file(home, {"mine": healthy.urls}, "mine")
    written(config, config.read_text().replace(healthy.urls.chain_id, "localdydxprotocol"))
    with watching(home, config, "--health", "127.0.0.1:0") as watch:
        told = watch.until_status(400)
        assert told["error"] == told["status"] == "misconfigured"
        assert healthy.urls.chain_id in told["detail"]
        assert "localdydxprotocol" in told["detail"]
        assert watch.health("/health/config")[0] == 400
        assert probed(home, "ready", "--listen", str(watch.at))[0] == 69
        until(lambda: f"is on {healthy.urls.chain_id}, not on localdydxprotocol" in watch.said(), watch.said)


def test_a_network_that_is_not_there_at_the_start_ends_it(home: Path) -> None:
    done = ran(
        home,
        "watch",
        "--config",
        str(networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine")),
    )
    assert done.returncode == 69
    assert "cannot reach 127.0.0.1:9" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("listen", "code", "words"),
    [
        ("0.0.0.0:8788", 2, "loopback"),
        ("8788", 2, "host and port"),
        ("unix:relative", 2, "absolute"),
        ("unix:/proc/none/h.sock", 69, "cannot listen"),
    ],
)
def test_it_serves_this_machine_alone(home: Path, healthy: Venue, listen: str, code: int, words: str) -> None:
    config = networks_file(home, {"mine": healthy.urls}, "mine")
    done = ran(home, "watch", "--config", str(config), "--health", listen)
    assert done.returncode == code
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr

"""Commands as a person runs them: one clear line, the right exit code, nothing lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
BLOCK = (
    '{"t":1.0,"ev":"open","c":"c0","status":101}\n'
    '{"t":1.1,"ev":"<","c":"c0","text":"{\\"type\\":\\"connected\\",\\"connection_id\\":\\"a\\",\\"message_id\\":0}"}\n'
    '{"t":1.2,"ev":">","c":"c0","text":"{\\"type\\":\\"subscribe\\",\\"channel\\":\\"v4_block_height\\"}"}\n'
    '{"t":1.3,"ev":"<","c":"c0","text":"{\\"type\\":\\"subscribed\\",\\"connection_id\\":\\"a\\",\\"message_id\\":1,'
    '\\"channel\\":\\"v4_block_height\\",\\"id\\":\\"v4_block_height\\",\\"contents\\":{\\"height\\":\\"77\\",'
    '\\"time\\":\\"2026-01-01T00:00:00.000Z\\"}}"}\n'
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DYDX_CONSOLE")}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dydx_console", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment(home), timeout=60
    )


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_help_names_every_command(home: Path) -> None:
    done = run(home, "--help")
    assert done.returncode == 0
    for name in ("run", "demo", "replay", "record", "sim", "schema", "config", "version"):
        assert name in done.stdout


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("cosmos1abc", ("begins with 'cosmos'", "dydx1")),
        ("dydx1abc", ("'b'",)),
        (ADDRESS[:-1] + "q", ("checksum",)),
        (ADDRESS[:-1], ("42 characters",)),
        (ADDRESS.upper(), ("lower case",)),
    ],
)
def test_a_wrong_address_is_refused_before_any_request(home: Path, address: str, words: tuple[str, ...]) -> None:
    assert_refused(run(home, "run", "--network", "mainnet", "--address", address), 2, *words)


def test_an_unknown_network_is_answered_with_the_known_ones(home: Path) -> None:
    done = run(home, "run", "--network", "maintest", "--address", ADDRESS)
    assert_refused(done, 78, "'maintest'", "local", "mainnet", "testnet")


def test_an_unknown_option_is_a_usage_error(home: Path) -> None:
    assert run(home, "run", "--adress", ADDRESS).returncode == 2


def test_without_an_account_the_ways_to_name_one_are_told(home: Path) -> None:
    assert_refused(run(home, "run", "--network", "local"), 2, "--address", "demo")


def test_a_host_that_cannot_be_reached_is_one_line_and_exit_69(home: Path) -> None:
    config = home / "config.toml"
    config.write_text(
        'network = "mine"\n[networks.mine]\nchain_id = "localdydxprotocol"\n'
        'indexer_rest = "http://127.0.0.1:9"\nindexer_websocket = "ws://127.0.0.1:9/v4/ws"\n'
    )
    config.chmod(0o600)
    done = run(home, "run", "--config", str(config), "--address", ADDRESS)
    assert_refused(done, 69, "cannot reach 127.0.0.1:9", "log: ")
    assert len(done.stderr.splitlines()) == 1
    log = Path(done.stderr.split("log: ")[1].strip().rstrip(")"))
    assert "cannot reach 127.0.0.1:9" in log.read_text()


def test_a_port_in_use_is_one_line_and_exit_69(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(home, "sim", "--port", str(taken.getsockname()[1]))
    assert_refused(done, 69)
    assert len(done.stderr.splitlines()) == 1


def test_replay_prints_the_document_of_a_whole_recording(home: Path) -> None:
    path = home / "whole.jsonl"
    path.write_text(BLOCK)
    done = run(home, "replay", str(path), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["as_of"]["height"] == 77
    assert document["account"]["state"] == "SYNCING"
    assert document["account"]["equity"] is None


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (BLOCK + '{"t":2.0,"ev":"<","c":"c0","te', "line 5", "cut short"),
        (BLOCK + "hello\n", "line 5", "not JSON"),
        (BLOCK + '{"t":"soon","ev":"open"}\n', "line 5", "not an entry"),
        ("", "line 1", "empty"),
        ("<html>\n", "line 1", "not JSON"),
    ],
)
def test_a_broken_recording_replays_what_is_whole_and_names_the_line(
    home: Path, text: str, line: str, reason: str
) -> None:
    path = home / "broken.jsonl"
    path.write_text(text)
    done = run(home, "replay", str(path), "--json")
    assert done.returncode == 1
    assert line in done.stderr
    assert reason in done.stderr
    document = json.loads(done.stdout)
    assert document["as_of"]["height"] == (77 if text.startswith(BLOCK) else None)
    assert line in document["errors"][0]["text"]


def test_a_missing_recording_is_refused(home: Path) -> None:
    assert_refused(run(home, "replay", str(home / "none.jsonl"), "--json"), 2, "No such file")


def test_the_schema_describes_the_document_that_replay_prints(home: Path) -> None:
    schema = json.loads(run(home, "schema").stdout)
    path = home / "whole.jsonl"
    path.write_text(BLOCK)
    document = json.loads(run(home, "replay", str(path), "--json").stdout)
    assert set(document) == set(schema["properties"])
    assert set(document["stream"]) == set(schema["$defs"]["StreamSection"]["properties"])


def test_config_init_writes_once_for_its_owner_alone(home: Path) -> None:
    path = home / "new" / "config.toml"
    assert run(home, "config", "init", "--config", str(path)).returncode == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert_refused(run(home, "config", "init", "--config", str(path)), 2, "exists already")
    done = run(home, "config", "check", "--config", str(path))
    assert done.returncode == 0, done.stderr
    assert "development" in done.stdout


def test_record_writes_until_it_is_told_to_end_and_never_over_a_file(home: Path) -> None:
    sim = subprocess.Popen(
        [sys.executable, "-m", "dydx_console", "sim", "--port", "0", "--ws-port", "0", "--block-ms", "200"],
        stdout=subprocess.PIPE,
        env=environment(home),
    )
    try:
        assert sim.stdout is not None
        urls = json.loads(sim.stdout.readline())
        config = home / "config.toml"
        config.write_text(
            f'network = "mine"\naddress = "{urls["account"]}"\n[networks.mine]\nchain_id = "dydx-sim-1"\n'
            f'indexer_rest = "{urls["rest"]}"\nindexer_websocket = "{urls["websocket"]}"\n'
        )
        config.chmod(0o600)
        path = home / "day.jsonl"
        recorder = subprocess.Popen(
            [sys.executable, "-m", "dydx_console", "record", str(path), "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(home),
        )
        deadline = time.monotonic() + 20
        while not path.exists() or b"v4_parent_subaccounts" not in path.read_bytes():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1.0)
        recorder.send_signal(signal.SIGTERM)
        _, said = recorder.communicate(timeout=10)
        assert recorder.returncode == 0, said
        done = run(home, "replay", str(path), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["account"]["address"] == urls["account"]
        before = path.read_bytes()
        again = run(home, "record", str(path), "--config", str(config))
        assert_refused(again, 2, "exists already")
        assert path.read_bytes() == before
    finally:
        sim.terminate()
        sim.communicate(timeout=10)
    assert sim.returncode == 0

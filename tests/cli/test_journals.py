"""Consoles and their journals as processes: two on one account, a journal of a newer version, and none at all."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli.terminals import Venue, networks_file, ran, serving, short_home, until, venue

FAR_SCHEMA = 99


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def healthy() -> Iterator[Venue]:
    with venue() as served:
        yield served


def files(home: Path) -> list[Path]:
    return sorted((home / "state").rglob("*.db"))


def test_two_watches_on_one_account_and_what_becomes_of_the_second(home: Path, healthy: Venue) -> None:
    config = networks_file(home, {"mine": healthy.urls}, "mine")
    other = home / "other"
    other.mkdir()
    shared = {"XDG_STATE_HOME": str(home / "state")}
    with serving("watch", "--config", str(config), "--health", "127.0.0.1:0", home=home) as first:
        until(lambda: "stream LIVE" in (home / "stderr").read_text(), (home / "stderr").read_text)
        with serving("watch", "--config", str(config), "--health", "127.0.0.1:0", home=other, more=shared) as second:
            log = other / "stderr"
            until(lambda: f"The journal belongs to pid {first.pid} (watch since " in log.read_text(), log.read_text)
            until(lambda: "stream LIVE" in log.read_text(), log.read_text)
            first.terminate()
            assert first.wait(10.0) == 0
            until(lambda: "this one keeps the journal now" in log.read_text(), log.read_text)
            second.terminate()
            assert second.wait(10.0) == 0
    (database,) = files(home)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM fills").fetchone()[0] > 0
        assert connection.execute("SELECT value FROM meta WHERE key = 'runs'").fetchone() == ("2",)
    assert list((home / "state").rglob("*.sock")) == []

    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA user_version={FAR_SCHEMA}")
    for command in ("watch", "record"):
        more = () if command == "watch" else (str(home / "day.jsonl"),)
        done = ran(home, command, *more, "--config", str(config), "--for", "5")
        assert done.returncode == 78
        assert f"has schema {FAR_SCHEMA} and this version knows schemas up to" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", ["variable", "file"])
def test_without_a_journal_nothing_is_kept(home: Path, healthy: Venue, how: str) -> None:
    text = "[journal]\nkeep = false" if how == "file" else ""
    config = networks_file(home, {"mine": healthy.urls}, "mine", text)
    more = {"DYDX_CONSOLE_JOURNAL__KEEP": "false"} if how == "variable" else None
    done = ran(home, "watch", "--config", str(config), "--health", "127.0.0.1:0", "--for", "2", more=more)
    assert done.returncode == 0, done.stderr
    assert files(home) == []


def test_journals_lie_where_the_configuration_says(home: Path, healthy: Venue) -> None:
    config = networks_file(home, {"mine": healthy.urls}, "mine", f'[journal]\nfolder = "{home}/kept"')
    done = ran(home, "record", str(home / "day.jsonl"), "--config", str(config), "--for", "3")
    assert done.returncode == 0, done.stderr
    assert files(home) == []
    assert [path.name for path in (home / "kept").rglob("*.db")] == [f"{healthy.urls.chain_id}.1.db"]

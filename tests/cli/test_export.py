"""`export` as a process: whole files or none, against an exchange, a venue with a long past, and one that fails."""

import fcntl
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO

import pytest
from builders import ADDRESS
from cli.pasts import Place, lines, past, some_past, table
from cli.terminals import Venue, asked, environment, in_terminal, networks_file, ran, said, short_home, until, venue
from venue.old_venue import OldVenue, fill
from venues import console, written

from dydx_console.views.exports import ROWS, ExportKind, columns_of

FULL_PIPE = 32_768
LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from dydx_console.cli.filing import FileSink, TargetError, checked_target
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
target = checked_target(Path(sys.argv[1]), force=True)
try:
    with FileSink(target, force=True) as sink:
        for _ in range(10):
            asyncio.run(sink.write(b"x" * 1000))
        sink.finish()
except TargetError as error:
    print(int(error.code), error)
"""
"""A sink on a disk that takes four thousand bytes."""


@pytest.fixture(scope="module")
def busy() -> Iterator[Venue]:
    with venue() as served:
        yield served


@pytest.mark.nightly
def test_every_kind_from_an_exchange(busy: Venue) -> None:
    with short_home() as home:
        place = Place(home, networks_file(home, {"mine": busy.urls}, "mine"))
        for kind in ExportKind:
            done = place.run("export", str(kind), "--to", f"{kind}.csv")
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
            told = table((home / f"{kind}.csv").read_text("utf-8"))
            assert told, kind
            assert tuple(told[0]) == columns_of(ROWS[kind])
            assert f"{len(told):,} rows of {kind} are in" in done.stderr
            if kind is ExportKind.FILLS:
                assert all(row["closed_pnl"] and row["net_size"] for row in told), "every fill is booked"
        assert place.left_over() == []


def test_fills_are_complete_past_the_pages_of_the_venue() -> None:
    with past(some_past()) as place:
        done = place.run("export", "fills", "--to", "-", "--format", "jsonl")
        assert done.returncode == 0, done.stderr
        told = lines(done.stdout)
        assert [row["id"] for row in told] == [f"fill-{number:06}" for number in range(1, 2_346)]
        assert {row["value"] for row in told} == {"100"}
        again = place.run("export", "fills", "--to", "again.jsonl")
        assert (place.home / "again.jsonl").read_text("utf-8") == done.stdout, again.stderr
        assert stat.S_IMODE((place.home / "again.jsonl").stat().st_mode) == 0o600


def test_a_range_of_days_in_a_zone() -> None:
    with past(OldVenue(fills=[fill(1, 60), fill(2, 3600), fill(3, 90_000)], height=100_000)) as place:
        words = ("export", "fills", "--to", "-", "--time-zone", "Europe/Zurich")
        done = place.run(*words, "--since", "2026-01-01", "--until", "2026-01-02")
        assert [row["id"] for row in table(done.stdout)] == ["fill-000001", "fill-000002"]
        assert table(done.stdout)[0]["created_at"] == "2026-01-01T01:01:00.000000+01:00"
        later = place.run(*words, "--since", "2026-01-01T02:00")
        assert [row["id"] for row in table(later.stdout)] == ["fill-000002", "fill-000003"]


@pytest.mark.nightly
def test_days_add_up_to_the_fills_and_payments() -> None:
    with past(some_past(120)) as place:
        days = table(place.run("export", "pnl-by-day", "--to", "-").stdout)
    assert sum(int(row["fills"]) for row in days) == 120
    assert sum(Decimal(row["fees"]) for row in days) == Decimal("12.0")
    assert sum(Decimal(row["funding"]) for row in days) == Decimal("-0.7")
    assert sum(Decimal(row["volume"]) for row in days) == 12_000
    assert {(row["day"], row["subaccount"], row["market"]) for row in days} == {("2026-01-01", "0", "BTC-USD")}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("trades", "--to", "x"), "there is no export 'trades'; allowed are fills, orders, funding"),
        (("fills", "--to", "x", "--since", "yesterday"), "--since 'yesterday' is no date or time; write 2026-11-01"),
        (("fills", "--to", "x", "--since", "2026-02-30"), "'2026-02-30' is no date"),
        (("fills", "--to", "x", "--since", "0001-01-01", "--time-zone", "Asia/Tokyo"), "is no date or time"),
        (("fills", "--to", "x", "--since", "2026-02-01", "--until", "2026-01-01"), "is not before --until 2026-01-01"),
        (("fills", "--to", "x", "--since", "2026-02-01", "--until", "2026-02-01"), "is not before"),
        (("fills", "--to", "x", "--time-zone", "Mars/Base"), "there is no time zone 'Mars/Base'"),
        (("fills", "--to", "x", "--format", "xml"), "xml"),
        (("fills",), "--to"),
        (("fills", "--to", "here"), "here exists already; --force writes over it"),
        (("fills", "--to", "link"), "link exists already"),
        (("fills", "--to", "gone/x"), "gone does not exist"),
        (("fills", "--to", "folder", "--force"), "folder is no file that can be replaced"),
        (("fills", "--to", "/dev/null", "--force"), "is no file that can be replaced; `--to -`"),
        (("fills", "--to", "loop", "--force"), "cannot write loop"),
        (("fills", "--to", "x" * 300), "cannot write"),
    ],
    ids=str,
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_read(words: tuple[str, ...], told: str) -> None:
    with short_home() as home:
        (home / "here").write_text("kept")
        (home / "folder").mkdir()
        (home / "link").symlink_to("nowhere")
        (home / "loop").symlink_to("loop")
        done = asked(home, "export", *words, "--network", "no such network", "--address", ADDRESS)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert told in " ".join(done.stderr.split())
        assert (home / "here").read_text() == "kept"
        assert not (home / "x").exists()


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--network", "nowhere"), 78, "nowhere"),
        (("--network", "mainnet", "--environment", "development"), 77, "confirm"),
        (("--network", "testnet", "--environment", "production"), 78, "production"),
    ],
    ids=["no such network", "mainnet", "testnet in production"],
)
def test_the_network_is_judged_as_for_any_reading(words: tuple[str, ...], code: int, told: str) -> None:
    with short_home() as home:
        done = ran(home, "export", "fills", "--to", "x", *words, "--address", ADDRESS)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert told in done.stderr
        assert not (home / "x").exists()


def test_a_file_is_replaced_only_by_a_whole_one() -> None:
    broken = OldVenue(fills=[fill(1)], height=100)
    with past(broken) as place:
        target = place.home / "kept.csv"
        target.write_text("old")
        linked = place.home / "linked.csv"
        linked.symlink_to(target)
        done = place.run("export", "fills", "--to", "linked.csv", "--force")
        assert done.returncode == 0, done.stderr
        assert linked.is_symlink()
        assert [row["id"] for row in table(target.read_text())] == ["fill-000001"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to() -> None:
    with past(OldVenue(height=100)) as place:
        folder = place.home / "shut"
        folder.mkdir(mode=0o500)
        done = place.run("export", "fills", "--to", "shut/x.csv")
        assert (done.returncode, done.stdout) == (2, "")
        assert "cannot write" in done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no folder in which nobody may write")
def test_a_folder_in_which_nobody_may_write() -> None:
    with past(OldVenue(height=100)) as place:
        done = place.run("export", "fills", "--to", "/proc/x.csv")
        assert (done.returncode, done.stdout) == (2, "")
        assert "cannot write /proc/x.csv" in done.stderr


def test_a_disk_that_is_full_leaves_what_was_there() -> None:
    with short_home() as home:
        target = home / "kept.csv"
        target.write_text("old")
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(target)], capture_output=True, text=True, check=True,
            env=environment(home),
        )  # fmt: skip
        assert done.stdout.startswith("75 cannot write"), done.stdout
        assert "nothing was left there" in done.stdout
        assert target.read_text() == "old"
        assert [path.name for path in home.iterdir()] == ["kept.csv"]


def test_standard_output_that_cannot_be_written_to() -> None:
    with past(some_past(10)) as place, Path("/dev/full").open("wb") as full:
        for words in (("export", "fills", "--to", "-"), ("fills",)):
            done = subprocess.run(
                console(*words, "--config", str(place.config)), stdout=full, stderr=subprocess.PIPE, text=True,
                env=environment(place.home), cwd=place.home,
            )  # fmt: skip
            assert done.returncode == 75
            assert "cannot write to standard output: No space left on device" in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.nightly
@pytest.mark.parametrize("words", [("export", "fills", "--to", "-"), ("fills", "--csv", "--limit", "10000")], ids=str)
def test_a_reader_that_leaves_early_ends_it_quietly(words: tuple[str, ...]) -> None:
    with past(some_past(5_000)) as place:
        process = subprocess.Popen(
            console(*words, "--config", str(place.config)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(place.home), cwd=place.home,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("id,created_at")
        process.stdout.close()
        told = process.stderr.read()
        assert process.wait(60) == 128 + signal.SIGPIPE
        process.stderr.close()
    assert "rror" not in told
    assert "Traceback" not in told


def test_a_venue_that_fails_midway_gives_what_came_and_the_next_run_the_rest() -> None:
    old = some_past(3_500)
    fails = threading.Event()

    def grows(_venue: OldVenue, path: str) -> None:
        if fails.is_set() and "/fills/" in path and "page=3" in path:
            old.replies.insert(0, (500, {}, "{}"))

    fails.set()
    old.grows = grows
    with past(old) as place:
        first = place.run("export", "fills", "--to", "first.csv")
        assert first.returncode == 75, first.stderr
        assert "the history is not whole, it is" in first.stderr
        came = len(table((place.home / "first.csv").read_text()))
        assert 0 < came < 3_500
        fails.clear()
        asked = len(old.asked)
        second = place.run("export", "fills", "--to", "second.csv")
        assert second.returncode == 0, second.stderr
        assert len(table((place.home / "second.csv").read_text())) == 3_500
        assert not any("/fills/" in path and "page=1&" in f"{path}&" for path in old.asked[asked:])


@pytest.mark.nightly
def test_a_venue_that_is_away_gives_what_is_known_or_says_that_nothing_is() -> None:
    with past(some_past(50)) as place:
        assert place.run("export", "fills", "--to", "-").returncode == 0
        gone = written(
            place.home / "gone.toml", re.sub(r"http://127.0.0.1:\d{2,}", "http://127.0.0.1:1", place.config.read_text())
        )
        away = Place(place.home, gone)
        done = away.run("export", "fills", "--to", "-")
        assert done.returncode == 75, done.stderr
        assert len(table(done.stdout)) == 50
        assert "the history is not whole" in done.stderr
        nothing = ran(place.home, "fills", "--config", str(gone), more={"XDG_STATE_HOME": str(place.home / "other")})
        assert nothing.returncode == 69
        assert "nothing of the history is here" in nothing.stderr


@pytest.mark.nightly
def test_the_bar_and_an_interruption_after_which_it_goes_on() -> None:
    old = some_past(6_000)
    gate = threading.Event()

    def slow(_venue: OldVenue, path: str) -> None:
        if "/fills/" in path and "page=4" in path:
            gate.wait(20.0)

    old.grows = slow
    with past(old) as place:
        command = console("export", "fills", "--to", "all.csv", "--config", str(place.config))
        with in_terminal(place.home, command) as shown:
            shown.until(lambda: "3,000 of 6,000" in shown.text)
            assert "history: fills [############............]" in shown.text
            shown.keys("\x03")
            until(lambda: shown.pump(0.05) or shown.process.poll() is not None or "stopped" in said(shown))
            gate.set()
            assert shown.exit_code() == 128 + signal.SIGINT
            assert "stopped by SIGINT; what came is kept, and the same command goes on from there" in said(shown)
            assert "Traceback" not in said(shown)
        assert not (place.home / "all.csv").exists()
        assert place.left_over() == []
        asked = len(old.asked)
        done = place.run("export", "fills", "--to", "all.csv")
        assert done.returncode == 0, done.stderr
        assert "\r" not in done.stderr
        assert len(table((place.home / "all.csv").read_text())) == 6_000
        assert not any("/fills/" in path and "page=1&" in f"{path}&" for path in old.asked[asked:])


def waiting_in(pipe: IO[bytes] | None) -> int:
    """Return how many bytes lie in a pipe."""
    assert pipe is not None
    held: int = struct.unpack("i", fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"    "))[0]
    return held


@pytest.mark.nightly
def test_it_can_be_ended_while_its_reader_does_not_read() -> None:
    with past(some_past(5_000)) as place:
        process = subprocess.Popen(
            console("export", "fills", "--to", "-", "--config", str(place.config)), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment(place.home), cwd=place.home,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.read(10) == b"id,created"
        until(lambda: waiting_in(process.stdout) >= FULL_PIPE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        _, told = process.communicate()
    assert b"stopped by SIGTERM" in told


def test_nothing_is_kept_where_the_journal_is_switched_off() -> None:
    with past(some_past(30)) as place:
        written(place.config, place.config.read_text() + "[journal]\nkeep = false\n")
        done = place.run("export", "fills", "--to", "-")
        assert done.returncode == 0, done.stderr
        assert len(table(done.stdout)) == 30
        assert list((place.home / "state").rglob("*.db")) == []

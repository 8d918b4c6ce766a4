"""The log file: whole lines of JSON, never read by others, never in anybody's way, and no secret in it."""

import json
import logging
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cli.terminals import ROOT, networks_file, ran, short_home, until, urls_at

from dydx_console.cli.log import Inbox, close_log, open_log
from dydx_console.cli.logfile import LogFile
from dydx_console.config.settings import LogSettings, Settings

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
HEX = "4f1e9a7c03b2d85566e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
URL = "https://trader:hunter2@proxy.example:3128/x"
BEARER = "Authorization: Bearer abcdef123456.ghijkl"
SECRETS = f"{PHRASE} | {HEX} | 0x{HEX} | {URL} | {BEARER}"
CANARIES = ("winner", "sausage", HEX[:9], "trader:", "hunter2", "abcdef123456")
LONG_S = 30.0


@contextmanager
def logging_to(path: Path, *, aloud: bool = False, **bounds: int) -> Iterator[logging.Logger]:
    """Log to a file through a logger of its own; everything is written when the block is left."""
    file_bounds = {name: bounds.pop(name) for name in ("most_bytes", "kept") if name in bounds}
    inbox = Inbox(LogFile(path, **file_bounds), aloud=aloud, **bounds)
    logger = logging.Logger("room", logging.DEBUG)
    logger.addHandler(inbox)
    try:
        yield logger
    finally:
        inbox.close()


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, which is as before afterwards."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    close_log()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def lines_of(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text(encoding="ascii").splitlines()]


def messages_of(*paths: Path) -> list[str]:
    return [line["message"] for line in lines_of(*paths)]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def writers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "_monitor" in thread.name or thread.name == "log-end"]


def test_a_line_says_when_where_and_what(tmp_path: Path) -> None:
    before = time.time()
    with logging_to(tmp_path / "log") as log:
        log.info(
            "taken %d of %s", 3, "…", extra={"connection": 1, "message_id": 7, "changed": ["orders"], "gone": None}
        )
        log.warning("plain")
    first, second = lines_of(tmp_path / "log")
    assert list(first) == ["at", "level", "logger", "message", "connection", "message_id", "changed"]
    assert first["at"].endswith("Z")
    assert time.strftime("%Y-%m-%dT%H:%M", time.gmtime(before)) <= first["at"]
    del first["at"], second["at"]
    assert first == {"level": "info", "logger": "room", "message": "taken 3 of …", "connection": 1, "message_id": 7,
                     "changed": ["orders"]}  # fmt: skip
    assert second == {"level": "warning", "logger": "room", "message": "plain"}


def failing(layers: int) -> None:
    """Raise with secrets in words, notes and variables, through causes and contexts."""
    secret = SECRETS
    if not layers:
        error = ValueError(secret)
        error.add_note(f"note: {secret}")
        raise error
    try:
        failing(layers - 1)
    except (ValueError, RuntimeError, KeyError) as below:
        if layers % 2:
            raise RuntimeError(f"at {layers}: {secret}") from below
        raise KeyError(secret)  # noqa: B904


class Telling:
    """An object that tells a secret whatever is asked of it."""

    def __str__(self) -> str:
        return SECRETS

    __repr__ = __str__


class Refusing:
    """An object that fails with a secret when it becomes text."""

    def __str__(self) -> str:
        raise ValueError(SECRETS)


def test_no_secret_comes_through(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with logging_to(tmp_path / "log", aloud=True) as log:
        log.info(SECRETS)
        log.info("%s and %r", SECRETS, Telling())
        log.info("%(all)s", {"all": PHRASE.split()})
        log.info(PHRASE.replace(" ", "\n"))
        log.info("x", extra={"words": PHRASE.split(), "hash": HEX, "obj": Telling(), "url": URL, "password": "hunter2"})
        log.info("%d %d", SECRETS, PHRASE)
        log.info("%s", Refusing())
        for layers in range(4):
            try:
                failing(layers)
            except (ValueError, RuntimeError, KeyError):
                log.exception("layer %s", PHRASE)
        try:
            raise ExceptionGroup(SECRETS, [ValueError(SECRETS), ExceptionGroup(PHRASE, [KeyError(URL)])])
        except ExceptionGroup as group:
            log.error("all", exc_info=group, stack_info=True)
    told = (tmp_path / "log").read_text()
    spoken = capfd.readouterr()
    assert [canary for canary in CANARIES if canary in told + spoken.out + spoken.err] == []
    lines = lines_of(tmp_path / "log")
    assert len(lines) == 12
    assert lines[0]["message"] == (
        "[redacted 12 words] | 4f1e9a7c[redacted 56 hex digits] | 0x4f1e9a7c[redacted 56 hex digits]"
        " | https://[redacted]@proxy.example:3128/x | Authorization: [redacted]"
    )
    assert lines[4]["password"] == "[redacted]"
    assert "obj" not in lines[4]
    assert [lines[number]["message"].split(" of ")[0] for number in (5, 6)] == ["the log line"] * 2
    assert spoken.err.count("[redacted 12 words]") > 10


def test_a_trace_has_places_and_words_but_neither_source_nor_variables(tmp_path: Path) -> None:
    with logging_to(tmp_path / "log") as log:
        try:
            failing(1)
        except RuntimeError:
            log.exception("failed")
    trace = lines_of(tmp_path / "log")[0]["exception"]
    assert 'test_log.py", line ' in trace
    assert ", in failing" in trace
    assert "The above exception was the direct cause" in trace
    assert "RuntimeError: at 1: [redacted 12 words]" in trace
    assert "note: [redacted 12 words]" in trace
    assert "raise " not in trace


def test_what_is_huge_is_clipped(tmp_path: Path) -> None:
    def deep(left: int) -> None:
        if not left:
            raise ValueError("x" * 1_000_000)
        deeper(left - 1)

    def deeper(left: int) -> None:
        deep(left)

    with logging_to(tmp_path / "log") as log:
        log.info("y" * 5_000_000)
        try:
            deep(200)
        except ValueError:
            log.exception("deep")
    assert (tmp_path / "log").stat().st_size < 25_000
    assert [len(line["message"]) for line in lines_of(tmp_path / "log")] == [4_000, 4]


def burst(log: logging.Logger, count: int, threads: int = 2) -> float:
    """Log from several threads at once; returns the longest time that one of them took, in seconds."""
    took: list[float] = []

    def run(name: int) -> None:
        started = time.monotonic()
        for number in range(count // threads):
            log.info("%d %d", name, number)
        took.append(time.monotonic() - started)

    running = [threading.Thread(target=run, args=(name,)) for name in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return max(took)


def test_below_the_bound_none_is_lost_and_each_thread_keeps_its_order(tmp_path: Path) -> None:
    with logging_to(tmp_path / "log") as log:
        burst(log, 10_000)
    told = [message.split() for message in messages_of(tmp_path / "log")]
    for name in ("0", "1"):
        assert [int(number) for who, number in told if who == name] == list(range(5_000))
    assert len(told) == 10_000


def test_while_the_disk_hangs_nobody_waits_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    told: list[str] = []

    def read() -> None:
        with pipe.open() as lines:
            for line in lines:
                told.append(json.loads(line)["message"])
                if "were lost" in told[-1]:
                    return

    most = 5_000
    with logging_to(pipe, most_waiting=most) as log:  # a pipe that nobody reads takes some hundred lines
        assert burst(log, 100_000) < LONG_S
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(LONG_S)
        assert not reader.is_alive()
    *kept, last = told
    lost = int(last.split()[0])
    assert len(kept) + lost == 100_000
    assert lost >= 100_000 - most - 2_000
    assert len(kept) >= most


def test_closing_does_not_wait_for_a_disk_that_hangs(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    started = time.monotonic()
    with logging_to(pipe) as log:
        for number in range(2_000):
            log.info("%d", number)
    assert time.monotonic() - started < LONG_S
    with pipe.open() as lines:  # once the disk answers, the thread that was left behind writes the rest, and ends
        assert sum(1 for _ in lines) == 2_000
    until(lambda: not writers())


def test_it_rotates_and_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before = os.umask(0)
    try:
        with logging_to(path, most_bytes=2_000, kept=3) as log:
            for number in range(200):
                log.info("line %d", number)
    finally:
        os.umask(before)
    paths = [tmp_path / "log.3", tmp_path / "log.2", tmp_path / "log.1", path]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert {mode_of(each) for each in paths} == {0o600}
    assert all(each.stat().st_size <= 2_000 for each in paths)
    told = [int(message.split()[1]) for message in messages_of(*paths)]
    assert told == list(range(told[0], 200))
    assert len(told) > 60


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("")
    path.chmod(0o644)
    LogFile(path).close()
    assert mode_of(path) == 0o600


def test_two_writers_share_a_file_and_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    one, two = LogFile(path, 1_000, 9), LogFile(path, 1_000, 9)
    for number in range(60):
        (one if number % 2 else two).append(json.dumps({"message": f"line {number:>60}"}))
    paths = sorted(tmp_path.iterdir(), key=lambda each: int(each.suffix[1:] or "0"), reverse=True)
    assert [int(message.split()[1]) for message in messages_of(*paths)] == list(range(60))
    path.rename(tmp_path / "taken-away")
    one.append('{"message":"last"}')
    assert messages_of(path) == ["last"]
    one.close()
    two.close()


def test_half_a_line_of_an_earlier_run_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"message":"whole"}\n{"messa')
    with logging_to(path) as log:
        log.info("next")
    lines = path.read_text().splitlines()
    assert lines[:2] == ['{"message":"whole"}', '{"messa']
    assert json.loads(lines[2])["message"] == "next"


def test_where_it_cannot_begin_a_new_file_it_goes_on_in_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "log.1").mkdir()
    (tmp_path / "log.1" / "x").touch()
    (tmp_path / "log.2").mkdir()
    (tmp_path / "log.2" / "x").touch()
    with logging_to(path, most_bytes=500, kept=2) as log:
        for number in range(50):
            log.info("line %d", number)
    assert messages_of(path) == [f"line {number}" for number in range(50)]


FULL = """
import logging, resource, signal, sys
from pathlib import Path
from dydx_console.cli.log import Inbox
from dydx_console.cli.logfile import LogFile

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
inbox = Inbox(LogFile(Path(sys.argv[1])))
log = logging.Logger("room")
log.addHandler(inbox)
for number in range(200):
    log.info("line %d", number)
inbox.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.info("again")
inbox.close()
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit to set")
def test_a_full_disk_is_told_once_there_is_room_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, cwd=ROOT, timeout=LONG_S
    )
    assert (done.returncode, done.stderr) == (0, "")
    torn = []
    whole = []
    for line in path.read_text().splitlines():
        with suppress(ValueError):
            whole.append(json.loads(line)["message"])
            continue
        torn.append(line)
    assert len(torn) <= 1
    *lines, missing, last = whole
    assert lines == [f"line {number}" for number in range(len(lines))]
    assert missing == f"{200 - len(lines)} log lines are missing here: the disk refused them"
    assert last == "again"


def test_it_is_opened_as_the_settings_say(tmp_path: Path, root: logging.Logger) -> None:
    path = tmp_path / "deep" / "er" / "my.log"
    settings = Settings(log=LogSettings(file=path, level="warning"))
    before = os.umask(0)
    try:
        assert open_log(settings) == path
    finally:
        os.umask(before)
    logging.getLogger("dydx_console.x").info("not written")
    logging.getLogger("dydx_console.x").warning("written")
    logging.getLogger("httpx").info("https://indexer/v4/height")
    close_log()
    assert messages_of(path) == ["written"]
    assert (mode_of(path), mode_of(path.parent), mode_of(path.parent.parent)) == (0o600, 0o700, 0o700)
    assert root.handlers == []
    assert writers() == []


def test_opened_again_it_lets_go_of_the_first(tmp_path: Path, root: logging.Logger) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    open_log(Settings(log=LogSettings(file=first)))
    logging.getLogger("x").info("one")
    open_log(Settings(log=LogSettings(file=second, level="debug")))
    logging.getLogger("x").debug("two")
    assert len(root.handlers) == 1
    close_log()
    logging.getLogger("x").warning("three")
    assert (messages_of(first), messages_of(second)) == (["one"], ["two"])


def test_a_place_that_cannot_be_written_ends_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        open_log(Settings(log=LogSettings(file=tmp_path / "file" / "log")))
    assert ended.value.code == 78
    assert "cannot write the log" in capsys.readouterr().err


ALOUD = """
import logging, sys
from pathlib import Path
from dydx_console.cli.log import open_log
from dydx_console.config.settings import LogSettings, Settings

open_log(Settings(log=LogSettings(file=Path(sys.argv[1]))), aloud=True)
for number in range(50):
    logging.getLogger("room").info("logged %d \\x1b[2J", number)
    sys.stderr.write(f"printed {number}\\n")
logging.getLogger("room").info("last")
"""


def test_aloud_lines_come_before_what_is_printed_after_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALOUD, str(tmp_path / "log")], capture_output=True, text=True, cwd=ROOT, timeout=LONG_S
    )
    lines = done.stderr.splitlines()
    assert [line.split(" INFO room ")[-1] for line in lines] == [
        *(text for number in range(50) for text in (f"logged {number} [2J", f"printed {number}")),
        "last",
    ]
    assert messages_of(tmp_path / "log")[-1] == "last", "the end of the process writes what waits"


def test_a_command_that_fails_has_written_why() -> None:
    with short_home() as home:
        config = networks_file(home, {"mine": urls_at("127.0.0.1:9", "localdydxprotocol")}, "mine")
        done = ran(home, "record", str(home / "r.jsonl"), "--config", str(config))
        assert done.returncode == 69
        log = home / "state" / "dydx-console" / "log" / "dydx-console.log"
        assert [line["message"] for line in lines_of(log) if line["level"] == "error"] == [
            "cannot reach 127.0.0.1:9: Connection refused"
        ]
        assert mode_of(log) == 0o600

"""One engine owns a journal; a second one looks on, says whose it is, and takes over; a broken disk stops neither."""

import asyncio
import json
import os
import re
import socket
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_help import child_on, is_live, notices, place_of, rows, started, true_fills, until
from venues import engine_on, exchange, network_of

from dydx_console.domain.journal import JournalMode
from dydx_console.engine.child import SimUrls
from dydx_console.engine.control import (
    MOST_BYTES,
    ControlError,
    ControlServer,
    SilentError,
    ask,
    control_path,
)
from dydx_console.engine.runtime import Engine
from dydx_console.journal.files import OwnerLock
from dydx_console.journal.schema import MIGRATIONS


@pytest.fixture(scope="module")
def venue() -> Iterator[SimUrls]:
    with exchange("--history-hours", "0") as served:
        yield served


def engine_at(root: Path, venue: SimUrls, program: str = "run") -> Engine:
    return engine_on(network_of(venue), venue.account, journal=root, program=program)


def socket_of(root: Path, venue: SimUrls) -> Path:
    return control_path(root, "test", venue.account)


def mode(wanted: JournalMode):  # type: ignore[no-untyped-def]
    return lambda snapshot: snapshot.journal.mode is wanted


class TestTwoConsoles:
    def test_the_second_only_looks_says_whose_the_first_is_and_takes_over(self, venue: SimUrls, tmp_path: Path) -> None:
        with child_on(venue, tmp_path) as child:
            child.until(lambda told: told["mode"] == "KEPT" and told["state"] == "LIVE")
            with started(engine_at(tmp_path, venue)) as second:
                shown = until(second, mode(JournalMode.LOOKING))
                pid = child.process.pid
                assert shown.journal.owner_pid == pid
                said = rf"The journal belongs to pid {pid} \(watch since \d\d:\d\d UTC\): this console only looks\."
                assert re.search(said, notices(second))
                until(second, lambda snapshot: is_live(snapshot) and snapshot.fills_known > 0)
                told = asyncio.run(ask(socket_of(tmp_path, venue), "who"))
                assert (told["pid"], told["program"]) == (pid, "watch")
                assert (told["network"], told["address"]) == ("test", venue.account)
                child.kill()
                until(second, mode(JournalMode.KEPT))
                assert "The other console has ended: this one keeps the journal now." in notices(second)
                height = until(second, is_live).height or 0
                until(second, lambda snapshot: (snapshot.height or 0) >= height + 2)
        kept = {row[0] for row in rows(tmp_path, venue, "SELECT id FROM fills")}
        assert true_fills(venue, height) <= kept

    def test_an_owner_that_does_not_answer_is_named_by_its_lock(self, venue: SimUrls, tmp_path: Path) -> None:
        place = place_of(tmp_path, venue)
        place.make_folders()
        lock = OwnerLock(place.folder)
        mute = socket.socket(socket.AF_UNIX)
        mute.bind(str(socket_of(tmp_path, venue)) if len(str(tmp_path)) < 70 else "\0mute")
        mute.listen()
        try:
            with started(engine_at(tmp_path, venue)) as engine:
                until(engine, mode(JournalMode.LOOKING))
                said = f"The journal belongs to process {os.getpid()}, which does not answer: this console only looks."
                assert said in notices(engine)
                until(engine, is_live)
                lock.release()
                until(engine, mode(JournalMode.KEPT))
                assert "keeps the journal now" in notices(engine)
                assert asyncio.run(ask(socket_of(tmp_path, venue), "who"))["pid"] == os.getpid()
        finally:
            lock.release()
            mute.close()

    def test_the_socket_is_its_owners_alone_and_gone_with_it(self, venue: SimUrls, tmp_path: Path) -> None:
        path = socket_of(tmp_path, venue)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left by somebody")
        with started(engine_at(tmp_path, venue)) as engine:
            until(engine, is_live)
            found = path.stat()
            assert stat.S_ISSOCK(found.st_mode)
            assert stat.S_IMODE(found.st_mode) == 0o600
        assert not path.exists()


class TestJournalsThatCannotBeUsed:
    def test_a_damaged_one_is_put_away_and_filled_from_the_venue(self, venue: SimUrls, tmp_path: Path) -> None:
        with started(engine_at(tmp_path, venue)) as engine:
            until(engine, is_live)
        path = place_of(tmp_path, venue).path(1)
        with path.open("r+b") as file:
            file.truncate(5_000)
        with started(engine_at(tmp_path, venue)) as engine:
            height = until(engine, is_live).height or 0
            assert "The journal was damaged" in notices(engine)
            until(engine, lambda snapshot: (snapshot.height or 0) >= height + 2)
        kept = {row[0] for row in rows(tmp_path, venue, "SELECT id FROM fills")}
        assert true_fills(venue, height) <= kept
        assert len(list(path.parent.glob("*.damaged-*"))) >= 1

    @pytest.mark.parametrize("trouble", ["newer", "no folder"])
    def test_it_is_off_and_the_live_view_goes_on(self, venue: SimUrls, tmp_path: Path, trouble: str) -> None:
        root = tmp_path / "journal"
        place = place_of(root, venue)
        if trouble == "newer":
            with started(engine_at(root, venue)) as engine:
                until(engine, is_live)
            with closing(sqlite3.connect(place.path(1))) as connection:
                connection.execute("PRAGMA user_version=99")
        else:
            root.write_text("a file where a folder should be")
        with started(engine_at(root, venue)) as engine:
            until(engine, mode(JournalMode.OFF))
            live = until(engine, lambda snapshot: is_live(snapshot) and snapshot.fills_known > 0)
            assert live.journal.text is not None
            assert ("schema 99" if trouble == "newer" else "folder") in live.journal.text
            assert notices(engine).count("JOURNAL OFF") == 1
            if trouble == "newer":
                with closing(sqlite3.connect(place.path(1))) as connection:
                    connection.execute(f"PRAGMA user_version={MIGRATIONS[-1].number}")
            else:
                root.unlink()
            until(engine, mode(JournalMode.KEPT))
            assert "The journal is being written again." in notices(engine)
        assert {row[0] for row in rows(root, venue, "SELECT id FROM fills")} >= {each.id for each in live.fills}

    @pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files acts differently elsewhere")
    def test_a_full_disk_turns_it_off_and_room_turns_it_on_with_nothing_lost(
        self, venue: SimUrls, tmp_path: Path
    ) -> None:
        with child_on(venue, tmp_path) as child:
            child.until(lambda told: told["mode"] == "KEPT" and told["state"] == "LIVE")
            child.limit(4_096)
            off = child.until(lambda told: told["mode"] == "OFF")
            more = child.until(lambda told: told["fills"] > off["fills"] and told["state"] == "LIVE")
            assert more["mode"] == "OFF"
            child.limit(-1)
            on = child.until(lambda told: told["mode"] == "KEPT", 60.0)
            child.until(lambda told: told["height"] >= on["height"] + 2)
            assert child.end() == 0
        kept = {row[0] for row in rows(tmp_path, venue, "SELECT id FROM fills")}
        assert true_fills(venue, on["height"]) <= kept


@contextmanager
def listening(path: Path) -> Iterator[None]:
    """Run a control server in a thread of its own."""

    async def echo(request: Any) -> Any:
        return {"said": request.get("text")}

    async def refuse(_request: Any) -> Any:
        raise ControlError("POLICY", "not today")

    loop = asyncio.new_event_loop()
    server = ControlServer(path, {"echo": echo, "refuse": refuse})
    task = loop.create_task(server.run())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait({task})))
    thread.start()
    try:
        while not path.exists():
            assert not task.done(), task
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10.0)
        loop.close()
        assert not path.exists()


class TestControlSocket:
    def test_it_answers_and_refuses(self, tmp_path: Path) -> None:
        path = tmp_path / "c.sock"
        with listening(path):
            assert asyncio.run(ask(path, "echo", text="ß\n")) == {"said": "ß\n"}
            with pytest.raises(ControlError, match="not today") as refused:
                asyncio.run(ask(path, "refuse"))
            assert refused.value.kind == "POLICY"
            with pytest.raises(ControlError, match="does not know"):
                asyncio.run(ask(path, "place"))
        with pytest.raises(SilentError):
            asyncio.run(ask(path, "echo"))

    @pytest.mark.parametrize(
        ("sent", "kind"),
        [
            (b"what?\n", "BAD_REQUEST"),
            (b"[" * 60_000 + b"\n", "BAD_REQUEST"),
            (b"\xff\xfe\n", "BAD_REQUEST"),
            (b"[1]\n", "VERSION"),
            (b'{"v": 2, "do": "echo"}\n', "VERSION"),
            (b'{"v": 1, "do": ["echo"]}\n', "UNKNOWN"),
            (b'{"v": 1}\n', "UNKNOWN"),
            (b"x" * (MOST_BYTES + 1) + b"\n", None),
            (b'{"v": 1, "do": "echo"}', None),
        ],
    )
    def test_bad_requests_are_refused_and_the_next_one_is_answered(
        self, tmp_path: Path, sent: bytes, kind: str | None
    ) -> None:
        path = tmp_path / "c.sock"
        with listening(path):
            with socket.socket(socket.AF_UNIX) as caller:
                caller.settimeout(10.0)
                caller.connect(str(path))
                try:
                    caller.sendall(sent)
                    caller.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: caller.recv(4096), b""))
                except (BrokenPipeError, ConnectionResetError):
                    answer = b""
            assert (json.loads(answer)["error"]["kind"] if answer else None) == kind
            assert asyncio.run(ask(path, "echo")) == {"said": None}

    def test_callers_that_say_nothing_hold_up_no_one_and_are_few(self, tmp_path: Path) -> None:
        path = tmp_path / "c.sock"
        with listening(path):
            idle = [socket.socket(socket.AF_UNIX) for _ in range(15)]
            for caller in idle:
                caller.connect(str(path))
            assert asyncio.run(ask(path, "echo", 10.0)) == {"said": None}
            for caller in idle:
                caller.close()

    def test_a_path_that_is_too_long_for_a_socket_works_all_the_same(self, tmp_path: Path) -> None:
        folder = tmp_path / ("long" * 30)
        folder.mkdir()
        with listening(folder / "c.sock"):
            assert asyncio.run(ask(folder / "c.sock", "echo")) == {"said": None}

    def test_an_owner_that_keeps_silent_is_left_after_the_time(self, tmp_path: Path) -> None:
        path = tmp_path / "c.sock"
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(str(path))
            mute.listen()
            with pytest.raises(SilentError):
                asyncio.run(ask(path, "who", 0.1))

"""Recordings are written whole, in order, in files that can each be replayed alone."""

import threading
from pathlib import Path

import pytest

from dydx_console.recording.lines import Entry, read_entries
from dydx_console.recording.writer import RecordingWriter


def entries_of(path: Path) -> list[Entry]:
    with path.open(encoding="utf-8") as lines:
        return list(read_entries(lines))


def received(number: int) -> Entry:
    return Entry(t=float(number), ev="<", c="c1", text=f'{{"n":{number}}}')


def test_what_is_added_is_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    writer = RecordingWriter(path, 10**9, lambda: None)
    given = [Entry(t=0.5, ev="open", c="c1", url="ws://x", status=101), *(received(n) for n in range(500))]
    given.append(Entry(t=9.0, ev="http", method="GET", url="/v4/time", status=200, body='{"iso":"…"}', ms=1.5))
    for entry in given:
        writer.add(entry)
    writer.close()
    assert entries_of(path) == given
    assert writer.problem is None


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        RecordingWriter(path, 100, lambda: None)
    assert path.read_text() == "mine"


def test_a_full_file_goes_on_in_a_new_one_from_the_next_connection(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    full = threading.Event()
    writer = RecordingWriter(path, 2_000, full.set)
    writer.add(Entry(t=0.0, ev="open", c="c1"))
    for number in range(60):
        writer.add(received(number))
    assert full.wait(5)
    writer.add(received(60))
    writer.add(Entry(t=61.0, ev="open", c="c2"))
    writer.add(received(62))
    writer.close()
    first, second = entries_of(path), entries_of(tmp_path / "r.jsonl.2")
    assert [entry.t for entry in first] == [0.0, *(float(n) for n in range(61))]
    assert [entry.t for entry in second] == [61.0, 62.0]
    assert second[0].ev == "open"
    assert writer.files == 2


def test_a_disk_that_refuses_stops_the_recording_and_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    path = folder / "r.jsonl"
    full = threading.Event()
    writer = RecordingWriter(path, 10, full.set)
    writer.add(received(1))
    assert full.wait(5)
    path.unlink()
    folder.rmdir()
    writer.add(Entry(t=2.0, ev="open", c="c2"))
    writer.close()
    assert writer.problem is not None
    assert "r.jsonl" in writer.problem

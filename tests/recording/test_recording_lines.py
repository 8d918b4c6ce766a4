"""Recordings line by line: what is whole is read, the first line that is not is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.recording.lines import BadLineError, Entry, encode, read_entries

GOOD = '{"t": 1.5, "ev": "<", "c": "c0", "text": "x"}\n'


def read(*lines: str) -> tuple[list[Entry], BadLineError | None]:
    entries: list[Entry] = []
    try:
        entries.extend(entry for entry in _kept(read_entries(lines), entries))
    except BadLineError as error:
        return entries, error
    return entries, None


def _kept(source, into: list[Entry]):  # type: ignore[no-untyped-def]
    for entry in source:
        into.append(entry)
    return ()


def test_entries_blank_lines_and_unknown_kinds() -> None:
    entries, error = read(GOOD, "\n", '{"t": 2, "ev": "note", "text": 5}\n', '{"ev": "truth"}\n', '{"t":3,"ev":"open"}')
    assert error is None
    assert entries == [Entry(1.5, "<", "c0", "x"), Entry(3.0, "open")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (GOOD[:20], "line 2: the line is cut short"),
        ("nonsense\n", "line 2: not JSON"),
        ("<html>\n", "line 2: not JSON"),
        ("[1]\n", "line 2: not an entry"),
        ('{"ev": "open"}\n', "line 2: not an entry"),
        ('{"t": "x", "ev": "open"}\n', "line 2: not an entry"),
        ('{"t": 1, "ev": "<", "text": 5}\n', "line 2: not an entry"),
        ('{"t": NaN, "ev": "open"}\n', "line 2: not JSON"),
        ('{"t": 1, "ev": "open", "x": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "line 2: not an entry"),
        ('{"t": 1, "ev": "\ud800"}\n', "line 2: not JSON"),
    ],
)
def test_the_first_line_that_is_not_whole_is_named(line: str, says: str) -> None:
    entries, error = read(GOOD, line, GOOD)
    assert entries == [Entry(1.5, "<", "c0", "x")]
    assert str(error).startswith(says)
    assert error is not None
    assert error.number == 2


@pytest.mark.parametrize("lines", [(), ("\n", "  \n")])
def test_an_empty_recording_says_so(lines: tuple[str, ...]) -> None:
    assert str(read(*lines)[1]) == "line 1: the recording is empty"


@given(st.integers(0, len(GOOD) * 3))
def test_a_recording_cut_anywhere_replays_what_is_whole(cut: int) -> None:
    text = (GOOD * 3)[:cut]
    entries, error = read(*text.splitlines(keepends=True))
    whole = text.count("}")
    assert len(entries) == whole
    rest = text.rpartition("}")[2].strip()
    assert (error is None) == (not rest and whole > 0)


@given(
    st.builds(
        Entry,
        t=st.floats(0, 1e9),
        ev=st.sampled_from(["open", "closed", "<", ">", "http"]),
        c=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        text=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        code=st.none() | st.integers(0, 9999),
        status=st.none() | st.integers(0, 999),
        headers=st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz")),
        ms=st.none() | st.floats(0, 1e6),
    )
)
def test_what_is_written_reads_back(entry: Entry) -> None:
    line = encode(entry).decode()
    assert "\n" not in line
    assert read(line + "\n") == ([entry], None)
    json.loads(line)

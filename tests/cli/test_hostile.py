"""Hostile text in every free string of a recording: through protocol, state, document and a real terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest

SMALL_DAY = Path(__file__).parents[1] / "fixtures" / "small_day.jsonl"
HOSTILE = [
    "[/x]",
    "[@click=app.quit]go[/]",
    "\x1b]52;c;cHduZWQ=\x07",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egnp.exe\u202c",
    "\u200b\ufeff\x9b31m\x90q\x9c",
    "[$foo] [bold",
    "\r\n\x00\x7f",
]
PLAIN = re.compile(r"[-+0-9.eE]+|\d{4}-\d\d-\d\dT.*Z|dydx1\w+(/\d+)?|OPEN|LONG|SHORT|BUY|SELL|USDC|[0-9A-Fa-f]{24,}")
POINTER_SHAPE = re.compile(r"\x1b\]22;[a-z]*\x07")
"""The one operating system command that the screen's library sends by itself."""
ENVELOPE = {"type", "channel", "connection_id", "message_id", "version", "subaccountNumber"}


def poisoned(value: Any, dirt: str) -> Any:
    """Return a JSON value with `dirt` at the end of every free text in it, names of rows included."""
    if isinstance(value, dict):
        return {(name + dirt if "-USD" in name else name): poisoned(part, dirt) for name, part in value.items()}
    if isinstance(value, list):
        return [poisoned(part, dirt) for part in value]
    return value + dirt if isinstance(value, str) and not PLAIN.fullmatch(value) else value


def poisoned_line(line: str, dirt: str) -> str:
    entry = json.loads(line)
    if entry["ev"] == "<":
        message = json.loads(entry["text"])
        kept = {name: part for name, part in message.items() if name in ENVELOPE or name == "id"}
        rest = {name: part for name, part in message.items() if name not in kept}
        entry["text"] = json.dumps({**kept, **poisoned(rest, dirt)})
    if entry["ev"] == "http":
        entry["body"] = json.dumps(poisoned(json.loads(entry["body"]), dirt))
    return json.dumps(entry)


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "hostile.jsonl"
    lines = [poisoned_line(line, request.param) for line in SMALL_DAY.read_text().splitlines()]
    refusal = {"type": "error", "message": f"no {request.param}", "connection_id": "cc", "message_id": 9_999}
    lines.append(json.dumps({"t": 900.0, "ev": "<", "c": "c1", "text": json.dumps(refusal)}))
    path.write_text("\n".join(lines) + "\n")
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dydx_console", *arguments]


def document(path: Path) -> dict[str, Any]:
    done = subprocess.run(
        command("replay", str(path), "--json"), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


def test_the_document_holds_the_same_rows_and_only_harmless_text(recording: Path) -> None:
    clean, hostile = document(SMALL_DAY), document(recording)
    for section in ("orders", "fills", "positions", "balances", "transfers", "markets"):
        assert len(hostile[section]) == len(clean[section]), section
    assert clean["orders"]
    assert clean["fills"]
    found = texts(hostile)
    assert not [text for text in found if any(category(char) in ("Cc", "Cf", "Cs", "Co") for char in text)]


def test_nothing_of_it_steers_a_real_terminal(recording: Path, tmp_path: Path) -> None:
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", HOME=str(tmp_path), COLUMNS="160", LINES="50")
        os.execv(sys.executable, command("replay", str(recording), "--speed", "0", "--no-bell"))
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    raw = b""
    deadline = time.monotonic() + 20
    while b"Fills" not in raw or b"ended" not in raw:
        assert time.monotonic() < deadline, raw[-2_000:]
        if select.select([master], [], [], 0.05)[0]:
            raw += os.read(master, 65_536)
    os.kill(pid, signal.SIGTERM)
    while select.select([master], [], [], 2.0)[0]:
        try:
            part = os.read(master, 65_536)
        except OSError:
            break
        raw += part
    _, status = os.waitpid(pid, 0)
    os.close(master)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGTERM
    drawn = POINTER_SHAPE.sub("", raw.decode())
    assert "\x1b]" not in drawn
    assert not set(drawn) & set("\u202e\u202c\u200b\ufeff\x9b\x90\x9c\x00")
    assert "\x07" not in drawn

"""The console in a real terminal."""

import re
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from tui.pty_harness import Terminal, terminal

ALLOWED_OSC = re.compile(rb"\x1b\]22;[a-z]+\x07")


def is_painted(shown: Terminal) -> bool:
    return all(word in shown.text for word in ("TESTNET", "1 Balances", "403,105.93", "4 Fills", "q quit"))


def counters(folder: Path) -> tuple[int, int]:
    words = (folder / "counters").read_text().split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)


def test_first_paint_keys_and_quit(tmp_path: Path) -> None:
    with terminal("live", tmp_path) as shown:
        shown.until(lambda: is_painted(shown))
        shown.keys("4")
        shown.until(lambda: "━ 4 Fills" in shown.text)
        shown.keys("z")
        shown.until(lambda: "3 Orders" not in shown.text)
        shown.keys("\x1b")
        shown.until(lambda: "3 Orders" in shown.text)
        shown.keys("?")
        shown.until(lambda: "Keys · Fills" in shown.text)
        shown.pump(0.4)
        shown.keys("\x1b")
        shown.until(lambda: "Keys · Fills" not in shown.text)
        shown.keys("q")
        assert shown.exit_code() == 0
        shown.assert_restored()


def test_a_bracketed_paste_triggers_nothing(tmp_path: Path) -> None:
    with terminal("live", tmp_path) as shown:
        shown.until(lambda: is_painted(shown))
        shown.keys("\x1b[200~qqq?4z\x1b[201~")
        shown.keys("3")
        shown.until(lambda: "━ 3 Orders" in shown.text)
        assert "4 Fills" in shown.text
        assert shown.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_restores_the_terminal(tmp_path: Path, number: signal.Signals) -> None:
    with terminal("live", tmp_path) as shown:
        shown.until(lambda: is_painted(shown))
        assert shown.attrs != shown.attrs_before
        shown.process.send_signal(number)
        assert shown.exit_code() == 128 + number
        shown.assert_restored()


def test_a_crash_restores_the_terminal_and_tells_nobodys_secrets(tmp_path: Path) -> None:
    with terminal("crash", tmp_path) as shown:
        assert shown.exit_code() == 1
        shown.assert_restored()
        told = bytes(shown.raw).rsplit(b"\x1b[?1049l", 1)[1]
        assert b"dydx-console stopped: RuntimeError in child.py:" in told
        assert b"boom 27" in told
        assert str(tmp_path / "ui.log").encode() in told
        log = (tmp_path / "ui.log").read_text()
        assert "RuntimeError: boom 27" in log
        assert "Traceback" in log
        assert b"CANARY" not in bytes(shown.raw)
        assert "CANARY-abandon" not in log.replace('mnemonic = "CANARY-abandon-ability-able"', "")
        assert b"Traceback" not in bytes(shown.raw)


def test_a_storm_of_resizes(tmp_path: Path) -> None:
    with terminal("live", tmp_path) as shown:
        shown.until(lambda: is_painted(shown))
        for number in range(50):
            shown.resize(20 + (number * 37) % 180, 5 + (number * 13) % 50)
            shown.pump(0.01)
        shown.resize(120, 40)
        shown.until(lambda: is_painted(shown) and "2 Positions" in shown.text)
        shown.keys("q")
        assert shown.exit_code() == 0


def test_a_terminal_that_stops_reading_stops_nothing(tmp_path: Path) -> None:
    with terminal("live", tmp_path, (200, 60)) as shown:
        shown.until(lambda: is_painted(shown))
        before = counters(tmp_path)
        end = time.monotonic() + 8.0
        seen = [before]
        while time.monotonic() < end:
            time.sleep(1.0)
            seen.append(counters(tmp_path))
        for (published, looks), (published_later, looks_later) in pairwise(seen):
            assert published_later > published + 10
            assert looks_later > looks + 10
        shown.keys("4")
        shown.until(lambda: "━ 4 Fills" in shown.text)
        shown.keys("q")
        assert shown.exit_code() == 0
        shown.assert_restored()


def test_a_terminal_that_never_reads_again_does_not_hold_the_process(tmp_path: Path) -> None:
    with terminal("live", tmp_path, (200, 60)) as shown:
        shown.until(lambda: is_painted(shown))
        time.sleep(1.5)
        shown.process.send_signal(signal.SIGTERM)
        assert shown.process.wait(timeout=8) == 143
        assert shown.attrs == shown.attrs_before


def test_noise_on_standard_error_goes_to_the_log(tmp_path: Path) -> None:
    with terminal("noise", tmp_path) as shown:
        shown.until(lambda: is_painted(shown))
        shown.pump(0.5)
        shown.keys("q")
        assert shown.exit_code() == 0
        drawn = bytes(shown.raw).split(b"\x1b[?1049h", 1)[1].rsplit(b"\x1b[?1049l", 1)[0]
        assert b"NOISE" not in drawn
        assert "NOISE-from-a-library" in (tmp_path / "ui.log").read_text()


def test_hostile_text_never_steers_the_terminal(tmp_path: Path) -> None:
    with terminal("hostile", tmp_path, (160, 50)) as shown:
        shown.until(lambda: "#777,777" in shown.text)
        shown.until(lambda: "the engine stopped" in shown.text)
        raw = bytes(shown.raw)
        text = raw.decode()
        assert not set(text) & set("\u202e\u202c\u2066\u2069\u200b\ufeff\u200d\x9b\x90\x9c")
        assert b"\x1b]52" not in raw
        assert b"\x1b]0;" not in raw
        assert b"\x1b[2J" not in raw
        assert b"\x1b]" not in ALLOWED_OSC.sub(b"", raw)
        assert shown.process.poll() is None
        shown.keys("q")
        assert shown.exit_code() == 0


def test_it_ends_by_itself_and_leaves_a_covered_picture(tmp_path: Path) -> None:
    with terminal("short", tmp_path) as shown:
        assert shown.exit_code() == 0
        svg = (tmp_path / "end.svg").read_text().replace("&#160;", " ")
        assert "Positions" in svg
        assert "565lnf" not in svg
        assert "403,105.93" not in svg
        shown.assert_restored()


def test_without_colour_everything_is_still_told_apart(tmp_path: Path) -> None:
    with terminal("live", tmp_path, (160, 50), environ={"NO_COLOR": "1"}) as shown:
        words = ("TESTNET", "● LIVE", "−0.96", "BUY", "SELL", "DEBT", "▸")
        shown.until(lambda: all(word in shown.text for word in words))
        colours = re.findall(rb"38;2;(\d+);(\d+);(\d+)", bytes(shown.raw))
        assert colours
        assert all(red == green == blue for red, green, blue in colours)


def test_keys_typed_in_one_breath_act_in_their_order(tmp_path: Path) -> None:
    with terminal("live", tmp_path, (160, 50)) as shown:
        shown.until(lambda: is_painted(shown))
        shown.keys("3/qz1")
        shown.until(lambda: "nothing matches /qz1" in shown.text)
        assert shown.process.poll() is None
        shown.keys("\x1b")
        shown.until(lambda: "nothing matches" not in shown.text)
        shown.keys("4z")
        shown.until(lambda: "━ 4 Fills" in shown.text and "3 Orders" not in shown.text)

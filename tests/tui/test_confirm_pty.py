"""The question for the chain id in a real terminal: exit codes, the terminal afterwards, and not a byte too early."""

import signal
from pathlib import Path

import pytest
from tui.pty_harness import Terminal, terminal

PROMPT = "Type the chain id to go on:"
FIGURES = (b"403,105", b"ETH-USD", b"PARTIALLY_FILLED", b"15,041")


def ask(shown: Terminal) -> None:
    """Wait for the question, and until keys count."""
    shown.until(lambda: PROMPT in shown.text)
    shown.until(lambda: "same block time ✓" in shown.text)
    shown.pump(0.4)


def assert_refused(shown: Terminal, why: bytes) -> None:
    """Assert that the run ended with 77, the terminal as before, one line about it, and nothing of the account."""
    assert shown.exit_code() == 77
    shown.assert_restored()
    told = bytes(shown.raw).rsplit(b"\x1b[?1049l", 1)[1]
    line = next(line for line in told.splitlines() if b"dydx-console:" in line)
    assert b"network 'mainnet' (dydx-mainnet-1) was not confirmed" in line
    assert why in line
    assert b"Traceback" not in told
    assert not any(word in bytes(shown.raw) for word in FIGURES)


@pytest.mark.parametrize("text", ["dydx-mainnet-1", "  dydx-mainnet-1 "])
def test_the_right_text_goes_on(tmp_path: Path, text: str) -> None:
    with terminal("ask", tmp_path) as shown:
        ask(shown)
        assert not any(word in bytes(shown.raw) for word in FIGURES)
        shown.keys(text)
        shown.until(lambda: f"{PROMPT} {text}" in shown.text)
        shown.keys("\r")
        shown.until(lambda: "403,105.93" in shown.text and PROMPT not in shown.text)
        assert "MAINNET · REAL MONEY · development" in shown.text
        shown.keys("q")
        assert shown.exit_code() == 0
        shown.assert_restored()
        assert b"not confirmed" not in bytes(shown.raw)


@pytest.mark.parametrize("text", ["dydx-mainnet-2", "Dydx-Mainnet-1", ""])
def test_another_text_is_refused(tmp_path: Path, text: str) -> None:
    with terminal("ask", tmp_path) as shown:
        ask(shown)
        shown.keys(f"{text}\r")
        assert_refused(shown, b"what was typed is not dydx-mainnet-1")


@pytest.mark.parametrize("key", ["\x1b", "\x03", "\x11"], ids=["escape", "ctrl+c", "ctrl+q"])
def test_leaving_is_refused(tmp_path: Path, key: str) -> None:
    with terminal("ask", tmp_path) as shown:
        ask(shown)
        shown.keys("dydx-mainnet-1")
        shown.until(lambda: f"{PROMPT} dydx-mainnet-1" in shown.text)
        shown.keys(key)
        assert_refused(shown, b"it was left")


@pytest.mark.parametrize(("mode", "why"), [("ask-late", b"within 1.5 s"), ("ask-short", b"it was left")])
def test_time_that_runs_out_is_refused(tmp_path: Path, mode: str, why: bytes) -> None:
    with terminal(mode, tmp_path) as shown:
        assert_refused(shown, why)
        assert not (tmp_path / "end.svg").exists()


def test_a_paste_is_not_typing(tmp_path: Path) -> None:
    with terminal("ask", tmp_path) as shown:
        ask(shown)
        shown.keys("\x1b[200~dydx-mainnet-1\r\x1b[201~")
        shown.until(lambda: "type it, do not paste it" in shown.text)
        shown.keys("\r")
        assert_refused(shown, b"what was typed is not")


def test_keys_typed_before_it_was_painted_do_not_count(tmp_path: Path) -> None:
    with terminal("ask", tmp_path) as shown:
        shown.keys("dydx-mainnet-1\r")
        ask(shown)
        assert shown.process.poll() is None
        assert f"{PROMPT} d" not in shown.text
        shown.keys("\x1b")
        assert_refused(shown, b"it was left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_its_own_code(tmp_path: Path, number: signal.Signals) -> None:
    with terminal("ask", tmp_path) as shown:
        ask(shown)
        shown.process.send_signal(number)
        assert shown.exit_code() == 128 + number
        shown.assert_restored()
        assert not any(word in bytes(shown.raw) for word in FIGURES)


def test_it_can_be_answered_in_a_tiny_terminal(tmp_path: Path) -> None:
    with terminal("ask", tmp_path) as shown:
        ask(shown)
        shown.resize(20, 5)
        shown.until(lambda: "MAINNET. Real money." in shown.text and "esc leaves" in shown.text)
        shown.keys("dydx-mainnet-1")
        shown.until(lambda: "> dydx-mainnet-1" in shown.text)
        shown.keys("\r")
        shown.until(lambda: "REAL MONEY" in shown.text and "ETH-USD" in shown.text)


def test_without_colour_the_words_are_enough(tmp_path: Path) -> None:
    with terminal("ask", tmp_path, environ={"NO_COLOR": "1"}) as shown:
        ask(shown)
        for word in ("MAINNET · REAL MONEY · development", "This is MAINNET. Real money.", "✓", "esc leaves"):
            assert word in shown.text

"""The History screen in a real terminal over a real journal, by keys alone."""

import asyncio
from pathlib import Path

import pytest
from tui.history_thread import fill_journal, past
from tui.pty_harness import terminal

ESCAPE = "\x1b"
GUARD_S = 0.4


@pytest.mark.nightly
def test_every_page_every_filter_and_a_detail_by_keys_alone(tmp_path: Path) -> None:
    asyncio.run(fill_journal(tmp_path / "journal", past(230)))
    with terminal("history", tmp_path, (120, 36)) as shown:
        shown.until(lambda: "LIVE" in shown.text)
        shown.keys("H")
        shown.until(lambda: "1–50 of 230" in shown.text)
        shown.pump(GUARD_S)
        shown.keys("n")
        shown.until(lambda: "51–100 of 230" in shown.text)
        shown.keys("G")
        shown.until(lambda: "201–230 of 230" in shown.text)
        shown.keys("o")
        shown.until(lambda: "oldest first" in shown.text and "1–50 of 230" in shown.text)
        shown.keys("o")
        shown.until(lambda: "newest first" in shown.text)
        shown.keys("/q")
        shown.until(
            lambda: "no orders match" in shown.text and "none · /q" in shown.text and "filter text" in shown.text
        )
        shown.keys(ESCAPE)
        shown.until(lambda: "filter text" not in shown.text and "1–50 of 230" in shown.text)
        shown.keys("f")
        shown.until(lambda: "filter orders by" in shown.text)
        shown.keys("status:filled market:btc until:2026-11-20")
        shown.until(lambda: "of 51 · status:FILLED market:BTC-USD until:2026-11-20" in shown.text)
        shown.keys("\r")
        shown.until(lambda: "filter orders by" not in shown.text)
        shown.keys("\r")
        shown.until(lambda: "Order BUY BTC-USD" in shown.text and "── Hops" in shown.text)
        assert "FILLED" in shown.text
        shown.pump(GUARD_S)
        shown.keys(ESCAPE)
        shown.until(lambda: "Order BUY BTC-USD" not in shown.text)
        shown.keys("\x7f")
        shown.until(lambda: "1–50 of 230" in shown.text)
        shown.keys("2")
        shown.until(lambda: "1–50 of 77" in shown.text and "‹2 Fills›" in shown.text)
        shown.resize(80, 24)
        shown.until(lambda: "1–50 of 77" in shown.text and "TESTNET" in shown.text)
        shown.keys("q")
        shown.until(lambda: "2 Positions" in shown.text and "‹2 Fills›" not in shown.text)
        shown.keys("q")
        assert shown.exit_code() == 0
        shown.assert_restored()

"""The log on the screen: what was told in this run, the newest first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tui.fakes import TESTNET, WRONG_NODE, FakePort
from tui.pictures import HOSTILE, picture
from tui.screen_help import Desk, desk, opened

from dydx_console.ports.mailbox import MOST_KEPT
from dydx_console.ports.notices import Level, Notice
from dydx_console.tui.screens.console import ConsoleScreen
from dydx_console.tui.screens.log import LogModal, notice_lines
from dydx_console.views.table import line_width

AT = datetime(2026, 11, 21, 1, 49, 22, tzinfo=UTC)


def live(notices: Sequence[Notice] = (), **given: object) -> FakePort:
    """Return a port over a live account that has told some notices, the newest last."""
    port = FakePort(now=0.0, **given)  # type: ignore[arg-type]
    for notice in notices:
        port.mailbox.remember(notice)
    port.show(picture())
    return port


def many(count: int) -> list[Notice]:
    return [Notice(f"notice {number}.", at=AT + timedelta(seconds=number)) for number in range(count)]


def places(shown: Desk, *texts: str) -> list[int]:
    """Return the screen's lines in which texts stand."""
    lines = shown.text().splitlines()
    return [next(place for place, line in enumerate(lines) if text in line) for text in texts]


async def test_it_shows_what_was_told_the_newest_first(tmp_path: Path) -> None:
    port = live([
        Notice("Filled: BUY 0.1 BTC-USD @ 15,041 (taker)", at=AT),
        Notice("Stream lost; reading over HTTP meanwhile.", Level.WARNING, at=AT + timedelta(seconds=61)),
        Notice("LIQUIDATED: SELL 1 ETH-USD @ 900, subaccount 0", Level.ERROR, AT + timedelta(seconds=62), stays=True),
    ])  # fmt: skip
    async with desk(tmp_path, port=port) as shown:
        await opened(shown, "L", LogModal)
        await shown.until(lambda: "LIQUIDATED" in shown.text())
        for words in ("01:49:22  info  Filled: BUY", "01:50:23  warn  Stream lost", "01:50:24  ERROR LIQUIDATED: SELL",
                      "Log of this run", "UTC, newest first · esc back"):  # fmt: skip
            assert words in shown.text(), words
        first, second, third = places(shown, "LIQUIDATED", "Stream lost", "Filled")
        assert first + 2 == second + 1 == third


async def test_before_anything_was_told_it_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await opened(shown, "L", LogModal)
        await shown.until(lambda: "nothing was told so far" in shown.text())


@pytest.mark.parametrize("key", ["escape", "q", "L"])
async def test_it_closes(tmp_path: Path, key: str) -> None:
    async with desk(tmp_path, port=live(many(3))) as shown:
        await opened(shown, "L", LogModal)
        await shown.press(key)
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        assert shown.app.return_code is None


async def test_the_palette_opens_it_and_its_key_can_be_another(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(many(3)), keymap={"app.log": "f6"}) as shown:
        await shown.press("colon")
        await shown.until(lambda: "Network checks" in shown.text())
        await shown.press(*"notices of")
        await shown.until(lambda: "Network checks" not in shown.text())
        await shown.press("enter", "enter")
        await shown.until(lambda: isinstance(shown.app.screen, LogModal))
        await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        await opened(shown, "f6", LogModal)


async def test_the_engines_notices_and_the_screens_own_are_all_there(tmp_path: Path) -> None:
    port = live(network=replace(TESTNET, warnings=("the network warns",)))
    async with desk(tmp_path, port=port, theme="none") as shown:
        port.mailbox.notify(Notice("from the engine"))
        port.checked = WRONG_NODE
        await shown.until(lambda: "check chain id FAILED" in shown.text())
        port.network = replace(TESTNET, warnings=("the network warns", "once more"))
        await shown.until(lambda: "once more" in shown.text())
        await opened(shown, "L", LogModal)
        await shown.until(lambda: "from the engine" in shown.text())
        at = places(shown, "warn  once more", "ERROR check chain id FAILED", "info  from the engine",
                    "warn  there is no theme 'none'", "warn  the network warns")  # fmt: skip
        assert at == sorted(at)
        assert port.mailbox.told == 5


async def test_new_notices_come_on_top_and_move_nobody_who_reads_further_down(tmp_path: Path) -> None:
    port = live(many(80))
    async with desk(tmp_path, port=port) as shown:
        await opened(shown, "L", LogModal)
        await shown.until(lambda: "notice 79." in shown.text())
        port.mailbox.remember(Notice("at the head", at=AT))
        await shown.until(lambda: "at the head" in shown.text())
        await shown.press(*"jjjj")
        await shown.until(lambda: "notice 77." not in shown.text())
        before = places(shown, "notice 70.", "notice 60.")
        port.mailbox.remember(Notice("unseen " + "and long " * 30, at=AT))
        await shown.until(lambda: len(shown.app.screen._kept) == 82)
        await shown.pilot.pause()
        assert places(shown, "notice 70.", "notice 60.") == before
        assert "unseen" not in shown.text()
        await shown.press("g")
        await shown.until(lambda: "unseen" in shown.text())
        await shown.press("G")
        await shown.until(lambda: "notice 0." in shown.text())


async def test_of_more_than_it_keeps_it_says_how_many_are_gone(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(many(MOST_KEPT + 1_234))) as shown:
        await opened(shown, "L", LogModal)
        await shown.press("G")
        await shown.until(lambda: "1,234 older ones are not kept" in shown.text())
        assert "notice 1234." in shown.text()


async def test_another_day_is_named(tmp_path: Path) -> None:
    port = live([Notice("yesterday", at=AT - timedelta(days=1)), Notice("today", at=AT)])
    async with desk(tmp_path, port=port) as shown:
        await opened(shown, "L", LogModal)
        await shown.until(lambda: "20 Nov" in shown.text())
        today, day, yesterday = places(shown, "today", "20 Nov", "yesterday")
        assert today < day < yesterday


@pytest.mark.parametrize("size", [(160, 50), (80, 24), (60, 18), (50, 12), (20, 5)])
async def test_it_can_be_read_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size, live(many(60))) as shown:
        await opened(shown, "L", LogModal)
        await shown.until(lambda: "01:50:21" in shown.text())
        await shown.press("G")
        await shown.until(lambda: "01:49:22" in shown.text())
        await shown.pilot.resize_terminal(100, 30)
        await shown.press("G")
        await shown.until(lambda: "notice 0." in shown.text())
        assert "TESTNET" in shown.text()


@pytest.mark.parametrize("text", [HOSTILE[0], "".join(HOSTILE[3:12]), *HOSTILE[12:], "[@click=app.quit]x[/]"])
async def test_hostile_notices_are_only_text(tmp_path: Path, text: str) -> None:
    async with desk(tmp_path, port=live([Notice(text, Level.ERROR, at=AT)])) as shown:
        await opened(shown, "L", LogModal)
        await shown.until(lambda: "ERROR" in shown.text())
        assert all(char.isprintable() or char == "\n" for char in shown.text())


@given(st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=300), st.integers(min_value=26, max_value=120))
def test_a_notice_fits_and_nothing_of_it_is_left_out(text: str, width: int) -> None:
    lines = notice_lines(Notice(text, at=AT), width)
    assert all(line_width(line) <= width for line in lines)
    told = "".join(cell.text for line in lines for cell in line[-1:])
    kept = [char for char in text if char.isprintable() and not char.isspace()]
    assert text.isprintable() is False or [char for char in told if not char.isspace()] == kept

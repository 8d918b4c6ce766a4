"""Diagnostics on the screen: live figures at every size, by key and by palette."""

from dataclasses import replace
from pathlib import Path

import pytest
from tui.fakes import FakePort
from tui.pictures import HOSTILE, NOW, picture, poisoned, stream
from tui.pty_harness import terminal
from tui.screen_help import Desk, desk, opened

from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.state.limits import LimitsView
from dydx_console.state.snapshot import Snapshot
from dydx_console.tui.screens.console import ConsoleScreen
from dydx_console.tui.screens.diagnostics import DiagnosticsModal

LIMITS = LimitsView(
    (Budget("indexer.example", "get", 100, 3, 9.0, NOW, 4, 8.0),),
    (BreakerStatus("fills", BreakerState.OPEN, 5, 12.0, "HTTP 503"),),
    (FaultCount(FaultKind.SERVER, FaultSource.REST, "indexer.example/v4/fills", 7, NOW, "HTTP 503", NOW),),
)


def live(snapshot: Snapshot | None = None) -> FakePort:
    port = FakePort(now=0.0)
    port.show(picture(limits=LIMITS) if snapshot is None else snapshot)
    return port


def squeezed(shown: Desk) -> str:
    return " ".join(shown.text().split())


async def test_it_shows_the_newest_picture_and_goes_on_without_one(tmp_path: Path) -> None:
    port = live()
    port.applied = 98_765
    async with desk(tmp_path, port=port) as shown:
        await opened(shown, "D", DiagnosticsModal)
        for words in ("Diagnostics", "reconnects 0", "parent_subaccounts 0", "3/100 9.0 s 4 8.0 s", "fills OPEN 12 s 5",
                      "SERVER REST 7", "indexer.example/v4/fills HTTP 503", "events taken in 98,765"):  # fmt: skip
            assert words in squeezed(shown), words
        assert "TESTNET" in shown.text(), "the banner is not covered"
        port.now = 4.0
        await shown.until(lambda: "3/100 5.0 s" in squeezed(shown) and "fills OPEN 8.0 s" in squeezed(shown))
        port.show(picture(revision=2, stream=replace(stream(), reconnects=41)))
        await shown.until(lambda: "reconnects 41" in squeezed(shown) and "none has opened" in squeezed(shown))


async def test_it_counts_what_the_screen_paints(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        before = shown.app.frames.stats.paints
        await opened(shown, "D", DiagnosticsModal)
        shown.port.show(picture(revision=2))
        await shown.until(lambda: f"paints {before:,} " not in squeezed(shown))
        await shown.until(lambda: f"paints {shown.app.frames.stats.paints:,} " in squeezed(shown))


@pytest.mark.parametrize("key", ["escape", "q", "D"])
async def test_it_closes(tmp_path: Path, key: str) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await opened(shown, "D", DiagnosticsModal)
        await shown.press(key)
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        assert shown.app.return_code is None


async def test_its_key_reconnects_and_stays(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await opened(shown, "D", DiagnosticsModal)
        await shown.press("r")
        await shown.until(lambda: shown.port.reconnects == 1)
        assert isinstance(shown.app.screen, DiagnosticsModal)


async def test_the_palette_opens_it_and_its_key_can_be_another(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(), keymap={"app.diagnostics": "f6"}) as shown:
        await shown.press("colon")
        await shown.until(lambda: "Network checks" in shown.text())
        await shown.press(*"diagnost")
        await shown.until(lambda: "Network checks" not in shown.text())
        await shown.press("enter", "enter")
        await shown.until(lambda: isinstance(shown.app.screen, DiagnosticsModal))
        await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        await opened(shown, "f6", DiagnosticsModal)


@pytest.mark.parametrize("size", [(160, 50), (100, 30), (80, 24), (60, 18), (40, 12), (20, 5)])
async def test_it_can_be_read_to_its_end_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size, live()) as shown:
        await opened(shown, "D", DiagnosticsModal)
        await shown.until(lambda: "LIVE" in shown.text())
        await shown.press("G")
        await shown.until(lambda: "events" in shown.text())
        await shown.pilot.resize_terminal(100, 30)
        await shown.press("g")
        await shown.until(lambda: "Channels" in shown.text())


async def test_before_the_first_picture_it_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path, port=FakePort()) as shown:
        await opened(shown, "D", DiagnosticsModal)
        await shown.until(lambda: "events taken in" in shown.text())


@pytest.mark.parametrize("text", [HOSTILE[0], "".join(HOSTILE[3:12]), *HOSTILE[12:]])
async def test_hostile_texts_are_only_text(tmp_path: Path, text: str) -> None:
    async with desk(tmp_path, port=live(picture(limits=poisoned(LIMITS, text)))) as shown:
        await opened(shown, "D", DiagnosticsModal)
        await shown.until(lambda: "SERVER" in shown.text())
        assert all(char.isprintable() or char == "\n" for char in shown.text())


def test_in_a_real_terminal_it_opens_renews_itself_and_leaves_no_trace(tmp_path: Path) -> None:
    with terminal("live", tmp_path, (80, 24)) as shown:
        shown.until(lambda: "LIVE" in shown.text)
        shown.keys("D")
        shown.until(lambda: "Diagnostics" in shown.text and "parent_subaccounts 0" in shown.text)
        shown.pump(0.4)
        shown.keys("G")
        shown.until(lambda: "paints" in shown.text)
        first = shown.text
        shown.until(lambda: "paints" in shown.text and shown.text != first)
        shown.resize(120, 30)
        shown.until(lambda: "Circuit breakers" in shown.text)
        shown.keys("\x1b")
        shown.until(lambda: "2 Positions" in shown.text and "Circuit breakers" not in shown.text)
        shown.keys("q")
        assert shown.exit_code() == 0
        shown.assert_restored()

"""The sheet of the network's checks, what the desk tells of them, and what it says of its network."""

from dataclasses import replace
from pathlib import Path

import pytest
from tui.fakes import HEALTHY, MAINNET, TESTNET, WRONG_NODE, FakePort, with_check
from tui.pictures import HOSTILE, picture
from tui.screen_help import Desk, desk, opened

from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.state.node import NodeView
from dydx_console.tui.screens.checks import ChecksModal
from dydx_console.tui.screens.console import ConsoleScreen
from dydx_console.tui.widgets.notices import StickyNotices

MARK = "MAINNET · REAL MONEY"


def live(**given: object) -> FakePort:
    """Return a port over a live account."""
    port = FakePort(now=0.0, **given)  # type: ignore[arg-type]
    port.show(picture())
    return port


def held(shown: Desk) -> list[str]:
    """Return the notices that stay."""
    return [notice.text for notice in shown.app.screen_stack[0].query_one(StickyNotices).held]


async def test_the_sheet_shows_the_newest_report(tmp_path: Path) -> None:
    port = live()
    async with desk(tmp_path, port=port) as shown:
        await opened(shown, "n", ChecksModal)
        await shown.until(lambda: shown.text().count("checking…") == 2)
        port.checked = HEALTHY
        await shown.until(lambda: "all is well" in shown.text())
        text = shown.text()
        for word in (" ok ", "indexer", "212 ms", "same block time", "skip", "no key store yet", "exit 0",
                     "r checks again", "esc back", "Network checks"):  # fmt: skip
            assert word in text, word
        assert "checking…" not in text
        await shown.press("r")
        await shown.until(lambda: port.checks == 1)
        assert "checking…" in shown.text()
        port.checked = WRONG_NODE
        await shown.until(lambda: "refused: configuration (chain id)" in shown.text())
        assert "FAIL" in shown.text()
        assert "→ set [networks.mainnet].nodes" in shown.text()
        assert "checking…" not in shown.text()
        assert port.reconnects == 0


@pytest.mark.parametrize("key", ["escape", "q", "n"])
async def test_the_sheet_closes(tmp_path: Path, key: str) -> None:
    async with desk(tmp_path, port=live(checked=HEALTHY)) as shown:
        await opened(shown, "n", ChecksModal)
        await shown.press(key)
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        assert shown.app.return_code is None


async def test_quit_works_over_a_modal(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(checked=HEALTHY)) as shown:
        await opened(shown, "n", ChecksModal)
        await shown.press("f20")
        assert isinstance(shown.app.screen, ChecksModal)
        await shown.press("ctrl+c")
        await shown.until(lambda: shown.app.return_code == 0)


async def test_the_palette_opens_the_sheet(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(checked=HEALTHY)) as shown:
        await shown.press("colon")
        await shown.until(lambda: "Network checks" in shown.text())
        await shown.press(*"network")
        await shown.until(lambda: "Maximise" not in shown.text())
        await shown.press("enter", "enter")
        await shown.until(lambda: isinstance(shown.app.screen, ChecksModal))


@pytest.mark.parametrize("size", [(160, 50), (80, 24), (60, 18), (50, 12), (20, 5)])
async def test_a_long_report_scrolls(tmp_path: Path, size: tuple[int, int]) -> None:
    checks = tuple(CheckResult(f"check {number}", Verdict.OK, f"text {number}", 1.0) for number in range(60))
    async with desk(tmp_path, size, live(checked=replace(HEALTHY, checks=checks))) as shown:
        await opened(shown, "n", ChecksModal)
        await shown.until(lambda: "check 0" in shown.text())
        await shown.press("G")
        await shown.until(lambda: "all is well" in shown.text())
        assert "check 0 " not in shown.text()
        await shown.press("k", "g")
        await shown.until(lambda: "check 0 " in shown.text())
        assert "TESTNET" in shown.text()


async def test_the_sheet_follows_the_size(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(checked=WRONG_NODE)) as shown:
        await opened(shown, "n", ChecksModal)
        for width, height in ((20, 5), (70, 20), (160, 50)):
            await shown.pilot.resize_terminal(width, height)
            await shown.pilot.pause()
        text = "oegs.dydx.trade:443 reports dydx-testnet-4; configured dydx-mainnet-1"
        await shown.until(lambda: text in shown.text() and "exit 78" in shown.text())


@pytest.mark.parametrize("text", [HOSTILE[0], "".join(HOSTILE[3:12]), *HOSTILE[12:]])
async def test_hostile_reports_are_only_text(tmp_path: Path, text: str) -> None:
    checks = (CheckResult(text, Verdict.FAIL, text, 1.0, text, 78),)
    async with desk(tmp_path, port=live(checked=Report(checks, 1.0, 78))) as shown:
        await opened(shown, "n", ChecksModal)
        await shown.until(lambda: "FAIL" in shown.text())
        assert all(char.isprintable() or char == "\n" for char in shown.text())


async def test_a_failure_is_told_once_and_says_where_the_rest_is(tmp_path: Path) -> None:
    port = live()
    async with desk(tmp_path, port=port, keymap={"app.checks": "f4"}) as shown:
        port.checked = HEALTHY
        await shown.pilot.pause(0.1)
        assert held(shown) == []
        port.checked = WRONG_NODE
        await shown.until(lambda: "check chain id FAILED (f4 shows all): oegs.dydx.trade:443" in shown.text())
        port.checked = replace(WRONG_NODE, took_ms=1.0)
        await shown.pilot.pause(0.1)
        assert len(held(shown)) == 1
        port.checked = with_check(WRONG_NODE, CheckResult("indexer", Verdict.FAIL, "refused", 1.0, None, 69))
        await shown.until(lambda: len(held(shown)) == 2)
        assert "check indexer FAILED and 1 more" in held(shown)[1]
        await opened(shown, "f4", ChecksModal)


async def test_a_key_that_was_taken_away_is_not_named(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(checked=WRONG_NODE), keymap={"app.checks": " ", "app.help": ""}) as shown:
        await shown.until(lambda: any("check chain id FAILED: oegs" in text for text in held(shown)))


@pytest.mark.parametrize(
    ("size", "mark"),
    [((160, 50), f"{MARK} · development"), ((100, 30), f"{MARK} · development"), ((60, 18), f"{MARK} · development"),
     ((50, 14), f"{MARK} · development"), ((30, 10), MARK), ((20, 5), "REAL MONEY"), ((18, 4), "REAL MONEY")],
)  # fmt: skip
async def test_real_money_out_of_place_is_said_in_every_layout(
    tmp_path: Path, size: tuple[int, int], mark: str
) -> None:
    async with desk(tmp_path, size, live(network=MAINNET)) as shown:
        await shown.until(lambda: mark in shown.text().splitlines()[0])


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 18), (50, 14)])
@pytest.mark.parametrize("keys", [("question_mark",), ("n",), ("2", "j", "enter"), ("colon",)])
async def test_real_money_out_of_place_stays_over_every_sheet(
    tmp_path: Path, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    async with desk(tmp_path, size, live(network=MAINNET, checked=HEALTHY)) as shown:
        await shown.press(*keys)
        await shown.until(lambda: len(shown.app.screen_stack) == 2 or size == (50, 14))
        await shown.pilot.pause()
        lines = shown.text().splitlines()
        assert f"{MARK} · development" in lines[0]
        if keys != ("colon",) and len(shown.app.screen_stack) == 2:
            assert any(MARK in line for line in lines[1:])


async def test_in_its_place_no_sheet_has_the_mark(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(network=replace(MAINNET, environment="production"))) as shown:
        await opened(shown, "n", ChecksModal)
        assert "REAL MONEY" not in shown.text()


async def test_the_banner_follows_a_network_that_changes(tmp_path: Path) -> None:
    port = live(network=replace(TESTNET, warnings=("one",)))
    async with desk(tmp_path, port=port) as shown:
        await shown.until(lambda: held(shown) == ["one"])
        port.network = replace(MAINNET, warnings=("one", "two"), read_only=False)
        await shown.until(lambda: MARK in shown.text() and "DISARMED" in shown.text())
        assert held(shown) == ["one", "two"]
        assert shown.app.screen.has_class("-alarm")
        port.network = TESTNET
        await shown.until(lambda: "REAL MONEY" not in shown.text())
        assert not shown.app.screen.has_class("-alarm")


async def test_the_banner_says_how_far_the_indexer_trails(tmp_path: Path) -> None:
    port = live()
    async with desk(tmp_path, port=port) as shown:
        assert "node —" in shown.text()
        port.show(picture(revision=2, node=NodeView(lag_blocks=1, chain_id="dydx-testnet-4")))
        await shown.until(lambda: "node +1" in shown.text())
        port.show(picture(revision=3, node=NodeView(lag_blocks=1, chain_id="dydx-mainnet-1")))
        await shown.until(lambda: "NODE IS ON dydx-mainnet-1" in shown.text())
